//! Hands that change: patient takeovers, and workers who must be known again after an injury or a new keyboard.

use super::phrase::CMU;
use super::{NewScorer, Say, figure, pooled, run, sides};
use crate::convert::keystroke::{self as convert, HandChange};
use crate::corpus::keystroke::{KeystrokeSet, Typist};
use crate::request::Figure;
use elsewhere::evidence::feature::Finding;

/// Logins over which a worker's typing is turned into a stranger's, and strangers that each worker is turned into.
const BLEND_LOGINS: usize = 100;
const BLEND_STRANGERS: usize = 3;

/// What is done to a hand, how the figure is named, and what it stands for.
const CHANGES: [(&str, &str, HandChange); 5] = [
    ("slower_15", "everything takes 15 % longer", HandChange { dwell_percent: 115, interval_percent: 115, uneven: 0 }),
    ("slower_40", "everything takes 40 % longer", HandChange { dwell_percent: 140, interval_percent: 140, uneven: 0 }),
    ("dwell", "keys are held 40 % longer", HandChange { dwell_percent: 140, interval_percent: 100, uneven: 0 }),
    (
        "one_hand",
        "every second press comes twice as late, as when one hand does the work of two",
        HandChange { dwell_percent: 100, interval_percent: 110, uneven: 100 },
    ),
    (
        "keyboard",
        "keys are held for a quarter less and every second press comes a fifth later, as on another keyboard",
        HandChange { dwell_percent: 75, interval_percent: 100, uneven: 20 },
    ),
];

/// Every figure of changing hands. `threshold` is that of 5 % FMR of the main protocol.
pub(super) fn evaluate(
    figures: &mut Vec<Figure>,
    cmu: &[Typist],
    new_scorer: &mut NewScorer<'_>,
    threshold: f64,
    seed: u64,
) -> Result<(), String> {
    for (blended, name, description) in [
        (true, "typing.cmu_blend", "every time moves from the worker's to a stranger's by 1 % a login"),
        (false, "typing.cmu_mixture", "a stranger's login comes ever more often instead of the worker's"),
    ] {
        let requests = convert::turned_requests(cmu, KeystrokeSet::Cmu, BLEND_STRANGERS, BLEND_LOGINS, blended);
        let people = sides(&run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?, 1);
        let description = format!(
            "after 60 logins {description} over {BLEND_LOGINS} logins, if trusted; of the 20 logins of the stranger alone \
             that follow, those over the 5 % FMR threshold"
        );
        let name = format!("{name}.refused_rate");
        let say = Say { name: &name, description: &description, higher_is_better: true, ..CMU };
        figures.extend(figure(&say, &people, seed, |chosen| {
            let (_, taken) = pooled(&people, chosen);
            Some(taken.iter().filter(|score| **score >= threshold).count() as f64 / taken.len() as f64)
        }));
    }
    for (name, what, change) in CHANGES {
        let requests = convert::recovery_requests(cmu, KeystrokeSet::Cmu, change);
        let people = sides(&run(new_scorer().as_mut(), requests, Finding::TypingPhrase)?, 1);
        let name = format!("typing.cmu_recovery_{name}.accepted_rate");
        let description = format!(
            "after 60 logins {what}; ten logins learned always after a confirmed check, then if trusted: of the 20 that \
             follow, those under the 5 % FMR threshold"
        );
        let say = Say { name: &name, description: &description, higher_is_better: true, ..CMU };
        figures.extend(figure(&say, &people, seed, |chosen| {
            let (mated, _) = pooled(&people, chosen);
            Some(mated.iter().filter(|score| **score < threshold).count() as f64 / mated.len() as f64)
        }));
    }
    Ok(())
}
