//! `elsewhere explain`: a verdict or a standing as a person would tell it, from files, a store or a running service.

use super::input::Lines;
use super::past::{self, Past, Pasts, Reading};
use super::plot::{self, Drawn, Known};
use super::say;
use super::score::OUTPUT_CLOSED;
use super::serve::load_models;
use super::tell;
use crate::api::client::{Client, Target};
use crate::api::reply::{self, ProfileExtras};
use crate::api::wire;
use crate::event::{Rules, TablePolicy};
use crate::history::{Clock, Config, DurableStore, MemoryStore};
use crate::pipeline::{Pipeline, SharedStore};
use crate::risk::Catalogue;
use clap::Args;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Explain a verdict or a worker's standing: every reason with its numbers, its innocent explanations and what would
/// refute it.
///
/// NAME is an event (its verdict is told, then the standing it left) or a worker (the standing is told). It is looked
/// up in files of requests, which are scored as `score` scores them, or of results of `score`, or both, which tells
/// most; or in the store of a stopped service; or in a running service.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    elsewhere explain 81e2ee393702842c examples/company.ndjson.gz --plot plots\n  \
    elsewhere score monday.ndjson | elsewhere explain <EVENT> -\n  \
    elsewhere explain <EVENT> --data-dir state\n  \
    elsewhere explain <WORKER> --address http://127.0.0.1:50061 --json\n\n\
    What each source can draw: requests everything; results all but the single answers to prompts; a store or a\n  \
    service the week, and by the day of the last 32 days of work the standing and the median answer to prompts.")]
pub struct ExplainArguments {
    /// The event or the worker.
    #[arg(value_name = "NAME")]
    name: String,

    /// Requests, or results of `score`, or both; `.gz` too; `-` is standard input, and so is nothing at all.
    #[arg(value_name = "FILE", conflicts_with_all = ["data_dir", "address"])]
    files: Vec<PathBuf>,

    /// Look in the store of this directory. The service that wrote it must be stopped.
    #[arg(long, value_name = "DIR", conflicts_with = "address")]
    data_dir: Option<PathBuf>,

    /// Look in this tenant of the store [default: wherever the name is found].
    #[arg(long, value_name = "TENANT", requires = "data_dir")]
    tenant: Option<String>,

    /// Ask the service running here, such as http://127.0.0.1:50061.
    #[arg(long, value_name = "URL")]
    address: Option<String>,

    /// Bearer token for the service.
    #[arg(long, value_name = "TOKEN", env = "ELSEWHERE_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// PEM file of the certificate authority to trust for https.
    #[arg(long, value_name = "FILE", requires = "address")]
    ca: Option<PathBuf>,

    /// Print JSON: the verdict, standing and profile as the API gives them, and the descriptions of their reasons.
    #[arg(long)]
    json: bool,

    /// Draw the worker's week, reactions and course of standing as SVG into this directory.
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,

    /// Draw the week in this IANA zone instead of the claimed one.
    #[arg(long, value_name = "ZONE", requires = "plot")]
    zone: Option<String>,

    /// Directory of the model to score requests with [default: the model shipped with this program].
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,
}

/// What a source knows of a name.
#[derive(Debug, Default)]
struct Found {
    worker_id: String,
    /// Where the name is an event.
    verdict: Option<wire::Verdict>,
    standing: Option<wire::WorkerStanding>,
    /// Of when the standing is, after the worker's name.
    as_of: String,
    profile: Option<wire::Profile>,
    past: Option<Past>,
}

/// Explains.
///
/// # Errors
/// When the source cannot be read, knows nothing of the name, or a drawing cannot be written.
pub fn run(arguments: &ExplainArguments) -> Result<(), String> {
    let catalogue = Catalogue::shipped()?;
    let found = match (&arguments.data_dir, &arguments.address) {
        (Some(directory), _) => in_store(arguments, directory)?,
        (None, Some(address)) => in_service(arguments, address)?,
        (None, None) => in_files(arguments)?,
    };
    let text = if arguments.json { json(&found, catalogue)? } else { told(&found, catalogue) };
    print(&text)?;
    let Some(directory) = &arguments.plot else { return Ok(()) };
    let offsets = match (&found.past, &found.verdict) {
        (_, Some(verdict)) => past::offsets(verdict),
        (Some(past), None) => past.offsets.clone(),
        (None, None) => Vec::new(),
    };
    let profile = found.profile.as_ref();
    let known = Known {
        worker_id: &found.worker_id,
        past: found.past.as_ref(),
        days: &profile.map_or_else(Vec::new, |profile| past::of_days(&profile.standing_days)),
        threshold_log_odds: found.standing.as_ref().map_or(0.0, |standing| standing.threshold_log_odds),
        activity_by_hour: profile.map_or(&[], |profile| &profile.activity_by_hour),
        last_seen_seconds: profile.and_then(|profile| profile.last_seen_time).map_or(0, |time| time.seconds),
        zone: arguments.zone.as_deref(),
        claimed_offset_minutes: found.verdict.as_ref().and_then(past::claimed_offset),
        offsets: &offsets,
    };
    for drawn in plot::draw(&known, directory)? {
        match drawn {
            Drawn::File(path) => say(format_args!("drew {}", path.display())),
            Drawn::Not(name, why) => say(format_args!("did not draw {name}: {why}")),
        }
    }
    Ok(())
}

