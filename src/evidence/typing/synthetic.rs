//! Machine-made typing: no hand varies so little, or so much at random. Judged by the sample alone.
//!
//! Four marks, each hardly ever seen of a hand: bursts of presses faster than any finger (a paste sent as keys),
//! intervals that all fall on one value (even-paced injection), dwells that all fall on one value, and keys that
//! come up within a few milliseconds of every press. What counts as one value is told by the clock: on a clock of
//! 15.6 ms a hand's dwells also fall on two or three values, so a spread under a step of the clock is no mark.
//! Waits that do vary, but as chance and not as fingers do, are told by [`super::likeness`].
//!
//! What a machine typed says nothing of the hand: no ratio of a typist is given then, and nothing is learned. What may
//! be a machine's weighs against a stranger by as much ([`SyntheticParameters::explained`]): a worker whose password
//! manager types is no stranger. A hand behind a tool that delays every key at random is neither; it is passed over.

use super::likeness::{LikenessParameters, Stretch, Table};
use crate::event::{CadenceTable, TypingSample};

/// Fewest presses to judge by: a short login name.
const PRESSES_MIN: usize = 8;
/// Interval no two presses of a typing hand stay under for long, microseconds.
const BURST_INTERVAL_MICROS: f64 = 25_000.0;
/// Dwell under which a key is released by no finger, microseconds.
const RELEASE_MICROS: f64 = 12_000.0;
/// Width of "one value", microseconds, where the clock is finer.
const EVEN_WIDTH_MICROS: f64 = 4_000.0;
/// Steps of the clock that make "one value" where the clock is coarser.
const EVEN_WIDTH_STEPS: f64 = 1.0;
/// Coarsest clock on which evenness can be told from the clock's own grid, microseconds.
const EVEN_CLOCK_MICROS_MAX: f64 = 5_000.0;

/// Marks of a machine in one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MachineObservation {
    /// Presses judged.
    pub press_count: u32,
    /// Share of intervals under 25 ms, \[0, 1\].
    pub burst_rate: f64,
    /// Share of intervals within 4 ms (or a step of the clock) about their median, \[0, 1\]; 0 on coarse clocks.
    pub even_interval_rate: f64,
    /// The same of dwells.
    pub even_dwell_rate: f64,
    /// Share of seen dwells under 12 ms, \[0, 1\]; 0 when fewer than half were seen.
    pub short_dwell_rate: f64,
    /// How the stretch moves beside a hand; absent when shuffled, on a coarse clock, or with too few releases.
    pub stretch: Option<Stretch>,
}

impl MachineObservation {
    /// Measures the marks; absent under 8 presses. Both are sorted; `intervals` leaves the first press out,
    /// `dwells` the unseen.
    pub fn of(typing: &TypingSample, dwells: &[f64], intervals: &[f64]) -> Option<Self> {
        if typing.press_interval_micros.len() < PRESSES_MIN || intervals.len() + 2 < PRESSES_MIN {
            return None;
        }
        let step = f64::from(typing.timer_resolution_micros);
        let seen = dwells.len() * 2 >= typing.dwell_micros.len();
        let fine = step <= EVEN_CLOCK_MICROS_MAX;
        let reach = EVEN_WIDTH_MICROS.max(EVEN_WIDTH_STEPS * step) / 2.0;
        let even = |values: &[f64]| {
            let median = values.get(values.len() / 2).copied().unwrap_or(0.0);
            if fine { share(values, |value| (value - median).abs() <= reach) } else { 0.0 }
        };
        Some(Self {
            press_count: typing.press_interval_micros.len() as u32,
            // A coarse clock puts quick presses of a hand on equal stamps: then a burst cannot be told.
            burst_rate: if step < BURST_INTERVAL_MICROS {
                share(intervals, |value| value + step < BURST_INTERVAL_MICROS)
            } else {
                0.0
            },
            even_interval_rate: even(intervals),
            even_dwell_rate: if seen { even(dwells) } else { 0.0 },
            short_dwell_rate: if seen && fine { share(dwells, |value| value < RELEASE_MICROS) } else { 0.0 },
            stretch: Stretch::of(typing, dwells, intervals),
        })
    }
}

