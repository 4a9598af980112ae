//! The workers of a store as recalibration sees them: what their sessions showed, and what was found out about them.

use elsewhere::event::{Label, LabelSource};
use elsewhere::history::afterwards::Afterwards as _;
use elsewhere::history::{DurableStore, KeptFeedback, Record as _, Store as _, TenantId, WorkerRecord};
use elsewhere::model::StandingModel;
use elsewhere::model::standing_model::PreparedStanding;
use elsewhere::risk::{Standing, Verdict};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Parts that workers are held back by.
pub const FOLDS: usize = 5;
/// Days of a worker-month, as budgets count.
const MONTH_DAYS: f64 = 30.0;
const MICROS_PER_DAY: f64 = 86_400e6;

/// What was found out about a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth {
    /// Another person worked, or the worker of record worked from afar.
    pub hostile: bool,
    /// Whether it is known by other means than the signals that are being weighed. Only such labels evaluate.
    pub independent: bool,
}

/// One worker.
#[derive(Debug, Clone)]
pub struct Worker {
    /// What the sessions showed, nothing cleared: a clearance is an answer, and would be read as evidence.
    pub standing: Standing,
    /// From the first session to the last, months.
    pub months: f64,
    /// The last session, microseconds since 1970: as of when a standing is read.
    pub last_micros: i64,
    /// What was found out; absent when nothing was.
    pub truth: Option<Truth>,
    /// The part the worker is held back with, by a hash of the pseudonym.
    pub fold: usize,
}

impl Worker {
    /// Evidence of all sessions under a standing model, nats.
    pub fn evidence(&self, prepared: &PreparedStanding) -> f64 {
        self.standing.report(prepared, self.last_micros).evidence_log_odds
    }
}

/// A standing model made ready.
///
/// # Errors
/// When it cannot be served.
pub fn prepared(model: &StandingModel) -> Result<PreparedStanding, String> {
    model.clone().prepare()
}

/// What an entry says, with its place among others: the strongest source decides.
fn told(entry: &KeptFeedback) -> Option<(Truth, u8)> {
    let hostile = match entry.feedback.label {
        Label::Impostor | Label::RemoteOperator | Label::Takeover => true,
        Label::Genuine | Label::GenuineElsewhere => false,
        Label::Undecided => return None,
    };
    let (independent, rank) = match entry.feedback.source {
        LabelSource::Legal => (true, 0),
        LabelSource::Investigation => (true, 1),
        LabelSource::IdentityCheck => (true, 2),
        LabelSource::Analyst => (false, 3),
        // A person's own word tells an operator's as well as a worker's.
        LabelSource::SelfReport => return None,
    };
    Some((Truth { hostile, independent }, rank))
}

/// What entries in force say of a worker: the strongest source's word; of equal sources that it was hostile.
pub fn truth<'a>(entries: impl Iterator<Item = &'a KeptFeedback>) -> Option<Truth> {
    let in_force = entries.filter(|entry| !entry.superseded).filter_map(told);
    in_force.min_by_key(|(truth, rank)| (*rank, !truth.hostile)).map(|(truth, _)| truth)
}

/// All workers of a tenant.
///
/// # Errors
/// When the store cannot be read.
pub fn read(store: &DurableStore<WorkerRecord, Verdict>, tenant: TenantId) -> Result<Vec<Worker>, String> {
    let failed = |error: elsewhere::history::StoreError| format!("--store: {error}");
    let mut entries: HashMap<String, Vec<_>> = HashMap::new();
    for entry in store.feedback(tenant).map_err(failed)? {
        entries.entry(entry.worker_id.clone()).or_default().push(entry);
    }
    let mut workers = Vec::new();
    let mut take = |worker_id: &str, record: &WorkerRecord| {
        let last_micros = record.last_seen().0;
        let first_micros = record.maturity.first_seen_micros.unwrap_or(last_micros);
        let known = entries.get(worker_id).map(Vec::as_slice).unwrap_or_default();
        workers.push(Worker {
            standing: record.standing.uncleared(),
            months: ((last_micros - first_micros).max(0) as f64 / MICROS_PER_DAY + 1.0) / MONTH_DAYS,
            last_micros,
            truth: truth(known.iter().map(|entry| &**entry)),
            fold: usize::from(Sha256::digest(worker_id.as_bytes())[0]) % FOLDS,
        });
    };
    store.workers(tenant, &mut take).map_err(failed)?;
    Ok(workers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use elsewhere::event::{EventTime, Feedback, Subject};

    fn entry(label: Label, source: LabelSource) -> KeptFeedback {
        let subject = Subject::Worker { worker_id: "w".into(), start_time: None, end_time: None };
        let (feedback_id, review_time, cleared_reasons) = ("f".into(), None, Vec::new());
        KeptFeedback {
            feedback: Feedback { feedback_id, subject, label, source, review_time, cleared_reasons },
            worker_id: "w".into(),
            content_hash: [0; 32],
            record_time: EventTime(0),
            superseded: false,
            superseding: false,
        }
    }

    #[test]
    fn the_strongest_source_decides_and_an_analyst_never_evaluates() {
        let of = |entries: &[KeptFeedback]| truth(entries.iter());
        let analyst = entry(Label::RemoteOperator, LabelSource::Analyst);
        let check = entry(Label::Genuine, LabelSource::IdentityCheck);
        assert_eq!(of(&[analyst.clone()]), Some(Truth { hostile: true, independent: false }));
        assert_eq!(of(&[analyst.clone(), check.clone()]), Some(Truth { hostile: false, independent: true }));
        let superseded = KeptFeedback { superseded: true, ..check };
        assert_eq!(of(&[analyst, superseded]), Some(Truth { hostile: true, independent: false }));
        assert_eq!(of(&[entry(Label::Genuine, LabelSource::SelfReport)]), None, "an operator would say so too");
        assert_eq!(of(&[entry(Label::Undecided, LabelSource::Legal)]), None);
        let both = [entry(Label::Genuine, LabelSource::Legal), entry(Label::Impostor, LabelSource::Legal)];
        assert_eq!(of(&both), Some(Truth { hostile: true, independent: true }));
    }
}
