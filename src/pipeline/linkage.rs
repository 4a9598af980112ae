//! Who shares what with whom: links of one worker, and clusters of a tenant, made from the index when asked for.
//!
//! Nothing is kept but the names of clusters, per worker; so links and clusters are what the indices say now, whatever
//! the order in which events came, and an erased worker is in none. Hands are an index of their own: those of a worker's
//! links are searched for when they are asked for, those of a tenant's clusters were found since they last grew.

use super::likeness::{Likeness, Typist};
use super::{Failure, Pipeline};
use crate::event::{EventTime, limits};
use crate::evidence::crowd::{self, LinkKind, Parameters};
use crate::history::{ClusterName, Durable, Shared, TenantId};
use crate::model::Model;
use crate::model::operator_cluster::{Cluster, Pair, clusters, inherited_names, pair_log_odds, tie_log_odds};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// One kind of thing that two workers share.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// One worker.
    pub worker_id: Arc<str>,
    /// The other.
    pub other_worker_id: Arc<str>,
    /// What they share, by number of the wire.
    pub kind: u8,
    /// Log-likelihood ratio, nats, of "same hands or same room" against "strangers".
    pub weight_log_odds: f64,
    /// Events of either in which it was seen.
    pub event_count: u32,
    /// When it was first seen with both.
    pub first_time: EventTime,
    /// When it was last seen with either.
    pub last_time: EventTime,
    /// How alike their hands are, where that is what they share.
    pub likeness: Option<Likeness>,
}

/// Workers that look operated together.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorCluster {
    /// Its name, such as `oc-0123456789abcdef`.
    pub cluster_id: String,
    /// Its members, by id.
    pub worker_ids: Vec<Arc<str>>,
    /// Evidence before the prior, nats.
    pub log_odds: f64,
    /// Probability, in [0, 1], that one operator or site stands behind most of them.
    pub probability: f64,
    /// The links between members, strongest first; at most [`limits::LINKS_PER_CLUSTER_MAX`].
    pub links: Vec<Link>,
    /// Latest sighting of any link.
    pub last_time: EventTime,
}

/// What two workers share of one kind.
struct Tie {
    /// Workers who have the rarest of what they share.
    fewest: usize,
    /// The strongest thing's claims agree, and how many workers have it.
    weight: f64,
    shared_count: usize,
    event_count: u32,
    first_time: EventTime,
    last_time: EventTime,
}

/// Ties by kind.
type Ties = BTreeMap<LinkKind, Tie>;

/// All that stands between two workers.
#[derive(Default)]
struct Between {
    ties: Ties,
    /// What their hands say, where both are known.
    hand: Option<Link>,
}

impl Between {
    /// What being met through the ties costs a likeness; `None` where none brought the two together.
    fn meeting_cost(&self) -> Option<f64> {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let cost = |(kind, tie): (&LinkKind, &Tie)| {
            crowd::alike::meeting_cost(*kind, count(tie.fewest), count(tie.shared_count))
        };
        self.ties.iter().filter_map(cost).min_by(f64::total_cmp)
    }

    fn log_odds(&self, parameters: &Parameters) -> f64 {
        let weights: Vec<f64> = self.ties.values().map(|tie| tie.weight).collect();
        pair_log_odds(&weights, self.hand.as_ref().map(|link| link.weight_log_odds), parameters)
    }
}

/// The link that the hands of two workers make.
fn hand_link((one, own): (&Arc<str>, &Typist), (other, theirs): (&Arc<str>, &Typist), likeness: Likeness) -> Link {
    Link {
        worker_id: Arc::clone(one),
        other_worker_id: Arc::clone(other),
        kind: LinkKind::Typing as u8,
        weight_log_odds: likeness.weight_log_odds(),
        event_count: own.session_count.saturating_add(theirs.session_count),
        first_time: own.first_time.max(theirs.first_time),
        last_time: own.last_time.max(theirs.last_time),
        likeness: Some(likeness),
    }
}

