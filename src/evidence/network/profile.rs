//! What is kept of a worker's paths: folded values with decayed weights, how often each kind was new, where the last
//! session was. No address, no list of sessions.

use super::familiarity::{LEVEL_COUNT, Level};
use super::observe::Observation;
use super::{Parameters, travel};
use crate::event::EventTime;
use serde::{Deserialize, Serialize};

/// Addresses remembered: home, office, a few cafes and leases.
const ADDRESSES_MAX: usize = 10;
/// Pools remembered.
const POOLS_MAX: usize = 8;
/// Autonomous systems remembered.
const SYSTEMS_MAX: usize = 8;
/// Regions remembered.
const REGIONS_MAX: usize = 5;
/// Clients remembered: two machines and a phone with two browsers each.
const CLIENTS_MAX: usize = 6;
/// Weight under which a value counts as never seen: eight half-lives after one sighting.
pub const WEIGHT_MIN: f32 = 1.0 / 256.0;

/// One folded value and how often it was seen, decayed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Folded value.
    pub value: u32,
    /// Sightings, decayed.
    pub weight: f32,
}

/// What is kept of a worker's paths.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Sessions learned, decayed.
    pub session_weight: f32,
    /// When last learned from; ages the weights.
    pub learn_time: EventTime,
    /// Folded addresses.
    pub addresses: Vec<Seen>,
    /// Folded pools.
    pub pools: Vec<Seen>,
    /// Folded autonomous systems.
    pub systems: Vec<Seen>,
    /// Folded regions.
    pub regions: Vec<Seen>,
    /// Clients as [`Observation::client`] packs them.
    pub clients: Vec<Seen>,
    /// Per level: how often it could have been new, decayed; the first session is not counted.
    pub trial_weights: [f32; LEVEL_COUNT],
    /// Per level: how often it was new, decayed; the first session is not counted.
    pub novel_weights: [f32; LEVEL_COUNT],
    /// Where the last session was, when that can be believed, and where known addresses were put.
    pub trail: travel::Trail,
}

/// Weight of a value among those seen; 0 when never seen.
pub fn weight_of(seen: &[Seen], value: Option<u32>) -> f32 {
    let Some(value) = value else { return 0.0 };
    seen.iter().find(|entry| entry.value == value).map_or(0.0, |entry| entry.weight)
}

