//! The course of a live session: its latest part beside the whole, and beside its own beginning.
//!
//! A session that changes hands after an hour looks like its worker on the whole. So what accumulates (typing, motion,
//! answers, input timing) is compared a second time by its newest part alone, and every closed window leaves its scores.
//! A finding then answers *somebody else, throughout or in some part*: the likelihood ratio of that is the mean of the
//! parts' ratios, each weighed by the belief that it is the one. A mean of likelihood ratios is again one, so looking at
//! many windows raises no false alarm by itself, as taking the greatest would; and what a long session holds against one
//! part no other part can outweigh.
//!
//! Pointer motion is asked by stretches of windows instead (`remote_input::windows`), since a relay may be there for minutes.
//!
//! A hand-over is told when the latest typing is not the worker's and earlier typing was, or when a cadence table differs
//! from this session's own earlier ones.
//!
//! Worked example: key transport says -3 nats over the whole, -3 over closed windows and +4 over the latest. Weighed
//! 2:1:1, ln(.5 e^-3 + .25 e^-3 + .25 e^4) = +2.6: the relay that appeared is told although three quarters speak for a
//! local hand.

use super::feature::{Coverage, CoverageStatus, Family, FeatureId, Features, Finding, HandChange};
use super::remote_input::{self, MotionCourse};
use super::{Compared, Observations, Parameters, Profiles, telemetry, typing};
use crate::event::{Added, EventTime, Gathered, TypingSample, limits};
use typing::handover::Hands;

/// Findings that accumulate over a session, with what their windows are counted in.
const ACCUMULATING: [(Finding, Count); 10] = [
    (Finding::TypingPhrase, Count::Phrases),
    (Finding::TypingTable, Count::Tables),
    (Finding::TypingOrdered, Count::Presses),
    (Finding::TypingSynthetic, Count::Presses),
    (Finding::RemoteInputPointer, Count::Moves),
    (Finding::RemoteInputKey, Count::Presses),
    (Finding::RemoteInputLoop, Count::Prompts),
    (Finding::RemoteInputDelay, Count::Timings),
    (Finding::RemoteInputSoftware, Count::Timings),
    (Finding::RemoteInputMachine, Count::Moves),
];

/// What a window is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Presses,
    Phrases,
    Tables,
    Moves,
    Prompts,
    Timings,
}

/// Weight of the whole session among its parts. Prior by judgement: as likely somebody else throughout as in a part.
const WHOLE_WEIGHT: f64 = 2.0;
/// Weight of the latest window.
const LATEST_WEIGHT: f64 = 1.0;
/// Weight of all closed windows together.
const EARLIER_WEIGHT: f64 = 1.0;
/// Nats by which a table must differ from the session's own earlier ones to be told as a hand-over.
const HANDOVER_LOG_ODDS: f64 = 0.5;
/// Voice and silence are counted once in so long, microseconds: a minute without a hand is one silence, however many
/// chunks report it.
const SILENCE_STEP_MICROS: i64 = 60_000_000;

/// Scores of one finding over closed windows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Closed {
    /// Logarithm of the sum of the windows' likelihood ratios; meaningless while `windows` is 0.
    log_sum: f64,
    /// Windows closed.
    windows: u32,
    /// Total of what it is counted in at the end of the last one.
    counted: u64,
    /// Score and end of the window that closes when more comes: until then it is the latest.
    full: Option<(f64, u64)>,
    /// Total when the parts were last compared.
    compared: u64,
}

/// What a live session leaves behind as it goes: scores of closed windows and its own hand, never samples.
#[derive(Debug, Clone, Default)]
pub struct Course {
    closed: [Closed; ACCUMULATING.len()],
    /// The hand of this session's own tables, as far as they were one hand's.
    own: typing::Profile,
    /// Tables compared so far, and how the last differed from `own`, nats.
    tables_read: u64,
    own_log_odds: Option<f64>,
    /// The hands of its ordered free typing.
    hands: Hands,
    /// Windows of its motion.
    motion: MotionCourse,
    /// Digests of the opening's samples: they, not those of joined columns, can come again.
    digests: Option<Vec<u64>>,
    voice: Voice,
}

/// How long the session's collector spoke and was silent, in steps of [`SILENCE_STEP_MICROS`].
#[derive(Debug, Clone, Copy, Default)]
struct Voice {
    voiced: u32,
    silent: u32,
    /// When a voice was last counted.
    counted: Option<EventTime>,
    /// When a hand was last seen, or a silence last counted.
    since: Option<EventTime>,
}

