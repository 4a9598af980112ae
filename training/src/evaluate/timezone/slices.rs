//! The rhythm by number of session starts: errors, coverage, and whether a nat is a nat.

use super::{Fold, lives_at, offset_error};
use crate::corpus::rhythm::Author;
use crate::metrics;
use crate::request::Figure;
use elsewhere::event::EventTime;
use elsewhere::evidence::timezone::clock::{ClockChange, circular_difference_minutes, summer_time};
use elsewhere::evidence::timezone::rhythm::{RhythmParameters, RhythmStored, belief};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::BTreeMap;

/// Session starts at which the rhythm is looked at.
pub const COUNTS: [usize; 6] = [5, 10, 20, 50, 100, 200];
/// Foreign claims drawn for each author.
const COLLEAGUES: usize = 3;
/// Least hours between a foreign claim and the truth.
const APART_MINUTES: i32 = 180;
/// Offsets lived at in the United States' mainland, standard and summer.
const AMERICAN: [&[i32]; 4] = [&[-300, -240], &[-360, -300], &[-420, -360], &[-480, -420]];

/// Scores of one author under true and foreign claims.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// Under the own offset.
    pub own: Vec<f64>,
    /// Under foreign ones.
    pub foreign: Vec<f64>,
}

/// One count's authors.
#[derive(Debug, Clone, Default)]
pub struct Slice {
    /// Error of the offset told, hours, and whether the 90 % set holds the truth, by author.
    pub errors: Vec<(f64, f64)>,
    /// Probability given to each offset, and whether it was the true one, by author.
    pub beliefs: Vec<Vec<(f64, bool)>>,
    /// Served scores by author: any claim against the truth.
    pub any: Vec<Claims>,
    /// Without bounds.
    pub any_bare: Vec<Claims>,
    /// Served scores: authors of the United States under their own zone, of +8 and +9 under New York.
    pub us: Vec<Claims>,
    /// Without bounds.
    pub us_bare: Vec<Claims>,
}

/// The fitted ratio without the bounds by which it allows for people of other hours.
pub fn unbounded(parameters: &RhythmParameters) -> Result<RhythmParameters, String> {
    let stored = RhythmStored::from(parameters.clone());
    RhythmParameters::try_from(RhythmStored { irregular_share: 1e-4, adapted_share: 1e-4, ..stored })
}

