//! What a login of a phrase may teach.
//!
//! A login that only one in 200 logins of strangers equals teaches fully; one that one in 20 equals teaches a tenth; so
//! that in all a stranger's login weighs 1 % of a worker's own. Two doubtful logins in a row that one in 100 pairs of
//! a stranger equals teach fully too. Without the middle way honest people whose hand has changed are locked out of
//! their own profile: a hard gate at 1 % did that to 7 people of 26.
//!
//! Where the shares lie in nats depends on how well strangers can be told apart: better where others type the same
//! phrase, worse on a coarse clock. So gates are fitted for both, and for several clocks; with them the calibration of
//! the ratio itself, which is worth less where a step of the clock is as long as a dwell.
//!
//! Worked example. On a clock of 16 ms, with 5 others, the gate is half way between that of a phrase nobody else
//! types (full up to -1.5 nats) and that of one which very many do (-2.9): full up to -2.2.

use super::background::background_share;
use serde::{Deserialize, Serialize};

/// Log-likelihood ratios, nats, up to which a login teaches a settled profile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Fully. .5 % of strangers' logins lie below.
    pub full: f64,
    /// By [`PARTIAL_WEIGHT`]. 5 % of strangers' logins lie below.
    pub partial: f64,
    /// Fully, where the mean of this login and the doubtful one before it lies below: 1 % of strangers' pairs do.
    pub pair: f64,
}

/// Weight of a login that teaches partially. With the shares of [`Gate`] a stranger's login teaches
/// .5 % + .1 * 4.5 % = 1 % of what a worker's own does.
pub const PARTIAL_WEIGHT: f64 = 0.1;

/// Logins learned with reserve before a gate holds: before, a profile's mean is too uncertain to refuse anybody by.
pub const YOUNG_COUNT: u16 = 10;

fn young_count_default() -> u16 {
    YOUNG_COUNT
}

/// What is fitted for one clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClockParameters {
    /// Granularity of the clock, microseconds.
    pub timer_resolution_micros: u32,
    /// Logins learned with reserve before the gate holds. On a coarse clock a mean takes more logins to be known, and a
    /// gate that holds too early locks honest people out for good.
    #[serde(default = "young_count_default")]
    pub young_count: u16,
    /// Weights of the inputs of a score in the calibrated log-likelihood ratio where nobody else types the phrase; the
    /// last is the intercept. Empty in models that know one calibration for all clocks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<f64>,
    /// The same where very many do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_calibration: Vec<f64>,
    /// Where nobody else types the phrase.
    pub alone: Gate,
    /// Where very many do; in between the two are mixed by [`background_share`].
    pub shared: Gate,
}

/// How much a login may teach the profile of its phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lesson {
    /// As a worker's own, vouched for by somebody: from now on the hand is this one.
    Confirmed,
    /// As a worker's own.
    Full,
    /// By [`PARTIAL_WEIGHT`].
    Partial,
    /// Not at all.
    Nothing,
}

impl Gate {
    /// `share` of the way to another gate.
    fn towards(&self, other: &Gate, share: f64) -> Gate {
        let mix = |own: f64, other: f64| (1.0 - share) * own + share * other;
        Gate {
            full: mix(self.full, other.full),
            partial: mix(self.partial, other.partial),
            pair: mix(self.pair, other.pair),
        }
    }

    /// The gate for a clock and a number of other workers who type the phrase: between fitted clocks by the logarithm
    /// of the granularity, beyond them as at the nearest. Refuses all when no clock was fitted.
    pub fn at(clocks: &[ClockParameters], timer_resolution_micros: u32, background_count: u32) -> Gate {
        let share = background_share(background_count);
        let of = |clock: &ClockParameters| clock.alone.towards(&clock.shared, share);
        match between(clocks, timer_resolution_micros) {
            Some((finer, coarser, way)) => of(finer).towards(&of(coarser), way),
            None => Gate { full: f64::NEG_INFINITY, partial: f64::NEG_INFINITY, pair: f64::NEG_INFINITY },
        }
    }

    /// What a login of log-likelihood ratio `log_odds` may teach; `doubt` is that of the login before where it was
    /// not fully learned.
    pub fn lesson(&self, log_odds: f64, doubt: Option<f64>) -> Lesson {
        if log_odds <= self.full || doubt.is_some_and(|doubt| (log_odds + doubt) / 2.0 <= self.pair) {
            Lesson::Full
        } else if log_odds <= self.partial {
            Lesson::Partial
        } else {
            Lesson::Nothing
        }
    }
}

