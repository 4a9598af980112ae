//! Who types like whom: hands placed and pairs looked for off the path of the login, candidates ranked when asked for.
//!
//! The store scans points and gives names; here profiles are compared in full, and what is found is weighed with what the
//! search cost ([`alike`]). A pair worth noting reaches the sessions of both workers as `crowd.typist`, and both
//! standings at once.

use super::{Failure, Implicated, Pipeline};
use crate::event::EventTime;
use crate::evidence::crowd::{Alike, LinkKind, alike};
use crate::evidence::typing::{self, PairRatio};
use crate::history::{AlikeHand, Hands, StoreError, TenantId, WorkerRecord};
use crate::model::Model;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Nearest points that are compared in full when pairs are looked for, and at least so many when candidates are ranked.
const COMPARED: usize = 128;
/// Candidates compared in full per candidate asked for.
const COMPARED_PER_CANDIDATE: usize = 8;
/// Points that may be scanned while somebody waits for clusters: about a third of a second's.
const SCANNED_WHILE_WAITED_FOR: usize = 20_000_000;
/// Hands that wait before a run over a file, which nobody follows up, looks for pairs by itself.
const WAITING_MAX: usize = 64;

/// How alike the hands of two workers are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// Log-likelihood ratio, nats, of "one typist" against "two".
    pub log_ratio: f64,
    /// Hands of the tenant that were searched.
    pub compared_count: usize,
    /// Of so many, strangers at least this alike, as expected.
    pub chance_count: f64,
    /// Presses behind the worker's hand.
    pub press_count: u32,
    /// Presses behind the other's.
    pub other_press_count: u32,
    /// What being met through the tokens they share costs, nats, in place of the search; `None` where they share none.
    pub meeting_cost: Option<f64>,
}

impl Likeness {
    fn of(ratio: PairRatio, compared_count: usize, meeting_cost: Option<f64>) -> Self {
        let PairRatio { log_ratio, press_counts: (press_count, other_press_count) } = ratio;
        let chance_count = alike::chance_count(log_ratio, compared_count);
        Self { log_ratio, compared_count, chance_count, press_count, other_press_count, meeting_cost }
    }

    /// What it weighs in linkage, nats.
    pub fn weight_log_odds(&self) -> f64 {
        self.alike().weight_log_odds(self.compared_count)
    }

    /// Probability, in \[0, 1\], that one typist stands behind both, by typing alone.
    pub fn probability(&self) -> f64 {
        alike::searched_probability(self.log_ratio, self.compared_count)
    }

    fn alike(&self) -> Alike {
        Alike { log_ratio: self.log_ratio, meeting_cost: self.meeting_cost }
    }
}

/// A worker who may be typed for by the same hands.
#[derive(Debug, Clone, PartialEq)]
pub struct TypistCandidate {
    /// The worker.
    pub worker_id: Arc<str>,
    /// How alike.
    pub likeness: Likeness,
    /// The latest event of either.
    pub last_time: EventTime,
}

/// Who types most like one worker.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SimilarTypists {
    /// Most alike first.
    pub candidates: Vec<TypistCandidate>,
    /// Hands searched; 0 when the worker's own is not known.
    pub compared_count: usize,
}

/// What of a record two workers' hands are compared by.
#[derive(Debug, Clone)]
pub(super) struct Typist {
    pub(super) profile: typing::Profile,
    pub(super) session_count: u32,
    pub(super) first_time: EventTime,
    pub(super) last_time: EventTime,
}

impl Typist {
    pub(super) fn of(record: &WorkerRecord) -> Self {
        Self {
            profile: record.profiles.typing.clone(),
            session_count: record.maturity.session_count,
            first_time: record.maturity.first_seen_micros.map_or(record.last_seen, EventTime),
            last_time: record.last_seen,
        }
    }

    /// How alike two are; absent when one of them has no hand.
    pub(super) fn likeness(
        &self,
        other: &Typist,
        among: usize,
        meeting_cost: Option<f64>,
        model: &Model,
    ) -> Option<Likeness> {
        let ratio = model.file.evidence.typing.same_typist(&self.profile, &other.profile)?;
        Some(Likeness::of(ratio, among, meeting_cost))
    }
}

