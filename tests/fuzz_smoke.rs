//! The bodies of `fuzz/` on a stable toolchain: known-good inputs, changed at random under a seed, break no promise.
//!
//! A short run by default, the same inputs every time. `ELSEWHERE_FUZZ_SECONDS=600` runs each body that long instead,
//! `ELSEWHERE_FUZZ_SEED=7` begins elsewhere. `ELSEWHERE_FUZZ_CORPUS=fuzz/corpus` writes the known-good inputs where
//! `cargo fuzz` looks for them. A broken promise says seed and turn, and leaves the input in the directory of temporary
//! files under the name it prints.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "../fuzz/bodies.rs"]
mod bodies;
mod common;

use elsewhere::api::{json_line, wire};
use elsewhere::event::{EventTime, Feedback, Label, LabelSource, Rules, Subject, TablePolicy};
use elsewhere::history::{Config, DurableStore, KeptFeedback, MemoryStore};
use elsewhere::pipeline::{Submission, Update};
use prost::Message as _;
use serde_json::Value;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wire::monitor_session_request::Chunk;

const RULES: Rules = Rules { now: None, secret_typing_allowed: true, tables: TablePolicy::PerEvent };

/// Random numbers that a seed gives again: xorshift64*.
///
/// Source: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`, which is at least 1.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Leaves the input behind when its body panics.
struct Scene<'a> {
    body: &'a str,
    seed: u64,
    turn: u64,
    input: &'a [u8],
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let path = std::env::temp_dir().join(format!("elsewhere-{}-{}-{}", self.body, self.seed, self.turn));
            let _ = std::fs::write(&path, self.input);
            eprintln!("body {}, seed {}, turn {}: input in {}", self.body, self.seed, self.turn, path.display());
        }
    }
}

