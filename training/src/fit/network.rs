//! Fits the network family: familiarity and travel on the semi-real logins, round trips on the matrix.
//!
//! Logins are ours. Of the matrix, whose terms allow no more, only constants by region and access class leave this
//! file.

use crate::convert::logins::event_of;
use crate::corpus::{logins, pings};
use elsewhere::event::{EventUnchecked, Rules, Samples, TablePolicy, Violations};
use elsewhere::evidence::feature::Features;
use elsewhere::evidence::network::familiarity::{self, LEVEL_COUNT, Level, TERM_COUNT};
use elsewhere::evidence::network::round_trip::{self, CLASS_COUNT, PathClass};
use elsewhere::evidence::network::{Parameters, Profile, accepts, compare, observe};
use elsewhere::evidence::quantile::{median_and_spread, quantile_of_sorted};
use linfa::prelude::*;
use linfa_linear::LinearRegression;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};
use std::collections::BTreeMap;
use std::path::Path;

/// Half-life of what was seen, days: a season, so that a second home is still known next year.
const HALF_LIFE_DAYS: f64 = 120.0;
/// Sessions the population's rate of novelty is worth beside the worker's own.
const PRIOR_WEIGHT: f64 = 4.0;
/// Share of hostile sessions from inside: laptop farms are the first thing this service looks for.
const INSIDE_RATE: f64 = 0.3;
/// Share of hostile sessions whose round trips are truly domestic.
const DOMESTIC_RATE: f64 = 0.25;
/// Ridge of the logistic regression, linfa's `alpha`: about one attack's worth.
const RIDGE: f64 = 1.0;
/// Rounds of replay and refit: the gate of a round is the model of the round before.
const ROUNDS: usize = 3;
/// Share of attacks from elsewhere that the gate may let teach. Not the 1 % of typing: a new network is ordinary, and a
/// worker who may never teach one is an alarm for ever after.
const GATE_FMR: f64 = 0.10;

/// Fits all parameters. Deterministic: nothing here draws, so `_seed` changes nothing.
///
/// # Errors
/// Names the file that cannot be read, or the fit that failed.
pub fn fit(data: &Path, _seed: u64) -> Result<Parameters, String> {
    fit_on(data, &logins::fitted)
}

/// Fits as [`fit`] does, on users that `chosen` admits.
///
/// # Errors
/// As [`fit`].
pub fn fit_on(data: &Path, chosen: &dyn Fn(&str) -> bool) -> Result<Parameters, String> {
    let round_trip = fit_round_trip(data)?;
    let logins: Vec<logins::Login> = logins::read(data)?.into_iter().filter(|login| chosen(&login.user)).collect();
    let samples = logins.iter().enumerate().map(|(index, login)| check(event_of(login, index)));
    let samples = samples.collect::<Result<Vec<Samples>, String>>()?;
    let mut parameters = Parameters {
        familiarity: familiarity::Parameters {
            half_life_days: HALF_LIFE_DAYS,
            novelty_rates: vec![0.1; LEVEL_COUNT],
            prior_weight: PRIOR_WEIGHT,
            bias: 0.0,
            weights: vec![0.0; TERM_COUNT],
            inside_rate: INSIDE_RATE,
            newcomer: familiarity::Newcomer::default(),
        },
        round_trip,
        accept_log_odds: 20.0,
    };
    parameters.familiarity.novelty_rates = novelty_rates(&logins, &samples, &parameters);
    parameters.familiarity.newcomer = newcomer(&logins, &samples);
    for _ in 0..ROUNDS {
        fit_familiarity(&logins, &samples, &mut parameters)?;
    }
    parameters.check()?;
    Ok(parameters)
}

fn check(event: EventUnchecked) -> Result<Samples, String> {
    let mut violations = Violations::default();
    let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
    match event.check("event", &rules, &mut violations) {
        Some(event) => Ok(event.samples),
        None => Err(format!("a converted event does not pass the check: {violations}")),
    }
}

/// How often each level is new once the level inside it is, over everybody's own logins.
fn novelty_rates(logins: &[logins::Login], samples: &[Samples], parameters: &Parameters) -> Vec<f64> {
    let (mut trials, mut novel) = ([1.0; LEVEL_COUNT], [0.1; LEVEL_COUNT]);
    let mut profile = Profile::default();
    let mut user = "";
    for (login, samples) in logins.iter().zip(samples).filter(|(login, _)| login.legit()) {
        if login.user != user {
            user = &login.user;
            profile = Profile::default();
        }
        let observation = observe(samples);
        if profile.session_weight > 0.0 {
            for level in Level::ALL {
                if let Some(new) = familiarity::novel(&profile, &observation, level) {
                    trials[level as usize] += 1.0;
                    novel[level as usize] += f64::from(u8::from(new));
                }
            }
        }
        profile.learn(&observation, parameters, samples.time);
    }
    trials.iter().zip(&novel).map(|(trials, novel): (&f64, &f64)| (novel / trials).clamp(0.001, 1.0)).collect()
}

