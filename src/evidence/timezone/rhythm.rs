//! Session starts to a belief in UTC offsets: a mixture of weekly templates laid over candidate offsets.
//!
//! A template is a distribution of session starts over the 168 hours of a local week; a candidate is a standard offset
//! with a rule for summer time. The likelihood of a candidate is the mixture over templates of the starts' product,
//! tempered because starts of one person are not independent draws: the person's chronotype is common to all of them.
//! Starts are kept by half of the year, so that a candidate with summer time is judged by the right local hour in both.

use super::Parameters;
use super::clock::{self, ClockChange};
use super::profile::{Profile, START_UNITS};
pub use super::template::{Candidate, RhythmParameters, RhythmStored, Template};
use crate::event::EventTime;

/// Hours of a week.
pub const HOURS_PER_WEEK: usize = 168;
/// Hours of a week in both halves of the year.
pub const CELLS: usize = 2 * HOURS_PER_WEEK;
/// Westernmost whole offset, hours.
pub(super) const LANE_FIRST_HOURS: i32 = -12;
/// Whole offsets side by side, -12 to +15: one more than the easternmost, for its summer time.
pub const LANES: usize = 28;
/// Most candidates, templates: what fixed buffers hold.
pub const CANDIDATES_MAX: usize = 96;
/// See [`CANDIDATES_MAX`].
pub const TEMPLATES_MAX: usize = 16;
/// Beliefs under this are left out of a verdict. The contract's figure.
const BELIEF_SHOWN_MIN: f64 = 0.01;
/// Westernmost offset of a candidate, minutes.
const OFFSET_FIRST_MINUTES: i32 = -720;
/// Half hours from there to +15:00.
const HALF_HOURS: usize = 55;
/// Candidates at most this far from a claimed offset count as the claim's own, minutes.
pub const CLAIM_NEAR_MINUTES: i32 = 60;

/// Belief in each candidate, and what the starts say of each.
#[derive(Debug, Clone, Copy)]
pub struct Belief {
    /// Tempered likelihood of the starts under each candidate; the best template of the best lane has likelihood 1.
    likelihood: [f64; CANDIDATES_MAX],
    /// Posterior probability of each candidate; adds up to 1.
    probability: [f64; CANDIDATES_MAX],
    /// Offset in force at the instant asked about under each candidate, minutes east.
    offset_minutes: [i32; CANDIDATES_MAX],
    count: usize,
    /// Session starts behind it, faded.
    pub start_count: f64,
}

/// One number per whole offset.
type Lanes = [f32; LANES];
/// Lanes that are computed together: what every machine's vectors hold.
const GROUP: usize = 4;
/// Groups of lanes side by side.
pub(super) const GROUPS: usize = LANES / GROUP;
/// By rule, which groups of lanes a candidate lies in. Of the others nobody asks the likelihood.
pub(super) type Asked = [[bool; GROUPS]; 4];

// INVARIANT: groups cover the lanes.
const _: () = assert!(GROUPS * GROUP == LANES);
/// By rule and lane: no summer time, northern, southern, and half an hour east with no summer time.
type LaneTable = [Lanes; 4];

/// `exp` for arguments at most 0, to 1e-6 relative; below -87 it stays at exp(-87). A polynomial, so that it vectorises
/// and is equal on every machine.
#[inline(always)]
fn exp_lane(x: f32) -> f32 {
    // 2^23 x 1.5: adding it rounds to the nearest whole and leaves that whole in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let scaled = x.max(-87.0) * std::f32::consts::LOG2_E;
    let rounded = scaled + ROUND;
    let rest = (scaled - (rounded - ROUND)) * std::f32::consts::LN_2;
    // Taylor to the fifth order on [-.347, .347].
    let series = 1.0 + rest * (1.0 + rest * (0.5 + rest * (1.0 / 6.0 + rest * (1.0 / 24.0 + rest * (1.0 / 120.0)))));
    f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23)) * series
}

/// Sum over cells of weight times the template's log probability, in every lane.
fn cell_sums(wrapped: &[f32], cells: &[(usize, f32)]) -> Lanes {
    let mut sums = [0.0; LANES];
    for (hour, weight) in cells {
        let Some(row) = wrapped.get(*hour..).and_then(|rest| rest.first_chunk::<LANES>()) else { continue };
        for lane in 0..LANES {
            sums[lane] += weight * row[lane];
        }
    }
    sums
}

