//! Fits the limits of machine-made typing.

use super::samples;
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet};
use elsewhere::evidence::typing::observe::observe;
use elsewhere::evidence::typing::synthetic::SyntheticParameters;
use std::path::Path;

/// Presses of the stretches on which marks of a machine are counted.
pub(crate) const MACHINE_PRESSES: [usize; 4] = [8, 11, 30, 100];

/// Marks of a machine in every stretch of a set, cut to `presses`: bursts, even intervals, even dwells, short dwells.
pub(crate) fn machine_rates(data: &Path, set: KeystrokeSet, presses: usize) -> Result<Vec<[f64; 4]>, String> {
    let mut rates = Vec::new();
    for typist in corpus::read(data, set)? {
        for stretch in &typist.stretches {
            let mut from = 0;
            while from + presses.min(8) <= stretch.press_interval_micros.len() {
                let part = convert::cut(stretch, from, presses);
                from += presses;
                let mut event = convert::bare_event("w", "e".into(), 0);
                event.typing = Some(convert::typing_of(&part, set, "phrase"));
                if let Some(machine) = observe(&samples(event)?).machine {
                    rates.push([
                        machine.burst_rate,
                        machine.even_interval_rate,
                        machine.even_dwell_rate,
                        machine.short_dwell_rate,
                    ]);
                }
            }
        }
    }
    Ok(rates)
}

/// Shares of marks above which no stretch of a person in the train sets lies: bursts, even intervals, even dwells,
/// short dwells. Raised by the fit should the data ask for it.
const MACHINE_RATE_LIMITS: [f64; 4] = [0.45, 0.6, 0.85, 0.45];
/// Room left above the most machine-like person.
const MACHINE_RATE_ROOM: f64 = 0.1;

/// Fits the machine-made part.
pub(crate) fn fit_synthetic(data: &Path, seed: u64) -> Result<SyntheticParameters, String> {
    let mut rate_limits = MACHINE_RATE_LIMITS;
    let mut people = 0;
    for set in [KeystrokeSet::Meu, KeystrokeSet::Keypad, KeystrokeSet::VillaniFixed, KeystrokeSet::Bbmas] {
        people += corpus::read(data, set)?.len();
        for presses in MACHINE_PRESSES {
            for rates in machine_rates(data, set, presses)? {
                for (limit, rate) in rate_limits.iter_mut().zip(rates) {
                    *limit = limit.max((rate + MACHINE_RATE_ROOM).min(0.95));
                }
            }
        }
    }
    // Nobody of n people bears a mark: with 95 % confidence fewer than 3 in n do.
    let likeness = Some(super::likeness::fit_likeness(data, seed)?);
    Ok(SyntheticParameters { rate_limits, log_odds: (people as f64 / 3.0).ln(), likeness })
}
