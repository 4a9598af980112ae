//! Figures of the remote-input family, taken through a scorer.
//!
//! Pointer forests saw simulation only: every captured protocol and recording is left out of them. Key figures refit
//! with the protocol left out. People behind challenges are simulated as SOURCES.md says; the delays are captured.

mod challenge;
mod keys;
pub mod plots;
mod pointer;
mod reach;
mod rig;

use super::NewScorer;
use crate::convert::captures as convert;
use crate::corpus::captures::{self, Capture};
use crate::corpus::keyboard;
use crate::corpus::motion::Move;
use crate::metrics;
use crate::request::{Figure, Scored, Update};
use challenge::challenge_figures;
use keys::key_figures;
use pointer::{pointer_figures, three_windows};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus as Random;
use reach::reach_figures;
use rig::rig_figures;
use std::collections::BTreeMap;
use std::path::Path;

/// Scores of both sides with the group each came from.
#[derive(Debug, Default, Clone)]
struct Sides {
    negative: Vec<(String, f64)>,
    positive: Vec<(String, f64)>,
}

impl Sides {
    fn values(side: &[(String, f64)]) -> Vec<f64> {
        side.iter().map(|entry| entry.1).collect()
    }

    fn statistic(&self, of: impl Fn(&[f64], &[f64]) -> Option<f64>) -> Option<f64> {
        of(&Self::values(&self.negative), &Self::values(&self.positive))
    }

    /// 95 % interval: groups of each side drawn anew.
    fn interval(&self, seed: u64, of: impl Fn(&[f64], &[f64]) -> Option<f64>) -> Option<(f64, f64)> {
        let group = |side: &[(String, f64)]| {
            let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
            for (name, value) in side {
                groups.entry(name.clone()).or_default().push(*value);
            }
            groups.into_values().collect::<Vec<_>>()
        };
        let (negative, positive) = (group(&self.negative), group(&self.positive));
        // One draw of indexes serves both sides; each index names a group of either.
        metrics::bootstrap(negative.len() + positive.len(), 300, seed, |chosen| {
            let (mut low, mut high) = (Vec::new(), Vec::new());
            for index in chosen {
                match negative.get(*index) {
                    Some(values) => low.extend_from_slice(values),
                    None => high.extend_from_slice(&positive[index - negative.len()]),
                }
            }
            of(&low, &high)
        })
    }

    fn sample(&self, unit: &str) -> String {
        let groups = |side: &[(String, f64)]| {
            side.iter().map(|entry| entry.0.as_str()).collect::<std::collections::BTreeSet<_>>().len()
        };
        format!(
            "{} local {unit} of {} groups, {} remote of {}",
            self.negative.len(),
            groups(&self.negative),
            self.positive.len(),
            groups(&self.positive)
        )
    }
}

/// How much a score loses by its scale alone, bits.
fn cllr_excess(negative: &[f64], positive: &[f64]) -> Option<f64> {
    metrics::cllr(negative, positive).zip(metrics::min_cllr(negative, positive)).map(|(is, least)| is - least)
}

fn tpr(rate: f64) -> impl Fn(&[f64], &[f64]) -> Option<f64> {
    move |negative, positive| metrics::tpr_at_fpr(negative, positive, rate)
}

fn of_family(scored: &Scored) -> f64 {
    scored.family(elsewhere::evidence::feature::Family::RemoteInput)
}

struct Card {
    figures: Vec<Figure>,
}

impl Card {
    #[expect(clippy::too_many_arguments, reason = "a figure has this many facts")]
    fn push(
        &mut self,
        name: &str,
        description: &str,
        value: Option<f64>,
        interval: Option<(f64, f64)>,
        sample: String,
        floor: Option<f64>,
        higher_is_better: bool,
        source: &str,
    ) {
        self.figures.extend(value.map(|value| Figure {
            name: format!("remote_input.{name}"),
            description: description.into(),
            value,
            interval,
            sample,
            floor,
            higher_is_better,
            source: source.into(),
            licence: "measure".into(),
        }));
    }
}

/// What is measured, in the order it is told of; each draws from a stream of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Pointer motion of the captures made earlier, and simulated.
    Pointer,
    /// Key timing of the same.
    Keys,
    /// A constant delay on all of it.
    ConstantDelay,
    /// Answers to prompts.
    Challenge,
    /// The project's own recordings.
    Rig,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 5] = [Part::Pointer, Part::Keys, Part::ConstantDelay, Part::Challenge, Part::Rig];
}

/// Every figure of the family.
pub fn evaluate(data: &Path, new_scorer: &mut NewScorer, seed: u64) -> Result<Vec<Figure>, String> {
    measure(data, new_scorer, seed, &Part::ALL)
}

/// The figures of some parts.
pub fn measure(data: &Path, new_scorer: &mut NewScorer, seed: u64, parts: &[Part]) -> Result<Vec<Figure>, String> {
    let captured = captures::captures(data)?;
    let recorded = captures::recordings()?;
    let mut card = Card { figures: Vec::new() };
    for part in parts {
        let mut random = Random::seed_from_u64(seed ^ 0x6576_616c ^ (*part as u64) << 32);
        match part {
            Part::Pointer => {
                pointer_figures(&captured, &recorded, new_scorer, &mut card, &mut random, seed)?;
                three_windows(new_scorer, &mut card, &mut random, seed)?;
            }
            Part::Keys => key_figures(data, &captured, new_scorer, &mut card, &mut random, seed)?,
            Part::ConstantDelay => constant_delay(&captured, new_scorer, &mut card)?,
            Part::Challenge => {
                challenge_figures(&captured, new_scorer, &mut card, &mut random, seed)?;
                reach_figures(&mut card, &mut random, seed);
            }
            Part::Rig => rig_figures(data, &captured, &recorded, new_scorer, &mut card, seed)?,
        }
    }
    Ok(card.figures)
}

fn constant_delay(recorded: &[Capture], new_scorer: &mut NewScorer, card: &mut Card) -> Result<(), String> {
    let mut scorer = new_scorer();
    let (mut most, mut count) = (0.0f64, 0);
    for capture in recorded {
        let moves = convert::moves(&capture.pointer);
        let late: Vec<Move> = moves.iter().map(|(time, x, y)| (time + 180.0, *x, *y)).collect();
        let keys: keyboard::Presses =
            capture.keys.iter().filter(|key| key.release > key.press).map(|key| (key.press, key.release)).collect();
        let late_keys: keyboard::Presses =
            keys.iter().map(|(press, release)| (press + 180.0, release + 180.0)).collect();
        let pairs = [
            (
                convert::pointer_event("delay-a", count, &moves, false),
                convert::pointer_event("delay-b", count, &late, false),
            ),
            (convert::typing_event("delay-c", count, &keys), convert::typing_event("delay-d", count, &late_keys)),
        ];
        for (now, later) in pairs {
            let (now, later) =
                (of_family(&scorer.score(now, Update::Never)?), of_family(&scorer.score(later, Update::Never)?));
            most = most.max((now - later).abs());
            count += 1;
        }
    }
    let text = "largest change of a passive score when every captured stamp is 180 ms later";
    card.push(
        "constant_delay.largest_change",
        text,
        Some(most),
        None,
        format!("{count} samples"),
        Some(0.0),
        false,
        "real",
    );
    Ok(())
}