/// Measures all counts on authors left out.
///
/// # Errors
/// Parameters that cannot be used.
pub fn measure(folds: &[Fold<'_>], everybody: &[Author], seed: u64) -> Result<BTreeMap<usize, Slice>, String> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x736c_6963);
    let mut slices: BTreeMap<usize, Slice> = BTreeMap::new();
    for fold in folds {
        let (served, bare) = (&fold.parameters.rhythm, unbounded(&fold.parameters.rhythm)?);
        for author in &fold.authors {
            let starts = author.session_starts();
            for count in COUNTS.into_iter().filter(|count| *count <= starts.len()) {
                let (seconds, own) = starts[count - 1];
                let time = EventTime(seconds * 1_000_000);
                let profile = crate::fit::timezone::profile_of(&starts[..count]);
                let Some(belief) = belief(&profile, None, served, time) else { continue };
                let slice = slices.entry(count).or_default();
                let told = f64::from(circular_difference_minutes(belief.median_offset_minutes(), own).abs()) / 60.0;
                slice.errors.push((told, offset_error(&belief.shown(), own).covered));
                let near = |minutes: i32| (minutes - own).abs() < 30;
                slice.beliefs.push(belief.by_offset(0.0).iter().map(|(at, p)| (*p, near(*at))).collect());
                let mut foreign = Vec::new();
                while foreign.len() < COLLEAGUES {
                    let other = everybody[random.gen_range(0..everybody.len())].median_offset_minutes();
                    if circular_difference_minutes(other, own).abs() >= APART_MINUTES {
                        foreign.push(other);
                    }
                }
                let claims = |own: Option<i32>, foreign: &[i32], parameters: &RhythmParameters| Claims {
                    own: own.and_then(|own| belief.score(&[own], parameters)).into_iter().collect(),
                    foreign: foreign.iter().filter_map(|claim| belief.score(&[*claim], parameters)).collect(),
                };
                slice.any.push(claims(Some(own), &foreign, served));
                slice.any_bare.push(claims(Some(own), &foreign, &bare));
                let new_york = if summer_time(ClockChange::Northern, -300, time) { -240 } else { -300 };
                let american = AMERICAN.iter().any(|offsets| lives_at(author, offsets));
                let far = lives_at(author, &[480]) || lives_at(author, &[540]);
                if american || far {
                    let (own, foreign) = (american.then_some(own), if far { vec![new_york] } else { Vec::new() });
                    slice.us.push(claims(own, &foreign, served));
                    slice.us_bare.push(claims(own, &foreign, &bare));
                }
            }
        }
    }
    Ok(slices)
}

/// Scores of the chosen authors, honest and elsewhere.
pub fn sides(people: &[Claims], chosen: &[usize]) -> (Vec<f64>, Vec<f64>) {
    let gather = |of: fn(&Claims) -> &Vec<f64>| chosen.iter().flat_map(|index| of(&people[*index]).clone()).collect();
    (gather(|claims| &claims.own), gather(|claims| &claims.foreign))
}

/// The population the bounds are set for: of those elsewhere a quarter keeps the claimed hours, and scores as the honest.
pub fn with_adapted(honest: &[f64], elsewhere: &[f64]) -> Vec<f64> {
    let rows = 3 * honest.len();
    let spread = (0..rows).map(|row| elsewhere[row * elsewhere.len() / rows]);
    if elsewhere.is_empty() { Vec::new() } else { spread.chain(honest.iter().copied()).collect() }
}

fn loss(honest: &[f64], elsewhere: &[f64]) -> Option<f64> {
    Some(metrics::cllr(honest, elsewhere)? - metrics::min_cllr(honest, elsewhere)?)
}

type Statistic = fn(&[f64], &[f64]) -> Option<f64>;

/// Figures of every count.
pub fn figures(slices: &BTreeMap<usize, Slice>, seed: u64) -> Vec<Figure> {
    let mut list = Vec::new();
    for (count, slice) in slices {
        let mut push = |name: String, description: String, value, interval, sample: String, floor, higher_is_better| {
            list.push(Figure {
                name: format!("timezone.{name}"),
                description,
                value,
                interval,
                sample,
                floor,
                higher_is_better,
                source: "real".into(),
                licence: "train".into(),
            });
        };
        let authors = slice.errors.len();
        type Of = fn(&(f64, f64)) -> f64;
        let told: [(&str, &str, Of, Option<f64>, bool); 2] = [
            ("told_hours", "mean absolute error of the offset told; authors left out", |e| e.0, Some(1.35), false),
            (
                "covered",
                "share of authors whose offset lies in the 90 % set; authors left out",
                |e| e.1,
                Some(0.86),
                true,
            ),
        ];
        for (name, what, of, floor, higher) in told {
            let values: Vec<f64> = slice.errors.iter().map(of).collect();
            let interval = metrics::bootstrap(authors, 1000, seed, |chosen| {
                metrics::mean(&chosen.iter().map(|index| values[*index]).collect::<Vec<_>>())
            });
            let floor = floor.filter(|_| *count == 50);
            let value = metrics::mean(&values).unwrap_or(f64::NAN);
            push(
                format!("rhythm_offset_{count}.{name}"),
                what.into(),
                value,
                interval,
                format!("{authors} authors"),
                floor,
                higher,
            );
        }
        let sets = [
            ("any", &slice.any, &slice.any_bare, "own offset against claims three hours and more away"),
            ("us", &slice.us, &slice.us_bare, "authors on US clocks against +8 and +9 with a claim of New York"),
        ];
        for (name, people, bare, what) in sets {
            let (honest, elsewhere) = sides(people, &(0..people.len()).collect::<Vec<_>>());
            // A least cost over a handful of people is the least cost of chance.
            if honest.len() < 20 || elsewhere.len() < 20 {
                continue;
            }
            let sample = format!("{} honest, {} elsewhere", honest.len(), elsewhere.len());
            let statistics: [(&str, &Vec<Claims>, &str, Statistic, Option<f64>, bool); 4] = [
                ("auc", people, "area under the curve", metrics::auc, None, true),
                (
                    "cllr",
                    people,
                    "cost in bits, a quarter of those elsewhere keeping the claimed hours",
                    |h, e| metrics::cllr(h, &with_adapted(h, e)),
                    None,
                    false,
                ),
                (
                    "cllr_loss",
                    people,
                    "the same beyond the least possible",
                    |h, e| loss(h, &with_adapted(h, e)),
                    Some(0.05),
                    false,
                ),
                (
                    "unbounded_cllr_loss",
                    bare,
                    "the ratio before its bounds, everybody on their own hours",
                    loss,
                    None,
                    false,
                ),
            ];
            for (statistic, people, how, of, floor, higher) in statistics {
                let at = |chosen: &[usize]| {
                    let (honest, elsewhere) = sides(people, chosen);
                    of(&honest, &elsewhere)
                };
                let everybody: Vec<usize> = (0..people.len()).collect();
                let interval = metrics::bootstrap(people.len(), 300, seed, at);
                let value = at(&everybody).unwrap_or(f64::NAN);
                push(
                    format!("rhythm_{name}_{count}.{statistic}"),
                    format!("{what}: {how}; authors left out"),
                    value,
                    interval,
                    sample.clone(),
                    floor,
                    higher,
                );
            }
            let (own, _) = sides(bare, &(0..bare.len()).collect::<Vec<_>>());
            let beyond: Vec<f64> = own.iter().map(|score| f64::from(u8::from(*score > 3.0))).collect();
            let interval = metrics::bootstrap(beyond.len(), 1000, seed, |chosen| {
                metrics::mean(&chosen.iter().map(|index| beyond[*index]).collect::<Vec<_>>())
            });
            push(
                format!("rhythm_{name}_{count}.unbounded_honest_over_3"),
                format!("{what}: honest authors beyond 3 nats if there were no bound"),
                metrics::mean(&beyond).unwrap_or(f64::NAN),
                interval,
                format!("{} honest", beyond.len()),
                None,
                false,
            );
        }
    }
    list
}