fn kind_of(shared: &Shared<'_>) -> Option<LinkKind> {
    LinkKind::ALL.iter().copied().find(|kind| *kind as u8 == shared.kind.0)
}

/// Adds what the holders numbered `one` and `other` share through a token.
fn tie(ties: &mut Ties, kind: LinkKind, shared: &Shared<'_>, (one, other): (usize, usize), parameters: &Parameters) {
    let (one, other) = (&shared.holders[one], &shared.holders[other]);
    let agree = one.claim.zip(other.claim).and_then(|(one, other)| one.agrees(&other));
    let first_time = one.first_time.max(other.first_time);
    let last_time = one.last_time.max(other.last_time);
    let tie = ties.entry(kind).or_insert(Tie {
        fewest: usize::MAX,
        weight: f64::NEG_INFINITY,
        shared_count: 0,
        event_count: 0,
        first_time,
        last_time,
    });
    tie.shared_count += 1;
    tie.fewest = tie.fewest.min(shared.holders.len());
    tie.weight = tie.weight.max(tie_log_odds(kind, agree, shared.holders.len(), tie.shared_count, parameters));
    tie.event_count = tie.event_count.saturating_add(one.event_count).saturating_add(other.event_count);
    tie.first_time = tie.first_time.min(first_time);
    tie.last_time = tie.last_time.max(last_time);
}

fn links(one: &Arc<str>, other: &Arc<str>, between: &Between) -> Vec<Link> {
    let link = |(kind, tie): (&LinkKind, &Tie)| Link {
        worker_id: Arc::clone(one),
        other_worker_id: Arc::clone(other),
        kind: *kind as u8,
        weight_log_odds: tie.weight,
        event_count: tie.event_count,
        first_time: tie.first_time,
        last_time: tie.last_time,
        likeness: None,
    };
    between.ties.iter().map(link).chain(between.hand.clone()).collect()
}

/// Strongest first, then by workers and kind.
fn sort(links: &mut [Link]) {
    links.sort_by(|a, b| {
        let names = |link: &Link| (Arc::clone(&link.worker_id), Arc::clone(&link.other_worker_id), link.kind);
        b.weight_log_odds.total_cmp(&a.weight_log_odds).then_with(|| names(a).cmp(&names(b)))
    });
}

impl Pipeline {
    /// The links of one worker, strongest first; `None` when nothing is kept of the worker.
    ///
    /// # Errors
    /// [`Failure::ModelNotLoaded`] without a model, [`Failure::Store`] when the store cannot read.
    pub fn links(&self, tenant: TenantId, worker_id: &str) -> Result<Option<Vec<Link>>, Failure> {
        let models = self.models();
        let model = models.get("").ok_or(Failure::ModelNotLoaded { model_id: String::new() })?;
        let parameters = &model.file.evidence.crowd;
        if self.store.record(tenant, worker_id)?.is_none() {
            return Ok(None);
        }
        let mut by_other: BTreeMap<Arc<str>, Between> = BTreeMap::new();
        self.store.shared_tokens(tenant, Some(worker_id), &mut |shared| {
            let Some(kind) = kind_of(shared) else { return };
            let Some(own) = shared.holders.iter().position(|holder| *holder.worker_id == *worker_id) else { return };
            for other in (0..shared.holders.len()).filter(|other| *other != own) {
                let between = by_other.entry(Arc::clone(&shared.holders[other].worker_id)).or_default();
                tie(&mut between.ties, kind, shared, (own, other), parameters);
            }
        })?;
        let worker: Arc<str> = worker_id.into();
        self.link_by_hand(tenant, &worker, &mut by_other, model)?;
        let mut found: Vec<Link> =
            by_other.iter().flat_map(|(other, between)| links(&worker, other, between)).collect();
        sort(&mut found);
        Ok(Some(found))
    }

