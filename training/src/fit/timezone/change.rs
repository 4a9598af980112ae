//! Calibration of changed hours: authors as they went on, and authors whom somebody from another zone followed.

use crate::corpus::rhythm::Author;
use elsewhere::evidence::timezone::Parameters;
use elsewhere::evidence::timezone::change::{self as serving, ChangeParameters};
use elsewhere::evidence::timezone::clock::circular_difference_minutes;
use linfa::prelude::*;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Starts of an author's own before the question is asked, and latest ones it is asked of.
const PASTS: [usize; 2] = [25, 50];
/// See [`PASTS`].
pub const LATEST: usize = 14;
/// Least hours between the zones of an author and of whoever follows.
const APART_MINUTES: i32 = 180;
const WEEK_SECONDS: i64 = 7 * 86_400;

/// Starts of `past`, then those of `next` moved by whole weeks so that they follow.
pub fn followed(past: &[(i64, i32)], next: &[(i64, i32)]) -> Vec<(i64, i32)> {
    let (Some(last), Some(first)) = (past.last(), next.first()) else { return past.to_vec() };
    let weeks = (last.0 - first.0).div_euclid(WEEK_SECONDS) + 1;
    past.iter().copied().chain(next.iter().map(|(at, offset)| (at + weeks * WEEK_SECONDS, *offset))).collect()
}

/// What the latest starts say, before calibration.
pub fn heard(starts: &[(i64, i32)], parameters: &Parameters) -> Option<serving::Changed> {
    let profile = super::calendar::profile_after(starts, parameters);
    serving::changed(&profile, None, &parameters.change)
}

/// Whoever may follow an author: of at least `count` starts, from a zone three hours away and more.
pub fn follower<'a>(
    author: &Author,
    authors: &[&'a Author],
    count: usize,
    random: &mut Xoshiro256PlusPlus,
) -> Option<&'a Author> {
    let own = author.median_offset_minutes();
    (0..200).map(|_| authors[random.gen_range(0..authors.len())]).find(|other| {
        circular_difference_minutes(other.median_offset_minutes(), own).abs() >= APART_MINUTES
            && other.session_starts().len() >= count
    })
}

/// Fits the calibration; shares by judgement.
///
/// # Errors
/// When linfa cannot fit.
pub fn fit(authors: &[&Author], parameters: &Parameters, seed: u64) -> Result<ChangeParameters, String> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x6d6f_7665);
    let (mut ratios, mut moved) = (Vec::new(), Vec::new());
    for author in authors {
        let starts = author.session_starts();
        for past in PASTS.into_iter().filter(|past| past + LATEST <= starts.len()) {
            let honest = heard(&starts[..past + LATEST], parameters);
            let other = follower(author, authors, LATEST, &mut random);
            let taken = other
                .and_then(|other| heard(&followed(&starts[..past], &other.session_starts()[..LATEST]), parameters));
            for (changed, is) in [(honest, false), (taken, true)] {
                if let Some(changed) = changed {
                    ratios.push(changed.bare);
                    moved.push(is);
                }
            }
        }
    }
    if ratios.len() < 40 {
        return Err("too few authors to calibrate changes of hours on".into());
    }
    let records = Array2::from_shape_vec((ratios.len(), 1), ratios).map_err(|error| error.to_string())?;
    let data = Dataset::new(records, Array1::from(moved));
    let fitted = LogisticRegression::default().alpha(1e-6).max_iterations(200).fit(&data).map_err(|e| e.to_string())?;
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let rounded = |value: f64| (value * 1e4).round() / 1e4;
    Ok(ChangeParameters {
        score_slope: rounded((sign * fitted.params()[0]).clamp(0.05, 2.0)),
        score_offset: rounded((sign * fitted.intercept()).clamp(-2.0, 2.0)),
        ..ChangeParameters::default()
    })
}
