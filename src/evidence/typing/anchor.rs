//! The slow anchor of a phrase: where the hand was long ago, against takeovers too patient for the gate.
//!
//! The gate ([`super::gate`]) asks whether a login is like the last ones. Who turns a profile into their own a hundredth
//! at a time passes it at every login. So a second mean is kept that hardly moves: every 20 logins learned, and no more
//! than once a week, it goes a tenth of the way to the recent one. How far the recent mean has gone from it is what a
//! hand drifts by, or what people differ by. Both have a part common to all dwells, or all press intervals (a change of
//! tempo), and a part by position. A hand drifts most where it varies most from login to login; people differ everywhere.
//!
//! How the evidence joins. A session is not the worker's if a stranger types over the worker's profile (ratio *R* of the
//! login against the recent logins), or if one types over a profile that is their own by now. With *A* the ratio of the
//! drift and *p* the share of the patient among strangers that is e^R + p e^A. An honest hand that changes for good,
//! slowly, with nobody confirming it is what bounds *A*. So honest drift costs next to nothing (*A* is far under 0), and a
//! hand that has changed much costs what the bound leaves, and no more. What a login may teach is judged by *R* alone: a
//! worker whose hand has changed goes on being known. A confirmed login sets the anchor to the recent mean: that is the
//! hand from now on.
//!
//! Worked example. *R* = -4, *A* = -6: ln(e^-4 + .01 e^-6) = -4.00. After a patient takeover *R* = -4 still, *A* = 9,
//! bounded at ln 1000 = 6.91: ln(e^-4 + .01 e^6.91) = 2.30: ten to one for a stranger.
//!
//! Idea: a fixed reference beside an adapted one (template update in biometrics, e.g. Didaci, Marcialis and Roli 2014).

use super::phrase::{PhraseObservation, PhraseParameters, PhraseProfile};
use serde::{Deserialize, Serialize};

/// Logins learned before an anchor is laid.
pub const ANCHOR_COUNT_MIN: u16 = 20;
/// Logins learned between two moves, and days.
const MOVE_LOGINS: u16 = 20;
const MOVE_DAYS: u32 = 7;
/// Least share of the way to the recent mean that a move goes; the first moves go a half, a third and a quarter.
const MOVE_SHARE_MIN: f64 = 0.1;
/// Longest phrase that has an anchor, presses, and most times anchored: evenly taken from a longer one. One byte each.
const ANCHOR_PRESSES_MAX: usize = 40;
const ANCHOR_TIMES_MAX: usize = 64;
/// Words before the anchored times: logins learned since the last move, moves made, day of the last.
const HEADER_WORDS: usize = 3;
/// Most bytes of these when written down.
const HEADER_BYTES: usize = 5;
/// Step of an anchored time, in ln; least and most. Under 128 steps, so that each is one byte when written down.
const ANCHOR_STEP: f64 = 1.0 / 32.0;
const ANCHOR_LEAST: f64 = 9.9;
const ANCHOR_STEPS_MAX: u16 = 126;
/// An anchored time that was never seen.
const ANCHOR_UNSEEN: u16 = 127;
/// Deviation of a single time, in ln, to which it is pulled in: a key moved to another finger is one position.
const DEVIATION_CLIP: f64 = 1.0;
/// Share of a login's clock noise in a recent mean, rate / (2 - rate), and half as much in the anchor's.
const CLOCK_SHARE: f64 = 0.12;

/// Share of strangers who are patient enough to turn a profile before they type as themselves. By judgement, and such that
/// of a hundred workers of the sets fitted on, left out of the fit (99th percentile of *A*: 3.1), one has a ratio lifted
/// to -1.5 nats, about what a gate lets pass. A tenth was tried first: on CMU it cost 4 logins of 100.
const PATIENT_RATE: f64 = 0.01;
/// Share of workers whose hand changes for good, slowly enough for the gate, with nobody confirming it. By judgement.
const CHANGE_RATE: f64 = 0.001;

/// How drifts of one sort are spread: a multivariate Student-t, since some hands drift more than others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DriftLaw {
    /// Variance of what all dwells share, and all press intervals, in ln squared.
    pub common: [f64; 2],
    /// Variance of each dwell besides, and each press interval: of a worker as a multiple of what the hand varies by from
    /// login to login, of a stranger in ln squared.
    pub rest: [f64; 2],
    /// Degrees of freedom.
    pub freedom: f64,
}

