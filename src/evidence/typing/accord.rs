//! How the times of one login go together: who is slow today is slow at every position.
//!
//! Deviations of the times of one kind (all dwells, or all press intervals) share a part that the login has as a
//! whole. Of a worker's own logins it is small; of strangers it is large, since people differ in tempo and in how long
//! they hold keys. Twenty times off by the same are therefore little more evidence of a stranger than one.
//!
//! With deviations *d*, variances *v* and a clock's own variance *c*, a time is *sqrt(share v) f + e*, *f* standard
//! normal and shared by the login, *e* of variance *(1 - share) v + c*. *f* is put at its most probable value; what it
//! leaves is compared by Student-t densities. Factor analysis with one factor a kind (Spearman 1904), integrated by
//! Laplace's approximation.
//!
//! Worked example. Four deviations of .2 at a variance of .04 and a share of .5: each is 1 spread off. By itself each
//! time is pulled by sqrt(.02) * .2 / .02 = 1.414, and *f* = 4 * 1.414 / (1 + 4) = 1.131: all but .04 of the .2 is the
//! login's as a whole.

use super::lineup::PHRASE_PRESSES_MAX as TIMES_MAX;
use serde::{Deserialize, Serialize};

/// Shares of variance that the times of one kind and login have in common, \[0, 1).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Accord {
    /// Among a worker's own logins.
    pub worker: f64,
    /// Among strangers, around what is expected of them.
    pub stranger: f64,
}

/// [`Accord`] of both kinds of time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Accords {
    /// Of dwells.
    pub dwell: Accord,
    /// Of press intervals.
    pub press_interval: Accord,
}

impl Accords {
    /// Says what is wrong with fitted shares, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        let shares = [self.dwell.worker, self.dwell.stranger, self.press_interval.worker, self.press_interval.stranger];
        if shares.iter().all(|share| (0.0..=SHARE_MAX).contains(share)) {
            Ok(())
        } else {
            Err(format!("typing.phrase.accords are out of [0, {SHARE_MAX}]"))
        }
    }
}

/// Largest share believed: above it a login of many times would say less than one of few.
pub const SHARE_MAX: f64 = 0.9;
/// Deviation, in spreads, beyond which a time pulls no more at what is common: one slip must not look like a tempo.
const PULL_CLIP: f64 = 3.0;

/// One time against what was expected of it, in ln(time + shift).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Deviation {
    /// Seen less expected.
    pub deviation: f64,
    /// Variance of the person.
    pub variance: f64,
    /// Variance that the clock adds, each time for itself.
    pub clock: f64,
}

impl Deviation {
    /// Variance in all.
    pub(super) fn total(&self) -> f64 {
        self.variance + self.clock
    }

    /// The deviation in spreads, pulled in as it is where what is common is looked for.
    pub fn standardized(&self) -> f64 {
        (self.deviation / self.total().sqrt()).clamp(-PULL_CLIP, PULL_CLIP)
    }
}

/// ln of the density of deviations of one kind and login, the Student-t's constants left out.
pub(super) fn log_density(times: &[Deviation], share: f64, freedom: f64) -> f64 {
    debug_assert!(times.len() <= TIMES_MAX, "{} times of one kind", times.len());
    let (mut pull, mut weight) = (0.0, 1.0);
    // What each time shares with its login, as a spread: needed again once what is common is known.
    let mut shared = [0.0; TIMES_MAX];
    if share > 0.0 {
        for (time, shared) in times.iter().zip(&mut shared) {
            let rest = (1.0 - share) * time.variance + time.clock;
            let limit = PULL_CLIP * PULL_CLIP * time.total();
            let square = time.deviation * time.deviation;
            let clipped = if square > limit { time.deviation.signum() * limit.sqrt() } else { time.deviation };
            *shared = (share * time.variance).sqrt();
            pull += *shared * clipped / rest;
            weight += share * time.variance / rest;
        }
    }
    let common = pull / weight;
    let mut log_density = -0.5 * (common * common + weight.ln());
    // Sums of logarithms are taken as logarithms of products: a login may have 95 times, and 8 us. Times are limited to
    // 10 s and variances to 1e-4 and more, so no product of eight overflows.
    for (times, shared) in times.chunks(8).zip(shared.chunks(8)) {
        let (mut width, mut tail) = (1.0, 1.0);
        for (time, shared) in times.iter().zip(shared) {
            let rest = (1.0 - share) * time.variance + time.clock;
            let left = time.deviation - *shared * common;
            width *= rest;
            tail *= 1.0 + left * left / (freedom * rest);
        }
        log_density -= 0.5 * width.ln() + (freedom + 1.0) / 2.0 * tail.ln();
    }
    log_density
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(deviations: &[f64]) -> Vec<Deviation> {
        deviations.iter().map(|deviation| Deviation { deviation: *deviation, variance: 0.04, clock: 0.0 }).collect()
    }

    #[test]
    fn without_a_share_each_time_counts_for_itself() {
        // ln sqrt(.04) = -1.609; at 1 spread and 4 degrees 2.5 ln 1.25 = .5579, at none 0.
        let found = log_density(&times(&[0.2, 0.0]), 0.0, 4.0);
        assert!((found - (2.0 * 1.609_438 - 0.557_859)).abs() < 1e-5, "{found}");
    }

    #[test]
    fn a_common_shift_costs_less_than_shifts_either_way() {
        let density = |deviations: &[f64], share| log_density(&times(deviations), share, 8.0);
        let (together, apart) = ([0.3; 6], [0.3, -0.3, 0.3, -0.3, 0.3, -0.3]);
        assert!((density(&together, 0.0) - density(&apart, 0.0)).abs() < 1e-12);
        assert!(density(&together, 0.4) > density(&apart, 0.4) + 2.0);
    }

    #[test]
    fn what_is_common_is_found_as_worked_out_by_hand() {
        // f = 1.1314, .04 left of each: -.5 (1.28 + ln 5) + 4 (-.5 ln .02 - 4.5 ln(1 + .0016 / .16)).
        let left: f64 = 0.2 - 0.02f64.sqrt() * 4.0 * 2f64.sqrt() / 5.0;
        let expected = -0.5 * (1.28 + 5f64.ln()) + 4.0 * (-0.5 * 0.02f64.ln() - 4.5 * (1.0 + left * left / 0.16).ln());
        assert!((left - 0.04).abs() < 1e-12);
        assert!((log_density(&times(&[0.2; 4]), 0.5, 8.0) - expected).abs() < 1e-9);
    }

    #[test]
    fn a_clocks_noise_is_nobodys_tempo() {
        let coarse: Vec<Deviation> =
            [0.3; 6].iter().map(|deviation| Deviation { deviation: *deviation, variance: 1e-4, clock: 0.09 }).collect();
        assert!((log_density(&coarse, 0.5, 8.0) - log_density(&coarse, 0.0, 8.0)).abs() < 0.1);
    }

    #[test]
    fn shares_outside_the_range_are_refused() {
        assert!(Accords::default().check().is_ok());
        for share in [-0.1, 0.95, f64::NAN] {
            let accord = Accord { worker: share, stranger: 0.0 };
            assert!(Accords { dwell: accord, press_interval: Accord::default() }.check().is_err());
        }
    }
}
