//! Links to operator clusters: what two workers share becomes evidence, and evidence that hangs together a cluster.
//!
//! Weights of what is shared are the crowd family's, so that a standing and a cluster tell one story. Claims decide:
//! what strangers share who say they live elsewhere weighs; what is shared under claims that agree is a household, a
//! team or a coworking space and speaks against. The constants here are priors by judgement, stated and not fitted.
//!
//! Worked example: three workers behind one gateway claim three cities. Each pair weighs 2.2 nats. Two coincidences
//! hold three claims together; they may share a cause (a visit, an offsite), so the second counts half: 2.2 + 1.1. With
//! the prior of -2.94 (one such pair in twenty is operated together) the cluster stands at .36, probability .59. With
//! one address besides, a pair weighs 2.2 + .4 x 1.6 = 2.84, the cluster 4.26 - 2.94 = 1.32, probability .79.

use crate::evidence::crowd::alike::SHARING_PRIOR_LOG_ODDS as PRIOR_LOG_ODDS;
use crate::evidence::crowd::{LinkKind, Parameters};
use std::cmp::Reverse;

/// Nats of a site shared under claims that agree: households and teams outnumber farms that lie about nothing else.
const AGREEING_LOG_ODDS: f64 = -1.5;
/// Share of a kind's weight where the claims cannot be compared.
const UNCLAIMED_SHARE: f64 = 0.5;
/// Nats of an agency in common: facilitators place workers through one, and so do honest agencies.
const INTERMEDIARY_LOG_ODDS: f64 = 0.3;
/// Weakest pair that joins two workers into one cluster, nats. Under it stand addresses of fifteen and more workers.
pub const JOINING_LOG_ODDS_MIN: f64 = 1.0;

/// Log-likelihood ratio, nats, of "same hands or same room" against "strangers" for one thing two workers share.
///
/// # Arguments
/// * `agree`: whether their claims can be true of people under one roof; `None` when they cannot be compared.
/// * `worker_count`: workers seen with the thing in all, at least 2. Beyond a household weights fall, for addresses by
///   the square: carriers and campuses put many behind one.
/// * `shared_count`: how many such things they share; counts for relays only, whose first freeze is an outage.
pub fn tie_log_odds(
    kind: LinkKind,
    agree: Option<bool>,
    worker_count: usize,
    shared_count: usize,
    parameters: &Parameters,
) -> f64 {
    let household = (parameters.household_worker_count / worker_count.max(1) as f64).min(1.0);
    match kind {
        LinkKind::Authenticator if worker_count > parameters.authenticator_worker_count_max as usize => 0.0,
        LinkKind::Authenticator => parameters.authenticator_weight,
        LinkKind::Relay => (parameters.stall_weight * (shared_count as f64 - 1.0)).clamp(0.0, parameters.score_max),
        LinkKind::Intermediary => INTERMEDIARY_LOG_ODDS * household,
        _ => {
            let weight = parameters.site_weight[kind.index()];
            let crowding = if kind == LinkKind::Address { household * household } else { household };
            match agree {
                _ if weight <= 0.0 => 0.0,
                Some(true) => AGREEING_LOG_ODDS,
                Some(false) => weight * crowding,
                None => weight * crowding * UNCLAIMED_SHARE,
            }
        }
    }
}

/// All that two workers share, as one log-likelihood ratio: the strongest kind in full, of others a share, since kinds
/// of one site come together; one deduction where claims agree. `typing` is what their hands say: of another origin than
/// things that are shared, so that it counts in full, for or against. At most the family's `score_max`.
pub fn pair_log_odds(ties: &[f64], typing: Option<f64>, parameters: &Parameters) -> f64 {
    let strongest = ties.iter().copied().fold(0.0, f64::max);
    let positive: f64 = ties.iter().filter(|tie| **tie > 0.0).sum();
    let against = ties.iter().copied().fold(0.0, f64::min);
    let shared = strongest + parameters.further_kind_share * (positive - strongest) + against;
    (shared + typing.unwrap_or(0.0)).min(parameters.score_max)
}

