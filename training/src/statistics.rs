//! What leaves a store for a refit: workers' places among typists, without pseudonyms, dates, phrases, tokens or order.
//!
//! A line of a statistics file is one worker's tables as the store keeps them: recent means, and the presses behind them.
//! No login can be read back from it and nobody is named, also not by the name of a phrase, which may be a login name's;
//! but a hand is a biometric, so the file is to be kept and erased like the store itself.

use elsewhere::evidence::typing::table::TableProfile;
use elsewhere::history::{Config, DurableStore, Store, TenantId, WorkerRecord};
use elsewhere::risk::Verdict;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

/// One worker's line.
#[derive(Serialize, Deserialize)]
struct Line {
    /// Names the form, so that a file of another is refused and not misread.
    elsewhere_tables: u32,
    table: TableProfile,
}

/// The form this program writes.
const FORM: u32 = 1;

/// Opens a store that no service has open, and finds one tenant in it.
///
/// The tenant may be left out where the store has only one.
///
/// # Errors
/// A directory that is no store or is in use, or a tenant it does not hold.
pub fn open_store(
    directory: &Path,
    tenant: Option<&str>,
) -> Result<(DurableStore<WorkerRecord, Verdict>, TenantId), String> {
    let at = directory.display();
    // Opening would make a store where there is none.
    if !directory.is_dir() || std::fs::read_dir(directory).map_err(|error| format!("{at}: {error}"))?.next().is_none() {
        return Err(format!("--store: {at} holds no store: name the data directory of the service"));
    }
    let store: DurableStore<WorkerRecord, Verdict> =
        DurableStore::open(directory, Config::of_events()).map_err(|error| format!("--store: {error}"))?;
    let tenants = store.tenants();
    let named = match (tenant, tenants.as_slice()) {
        (Some(name), all) if all.iter().any(|one| one == name) => name.to_string(),
        (None, [only]) => only.clone(),
        (None, []) => return Err(format!("--store: {at} holds no tenant: name the data directory of the service")),
        (asked, all) => {
            let problem = asked.map_or("give --tenant".to_string(), |name| format!("--tenant: there is no `{name}`"));
            return Err(format!("{problem}: the tenants of {at} are {}", all.join(", ")));
        }
    };
    let failed = |error: elsewhere::history::StoreError| format!("--store: {error}");
    let number = store.tenant(&named).map_err(failed)?;
    Ok((store, number))
}

/// Reads the stored tables of one tenant from a store that no service has open.
///
/// The tenant may be left out where the store has only one. Profiles come in the order of their own contents' hash, which
/// says nothing of whose they are or who came first.
///
/// # Errors
/// As [`open_store`]; nobody whose tables were learned.
pub fn read_store(directory: &Path, tenant: Option<&str>) -> Result<Vec<TableProfile>, String> {
    let (store, number) = open_store(directory, tenant)?;
    let failed = |error: elsewhere::history::StoreError| format!("--store: {error}");
    let mut profiles = Vec::new();
    let mut take = |_: &str, record: &WorkerRecord| profiles.extend(record.profiles.typing.table().cloned());
    store.workers(number, &mut take).map_err(failed)?;
    without_order(profiles)
}

/// Reads a statistics file, gzipped or not.
///
/// # Errors
/// The first line that cannot be read, by number, or a file without any.
pub fn read_file(path: &Path) -> Result<Vec<TableProfile>, String> {
    let at = path.display();
    let file = File::open(path).map_err(|error| format!("--profiles: {at}: {error}"))?;
    let reader: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut profiles = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(reader).lines()) {
        let wrong = |error: String| format!("--profiles: {at} line {number}: {error}");
        let line = line.map_err(|error| wrong(error.to_string()))?;
        let line: Line = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        if line.elsewhere_tables != FORM {
            let found = line.elsewhere_tables;
            return Err(wrong(format!(
                "has form {found}, this program reads {FORM}: write the file with this program"
            )));
        }
        profiles.push(line.table);
    }
    without_order(profiles)
}

/// Writes a statistics file.
///
/// # Errors
/// When it exists already, or cannot be written.
pub fn write_file(path: &Path, profiles: &[TableProfile]) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("--out: {}: {error}", path.display());
    let file = File::create_new(path).map_err(failed)?;
    let mut lines = GzEncoder::new(BufWriter::new(file), Compression::best());
    for table in profiles {
        let line = Line { elsewhere_tables: FORM, table: table.clone() };
        writeln!(lines, "{}", serde_json::to_string(&line).map_err(|error| error.to_string())?).map_err(failed)?;
    }
    lines.finish().and_then(|mut file| file.flush()).map_err(failed)
}

