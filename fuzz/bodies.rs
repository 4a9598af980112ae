//! What every fuzz target does with its bytes, and what must hold of any. Shared by the cargo-fuzz targets and by
//! `tests/fuzz_smoke.rs`, which drives the same bodies on a stable toolchain.
//!
//! Each body panics when a promise breaks: input is refused with a reason or answered with finite numbers that add up,
//! and both doors (Protobuf, NDJSON) say the same of the same event.

use elsewhere::api::refusal::Refusal;
use elsewhere::api::{convert, json_line, monitor, reply, wire};
use elsewhere::event::chunk::{check_chunk_time, check_verdict_interval};
use elsewhere::event::{DurationUnchecked, EventTime, Rules, TablePolicy, Violations};
use elsewhere::history::{Config, DurableStore, KeptFeedback, MemoryStore, Record as _, TenantId, WorkerRecord};
use elsewhere::model::Model;
use elsewhere::model::artefact::hex;
use elsewhere::pipeline::live::Place;
use elsewhere::pipeline::{Failure, Models, Pipeline, SharedStore, Submission, Update};
use elsewhere::risk::Verdict;
use prost::Message as _;
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;

const RULES: Rules = Rules { now: None, secret_typing_allowed: true, tables: TablePolicy::PerEvent };
/// Inputs one pipeline sees before it is made anew: enough that pasts build up, few enough that a failure is found
/// again by its input and those just before it.
const INPUTS_PER_PIPELINE: u32 = 512;

fn over(store: SharedStore) -> Pipeline {
    let model = Model::shipped().expect("the shipped model");
    Pipeline::new(store, Models::new(vec![model], None).expect("one model"))
}

/// Runs `body` on a pipeline that remembers earlier inputs.
fn with_pipeline(body: impl FnOnce(&Pipeline, TenantId)) {
    thread_local! {
        static PIPELINE: RefCell<Option<Pipeline>> = const { RefCell::new(None) };
        static USES: Cell<u32> = const { Cell::new(0) };
    }
    PIPELINE.with_borrow_mut(|kept| {
        let uses = USES.get();
        USES.set(uses + 1);
        if uses.is_multiple_of(INPUTS_PER_PIPELINE) {
            *kept = None;
        }
        let pipeline = kept.get_or_insert_with(|| over(Arc::new(MemoryStore::new(Config::of_events()))));
        let tenant = pipeline.store().tenant("fuzz").expect("a tenant");
        body(pipeline, tenant);
    });
}

/// The numbers of a verdict are finite, in range, and add up; it prints as JSON.
fn sound(verdict: &Verdict) {
    let message = reply::verdict(verdict, false);
    assert!((0.0..=1.0).contains(&message.risk_probability), "probability {}", message.risk_probability);
    let explained = message.base_log_odds
        + message.reasons.iter().map(|reason| reason.contribution_log_odds).sum::<f64>()
        + message.residual_log_odds;
    assert!((explained - message.risk_log_odds).abs() < 1e-6, "{explained} explains {}", message.risk_log_odds);
    let json = serde_json::to_string(&message).expect("canonical JSON");
    assert!(!json.contains("NaN") && !json.contains("Infinity"), "{json}");
    assert!(message.encoded_len() > 0);
}

/// A refusal names what is wrong, and fits trailers.
fn told(refusal: &Refusal) {
    let status = refusal.to_tonic();
    assert!(!status.message().is_empty());
    assert!(status.message().len() * 3 / 2 + status.details().len() * 4 / 3 < 8_000, "trailers too large: {status}");
    serde_json::to_string(&refusal.status()).expect("canonical JSON");
}

/// Assesses, asks for everything that can be asked afterwards, and repeats.
fn assess(pipeline: &Pipeline, tenant: TenantId, submission: &Submission) {
    let now = submission.event.samples.time;
    match pipeline.assess(tenant, submission, now) {
        Ok(first) => {
            sound(&first.verdict);
            let again = pipeline.assess(tenant, submission, now).expect("the same answer");
            assert!(again.replayed, "an event is scored once");
            assert_eq!(again.verdict.event_id, first.verdict.event_id);
            described(pipeline, tenant, &submission.event.worker_id, now);
        }
        Err(failure @ Failure::Store(_)) => panic!("memory failed: {failure:?}"),
        Err(failure) => told(&failure.into()),
    }
}

/// What is kept of a worker can be told.
fn described(pipeline: &Pipeline, tenant: TenantId, worker_id: &str, now: EventTime) {
    let standing = pipeline.standing(tenant, worker_id, now).expect("a standing");
    if let Some(standing) = &standing {
        serde_json::to_string(&reply::standing(standing, worker_id)).expect("canonical JSON");
    }
    if let Some(record) = pipeline.store().record(tenant, worker_id).expect("a record") {
        assert_eq!(record.unsound(), None, "what was written could not be read back");
        let standing = standing.unwrap_or_default();
        let expire_micros = record.last_seen.0;
        let extras = reply::ProfileExtras { expire_micros, standing, tokens: Vec::new(), verdict_count: 1 };
        let profile = reply::profile(worker_id, &record, &extras);
        serde_json::to_string(&profile).expect("canonical JSON");
    }
}