/// Runs `body` on every known-good input as it is, then on changed ones: `turns` of them, or as long as was asked for.
fn drive(
    name: &str,
    turns: u64,
    seeds: &[Vec<u8>],
    mut change: impl FnMut(&mut Chance, &[Vec<u8>]) -> Vec<u8>,
    body: impl Fn(&[u8]),
) {
    let number = |key: &str| std::env::var(key).ok().and_then(|value| value.parse::<u64>().ok());
    if let Ok(directory) = std::env::var("ELSEWHERE_FUZZ_CORPUS") {
        let directory = Path::new(&directory).join(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        for (index, input) in seeds.iter().enumerate() {
            std::fs::write(directory.join(format!("good-{index}")), input).expect("written");
        }
    }
    let seed = number("ELSEWHERE_FUZZ_SEED").unwrap_or(1);
    #[expect(clippy::disallowed_methods, reason = "a long run ends by the clock")]
    let end = number("ELSEWHERE_FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for input in seeds {
        let _scene = Scene { body: name, seed, turn: 0, input };
        body(input);
    }
    for turn in 1.. {
        #[expect(clippy::disallowed_methods, reason = "a long run ends by the clock")]
        let over = end.map_or(turn > turns, |end| Instant::now() >= end);
        if over {
            break;
        }
        let input = change(&mut chance, seeds);
        let _scene = Scene { body: name, seed, turn, input: &input };
        body(&input);
    }
}

/// Numbers at which things go wrong.
const EDGES: [i64; 18] = [
    0,
    1,
    -1,
    2,
    7,
    127,
    128,
    255,
    65_536,
    2_000_000,
    10_000_001,
    2_147_483_647,
    -2_147_483_648,
    4_294_967_295,
    253_402_300_799,
    9_223_372_036_854_775_807,
    -9_223_372_036_854_775_808,
    1_000_000_000_000,
];

/// Changes bytes without regard to what they mean.
fn scramble(chance: &mut Chance, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = chance.one_of(seeds).clone();
    for _ in 0..=chance.below(6) {
        let at = chance.below(bytes.len());
        match chance.below(7) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << chance.below(8),
            2 if !bytes.is_empty() => bytes[at] = *chance.one_of(&[0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'-']),
            3 => bytes.truncate(at),
            4 => {
                let end = (at + chance.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            5 => {
                let end = (at + chance.below(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let other = chance.one_of(seeds);
                let from = chance.below(other.len());
                let piece = other[from..(from + chance.below(200)).min(other.len())].to_vec();
                let end = (at + piece.len()).min(bytes.len());
                bytes.splice(at..end, piece);
            }
        }
    }
    bytes
}

/// Changes one value somewhere in a tree, and says whether it did.
fn twist(chance: &mut Chance, value: &mut Value) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            let key = chance.one_of(&keys).clone();
            match chance.below(12) {
                0 => {
                    fields.remove(&key);
                }
                1 => {
                    let other = fields[chance.one_of(&keys)].clone();
                    fields.insert(key, other);
                }
                _ => twist(chance, &mut fields[&key]),
            }
        }
        Value::Array(items) => {
            let at = chance.below(items.len());
            match chance.below(8) {
                0 => items.truncate(at),
                1 if !items.is_empty() => {
                    let times = *chance.one_of(&[1, 2, 30, 300]);
                    items.extend(vec![items[at].clone(); times]);
                }
                2 if !items.is_empty() => items.iter_mut().for_each(|item| *item = Value::from(0)),
                3 => items.reverse(),
                _ if !items.is_empty() => twist(chance, &mut items[at]),
                _ => items.push(Value::from(1)),
            }
        }
        Value::Number(number) => {
            let old = number.as_f64().unwrap_or_default();
            *value = match chance.below(5) {
                0 => Value::from(old * 1e6),
                1 => Value::from(-old),
                2 => Value::from(old.trunc() as i64 + chance.below(3) as i64 - 1),
                3 => Value::from(*chance.one_of(&[1e308, -1e308, 5e-324, 0.1, 90.0, -180.0])),
                _ => Value::from(*chance.one_of(&EDGES)),
            };
        }
        Value::String(text) => match chance.below(6) {
            0 => text.clear(),
            1 => text.push_str("\u{0}é"),
            2 => *text = "a".repeat(chance.below(200)),
            3 => *text = "9999-12-31T23:59:59.999999Z".into(),
            4 => *text = "0001-01-01T00:00:00Z".into(),
            _ => *text = (*chance.one_of(&["::", "315576000000s", "-0.000000001s", "Etc/GMT+12", "AA", "="])).into(),
        },
        Value::Bool(truth) => *truth = !*truth,
        _ => *value = Value::from(*chance.one_of(&EDGES)),
    }
}

/// Good lines of requests: the bodies' own, those of the golden stories, and the example.
fn lines() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lines: Vec<String> = include_str!("../fuzz/logins.ndjson").lines().map(str::to_string).collect();
    let stories = std::fs::read_dir(root.join("tests/golden")).expect("stories");
    let mut stories: Vec<PathBuf> = stories.map(|entry| entry.expect("a story").path()).collect();
    stories.sort();
    for path in stories {
        if path.extension().is_some_and(|extension| extension == "ndjson") {
            lines.extend(std::fs::read_to_string(path).expect("a story").lines().map(str::to_string));
        }
    }
    let example = std::fs::read_to_string(root.join("examples/login.json")).expect("an example");
    lines.push(serde_json::from_str::<Value>(&example).expect("JSON").to_string());
    lines
}

