//! Surprise at what this worker never used: a likelihood ratio in the manner of Freeman et al., "Who Are You? A
//! Statistical Approach to Measuring User Authenticity" (NDSS 2016), with back-off address, pool, network, region and
//! client, operating system.
//!
//! At each level that could be new the worker's own rate of novelty, shrunk to the population's, gives the surprise
//! `-ln P(new)`; a level is asked only when the level inside it was new. A worker who is always on the move surprises
//! nobody. Trained weights turn the surprises into a log-likelihood ratio.
//!
//! Of a new worker nothing is known but the claim. So the population's first logins speak first (`Newcomer`), and their
//! word passes to the worker's own past as it grows: half of it after two sessions.
//!
//! Worked example: 40 sessions from one home, population rate of a new address .04, prior weight 4. A first new address
//! surprises by `-ln((4 * .04 + 0) / (4 + 39))` = 5.6 nats; one from the same pool stops there.

use super::observe::Observation;
use super::profile::{Profile, weight_of};
use super::{in_range, travel};
use serde::{Deserialize, Serialize};

/// What can be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Level {
    /// The address.
    Address = 0,
    /// The pool of a new address.
    Pool = 1,
    /// The autonomous system of a new pool.
    System = 2,
    /// The region of a new autonomous system.
    Region = 3,
    /// User agent family together with operating system family.
    Client = 4,
    /// The operating system family of a new client.
    OperatingSystem = 5,
}

/// How many levels there are.
pub const LEVEL_COUNT: usize = 6;

impl Level {
    /// All levels, outer after inner.
    pub const ALL: [Level; LEVEL_COUNT] =
        [Self::Address, Self::Pool, Self::System, Self::Region, Self::Client, Self::OperatingSystem];
}

/// Terms that the trained weights multiply: the levels, then interactions, then travel.
pub const TERM_COUNT: usize = LEVEL_COUNT + 3 + travel::TERM_COUNT;
/// First of the travel terms; those before it make up familiarity.
pub const TRAVEL_TERM: usize = LEVEL_COUNT + 3;

/// Sessions at which a profile's word counts half: one session shows one place, not a habit.
const HALF_TRUST_SESSIONS: f64 = 2.0;
/// Largest surprise of one level, nats: rates under 1 in 400 are not known of anybody.
const SURPRISE_MAX: f64 = 6.0;

/// What training fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Half-life of what was seen, days.
    pub half_life_days: f64,
    /// Population rate at which each level is new once the level inside it is, in \[0, 1\].
    pub novelty_rates: Vec<f64>,
    /// Sessions the population rate is worth beside the worker's own.
    pub prior_weight: f64,
    /// Log-likelihood ratio when every term is 0, nats.
    pub bias: f64,
    /// Nats per unit of each term.
    pub weights: Vec<f64>,
    /// Share of hostile sessions that look exactly like the worker's own (a laptop in the worker's home, operated from
    /// afar), in \[0, 1\]. Bounds how far familiarity can clear anyone: `ln` of it.
    pub inside_rate: f64,
    /// What is known of everybody's first logins, for a worker of whom nothing is known.
    #[serde(default)]
    pub newcomer: Newcomer,
}

/// First logins of the population, by whether the address lies in the claimed region: nats against the worker.
///
/// A first login shows nothing of a habit, but it can be held against the claim, which stands before any login.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Newcomer {
    /// When it does not.
    pub elsewhere_log_odds: f64,
    /// When it does.
    pub claimed_log_odds: f64,
}

impl Default for Newcomer {
    /// Says nothing: the value of models that knew of no first logins.
    fn default() -> Self {
        Self { elsewhere_log_odds: 0.0, claimed_log_odds: 0.0 }
    }
}

