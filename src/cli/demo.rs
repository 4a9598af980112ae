//! `elsewhere demo`: four weeks of a small company played through a real service in less than a minute.
//!
//! The service listens on loopback with a store of its own; a gRPC client sends every session when its time has come.
//! The service's clock shows the time of the session being sent, so that no check on times is weakened and nothing fades
//! before its time. The example is simulated, and who was who stands in a file that the service never sees.

mod board;

use super::explain;
use super::input::{Line, Lines};
use super::serve::{load_models, told_to_stop};
use super::summary::Summary;
use super::tell;
use crate::api::client::{Client, Target};
use crate::api::server::Service;
use crate::api::wire::{self, assessment_result::Outcome};
use crate::config::ConfigUnchecked;
use crate::event::EventTime;
use crate::history::{self, Clock, DurableStore, MemoryStore};
use crate::pipeline::{Pipeline, SharedStore};
use crate::risk::Catalogue;
use board::Board;
use clap::Args;
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

/// The example company, so that the demo runs from any directory.
const COMPANY: &[u8] = include_bytes!("../../examples/company.ndjson.gz");
/// Who was who in it. Read after the last verdict, by this file alone.
const TRUTH: &str = include_str!("../../examples/company.truth.tsv");
/// Where the example and its truth lie in the repository.
const COMPANY_PATH: &str = "examples/company.ndjson.gz";
const TRUTH_PATH: &str = "examples/company.truth.tsv";
/// Where a demo that is kept listens unless told otherwise: the service's own default.
const KEPT_ADDRESS: &str = "127.0.0.1:50061";

/// What stands behind the scenarios that are not as claimed, by their number in the truth file.
const STORIES: [(&str, &str); 2] = [
    (
        "H01",
        "the company's laptop stands in a flat where the claim says, and somebody far away drives it through a KVM",
    ),
    (
        "H04",
        "somebody far away works on a machine of their own and goes through a relay in a home where the claim says",
    ),
];

/// Play four simulated weeks of a small company through the service and watch who is flagged, and why.
///
/// Starts the service on loopback with a temporary store, sends every session of the example through gRPC, faster than
/// life, and ends with the flagged workers, one verdict line by line, and what to try next.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    elsewhere demo\n  \
    elsewhere demo --keep-serving      then ask it by gRPC on 127.0.0.1:50061\n  \
    elsewhere demo my-month.ndjson.gz --seconds 0")]
pub struct DemoArguments {
    /// Requests to play in place of the example, as `score` reads them; `.gz` too.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Who was who in FILE: a table of worker_id, scenario, name and kind, separated by tabs. Read at the end only.
    #[arg(long, value_name = "FILE", requires = "file")]
    truth: Option<PathBuf>,

    /// How long to play, whatever the time the sessions span. 0 plays as fast as the service answers.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    seconds: u64,

    /// Address and port to listen on, loopback only [default: a free port, or 127.0.0.1:50061 with --keep-serving].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// Go on serving after the last session, until Ctrl-C.
    #[arg(long)]
    keep_serving: bool,

    /// Keep the store in this directory, which must be empty or new. Without it, all is forgotten at the end.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Directory of the model to score with [default: the model shipped with this program].
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,
}

/// One session to play.
struct Play {
    micros: i64,
    event: wire::SessionEvent,
    request: wire::AssessSessionRequest,
}

/// Plays the demo.
///
/// # Errors
/// When the sessions cannot be read, the address cannot be bound, or the service refuses a session.
pub fn run(arguments: &DemoArguments) -> Result<(), String> {
    let plays = plays(arguments.file.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(demo(arguments, plays))
}

/// The sessions of a file, or of the example, in the order of their times.
fn plays(file: Option<&Path>) -> Result<Vec<Play>, String> {
    let mut texts = Vec::new();
    match file {
        Some(path) => {
            let mut lines = Lines::of(&[path.to_path_buf()]);
            while let Some(line) = lines.next_line()? {
                let Line::Text(text) = line else {
                    return Err(format!("{}: line {} is no text of usable length", path.display(), texts.len() + 1));
                };
                texts.push(text);
            }
        }
        None => {
            let mut text = String::new();
            let read = GzDecoder::new(COMPANY).read_to_string(&mut text);
            read.map_err(|error| format!("the example in this program cannot be unpacked: {error}"))?;
            texts.extend(text.lines().map(String::from));
        }
    }
    let mut plays = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let at = index + 1;
        let request: wire::AssessSessionRequest =
            serde_json::from_str(text).map_err(|error| format!("line {at} is no request of `score`: {error}"))?;
        let event = request.event.clone().ok_or_else(|| format!("line {at} has no event"))?;
        let time = event.event_time.ok_or_else(|| format!("line {at} has no event time"))?;
        let micros = time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos / 1_000));
        plays.push(Play { micros, event, request });
    }
    if plays.is_empty() {
        return Err("there is no session to play".into());
    }
    plays.sort_by_key(|play| play.micros);
    Ok(plays)
}