/// First logins of a user that stand for those of a new hire.
const NEWCOMER_LOGINS: usize = 5;
/// What `network.claim` says already of an address outside the claimed region, nats; counted once.
const CLAIM_SAYS: f64 = 1.0;

/// What lies in the claimed region, of the users' first logins and of attacks from elsewhere: the claim is the country
/// that most of a user's logins at home come from. Phones and shared exits are left out, as the serving code leaves out
/// carriers and marked addresses.
fn newcomer(logins: &[logins::Login], samples: &[Samples]) -> familiarity::Newcomer {
    let homes = logins::home_countries(logins);
    // Half a login either way, so that no share is 0 or 1.
    let (mut honest, mut hostile) = ([0.5, 0.5], [0.5, 0.5]);
    let (mut user, mut seen) = ("", 0);
    for (login, samples) in logins.iter().zip(samples) {
        if login.user != user {
            (user, seen) = (&login.user, 0);
        }
        let away = usize::from(homes.get(login.user.as_str()) != Some(&login.country.as_str()));
        let attack = login.label == "atk_naive" || login.label == "atk_vpn";
        if attack {
            hostile[away] += 1.0;
        } else if login.label == "legit" || login.label == "legit_away" {
            seen += 1;
            if seen <= NEWCOMER_LOGINS && !observe(samples).radio() {
                honest[away] += 1.0;
            }
        }
    }
    let share = |counts: [f64; 2], away: usize| counts[away] / (counts[0] + counts[1]);
    let ratio = |away| {
        let ratio: f64 = share(hostile, away) / share(honest, away);
        ((1.0 - INSIDE_RATE) * ratio + INSIDE_RATE).ln()
    };
    familiarity::Newcomer {
        elsewhere_log_odds: (ratio(1) - CLAIM_SAYS).clamp(0.0, 6.0),
        claimed_log_odds: ratio(0).clamp(-3.0, 0.0),
    }
}

/// One login replayed: terms, decayed sessions, who made it.
struct Replayed<'a> {
    terms: [f64; TERM_COUNT],
    session_weight: f64,
    login: &'a logins::Login,
}

/// Replays all logins through the very functions that serve.
fn replay<'a>(logins: &'a [logins::Login], samples: &[Samples], parameters: &Parameters) -> Vec<Replayed<'a>> {
    let mut replayed = Vec::new();
    let mut profile = Profile::default();
    let mut user = "";
    for (login, samples) in logins.iter().zip(samples) {
        if login.user != user {
            user = &login.user;
            profile = Profile::default();
        }
        let observation = observe(samples);
        if let Some(terms) = familiarity::terms(&observation, &profile, &parameters.familiarity) {
            let session_weight = f64::from(profile.session_weight * profile.age_factor(parameters, samples.time));
            replayed.push(Replayed { terms, session_weight, login });
        }
        if login.legit() {
            let mut features = Features::default();
            compare(&observation, &profile, samples.claim.as_ref(), parameters, &mut features);
            if accepts(&observation, &features, &profile, parameters) {
                profile.learn(&observation, parameters, samples.time);
            }
        }
    }
    replayed
}

/// Place of the term for a first phone on a new network of a known region.
const PHONE_TERM: usize = LEVEL_COUNT + 1;
/// Most that a first phone is excused, nats.
const PHONE_EXCUSE_MIN: f64 = -5.0;
/// Sessions a user needs before their logins are fitted on: earlier ones are shrunk, not scored.
const FIT_SESSIONS_MIN: f64 = 5.0;

/// Hostile sessions that look like the worker's own: the inside share stands for them. That the set gives a targeted
/// attacker a new lease of the user's own network every time is its invention, and would make every honest new lease
/// suspicious.
fn inside(label: &str) -> bool {
    label == "farm" || label == "atk_targeted"
}

