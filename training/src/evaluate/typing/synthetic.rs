//! Figures of machine-made typing.

use super::{NewScorer, Say, Sides, figure, pooled};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet};
use crate::request::{Figure, Update};
use elsewhere::evidence::feature::Finding;
use std::path::Path;

/// Share of people's stretches taken for machine-made.
pub(super) fn evaluate(
    figures: &mut Vec<Figure>,
    data: &Path,
    new_scorer: &mut NewScorer<'_>,
    seed: u64,
) -> Result<(), String> {
    for (set, name) in [
        (KeystrokeSet::Cmu, "cmu"),
        (KeystrokeSet::Aalto, "aalto"),
        (KeystrokeSet::VillaniFree, "villani_free"),
        (KeystrokeSet::VillaniFixed, "villani_fixed"),
        (KeystrokeSet::Keypad, "keypad"),
        (KeystrokeSet::Bbmas, "bbmas"),
        (KeystrokeSet::Meu, "meu"),
    ] {
        let mut scorer = new_scorer();
        let mut people = Vec::new();
        for typist in corpus::read(data, set)? {
            let mut fired = Sides::default();
            for (index, stretch) in typist.stretches.iter().enumerate() {
                let mut event = convert::bare_event(&typist.subject, format!("{}-{index}", typist.subject), index);
                event.typing = Some(convert::typing_of(stretch, set, ""));
                let scored = scorer.score(event, Update::Never)?;
                fired.mated.push(scored.finding(Finding::TypingSynthetic).unwrap_or(0.0));
            }
            people.push(fired);
        }
        let name = format!("typing.synthetic_{name}.false_positive_rate");
        let say = Say {
            name: &name,
            description: "stretches of people with any evidence of machine-made typing",
            unit: "stretches",
            floor: Some(0.001),
            higher_is_better: false,
            licence: if set.trainable() { "train" } else { "measure" },
        };
        figures.extend(figure(&say, &people, seed, |chosen| {
            let (scores, _) = pooled(&people, chosen);
            Some(scores.iter().filter(|score| **score > 0.0).count() as f64 / scores.len().max(1) as f64)
        }));
    }
    Ok(())
}