/// Names the parameters that points are made of: two models may share a name and not a place.
fn stamp(model: &Model) -> u64 {
    let seed = u64::from(model.file.evidence.typing.table.basis);
    model.sha256.chunks_exact(8).fold(seed, |stamp, part| {
        let part = part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        (stamp.rotate_left(7) ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

impl Pipeline {
    /// Places the hands that have grown and looks for the like of at most `limit` workers. Returns how many wait still.
    ///
    /// # Errors
    /// When the store cannot read or keep.
    pub fn settle_hands(&self, tenant: TenantId, limit: usize) -> Result<usize, StoreError> {
        let models = self.models();
        let Some(model) = models.get("") else { return Ok(0) };
        let hands = self.store.hands(tenant)?;
        let _settling = hands.settling();
        self.place_hands(tenant, model)?;
        for worker in hands.take_unsearched(limit) {
            self.look_for_alike(tenant, &hands, &worker, model)?;
        }
        Ok(hands.waiting_count())
    }

    fn place_hands(&self, tenant: TenantId, model: &Model) -> Result<Arc<Hands>, StoreError> {
        let table = &model.file.evidence.typing.table;
        let slots = table.hand_slots();
        let embed =
            |record: &WorkerRecord| record.profiles.typing.table().and_then(|profile| table.hand_with(profile, &slots));
        self.store.place_hands(tenant, stamp(model), &embed)
    }

    /// As [`Pipeline::settle_hands`], as much as somebody who waits for clusters may wait for.
    pub(super) fn settle_hands_waited_for(&self, tenant: TenantId) -> Result<(), StoreError> {
        let count = self.store.hands(tenant)?.count().max(1);
        self.settle_hands(tenant, SCANNED_WHILE_WAITED_FOR / count).map(|_| ())
    }

    /// Looks for pairs where nobody follows up on logins: a run over a file, or a simulated company.
    pub(super) fn follow_hands(&self, tenant: TenantId) -> Result<(), StoreError> {
        if self.serving.is_some() || self.store.hands(tenant)?.waiting_count() < WAITING_MAX {
            return Ok(());
        }
        self.settle_hands(tenant, usize::MAX).map(|_| ())
    }

    /// Notes who types like a worker, and brings both standings up to date where that is news.
    fn look_for_alike(
        &self,
        tenant: TenantId,
        hands: &Hands,
        worker: &Arc<str>,
        model: &Model,
    ) -> Result<(), StoreError> {
        let Some(own) = self.typist(tenant, worker)? else { return Ok(()) };
        let near = self.nearest(tenant, hands, worker, &own, COMPARED, model)?;
        let note = |one: &TypistCandidate| {
            let found = one.likeness.alike();
            alike::worth_noting(found, one.likeness.compared_count).then(|| AlikeHand {
                worker_id: Arc::clone(&one.worker_id),
                log_ratio: found.log_ratio as f32,
                meeting_cost: found.meeting_cost.map(|cost| cost as f32),
            })
        };
        let changed = hands.note(worker, near.iter().filter_map(note).collect());
        if changed.is_empty() {
            return Ok(());
        }
        let workers = changed.into_iter().chain([Arc::clone(worker)]).collect();
        self.implicate(&Implicated::by_hand(tenant, workers, own.last_time))
    }

    /// The workers nearest to one, and those it shares a token with, compared in full; most alike first.
    fn nearest(
        &self,
        tenant: TenantId,
        hands: &Hands,
        worker: &str,
        own: &Typist,
        compared: usize,
        model: &Model,
    ) -> Result<Vec<TypistCandidate>, StoreError> {
        let table = &model.file.evidence.typing.table;
        let hand = own.profile.table().and_then(|profile| table.hand(profile));
        let among = hands.count().saturating_sub(1);
        let met = self.met(tenant, worker)?;
        let mut names: BTreeSet<Arc<str>> = met.keys().map(Arc::clone).collect();
        names.extend(hand.iter().flat_map(|hand| hands.nearest(hand, worker, compared)).map(|near| near.worker_id));
        let mut found = Vec::new();
        for name in names {
            let Some(other) = self.typist(tenant, &name)? else { continue };
            if let Some(likeness) = own.likeness(&other, among, met.get(&name).copied(), model) {
                let last_time = own.last_time.max(other.last_time);
                found.push(TypistCandidate { worker_id: name, likeness, last_time });
            }
        }
        let ratio = |one: &TypistCandidate| one.likeness.log_ratio;
        found.sort_by(|a, b| ratio(b).total_cmp(&ratio(a)).then_with(|| a.worker_id.cmp(&b.worker_id)));
        Ok(found)
    }

    /// The workers met through a worker's tokens, and what meeting each costs: the least of all they share.
    fn met(&self, tenant: TenantId, worker: &str) -> Result<BTreeMap<Arc<str>, f64>, StoreError> {
        let rows = self.store.neighbours(tenant, worker)?;
        let mut shared: BTreeMap<(Arc<str>, u8), (u32, u32)> = BTreeMap::new();
        for row in &rows {
            for other in &row.others {
                // Of one kind, how many they share, and how many workers have the rarest of it.
                let (count, fewest) = shared.entry((Arc::clone(&other.worker_id), row.kind.0)).or_insert((0, u32::MAX));
                *count += 1;
                *fewest = (*fewest).min(row.worker_count.saturating_add(1));
            }
        }
        let mut met: BTreeMap<Arc<str>, f64> = BTreeMap::new();
        for ((other, number), (count, fewest)) in shared {
            let kind = LinkKind::ALL.iter().find(|kind| **kind as u8 == number);
            let Some(cost) = kind.and_then(|kind| alike::meeting_cost(*kind, fewest, count)) else { continue };
            met.entry(other).and_modify(|least| *least = least.min(cost)).or_insert(cost);
        }
        Ok(met)
    }

    pub(super) fn typist(&self, tenant: TenantId, worker: &str) -> Result<Option<Typist>, StoreError> {
        let mut typist = None;
        self.store.peek(tenant, worker, &mut |record| typist = Some(Typist::of(record)))?;
        Ok(typist)
    }

    /// The workers who type most like one, at most `count`; `None` when nothing is kept of the worker.
    ///
    /// Scans every hand of the tenant: milliseconds at 100,000 workers.
    ///
    /// # Errors
    /// [`Failure::ModelNotLoaded`] without a model, [`Failure::Store`] when the store cannot read.
    pub fn similar_typists(
        &self,
        tenant: TenantId,
        worker_id: &str,
        count: usize,
    ) -> Result<Option<SimilarTypists>, Failure> {
        let models = self.models();
        let model = models.get("").ok_or(Failure::ModelNotLoaded { model_id: String::new() })?;
        let Some(own) = self.typist(tenant, worker_id)? else { return Ok(None) };
        let hands = self.place_hands(tenant, model)?;
        let compared = COMPARED.max(count.saturating_mul(COMPARED_PER_CANDIDATE));
        let mut candidates = self.nearest(tenant, &hands, worker_id, &own, compared, model)?;
        candidates.truncate(count);
        let known = own.profile.table().is_some_and(|profile| model.file.evidence.typing.table.hand(profile).is_some());
        let compared_count = if known { hands.count().saturating_sub(1) } else { 0 };
        Ok(Some(SimilarTypists { candidates, compared_count }))
    }
}