fn fit_familiarity(logins: &[logins::Login], samples: &[Samples], parameters: &mut Parameters) -> Result<(), String> {
    let replayed = replay(logins, samples, parameters);
    let chosen: Vec<&Replayed<'_>> =
        replayed.iter().filter(|one| one.session_weight >= FIT_SESSIONS_MIN && !inside(&one.login.label)).collect();
    let truths = Array1::from_iter(chosen.iter().map(|one| !one.login.legit()));
    let hostile = truths.iter().filter(|hostile| **hostile).count() as f64;
    let prior_log_odds = (hostile / (truths.len() as f64 - hostile)).ln();
    // Something new may clear nobody: a surprise whose weight comes out under 0 is taken out and the rest fitted again.
    let mut columns: Vec<usize> = (0..TERM_COUNT).collect();
    loop {
        let rows =
            Array2::from_shape_fn((chosen.len(), columns.len()), |(row, column)| chosen[row].terms[columns[column]]);
        let model = LogisticRegression::default()
            .alpha(RIDGE)
            .max_iterations(500)
            .fit(&Dataset::new(rows, truths.clone()))
            .map_err(|error| format!("familiarity: {error}"))?;
        // linfa names one of the two classes positive by its own order.
        let sign = if model.labels().pos.class { 1.0 } else { -1.0 };
        let mut weights = vec![0.0; TERM_COUNT];
        for (column, weight) in columns.iter().zip(model.params().iter()) {
            weights[*column] = sign * weight;
        }
        let before = columns.len();
        columns.retain(|column| *column >= LEVEL_COUNT || weights[*column] >= 0.0);
        // What excuses a first phone must not excuse every phone: the logins' share of phones is invented.
        weights[PHONE_TERM] = weights[PHONE_TERM].max(PHONE_EXCUSE_MIN);
        parameters.familiarity.weights = weights;
        parameters.familiarity.bias = sign * model.intercept() - prior_log_odds;
        if columns.len() == before {
            break;
        }
    }
    let familiarity = &parameters.familiarity;
    let mut naive: Vec<f64> = replayed
        .iter()
        .filter(|one| one.login.label == "atk_naive")
        .map(|one| familiarity::score(&one.terms, one.session_weight, 0.0, familiarity))
        .map(|score| score.familiarity + score.travel)
        .collect();
    naive.sort_by(f64::total_cmp);
    parameters.accept_log_odds = quantile_of_sorted(&naive, GATE_FMR).clamp(1.0, 6.0);
    Ok(())
}

fn line(points: &[(f64, f64)]) -> Result<(f64, f64), String> {
    let rows = Array2::from_shape_fn((points.len(), 1), |(row, _)| points[row].0);
    let targets = Array1::from_iter(points.iter().map(|point| point.1));
    let model =
        LinearRegression::new().fit(&Dataset::new(rows, targets)).map_err(|error| format!("round trips: {error}"))?;
    Ok((model.intercept(), model.params()[0]))
}

/// One pair of servers: kilometres, shortest round trip in milliseconds, ids.
#[derive(Clone, Copy)]
struct Pair {
    km: f64,
    rtt_ms: f64,
    servers: [u32; 2],
}

