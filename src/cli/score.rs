//! `elsewhere score`: one JSON request per line in, one JSON result per line out, in input order.

use super::input::{Line, Lines};
use super::serve::load_models;
use super::summary::Summary;
use crate::api::assess::{answer, update};
use crate::api::json_line;
use crate::api::refusal::Refusal;
use crate::api::wire;
use crate::event::{Rules, TablePolicy, limits};
use crate::history::{Config, DurableStore, MemoryStore, TenantId};
use crate::pipeline::{Pipeline, SharedStore, Submission};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Score events from files or standard input, one JSON request per line, one JSON result per line.
///
/// Each line is an AssessSessionRequest in proto3 JSON (camelCase or snake_case); each result an AssessmentResult, in
/// input order. Time comes from the events, never from the clock, so the same input gives the same output. A bad line
/// gives an error result and the run goes on. Exit status 0 when every line was answered.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    elsewhere score < requests.ndjson > results.ndjson\n  \
    elsewhere score examples/company.ndjson.gz --summary\n  \
    elsewhere score monday.ndjson tuesday.ndjson.gz --data-dir state > results.ndjson")]
pub struct ScoreArguments {
    /// Files to read, `.gz` too; `-` or nothing is standard input.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Write results here instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Print who was flagged, when and why, as a table, instead of results (which --output still writes).
    #[arg(long)]
    summary: bool,

    /// Keep what is learned in this directory, and start from what it holds. Without it, state lives in memory.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Directory of the model to score with [default: the model shipped with this program].
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,

    /// Take timing of secrets (TYPING_CONTEXT_SECRET), which is refused otherwise.
    #[arg(long)]
    allow_secret_typing: bool,
}

/// What became of the lines: every line is one of the two.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    verdict_count: u64,
    error_count: u64,
}

/// Lines between two looks at the clock for the progress line.
const PROGRESS_EVERY: u64 = 256;

/// Scores all input.
///
/// # Errors
/// When a file cannot be read, a result cannot be written, or the store or model cannot be opened.
pub fn run(arguments: &ScoreArguments) -> Result<(), String> {
    let models = load_models(&arguments.models, None)?;
    let retention = Config::of_events();
    let store: SharedStore = match &arguments.data_dir {
        Some(directory) => Arc::new(DurableStore::open(directory, retention).map_err(|error| error.to_string())?),
        None => Arc::new(MemoryStore::new(retention)),
    };
    let tenant = store.tenant("score").map_err(|error| error.to_string())?;
    let rules =
        Rules { now: None, secret_typing_allowed: arguments.allow_secret_typing, tables: TablePolicy::PerEvent };
    let mut scorer = Scorer { pipeline: Pipeline::new(store, models), tenant, rules };
    let mut output: Option<Box<dyn Write>> = match (&arguments.output, arguments.summary) {
        (Some(path), _) => {
            let file = File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
            Some(Box::new(BufWriter::with_capacity(1 << 18, file)))
        }
        (None, true) => None,
        (None, false) => Some(Box::new(BufWriter::with_capacity(1 << 18, io::stdout().lock()))),
    };
    let mut summary = arguments.summary.then(Summary::default);
    let started = started();
    let progress = progress();
    let mut lines = Lines::of(&arguments.files);
    let mut tally = Tally::default();
    let mut text = Vec::with_capacity(16 * 1024);
    loop {
        // Whoever feeds line by line and waits for answers gets them before we wait for more.
        if let Some(output) = &mut output
            && !lines.line_at_hand()
        {
            output.flush().map_err(unwritable)?;
        }
        let Some(line) = lines.next_line()? else { break };
        let result = scorer.score(line)?;
        let scored = matches!(result.outcome, Some(wire::assessment_result::Outcome::Verdict(_)));
        *(if scored { &mut tally.verdict_count } else { &mut tally.error_count }) += 1;
        if let Some(summary) = &mut summary {
            summary.add(&result);
        }
        if let Some(output) = &mut output {
            text.clear();
            serde_json::to_writer(&mut text, &result).map_err(|error| format!("cannot print a result: {error}"))?;
            text.push(b'\n');
            output.write_all(&text).map_err(unwritable)?;
        }
        if (tally.verdict_count + tally.error_count) % PROGRESS_EVERY == 0 {
            progress.set_position(tally.verdict_count + tally.error_count);
        }
    }
    if let Some(output) = &mut output {
        output.flush().map_err(unwritable)?;
    }
    progress.finish_and_clear();
    if let Some(summary) = summary {
        summary.print(&mut io::stdout().lock()).map_err(unwritable)?;
    }
    report(&tally, started.elapsed());
    Ok(())
}

/// What the error says when the reader of the output has gone away.
pub const OUTPUT_CLOSED: &str = "the reader of the results has gone away";

fn unwritable(error: io::Error) -> String {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return OUTPUT_CLOSED.into();
    }
    format!("cannot write results: {error}")
}

#[expect(clippy::disallowed_methods, reason = "the rate on standard error is about this run, not about events")]
fn started() -> std::time::Instant {
    std::time::Instant::now()
}

fn report(tally: &Tally, took: Duration) {
    let Tally { verdict_count, error_count } = tally;
    let lines = verdict_count + error_count;
    let rate = lines as f64 / took.as_secs_f64().max(1e-9);
    eprintln!(
        "{lines} lines: {verdict_count} verdicts, {error_count} errors in {:.2} s ({rate:.0} lines a second)",
        took.as_secs_f64()
    );
}

/// A line that counts on a terminal, and nothing elsewhere.
fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} lines, {per_sec}, {elapsed}") {
        bar.set_style(style);
    }
    bar
}

struct Scorer {
    pipeline: Pipeline,
    tenant: TenantId,
    rules: Rules,
}

impl Scorer {
    /// One line to its result.
    ///
    /// # Errors
    /// When the store cannot keep what was learned: going on would answer from a past that is not kept.
    fn score(&mut self, line: Line) -> Result<wire::AssessmentResult, String> {
        let text = match line {
            Line::Text(text) => text,
            Line::TooLong => {
                let most = limits::LINE_BYTES_MAX;
                return Ok(answer(
                    String::new(),
                    Err(Refusal::field("line", format!("has over {most} bytes: split the event"))),
                ));
            }
            Line::NotText => {
                return Ok(answer(String::new(), Err(Refusal::field("line", "is not UTF-8: send JSON text"))));
            }
        };
        let (event_id, checked) = json_line::parse(&text).check(&self.rules);
        let checked = match checked {
            Ok(checked) => checked,
            Err(violations) => return Ok(answer(event_id, Err(Refusal::Invalid(violations)))),
        };
        let now = checked.event.samples.time;
        let submission = Submission {
            event: checked.event,
            content_hash: checked.content_hash,
            update: update(checked.profile_update),
            model_id: checked.model_id,
        };
        let outcome = self.pipeline.assess(self.tenant, &submission, now).map_err(Refusal::from);
        if let Err(Refusal::StoreFailed { description }) = &outcome {
            return Err(description.clone());
        }
        Ok(answer(event_id, outcome))
    }
}
