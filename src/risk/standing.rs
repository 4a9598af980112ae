//! All sessions of a worker together: evidence by finding, levelling off with sessions, fading with time.
//!
//! Each finding keeps how many sessions showed it, their mean score and the days it stood out. A satellite user's
//! jitter is there every day: the sessions share one cause, so the mean of many sessions weighs little more than that
//! of ten. No finding reaches the threshold alone, but physics sustained over days.
//!
//! Worked example: twelve sessions with `remote_input.pointer` around 4 give a mean of 4; with between-worker variance
//! 2 and session variance 4 the worker's mean has variance 2.33, g = 6 / 2.33 * 3 = 7.7, capped at 5: the reason
//! says +5.0, and with `crowd.site` at +2.5 the worker stands at 7.5, above 6.9.

use super::reasons::{self, Evidence, Reason, ReasonCode};
use super::verdict::FamilyAssessment;
use crate::evidence::feature::{Baseline, CoverageStatus, Family, Features, Finding};
use crate::model::standing_model::{FindingModel, PreparedStanding};
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
}

/// What a reviewer has cleared: the reason, and the evidence it had then, nats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Clearance {
    /// The reason.
    pub code: ReasonCode,
    /// What it added when cleared.
    pub evidence_log_odds: f32,
}

/// What is kept of a worker's sessions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Standing {
    kept: Vec<Kept>,
    session_count: u32,
    day_count: u32,
    last_day: i32,
    flagged: bool,
    flag_micros: Option<i64>,
    cleared: Vec<Clearance>,
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

impl Kept {
    /// What the sessions so far add as of an instant; and what they say without age or cap.
    fn evidence(&self, entry: &FindingModel, prepared: &PreparedStanding, now_seconds: i64) -> Said {
        let faded = decay(now_seconds - self.last_seconds, prepared.model.half_life_days);
        let (mean, own) = (f64::from(self.mean), f64::from(self.count));
        let count = if entry.cumulative { 1.0 } else { own * faded };
        let ratio = entry.log_likelihood_ratio(mean, count);
        // Mostly one count and so one ratio: a session that is being scored has not faded.
        let log_likelihood_ratio = if count == own { ratio } else { entry.log_likelihood_ratio(mean, own) };
        // What is cumulative by nature speaks for all sessions, so its age fades the ratio and not a count.
        let ratio = if entry.cumulative { ratio * faded } else { ratio };
        let sustained = u32::from(self.day_count) >= prepared.model.sustained_day_count;
        let evidence = ratio.min(if sustained { entry.evidence_max_sustained } else { entry.evidence_max });
        Said { evidence, log_likelihood_ratio }
    }
}

/// What one finding's sessions say, nats.
#[derive(Clone, Copy)]
struct Said {
    /// Faded and capped.
    evidence: f64,
    /// Neither.
    log_likelihood_ratio: f64,
}

impl Standing {
    /// Adds one session's findings and updates the flag.
    pub fn add(&mut self, features: &Features, prepared: &PreparedStanding, time_micros: i64) {
        let seconds = time_micros.div_euclid(1_000_000);
        let day = i32::try_from(seconds.div_euclid(86_400)).unwrap_or(i32::MAX);
        self.session_count = self.session_count.saturating_add(1);
        if self.day_count == 0 || day > self.last_day {
            self.day_count = self.day_count.saturating_add(1);
            self.last_day = day;
        }
        for finding in Finding::ALL {
            if let (Some(score), Some(entry)) = (features.get(finding.score()), prepared.of(*finding)) {
                self.add_finding(*finding, score, entry, prepared.model.half_life_days, (seconds, day));
            }
        }
        let evidence = self.evidence_log_odds(prepared, seconds);
        let flagged = evidence >= prepared.model.threshold_log_odds;
        if flagged && !self.flagged {
            self.flag_micros = Some(time_micros);
        }
        self.flagged = flagged;
    }

