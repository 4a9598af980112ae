//! All sessions of a worker together: evidence by finding, levelling off with sessions, fading with time.
//!
//! Each finding keeps how many sessions showed it, their mean score and the days it stood out. A satellite user's
//! jitter is there every day: the sessions share one cause, so the mean of many sessions weighs little more than that
//! of ten. No finding reaches the threshold alone, but physics sustained over days.
//!
//! Worked example: twelve sessions with `remote_input.pointer` around 4 give a mean of 4; with between-worker variance
//! 2 and session variance 4 the worker's mean has variance 2.33, g = 6 / 2.33 * 3 = 7.7, capped at 5: the reason
//! says +5.0, and with `crowd.site` at +2.5 the worker stands at 7.5, above 6.9. Had sixty sessions at -4 gone before,
//! the mean of all were -2.7 and would say -.3; the latest days alone say what they said: ln(.5 e^-.3 + .5 e^5) = +4.3.

use super::days::Stood;
use super::reasons::{self, Evidence, Reason, ReasonCode};
use super::verdict::FamilyAssessment;
use crate::evidence::feature::{Baseline, CoverageStatus, Family, Features, Finding};
use crate::model::standing_model::{FindingModel, PreparedStanding, StandingModel};
use serde::{Deserialize, Serialize};

/// What is kept of one finding over sessions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// Position in [`Finding::ALL`].
    finding: u8,
    /// Days on which a session stood out on the hostile side.
    day_count: u16,
    /// Last such day, since 1970.
    last_day: i32,
    /// Sessions, after decay.
    count: f32,
    /// Mean capped score, nats.
    mean: f32,
    /// Last session's instant, seconds since 1970.
    last_seconds: i64,
    /// The latest days alone.
    latest: Latest,
}

/// A finding over the latest days: each new day takes the weight of the days before down by the model's
/// `latest_day_count`, so that sessions of one day, which share a cause, never pass for many days.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Latest {
    /// Sessions, after that, in eighths; saturates at 31.875, far past where more would add.
    count_eighths: u8,
    /// Their mean score, hundredths of a nat.
    mean_hundredths: i16,
}

impl Latest {
    fn count(self) -> f64 {
        f64::from(self.count_eighths) / 8.0
    }

    fn mean(self) -> f64 {
        f64::from(self.mean_hundredths) / 100.0
    }

    /// Adds one session's capped score.
    fn add(&mut self, score: f64, new_day: bool, day_count: f64) {
        let kept = if new_day { 1.0 - 1.0 / day_count } else { 1.0 };
        let count = self.count() * kept + 1.0;
        let mean = self.mean() + (score - self.mean()) / count;
        self.count_eighths = (count * 8.0).round().min(255.0) as u8;
        self.mean_hundredths = (mean * 100.0).round() as i16;
    }

    fn shifted(self, shift: f64) -> Self {
        Self { mean_hundredths: ((self.mean() - shift) * 100.0).round() as i16, ..self }
    }
}

/// How a worker stands, in the three steps that watchers are told of.
///
/// Declared in the order in which stores hold it: the first two were once written as "not flagged" and "flagged".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum StandingLevel {
    /// Nothing to speak of.
    #[default]
    Low,
    /// Flagged: at the threshold or above.
    High,
    /// Under the threshold and at least half of the way there.
    Medium,
}

/// Share of the threshold at which a standing becomes [`StandingLevel::Medium`].
const MEDIUM_SHARE: f64 = 0.5;
/// Share of the threshold under which it ceases to be. Lower, so that evidence which hovers is told of once.
const MEDIUM_LEFT_SHARE: f64 = 0.4;

impl StandingLevel {
    fn of(evidence_log_odds: f64, threshold_log_odds: f64, before: Self) -> Self {
        let share = if before == Self::Low { MEDIUM_SHARE } else { MEDIUM_LEFT_SHARE };
        if evidence_log_odds >= threshold_log_odds {
            Self::High
        } else if evidence_log_odds >= share * threshold_log_odds {
            Self::Medium
        } else {
            Self::Low
        }
    }
}