/// Tempered log-likelihood of one template under every rule and lane.
fn template_lanes(log_share: f32, temper: f32, winter: &Lanes, summer: &Lanes) -> LaneTable {
    let next = |lanes: &Lanes| -> Lanes { std::array::from_fn(|lane| lanes[(lane + 1).min(LANES - 1)]) };
    let (winter_next, summer_next) = (next(winter), next(summer));
    let mut table = [[0.0; LANES]; 4];
    for lane in 0..LANES {
        let whole = winter[lane] + summer[lane];
        table[0][lane] = log_share + temper * whole;
        table[1][lane] = log_share + temper * (winter[lane] + summer_next[lane]);
        table[2][lane] = log_share + temper * (winter_next[lane] + summer[lane]);
        table[3][lane] = log_share + temper * 0.5 * (whole + winter_next[lane] + summer_next[lane]);
    }
    table
}

/// Likelihood of the mixture over templates, by rule and lane, relative to the best template of the best lane; 0 in
/// groups of lanes that no candidate lies in.
fn mixture_lanes(
    parameters: &RhythmParameters,
    temper: f32,
    winter: &[(usize, f32)],
    summer: &[(usize, f32)],
) -> LaneTable {
    let mut tables = [[[0.0_f32; LANES]; 4]; TEMPLATES_MAX];
    let count = parameters.wrapped.len().min(TEMPLATES_MAX);
    let mut best = [f32::MIN; LANES];
    for (index, table) in tables.iter_mut().enumerate().take(count) {
        let wrapped = &parameters.wrapped[index];
        let (in_winter, in_summer) = (cell_sums(wrapped, winter), cell_sums(wrapped, summer));
        *table = template_lanes(parameters.log_shares[index], temper, &in_winter, &in_summer);
        for rule in table.iter() {
            for lane in 0..LANES {
                best[lane] = if rule[lane] > best[lane] { rule[lane] } else { best[lane] };
            }
        }
    }
    let best = best.iter().copied().fold(f32::MIN, f32::max);
    let mut sums = [[0.0_f32; LANES]; 4];
    for table in tables.iter().take(count) {
        for ((sum, rule), asked) in sums.iter_mut().zip(table).zip(&parameters.asked) {
            let (sums, _) = sum.as_chunks_mut::<GROUP>();
            let (rules, _) = rule.as_chunks::<GROUP>();
            for (sum, rule) in sums.iter_mut().zip(rules).zip(asked).filter_map(|(pair, asked)| asked.then_some(pair)) {
                for lane in 0..GROUP {
                    sum[lane] += exp_lane(rule[lane] - best);
                }
            }
        }
    }
    sums
}

/// Belief from the starts in a profile and, where `own_start` is given, one more at that cell.
///
/// `None` without any start.
pub fn belief(
    profile: &Profile,
    own_start: Option<u16>,
    parameters: &RhythmParameters,
    time: EventTime,
) -> Option<Belief> {
    let mut cells = [(0_usize, 0.0_f32); CELLS + 1];
    let mut count = 0;
    let mut winter_count = 0;
    let mut total = 0.0_f64;
    let remembered = profile.cells.iter().map(|(cell, units)| (*cell, f32::from(*units) / f32::from(START_UNITS)));
    // Winter cells come first since cells rise; the own start goes to the end of its half.
    for half in 0..2 {
        let own = own_start.map(|cell| (cell, 1.0));
        for (cell, weight) in remembered.clone().chain(own) {
            let cell = usize::from(cell);
            if cell / HOURS_PER_WEEK == half && count < cells.len() {
                cells[count] = (cell % HOURS_PER_WEEK, weight);
                count += 1;
                total += f64::from(weight);
            }
        }
        if half == 0 {
            winter_count = count;
        }
    }
    if total <= 0.0 {
        return None;
    }
    let temper = parameters.temper / (1.0 + total / parameters.temper_half_count);
    let (winter, summer) = cells[..count].split_at(winter_count);
    let lanes = mixture_lanes(parameters, temper as f32, winter, summer);
    Some(posterior(&lanes, parameters, time, total))
}

/// Rule and lane of a candidate.
fn place_of(candidate: &Candidate) -> (usize, usize) {
    let minutes = candidate.standard_minutes;
    let lane = (minutes.div_euclid(60) - LANE_FIRST_HOURS).clamp(0, LANES as i32 - 1) as usize;
    let rule = match candidate.change {
        _ if minutes.rem_euclid(60) != 0 => 3,
        ClockChange::None => 0,
        ClockChange::Northern => 1,
        ClockChange::Southern => 2,
    };
    (rule, lane)
}