impl Parameters {
    /// Checks lengths and ranges.
    ///
    /// # Errors
    /// Names the first parameter out of range.
    pub fn check(&self) -> Result<(), String> {
        in_range("familiarity.half_life_days", self.half_life_days, 1.0, 10_000.0)?;
        in_range("familiarity.prior_weight", self.prior_weight, 0.1, 1000.0)?;
        in_range("familiarity.bias", self.bias, -20.0, 20.0)?;
        in_range("familiarity.inside_rate", self.inside_rate, 0.001, 0.999)?;
        if self.novelty_rates.len() != LEVEL_COUNT || self.weights.len() != TERM_COUNT {
            return Err(format!("`familiarity` needs {LEVEL_COUNT} novelty rates and {TERM_COUNT} weights"));
        }
        in_range("familiarity.newcomer.elsewhere_log_odds", self.newcomer.elsewhere_log_odds, 0.0, 6.0)?;
        in_range("familiarity.newcomer.claimed_log_odds", self.newcomer.claimed_log_odds, -3.0, 0.0)?;
        for rate in &self.novelty_rates {
            in_range("familiarity.novelty_rates", *rate, 1e-6, 1.0)?;
        }
        for weight in &self.weights {
            in_range("familiarity.weights", *weight, -20.0, 20.0)?;
        }
        Ok(())
    }
}

/// Whether a level is new to the profile; `None` when the level inside it was known or nothing was sent.
pub fn novel(profile: &Profile, observation: &Observation, level: Level) -> Option<bool> {
    let unseen = |list, value: Option<u32>| value.map(|_| weight_of(list, value) == 0.0);
    // A missing inner level leaves the question open to the next: no address sent, ask the network.
    let inner_known = |inner| novel(profile, observation, inner) == Some(false);
    match level {
        Level::Address => unseen(&profile.addresses, observation.address),
        Level::Pool if inner_known(Level::Address) => None,
        Level::Pool => unseen(&profile.pools, observation.pool),
        Level::System if inner_known(Level::Address) || inner_known(Level::Pool) => None,
        Level::System => unseen(&profile.systems, observation.system),
        Level::Region if inner_known(Level::Address) || inner_known(Level::Pool) || inner_known(Level::System) => None,
        Level::Region => unseen(&profile.regions, observation.region),
        Level::Client => unseen(&profile.clients, observation.client),
        Level::OperatingSystem if novel(profile, observation, Level::Client) == Some(true) => {
            observation.client.map(|client| !profile.clients.iter().any(|seen| seen.value & 0xffff == client & 0xffff))
        }
        Level::OperatingSystem => None,
    }
}

/// The terms of one session; `None` when the profile has no session to compare with.
pub fn terms(observation: &Observation, profile: &Profile, parameters: &Parameters) -> Option<[f64; TERM_COUNT]> {
    if profile.session_weight <= 0.0 || observation.time.is_none() {
        return None;
    }
    let mut terms = [0.0; TERM_COUNT];
    let mut new = [false; LEVEL_COUNT];
    let mut heard = false;
    for level in Level::ALL {
        let index = level as usize;
        let Some(novel) = novel(profile, observation, level) else { continue };
        heard = true;
        new[index] = novel;
        if novel {
            let prior = parameters.prior_weight * parameters.novelty_rates[index];
            let rate = (prior + f64::from(profile.novel_weights[index]))
                / (parameters.prior_weight + f64::from(profile.trial_weights[index]));
            terms[index] = (-rate.min(1.0).ln()).clamp(0.0, SURPRISE_MAX);
        }
    }
    if !heard {
        return None;
    }
    let network_new = new[Level::Pool as usize] && new[Level::System as usize];
    let client_new = new[Level::Client as usize];
    let region_new = new[Level::Region as usize];
    // A first phone brings its carrier with it: new network and new client together are one novelty, not two.
    let phone_new = client_new && observation.phone;
    terms[LEVEL_COUNT] = f64::from(u8::from(network_new && client_new));
    terms[LEVEL_COUNT + 1] = f64::from(u8::from(network_new && phone_new && !region_new));
    terms[LEVEL_COUNT + 2] = f64::from(u8::from(region_new && client_new));
    let known_address = observation.address.is_some() && !new[Level::Address as usize];
    if let Some(journey) = travel::journey(observation, &profile.trail) {
        travel::terms(&journey, known_address, &mut terms[TRAVEL_TERM..]);
    }
    Some(terms)
}