impl Course {
    /// Hears the opening or a chunk: whether it shows a hand, use without one, or facts alone.
    pub fn hear(&mut self, added: Added, time: EventTime) {
        let voice = &mut self.voice;
        let step_over =
            |last: Option<EventTime>| last.is_none_or(|last| time.micros_since(last) >= SILENCE_STEP_MICROS);
        match added {
            Added::Hand => {
                if step_over(voice.counted) {
                    voice.voiced = voice.voiced.saturating_add(1);
                    voice.counted = Some(time);
                }
                voice.silent = 0;
                voice.since = Some(time);
            }
            Added::UseAlone if step_over(voice.since) => {
                voice.silent = voice.silent.saturating_add(1);
                voice.since = Some(time);
            }
            Added::UseAlone | Added::Facts => {}
        }
    }

    /// Hears typing of the opening or of a chunk, for the hand behind it.
    pub fn hear_typing(&mut self, typing: &TypingSample) {
        self.hands.hear(typing);
    }

    /// Compares the session's parts and folds them into `compared`, which holds the whole. Returns the findings to be
    /// told as a hand-over.
    ///
    /// May be called again over the same samples without changing the outcome.
    pub fn fold(
        &mut self,
        gathered: &Gathered,
        known: &Profiles,
        parameters: &Parameters,
        compared: &mut Compared,
    ) -> Vec<(Finding, HandChange)> {
        let claim = gathered.whole().claim.as_ref();
        let samples = gathered.latest();
        let mut latest = Features::default();
        let (seen, nobody) = (typing::observe(&samples), typing::Background::default());
        let heard_typing = typing::compare(&seen, &known.typing, claim, nobody, &parameters.typing, &mut latest);
        let heard_input = remote_input::compare(
            &remote_input::observe(&samples),
            &known.remote_input,
            claim,
            &parameters.remote_input,
            &mut latest,
        );
        widen(&mut compared.coverage[Family::Typing.index()], heard_typing);
        widen(&mut compared.coverage[Family::RemoteInput.index()], heard_input);
        self.compare_with_own(gathered, parameters);
        let motion_told = self.tell_motion(gathered, known, parameters, compared);
        let mut handed_over = Vec::new();
        for (index, (finding, count)) in ACCUMULATING.into_iter().enumerate() {
            if finding == Finding::RemoteInputPointer && motion_told {
                continue;
            }
            let whole = compared.features.get(finding.score());
            // Of phrases and tables the newest stands in the whole already.
            let replaced = matches!(count, Count::Phrases | Count::Tables);
            let now = if replaced { whole } else { latest.get(finding.score()) };
            let (total, length) = count.of(gathered);
            let closed = &mut self.closed[index];
            closed.advance(total);
            let earlier = closed.mean();
            if let Some(score) = now.filter(|_| total >= closed.counted + length) {
                closed.full = Some((score, total));
            }
            let parts = [(WHOLE_WEIGHT, whole.filter(|_| !replaced)), (LATEST_WEIGHT, now), (EARLIER_WEIGHT, earlier)];
            let Some(mixed) = mixture(&parts) else { continue };
            let changed = replaced && now.zip(earlier).is_some_and(|(now, earlier)| now > 0.0 && earlier < 0.0);
            if changed {
                handed_over.push((finding, HandChange::HandedOver));
            }
            if !replaced && now > whole {
                show(&latest, finding, &mut compared.features);
            }
            compared.features.set(finding.score(), mixed);
        }
        let assisted = claim.is_some_and(|claim| claim.assistive_technology);
        if self.tell_own(assisted, compared) {
            handed_over.push((Finding::TypingTable, HandChange::HandedOver));
        }
        if !assisted {
            handed_over.extend(self.tell_hands(gathered, parameters, compared));
        }
        handed_over
    }

    /// Reads motion by windows of its own, which are shorter than those of other findings: a relay may be there for a few
    /// minutes. Returns whether it was told; where pointers abstain, or before the first window, it is not.
    fn tell_motion(
        &mut self,
        gathered: &Gathered,
        known: &Profiles,
        parameters: &Parameters,
        compared: &mut Compared,
    ) -> bool {
        let Some(sample) = &gathered.whole().pointer else { return false };
        let parameters = &parameters.remote_input;
        self.motion.hear(sample, gathered.totals().moves, parameters);
        compared.features.get(Finding::RemoteInputPointer.score()).is_some()
            && self.motion.tell(&known.remote_input, parameters, &mut compared.features)
    }

