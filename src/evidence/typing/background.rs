//! The background of one phrase: how the other workers of a tenant type it.
//!
//! Kept as exact sums of the workers' recent means, so that a worker who learns or is erased is taken out of them to
//! the last bit, and the order in which workers came leaves no trace. No login and no worker can be read back.
//!
//! Worked example. Four other workers have recent means of 11.0, 11.2, 11.4 and 11.6 in ln(time + shift) at one
//! position: mean 11.3, variance .0667. A stranger is expected at 4 / (4 + 5) of that mean and 5 / (4 + 5) of the
//! mean that needs no sample of the phrase.

/// Marks a time that a worker was never seen to have.
pub const NEVER_SEEN: i16 = i16::MIN;
/// Step of a stored mean, in ln: a thousandth of the time.
pub(super) const MEAN_STEP: f64 = 1.0 / 1024.0;
/// Origin of stored means: ln of 100 ms, about which times lie, so that most take two bytes.
pub(super) const MEAN_ORIGIN: f64 = 11.512_925_464_970_229;
/// Workers at which the phrase's own background weighs as much as the priors that need none. 3, 5 and 10 differed
/// little on phrases cut from free text.
const TRUST_COUNT: f64 = 5.0;

/// Share of the phrase's own background against the priors, \[0, 1), by the number of other workers behind it.
pub fn background_share(worker_count: u32) -> f64 {
    let count = f64::from(worker_count);
    count / (count + TRUST_COUNT)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum {
    count: u32,
    sum: i64,
    square: i64,
}

/// Sums over the workers of a tenant who type one phrase.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PhrasePool {
    worker_count: u32,
    sums: Vec<Sum>,
}

impl PhrasePool {
    /// Workers added and not taken out.
    pub fn worker_count(&self) -> u32 {
        self.worker_count
    }

    /// Adds a worker's stored means, one per time of the phrase. Means of another length are left out.
    pub fn add(&mut self, means: &[i16]) {
        if self.sums.is_empty() {
            self.sums = vec![Sum::default(); means.len()];
        }
        if self.sums.len() != means.len() {
            return;
        }
        self.worker_count = self.worker_count.saturating_add(1);
        for (sum, mean) in self.sums.iter_mut().zip(means).filter(|(_, mean)| **mean != NEVER_SEEN) {
            sum.count += 1;
            sum.sum += i64::from(*mean);
            sum.square += i64::from(*mean) * i64::from(*mean);
        }
    }

    /// Takes out what [`PhrasePool::add`] added.
    pub fn remove(&mut self, means: &[i16]) {
        if self.sums.len() != means.len() || self.worker_count == 0 {
            return;
        }
        self.worker_count -= 1;
        for (sum, mean) in self.sums.iter_mut().zip(means).filter(|(_, mean)| **mean != NEVER_SEEN) {
            sum.count = sum.count.saturating_sub(1);
            sum.sum -= i64::from(*mean);
            sum.square -= i64::from(*mean) * i64::from(*mean);
        }
    }

    /// What the workers but `own` have in common; absent when there is no other.
    pub fn background(&self, own: Option<&[i16]>) -> Option<PhraseBackground> {
        let own = own.filter(|own| own.len() == self.sums.len());
        let worker_count = self.worker_count.saturating_sub(u32::from(own.is_some()));
        if worker_count == 0 {
            return None;
        }
        let time = |(index, sum): (usize, &Sum)| {
            let mut left = *sum;
            if let Some(mean) = own.map(|own| own[index]).filter(|mean| *mean != NEVER_SEEN) {
                left.count = left.count.saturating_sub(1);
                left.sum -= i64::from(mean);
                left.square -= i64::from(mean) * i64::from(mean);
            }
            if left.count == 0 {
                return TimeBackground::default();
            }
            let count = f64::from(left.count);
            let mean = left.sum as f64 / count;
            // Of one worker nothing is known about the spread between workers.
            let variance = if left.count < 2 {
                0.0
            } else {
                ((left.square as f64 - mean * left.sum as f64) / (count - 1.0)).max(0.0)
            };
            TimeBackground { count, mean: MEAN_ORIGIN + mean * MEAN_STEP, variance: variance * MEAN_STEP * MEAN_STEP }
        };
        Some(PhraseBackground { worker_count, times: self.sums.iter().enumerate().map(time).collect() })
    }
}