/// What a table tells of a machine; absent when its rows are too few.
pub fn of_table(table: &CadenceTable) -> Option<Table> {
    Table::of(table)
}

fn share(values: &[f64], counts: impl Fn(f64) -> bool) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let hits = values.iter().filter(|value| counts(**value)).count();
    // One hit is for nothing: the median is always at itself, and any hand slips onto two keys at once now and then.
    hits.saturating_sub(1) as f64 / values.len() as f64
}

/// Nats over its limit at which a likeness speaks as loud as a mark does.
const LIKENESS_FULL: f64 = 2.0;
/// How often, by judgement, an employee's own program or delaying tool types for them: one login in a hundred.
const OWN_TOOL_RATE: f64 = 0.01;

/// Fitted numbers of machine-made typing.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SyntheticParameters {
    /// Share of each mark above which it counts: bursts, even intervals, even dwells, short dwells.
    pub rate_limits: [f64; 4],
    /// Log-likelihood ratio when a mark counts, nats: what the people without one can vouch for.
    pub log_odds: f64,
    /// How stretches and tables move beside a hand; models fitted before it was measured have none.
    #[serde(default)]
    pub likeness: Option<LikenessParameters>,
}

/// What a sample is beside a hand's own typing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Machine {
    /// Log-likelihood ratio of machine-made typing, nats, above 0; absent when nothing hands do not do was seen.
    pub log_odds: Option<f64>,
    /// Likeness to waits drawn at random, nats, positive or not; absent when it cannot be told.
    pub drawn: Option<f64>,
    /// Likeness to a hand behind random delays, nats; absent when it cannot be told.
    pub delayed: Option<f64>,
    /// Whether a tool that delays every key stands before the hand.
    pub obscured: bool,
}

impl SyntheticParameters {
    /// Checks ranges.
    pub(super) fn check(&self) -> Result<(), String> {
        if !self.rate_limits.iter().all(|limit| (0.0..1.0).contains(limit)) || !(0.0..=20.0).contains(&self.log_odds) {
            return Err("typing.synthetic is out of range".into());
        }
        self.likeness.as_ref().map_or(Ok(()), LikenessParameters::check)
    }

    /// Judges one stretch. The score rises from nothing at the limit of the clearest mark to `log_odds` half way from
    /// there to every press, or 2 nats over the limit of a likeness.
    pub fn judge(&self, observation: &MachineObservation) -> Machine {
        let rates = [
            observation.burst_rate,
            observation.even_interval_rate,
            observation.even_dwell_rate,
            observation.short_dwell_rate,
        ];
        let clearest = rates
            .iter()
            .zip(&self.rate_limits)
            .map(|(rate, limit)| 2.0 * (rate - limit) / (1.0 - limit).max(0.01))
            .fold(0.0, f64::max);
        let mut machine = Machine::default();
        let mut over = clearest;
        if let (Some(likeness), Some(stretch)) = (&self.likeness, &observation.stretch) {
            let terms = stretch.terms(&likeness.centres, &likeness.spreads);
            let (drawn, delayed) = (likeness.drawn.ratio(&terms), likeness.delayed.ratio(&terms));
            over = over.max((drawn - likeness.drawn.limit(stretch)) / LIKENESS_FULL);
            machine.obscured = delayed > likeness.delayed.limit(stretch);
            (machine.drawn, machine.delayed) = (Some(drawn), Some(delayed));
        }
        machine.log_odds = (over > 0.0).then(|| over.min(1.0) * self.log_odds);
        machine
    }

    /// Judges one table by itself, in the same way.
    pub fn judge_table(&self, table: &Table) -> Machine {
        let Some(likeness) = &self.likeness else { return Machine::default() };
        let drawn = likeness.table_ratio(table);
        let over = (drawn - likeness.table_limit) / LIKENESS_FULL;
        let log_odds = (over > 0.0).then(|| over.min(1.0) * self.log_odds);
        Machine { log_odds, drawn: Some(drawn), ..Machine::default() }
    }
}