    /// Compares a new table with this session's own earlier ones, and learns it when it is of the same hand.
    fn compare_with_own(&mut self, gathered: &Gathered, parameters: &Parameters) {
        if gathered.totals().tables == self.tables_read {
            return;
        }
        self.tables_read = gathered.totals().tables;
        let Some(samples) = gathered.table() else { return };
        let mut seen = typing::observe(&samples);
        seen.place(&parameters.typing.table);
        let mut features = Features::default();
        typing::compare(&seen, &self.own, None, typing::Background::default(), &parameters.typing, &mut features);
        self.own_log_odds = features.get(FeatureId::TypingTableLogOdds);
        if self.own_log_odds.is_none_or(|score| score <= 0.0) {
            self.own.learn(&seen, &parameters.typing, samples.time, typing::Lesson::Full, 0.0);
        }
    }

    /// Folds in the difference from the session's own hand. A likeness clears nobody: an intruder is like themselves.
    fn tell_own(&self, assisted: bool, compared: &mut Compared) -> bool {
        let Some(own) = self.own_log_odds.filter(|own| *own > 0.0 && !assisted) else { return false };
        let past = compared.features.get(FeatureId::TypingTableLogOdds).unwrap_or(0.0);
        let both = [(1.0, Some(past)), (1.0, Some(own))];
        if let Some(mixed) = mixture(&both) {
            compared.features.set(FeatureId::TypingTableLogOdds, mixed);
        }
        own >= HANDOVER_LOG_ODDS
    }

    /// Folds in that ordered typing shows more than one hand. One hand throughout clears nobody: an intruder's is one too.
    fn tell_hands(
        &mut self,
        gathered: &Gathered,
        parameters: &Parameters,
        compared: &mut Compared,
    ) -> Option<(Finding, HandChange)> {
        let ordered = &parameters.typing.ordered;
        let shown = self.hands.compare(gathered.free_typing(), gathered.totals().presses, ordered)?;
        let machine = compared.features.get(FeatureId::TypingSyntheticLogOdds).is_some_and(|score| score > 0.0);
        if machine || shown.log_odds <= 0.0 {
            return None;
        }
        let past = compared.features.get(FeatureId::TypingOrderedLogOdds).unwrap_or(0.0);
        let mixed = mixture(&[(1.0, Some(past)), (1.0, Some(shown.log_odds))])?;
        compared.features.set(FeatureId::TypingOrderedLogOdds, mixed);
        if !shown.told {
            return None;
        }
        compared.features.set(FeatureId::TypingHandoverLogOdds, shown.log_odds);
        if shown.returns == 0 {
            return Some((Finding::TypingOrdered, HandChange::HandedOver));
        }
        compared.features.set(FeatureId::TypingAlternationCount, f64::from(shown.returns));
        Some((Finding::TypingOrdered, HandChange::Shared))
    }

    /// Puts the opening's digests in the place of those of joined columns, for comparing and learning alike.
    pub fn restore_digests(&mut self, seen: &mut Observations) {
        match &self.digests {
            Some(digests) => seen.telemetry.digests.clone_from(digests),
            None => self.digests = Some(seen.telemetry.digests.clone()),
        }
    }

    /// Tells of a collector that spoke in this session and says nothing now, though the session is used.
    ///
    /// For verdicts while the session lasts: how it ends is no loss of samples.
    pub fn tell_silence(&self, known: &Profiles, time: EventTime, parameters: &Parameters, compared: &mut Compared) {
        if self.voice.silent == 0 || self.voice.voiced == 0 {
            return;
        }
        let mut heard = known.telemetry.clone();
        heard.voice_count = heard.voice_count.saturating_add(self.voice.voiced);
        // The minute at hand is counted by the comparison itself.
        heard.silent_count = self.voice.silent - 1;
        let mut features = Features::default();
        telemetry::compare(&telemetry::Observation::default(), &heard, time, &parameters.telemetry, &mut features);
        show(&features, Finding::TelemetrySilent, &mut compared.features);
    }
}

impl Count {
    /// What has come in all, and how much of it closes a window.
    fn of(self, gathered: &Gathered) -> (u64, u64) {
        let totals = gathered.totals();
        match self {
            Self::Presses => (totals.presses, limits::WINDOW_PRESSES as u64),
            Self::Phrases => (totals.phrases, 1),
            Self::Tables => (totals.tables, 1),
            Self::Moves => (totals.moves, limits::WINDOW_MOVES as u64),
            Self::Prompts => (totals.prompts, limits::WINDOW_PROMPTS as u64),
            Self::Timings => (totals.timings, limits::WINDOW_DELAYS as u64),
        }
    }
}