/// Two workers, by number, and what all they share weighs together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The smaller number.
    pub one: u32,
    /// The larger number.
    pub other: u32,
    /// Log-likelihood ratio, nats.
    pub log_odds: f64,
}

/// Workers that look operated together.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Members by number, rising; at least two.
    pub members: Vec<u32>,
    /// Log-likelihood ratio of its coincidences, nats, without the prior.
    pub log_odds: f64,
    /// Probability, in [0, 1], that one operator or site stands behind most of them.
    pub probability: f64,
}

/// Which set a worker belongs to.
struct Sets {
    parent: Vec<u32>,
    size: Vec<u32>,
}

impl Sets {
    fn new(count: usize) -> Self {
        Self { parent: (0..count as u32).collect(), size: vec![1; count] }
    }

    fn root(&mut self, mut one: u32) -> u32 {
        while self.parent[one as usize] != one {
            let above = self.parent[self.parent[one as usize] as usize];
            self.parent[one as usize] = above;
            one = above;
        }
        one
    }

    /// Joins two sets unless they are one already or would exceed `size_max`.
    fn join(&mut self, one: u32, other: u32, size_max: usize) -> bool {
        let (one, other) = (self.root(one), self.root(other));
        let size = self.size[one as usize] as usize + self.size[other as usize] as usize;
        if one == other || size > size_max {
            return false;
        }
        let (above, below) = if one < other { (one, other) } else { (other, one) };
        self.parent[below as usize] = above;
        self.size[above as usize] = size as u32;
        true
    }
}

/// Workers `0..worker_count` in clusters, largest evidence first. The order of `pairs` is free.
///
/// Workers are joined by pairs of at least [`JOINING_LOG_ODDS_MIN`], strongest first, up to `size_max` members. A
/// cluster's evidence is that of the coincidences that hold its *claims* together: members whose pair speaks against
/// count as one, and of the pairs that join the rest the k-th strongest counts a k-th, since they may share a cause.
/// So it never falls when a pair grows stronger, and grows like a logarithm with the number of members.
pub fn clusters(worker_count: usize, pairs: &[Pair], size_max: usize) -> Vec<Cluster> {
    let mut joining: Vec<&Pair> = pairs.iter().filter(|pair| pair.log_odds >= JOINING_LOG_ODDS_MIN).collect();
    joining.sort_by(|a, b| b.log_odds.total_cmp(&a.log_odds).then((a.one, a.other).cmp(&(b.one, b.other))));
    let mut together = Sets::new(worker_count);
    for pair in &joining {
        together.join(pair.one, pair.other, size_max);
    }
    let mut claims = Sets::new(worker_count);
    for pair in pairs.iter().filter(|pair| pair.log_odds <= 0.0) {
        if together.root(pair.one) == together.root(pair.other) {
            claims.join(pair.one, pair.other, usize::MAX);
        }
    }
    // By root: coincidences counted, and their sum.
    let mut evidence = vec![(0_u32, 0.0_f64); worker_count];
    for pair in &joining {
        let root = together.root(pair.one);
        if root == together.root(pair.other) && claims.join(pair.one, pair.other, usize::MAX) {
            let (count, sum) = &mut evidence[root as usize];
            *count += 1;
            *sum += pair.log_odds / f64::from(*count);
        }
    }
    let mut found: Vec<Cluster> = Vec::new();
    let mut place = vec![usize::MAX; worker_count];
    for worker in 0..worker_count as u32 {
        let root = together.root(worker) as usize;
        if together.size[root] < 2 {
            continue;
        }
        if place[root] == usize::MAX {
            place[root] = found.len();
            let log_odds = evidence[root].1;
            let probability = 1.0 / (1.0 + (-(PRIOR_LOG_ODDS + log_odds)).exp());
            found.push(Cluster { members: Vec::new(), log_odds, probability });
        }
        found[place[root]].members.push(worker);
    }
    found.sort_by(|a, b| b.log_odds.total_cmp(&a.log_odds).then_with(|| a.members.cmp(&b.members)));
    found
}

