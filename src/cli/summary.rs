//! Who was flagged, when and why: results as a table that a stranger understands.

use crate::api::wire::{self, assessment_result::Outcome};
use crate::risk::Catalogue;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// What is told of one worker.
#[derive(Debug, Default)]
struct Row {
    event_count: u64,
    first_seconds: i64,
    flagged_at: Option<wire::Timestamp>,
    standing: Option<wire::WorkerStanding>,
    highest_level: i32,
}

/// Gathers results by worker.
#[derive(Debug, Default)]
pub struct Summary {
    workers: BTreeMap<String, Row>,
    error_count: u64,
    first_error: Option<String>,
    threshold_log_odds: f64,
    false_flag_budget: f64,
}

/// What each reason says, in a few words for a table; the sentences are [`super::tell`]'s.
pub fn plain_words(code: i32) -> &'static str {
    let described = Catalogue::shipped().ok().and_then(|catalogue| catalogue.get(code));
    described.map_or("a reason this release does not know", |entry| &entry.headline)
}

impl Summary {
    /// Adds one result.
    pub fn add(&mut self, result: &wire::AssessmentResult) {
        match &result.outcome {
            Some(Outcome::Verdict(verdict)) => self.add_verdict(verdict),
            Some(Outcome::Error(status)) => {
                self.error_count += 1;
                self.first_error.get_or_insert_with(|| status.message.clone());
            }
            None => {}
        }
    }

    fn add_verdict(&mut self, verdict: &wire::Verdict) {
        let Some(standing) = &verdict.standing else { return };
        self.threshold_log_odds = standing.threshold_log_odds;
        self.false_flag_budget = standing.false_flag_budget;
        let row = self.workers.entry(standing.worker_id.clone()).or_default();
        let seconds = verdict.assess_time.as_ref().map_or(0, |time| time.seconds);
        if row.event_count == 0 {
            row.first_seconds = seconds;
        }
        row.event_count += 1;
        row.highest_level = row.highest_level.max(verdict.risk_level);
        if standing.flagged && row.flagged_at.is_none() {
            row.flagged_at = verdict.assess_time;
        }
        row.standing = Some(standing.clone());
    }

    /// Prints the tables.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows: Vec<(&String, &Row)> = self.workers.iter().collect();
        rows.sort_by(|a, b| evidence(b.1).total_cmp(&evidence(a.1)).then(a.0.cmp(b.0)));
        let event_count: u64 = rows.iter().map(|(_, row)| row.event_count).sum();
        let flagged: Vec<_> = rows.iter().filter(|(_, row)| row.flagged_at.is_some()).collect();
        writeln!(out, "{event_count} sessions of {} workers; {} flagged.", rows.len(), flagged.len())?;
        writeln!(
            out,
            "A flag means: look at it. It stands on evidence of at least {:.1} nats (likelihood ratio {:.0} to 1),\n\
             set so that one honest worker in {:.0} is flagged in a month.\n",
            self.threshold_log_odds,
            self.threshold_log_odds.exp(),
            1.0 / self.false_flag_budget.max(1e-9)
        )?;
        if flagged.is_empty() {
            writeln!(out, "Nobody is flagged.\n")?;
        }
        for (worker, row) in &flagged {
            print_flagged(out, worker, row)?;
        }
        writeln!(out, "Everybody else:")?;
        writeln!(out, "  {:<18} {:>8} {:>9}  {:<8} largest finding", "worker", "sessions", "evidence", "level")?;
        for (worker, row) in rows.iter().filter(|(_, row)| row.flagged_at.is_none()) {
            let level = ["", "low", "medium", "high"].get(row.highest_level as usize).copied().unwrap_or("");
            let finding = row
                .standing
                .as_ref()
                .and_then(|standing| standing.reasons.iter().find(|reason| reason.contribution_log_odds > 0.0));
            let finding = finding.map_or("none against the worker".to_string(), |reason| {
                format!("{} ({:+.1})", plain_words(reason.code), reason.contribution_log_odds)
            });
            writeln!(out, "  {worker:<18} {:>8} {:>+9.1}  {level:<8} {finding}", row.event_count, evidence(row))?;
        }
        if self.error_count > 0 {
            let first = self.first_error.as_deref().unwrap_or("");
            writeln!(out, "\n{} lines could not be scored; the first says: {first}", self.error_count)?;
        }
        writeln!(
            out,
            "\nEvidence is in nats: +0.7 doubles the odds, +2.3 makes them tenfold, a minus speaks for the worker."
        )
    }
}

fn evidence(row: &Row) -> f64 {
    row.standing.as_ref().map_or(0.0, |standing| standing.evidence_log_odds)
}

fn print_flagged(out: &mut dyn Write, worker: &str, row: &Row) -> io::Result<()> {
    let when = row.flagged_at.as_ref();
    let date = when.and_then(wire::Timestamp::to_rfc3339).unwrap_or_default();
    let days = when.map_or(0.0, |time| (time.seconds - row.first_seconds) as f64 / 86_400.0).round();
    let unit = if days == 1.0 { "day" } else { "days" };
    let Some(standing) = &row.standing else { return Ok(()) };
    writeln!(
        out,
        "FLAGGED  {worker}  on {}, {days:.0} {unit} after its first session  (evidence {:+.1}, {} sessions on {} days)",
        date.get(..10).unwrap_or(&date),
        standing.evidence_log_odds,
        standing.session_count,
        standing.day_count
    )?;
    let mut against: Vec<_> = standing.reasons.iter().filter(|reason| reason.contribution_log_odds >= 0.3).collect();
    against.truncate(5);
    for reason in against {
        writeln!(out, "    {:>+5.1}  {}", reason.contribution_log_odds, plain_words(reason.code))?;
    }
    let rest: f64 = standing.evidence_log_odds
        - standing
            .reasons
            .iter()
            .filter(|reason| reason.contribution_log_odds >= 0.3)
            .take(5)
            .map(|reason| reason.contribution_log_odds)
            .sum::<f64>();
    writeln!(out, "    {rest:>+5.1}  everything else together\n")
}