fn store(arguments: &DemoArguments, clock: Clock, retention: (i64, i64)) -> Result<SharedStore, String> {
    let retention = history::Config::check(clock, retention.0, retention.1)?;
    let Some(directory) = &arguments.data_dir else { return Ok(Arc::new(MemoryStore::new(retention))) };
    let used = std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
    if used {
        // Sessions played into a real store would become part of real workers' pasts.
        return Err(format!("{} is not empty: name a new directory for the demo", directory.display()));
    }
    Ok(Arc::new(DurableStore::open(directory, retention).map_err(|error| error.to_string())?))
}

async fn demo(arguments: &DemoArguments, plays: Vec<Play>) -> Result<(), String> {
    let catalogue = Catalogue::shipped()?;
    let listen = arguments.listen.clone();
    let listen = listen.unwrap_or_else(|| if arguments.keep_serving { KEPT_ADDRESS } else { "127.0.0.1:0" }.into());
    // Whoever still holds a connection at Ctrl-C is not waited for long: nothing here outlives the demo.
    let config = ConfigUnchecked { listen, drain_seconds: 1, ..ConfigUnchecked::default() }.check()?;
    let retention = (config.verdict_retention_micros, config.worker_retention_micros);
    let pipeline = Pipeline::new(store(arguments, Clock::Service, retention)?, load_models(&arguments.models, None)?);
    let now = Arc::new(AtomicI64::new(plays.first().map_or(0, |play| play.micros)));
    let shown = Arc::clone(&now);
    let clock = Arc::new(move || EventTime(shown.load(Ordering::SeqCst)));
    let service = Service::bind_with_clock(config, pipeline, clock).await?;
    let address = format!("http://{}", service.address()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(service.run(async {
        let _ = stopped.await;
    }));
    let target = Target { address: address.clone(), ..Target::default() };
    let client = Client::connect(&target).await?;
    let mut board = Board::new(&plays, &address);
    let summary = play(&plays, &client, &now, arguments.seconds, &mut board).await?;
    let mut text = String::new();
    board.finish(&mut text);
    let mut table = Vec::new();
    summary.print(&mut table).map_err(|error| format!("cannot print: {error}"))?;
    text.push_str(&String::from_utf8_lossy(&table));
    let standings = client.standings(false).await?;
    text.push_str(&stories(arguments, &standings, &board)?);
    let riskiest = board.riskiest(standings.iter().map(|standing| standing.worker_id.as_str()));
    if let Some(event_id) = &riskiest {
        let verdict = client.verdict(event_id).await?.ok_or("the service has lost a verdict it gave")?;
        text.push_str("\nOne verdict, line by line: the session with the highest risk of all flagged workers\n\n");
        tell::verdict(&verdict, catalogue, &mut text);
    }
    let strongest = standings.first().map(|standing| standing.worker_id.as_str());
    text.push_str(&next(arguments, &address, strongest, riskiest.as_deref()));
    explain::print(&text)?;
    if arguments.keep_serving {
        told_to_stop().await;
    }
    let _ = stop.send(());
    drop(client);
    serving.await.map_err(|error| format!("the service failed: {error}"))??;
    Ok(())
}

/// Sends every session when its time has come, `seconds` for all of them.
async fn play(
    plays: &[Play],
    client: &Client,
    now: &AtomicI64,
    seconds: u64,
    board: &mut Board,
) -> Result<Summary, String> {
    let (first, last) = (plays.first().map_or(0, |play| play.micros), plays.last().map_or(0, |play| play.micros));
    let span = (last - first).max(1) as f64;
    let started = Instant::now();
    let mut summary = Summary::default();
    for play in plays {
        let due = (play.micros - first) as f64 / span * seconds as f64;
        sleep_until(started + Duration::from_secs_f64(due)).await;
        now.store(play.micros, Ordering::SeqCst);
        let event_id = play.event.event_id.clone();
        let verdict =
            client.assess(play.request.clone()).await.map_err(|error| format!("event {event_id}: {error}"))?;
        board.add(&verdict);
        summary.add(&wire::AssessmentResult { event_id, outcome: Some(Outcome::Verdict(verdict)) });
    }
    Ok(summary)
}

/// The truth file, by worker.
type Truths = BTreeMap<String, Truth>;

/// One worker of the truth file.
struct Truth {
    scenario: String,
    name: String,
    hostile: bool,
}

/// The truth file's path and its workers; `None` where none was named.
fn truth(arguments: &DemoArguments) -> Result<Option<(String, Truths)>, String> {
    let (place, text) = match (&arguments.file, &arguments.truth) {
        (None, _) => (TRUTH_PATH.to_string(), TRUTH.to_string()),
        (Some(_), Some(path)) => {
            let read = std::fs::read_to_string(path);
            (path.display().to_string(), read.map_err(|error| format!("cannot read {}: {error}", path.display()))?)
        }
        (Some(_), None) => return Ok(None),
    };
    let mut workers = BTreeMap::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        let [worker, scenario, name, kind] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("{place}: line {} has not four columns", index + 1));
        };
        let truth = Truth { scenario: scenario.into(), name: name.into(), hostile: kind == "hostile" };
        workers.insert(worker.to_string(), truth);
    }
    Ok(Some((place, workers)))
}