/// Fitted numbers of the anchor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnchorParameters {
    /// How the hand of one person drifts.
    pub worker: DriftLaw,
    /// How far a stranger's hand lies from the anchor by the time it has taken the profile.
    pub stranger: DriftLaw,
}

/// How far a recent mean has gone from its anchor at one position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftTime {
    /// 0 for a dwell, 1 for a press interval.
    pub kind: usize,
    /// Recent mean less anchor, in ln.
    pub deviation: f64,
    /// What the hand varies by from login to login.
    pub variance: f64,
    /// What the clock adds to a login's time.
    pub clock: f64,
}

/// Sums of one kind under one law.
#[derive(Debug, Clone, Copy)]
struct Sums {
    weight: f64,
    pull: f64,
    square: f64,
    log_width: f64,
    /// Widths not yet taken the logarithm of: a product of few is cheaper than a sum of logarithms.
    width: f64,
}

impl Sums {
    const NONE: Sums = Sums { weight: 0.0, pull: 0.0, square: 0.0, log_width: 0.0, width: 1.0 };

    fn add(&mut self, deviation: f64, variance: f64) {
        let weight = 1.0 / variance;
        self.weight += weight;
        self.pull += weight * deviation;
        self.square += weight * deviation * deviation;
        self.width *= variance;
        if self.width < 1e-200 {
            self.log_width += self.width.ln();
            self.width = 1.0;
        }
    }
}

impl DriftLaw {
    /// ln of the density of a drift under this law; `own`: as one of the worker's own hand.
    pub fn log_density(&self, times: impl Iterator<Item = DriftTime>, own: bool) -> f64 {
        let mut sums = [Sums::NONE; 2];
        let mut count = 0.0;
        for time in times {
            let variance = self.rest[time.kind] * if own { time.variance } else { 1.0 };
            let deviation = time.deviation.clamp(-DEVIATION_CLIP, DEVIATION_CLIP);
            sums[time.kind].add(deviation, variance + CLOCK_SHARE * time.clock);
            count += 1.0;
        }
        let (mut square, mut log_width) = (0.0, 0.0);
        for (sums, common) in sums.iter().zip(self.common) {
            let shared = 1.0 + common * sums.weight;
            square += sums.square - common * sums.pull * sums.pull / shared;
            log_width += sums.log_width + (sums.width * shared).ln();
        }
        let half = (self.freedom + count) / 2.0;
        ln_gamma(half)
            - ln_gamma(self.freedom / 2.0)
            - 0.5 * (count * self.freedom.ln() + log_width)
            - half * (square.max(0.0) / self.freedom).ln_1p()
    }

    fn sound(&self) -> bool {
        let numbers = self.common.iter().chain(&self.rest).chain(std::iter::once(&self.freedom));
        numbers.into_iter().all(|number| number.is_finite() && *number > 0.0)
    }
}

/// ln of the gamma function above 0, by Stirling's series from 8 on; 1e-9 and better.
fn ln_gamma(mut x: f64) -> f64 {
    let mut below = 1.0;
    while x < 8.0 {
        below *= x;
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse / 1680.0))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - f64::ln(below)
}

impl AnchorParameters {
    /// Says what is wrong with fitted numbers, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.worker.sound() && self.stranger.sound() {
            Ok(())
        } else {
            Err("typing.phrase.anchor holds a number that is not finite or not positive".into())
        }
    }

    /// Log-likelihood ratio of a stranger's hand in the profile, nats, bounded by how often a worker's own hand changes
    /// for good.
    pub fn ratio(&self, times: impl Iterator<Item = DriftTime> + Clone) -> f64 {
        let ratio = self.stranger.log_density(times.clone(), false) - self.worker.log_density(times, true);
        ratio.min(-CHANGE_RATE.ln())
    }
}

/// What a session says in all: `recent` of the login against the recent logins, `anchor` of the profile against its
/// anchor, nats.
pub fn together(recent: f64, anchor: f64) -> f64 {
    let patient = anchor + PATIENT_RATE.ln();
    recent.max(patient) + (-(recent - patient).abs()).exp().ln_1p()
}

/// Bytes that an anchor takes of a worker's room once it is laid; 0 for a phrase too long for one.
pub(super) fn anchor_bytes(presses: usize) -> usize {
    if presses > ANCHOR_PRESSES_MAX {
        return 0;
    }
    let times = (2 * presses).saturating_sub(1);
    times.div_ceil(stride(times)) + HEADER_BYTES
}