/// A request checked as the wire checks it.
fn checked(message: wire::SessionEvent, update: Update) -> Result<Submission, Violations> {
    let mut violations = Violations::default();
    let content_hash = convert::content_hash(&message);
    let event = convert::event(message).check("event", &RULES, &mut violations);
    match event {
        Some(event) if violations.none() => Ok(Submission { event, content_hash, update, model_id: String::new() }),
        _ => {
            assert!(!violations.none(), "refused without a violation");
            Err(violations)
        }
    }
}

/// Bytes of an `AssessSessionRequest`: decoded, checked, assessed; refused or answered, never anything else. What the
/// wire takes, NDJSON takes as the same event.
pub fn wire(data: &[u8]) {
    let Ok(request) = wire::AssessSessionRequest::decode(data) else { return };
    let wire::AssessSessionRequest { event: Some(event), profile_update, .. } = request.clone() else { return };
    let mut violations = Violations::default();
    let update = convert::profile_update(profile_update, &mut violations);
    let update = update.map(elsewhere::api::assess::update).unwrap_or(Update::IfTrusted);
    match checked(event, update) {
        Err(violations) => told(&Refusal::Invalid(violations)),
        Ok(submission) => {
            let line = serde_json::to_string(&wire::AssessSessionRequest { profile_update: 0, ..request });
            let line = line.expect("a sound event prints");
            let (event_id, same) = json_line::parse(&line).check(&RULES);
            let same = same.unwrap_or_else(|violations| panic!("NDJSON refuses what the wire takes: {violations:?}"));
            assert_eq!(event_id, submission.event.event_id);
            assert_eq!(same.content_hash, submission.content_hash, "one event, two hashes: {line}");
            assert_eq!(same.event, submission.event, "one event, two readings");
            with_pipeline(|pipeline, tenant| assess(pipeline, tenant, &submission));
        }
    }
}

/// Lines of NDJSON: each is refused with every violation, or answered.
pub fn line(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.lines() {
        let (_, request) = json_line::parse(line).check(&RULES);
        match request {
            Err(violations) => {
                assert!(!violations.none(), "refused without a violation");
                told(&Refusal::Invalid(violations));
            }
            Ok(json_line::Checked { event, content_hash, profile_update, .. }) => {
                let update = elsewhere::api::assess::update(profile_update);
                let submission = Submission { event, content_hash, update, model_id: String::new() };
                with_pipeline(|pipeline, tenant| assess(pipeline, tenant, &submission));
            }
        }
    }
}

/// Three logins of a worker whose samples fill most families: what a model under test is asked to score.
const LOGINS: &str = include_str!("logins.ndjson");