/// What a reviewer has cleared of one finding: the level that was explained, and what was seen since.
///
/// The worker's own statistics go on beside it untouched, so that a clearance withdrawn leaves no trace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Clearance {
    /// The reason.
    code: ReasonCode,
    /// Mean score the review explained, nats; absent when the finding had not been seen.
    explained_mean: Option<f32>,
    /// Latest session the review could know of, seconds since 1970. What is older is explained however late it comes.
    until_seconds: i64,
    /// Sessions since.
    since: Kept,
}

impl Clearance {
    /// How far the explained level lies above the honest mean, nats: sessions since are measured from there.
    fn shift(&self, entry: &FindingModel) -> f64 {
        self.explained_mean.map_or(0.0, |mean| (f64::from(mean) - entry.honest_mean).max(0.0))
    }

    /// What of `evidence` still counts: never more than it, and only what sessions since show beyond what was explained.
    fn leaves(&self, evidence: f64, entry: &FindingModel, prepared: &PreparedStanding, seconds: i64) -> f64 {
        if evidence <= 0.0 || self.since.count <= 0.0 {
            return evidence.min(0.0);
        }
        let shift = self.shift(entry);
        let latest = self.since.latest.shifted(shift);
        let beyond = Kept { mean: self.since.mean - shift as f32, latest, ..self.since };
        beyond.evidence(entry, prepared, seconds).evidence.clamp(0.0, evidence)
    }
}

/// What is kept of a worker's sessions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Standing {
    kept: Vec<Kept>,
    session_count: u32,
    day_count: u32,
    last_day: i32,
    level: StandingLevel,
    flag_micros: Option<i64>,
    cleared: Vec<Clearance>,
}

/// A standing as record format 1 holds it: without the latest days.
#[derive(Deserialize)]
pub struct FirstStanding {
    kept: Vec<FirstKept>,
    session_count: u32,
    day_count: u32,
    last_day: i32,
    level: StandingLevel,
    flag_micros: Option<i64>,
    cleared: Vec<FirstClearance>,
}

#[derive(Deserialize)]
struct FirstKept {
    finding: u8,
    day_count: u16,
    last_day: i32,
    count: f32,
    mean: f32,
    last_seconds: i64,
}

#[derive(Deserialize)]
struct FirstClearance {
    code: ReasonCode,
    explained_mean: Option<f32>,
    until_seconds: i64,
    since: FirstKept,
}

impl From<FirstKept> for Kept {
    fn from(first: FirstKept) -> Self {
        let FirstKept { finding, day_count, last_day, count, mean, last_seconds } = first;
        Self { finding, day_count, last_day, count, mean, last_seconds, latest: Latest::default() }
    }
}

impl From<FirstStanding> for Standing {
    fn from(first: FirstStanding) -> Self {
        let FirstStanding { kept, session_count, day_count, last_day, level, flag_micros, cleared } = first;
        let clearance = |one: FirstClearance| {
            let FirstClearance { code, explained_mean, until_seconds, since } = one;
            Clearance { code, explained_mean, until_seconds, since: since.into() }
        };
        let kept = kept.into_iter().map(Kept::from).collect();
        let cleared = cleared.into_iter().map(clearance).collect();
        Self { kept, session_count, day_count, last_day, level, flag_micros, cleared }
    }
}

/// What one finding showed over a worker's sessions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// The finding.
    pub finding: Finding,
    /// Sessions, faded as they were added; 1 where the score speaks of all.
    pub session_count: f64,
    /// Their mean capped score, nats.
    pub mean: f64,
}

/// What all sessions of a worker together say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WorkerStanding {
    /// Log-likelihood ratio over all sessions, nats; no prior in it.
    pub evidence_log_odds: f64,
    /// Whether it stands above the threshold.
    pub flagged: bool,
    /// When `flagged` last became true, microseconds since 1970.
    pub flag_micros: Option<i64>,
    /// Expected false flags per worker-month the threshold was set by.
    pub false_flag_budget: f64,
    /// Threshold in force, nats.
    pub threshold_log_odds: f64,
    /// What each family adds.
    pub families: Vec<FamilyAssessment>,
    /// Sessions the evidence comes from.
    pub session_count: u32,
    /// Days with a session.
    pub day_count: u32,
    /// Why, largest first; with the residual they add up to the evidence.
    pub reasons: Vec<Reason>,
    /// Contributions too small to be listed.
    pub residual_log_odds: f64,
    /// Reasons a reviewer has cleared.
    pub cleared_reasons: Vec<ReasonCode>,
}

