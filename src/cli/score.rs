//! `elsewhere score`: one JSON request per line in, one JSON result per line out, in input order.

use super::input::{Line, Lines};
use super::say;
use super::serve::load_models;
use super::summary::Summary;
use crate::addresses::AddressBook;
use crate::api::assess::{answer, update};
use crate::api::json_line;
use crate::api::refusal::Refusal;
use crate::event::{Rules, TablePolicy, limits};
use crate::history::{Config, DurableStore, MemoryStore, TenantId};
use crate::pipeline::{Assessed, Pipeline, SharedStore, Submission};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
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

    /// Address database (.mmdb) that tells what events leave out: place, autonomous system, kind of network, anonymizers.
    /// May be given several times; the first that tells a fact wins.
    #[arg(long = "address-database", value_name = "FILE")]
    address_databases: Vec<PathBuf>,

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

/// Scores all input.
///
/// # Errors
/// When a file cannot be read, a result cannot be written, or the store or model cannot be opened.
pub fn run(arguments: &ScoreArguments) -> Result<(), String> {
    let models = load_models(&arguments.models, None)?;
    let addresses = AddressBook::open(&arguments.address_databases, false)?;
    let store: SharedStore = match &arguments.data_dir {
        Some(directory) => {
            let store = DurableStore::open(directory, Config::of_events_kept());
            Arc::new(store.map_err(|error| error.to_string())?)
        }
        None => Arc::new(MemoryStore::new(Config::of_events())),
    };
    let tenant = store.tenant("score").map_err(|error| error.to_string())?;
    let rules =
        Rules { now: None, secret_typing_allowed: arguments.allow_secret_typing, tables: TablePolicy::PerEvent };
    let pipeline = Pipeline::new(store, models);
    let output: Option<Box<dyn Write + Send>> = match (&arguments.output, arguments.summary) {
        (Some(path), _) => {
            let file = File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
            Some(Box::new(BufWriter::with_capacity(1 << 18, file)))
        }
        (None, true) => None,
        (None, false) => Some(Box::new(BufWriter::with_capacity(1 << 18, io::stdout()))),
    };
    let printer = Printer { output, summary: arguments.summary.then(Summary::default), tally: Tally::default() };
    let started = started();
    let lines = Lines::of(&arguments.files);
    // Reading, scoring and printing run beside one another, in chunks and in order; scoring alone knows the store.
    let (read, to_score) = sync_channel::<Vec<Asked>>(CHUNKS_AHEAD);
    let (scored, to_print) = sync_channel::<Vec<Scored>>(CHUNKS_AHEAD);
    let (was_read, was_scored, printer) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_all(lines, &rules, &addresses, &read));
        let printer = scope.spawn(move || printer.print_all(&to_print));
        let was_scored = score_all(&pipeline, tenant, &to_score, &scored);
        // Without these two ends, a stage that waits for the other side learns that the run is over.
        drop((to_score, scored));
        (joined(reader.join()), was_scored, joined(printer.join()))
    });
    let printer = printer?;
    was_scored?;
    was_read?;
    if let Some(summary) = &printer.summary {
        summary.print(&mut io::stdout().lock()).map_err(unwritable)?;
    }
    report(&printer.tally, started.elapsed());
    Ok(())
}

/// A stage's outcome; a panic in it is passed on as one.
fn joined<T>(outcome: std::thread::Result<Result<T, String>>) -> Result<T, String> {
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A line read and checked: the event's name for the echo, and what to score or why it cannot be.
type Asked = (String, Result<Submission, Refusal>);
/// A line scored.
type Scored = (String, Result<Assessed, Refusal>);

/// Lines that go from stage to stage together: enough that handing over costs nothing beside scoring.
const CHUNK_LINES: usize = 64;
/// Chunks a stage may run ahead of the next.
const CHUNKS_AHEAD: usize = 4;

/// Reads and checks every line. Ends early, without error, when nobody scores any more.
fn read_all(
    mut lines: Lines,
    rules: &Rules,
    addresses: &AddressBook,
    read: &SyncSender<Vec<Asked>>,
) -> Result<(), String> {
    let mut chunk = Vec::with_capacity(CHUNK_LINES);
    loop {
        let line = lines.next_line();
        let ended = !matches!(line, Ok(Some(_)));
        if let Ok(Some(line)) = line {
            chunk.push(ask(line, rules, addresses));
        } else if let Err(error) = line {
            // What was read before is still answered.
            let _ = read.send(chunk);
            return Err(error);
        }
        // Whoever feeds line by line and waits for answers gets them before we wait for more.
        let due = ended || chunk.len() == CHUNK_LINES || !lines.line_at_hand();
        if due && read.send(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_LINES))).is_err() {
            return Ok(());
        }
        if ended {
            return Ok(());
        }
    }
}