/// The groups of lanes that candidates lie in.
pub(super) fn asked(candidates: &[Candidate]) -> Asked {
    let mut asked = Asked::default();
    for (rule, lane) in candidates.iter().map(place_of) {
        asked[rule][lane / GROUP] = true;
    }
    asked
}

fn posterior(lanes: &LaneTable, parameters: &RhythmParameters, time: EventTime, start_count: f64) -> Belief {
    let mut belief = Belief {
        likelihood: [0.0; CANDIDATES_MAX],
        probability: [0.0; CANDIDATES_MAX],
        offset_minutes: [0; CANDIDATES_MAX],
        count: parameters.candidates.len().min(CANDIDATES_MAX),
        start_count,
    };
    let in_force = InForce::at(time);
    let mut sum = 0.0;
    for (index, candidate) in parameters.candidates.iter().enumerate().take(belief.count) {
        let (rule, lane) = place_of(candidate);
        belief.likelihood[index] = f64::from(lanes[rule][lane]);
        belief.offset_minutes[index] = candidate.standard_minutes + in_force.ahead_minutes(candidate);
        belief.probability[index] = candidate.share * belief.likelihood[index];
        sum += belief.probability[index];
    }
    for probability in &mut belief.probability[..belief.count] {
        // INVARIANT: shares are over 0 and no lane's likelihood falls under exp(-87), so the sum is over 0.
        *probability /= sum;
    }
    belief
}

/// Which summer times are in force at one instant.
struct InForce {
    west: bool,
    east: bool,
    south: bool,
}

impl InForce {
    fn at(time: EventTime) -> Self {
        Self {
            west: clock::summer_time(ClockChange::Northern, -300, time),
            east: clock::summer_time(ClockChange::Northern, 60, time),
            south: clock::summer_time(ClockChange::Southern, 600, time),
        }
    }

    fn ahead_minutes(&self, candidate: &Candidate) -> i32 {
        let ahead = match candidate.change {
            ClockChange::None => false,
            ClockChange::Northern if candidate.standard_minutes <= -180 => self.west,
            ClockChange::Northern => self.east,
            ClockChange::Southern => self.south,
        };
        if ahead { 60 } else { 0 }
    }
}

impl Belief {
    /// Probability by offset in force, half hours from [`OFFSET_FIRST_MINUTES`] on; adds up to 1.
    fn by_half_hour(&self) -> [f64; HALF_HOURS] {
        let mut table = [0.0; HALF_HOURS];
        for index in 0..self.count {
            let step = (self.offset_minutes[index] - OFFSET_FIRST_MINUTES) / 30;
            table[step.clamp(0, HALF_HOURS as i32 - 1) as usize] += self.probability[index];
        }
        table
    }

    /// Offsets in force with at least `probability_min`, by rising offset: minutes east and probability.
    pub fn by_offset(&self, probability_min: f64) -> Vec<(i32, f64)> {
        let table = self.by_half_hour();
        let held = |(_, probability): &(i32, f64)| *probability > 0.0 && *probability >= probability_min;
        (0..).map(|step| OFFSET_FIRST_MINUTES + 30 * step).zip(table).filter(held).collect()
    }

    /// Entries a verdict shows: under 1 % are left out.
    pub fn shown(&self) -> Vec<(i32, f64)> {
        self.by_offset(BELIEF_SHOWN_MIN)
    }

    /// The offset with half of the belief on either side, the circle being cut opposite to the likeliest offset;
    /// minutes east.
    pub fn median_offset_minutes(&self) -> i32 {
        let table = self.by_half_hour();
        let likeliest = (0..HALF_HOURS).max_by(|a, b| table[*a].total_cmp(&table[*b])).unwrap_or(0) as i32;
        // Offsets half a day and more to the west or the east come round on the other side.
        let mut sum = 0.0;
        for step in likeliest - 24..likeliest + 24 {
            // -12:00 and +12:00 show one sun, as do their neighbours.
            for same in [step - 48, step, step + 48] {
                if let Some(probability) = usize::try_from(same).ok().and_then(|same| table.get(same)) {
                    sum += probability;
                    if sum >= 0.5 {
                        return OFFSET_FIRST_MINUTES + 30 * same;
                    }
                }
            }
        }
        OFFSET_FIRST_MINUTES + 30 * likeliest
    }