/// Prints to standard output.
///
/// # Errors
/// When nobody reads it any more, or it cannot be written.
pub fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => OUTPUT_CLOSED.into(),
        _ => format!("cannot write: {error}"),
    })
}

fn told(found: &Found, catalogue: &Catalogue) -> String {
    let mut text = String::new();
    if let Some(verdict) = &found.verdict {
        tell::verdict(verdict, catalogue, &mut text);
        text.push('\n');
    }
    if let Some(standing) = &found.standing {
        let explained = found.verdict.as_ref().map(tell::explained).unwrap_or_default();
        tell::standing(standing, &found.as_of, &explained, catalogue, &mut text);
    }
    if found.verdict.is_none()
        && let Some(past) = &found.past
    {
        text.push('\n');
        text.push_str(&riskiest(past));
    }
    text
}

/// Sessions worth explaining next.
const SESSIONS_NAMED: usize = 3;

fn riskiest(past: &Past) -> String {
    let mut sessions: Vec<_> = past.sessions.iter().collect();
    sessions.sort_by(|a, b| b.risk_probability.total_cmp(&a.risk_probability).then(a.seconds.cmp(&b.seconds)));
    let mut text = String::from("Sessions with the highest risk, each to be explained by its name:\n");
    for session in sessions.into_iter().take(SESSIONS_NAMED) {
        let time = wire::Timestamp { seconds: session.seconds, nanos: 0 };
        let probability = super::measure::share(session.risk_probability);
        text.push_str(&format!("  {}  {}  {probability}\n", session.event_id, tell::minute(Some(&time))));
    }
    text
}