/// The text of a line, or why it has none.
///
/// # Errors
/// A refusal of the field `line`.
pub fn text_of(line: Line) -> Result<String, Refusal> {
    match line {
        Line::Text(text) => Ok(text),
        Line::TooLong => {
            let most = limits::LINE_BYTES_MAX;
            Err(Refusal::field("line", format!("has over {most} bytes: split the event")))
        }
        Line::NotText => Err(Refusal::field("line", "is not UTF-8: send JSON text")),
    }
}

/// One line to what is asked.
fn ask(line: Line, rules: &Rules, addresses: &AddressBook) -> Asked {
    let text = match text_of(line) {
        Ok(text) => text,
        Err(refusal) => return (String::new(), Err(refusal)),
    };
    let (event_id, checked) = json_line::parse(&text).check_with(rules, addresses);
    let submission = checked.map_err(Refusal::Invalid).map(|checked| Submission {
        event: checked.event,
        content_hash: checked.content_hash,
        update: update(checked.profile_update),
        model_id: checked.model_id,
    });
    (event_id, submission)
}

/// Scores every line in order, each at its event's own time.
///
/// # Errors
/// When the store cannot keep what was learned: going on would answer from a past that is not kept.
fn score_all(
    pipeline: &Pipeline,
    tenant: TenantId,
    asked: &Receiver<Vec<Asked>>,
    scored: &SyncSender<Vec<Scored>>,
) -> Result<(), String> {
    while let Ok(chunk) = asked.recv() {
        let mut results = Vec::with_capacity(chunk.len());
        for (event_id, submission) in chunk {
            let outcome = submission.and_then(|submission| {
                let now = submission.event.samples.time;
                pipeline.assess(tenant, &submission, now).map_err(Refusal::from)
            });
            if let Err(Refusal::StoreFailed { description }) = outcome {
                return Err(description);
            }
            results.push((event_id, outcome));
        }
        if scored.send(results).is_err() {
            // The printer has gone, and says why.
            return Ok(());
        }
    }
    Ok(())
}

/// The last stage: results in their wire form, counted and written.
struct Printer {
    output: Option<Box<dyn Write + Send>>,
    summary: Option<Summary>,
    tally: Tally,
}

impl Printer {
    /// Prints until scoring ends. Flushes whenever nothing more is ready.
    fn print_all(mut self, scored: &Receiver<Vec<Scored>>) -> Result<Self, String> {
        let progress = progress();
        let mut text = Vec::with_capacity(16 * 1024);
        loop {
            let chunk = match scored.try_recv() {
                Ok(chunk) => chunk,
                Err(_) => {
                    if let Some(output) = &mut self.output {
                        output.flush().map_err(unwritable)?;
                    }
                    let Ok(chunk) = scored.recv() else { break };
                    chunk
                }
            };
            for (event_id, outcome) in chunk {
                self.print(event_id, outcome, &mut text)?;
            }
            progress.set_position(self.tally.verdict_count + self.tally.error_count);
        }
        progress.finish_and_clear();
        Ok(self)
    }

    fn print(
        &mut self,
        event_id: String,
        outcome: Result<Assessed, Refusal>,
        text: &mut Vec<u8>,
    ) -> Result<(), String> {
        let count = if outcome.is_ok() { &mut self.tally.verdict_count } else { &mut self.tally.error_count };
        *count += 1;
        let result = answer(event_id, outcome)?;
        if let Some(summary) = &mut self.summary {
            summary.add(&result);
        }
        if let Some(output) = &mut self.output {
            text.clear();
            serde_json::to_writer(&mut *text, &result).map_err(|error| format!("cannot print a result: {error}"))?;
            text.push(b'\n');
            output.write_all(text).map_err(unwritable)?;
        }
        Ok(())
    }
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
    say(format_args!(
        "{lines} lines: {verdict_count} verdicts, {error_count} errors in {:.2} s ({rate:.0} lines a second)",
        took.as_secs_f64()
    ));
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