/// Good events.
fn requests() -> Vec<wire::AssessSessionRequest> {
    lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// A request whose tree was twisted, as bytes; bytes scrambled where the tree is no request any more.
fn twisted(chance: &mut Chance, good: &[String], seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut tree: Value = serde_json::from_str(chance.one_of(good).as_str()).expect("a good line");
    for _ in 0..=chance.below(3) {
        twist(chance, &mut tree);
    }
    match json_line::parse(&tree.to_string()).request {
        Some(request) if chance.below(4) != 0 => request.encode_to_vec(),
        _ => scramble(chance, seeds),
    }
}

#[test]
fn any_bytes_on_the_wire_are_answered_or_refused() {
    let seeds: Vec<Vec<u8>> = requests().iter().map(prost::Message::encode_to_vec).collect();
    let good: Vec<String> = lines().into_iter().filter(|line| serde_json::from_str::<Value>(line).is_ok()).collect();
    drive("wire", 600, &seeds, |chance, seeds| twisted(chance, &good, seeds), bodies::wire);
}

#[test]
fn any_line_is_answered_or_refused() {
    let seeds: Vec<Vec<u8>> = lines().into_iter().map(String::into_bytes).collect();
    let change = |chance: &mut Chance, seeds: &[Vec<u8>]| {
        let parsed = serde_json::from_slice::<Value>(chance.one_of(seeds).as_slice());
        match parsed {
            Ok(mut tree) if chance.below(3) != 0 => {
                for _ in 0..=chance.below(3) {
                    twist(chance, &mut tree);
                }
                tree.to_string().into_bytes()
            }
            _ => scramble(chance, seeds),
        }
    };
    drive("line", 600, &seeds, change, bodies::line);
}

#[test]
fn any_model_is_refused_or_answers_with_finite_numbers() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/session-risk-1/model.json");
    let seeds = [std::fs::read(shipped).expect("a model")];
    let tree: Value = serde_json::from_slice(&seeds[0]).expect("JSON");
    let change = |chance: &mut Chance, seeds: &[Vec<u8>]| {
        if chance.below(8) == 0 {
            return scramble(chance, seeds);
        }
        let mut tree = tree.clone();
        twist(chance, &mut tree);
        serde_json::to_vec(&tree).expect("JSON")
    };
    drive("model", 40, &seeds, change, bodies::model);
}

/// Records, a verdict and feedback as the store writes them, behind the byte that says which.
fn records() -> Vec<Vec<u8>> {
    let pipeline = common::pipeline(Arc::new(MemoryStore::new(Config::of_events())));
    let tenant = pipeline.store().tenant("seeds").expect("a tenant");
    let mut kept = Vec::new();
    let mut keep = |kind: u8, bytes: Vec<u8>| kept.push([&[kind][..], &bytes].concat());
    for line in lines() {
        let Ok(json_line::Checked { event, content_hash, .. }) = json_line::parse(&line).check(&RULES).1 else {
            continue;
        };
        let (worker_id, now) = (event.worker_id.clone(), event.samples.time);
        let submission = Submission { event, content_hash, update: Update::Always, model_id: String::new() };
        let Ok(assessed) = pipeline.assess(tenant, &submission, now) else { continue };
        let record = pipeline.store().record(tenant, &worker_id).expect("a read").expect("a record");
        keep(0, postcard::to_stdvec(&record).expect("written"));
        keep(1, postcard::to_stdvec(&*assessed.verdict).expect("written"));
    }
    let feedback = Feedback {
        feedback_id: "f1".into(),
        subject: Subject::Event("e".into()),
        label: Label::Genuine,
        source: LabelSource::Analyst,
        review_time: Some(EventTime(1_772_463_600_000_000)),
        cleared_reasons: vec![101],
    };
    let entry = KeptFeedback {
        feedback,
        worker_id: "w".into(),
        content_hash: [1; 32],
        record_time: EventTime(1_772_463_700_000_000),
        superseded: false,
        superseding: false,
    };
    keep(2, postcard::to_stdvec(&entry).expect("written"));
    kept
}

#[test]
fn any_bytes_in_place_of_a_record_are_refused_or_can_be_told() {
    drive("record", 600, &records(), scramble, bodies::record);
}

/// A request as a live session: its samples follow the opening, one by one.
fn session(request: &wire::AssessSessionRequest, others: &[wire::AssessSessionRequest]) -> Option<Vec<u8>> {
    let mut event = request.event.clone()?;
    let begin = event.event_time?;
    let mut bytes = Vec::new();
    let mut number = 0;
    let mut say = |chunk: Chunk| {
        let chunk_time = Some(wire::Timestamp { seconds: begin.seconds.saturating_add(number), ..begin });
        let message = wire::MonitorSessionRequest { sequence_number: number as u64, chunk_time, chunk: Some(chunk) };
        bytes.extend(message.encode_length_delimited_to_vec());
        number += 20;
    };
    let pointer = event.pointer.take();
    say(Chunk::Open(wire::MonitorOpen { event: Some(event), ..Default::default() }));
    pointer.map(Chunk::Pointer).into_iter().for_each(&mut say);
    for other in others.iter().filter_map(|other| other.event.clone()) {
        let samples = [
            other.typing.map(Chunk::Typing),
            other.remote_input.map(Chunk::RemoteInput),
            other.network.map(Chunk::Network),
            other.timezone.map(Chunk::Timezone),
            other.device.map(Chunk::Device),
            other.pointer.map(Chunk::Pointer),
            other.challenge.map(Chunk::Challenge),
            other.cadence.map(Chunk::Cadence),
        ];
        samples.into_iter().flatten().for_each(&mut say);
    }
    Some(bytes)
}

