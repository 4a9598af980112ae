//! A tenant's own people as the population of tables: a refit from stored profiles alone.
//!
//! No sample is needed and no profile changes: profiles stay in the coordinates they were learned in, and the refit says
//! where this tenant's people stand in them and how far they differ. Both are drawn towards everybody's by prior counts,
//! so that a small tenant changes next to nothing.
//!
//! Worked example. Forty workers' means of one coordinate average .9, and their variance, the profiles' own taken out,
//! is 2.0 where the model has 5.0. Drawn by 20 workers' worth of prior the mean is .9 * 40 / 60 = .6, by 40 the
//! variance is (2.0 * 40 + 5.0 * 40) / 80 = 3.5.

use elsewhere::evidence::typing::table::{TableParameters, TablePopulation, TableProfile};

/// Workers' worth of everybody's mean, and of everybody's variance, which takes twice the people to know as well.
const MEAN_PRIOR: f64 = 20.0;
const VARIANCE_PRIOR: f64 = 40.0;
/// Fewest workers to refit on: under them the priors are nearly all there is, and so is chance in saying if it helped.
pub const WORKERS_MIN: usize = 20;
/// Parts that take turns in being held back.
const FOLDS: usize = 5;
/// Least variance between people of a coordinate, in variances of one person.
const BETWEEN_VARIANCE_MIN: f64 = 0.05;

/// A refit and what held-back workers say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refit {
    /// The parameters, moved. Stored profiles stay valid under them.
    pub parameters: TableParameters,
    /// Workers whose profiles spoke.
    pub worker_count: usize,
    /// Mean gain in log density of held-back workers' profiles, nats per worker: positive = it helped.
    pub gain: f64,
    /// Standard error of the gain over workers.
    pub gain_error: f64,
}

impl Refit {
    /// Whether the refit helped beyond chance: the gain is over two standard errors.
    pub fn helped(&self) -> bool {
        self.gain > 2.0 * self.gain_error
    }
}

/// Moves the population of `parameters` to the workers of `profiles`, and measures on workers held back by fifths
/// whether their profiles are the likelier for it. Profiles of other parameters are left out.
///
/// # Errors
/// Fewer than [`WORKERS_MIN`] profiles that can be read.
pub fn refit(parameters: &TableParameters, profiles: &[TableProfile]) -> Result<Refit, String> {
    let speaking: Vec<&TableProfile> = profiles.iter().filter(|profile| profile.speaks(parameters)).collect();
    if speaking.len() < WORKERS_MIN {
        return Err(format!(
            "{} workers have cadence tables of this model; a refit needs {WORKERS_MIN}",
            speaking.len()
        ));
    }
    let mut gains = Vec::new();
    for fold in 0..FOLDS {
        let of_fold = |inside: bool| {
            let chosen = speaking.iter().enumerate().filter(move |(index, _)| (index % FOLDS == fold) == inside);
            chosen.map(|(_, profile)| *profile).collect::<Vec<_>>()
        };
        let moved = adapted(parameters, &of_fold(false));
        gains.extend(of_fold(true).iter().map(|held| log_density(held, &moved) - log_density(held, parameters)));
    }
    let count = gains.len() as f64;
    let gain = gains.iter().sum::<f64>() / count;
    let variance = gains.iter().map(|one| (one - gain).powi(2)).sum::<f64>() / (count - 1.0);
    let gain_error = (variance / count).sqrt();
    Ok(Refit { parameters: adapted(parameters, &speaking), worker_count: speaking.len(), gain, gain_error })
}