/// One of how many times of a phrase is anchored.
fn stride(times: usize) -> usize {
    times.div_ceil(ANCHOR_TIMES_MAX).max(1)
}

fn stored(mean: Option<f64>, dither: f64) -> u16 {
    match mean {
        Some(mean) => {
            ((mean - ANCHOR_LEAST) / ANCHOR_STEP + dither).round().clamp(0.0, f64::from(ANCHOR_STEPS_MAX)) as u16
        }
        None => ANCHOR_UNSEEN,
    }
}

fn of_stored(stored: u16) -> Option<f64> {
    (stored <= ANCHOR_STEPS_MAX).then(|| ANCHOR_LEAST + f64::from(stored) * ANCHOR_STEP)
}

impl PhraseProfile {
    fn anchor(&self) -> Option<&[u16]> {
        self.spreads.get(self.means.len()..).filter(|anchor| anchor.len() > HEADER_WORDS)
    }

    /// Whether what stands behind the spreads is a whole anchor.
    pub(super) fn anchor_sound(&self) -> bool {
        let times = self.means.len();
        self.anchor().is_some_and(|anchor| anchor.len() == HEADER_WORDS + times.div_ceil(stride(times)))
    }

    /// Whether an anchor was laid.
    pub fn anchored(&self) -> bool {
        self.anchor().is_some()
    }

    /// Lays the anchor where the hand is now; long phrases and young profiles have none.
    pub(super) fn lay_anchor(&mut self, day: u32) {
        let times = self.means.len();
        if self.count < ANCHOR_COUNT_MIN || self.kept_presses() > ANCHOR_PRESSES_MAX {
            return;
        }
        let header = [0, 1, day.min(u32::from(u16::MAX)) as u16];
        let laid = (0..times).step_by(stride(times)).map(|index| stored(self.mean(index), 0.0));
        let anchor: Vec<u16> = header.into_iter().chain(laid).collect();
        self.spreads.truncate(times);
        self.spreads.extend(anchor);
    }

    /// Counts a login fully learned, and moves the anchor when it is time.
    pub(super) fn move_anchor(&mut self, day: u32) {
        let times = self.means.len();
        if self.anchor().is_none() {
            return self.lay_anchor(day);
        }
        let since = self.spreads[times].saturating_add(1);
        self.spreads[times] = since;
        if since < MOVE_LOGINS || day < u32::from(self.spreads[times + 2]) + MOVE_DAYS {
            return;
        }
        let moves = self.spreads[times + 1].saturating_add(1);
        let share = MOVE_SHARE_MIN.max(1.0 / f64::from(moves));
        for (at, index) in (0..times).step_by(stride(times)).enumerate() {
            // Steps are coarse and moves are small: a rounding that goes round lets none be lost in the long run.
            let dither = f64::from((u32::from(moves) * 5 + index as u32 * 3) % 8) / 8.0 - 0.4375;
            let recent = self.mean(index);
            let (Some(word), Some(recent)) = (self.spreads.get_mut(times + HEADER_WORDS + at), recent) else {
                continue;
            };
            let moved = of_stored(*word).map_or(recent, |anchor| anchor + share * (recent - anchor));
            *word = stored(Some(moved), dither);
        }
        (self.spreads[times], self.spreads[times + 1]) = (0, moves);
        self.spreads[times + 2] = day.min(u32::from(u16::MAX)) as u16;
    }

    /// How far the recent mean has gone from the anchor, as the clock of `observation` can tell; absent without an anchor.
    pub fn drift<'a>(
        &'a self,
        observation: &'a PhraseObservation,
        parameters: &'a PhraseParameters,
    ) -> Option<impl Iterator<Item = DriftTime> + Clone + 'a> {
        self.drift_of(self, 1.0, observation, parameters)
    }

    /// How far a worker's recent mean of the same phrase lies from this one's anchor: what a finished takeover by them
    /// would show, the anchor having gone all but `share` of the way after them.
    pub fn drift_of<'a>(
        &'a self,
        other: &'a PhraseProfile,
        share: f64,
        observation: &'a PhraseObservation,
        parameters: &'a PhraseParameters,
    ) -> Option<impl Iterator<Item = DriftTime> + Clone + 'a> {
        let times = self.means.len().min(observation.times.len());
        let anchor = self.anchor()?.get(HEADER_WORDS..)?;
        let at = move |(index, stored): (usize, &u16)| {
            let (anchor, recent, time) = (of_stored(*stored)?, other.mean(index)?, observation.times.get(index)?);
            let variance = other.variance(index, &parameters.priors[usize::from(time.prior)]);
            let kind = usize::from(index >= self.kept_presses());
            Some(DriftTime { kind, deviation: share * (recent - anchor), variance, clock: time.clock_variance })
        };
        Some((0..times).step_by(stride(self.means.len())).zip(anchor).filter_map(at))
    }
}

