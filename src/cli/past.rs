//! What files tell of workers' pasts: requests and results read side by side, joined by event.
//!
//! A line of requests is scored here, as `elsewhere score` scores it; a line of results is taken as it is and wins over
//! one scored here. Requests add what results do not hold: when the event was, every single answer to a prompt, and the
//! claimed zone.

use super::input::Lines;
use super::score::text_of;
use crate::api::assess::{answer, update};
use crate::api::json_line;
use crate::api::refusal::Refusal;
use crate::api::wire::{self, assessment_result::Outcome};
use crate::event::Rules;
use crate::history::TenantId;
use crate::pipeline::{Pipeline, Submission};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, HashMap};

/// Families there are, by number of the wire less one.
pub const FAMILIES: usize = 6;

/// One session in a worker's past.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Session {
    /// Name of the event.
    pub event_id: String,
    /// When it was, seconds since 1970: the event's time where its request is known, else the verdict's.
    pub seconds: i64,
    /// Calibrated probability of the session.
    pub risk_probability: f64,
    /// Evidence of the worker's standing after it, nats.
    pub evidence_log_odds: f64,
    /// What each family adds to that, nats.
    pub families: [f64; FAMILIES],
    /// Whether the worker was flagged after it.
    pub flagged: bool,
    /// Code of the reason that adds most to the standing; 0 when none speaks against the worker.
    pub top_reason: i32,
    /// Answers to prompts, milliseconds; from the request.
    pub reactions_millis: Vec<f64>,
    /// Median answer, milliseconds; from the verdict.
    pub reaction_median_millis: Option<f64>,
    /// What was expected of the median, milliseconds.
    pub reaction_expected_millis: Option<(f64, f64)>,
}

/// One worker's past.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    /// Sessions in the order of the files.
    pub sessions: Vec<Session>,
    /// IANA name of the claimed zone, from the latest request.
    pub zone: Option<String>,
    /// Claimed offset, minutes east, as the latest verdict that tells it implies.
    pub claimed_offset_minutes: Option<i32>,
    /// Belief in UTC offsets after the latest session that tells it: minutes east, probability.
    pub offsets: Vec<(i32, f64)>,
    /// Threshold of a flag, nats.
    pub threshold_log_odds: f64,
    /// The latest standing.
    pub standing: Option<wire::WorkerStanding>,
}

/// What tells a request from a result.
#[derive(Deserialize)]
struct Probe {
    event: Option<IgnoredAny>,
    verdict: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

/// What a request adds to a session.
#[derive(Debug, Clone, Default)]
struct Asked {
    seconds: i64,
    reactions_millis: Vec<f64>,
    zone: Option<String>,
}

/// Everything files tell.
#[derive(Default)]
pub struct Pasts {
    /// Pasts by worker.
    pub workers: BTreeMap<String, Past>,
    /// The verdict of the event asked for.
    pub verdict: Option<wire::Verdict>,
    /// The refusal of the event asked for.
    pub refusal: Option<String>,
    /// Lines that told nothing, and what the first of them was.
    pub unread: (u64, String),
    /// Where each event's session stands: worker and position.
    places: HashMap<String, (String, usize)>,
    /// Requests whose event has not been placed.
    asked: HashMap<String, Asked>,
}

/// The milliseconds of a feature in the evidence of a verdict, with what was expected of it.
fn reaction(verdict: &wire::Verdict) -> Option<&wire::Evidence> {
    let all = verdict.reasons.iter().flat_map(|reason| &reason.evidence);
    all.into_iter().find(|evidence| evidence.feature == "remote_input.reaction_median_micros")
}

/// The claimed offset that a verdict's rhythm was held against: the middle of what was expected.
pub fn claimed_offset(verdict: &wire::Verdict) -> Option<i32> {
    let all = verdict.reasons.iter().flat_map(|reason| &reason.evidence);
    let rhythm = all.into_iter().find(|evidence| evidence.feature == "timezone.rhythm_offset_minutes")?;
    Some(((rhythm.expected_low? + rhythm.expected_high?) / 2.0).round() as i32)
}

/// Belief in UTC offsets of a verdict.
pub fn offsets(verdict: &wire::Verdict) -> Vec<(i32, f64)> {
    let bounds = verdict.whereabouts.as_ref();
    let beliefs = bounds.map(|bounds| bounds.utc_offsets.iter());
    beliefs.into_iter().flatten().map(|one| (one.utc_offset_minutes, one.probability)).collect()
}

fn top_reason(standing: &wire::WorkerStanding) -> i32 {
    let most = standing.reasons.iter().max_by(|a, b| a.contribution_log_odds.total_cmp(&b.contribution_log_odds));
    most.filter(|reason| reason.contribution_log_odds > 0.0).map_or(0, |reason| reason.code)
}

fn seconds(time: Option<&wire::Timestamp>) -> i64 {
    time.map_or(0, |time| time.seconds)
}

/// How lines are read.
pub struct Reading<'a> {
    /// Scores requests.
    pub pipeline: &'a Pipeline,
    /// For whom.
    pub tenant: TenantId,
    /// What a request may hold.
    pub rules: &'a Rules,
    /// The event whose verdict is to be kept; empty for none.
    pub event_id: &'a str,
}