/// As JSON: what the API would give, and what its reasons mean.
fn json(found: &Found, catalogue: &Catalogue) -> Result<String, String> {
    let of_verdict = found.verdict.iter().flat_map(|verdict| &verdict.reasons);
    let of_standing = found.standing.iter().flat_map(|standing| &standing.reasons);
    let mut codes: Vec<i32> = of_verdict.chain(of_standing).map(|reason| reason.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let described = codes.iter().filter_map(|code| catalogue.get(*code));
    let described: Vec<_> = described.map(|entry| reply::reason_description(entry, catalogue)).collect();
    let value = serde_json::json!({
        "workerId": found.worker_id,
        "verdict": found.verdict,
        "standing": found.standing,
        "profile": found.profile,
        "reasonDescriptions": described,
    });
    let text = serde_json::to_string_pretty(&value).map_err(|error| format!("cannot print: {error}"))?;
    Ok(text + "\n")
}

fn unknown(name: &str, place: &str, advice: &str) -> String {
    format!("nothing is known of {name:?} in {place}, neither as an event nor as a worker; {advice}")
}

fn in_files(arguments: &ExplainArguments) -> Result<Found, String> {
    let name = arguments.name.as_str();
    let store: SharedStore = Arc::new(MemoryStore::new(Config::of_events()));
    let tenant = store.tenant("score").map_err(|error| error.to_string())?;
    // Secrets were refused or taken when the files were first scored; explaining is no second gate.
    let rules = Rules { now: None, secret_typing_allowed: true, tables: TablePolicy::PerEvent };
    let pipeline = Pipeline::new(store, load_models(&arguments.models, None)?);
    let mut pasts = Pasts::read(
        Lines::of(&arguments.files),
        &Reading { pipeline: &pipeline, tenant, rules: &rules, event_id: name },
    )?;
    let (unread, first) = &pasts.unread;
    if *unread > 0 {
        say(format_args!("{unread} lines tell nothing; the first: {first}"));
    }
    if let Some(message) = pasts.refusal.filter(|_| pasts.verdict.is_none()) {
        return Err(format!("event {name} has no verdict, it was refused: {message}"));
    }
    if let Some(verdict) = pasts.verdict {
        let standing = verdict.standing.clone();
        let worker_id = standing.as_ref().map(|standing| standing.worker_id.clone()).unwrap_or_default();
        let past = pasts.workers.remove(&worker_id);
        let as_of = ", after this session".into();
        return Ok(Found { worker_id, verdict: Some(verdict), standing, as_of, past, profile: None });
    }
    let Some(past) = pasts.workers.remove(name) else {
        let mut known: Vec<(&String, f64)> = pasts
            .workers
            .iter()
            .filter_map(|(worker, past)| Some((worker, past.standing.as_ref()?.evidence_log_odds)))
            .collect();
        known.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        let names = known.iter().take(SESSIONS_NAMED).map(|(worker, _)| worker.as_str()).collect::<Vec<_>>().join(", ");
        let advice = if names.is_empty() { "the input holds no verdict".into() } else { format!("try {names}") };
        return Err(unknown(name, "the input", &advice));
    };
    let as_of = ", after the last session in the input".into();
    Ok(Found { worker_id: name.into(), standing: past.standing.clone(), as_of, past: Some(past), ..Found::default() })
}

/// Days kept in place of a configuration's: nothing may expire by being looked at.
const FOREVER_MICROS: i64 = 100 * 366 * 86_400 * 1_000_000;

fn in_store(arguments: &ExplainArguments, directory: &Path) -> Result<Found, String> {
    let name = arguments.name.as_str();
    let place = directory.display().to_string();
    let empty = std::fs::read_dir(directory).map_err(|error| format!("cannot read {place}: {error}"))?.next().is_none();
    if empty {
        return Err(format!("{place} holds no store: name the data directory of `serve` or `score`"));
    }
    let retention = Config::check(Clock::Service, FOREVER_MICROS, FOREVER_MICROS)?;
    let store: SharedStore = Arc::new(DurableStore::open(directory, retention).map_err(|error| error.to_string())?);
    let pipeline = Pipeline::new(Arc::clone(&store), load_models(&arguments.models, None)?);
    let tenants = store.tenants();
    if let Some(wanted) = arguments.tenant.as_ref().filter(|wanted| !tenants.contains(wanted)) {
        return Err(format!("{place} has no tenant {wanted:?}; it has {}", tenants.join(", ")));
    }
    let mut hits = Vec::new();
    for tenant_name in tenants.iter().filter(|tenant| arguments.tenant.as_ref().is_none_or(|wanted| wanted == *tenant))
    {
        let read = |error: crate::history::StoreError| error.to_string();
        let tenant = store.tenant(tenant_name).map_err(read)?;
        let verdict = store.verdict(tenant, name).map_err(read)?;
        let worker_id = verdict.as_ref().map_or(name, |verdict| verdict.worker_id.as_str()).to_string();
        let record = store.record(tenant, &worker_id).map_err(read)?;
        if verdict.is_none() && record.is_none() {
            continue;
        }
        let as_of_micros = record.as_ref().map(|record| record.last_seen);
        let standing = match as_of_micros {
            Some(as_of) => pipeline.standing(tenant, &worker_id, as_of).map_err(read)?,
            None => None,
        };
        let verdict = verdict.map(|verdict| reply::verdict(&verdict, false));
        let profile = record.map(|record| reply::profile(&worker_id, &record, &ProfileExtras::default()));
        let standing = standing.map(|standing| reply::standing(&standing, &worker_id));
        let last = profile.as_ref().and_then(|profile| profile.last_seen_time);
        let as_of = format!(", as of the last session kept ({})", tell::minute(last.as_ref()));
        hits.push((tenant_name.clone(), Found { worker_id, verdict, standing, as_of, profile, past: None }));
    }
    match hits.len() {
        0 => Err(unknown(name, &place, "its verdict may have expired; ask for the worker")),
        1 => Ok(hits.remove(0).1),
        _ => {
            let names = hits.iter().map(|(tenant, _)| tenant.as_str()).collect::<Vec<_>>().join(", ");
            Err(format!("several tenants know {name:?} ({names}): say which with --tenant"))
        }
    }
}

fn in_service(arguments: &ExplainArguments, address: &str) -> Result<Found, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    let target = Target {
        address: address.into(),
        token: arguments.token.clone().unwrap_or_default(),
        authority: arguments.ca.clone(),
    };
    let name = arguments.name.as_str();
    runtime.block_on(async {
        let client = Client::connect(&target).await?;
        let verdict = client.verdict(name).await?;
        let of_verdict = verdict.as_ref().and_then(|verdict| verdict.standing.as_ref());
        let worker_id = of_verdict.map_or(name, |standing| standing.worker_id.as_str()).to_string();
        let standing = client.standing(&worker_id).await?;
        if verdict.is_none() && standing.is_none() {
            return Err(unknown(name, address, "its verdict may have expired; ask for the worker"));
        }
        let profile = client.profile(&worker_id).await?;
        Ok(Found { worker_id, verdict, standing, as_of: ", as of now".into(), profile, past: None })
    })
}