impl Machine {
    /// A stranger's ratio given that the worker's own tool may have typed instead, nats.
    ///
    /// What speaks against the worker, `log_odds` > 0, is weighed against the worker *or* one in a hundred times the
    /// worker's program: `-ln(exp(-log_odds) + .01 (exp(drawn) + exp(delayed)))`, never under 0 and never over what it
    /// was. A hand's own likeness is a few nats below 0, and then nothing changes.
    pub fn explained(&self, log_odds: f64) -> f64 {
        if log_odds <= 0.0 {
            return log_odds;
        }
        let tools = [self.drawn, self.delayed].iter().flatten().map(|ratio| ratio.min(30.0).exp()).sum::<f64>();
        let alternative = (-log_odds).exp() + OWN_TOOL_RATE * tools;
        (-alternative.ln()).clamp(0.0, log_odds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventUnchecked, Rules, TablePolicy, TimestampUnchecked, TypingUnchecked, Violations};
    use crate::evidence::typing::observe;

    fn score(interval: impl Fn(u32) -> u32, dwell: impl Fn(u32) -> u32, resolution: u32) -> Option<f64> {
        let typing = TypingUnchecked {
            context: 1,
            press_interval_micros: (0..20).map(|index| if index == 0 { 0 } else { interval(index) }).collect(),
            dwell_micros: (0..20).map(&dwell).collect(),
            timer_resolution_micros: resolution,
            ..TypingUnchecked::default()
        };
        let event = EventUnchecked {
            event_id: "e".into(),
            worker_id: "w".into(),
            event_time: Some(TimestampUnchecked { seconds: 0, nanos: 0 }),
            activity: 1,
            typing: Some(typing),
            ..EventUnchecked::default()
        };
        let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
        let event = event.check("event", &rules, &mut Violations::default())?;
        let parameters = SyntheticParameters { rate_limits: [0.45, 0.6, 0.85, 0.45], log_odds: 4.0, likeness: None };
        observe(&event.samples).machine.and_then(|machine| parameters.judge(&machine).log_odds)
    }

    #[test]
    fn paste_sent_as_keys_is_machine_made() {
        assert_eq!(score(|_| 8_000, |_| 4_000, 1_000), Some(4.0));
        // PiKVM's slow mode: 20 ms between keys.
        assert_eq!(score(|_| 20_000, |_| 20_000, 1_000), Some(4.0));
    }

    #[test]
    fn even_paced_injection_is_machine_made() {
        assert_eq!(score(|index| 150_000 + index % 2 * 1_000, |_| 80_000, 1_000), Some(4.0));
    }

    #[test]
    fn a_hand_and_a_coarse_clock_are_not() {
        let hand = |index: u32| 120_000 + (index * 37 % 11) * 9_000;
        assert_eq!(score(hand, |index| 70_000 + (index * 23 % 13) * 4_000, 1_000), None);
        // On a clock of 100 ms a hand falls on two values.
        assert_eq!(score(|index| 100_000 * (1 + index % 2), |_| 100_000, 100_000), None);
    }

    #[test]
    fn what_a_tool_may_have_typed_is_less_of_a_stranger() {
        let hand = Machine { drawn: Some(-6.0), delayed: Some(-4.0), ..Machine::default() };
        let tool = Machine { drawn: Some(4.6), delayed: Some(-4.0), ..Machine::default() };
        // exp(-5) = .0067, and a hand's tools .01 * (.0025 + .0183) = .0002: 4.97 of 5 nats are left.
        assert!((hand.explained(5.0) - 4.97).abs() < 0.01);
        // .0067 + .01 * 99.5 = 1.0: nothing is left.
        assert!(tool.explained(5.0) < 0.01);
        assert_eq!((hand.explained(-2.0), tool.explained(-2.0)), (-2.0, -2.0));
    }
}