    fn add_finding(&mut self, finding: Finding, score: f64, entry: &FindingModel, half_life: f64, at: (i64, i32)) {
        let (seconds, day) = at;
        let capped = score.clamp(-entry.score_cap, entry.score_cap) as f32;
        let index = finding.index() as u8;
        let position = self.kept.iter().position(|kept| kept.finding == index).unwrap_or_else(|| {
            let last_seconds = seconds;
            self.kept.push(Kept {
                finding: index,
                day_count: 0,
                last_day: i32::MIN,
                count: 0.0,
                mean: 0.0,
                last_seconds,
            });
            self.kept.len() - 1
        });
        let kept = &mut self.kept[position];
        if entry.cumulative {
            (kept.count, kept.mean) = (1.0, capped);
        } else {
            let faded = decay(seconds - kept.last_seconds, half_life) as f32;
            kept.count = kept.count * faded + 1.0;
            kept.mean += (capped - kept.mean) / kept.count;
        }
        kept.last_seconds = kept.last_seconds.max(seconds);
        let line = entry.honest_mean + STANDING_OUT_SHARE * (entry.hostile_mean - entry.honest_mean);
        if score > line && day > kept.last_day {
            kept.day_count = kept.day_count.saturating_add(1);
            kept.last_day = day;
        }
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
            let evidence = self.after_clearance(ReasonCode::of(finding), said.evidence);
            Some((finding, kept, entry, Said { evidence, ..said }))
        })
    }

    /// What is cleared does not count until it grows beyond what was cleared.
    fn after_clearance(&self, code: ReasonCode, evidence: f64) -> f64 {
        let cleared = self.cleared.iter().find(|clearance| clearance.code == code);
        cleared.map_or(evidence, |clearance| evidence - evidence.clamp(0.0, f64::from(clearance.evidence_log_odds)))
    }

    fn evidence_log_odds(&self, prepared: &PreparedStanding, seconds: i64) -> f64 {
        self.contributions(prepared, seconds).fold(0.0, |sum, (_, _, _, said)| sum + said.evidence)
    }

    /// Sessions counted so far.
    pub fn session_count(&self) -> u32 {
        self.session_count
    }

    /// Whether the worker was flagged after the last session.
    pub fn flagged(&self) -> bool {
        self.flagged
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
                evidence: vec![mean_beside_expectation(finding, kept, entry)],
            });
        }
        let (reasons, residual_log_odds) = reasons::listed(found);
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
            cleared_reasons: self.cleared.iter().map(|clearance| clearance.code).collect(),
        }
    }
}