#[cfg(test)]
mod tests {
    use super::super::gate::Lesson;
    use super::super::phrase::PhraseTime;
    use super::super::sample;
    use super::*;

    const TIMES: usize = 21;

    fn parameters() -> PhraseParameters {
        let worker = DriftLaw { common: [0.001, 0.006], rest: [0.2, 0.3], freedom: 16.0 };
        let stranger = DriftLaw { common: [0.02, 0.04], rest: [0.013, 0.035], freedom: 10.0 };
        PhraseParameters { anchor: Some(AnchorParameters { worker, stranger }), ..sample::parameters().phrase }
    }

    /// A login on a day: a hand whose every second time is off by `pattern`, all of them by `tempo`.
    fn login(day: u32, pattern: f64, tempo: f64) -> PhraseObservation {
        let time = |index: usize| PhraseTime {
            log_time: Some(
                11.6 + if index % 2 == 0 { pattern } else { -pattern }
                    + tempo
                    + 0.08 * f64::from((day * 7 + index as u32 * 5) % 9) / 4.0
                    - 0.08,
            ),
            clock_variance: 0.0,
            prior: 1,
        };
        let times = (0..TIMES).map(time).collect();
        PhraseObservation { key: 1, press_count: 11, class_mark: 0, timer_resolution_micros: 1_000, times }
    }

    fn learn(
        profile: &mut PhraseProfile,
        days: std::ops::Range<u32>,
        hand: impl Fn(u32) -> (f64, f64),
        lesson: Lesson,
    ) {
        for day in days {
            let (pattern, tempo) = hand(day);
            profile.learn_lesson(&login(day, pattern, tempo), &parameters(), day, lesson, -3.0);
        }
    }

    fn settled() -> PhraseProfile {
        let mut profile = PhraseProfile::new(&login(0, 0.0, 0.0));
        learn(&mut profile, 0..60, |_| (0.0, 0.0), Lesson::Full);
        profile
    }

    fn ratio(profile: &PhraseProfile, pattern: f64) -> Option<f64> {
        profile.score(&login(900, pattern, 0.0), &parameters(), None).and_then(|score| score.anchor_ratio)
    }

    #[test]
    fn a_hand_that_becomes_another_by_a_hundredth_a_login_is_told_and_a_change_of_tempo_is_not() {
        let mut taken = settled();
        assert!(ratio(&taken, 0.0) < Some(-3.0), "{:?}", ratio(&taken, 0.0));
        let share = |day: u32| (f64::from(day - 60) / 100.0).min(1.0);
        learn(&mut taken, 60..180, |day| (0.35 * share(day), 0.2 * share(day)), Lesson::Full);
        assert!(ratio(&taken, 0.35) > Some(4.0), "{:?}", ratio(&taken, 0.35));
        let mut practised = settled();
        learn(&mut practised, 60..180, |day| (0.0, -0.1 * share(day)), Lesson::Full);
        assert!(ratio(&practised, 0.0) < Some(0.0), "{:?}", ratio(&practised, 0.0));
    }

    #[test]
    fn a_confirmed_login_lays_the_anchor_where_the_hand_is() {
        let mut profile = settled();
        learn(&mut profile, 60..70, |_| (0.4, 0.0), Lesson::Full);
        assert!(ratio(&profile, 0.4) > Some(3.0), "{:?}", ratio(&profile, 0.4));
        learn(&mut profile, 70..71, |_| (0.4, 0.0), Lesson::Confirmed);
        assert!(ratio(&profile, 0.4) < Some(-2.0), "{:?}", ratio(&profile, 0.4));
    }

    #[test]
    fn the_anchor_moves_once_in_twenty_logins_and_once_a_week_at_most() {
        let anchor = |profile: &PhraseProfile| profile.anchor().map(|anchor| anchor[HEADER_WORDS..].to_vec());
        let mut hurried = settled();
        let before = anchor(&hurried);
        (0..300).for_each(|_| hurried.learn(&login(60, 0.4, 0.0), &parameters(), 61));
        assert_eq!(anchor(&hurried), before, "300 logins of the day after the last move");
        hurried.learn(&login(60, 0.4, 0.0), &parameters(), 70);
        assert_ne!(anchor(&hurried), before);
        let mut seldom = settled();
        learn(&mut seldom, 70..89, |_| (0.4, 0.0), Lesson::Full);
        assert_eq!(anchor(&seldom), before);
    }