/// Parameters with the population of these workers.
fn adapted(parameters: &TableParameters, profiles: &[&TableProfile]) -> TableParameters {
    let mut moved = parameters.clone();
    let count = profiles.len() as f64;
    let mut population = TablePopulation::default();
    for index in 0..parameters.between_variance.len() {
        let means: Vec<(f64, f64)> =
            profiles.iter().filter_map(|one| Some((one.means().nth(index)?, one.mean_variance()))).collect();
        let mean = means.iter().map(|one| one.0).sum::<f64>() / count;
        let square = means.iter().map(|one| (one.0 - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
        let own = means.iter().map(|one| one.1).sum::<f64>() / count;
        let before = parameters.population.coordinate(index);
        population.coordinates.push((mean * count + before * MEAN_PRIOR) / (count + MEAN_PRIOR));
        let between = (square - own).max(BETWEEN_VARIANCE_MIN);
        let prior = parameters.between_variance[index];
        moved.between_variance[index] = (between * count + prior * VARIANCE_PRIOR) / (count + VARIANCE_PRIOR);
    }
    for slot in 0..parameters.slots.len() {
        let heard: Vec<f64> = profiles.iter().filter_map(|one| one.slot(slot)).map(|(mean, _)| mean).collect();
        let before = parameters.population.remainder(slot);
        let sum: f64 = heard.iter().sum();
        population.remainders.push((sum + before * MEAN_PRIOR) / (heard.len() as f64 + MEAN_PRIOR));
    }
    moved.population = population;
    moved
}

/// Log density of a worker's stored means among the population, nats.
fn log_density(profile: &TableProfile, parameters: &TableParameters) -> f64 {
    let normal = |deviation: f64, variance: f64| {
        -0.5 * ((2.0 * std::f64::consts::PI * variance).ln() + deviation * deviation / variance)
    };
    let coordinates: f64 = profile
        .means()
        .zip(&parameters.between_variance)
        .enumerate()
        .map(|(index, (mean, between))| {
            normal(mean - parameters.population.coordinate(index), between + profile.mean_variance())
        })
        .sum();
    let remainders: f64 = (0..parameters.slots.len())
        .filter_map(|slot| {
            let (mean, variance) = profile.slot(slot)?;
            let person = parameters.slot_cell(slot).person_variance;
            Some(normal(mean - parameters.population.remainder(slot), person + variance))
        })
        .sum();
    coordinates + remainders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::keystroke::KeystrokeSet;
    use crate::fit::typing::table::{TablePerson, fit_model};
    use elsewhere::evidence::typing::table::{TableObservation, TableRow};

    /// Chance enough for a test: a fixed sequence in (-1, 1).
    fn noise(seed: u64) -> f64 {
        let mixed = (seed ^ (seed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// A person's table: everybody's mean, moved by `offset`, by the person and by the day.
    fn table(person: u64, day: u64, offset: f64) -> TableObservation {
        let hand = 0.25 * noise(person * 7919 + 1);
        let row = |cell: u16| {
            let own = 0.08 * noise(person * 104_729 + u64::from(cell));
            let today = 0.05 * noise(person * 611_953 + day * 7919 + u64::from(cell));
            let log_time = 11.6 + offset * (1.0 + 0.5 * f64::from(cell % 3)) + hand + own + today;
            TableRow { cell, log_time, count: 16.0, clock_variance: 0.0, own_variance: Some(0.03) }
        };
        TableObservation { press_count: 250, rows: (0..24).map(row).collect() }
    }

    fn parameters() -> TableParameters {
        let people: Vec<TablePerson> = (0..40)
            .map(|person| TablePerson {
                set: KeystrokeSet::Bbmas,
                subject: person.to_string(),
                sessions: vec![(0..4).map(|day| table(person, day, 0.0)).collect()],
                one_sitting: true,
            })
            .collect();
        fit_model(&people.iter().collect::<Vec<_>>())
    }

    fn profiles(parameters: &TableParameters, count: u64, offset: f64) -> Vec<TableProfile> {
        let learned = |person| {
            let mut profile = TableProfile::default();
            (0..3).for_each(|day| profile.learn(&table(person, u64::from(day), offset), parameters, day));
            profile
        };
        (1000..1000 + count).map(learned).collect()
    }

    #[test]
    fn people_unlike_the_fitted_ones_are_the_likelier_for_a_refit() -> Result<(), String> {
        let parameters = parameters();
        let refitted = refit(&parameters, &profiles(&parameters, 60, 0.2))?;
        assert!(refitted.helped(), "{} +- {}", refitted.gain, refitted.gain_error);
        assert_eq!(refitted.worker_count, 60);
        assert_eq!(refitted.parameters.basis, parameters.basis);
        assert!(profiles(&parameters, 1, 0.2)[0].speaks(&refitted.parameters));
        Ok(())
    }

    #[test]
    fn people_like_the_fitted_ones_gain_next_to_nothing() -> Result<(), String> {
        let parameters = parameters();
        let like = refit(&parameters, &profiles(&parameters, 60, 0.0))?;
        let unlike = refit(&parameters, &profiles(&parameters, 60, 0.2))?;
        assert!(like.gain < 0.3 * unlike.gain, "{} {}", like.gain, unlike.gain);
        Ok(())
    }

    #[test]
    fn strangers_of_a_tenant_are_told_apart_better_after_a_refit() -> Result<(), String> {
        // Everybody here is slow: by everybody's mean two of them look like one.
        let parameters = parameters();
        let workers = profiles(&parameters, 80, 0.2);
        let refitted = refit(&parameters, &workers[..60])?.parameters;
        let mean = |parameters: &TableParameters| {
            let pairs = workers[60..].windows(2).filter_map(|two| parameters.same_typist(&two[0], &two[1]));
            pairs.sum::<f64>()
        };
        assert!(mean(&refitted) < mean(&parameters), "{} {}", mean(&refitted), mean(&parameters));
        Ok(())
    }

    #[test]
    fn too_few_workers_are_refused_by_number() {
        let parameters = parameters();
        let refused = refit(&parameters, &profiles(&parameters, 5, 0.0));
        assert!(refused.is_err_and(|error| error.starts_with("5 workers")));
    }
}