/// How others type one phrase.
#[derive(Debug, Clone, PartialEq)]
pub struct PhraseBackground {
    /// Other workers behind it, at least 1.
    pub worker_count: u32,
    /// By time: all dwells, then all press intervals.
    pub(super) times: Vec<TimeBackground>,
}

/// How others type one time of a phrase.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct TimeBackground {
    /// Workers seen to have it.
    count: f64,
    /// Mean of their means, ln(time + shift).
    mean: f64,
    /// Variance between their means.
    variance: f64,
}

impl TimeBackground {
    /// Draws the mean and variance at which a stranger is expected without any sample of the phrase towards those of
    /// this phrase. `within_variance` is one person's, from login to login.
    pub(super) fn sharpen(&self, mean: f64, variance: f64, within_variance: f64) -> (f64, f64) {
        let mean_share = self.count / (self.count + TRUST_COUNT);
        // A variance takes twice the people to be known as well as a mean.
        let variance_share = if self.count < 2.0 { 0.0 } else { self.count / (self.count + 2.0 * TRUST_COUNT) };
        (
            mean_share * self.mean + (1.0 - mean_share) * mean,
            variance_share * (self.variance + within_variance) + (1.0 - variance_share) * variance,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(mean: f64) -> i16 {
        ((mean - MEAN_ORIGIN) / MEAN_STEP).round() as i16
    }

    fn pool(workers: &[Vec<i16>]) -> PhrasePool {
        let mut pool = PhrasePool::default();
        workers.iter().for_each(|means| pool.add(means));
        pool
    }

    #[test]
    fn the_background_is_the_mean_and_variance_of_the_others() -> Result<(), String> {
        let others: Vec<Vec<i16>> = [11.0, 11.2, 11.4, 11.6].map(|mean| vec![stored(mean), NEVER_SEEN]).to_vec();
        let mut pool = pool(&others);
        let own = vec![stored(12.0), stored(12.0)];
        pool.add(&own);
        let background = pool.background(Some(&own)).ok_or("nobody else")?;
        assert_eq!(background.worker_count, 4);
        let time = background.times[0];
        // Squares of -.3, -.1, .1, .3 are .2 in all, by 3 degrees of freedom .0667.
        assert!((time.mean - 11.3).abs() < 1e-3 && (time.variance - 0.0667).abs() < 1e-3, "{time:?}");
        assert_eq!(background.times[1], TimeBackground::default());
        let (mean, _) = time.sharpen(11.0, 0.1, 0.02);
        assert!((mean - (4.0 / 9.0 * 11.3 + 5.0 / 9.0 * 11.0)).abs() < 1e-3);
        Ok(())
    }

    #[test]
    fn a_worker_taken_out_leaves_no_trace() {
        let (first, second) = (vec![10, -20, NEVER_SEEN], vec![7, NEVER_SEEN, 3]);
        let mut both = pool(&[first.clone(), second.clone()]);
        both.remove(&first);
        assert_eq!(both, pool(&[second]));
    }

    #[test]
    fn alone_there_is_no_background() {
        let own = vec![10, 20, 30];
        assert_eq!(pool(std::slice::from_ref(&own)).background(Some(&own)), None);
        assert!(pool(&[own]).background(None).is_some());
    }

    #[test]
    fn another_number_of_times_is_left_out() {
        let mut pool = pool(&[vec![1, 2, 3]]);
        pool.add(&[1, 2]);
        assert_eq!(pool.worker_count(), 1);
        pool.remove(&[1, 2]);
        assert_eq!(pool.worker_count(), 1);
    }

    #[test]
    fn of_one_other_worker_the_spread_stays_the_priors() {
        let time = TimeBackground { count: 1.0, mean: 11.0, variance: 0.0 };
        let (mean, variance) = time.sharpen(12.0, 0.2, 0.02);
        assert_eq!(variance, 0.2);
        assert!((mean - (11.0 / 6.0 + 12.0 * 5.0 / 6.0)).abs() < 1e-12);
    }
}