    #[test]
    fn young_profiles_long_phrases_and_models_of_before_have_no_anchor() {
        let mut young = PhraseProfile::new(&login(0, 0.0, 0.0));
        learn(&mut young, 0..u32::from(ANCHOR_COUNT_MIN) - 1, |_| (0.0, 0.0), Lesson::Confirmed);
        assert_eq!((ratio(&young, 0.0), young.anchored()), (None, false));
        let long = |day: u32| {
            let times = vec![login(day, 0.0, 0.0).times[0]; 2 * (ANCHOR_PRESSES_MAX + 1) - 1];
            PhraseObservation { press_count: 41, times, ..login(day, 0.0, 0.0) }
        };
        let mut profile = PhraseProfile::new(&long(0));
        (0..60).for_each(|day| profile.learn(&long(day), &parameters(), day));
        assert!(!profile.anchored());
        let before = PhraseParameters { anchor: None, ..parameters() };
        let score = settled().score(&login(1, 0.0, 0.0), &before, None);
        assert_eq!(score.map(|score| score.anchor_ratio), Some(None));
    }

    #[test]
    fn the_ratios_join_as_worked_out_by_hand_and_no_change_says_more_than_its_bound() {
        assert!((together(-4.0, -6.0) + 4.0).abs() < 0.002);
        assert!((together(-4.0, 1000f64.ln()) - 2.304).abs() < 0.002);
        assert!((together(3.0, -20.0) - 3.0).abs() < 1e-6);
        let off = |index: usize| if index % 2 == 0 { 0.9 } else { -0.9 };
        let time = |index: usize| DriftTime { kind: index % 2, deviation: off(index / 2), variance: 0.02, clock: 0.0 };
        let bounded = parameters().anchor.map(|anchor| anchor.ratio((0..40).map(time)));
        assert_eq!(bounded, Some(1000f64.ln()));
    }

    #[test]
    fn a_law_is_the_multivariate_t_density_up_to_a_constant_of_its_count() {
        // One time, variance 1 in all, 4 degrees: ln(Γ(2.5) / (Γ(2) 2)) - 2.5 ln(1 + 1/4), π left out.
        let law = DriftLaw { common: [0.4, 0.4], rest: [0.6, 0.6], freedom: 4.0 };
        let time = DriftTime { kind: 0, deviation: 1.0, variance: 1.0, clock: 0.0 };
        let expected = (1.329_340_388_f64 / 2.0).ln() - 2.5 * 1.25f64.ln();
        assert!((law.log_density(std::iter::once(time), true) - expected).abs() < 1e-8);
        for (x, expected) in [(0.5, std::f64::consts::PI.sqrt().ln()), (5.0, 24f64.ln()), (60.0, 184.533_828_861_449_5)]
        {
            assert!((ln_gamma(x) - expected).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn an_anchor_takes_the_bytes_it_says_and_profiles_without_one_are_read() -> Result<(), postcard::Error> {
        let mut profile = settled();
        let with = postcard::to_stdvec(&profile)?;
        assert_eq!(postcard::from_bytes::<PhraseProfile>(&with)?, profile);
        profile.spreads.truncate(TIMES);
        let without = postcard::to_stdvec(&profile)?;
        assert!(with.len() - without.len() <= anchor_bytes(11), "{} {}", with.len(), without.len());
        let read: PhraseProfile = postcard::from_bytes(&without)?;
        assert!(!read.anchored() && ratio(&read, 0.0).is_none());
        assert_eq!([4, 32, 40, 41].map(anchor_bytes), [12, 68, 45, 0]);
        Ok(())
    }

    #[test]
    fn an_anchor_cut_short_in_a_store_is_unsound_and_not_walked_off() {
        let mut profile = settled();
        assert!(profile.sound());
        profile.spreads.truncate(TIMES + HEADER_WORDS + 2);
        assert!(!profile.sound());
        learn(&mut profile, 60..120, |_| (0.0, 0.0), Lesson::Full);
        assert!(ratio(&profile, 0.0).is_some());
        profile.spreads.truncate(TIMES + 1);
        assert!(!profile.sound());
        learn(&mut profile, 120..150, |_| (0.0, 0.0), Lesson::Full);
        assert!(profile.sound());
    }
}