impl Closed {
    /// Closes the full window once more has come than it holds.
    fn advance(&mut self, total: u64) {
        if total == self.compared {
            return;
        }
        self.compared = total;
        if let Some((score, end)) = self.full.take() {
            self.log_sum = if self.windows == 0 { score } else { log_sum_exp(self.log_sum, score) };
            self.windows = self.windows.saturating_add(1);
            self.counted = end;
        }
    }

    /// Logarithm of the mean likelihood ratio of closed windows; `None` before the first.
    fn mean(&self) -> Option<f64> {
        (self.windows > 0).then(|| self.log_sum - f64::from(self.windows).ln())
    }
}

/// ln(e^a + e^b) without overflow.
fn log_sum_exp(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    high + (low - high).exp().ln_1p()
}

/// Logarithm of the weighed mean of the parts' likelihood ratios; `None` when no part has one.
fn mixture(parts: &[(f64, Option<f64>)]) -> Option<f64> {
    let heard = || parts.iter().filter_map(|(weight, score)| score.map(|score| (*weight, score)));
    let weight: f64 = heard().map(|(weight, _)| weight).sum();
    let sum = heard().map(|(weight, score)| weight.ln() + score).reduce(log_sum_exp)?;
    Some(sum - weight.ln())
}

/// Copies a finding and the measurements behind it.
fn show(from: &Features, finding: Finding, to: &mut Features) {
    for feature in finding.evidence().iter().copied().chain([finding.score()]) {
        let Some(value) = from.get(feature) else { continue };
        match from.expectation(feature) {
            Some(expected) => to.set_beside(feature, value, expected.low, expected.high, expected.baseline),
            None => to.set(feature, value),
        }
    }
}

/// A family heard in its latest part is heard.
fn widen(coverage: &mut Coverage, latest: Coverage) {
    if latest.status == CoverageStatus::Used {
        coverage.status = CoverageStatus::Used;
    }
    coverage.sample_count = coverage.sample_count.max(latest.sample_count);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_mix_as_worked_by_hand() {
        let parts = [(2.0, Some(-3.0)), (1.0, Some(4.0)), (1.0, Some(-3.0))];
        let by_hand = (0.75 * (-3.0_f64).exp() + 0.25 * 4.0_f64.exp()).ln();
        assert!(mixture(&parts).is_some_and(|mixed| (mixed - by_hand).abs() < 1e-12));
        assert_eq!(mixture(&[(2.0, None), (1.0, Some(-1.5)), (1.0, None)]), Some(-1.5));
        assert_eq!(mixture(&[(2.0, None)]), None);
    }

    proptest! {
        #[test]
        fn equal_parts_mix_to_themselves_and_others_lie_between(a in -30.0_f64..30.0, b in -30.0_f64..30.0) {
            let same = mixture(&[(2.0, Some(a)), (1.0, Some(a)), (1.0, Some(a))]);
            prop_assert!(same.is_some_and(|mixed| (mixed - a).abs() < 1e-9));
            let mixed = mixture(&[(2.0, Some(a)), (1.0, Some(b))]).unwrap();
            prop_assert!(a.min(b) - 1e-9 <= mixed && mixed <= a.max(b) + 1e-9);
            // Never more than ln 3 under the greater: a part that speaks is heard.
            prop_assert!(mixed >= a.max(b) - 3.0_f64.ln() - 1e-9);
        }
    }

    #[test]
    fn silence_is_counted_by_the_minute_and_ends_with_a_voice() {
        let minute = |count: i64| EventTime(count * SILENCE_STEP_MICROS);
        let mut course = Course::default();
        for step in 0..20 {
            course.hear(Added::Hand, EventTime(step * SILENCE_STEP_MICROS / 10));
        }
        assert_eq!((course.voice.voiced, course.voice.silent), (2, 0));
        course.hear(Added::UseAlone, minute(2));
        assert_eq!(course.voice.silent, 0, "six seconds without a hand are none");
        for step in 3..8 {
            course.hear(Added::UseAlone, minute(step));
            course.hear(Added::UseAlone, EventTime(minute(step).0 + 1));
        }
        assert_eq!(course.voice.silent, 5);
        course.hear(Added::Facts, minute(20));
        assert_eq!(course.voice.silent, 5, "a session nobody uses is not silent");
        course.hear(Added::Hand, minute(21));
        assert_eq!((course.voice.voiced, course.voice.silent), (3, 0));
    }

    #[test]
    fn a_window_closes_once_when_more_has_come() {
        let mut closed = Closed { full: Some((2.0, 200)), compared: 200, ..Closed::default() };
        closed.advance(200);
        assert_eq!(closed.mean(), None);
        closed.advance(260);
        closed.advance(260);
        assert_eq!((closed.mean(), closed.windows, closed.counted), (Some(2.0), 1, 200));
    }
}