/// Who was who, from the truth file, beside who is flagged.
fn stories(arguments: &DemoArguments, flagged: &[wire::WorkerStanding], board: &Board) -> Result<String, String> {
    let Some((place, workers)) = truth(arguments)? else { return Ok(String::new()) };
    let mut text = format!("\nWho they are. This comes from {place}, not from the model, which never sees it:\n\n");
    for standing in flagged {
        let worker = standing.worker_id.as_str();
        let Some(truth) = workers.get(worker) else {
            let _ = writeln!(text, "  FLAGGED  {worker}  not in the file");
            continue;
        };
        let mark = if truth.hostile { "FLAGGED" } else { "FLAGGED WRONGLY" };
        let _ = writeln!(text, "  {mark}  {worker}  {} ({})", truth.name, truth.scenario);
    }
    let told: Vec<&str> =
        flagged.iter().filter_map(|one| Some(workers.get(&one.worker_id)?.scenario.as_str())).collect();
    for (scenario, story) in STORIES.iter().filter(|(scenario, _)| told.contains(scenario)) {
        tell::wrap(&format!("{scenario}: {story}."), 2, &mut text);
    }
    let unflagged = |worker: &str| board.knows(worker) && !flagged.iter().any(|one| one.worker_id == worker);
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for (worker, truth) in workers.iter().filter(|(worker, _)| unflagged(worker)) {
        if truth.hostile {
            let _ = writeln!(text, "  MISSED   {worker}  {} ({})", truth.name, truth.scenario);
        } else {
            *others.entry(&truth.name).or_default() += 1;
        }
    }
    let others: Vec<String> = others.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    tell::wrap(&format!("Not flagged, and as they claim: {}.", others.join(", ")), 2, &mut text);
    Ok(text)
}

/// How the program was called, for lines that can be copied.
fn program() -> String {
    if std::env::var_os("CARGO").is_some() && std::env::var_os("CARGO_MANIFEST_DIR").is_some() {
        return "cargo run --release --".into();
    }
    std::env::args().next().unwrap_or_else(|| "elsewhere".into())
}

/// What to try next, as lines that work when copied.
fn next(arguments: &DemoArguments, address: &str, worker: Option<&str>, event: Option<&str>) -> String {
    let program = program();
    let mut text = String::from("\nWhat to try next\n\n");
    let address = if arguments.keep_serving {
        let _ = writeln!(
            text,
            "This service goes on at {address} until Ctrl-C; its clock stands at the last session. Ask it:\n"
        );
        address.to_string()
    } else {
        let _ = writeln!(text, "Keep the service with this month in it:\n\n  {program} demo --keep-serving\n");
        text.push_str("and ask it from another terminal:\n\n");
        format!("http://{KEPT_ADDRESS}")
    };
    let mut calls = Vec::new();
    if let Some(worker) = worker {
        calls.push((format!("{{\"workerId\":\"{worker}\"}}"), "StandingService/GetStanding"));
    }
    if let Some(event) = event {
        calls.push((format!("{{\"eventId\":\"{event}\"}}"), "SessionRiskService/GetVerdict"));
    }
    calls.push(("{}".into(), "ModelService/ListReasonDescriptions"));
    for (data, method) in calls {
        let _ = writeln!(
            text,
            "  npx --yes @bufbuild/buf curl --protocol grpc --http2-prior-knowledge --data '{data}' \\\n    \
             {address}/elsewhere.v1.{method}"
        );
    }
    let worker = worker.unwrap_or("<WORKER>");
    let _ = writeln!(text, "  {program} explain {worker} --address {address}\n");
    let file = arguments.file.clone().unwrap_or_else(|| COMPANY_PATH.into());
    // Files tell every session; where there are none, the service tells its days.
    let source = if file.is_file() { file.display().to_string() } else { format!("--address {address}") };
    let _ = writeln!(text, "Draw a worker's week, reactions and course of standing (SVG):\n");
    let _ = writeln!(text, "  {program} explain {worker} {source} --plot plots\n");
    let _ = writeln!(text, "Serve your own sessions, in a store that survives:\n\n  {program} serve --data-dir state");
    text
}

/// Writes at once, so that a reader of a pipe sees lines as they happen.
fn say(line: &str) {
    use io::Write as _;
    let mut out = io::stdout().lock();
    // Whoever stopped reading is told at the end, when the text cannot be printed.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