/// Names clusters so that a name stays while most of its members do.
///
/// `names` are the names members had before, `clusters` the members now, both by number; `holders` says how many workers
/// have a name in all. A cluster takes over the name of which it has more than half of the holders; of several the one
/// with the most, then the smallest. `None` for a cluster that needs a new one.
pub fn inherited_names(
    clusters: &[Vec<u32>],
    name_of: impl Fn(u32) -> Option<u64>,
    holders: impl Fn(u64) -> usize,
) -> Vec<Option<u64>> {
    let inherit = |members: &Vec<u32>| {
        let mut names: Vec<u64> = members.iter().filter_map(|member| name_of(*member)).collect();
        names.sort_unstable();
        let runs = names.chunk_by(|a, b| a == b).filter(|run| 2 * run.len() > holders(run[0]));
        runs.min_by_key(|run| (Reverse(run.len()), run[0])).map(|run| run[0])
    };
    clusters.iter().map(inherit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn pair(one: u32, other: u32, log_odds: f64) -> Pair {
        Pair { one, other, log_odds }
    }

    fn tie(kind: LinkKind, agree: Option<bool>, worker_count: usize) -> f64 {
        tie_log_odds(kind, agree, worker_count, 1, &Parameters::prior())
    }

    /// Everybody of `claims.len()` workers behind one thing; equal numbers claim the same place.
    fn behind(kind: LinkKind, claims: &[u32]) -> Vec<Cluster> {
        let mut pairs = Vec::new();
        for one in 0..claims.len() {
            for other in one + 1..claims.len() {
                let tie = tie(kind, Some(claims[one] == claims[other]), claims.len());
                pairs.push(pair(one as u32, other as u32, pair_log_odds(&[tie], None, &Parameters::prior())));
            }
        }
        clusters(claims.len(), &pairs, 1_000)
    }

    #[test]
    fn three_strangers_behind_one_gateway_stand_at_fifty_nine_per_cent() {
        let found = behind(LinkKind::Site, &[0, 1, 2]);
        assert_eq!(found.len(), 1);
        assert!((found[0].log_odds - 3.3).abs() < 1e-12 && (found[0].probability - 0.5881).abs() < 1e-3);
    }

    #[test]
    fn couples_coworking_campus_and_carriers_are_quiet() {
        let quiet = |found: Vec<Cluster>| found.iter().all(|cluster| cluster.probability < 0.5);
        assert!(quiet(behind(LinkKind::Address, &[0, 0])), "a couple");
        assert!(quiet(behind(LinkKind::Device, &[0, 0])), "a couple with one machine");
        assert!(quiet(behind(LinkKind::Site, &[0; 30])), "a coworking space");
        let guest: Vec<u32> = (0..30).map(|worker| u32::from(worker == 7)).collect();
        assert!(quiet(behind(LinkKind::Site, &guest)), "a coworking space with a guest from elsewhere");
        let carrier: Vec<u32> = (0..40).map(|worker| worker % 6).collect();
        assert!(quiet(behind(LinkKind::Address, &carrier)), "a carrier's address over six towns");
        let towns: Vec<u32> = (0..12).map(|worker| worker % 2).collect();
        assert!(quiet(behind(LinkKind::Address, &towns)), "an address of twelve in two towns");
    }

    #[test]
    fn a_farm_of_five_is_loud() {
        let found = behind(LinkKind::Site, &[0, 1, 2, 3, 4]);
        // 2.2 x (1 + 1/2 + 1/3 + 1/4) = 4.58; with the prior 1.64.
        assert!((found[0].log_odds - 2.2 * (25.0 / 12.0)).abs() < 1e-12 && found[0].probability > 0.8);
    }

    #[test]
    fn a_shared_phone_in_a_shared_home_joins_nobody() {
        let parameters = Parameters::prior();
        let ties = [tie(LinkKind::Authenticator, Some(true), 2), tie(LinkKind::Address, Some(true), 2)];
        assert!(pair_log_odds(&ties, None, &parameters) < JOINING_LOG_ODDS_MIN);
        assert_eq!(tie(LinkKind::Authenticator, None, 21), 0.0, "a help desk's key");
        assert_eq!(tie_log_odds(LinkKind::Relay, None, 2, 1, &parameters), 0.0, "one freeze is an outage");
        assert!((tie_log_odds(LinkKind::Relay, None, 2, 4, &parameters) - 2.4).abs() < 1e-12);
    }

    #[test]
    fn a_cluster_over_the_limit_is_cut_at_its_weakest_links() {
        let pairs = [pair(0, 1, 3.0), pair(2, 3, 3.0), pair(1, 2, 1.5)];
        let members: Vec<Vec<u32>> = clusters(4, &pairs, 3).into_iter().map(|cluster| cluster.members).collect();
        assert_eq!(members, [[0, 1], [2, 3]]);
    }

    #[test]
    fn a_name_stays_while_most_members_do() {
        let inherit = |before: &[(u32, u64)], now: &[Vec<u32>]| {
            let names: HashMap<u32, u64> = before.iter().copied().collect();
            let holders = |name: u64| before.iter().filter(|(_, one)| *one == name).count();
            inherited_names(now, |member| names.get(&member).copied(), holders)
        };
        let five = [(0, 7), (1, 7), (2, 7), (3, 7), (4, 7)];
        assert_eq!(inherit(&five, &[vec![0, 1, 2, 8, 9]]), [Some(7)], "two left, two came");
        assert_eq!(inherit(&five, &[vec![0, 1], vec![2, 3, 4]]), [None, Some(7)], "the larger part keeps it");
        assert_eq!(inherit(&[(0, 7), (1, 7)], &[vec![0], vec![1]]), [None, None], "an even split keeps nothing");
        assert_eq!(inherit(&[(0, 9), (1, 9), (2, 3), (3, 3)], &[vec![0, 1, 2, 3]]), [Some(3)], "a merger");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn the_order_of_pairs_is_free_and_stronger_pairs_never_lower_the_strongest_cluster(
            weights in prop::collection::hash_map((0..12_u32, 0..12_u32), -2.0_f64..5.0, 0..30),
            size_max in 2..14_usize,
        ) {
            let pairs: Vec<Pair> = weights
                .iter()
                .filter(|((one, other), _)| one < other)
                .map(|((one, other), log_odds)| pair(*one, *other, *log_odds))
                .collect();
            let found = clusters(12, &pairs, size_max);
            let mut turned = pairs.clone();
            turned.sort_by_key(|pair| Reverse((pair.other, pair.one)));
            prop_assert_eq!(&found, &clusters(12, &turned, size_max));
            for cluster in &found {
                prop_assert!(cluster.members.len() >= 2 && cluster.members.len() <= size_max);
                prop_assert!(cluster.members.is_sorted() && (0.0..=1.0).contains(&cluster.probability));
            }
            let mut members: Vec<u32> = found.iter().flat_map(|cluster| cluster.members.clone()).collect();
            members.sort_unstable();
            prop_assert!(members.windows(2).all(|two| two[0] != two[1]), "nobody is in two clusters");
            // All pairs that speak for it a nat stronger: with room for everybody, no evidence is lost.
            let positive: Vec<Pair> = pairs.iter().copied().filter(|pair| pair.log_odds > 0.0).collect();
            let stronger: Vec<Pair> =
                positive.iter().map(|one| Pair { log_odds: one.log_odds + 1.0, ..*one }).collect();
            let best = |found: &[Cluster]| found.first().map_or(0.0, |cluster| cluster.log_odds);
            prop_assert!(best(&clusters(12, &stronger, 12)) + 1e-9 >= best(&clusters(12, &positive, 12)));
        }
    }
}