fn residuals(pairs: &[Pair], (base, slope): (f64, f64)) -> Vec<f64> {
    let mut all: Vec<f64> = pairs.iter().map(|pair| pair.rtt_ms - base - slope * pair.km).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The line without the slowest and fastest 5 %: bad routes.
fn trimmed_line(pairs: &[Pair]) -> Result<(f64, f64), String> {
    let all = |pairs: &[Pair]| pairs.iter().map(|pair| (pair.km, pair.rtt_ms)).collect::<Vec<_>>();
    let (base, slope) = line(&all(pairs))?;
    let sorted = residuals(pairs, (base, slope));
    let (low, high) = (quantile_of_sorted(&sorted, 0.05), quantile_of_sorted(&sorted, 0.95));
    let trimmed: Vec<Pair> =
        pairs.iter().copied().filter(|pair| (low..=high).contains(&(pair.rtt_ms - base - slope * pair.km))).collect();
    line(&all(&trimmed))
}

/// Robust deviations by which a server's median residual must differ for it not to be where it says.
const MISPLACED_DEVIATIONS: f64 = 2.5;

fn fit_class(pairs: &[Pair]) -> Result<PathClass, String> {
    if pairs.len() < 50 {
        return Err(format!("round trips: {} pairs in a class, needs 50", pairs.len()));
    }
    let first = trimmed_line(pairs)?;
    let sorted = residuals(pairs, first);
    let middle = quantile_of_sorted(&sorted, 0.5);
    let deviation = (quantile_of_sorted(&sorted, 0.75) - quantile_of_sorted(&sorted, 0.25)) / 1.349;
    let mut by_server: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for pair in pairs {
        let residual = pair.rtt_ms - first.0 - first.1 * pair.km;
        for server in pair.servers {
            by_server.entry(server).or_default().push(residual);
        }
    }
    let misplaced: Vec<u32> = by_server
        .into_iter()
        .filter_map(|(server, mut residuals)| {
            let (median, _) = median_and_spread(&mut residuals);
            ((median - middle).abs() > MISPLACED_DEVIATIONS * deviation).then_some(server)
        })
        .collect();
    let pairs: Vec<Pair> =
        pairs.iter().copied().filter(|pair| !pair.servers.iter().any(|server| misplaced.contains(server))).collect();
    let (mut base, slope) = trimmed_line(&pairs)?;
    base += quantile_of_sorted(&residuals(&pairs, (base, slope)), 0.5);
    let sorted = residuals(&pairs, (base, slope));
    let p95 = quantile_of_sorted(&sorted, 0.95);
    let beyond: Vec<f64> = sorted.iter().filter(|excess| **excess > p95).map(|excess| excess - p95).collect();
    Ok(PathClass {
        base_ms: base,
        slope_ms_per_km: slope,
        faster_ms: (-quantile_of_sorted(&sorted, 0.025) / 1.96).max(3.0),
        slower_ms: quantile_of_sorted(&sorted, 0.84).max(3.0),
        excess_p95_ms: p95.max(0.0),
        tail_mean_ms: (beyond.iter().sum::<f64>() / beyond.len().max(1) as f64).clamp(5.0, 60.0),
    })
}

fn median_and_sigma(values: &[f64]) -> (f64, f64) {
    let mut logs: Vec<f64> = values.iter().filter(|value| **value > 0.0).map(|value| value.ln()).collect();
    logs.sort_by(f64::total_cmp);
    let mean = logs.iter().sum::<f64>() / logs.len().max(1) as f64;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / logs.len().max(1) as f64;
    (quantile_of_sorted(&logs, 0.5).exp(), variance.sqrt())
}

/// Access network that the serving code adds where its kind is not known, milliseconds.
const ACCESS_MS: f64 = 4.0;

/// Fits the round trips by region on the matrix.
///
/// # Errors
/// Names the file that cannot be read, or the class with too few pairs.
pub fn fit_round_trip(data: &Path) -> Result<round_trip::Parameters, String> {
    let matrix = pings::read(data)?;
    let servers: Vec<&pings::Server> = matrix.servers.iter().filter(|server| pings::fitted(server)).collect();
    let mut pairs = vec![Vec::new(); CLASS_COUNT];
    for claimed in &servers {
        for vantage in &servers {
            let Some(trips) = matrix.between(claimed, vantage) else { continue };
            let km = claimed.place.distance_km(&vantage.place);
            pairs[round_trip::class_of(&claimed.region_code, &vantage.place, km)].push(Pair {
                km,
                rtt_ms: trips.min_ms,
                servers: [claimed.id, vantage.id],
            });
        }
    }
    let classes = pairs.iter().map(|pairs| fit_class(pairs)).collect::<Result<Vec<_>, _>>()?;
    let domestic: Vec<&&pings::Server> = servers.iter().filter(|server| server.region_code == "US").collect();
    let overseas = |server: &pings::Server| !["US", "CA", "MX", "PR"].contains(&server.region_code.as_str());
    let (mut excesses, mut gaps) = (Vec::new(), Vec::new());
    for operator in servers.iter().filter(|server| overseas(server)) {
        for vantage in &domestic {
            let Some(trips) = matrix.between(operator, vantage) else { continue };
            gaps.push(trips.min_ms);
            for claimed in domestic.iter().filter(|claimed| claimed.id != vantage.id) {
                let km = claimed.place.distance_km(&vantage.place);
                let class = &classes[round_trip::class_of("US", &vantage.place, km)];
                excesses.push(trips.min_ms - class.base_ms - class.slope_ms_per_km * km - ACCESS_MS);
            }
        }
    }
    let (remote_excess_median_ms, remote_excess_sigma) = median_and_sigma(&excesses);
    let (relay_gap_median_ms, relay_gap_sigma) = median_and_sigma(&gaps);
    Ok(round_trip::Parameters {
        classes,
        remote_excess_median_ms,
        remote_excess_sigma,
        relay_gap_median_ms,
        relay_gap_sigma,
        inside_rate: DOMESTIC_RATE,
        breach_log_odds: 2.5,
        breach_further_log_odds: 1.5,
    })
}