    /// Probability that the offset lies within an hour of one of the claimed ones.
    pub fn near_probability(&self, claimed: &[i32]) -> f64 {
        (0..self.count)
            .filter(|index| near(self.offset_minutes[*index], claimed))
            .map(|index| self.probability[index])
            .sum()
    }

    /// Log-likelihood ratio of the starts, "elsewhere" against "within an hour of the claim", nats, calibrated.
    ///
    /// Elsewhere is half where people live and half anywhere, so that no part of the world is presumed. The ratio is
    /// bounded on both sides by the shares of people who keep other hours than their place's. `None` when every
    /// candidate or none lies near the claim.
    pub fn score(&self, claimed: &[i32], parameters: &RhythmParameters) -> Option<f64> {
        let (mut at_claim, mut at_weight) = (0.0, 0.0);
        let (mut lived, mut lived_weight, mut flat, mut flat_weight) = (0.0, 0.0, 0.0, 0.0);
        for index in 0..self.count {
            let (share, likelihood) = (parameters.candidates[index].share, self.likelihood[index]);
            if near(self.offset_minutes[index], claimed) {
                at_claim += share * likelihood;
                at_weight += share;
            } else {
                lived += share * likelihood;
                lived_weight += share;
                flat += likelihood;
                flat_weight += 1.0;
            }
        }
        if at_weight <= 0.0 || flat_weight <= 0.0 {
            return None;
        }
        let claim = (at_claim / at_weight).max(f64::MIN_POSITIVE);
        let elsewhere = (0.5 * lived / lived_weight + 0.5 * flat / flat_weight).max(f64::MIN_POSITIVE);
        let shortfall = (self.start_count / parameters.full_count).min(1.0);
        let ratio = parameters.score_offset + parameters.score_slope * (elsewhere.ln() - claim.ln());
        Some(shortfall * shortfall * bounded(ratio, parameters.adapted_share, parameters.irregular_share))
    }
}

/// Ratio with both sides mixed: (a + (1 - a) r) / (1 - i + i r) for the ratio r = exp(`log_odds`), in nats.
pub(super) fn bounded(log_odds: f64, adapted_share: f64, irregular_share: f64) -> f64 {
    let ratio = log_odds.clamp(-50.0, 50.0).exp();
    ((adapted_share + (1.0 - adapted_share) * ratio) / (1.0 - irregular_share + irregular_share * ratio)).ln()
}

fn near(offset: i32, claimed: &[i32]) -> bool {
    claimed.iter().any(|own| clock::circular_difference_minutes(offset, *own).abs() <= CLAIM_NEAR_MINUTES)
}

/// Belief in each UTC offset in force at `time`: minutes east and probability, by rising offset; entries under 1 % are
/// left out. Empty before the first session start. Needs no claim.
pub fn offset_beliefs(profile: &Profile, parameters: &Parameters, time: EventTime) -> Vec<(i32, f64)> {
    belief(profile, None, &parameters.rhythm, time).map_or_else(Vec::new, |belief| belief.shown())
}

#[cfg(test)]
mod tests {
    use super::super::profile::cell_of;
    use super::*;

    /// One kind of week: nine starts in ten at 09:00 local, Monday to Friday; three clocks.
    pub(crate) fn office() -> RhythmParameters {
        let mut hours = vec![0.1 / 163.0; HOURS_PER_WEEK];
        for day in 0..5 {
            hours[day * 24 + 9] = 0.9 / 5.0;
        }
        let clock = |standard_minutes, change, share| Candidate { standard_minutes, change, share };
        RhythmParameters::try_from(RhythmStored {
            templates: vec![Template { share: 1.0, hours }],
            candidates: vec![
                clock(-300, ClockChange::Northern, 0.5),
                clock(330, ClockChange::None, 0.1),
                clock(480, ClockChange::None, 0.4),
            ],
            temper: 0.5,
            temper_half_count: 1e6,
            remembered_max: 240.0,
            fade_kept_share: 0.75,
            full_count: 10.0,
            irregular_share: 0.05,
            adapted_share: 0.25,
            score_slope: 1.0,
            score_offset: 0.0,
        })
        .expect("the numbers are sound")
    }