/// The mean score over sessions beside what honest workers' means are: 1.645 standard deviations either way.
fn mean_beside_expectation(finding: Finding, kept: &Kept, entry: &FindingModel) -> Evidence {
    let variance = entry.between_variance + entry.within_variance / f64::from(kept.count.max(1.0));
    let half_width = 1.645 * variance.sqrt();
    Evidence {
        feature: finding.score().name().into(),
        value: f64::from(kept.mean),
        expected_low: Some(entry.honest_mean - half_width),
        expected_high: Some(entry.honest_mean + half_width),
        baseline: Some(Baseline::Population),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::feature::FeatureId;
    use crate::model::StandingModel;

    const DAY: i64 = 86_400_000_000;

    fn entry(finding: &str, evidence_max: f64, evidence_max_sustained: f64) -> FindingModel {
        FindingModel {
            finding: finding.into(),
            honest_mean: -1.0,
            hostile_mean: 4.0,
            between_variance: 1.0,
            within_variance: 1.0,
            hostile_share: 0.3,
            score_cap: 8.0,
            evidence_max,
            evidence_max_sustained,
            cumulative: false,
        }
    }

    fn model() -> PreparedStanding {
        let model = StandingModel {
            findings: vec![entry("remote_input.pointer", 5.0, 5.0), entry("remote_input.loop", 5.0, 10.0)],
            half_life_days: 60.0,
            sustained_day_count: 3,
            false_flag_budget: 1e-3,
            threshold_log_odds: 6.9,
        };
        model.prepare().expect("a sound model")
    }

    fn session(feature: FeatureId, score: f64) -> Features {
        let mut features = Features::default();
        features.set(feature, score);
        features
    }

    fn after(feature: FeatureId, score: f64, days: i64) -> WorkerStanding {
        let (model, features) = (model(), session(feature, score));
        let mut standing = Standing::default();
        (0..days).for_each(|day| standing.add(&features, &model, day * DAY));
        standing.report(&model, (days - 1) * DAY)
    }

    #[test]
    fn no_transport_finding_flags_alone_however_long() {
        let standing = after(FeatureId::RemoteInputPointerLogOdds, 8.0, 90);
        assert!((standing.evidence_log_odds - 5.0).abs() < 1e-9 && !standing.flagged);
    }

    #[test]
    fn physics_flags_alone_once_three_days_have_shown_it() {
        assert!(!after(FeatureId::RemoteInputLoopLogOdds, 8.0, 2).flagged);
        let standing = after(FeatureId::RemoteInputLoopLogOdds, 8.0, 3);
        assert!(standing.flagged && standing.flag_micros == Some(2 * DAY));
    }

    #[test]
    fn a_steady_oddity_levels_off() {
        let at = |days| after(FeatureId::RemoteInputPointerLogOdds, 1.7, days).evidence_log_odds;
        assert!(at(40) - at(20) < 0.1 * (at(20) - at(1)).abs() + 0.05, "{} {} {}", at(1), at(20), at(40));
    }

    #[test]
    fn a_day_of_many_sessions_is_one_day() {
        let (model, features) = (model(), session(FeatureId::RemoteInputLoopLogOdds, 8.0));
        let mut standing = Standing::default();
        (0..10).for_each(|minute| standing.add(&features, &model, minute * 60_000_000));
        let report = standing.report(&model, 600_000_000);
        assert_eq!((report.session_count, report.day_count, report.flagged), (10, 1, false));
    }

    #[test]
    fn old_evidence_fades_and_the_flag_with_it() {
        let (model, features) = (model(), session(FeatureId::RemoteInputLoopLogOdds, 8.0));
        let mut standing = Standing::default();
        (0..5).for_each(|day| standing.add(&features, &model, day * DAY));
        let (now, later) = (standing.report(&model, 4 * DAY), standing.report(&model, 2_000 * DAY));
        assert!(now.flagged && !later.flagged && later.evidence_log_odds < now.evidence_log_odds / 2.0);
        assert_eq!(later.flag_micros, now.flag_micros, "when it last became true is still told");
    }

    #[test]
    fn what_was_cleared_counts_only_beyond_what_was_cleared() {
        let clearance = Clearance { code: ReasonCode::RemoteInputLoopDelay, evidence_log_odds: 3.0 };
        let standing = Standing { cleared: vec![clearance], ..Standing::default() };
        assert_eq!(standing.after_clearance(ReasonCode::RemoteInputLoopDelay, 2.0), 0.0);
        assert_eq!(standing.after_clearance(ReasonCode::RemoteInputLoopDelay, 5.0), 2.0);
        assert_eq!(standing.after_clearance(ReasonCode::CrowdSharedSite, 5.0), 5.0);
        assert_eq!(standing.after_clearance(ReasonCode::RemoteInputLoopDelay, -1.0), -1.0);
    }

    #[test]
    fn reasons_and_residual_add_up_to_the_evidence() {
        let standing = after(FeatureId::RemoteInputLoopLogOdds, 1.3, 7);
        let told: f64 = standing.reasons.iter().map(|reason| reason.contribution_log_odds).sum();
        assert!((told + standing.residual_log_odds - standing.evidence_log_odds).abs() < 1e-12);
    }
}