/// Sessions closer than this to the honest mean do not make a day stand out, as a share of the way to the hostile one.
const STANDING_OUT_SHARE: f64 = 0.5;

fn decay(seconds: i64, half_life_days: f64) -> f64 {
    if seconds <= 0 {
        return 1.0;
    }
    let days = seconds as f64 / 86_400.0;
    (-days * std::f64::consts::LN_2 / half_life_days).exp()
}

/// Number of no finding: for clearances of reasons that no finding of this release is told as.
const NO_FINDING: u8 = u8::MAX;

impl Kept {
    fn none(finding: u8, last_seconds: i64) -> Self {
        let latest = Latest::default();
        Self { finding, day_count: 0, last_day: i32::MIN, count: 0.0, mean: 0.0, last_seconds, latest }
    }

    /// Adds one session's score. A day stands out when the score lies past the middle, `shift` nats further up.
    fn add(&mut self, score: f64, shift: f64, entry: &FindingModel, model: &StandingModel, (seconds, day): (i64, i32)) {
        let capped = entry.counted(score);
        if entry.cumulative {
            (self.count, self.mean) = (1.0, capped as f32);
        } else {
            let faded = decay(seconds - self.last_seconds, model.half_life_days) as f32;
            self.count = self.count * faded + 1.0;
            self.mean += (capped as f32 - self.mean) / self.count;
            let new_day = i64::from(day) > self.last_seconds.div_euclid(DAY_SECONDS);
            self.latest.add(capped, new_day, model.latest_day_count);
        }
        self.last_seconds = self.last_seconds.max(seconds);
        let line = entry.honest_mean + STANDING_OUT_SHARE * (entry.hostile_mean - entry.honest_mean);
        if score - shift > line && day > self.last_day {
            self.day_count = self.day_count.saturating_add(1);
            self.last_day = day;
        }
    }

    /// What the sessions so far add as of an instant; and what they say without age or cap.
    fn evidence(&self, entry: &FindingModel, prepared: &PreparedStanding, now_seconds: i64) -> Said {
        let faded = decay(now_seconds - self.last_seconds, prepared.model.half_life_days);
        let all_along = self.all_along(entry, prepared, faded);
        let weight = prepared.model.latest_weight;
        if entry.cumulative || weight <= 0.0 || self.latest.count_eighths == 0 {
            return all_along;
        }
        let (mean, own) = (self.latest.mean(), self.latest.count());
        let of_late = Said {
            evidence: entry.log_likelihood_ratio(mean, own * faded).min(self.evidence_max(entry, prepared)),
            log_likelihood_ratio: entry.log_likelihood_ratio(mean, own),
        };
        Said {
            evidence: log_mean(all_along.evidence, of_late.evidence, weight),
            log_likelihood_ratio: log_mean(all_along.log_likelihood_ratio, of_late.log_likelihood_ratio, weight),
        }
    }

    /// Most the finding may add: more once it was seen on enough days.
    fn evidence_max(&self, entry: &FindingModel, prepared: &PreparedStanding) -> f64 {
        let sustained = u32::from(self.day_count) >= prepared.model.sustained_day_count;
        if sustained { entry.evidence_max_sustained } else { entry.evidence_max }
    }

    /// What all sessions say as one.
    fn all_along(&self, entry: &FindingModel, prepared: &PreparedStanding, faded: f64) -> Said {
        let (mean, own) = (f64::from(self.mean), f64::from(self.count));
        let count = if entry.cumulative { 1.0 } else { own * faded };
        let ratio = entry.log_likelihood_ratio(mean, count);
        // Mostly one count and so one ratio: a session that is being scored has not faded.
        let log_likelihood_ratio = if count == own { ratio } else { entry.log_likelihood_ratio(mean, own) };
        // What is cumulative by nature speaks for all sessions, so its age fades the ratio and not a count.
        let ratio = if entry.cumulative { ratio * faded } else { ratio };
        Said { evidence: ratio.min(self.evidence_max(entry, prepared)), log_likelihood_ratio }
    }