    /// Adds what the hands say: of everybody who shares something with the worker, for or against; of others, where the
    /// likeness outweighs the search for it.
    fn link_by_hand(
        &self,
        tenant: TenantId,
        worker: &Arc<str>,
        by_other: &mut BTreeMap<Arc<str>, Between>,
        model: &Model,
    ) -> Result<(), Failure> {
        let Some(own) = self.typist(tenant, worker)? else { return Ok(()) };
        let Some(similar) = self.similar_typists(tenant, worker, limits::ALIKE_PER_WORKER_MAX)? else { return Ok(()) };
        let searched = similar.candidates.iter().filter(|one| one.likeness.weight_log_odds() >= 0.0);
        let searched: Vec<Arc<str>> = searched.map(|one| Arc::clone(&one.worker_id)).collect();
        for other in searched {
            by_other.entry(other).or_default();
        }
        for (other, between) in by_other.iter_mut() {
            let Some(theirs) = self.typist(tenant, other)? else { continue };
            let likeness = own.likeness(&theirs, similar.compared_count, between.meeting_cost(), model);
            let likeness = likeness.filter(|found| found.meeting_cost.is_some() || found.weight_log_odds() >= 0.0);
            between.hand = likeness.map(|likeness| hand_link((worker, &own), (other, &theirs), likeness));
        }
        by_other.retain(|_, between| !between.ties.is_empty() || between.hand.is_some());
        Ok(())
    }

    /// The clusters of a tenant, largest evidence first, with their names made to last. Resolve the promise before the
    /// names are given out.
    ///
    /// Walks the whole index: meant for a thread of its own.
    ///
    /// # Errors
    /// As [`Pipeline::links`], or when the names cannot be kept.
    pub fn operator_clusters(&self, tenant: TenantId) -> Result<(Vec<OperatorCluster>, Durable), Failure> {
        let models = self.models();
        let model = models.get("").ok_or(Failure::ModelNotLoaded { model_id: String::new() })?;
        let parameters = &model.file.evidence.crowd;
        self.settle_hands_waited_for(tenant)?;
        let mut by_pair: HashMap<(Arc<str>, Arc<str>), Between> = HashMap::new();
        self.store.shared_tokens(tenant, None, &mut |shared| {
            let Some(kind) = kind_of(shared) else { return };
            // Holders are ordered by id, so a pair has one name.
            for one in 0..shared.holders.len() {
                for other in one + 1..shared.holders.len() {
                    let name = |index: usize| Arc::clone(&shared.holders[index].worker_id);
                    let between = by_pair.entry((name(one), name(other))).or_default();
                    tie(&mut between.ties, kind, shared, (one, other), parameters);
                }
            }
        })?;
        self.pair_by_hand(tenant, &mut by_pair, model)?;
        let mut workers: Vec<Arc<str>> =
            by_pair.keys().flat_map(|(one, other)| [Arc::clone(one), Arc::clone(other)]).collect();
        workers.sort_unstable();
        workers.dedup();
        // INVARIANT: every name was collected from the pairs just above.
        let number = |worker: &Arc<str>| workers.binary_search(worker).unwrap_or_default() as u32;
        let pair = |((one, other), between): (&(Arc<str>, Arc<str>), &Between)| Pair {
            one: number(one),
            other: number(other),
            log_odds: between.log_odds(parameters),
        };
        let pairs: Vec<Pair> = by_pair.iter().map(pair).collect();
        let found = clusters(workers.len(), &pairs, limits::WORKERS_PER_CLUSTER_MAX);
        let (names, durable) = self.name(tenant, &workers, &found)?;
        let mut cluster_of = vec![usize::MAX; workers.len()];
        for (index, cluster) in found.iter().enumerate() {
            cluster.members.iter().for_each(|member| cluster_of[*member as usize] = index);
        }
        let mut told: Vec<OperatorCluster> = found
            .iter()
            .zip(names)
            .map(|(cluster, name)| OperatorCluster {
                cluster_id: format!("oc-{name:016x}"),
                worker_ids: cluster.members.iter().map(|member| Arc::clone(&workers[*member as usize])).collect(),
                log_odds: cluster.log_odds,
                probability: cluster.probability,
                links: Vec::new(),
                last_time: EventTime(i64::MIN),
            })
            .collect();
        for ((one, other), between) in &by_pair {
            let (here, there) = (cluster_of[number(one) as usize], cluster_of[number(other) as usize]);
            if here == there
                && let Some(cluster) = told.get_mut(here)
            {
                cluster.links.extend(links(one, other, between));
            }
        }
        for cluster in &mut told {
            let latest = cluster.links.iter().map(|link| link.last_time).max();
            cluster.last_time = latest.unwrap_or(cluster.last_time);
            sort(&mut cluster.links);
            cluster.links.truncate(limits::LINKS_PER_CLUSTER_MAX);
        }
        Ok((told, durable))
    }