/// Orders tables by what cannot tell whose they are.
fn without_order(profiles: Vec<TableProfile>) -> Result<Vec<TableProfile>, String> {
    let mut hashed = Vec::new();
    for profile in profiles {
        let text = serde_json::to_vec(&profile).map_err(|error| error.to_string())?;
        hashed.push((<[u8; 32]>::from(Sha256::digest(&text)), profile));
    }
    if hashed.is_empty() {
        return Err(
            "no worker's tables were learned there: a refit has nothing to learn from (`cadence_tables` must be on)"
                .into(),
        );
    }
    hashed.sort_unstable_by_key(|(hash, _)| *hash);
    Ok(hashed.into_iter().map(|(_, profile)| profile).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::keystroke::bare_event;
    use elsewhere::event::{CadenceTableUnchecked, KeyTime, Rules, TablePolicy, Violations};
    use elsewhere::model::Model;
    use elsewhere::pipeline::{Models, Pipeline, SharedStore, Submission, Update};
    use std::path::PathBuf;
    use std::sync::Arc;

    /// A directory that goes with the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Result<Self, std::io::Error> {
            let path = std::env::temp_dir().join(format!("elsewhere-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path)?;
            Ok(Self(path))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// A store in which so many workers of each tenant typed a table, and one only logged in.
    fn keep(directory: &Path, tenants: &[(&str, usize)]) -> Result<(), String> {
        let kept: DurableStore<WorkerRecord, Verdict> =
            DurableStore::open(directory, Config::of_events()).map_err(|error| error.to_string())?;
        let store: SharedStore = Arc::new(kept);
        let model = Model::shipped().map_err(|error| error.to_string())?;
        let pipeline = Pipeline::new(Arc::clone(&store), Models::new(vec![model], None)?);
        for (name, workers) in tenants {
            let tenant = store.tenant(name).map_err(|error| error.to_string())?;
            for worker in 0..=*workers {
                let mut event = bare_event(&format!("worker-{worker}"), format!("{name}-{worker}"), worker);
                if worker < *workers {
                    let key = |usage: u32| KeyTime {
                        usage,
                        count: 16,
                        dwell_median_micros: 70_000 + 4_000 * worker as u32 + 100 * usage,
                        dwell_spread_micros: 10_000,
                    };
                    let keys = (4..20).map(key).collect();
                    event.cadence = Some(CadenceTableUnchecked {
                        press_count: 256,
                        keys,
                        timer_resolution_micros: 1_000,
                        ..CadenceTableUnchecked::default()
                    });
                }
                let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
                let mut violations = Violations::default();
                let event = event.check("event", &rules, &mut violations).ok_or(format!("{violations:?}"))?;
                let (update, now) = (Update::Always, event.samples.time);
                let submission = Submission { event, content_hash: [0; 32], update, model_id: String::new() };
                let assessed = pipeline.assess(tenant, &submission, now).map_err(|error| format!("{error:?}"))?;
                assessed.durable.wait().map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    #[test]
    fn tables_leave_a_store_without_names_and_come_back_from_a_file_as_they_were() -> Result<(), String> {
        let scratch = Scratch::new("statistics-one").map_err(|error| error.to_string())?;
        let store = scratch.0.join("state");
        std::fs::create_dir(&store).map_err(|error| error.to_string())?;
        keep(&store, &[("acme", 7)])?;
        let tables = read_store(&store, None)?;
        assert_eq!(tables.len(), 7, "one worker typed no table");
        let file = scratch.0.join("tables.ndjson.gz");
        write_file(&file, &tables)?;
        assert_eq!(read_file(&file)?, tables);
        assert!(
            write_file(&file, &tables).is_err_and(|error| error.starts_with("--out")),
            "a file is not written over"
        );
        let mut text = String::new();
        let opened = File::open(&file).map_err(|error| error.to_string())?;
        GzDecoder::new(opened).read_to_string(&mut text).map_err(|error| error.to_string())?;
        for named in ["worker", "acme", "phrase", "day", "token"] {
            assert!(!text.contains(named), "a line names {named}");
        }
        Ok(())
    }

    #[test]
    fn a_place_that_cannot_be_read_is_named_with_what_to_do() -> Result<(), String> {
        let scratch = Scratch::new("statistics-two").map_err(|error| error.to_string())?;
        let told = |tenant: Option<&str>, at: &Path| read_store(at, tenant).err().unwrap_or_default();
        assert!(told(None, &scratch.0.join("nowhere")).contains("holds no store"));
        assert!(told(None, &scratch.0).contains("holds no store"), "and none is made");
        let store = scratch.0.join("state");
        std::fs::create_dir(&store).map_err(|error| error.to_string())?;
        keep(&store, &[("acme", 2), ("other", 1), ("silent", 0)])?;
        assert!(told(None, &store).contains("give --tenant") && told(None, &store).contains("acme, other"));
        assert!(told(Some("nobody"), &store).contains("there is no `nobody`"));
        assert!(told(Some("silent"), &store).contains("no worker's tables"));
        assert_eq!(read_store(&store, Some("other"))?.len(), 1);
        let file = scratch.0.join("bad.ndjson");
        std::fs::write(&file, "{\"elsewhere_tables\":1}\n").map_err(|error| error.to_string())?;
        assert!(read_file(&file).is_err_and(|error| error.contains("line 1") && error.contains("table")));
        Ok(())
    }
}