    /// The memory that says more, as mean and count: all sessions, or the latest days.
    fn telling(&self, entry: &FindingModel, prepared: &PreparedStanding) -> (f64, f64) {
        let all = (f64::from(self.mean), f64::from(self.count));
        let late = (self.latest.mean(), self.latest.count());
        let lately = !entry.cumulative
            && prepared.model.latest_weight > 0.0
            && self.latest.count_eighths > 0
            && entry.log_likelihood_ratio(late.0, late.1) > entry.log_likelihood_ratio(all.0, all.1).max(0.0);
        if lately { late } else { all }
    }
}

/// ln((1 - weight) e^a + weight e^b).
fn log_mean(a: f64, b: f64, weight: f64) -> f64 {
    let greatest = a.max(b);
    greatest + ((1.0 - weight) * (a - greatest).exp() + weight * (b - greatest).exp()).ln()
}

const DAY_SECONDS: i64 = 86_400;

/// What one finding's sessions say, nats.
#[derive(Clone, Copy)]
struct Said {
    /// Faded and capped.
    evidence: f64,
    /// Neither.
    log_likelihood_ratio: f64,
}

/// Seconds of the years 1 to 9999, which is what a time on the wire can say.
const SECONDS: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;

impl Kept {
    /// Findings of another release are no fault: they are passed over.
    fn sound(&self) -> bool {
        let numbers = self.count.is_finite() && self.count >= 0.0 && self.mean.is_finite();
        numbers && SECONDS.contains(&self.last_seconds)
    }
}