    /// As `link_by_hand`, for every pair that shares something and every pair found alike.
    fn pair_by_hand(
        &self,
        tenant: TenantId,
        by_pair: &mut HashMap<(Arc<str>, Arc<str>), Between>,
        model: &Model,
    ) -> Result<(), Failure> {
        let hands = self.store.hands(tenant)?;
        let among = hands.count().saturating_sub(1);
        for (one, other) in hands.pairs() {
            by_pair.entry((one, other.worker_id)).or_default();
        }
        let mut typists: HashMap<Arc<str>, Option<Typist>> = HashMap::new();
        for (one, other) in by_pair.keys() {
            for worker in [one, other] {
                if !typists.contains_key(worker) {
                    typists.insert(Arc::clone(worker), self.typist(tenant, worker)?);
                }
            }
        }
        for ((one, other), between) in by_pair.iter_mut() {
            let (Some(Some(own)), Some(Some(theirs))) = (typists.get(one), typists.get(other)) else { continue };
            let likeness = own.likeness(theirs, among, between.meeting_cost(), model);
            // Noted when there were fewer hands, or before either of them had grown: no longer worth the search.
            let likeness = likeness.filter(|found| found.meeting_cost.is_some() || found.weight_log_odds() >= 0.0);
            between.hand = likeness.map(|likeness| hand_link((one, own), (other, theirs), likeness));
        }
        by_pair.retain(|_, between| !between.ties.is_empty() || between.hand.is_some());
        Ok(())
    }

    /// The names of clusters: inherited where most members stayed, new ones otherwise.
    fn name(
        &self,
        tenant: TenantId,
        workers: &[Arc<str>],
        found: &[Cluster],
    ) -> Result<(Vec<ClusterName>, Durable), Failure> {
        let key = self.store.key(tenant, "cluster")?;
        let members: Vec<Vec<u32>> = found.iter().map(|cluster| cluster.members.clone()).collect();
        let mut names: Vec<ClusterName> = Vec::new();
        let durable = self.store.name_clusters(tenant, &mut |before| {
            let mut holders: HashMap<ClusterName, usize> = HashMap::new();
            before.values().for_each(|name| *holders.entry(*name).or_default() += 1);
            let name_of = |member: u32| before.get(&workers[member as usize]).copied();
            let inherited = inherited_names(&members, name_of, |name| holders.get(&name).copied().unwrap_or_default());
            let mint = |members: &[u32]| {
                let mut hasher = Sha256::new_with_prefix(key);
                for member in members {
                    hasher.update(workers[*member as usize].as_bytes());
                    hasher.update([0]);
                }
                let digest: [u8; 32] = hasher.finalize().into();
                digest.first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
            };
            names = members.iter().zip(inherited).map(|(own, name)| name.unwrap_or_else(|| mint(own))).collect();
            let mut now: HashMap<Arc<str>, ClusterName> = HashMap::new();
            for (own, name) in members.iter().zip(&names) {
                now.extend(own.iter().map(|member| (Arc::clone(&workers[*member as usize]), *name)));
            }
            let gone =
                before.keys().filter(|worker| !now.contains_key(*worker)).map(|worker| (Arc::clone(worker), None));
            let changed = now.iter().filter(|(worker, name)| before.get(*worker) != Some(*name));
            gone.chain(changed.map(|(worker, name)| (Arc::clone(worker), Some(*name)))).collect()
        })?;
        Ok((names, durable))
    }
}