/// Bytes of a `model.json`, with the hash that fits: refused by name, or a model that scores with finite numbers.
pub fn model(data: &[u8]) {
    let sums = format!("{}  model.json\n", hex(&Sha256::digest(data)));
    let model = match Model::from_parts(data, &sums) {
        Ok(model) => model,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    reply::model(&model, true);
    let pipeline =
        Pipeline::new(Arc::new(MemoryStore::new(Config::of_events())), Models::new(vec![model], None).expect("one"));
    let tenant = pipeline.store().tenant("fuzz").expect("a tenant");
    for line in LOGINS.lines() {
        let (_, request) = json_line::parse(line).check(&RULES);
        let json_line::Checked { event, content_hash, .. } = request.expect("a sound login");
        let submission = Submission { event, content_hash, update: Update::IfTrusted, model_id: String::new() };
        assess(&pipeline, tenant, &submission);
    }
}

/// Bytes of what the store keeps (first byte: which kind): refused, or something that can be told, scored against and
/// written again.
pub fn record(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    match kind % 3 {
        0 => {
            let Ok(record) = postcard::from_bytes::<WorkerRecord>(data) else { return };
            if record.unsound().is_some() {
                return;
            }
            let pipeline = over(Arc::new(MemoryStore::new(Config::of_events())));
            let tenant = pipeline.store().tenant("fuzz").expect("a tenant");
            let mut logins = LOGINS.lines().map(|login| {
                let (_, request) = json_line::parse(login).check(&RULES);
                let json_line::Checked { event, content_hash, .. } = request.expect("a sound login");
                Submission { event, content_hash, update: Update::Always, model_id: String::new() }
            });
            let first = logins.next().expect("a login");
            let (worker_id, now) = (first.event.worker_id.clone(), first.event.samples.time);
            let _ = pipeline.assess(tenant, &first, now).expect("a verdict");
            let mut put =
                |visit: &mut elsewhere::history::Visit<'_, WorkerRecord>| *visit.record_mut() = record.clone();
            pipeline.store().revisit(tenant, &worker_id, now, &mut put).expect("a visit");
            described(&pipeline, tenant, &worker_id, now);
            for mut login in logins {
                login.event.worker_id.clone_from(&worker_id);
                assess(&pipeline, tenant, &login);
            }
        }
        1 => {
            let Ok(verdict) = postcard::from_bytes::<Verdict>(data) else { return };
            let _ = serde_json::to_string(&reply::verdict(&verdict, true));
        }
        _ => {
            let Ok(entry) = postcard::from_bytes::<KeptFeedback>(data) else { return };
            let again = postcard::to_stdvec(&entry).expect("written");
            assert_eq!(postcard::from_bytes::<KeptFeedback>(&again).expect("read"), entry);
        }
    }
}

/// Opens a data directory as it is: an error that says what to do, or a store that answers.
pub fn directory(path: &Path) {
    let store = match DurableStore::<WorkerRecord, Verdict>::open(path, Config::of_events()) {
        Ok(store) => store,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let pipeline = over(Arc::new(store));
    for name in pipeline.store().tenants() {
        let Ok(tenant) = pipeline.store().tenant(&name) else { continue };
        for login in LOGINS.lines() {
            let (_, request) = json_line::parse(login).check(&RULES);
            let json_line::Checked { event, content_hash, .. } = request.expect("a sound login");
            let now = event.samples.time;
            let _ = pipeline.store().verdict(tenant, &event.event_id);
            let _ = pipeline.standing(tenant, &event.worker_id, now);
            let submission = Submission { event, content_hash, update: Update::IfTrusted, model_id: String::new() };
            if let Ok(assessed) = pipeline.assess(tenant, &submission, now) {
                let _ = assessed.durable.wait();
            }
        }
    }
}

/// Length-delimited `MonitorSessionRequest`s: one live session, looked at after every chunk and closed at the end.
pub fn live(mut data: &[u8]) {
    let mut messages = Vec::new();
    while let Ok(message) = wire::MonitorSessionRequest::decode_length_delimited(&mut data) {
        messages.push(message);
        if data.is_empty() {
            break;
        }
    }
    let mut messages = messages.into_iter();
    let Some(opening) = messages.next() else { return };
    let Some(wire::monitor_session_request::Chunk::Open(open)) = opening.chunk else { return };
    let Some(event) = open.event else { return };
    let mut violations = Violations::default();
    let span = open.min_verdict_interval.map(|span| DurationUnchecked { seconds: span.seconds, nanos: span.nanos });
    let interval = check_verdict_interval(span, "open.min_verdict_interval", &mut violations);
    let submission = match checked(event, Update::IfTrusted) {
        Ok(submission) => submission,
        Err(violations) => return told(&Refusal::Invalid(violations)),
    };
    let begin = submission.event.samples.time;
    let chunk_time = opening.chunk_time.map(convert::timestamp);
    let time = check_chunk_time(chunk_time, begin, EventTime(i64::MIN), &RULES, &mut violations);
    let (Some(time), Some(interval)) = (time, interval) else { return told(&Refusal::Invalid(violations)) };
    with_pipeline(|pipeline, tenant| {
        let mut live = match pipeline.open(tenant, submission, time.max(begin), interval, begin) {
            Ok(live) => live,
            Err(failure) => return told(&failure.into()),
        };
        for wire::MonitorSessionRequest { sequence_number, chunk, chunk_time } in messages {
            // Numbers are the wire's to mend; here the order of the bytes is the order of the session.
            assert!(matches!(live.place(live.acknowledged() + 1), Place::Next), "{sequence_number}");
            let mut violations = Violations::default();
            let chunk = chunk.and_then(monitor::samples).and_then(|chunk| chunk.check(&RULES, &mut violations));
            let chunk_time = chunk_time.map(convert::timestamp);
            let time = check_chunk_time(chunk_time, live.opened(), live.latest(), &RULES, &mut violations);
            match (chunk, time) {
                (Some(chunk), Some(time)) if violations.none() => live.take(chunk, time),
                _ => live.pass(),
            }
            let verdict = pipeline.look(tenant, &mut live, time.unwrap_or(begin)).expect("a provisional verdict");
            sound(&verdict);
            live.due(verdict.risk_level);
            live.trim();
        }
        match pipeline.close(tenant, &mut live, begin) {
            Ok(last) => sound(&last.verdict),
            Err(failure @ Failure::Store(_)) => panic!("memory failed: {failure:?}"),
            Err(failure) => told(&failure.into()),
        }
    });
}