impl Standing {
    /// Names what in a standing read back no session can have left there. `None` when sound.
    pub fn unsound(&self) -> Option<&'static str> {
        if !self.kept.iter().all(Kept::sound) {
            return Some("standing.kept");
        }
        let explained = |one: &Clearance| one.explained_mean.is_none_or(|mean| mean.is_finite());
        if !self.cleared.iter().all(|one| explained(one) && one.since.sound()) {
            return Some("standing.cleared");
        }
        None
    }

    /// Adds one session's findings and updates the flag.
    pub fn add(&mut self, features: &Features, prepared: &PreparedStanding, time_micros: i64) -> Stood {
        let seconds = time_micros.div_euclid(1_000_000);
        let day = i32::try_from(seconds.div_euclid(86_400)).unwrap_or(i32::MAX);
        self.session_count = self.session_count.saturating_add(1);
        if self.day_count == 0 || day > self.last_day {
            self.day_count = self.day_count.saturating_add(1);
            self.last_day = day;
        }
        for finding in Finding::ALL {
            if let (Some(score), Some(entry)) = (features.get(finding.score()), prepared.of(*finding)) {
                self.add_finding(*finding, score, entry, &prepared.model, (seconds, day));
            }
        }
        self.settle(prepared, time_micros)
    }

    /// Brings the level up to date as of an instant; evidence fades without sessions too.
    pub fn settle(&mut self, prepared: &PreparedStanding, now_micros: i64) -> Stood {
        let (mut evidence, mut most, mut top) = (0.0, 0.0, None);
        for (finding, _, _, said) in self.contributions(prepared, now_micros.div_euclid(1_000_000)) {
            evidence += said.evidence;
            if said.evidence > most {
                (most, top) = (said.evidence, Some(ReasonCode::of(finding)));
            }
        }
        let level = StandingLevel::of(evidence, prepared.model.threshold_log_odds, self.level);
        if level == StandingLevel::High && self.level != StandingLevel::High {
            self.flag_micros = Some(now_micros);
        }
        self.level = level;
        Stood { evidence_log_odds: evidence, flagged: self.flagged(), top }
    }

    /// Raises what is cumulative by nature (links) to what another worker's event showed, without counting a session.
    ///
    /// Never lowers: the worker's own next event measures anew.
    pub fn implicate(&mut self, features: &Features, prepared: &PreparedStanding, time_micros: i64) -> Stood {
        let seconds = time_micros.div_euclid(1_000_000);
        let day = i32::try_from(seconds.div_euclid(86_400)).unwrap_or(i32::MAX);
        for finding in Finding::ALL {
            let (Some(score), Some(entry)) = (features.get(finding.score()), prepared.of(*finding)) else { continue };
            let index = finding.index() as u8;
            let mean = self.kept.iter().find(|kept| kept.finding == index).map(|kept| f64::from(kept.mean));
            if entry.cumulative && mean.is_none_or(|mean| score > mean) {
                self.add_finding(*finding, score, entry, &prepared.model, (seconds, day));
            }
        }
        self.settle(prepared, time_micros)
    }

    fn add_finding(
        &mut self,
        finding: Finding,
        score: f64,
        entry: &FindingModel,
        model: &StandingModel,
        at: (i64, i32),
    ) {
        let index = finding.index() as u8;
        let position = self.kept.iter().position(|kept| kept.finding == index).unwrap_or_else(|| {
            self.kept.push(Kept::none(index, at.0));
            self.kept.len() - 1
        });
        self.kept[position].add(score, 0.0, entry, model, at);
        for clearance in self.cleared.iter_mut().filter(|one| one.since.finding == index && at.0 > one.until_seconds) {
            let shift = clearance.shift(entry);
            clearance.since.add(score, shift, entry, model, at);
        }
    }

    /// Makes the cleared reasons those of `wanted`. Of these, `fresh` are cleared as of now, at the level seen so far;
    /// the others keep the level they were cleared at. What is not wanted counts again as if never cleared.
    pub fn clear(
        &mut self,
        wanted: &[ReasonCode],
        fresh: &[ReasonCode],
        prepared: &PreparedStanding,
        now_micros: i64,
    ) -> Stood {
        self.cleared.retain(|one| wanted.contains(&one.code) && !fresh.contains(&one.code));
        for code in wanted {
            if self.cleared.iter().any(|one| one.code == *code) {
                continue;
            }
            let mut told_as: Vec<u8> = Finding::ALL
                .iter()
                .filter(|finding| ReasonCode::of(**finding) == *code)
                .map(|finding| finding.index() as u8)
                .collect();
            if told_as.is_empty() {
                told_as.push(NO_FINDING);
            }
            for finding in told_as {
                let seen = self.kept.iter().find(|kept| kept.finding == finding);
                let until_seconds = seen.map_or(i64::MIN, |kept| kept.last_seconds);
                self.cleared.push(Clearance {
                    code: *code,
                    explained_mean: seen.map(|kept| kept.mean),
                    until_seconds,
                    since: Kept::none(finding, seen.map_or(0, |kept| kept.last_seconds)),
                });
            }
        }
        self.cleared.sort_by_key(|one| (one.code, one.since.finding));
        self.settle(prepared, now_micros)
    }

    fn clearance(&self, finding: u8) -> Option<&Clearance> {
        self.cleared.iter().find(|one| one.since.finding == finding)
    }

    fn contributions<'a>(
        &'a self,
        prepared: &'a PreparedStanding,
        seconds: i64,
    ) -> impl Iterator<Item = (Finding, &'a Kept, &'a FindingModel, Said)> + 'a {
        self.kept.iter().filter_map(move |kept| {
            let finding = *Finding::ALL.get(usize::from(kept.finding))?;
            let entry = prepared.of(finding)?;
            let said = kept.evidence(entry, prepared, seconds);
            let clearance = self.clearance(kept.finding);
            let evidence = clearance.map_or(said.evidence, |one| one.leaves(said.evidence, entry, prepared, seconds));
            Some((finding, kept, entry, Said { evidence, ..said }))
        })
    }

    /// What each finding showed over the worker's sessions, whatever was cleared of it: what recalibration reads.
    pub fn shown(&self) -> impl Iterator<Item = Shown> + '_ {
        self.kept.iter().filter_map(|kept| {
            let finding = *Finding::ALL.get(usize::from(kept.finding))?;
            Some(Shown { finding, session_count: f64::from(kept.count), mean: f64::from(kept.mean) })
        })
    }

    /// The standing as it were if nothing had been cleared.
    #[must_use]
    pub fn uncleared(&self) -> Self {
        Self { cleared: Vec::new(), ..self.clone() }
    }

    /// When the worker was last flagged, microseconds since 1970.
    pub fn flag_micros(&self) -> Option<i64> {
        self.flag_micros
    }

    /// How the worker stood when last looked at.
    pub fn level(&self) -> StandingLevel {
        self.level
    }

    /// Sessions counted so far.
    pub fn session_count(&self) -> u32 {
        self.session_count
    }

    /// Whether the worker was flagged after the last session.
    pub fn flagged(&self) -> bool {
        self.level == StandingLevel::High
    }

    /// The standing as of an instant, with its reasons.
    pub fn report(&self, prepared: &PreparedStanding, now_micros: i64) -> WorkerStanding {
        let seconds = now_micros.div_euclid(1_000_000);
        let mut families: Vec<FamilyAssessment> = Family::ALL
            .iter()
            .map(|family| FamilyAssessment {
                family: *family as u8,
                status: CoverageStatus::Absent,
                sample_count: 0,
                contribution_log_odds: 0.0,
                log_likelihood_ratio: 0.0,
            })
            .collect();
        let mut found = Vec::with_capacity(self.kept.len());
        let mut evidence_log_odds = 0.0;
        for (finding, kept, entry, Said { evidence, log_likelihood_ratio }) in self.contributions(prepared, seconds) {
            let family = &mut families[finding.family().index()];
            family.status = CoverageStatus::Used;
            family.sample_count = family.sample_count.max(kept.count.round() as u32);
            family.contribution_log_odds += evidence;
            family.log_likelihood_ratio += log_likelihood_ratio;
            evidence_log_odds += evidence;
            found.push(Reason {
                code: ReasonCode::of(finding),
                contribution_log_odds: evidence,
                evidence: vec![mean_beside_expectation(finding, kept, entry, self.clearance(kept.finding), prepared)],
            });
        }
        let (reasons, residual_log_odds) = reasons::listed(found);
        // In order of codes already, one entry per finding.
        let mut cleared_reasons: Vec<ReasonCode> = self.cleared.iter().map(|clearance| clearance.code).collect();
        cleared_reasons.dedup();
        WorkerStanding {
            evidence_log_odds,
            flagged: evidence_log_odds >= prepared.model.threshold_log_odds,
            flag_micros: self.flag_micros,
            false_flag_budget: prepared.model.false_flag_budget,
            threshold_log_odds: prepared.model.threshold_log_odds,
            families,
            session_count: self.session_count,
            day_count: self.day_count,
            reasons,
            residual_log_odds,
            cleared_reasons,
        }
    }
}

/// The mean score over sessions, or over the latest days where these say more, beside what honest workers' means of as
/// many sessions are: 1.645 standard deviations either way. Of a cleared finding the sessions since, beside the level
/// that was explained.
fn mean_beside_expectation(
    finding: Finding,
    kept: &Kept,
    entry: &FindingModel,
    clearance: Option<&Clearance>,
    prepared: &PreparedStanding,
) -> Evidence {
    let since = clearance.filter(|one| one.since.count > 0.0);
    let (kept, shift) = since.map_or((kept, 0.0), |one| (&one.since, one.shift(entry)));
    let (mean, count) = kept.telling(entry, prepared);
    let variance = entry.between_variance + entry.within_variance / count.max(1.0);
    let half_width = 1.645 * variance.sqrt();
    Evidence {
        feature: finding.score().name().into(),
        value: mean,
        expected_low: Some(entry.honest_mean + shift - half_width),
        expected_high: Some(entry.honest_mean + shift + half_width),
        baseline: Some(Baseline::Population),
    }
}

#[cfg(test)]
mod tests;