impl Profile {
    /// Names what in a profile read back no session can have left there. `None` when sound.
    pub fn unsound(&self) -> Option<&'static str> {
        // A NaN lies in no range.
        let weight = |weight: &f32| (0.0..=1e9).contains(weight);
        let seen = |list: &[Seen], most: usize| list.len() <= most && list.iter().all(|seen| weight(&seen.weight));
        let sound = [
            ("network.session_weight", weight(&self.session_weight)),
            ("network.addresses", seen(&self.addresses, ADDRESSES_MAX)),
            ("network.pools", seen(&self.pools, POOLS_MAX)),
            ("network.systems", seen(&self.systems, SYSTEMS_MAX)),
            ("network.regions", seen(&self.regions, REGIONS_MAX)),
            ("network.clients", seen(&self.clients, CLIENTS_MAX)),
            ("network.trial_weights", self.trial_weights.iter().all(weight)),
            ("network.novel_weights", self.novel_weights.iter().all(weight)),
            ("network.trail", self.trail.sound()),
        ];
        sound.into_iter().find(|(_, sound)| !sound).map(|(name, _)| name)
    }

    /// Ageing factor from the last learning to `time`; late events age nothing.
    pub fn age_factor(&self, parameters: &Parameters, time: EventTime) -> f32 {
        let days = time.days_since(self.learn_time);
        (-days / parameters.familiarity.half_life_days * std::f64::consts::LN_2).exp() as f32
    }

    /// Learns one session. Whether it may is the caller's question ([`super::accepts`]).
    ///
    /// Anonymised networks, carriers and satellites teach what they are, never where home is: no region, no place.
    pub fn learn(&mut self, observation: &Observation, parameters: &Parameters, time: EventTime) {
        if observation.time.is_none() {
            return;
        }
        if self.session_weight > 0.0 {
            for level in Level::ALL {
                if let Some(new) = super::familiarity::novel(self, observation, level) {
                    self.trial_weights[level as usize] += 1.0;
                    self.novel_weights[level as usize] += f32::from(u8::from(new));
                }
            }
            self.age(self.age_factor(parameters, time));
        }
        self.session_weight += 1.0;
        self.learn_time = self.learn_time.max(time);
        see(&mut self.addresses, observation.address, ADDRESSES_MAX);
        see(&mut self.pools, observation.pool, POOLS_MAX);
        see(&mut self.systems, observation.system, SYSTEMS_MAX);
        see(&mut self.clients, observation.client, CLIENTS_MAX);
        if !observation.anonymized && !observation.satellite {
            see(&mut self.regions, observation.region, REGIONS_MAX);
        }
        self.trail.remember(observation, time);
        let kept = &self.addresses;
        self.trail.retain(|address| kept.iter().any(|seen| seen.value == address));
    }

    fn age(&mut self, factor: f32) {
        self.session_weight *= factor;
        for list in [&mut self.addresses, &mut self.pools, &mut self.systems, &mut self.regions, &mut self.clients] {
            for entry in list.iter_mut() {
                entry.weight *= factor;
            }
            list.retain(|entry| entry.weight >= WEIGHT_MIN);
        }
        for weight in self.trial_weights.iter_mut().chain(self.novel_weights.iter_mut()) {
            *weight *= factor;
        }
    }

    /// Adds what another profile of the same worker learned.
    ///
    /// The weights are added as they stand; the later stay is kept.
    pub fn merge(&mut self, other: &Profile) {
        self.session_weight += other.session_weight;
        merge_seen(&mut self.addresses, &other.addresses, ADDRESSES_MAX);
        merge_seen(&mut self.pools, &other.pools, POOLS_MAX);
        merge_seen(&mut self.systems, &other.systems, SYSTEMS_MAX);
        merge_seen(&mut self.regions, &other.regions, REGIONS_MAX);
        merge_seen(&mut self.clients, &other.clients, CLIENTS_MAX);
        for level in 0..LEVEL_COUNT {
            self.trial_weights[level] += other.trial_weights[level];
            self.novel_weights[level] += other.novel_weights[level];
        }
        if other.learn_time > self.learn_time {
            self.learn_time = other.learn_time;
        }
        self.trail.merge(&other.trail);
    }

    /// What is kept, for access requests: name, decayed sessions behind it, weight of the most seen, values kept.
    pub fn summaries(&self) -> Vec<(&'static str, f64, f64, f64)> {
        let lists = [
            ("network.addresses", &self.addresses),
            ("network.pools", &self.pools),
            ("network.autonomous_systems", &self.systems),
            ("network.regions", &self.regions),
            ("network.clients", &self.clients),
        ];
        lists
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(name, list)| {
                let most = list.iter().map(|entry| f64::from(entry.weight)).fold(0.0, f64::max);
                (name, f64::from(self.session_weight), most, list.len() as f64)
            })
            .chain(self.trail.place_count().map(|count| ("network.places", f64::from(self.session_weight), 1.0, count)))
            .collect()
    }
}

fn see(list: &mut Vec<Seen>, value: Option<u32>, max: usize) {
    let Some(value) = value else { return };
    add(list, Seen { value, weight: 1.0 }, max);
}

fn merge_seen(list: &mut Vec<Seen>, other: &[Seen], max: usize) {
    for entry in other {
        add(list, *entry, max);
    }
}

/// Adds weight to a value; when the list is full the lightest makes room, the earlier of equals.
fn add(list: &mut Vec<Seen>, seen: Seen, max: usize) {
    if let Some(entry) = list.iter_mut().find(|entry| entry.value == seen.value) {
        entry.weight += seen.weight;
        return;
    }
    if list.len() >= max {
        let lightest = list.iter().enumerate().min_by(|a, b| a.1.weight.total_cmp(&b.1.weight)).map(|(index, _)| index);
        if let Some(index) = lightest {
            list.remove(index);
        }
    }
    list.push(seen);
}