#[test]
fn any_sequence_of_chunks_is_followed_to_its_end() {
    let good = lines();
    let all = requests();
    let seeds: Vec<Vec<u8>> = all.iter().take(6).filter_map(|request| session(request, &all[..4])).collect();
    let change = |chance: &mut Chance, seeds: &[Vec<u8>]| {
        let mut parts = Vec::new();
        for _ in 0..4 {
            let Ok(mut tree) = serde_json::from_str::<Value>(chance.one_of(&good).as_str()) else { continue };
            if parts.len() > chance.below(2) {
                twist(chance, &mut tree);
            }
            parts.extend(json_line::parse(&tree.to_string()).request);
        }
        let opened = parts.first().and_then(|first| session(first, &parts[1..]));
        match opened {
            Some(bytes) if chance.below(5) != 0 => bytes,
            _ => scramble(chance, seeds),
        }
    };
    drive("live", 150, &seeds, change, bodies::live);
}

/// Every file below a directory with its bytes, zeros at the end cut off, and its length.
fn files(directory: &Path, below: &Path, found: &mut Vec<(PathBuf, Vec<u8>, u64)>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, below, found);
            continue;
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(&path).expect("a file");
        let length = file.metadata().expect("its length").len();
        // Files are laid out ahead of what is in them; what matters is at their start.
        file.take(4 << 20).read_to_end(&mut bytes).expect("bytes");
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(used);
        found.push((path.strip_prefix(below).expect("below").to_path_buf(), bytes, length));
    }
}

#[test]
fn a_changed_data_directory_is_refused_or_opened_but_never_a_panic() {
    let origin = tempfile::tempdir().expect("a directory");
    {
        let store = DurableStore::open(origin.path(), Config::of_events()).expect("a store");
        let pipeline = common::pipeline(Arc::new(store));
        let tenant = pipeline.store().tenant("seeds").expect("a tenant");
        for line in lines() {
            let Ok(json_line::Checked { event, content_hash, .. }) = json_line::parse(&line).check(&RULES).1 else {
                continue;
            };
            let now = event.samples.time;
            let submission = Submission { event, content_hash, update: Update::Always, model_id: String::new() };
            if let Ok(assessed) = pipeline.assess(tenant, &submission, now) {
                assessed.durable.wait().expect("on disk");
            }
        }
    }
    let mut kept = Vec::new();
    files(origin.path(), origin.path(), &mut kept);
    let seeds: Vec<Vec<u8>> = vec![Vec::new()];
    // What is drawn is a plan: which file, and how it is changed.
    let plan = |chance: &mut Chance, _: &[Vec<u8>]| chance.next().to_le_bytes().to_vec();
    drive("directory", 24, &seeds, plan, |plan| {
        let directory = tempfile::tempdir().expect("a directory");
        let mut chance = Chance(plan.iter().fold(1, |seed, byte| (seed << 8) ^ u64::from(*byte)) | 1);
        // Discards the first numbers, which seeds alike make alike.
        for _ in 0..4 {
            chance.next();
        }
        let changed = chance.below(kept.len());
        for (index, (name, bytes, length)) in kept.iter().enumerate() {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            let changes = index == changed && !plan.is_empty();
            if changes && chance.below(10) == 0 {
                continue;
            }
            let altered = if changes && !bytes.is_empty() {
                scramble(&mut chance, std::slice::from_ref(bytes))
            } else {
                bytes.clone()
            };
            std::fs::write(&path, &altered).expect("written");
            if altered.len() == bytes.len() {
                let file = std::fs::OpenOptions::new().write(true).open(&path).expect("a file");
                file.set_len(*length).expect("its length");
            }
        }
        bodies::directory(directory.path());
    });
}