/// What familiarity says, and what travel adds to it, nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The surprises alone.
    pub familiarity: f64,
    /// What the speed of the journey adds.
    pub travel: f64,
}

/// Log-likelihood ratio of the terms before hostile sessions from inside are allowed for.
pub fn raw(terms: &[f64; TERM_COUNT], count: usize, parameters: &Parameters) -> f64 {
    terms.iter().zip(&parameters.weights).take(count).map(|(term, weight)| term * weight).sum::<f64>() + parameters.bias
}

/// Scores the terms of a profile of `session_weight` decayed sessions, the rest of the word being the population's.
pub fn score(terms: &[f64; TERM_COUNT], session_weight: f64, newcomer: f64, parameters: &Parameters) -> Score {
    let inside = parameters.inside_rate;
    let trust = session_weight / (session_weight + HALF_TRUST_SESSIONS);
    let allow = |raw: f64| trust * ((1.0 - inside) * raw.clamp(-30.0, 30.0).exp() + inside).ln();
    let own = allow(raw(terms, TRAVEL_TERM, parameters));
    let travel = allow(raw(terms, TERM_COUNT, parameters)) - own;
    Score { familiarity: own + (1.0 - trust) * newcomer, travel }
}

/// What the population's first logins say of a session: nats against the worker, 0 when nothing can be said.
///
/// `claimed` is the folded region of the claim. A marked address and one that goes through the air lie anywhere; a
/// region the worker was seen in is nothing new whatever the claim says.
pub fn newcomer(
    observation: &Observation,
    profile: &Profile,
    claimed: Option<u32>,
    parameters: &Parameters,
) -> Option<f64> {
    if observation.anonymized || observation.radio() {
        return None;
    }
    let (region, claimed) = (observation.region?, claimed?);
    let familiar = region == claimed || weight_of(&profile.regions, Some(region)) > 0.0;
    let Newcomer { elsewhere_log_odds, claimed_log_odds } = parameters.newcomer;
    Some(if familiar { claimed_log_odds } else { elsewhere_log_odds })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        Parameters {
            half_life_days: 120.0,
            novelty_rates: vec![0.1; LEVEL_COUNT],
            prior_weight: 4.0,
            bias: -2.7,
            weights: vec![1.0; TERM_COUNT],
            inside_rate: 0.3,
            newcomer: Newcomer { elsewhere_log_odds: 1.6, claimed_log_odds: -0.4 },
        }
    }

    #[test]
    fn a_first_login_is_held_against_the_claim_and_the_word_passes_to_the_worker() {
        let observation = Observation { region: Some(7), ..Observation::default() };
        let of = |claimed| newcomer(&observation, &Profile::default(), claimed, &parameters());
        assert_eq!((of(Some(7)), of(Some(8)), of(None)), (Some(-0.4), Some(1.6), None));
        let terms = [0.0; TERM_COUNT];
        let at = |sessions| score(&terms, sessions, 1.6, &parameters()).familiarity;
        assert!((at(0.0) - 1.6).abs() < 1e-12);
        // Two sessions count half; a hundred leave the population a word of three hundredths of a nat.
        let own = at(1e9);
        assert!((at(2.0) - (own + 1.6) / 2.0).abs() < 1e-6);
        assert!((at(100.0) - own).abs() < 0.06);
    }

    #[test]
    fn neither_a_marked_address_nor_an_aircraft_is_elsewhere() {
        let marked = Observation { region: Some(7), anonymized: true, ..Observation::default() };
        let aloft = Observation { region: Some(7), satellite: true, ..Observation::default() };
        for observation in [marked, aloft] {
            assert_eq!(newcomer(&observation, &Profile::default(), Some(8), &parameters()), None);
        }
    }
}