    fn starting_at(cells: &[(u16, u16)]) -> Profile {
        Profile { cells: cells.to_vec(), ..Profile::default() }
    }

    /// 2025-01-06 00:00 UTC, a Monday.
    const MONDAY: EventTime = EventTime(1_736_121_600_000_000);

    #[test]
    fn one_start_moves_the_belief_by_bayes() {
        // Monday 14:00 UTC in winter is 09:00 at -5, 22:00 at +8; half past seven at +5:30 takes the mean of two logs.
        let parameters = office();
        let profile = starting_at(&[(14, START_UNITS)]);
        let beliefs =
            belief(&profile, None, &parameters, MONDAY).map(|belief| belief.by_offset(0.0)).unwrap_or_default();
        let (rare, common) = ((0.1_f64 / 163.0).sqrt(), (0.9_f64 / 5.0).sqrt());
        let sum = 0.5 * common + 0.5 * rare;
        let expected = [(-300, 0.5 * common / sum), (330, 0.1 * rare / sum), (480, 0.4 * rare / sum)];
        assert_eq!(beliefs.len(), 3);
        for ((offset, probability), (own, wanted)) in beliefs.iter().zip(expected) {
            assert_eq!(*offset, own);
            assert!((probability - wanted).abs() < 1e-6, "{own}: {probability} not {wanted}");
        }
    }

    #[test]
    fn summer_hours_are_read_an_hour_ahead_where_clocks_change() {
        // 13:00 UTC in summer is 09:00 at -4: New York again, told in force as -240 in July and -300 in January.
        let parameters = office();
        let profile = starting_at(&[(13 + HOURS_PER_WEEK as u16, 4 * START_UNITS)]);
        let july = EventTime(1_751_846_400_000_000);
        let at = |time| belief(&profile, None, &parameters, time).map(|belief| belief.median_offset_minutes());
        assert_eq!(at(july), Some(-240));
        assert_eq!(at(MONDAY), Some(-300));
    }

    #[test]
    fn no_start_is_no_belief_and_one_own_start_is_one() {
        let parameters = office();
        assert!(belief(&Profile::default(), None, &parameters, MONDAY).is_none());
        let own = belief(&Profile::default(), Some(cell_of(MONDAY)), &parameters, MONDAY);
        assert_eq!(own.map(|belief| belief.start_count), Some(1.0));
    }

    #[test]
    fn a_score_stays_between_its_bounds_and_grows_with_starts() {
        let parameters = office();
        let score = |cell: u16, starts: u16| {
            let profile = starting_at(&[(cell, starts * START_UNITS)]);
            belief(&profile, None, &parameters, MONDAY).and_then(|belief| belief.score(&[-300], &parameters))
        };
        // 01:00 UTC is 09:00 at +8.
        let far: Vec<f64> = [1, 5, 10].iter().filter_map(|starts| score(1, *starts)).collect();
        assert!(far.windows(2).all(|pair| pair[0] < pair[1]), "{far:?}");
        // The ceiling is ln(.75 / .05) = 2.708, the floor ln(.25 / .95) = -1.335.
        assert!(far[0] < 0.1 && far[2] < 2.709, "{far:?}");
        assert!(score(1, 100).is_some_and(|score| (score - 2.708).abs() < 1e-3));
        let near = score(14, 100).unwrap_or_default();
        assert!((near + 1.335).abs() < 1e-3, "{near}");
    }

    #[test]
    fn a_claim_on_an_offset_nobody_holds_scores_nothing() {
        let parameters = office();
        let profile = starting_at(&[(14, START_UNITS)]);
        assert_eq!(
            belief(&profile, None, &parameters, MONDAY).and_then(|belief| belief.score(&[0], &parameters)),
            None
        );
    }

    #[test]
    fn the_fast_exponential_is_right() {
        for step in 0..8_600 {
            let x = -(step as f32) / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp_lane(x)) / exact - 1.0).abs() < 2e-5, "exp({x})");
        }
        assert!(exp_lane(-1e30) > 0.0);
    }

    #[test]
    fn model_text_holds_everything() {
        let parameters = office();
        let text = serde_json::to_string(&parameters).unwrap_or_default();
        assert_eq!(serde_json::from_str::<RhythmParameters>(&text).ok(), Some(parameters));
        assert!(serde_json::from_str::<RhythmParameters>(&text.replace("\"temper\":0.5", "\"temper\":7.0")).is_err());
    }
}