/// The fitted clocks on either side of one, and how far it lies from the finer to the coarser by the logarithm of the
/// granularity, \[0, 1\]; beyond the fitted ones both are the nearest. Absent when no clock was fitted.
pub(super) fn between(
    clocks: &[ClockParameters],
    timer_resolution_micros: u32,
) -> Option<(&ClockParameters, &ClockParameters, f64)> {
    let above = clocks.iter().position(|clock| clock.timer_resolution_micros >= timer_resolution_micros);
    match above {
        Some(0) => Some((&clocks[0], &clocks[0], 0.0)),
        Some(index) => {
            let (finer, coarser) = (&clocks[index - 1], &clocks[index]);
            let log = |clock: &ClockParameters| f64::from(clock.timer_resolution_micros).ln();
            let way = (f64::from(timer_resolution_micros).ln() - log(finer)) / (log(coarser) - log(finer));
            Some((finer, coarser, way))
        }
        None => clocks.last().map(|last| (last, last, 0.0)),
    }
}

/// Logins learned with reserve on a clock, between fitted clocks as [`Gate::at`].
pub(super) fn young_count(clocks: &[ClockParameters], timer_resolution_micros: u32) -> u16 {
    let mix = |(finer, coarser, way): (&ClockParameters, &ClockParameters, f64)| {
        let (finer, coarser) = (f64::from(finer.young_count), f64::from(coarser.young_count));
        ((1.0 - way) * finer + way * coarser).round() as u16
    };
    between(clocks, timer_resolution_micros).map_or(YOUNG_COUNT, mix)
}

/// Says what is wrong with fitted gates, if anything.
pub(super) fn check(clocks: &[ClockParameters]) -> Result<(), String> {
    let sound = |Gate { full, partial, pair }: &Gate| {
        [full, partial, pair].iter().all(|gate| gate.is_finite()) && full <= partial
    };
    let finer = |pair: &[ClockParameters]| pair[0].timer_resolution_micros < pair[1].timer_resolution_micros;
    let ordered = clocks.windows(2).all(finer) && clocks.first().is_some_and(|first| first.timer_resolution_micros > 0);
    if !ordered || !clocks.iter().all(|gates| sound(&gates.alone) && sound(&gates.shared)) {
        return Err("typing.phrase.clocks are missing, not finite or out of order".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(full: f64) -> Gate {
        Gate { full, partial: full + 1.0, pair: full + 0.5 }
    }

    fn clock(timer_resolution_micros: u32, full: f64) -> ClockParameters {
        ClockParameters {
            timer_resolution_micros,
            young_count: if timer_resolution_micros > 20_000 { 30 } else { YOUNG_COUNT },
            calibration: Vec::new(),
            shared_calibration: Vec::new(),
            alone: gate(full),
            shared: gate(full - 1.0),
        }
    }

    fn clocks() -> Vec<ClockParameters> {
        vec![clock(10_000, -1.5), clock(40_000, -0.5)]
    }

    #[test]
    fn the_gate_gives_full_partial_and_no_lessons() {
        let lesson = |log_odds| gate(-1.5).lesson(log_odds, None);
        assert_eq!([-1.6, -1.4, -0.4].map(lesson), [Lesson::Full, Lesson::Partial, Lesson::Nothing]);
    }

    #[test]
    fn two_doubtful_logins_in_a_row_teach_where_one_does_not() {
        assert_eq!(gate(-1.5).lesson(-1.2, None), Lesson::Partial);
        assert_eq!(gate(-1.5).lesson(-1.2, Some(-1.0)), Lesson::Full);
        assert_eq!(gate(-1.5).lesson(-1.2, Some(3.0)), Lesson::Partial);
    }

    #[test]
    fn gates_lie_between_those_of_clocks_and_of_company() {
        let full = |resolution, others| Gate::at(&clocks(), resolution, others).full;
        // 20 ms is half way from 10 to 40 by the logarithm; 5 others are half of very many.
        let expected = [(200, 0, -1.5), (20_000, 0, -1.0), (20_000, 5, -1.5), (100_000, 0, -0.5)];
        for (resolution, others, expected) in expected {
            assert!((full(resolution, others) - expected).abs() < 1e-9, "{resolution} {others}");
        }
        assert_eq!(Gate::at(&[], 1, 0).lesson(-9.0, None), Lesson::Nothing);
    }

    #[test]
    fn a_coarse_clock_takes_more_logins_before_the_gate_holds() {
        let expected = [(200, 10), (10_000, 10), (20_000, 20), (40_000, 30), (100_000, 30)];
        assert_eq!(expected.map(|(resolution, _)| young_count(&clocks(), resolution)), expected.map(|pair| pair.1));
        assert_eq!(young_count(&[], 1_000), YOUNG_COUNT);
    }

    #[test]
    fn gates_out_of_order_are_refused() {
        assert!(check(&clocks()).is_ok());
        let reversed: Vec<ClockParameters> = clocks().into_iter().rev().collect();
        assert!(check(&reversed).is_err() && check(&[]).is_err());
        let mut open = clocks();
        open[0].alone.full = f64::NAN;
        assert!(check(&open).is_err());
    }
}