impl Pasts {
    /// Reads every line.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(mut lines: Lines, by: &Reading<'_>) -> Result<Self, String> {
        let mut pasts = Self::default();
        while let Some(line) = lines.next_line()? {
            match text_of(line) {
                Ok(text) => pasts.take(&text, by)?,
                Err(refusal) => pasts.skip(refusal.status().message),
            }
        }
        Ok(pasts)
    }

    fn skip(&mut self, why: String) {
        if self.unread.0 == 0 {
            self.unread.1 = why;
        }
        self.unread.0 += 1;
    }

    fn take(&mut self, text: &str, by: &Reading<'_>) -> Result<(), String> {
        let probe = match serde_json::from_str::<Probe>(text) {
            Ok(probe) => probe,
            Err(error) => {
                self.skip(format!("a line is no JSON object: {error}"));
                return Ok(());
            }
        };
        if probe.event.is_some() {
            return self.take_request(text, by);
        }
        if probe.verdict.is_none() && probe.error.is_none() {
            self.skip("a line is neither a request nor a result of `elsewhere score`".into());
            return Ok(());
        }
        match serde_json::from_str::<wire::AssessmentResult>(text) {
            Ok(result) => self.take_result(result, by.event_id),
            Err(error) => self.skip(format!("a result cannot be read: {error}")),
        }
        Ok(())
    }

    fn take_request(&mut self, text: &str, by: &Reading<'_>) -> Result<(), String> {
        let parsed = json_line::parse(text);
        let asked = parsed.request.as_ref().and_then(|request| request.event.as_ref()).map(Asked::of);
        let (event_id, checked) = parsed.check(by.rules);
        if let Some(asked) = asked {
            if let Some((worker, index)) = self.places.get(&event_id) {
                // Its result was read before: what was answered then stands.
                if let Some(past) = self.workers.get_mut(worker) {
                    asked.join(past, *index);
                }
                return Ok(());
            }
            self.asked.insert(event_id.clone(), asked);
        }
        let outcome = checked.map_err(Refusal::Invalid).and_then(|checked| {
            let submission = Submission {
                event: checked.event,
                content_hash: checked.content_hash,
                update: update(checked.profile_update),
                model_id: checked.model_id,
            };
            let now = submission.event.samples.time;
            by.pipeline.assess(by.tenant, &submission, now).map_err(Refusal::from)
        });
        self.take_result(answer(event_id, outcome)?, by.event_id);
        Ok(())
    }

    fn take_result(&mut self, result: wire::AssessmentResult, wanted: &str) {
        let event_id = result.event_id;
        let verdict = match result.outcome {
            Some(Outcome::Verdict(verdict)) => verdict,
            Some(Outcome::Error(status)) => {
                if event_id == wanted && !wanted.is_empty() {
                    self.refusal = Some(status.message.clone());
                }
                return self.skip(format!("event {event_id:?} was refused: {}", status.message));
            }
            None => return self.skip(format!("event {event_id:?} has no outcome")),
        };
        let Some(standing) = verdict.standing.clone() else {
            return self.skip(format!("the verdict on event {event_id:?} has no standing"));
        };
        let past = self.workers.entry(standing.worker_id.clone()).or_default();
        let session = Session::of(&event_id, &verdict, &standing);
        let index = match self.places.get(&event_id) {
            Some((_, index)) => {
                let kept = std::mem::replace(&mut past.sessions[*index], session);
                past.sessions[*index].seconds = kept.seconds;
                past.sessions[*index].reactions_millis = kept.reactions_millis;
                *index
            }
            None => {
                past.sessions.push(session);
                self.places.insert(event_id.clone(), (standing.worker_id.clone(), past.sessions.len() - 1));
                past.sessions.len() - 1
            }
        };
        if let Some(asked) = self.asked.remove(&event_id) {
            asked.join(past, index);
        }
        past.claimed_offset_minutes = claimed_offset(&verdict).or(past.claimed_offset_minutes);
        let offsets = offsets(&verdict);
        if !offsets.is_empty() {
            past.offsets = offsets;
        }
        past.threshold_log_odds = standing.threshold_log_odds;
        past.standing = Some(standing);
        if event_id == wanted {
            self.verdict = Some(verdict);
        }
    }
}

