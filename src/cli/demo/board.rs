//! The live table: workers by evidence on a terminal, a line now and then elsewhere.

use super::{Play, say};
use crate::api::wire;
use crate::cli::summary::plain_words;
use crate::cli::tell::minute;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, IsTerminal};

/// Most rows of the live table; the strongest evidence comes first, so the rest has nothing to say yet.
const ROWS_MAX: usize = 30;
/// Redraws a second: smooth to the eye and light on a slow connection.
const REDRAWS_PER_SECOND: u8 = 12;
const SECONDS_PER_WEEK: i64 = 7 * 86_400;

/// What the table tells of one worker.
#[derive(Default)]
struct Row {
    session_count: u64,
    evidence_log_odds: f64,
    risk_level: i32,
    flagged: bool,
    ever_flagged: bool,
    top_reason: Option<i32>,
    riskiest: Option<(f64, String)>,
}

/// The live table.
pub(super) struct Board {
    rows: BTreeMap<String, Row>,
    session_count: u64,
    total_count: u64,
    flagged_count: usize,
    next_week_seconds: i64,
    live: Option<Live>,
    colours: bool,
}

/// Lines redrawn in place.
struct Live {
    all: MultiProgress,
    head: ProgressBar,
    lines: Vec<ProgressBar>,
}

impl Live {
    fn new(rows: usize) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout_with_hz(REDRAWS_PER_SECOND));
        let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let line = || all.add(ProgressBar::new_spinner().with_style(style.clone()));
        let head = line();
        let lines = (0..rows).map(|_| line()).collect();
        Self { all, head, lines }
    }
}

impl Board {
    pub(super) fn new(plays: &[Play], address: &str) -> Self {
        let workers: BTreeSet<&str> = plays.iter().map(|play| play.event.worker_id.as_str()).collect();
        let day = |play: Option<&Play>| {
            let minute = minute(play.and_then(|play| play.event.event_time.as_ref()));
            minute.get(..10).unwrap_or_default().to_string()
        };
        say(&format!(
            "Serving at {address}. Playing {} sessions of {} workers, {} to {}, through gRPC.",
            plays.len(),
            workers.len(),
            day(plays.first()),
            day(plays.last())
        ));
        let terminal = io::stdout().is_terminal();
        let first_seconds = plays.first().map_or(0, |play| play.micros / 1_000_000);
        Self {
            rows: BTreeMap::new(),
            session_count: 0,
            total_count: plays.len() as u64,
            flagged_count: 0,
            next_week_seconds: first_seconds + SECONDS_PER_WEEK,
            live: terminal.then(|| Live::new(workers.len().min(ROWS_MAX))),
            colours: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    /// Takes one verdict in.
    pub(super) fn add(&mut self, verdict: &wire::Verdict) {
        let Some(standing) = &verdict.standing else { return };
        let when = minute(verdict.assess_time.as_ref());
        let row = self.rows.entry(standing.worker_id.clone()).or_default();
        // A flag may lapse and come again while little is known; it is told once.
        let raised = standing.flagged && !row.ever_flagged;
        row.ever_flagged |= standing.flagged;
        row.session_count += 1;
        row.evidence_log_odds = standing.evidence_log_odds;
        row.risk_level = verdict.risk_level;
        row.flagged = standing.flagged;
        let against = standing.reasons.iter().find(|reason| reason.contribution_log_odds > 0.0);
        row.top_reason = against.map(|reason| reason.code);
        if row.riskiest.as_ref().is_none_or(|(risk, _)| verdict.risk_log_odds > *risk) {
            row.riskiest = Some((verdict.risk_log_odds, verdict.event_id.clone()));
        }
        let reason = row.top_reason.map_or("", plain_words);
        self.session_count += 1;
        self.flagged_count = self.rows.values().filter(|row| row.flagged).count();
        let count =
            format!("{} sessions, {} workers, {} flagged", self.session_count, self.rows.len(), self.flagged_count);
        if let Some(live) = &self.live {
            live.head.set_message(format!("{when}   {count}   of {} sessions", self.total_count));
            self.redraw(live);
            return;
        }
        if raised {
            let evidence = standing.evidence_log_odds;
            say(&format!("{when}  FLAGGED {} at {evidence:+.1} nats: {reason}", standing.worker_id));
        }
        let seconds = verdict.assess_time.map_or(0, |time| time.seconds);
        if seconds >= self.next_week_seconds {
            self.next_week_seconds += SECONDS_PER_WEEK;
            say(&format!("{when}  {count}"));
        }
    }

    /// Rows by evidence, strongest first.
    fn ranked(&self) -> Vec<(&String, &Row)> {
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by(|a, b| b.1.evidence_log_odds.total_cmp(&a.1.evidence_log_odds).then(a.0.cmp(b.0)));
        rows
    }

    fn redraw(&self, live: &Live) {
        for ((worker, row), line) in self.ranked().into_iter().zip(&live.lines) {
            let level =
                ["", "low", "medium", "HIGH"].get(row.risk_level.unsigned_abs() as usize).copied().unwrap_or("");
            let flag = if row.flagged { "FLAGGED" } else { "" };
            let reason = row.top_reason.map_or("", plain_words);
            let mut text = String::new();
            let _ = write!(
                text,
                "{flag:<8}{worker:<18}{:>5} sessions {:>+6.1} nats  last {level:<7} {reason}",
                row.session_count, row.evidence_log_odds
            );
            if row.flagged && self.colours {
                text = format!("\u{1b}[1;31m{text}\u{1b}[0m");
            }
            line.set_message(text);
        }
    }

    /// Ends the live table; what stays of it is added to `text`.
    pub(super) fn finish(&mut self, text: &mut String) {
        if let Some(live) = self.live.take() {
            let _ = live.all.clear();
        }
        text.push('\n');
    }

    /// Whether any session of the worker was played.
    pub(super) fn knows(&self, worker: &str) -> bool {
        self.rows.contains_key(worker)
    }

    /// The event with the highest risk among workers.
    pub(super) fn riskiest<'a>(&self, workers: impl Iterator<Item = &'a str>) -> Option<String> {
        let found = workers.filter_map(|worker| self.rows.get(worker)?.riskiest.as_ref());
        found.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, event_id)| event_id.clone())
    }
}