/// The days that a profile keeps, as sessions: one a day, at its noon, without what each family adds.
pub fn of_days(days: &[wire::StandingDay]) -> Vec<Session> {
    let millis = |micros: u32| f64::from(micros) / 1e3;
    let session = |day: &wire::StandingDay| Session {
        seconds: seconds(day.day_time.as_ref()) + 12 * 3_600,
        evidence_log_odds: day.evidence_log_odds,
        flagged: day.flagged,
        top_reason: day.top_reason,
        reaction_median_millis: day.reaction_median_micros.map(millis),
        reaction_expected_millis: day
            .reaction_expected_low_micros
            .zip(day.reaction_expected_high_micros)
            .map(|(low, high)| (millis(low), millis(high))),
        ..Session::default()
    };
    days.iter().map(session).collect()
}

impl Asked {
    fn of(event: &wire::SessionEvent) -> Self {
        let answers = event.challenge.iter().filter(|sample| sample.kind() == wire::ChallengeKind::PressKey);
        let reactions = answers.flat_map(|sample| &sample.reaction_micros).filter(|micros| **micros > 0);
        Self {
            seconds: seconds(event.event_time.as_ref()),
            reactions_millis: reactions.map(|micros| f64::from(*micros) / 1e3).collect(),
            zone: event.claim.as_ref().map(|claim| claim.time_zone.clone()).filter(|zone| !zone.is_empty()),
        }
    }

    fn join(self, past: &mut Past, index: usize) {
        let Some(session) = past.sessions.get_mut(index) else { return };
        session.seconds = self.seconds;
        session.reactions_millis = self.reactions_millis;
        past.zone = self.zone.or(past.zone.take());
    }
}

impl Session {
    fn of(event_id: &str, verdict: &wire::Verdict, standing: &wire::WorkerStanding) -> Self {
        let mut families = [0.0; FAMILIES];
        for one in &standing.families {
            let index = usize::try_from(one.family - 1).unwrap_or(FAMILIES);
            if let Some(sum) = families.get_mut(index) {
                *sum += one.contribution_log_odds;
            }
        }
        let reaction = reaction(verdict);
        let expected = reaction.and_then(|one| Some((one.expected_low? / 1e3, one.expected_high? / 1e3)));
        Self {
            event_id: event_id.into(),
            seconds: seconds(verdict.assess_time.as_ref()),
            risk_probability: verdict.risk_probability,
            evidence_log_odds: standing.evidence_log_odds,
            families,
            flagged: standing.flagged,
            top_reason: top_reason(standing),
            reactions_millis: Vec::new(),
            reaction_median_millis: reaction.map(|one| one.value / 1e3),
            reaction_expected_millis: expected,
        }
    }
}
