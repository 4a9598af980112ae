//! Fits fixed phrases on data whose licence lets the result ship: Villani, BB-MAS, keypad and MEU.

use super::accord::fit_accords;
use super::anchor::fit_anchor;
use super::gate::{Company, Trial, fit_gate, trials};
use super::pseudo::pseudo_phrases;
use super::{logistic, samples};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Stretch, Typist};
use elsewhere::event::KeyClass;
use elsewhere::evidence::typing::accord::Accords;
use elsewhere::evidence::typing::gate::ClockParameters;
use elsewhere::evidence::typing::observe::observe;
use elsewhere::evidence::typing::phrase::{
    PRIOR_COUNT, PhraseObservation, PhraseParameters, PhraseScore, Prior, YOUNG_COUNT, log_dwell, log_press_interval,
    prior_index,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// People who type one phrase again and again: per person, logins in order.
pub(crate) struct PhraseCorpus {
    /// What it is, for error messages and listings.
    pub name: String,
    /// Pseudonym of each person, unique within its set.
    pub subjects: Vec<String>,
    /// Logins per person.
    pub people: Vec<Vec<PhraseObservation>>,
    /// Whether the phrase was practised as a phrase, not cut out of free text.
    pub practised: bool,
}

pub(super) fn phrase_observation(
    stretch: &Stretch,
    set: KeystrokeSet,
    clock_micros: Option<u32>,
) -> Result<Option<PhraseObservation>, String> {
    let mut event = convert::bare_event("w", "e".into(), 0);
    let typing = convert::typing_of(stretch, set, "phrase");
    event.typing = Some(match clock_micros {
        Some(clock_micros) => convert::with_clock(&typing, clock_micros),
        None => typing,
    });
    Ok(observe(&samples(event)?).phrase.and_then(Result::ok))
}

/// Whose typing is read: of a set, a person by pseudonym.
pub(crate) type Keep<'a> = dyn Fn(KeystrokeSet, &str) -> bool + 'a;

pub(super) fn read_kept(data: &Path, set: KeystrokeSet, keep: &Keep<'_>) -> Result<Vec<Typist>, String> {
    let mut typists = corpus::read(data, set)?;
    typists.retain(|typist| keep(set, &typist.subject));
    Ok(typists)
}

/// Phrases to be read: where, whose, and as which clock would have stamped them (`None`: the recordings' own).
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The folder that holds `keystroke/`.
    pub data: &'a Path,
    /// Whose.
    pub keep: &'a Keep<'a>,
    /// Draws pseudo-phrases.
    pub seed: u64,
    /// Granularity of the clock, microseconds.
    pub clock_micros: Option<u32>,
}

pub(crate) fn real_phrase(source: &Source<'_>, set: KeystrokeSet) -> Result<PhraseCorpus, String> {
    let (mut subjects, mut people) = (Vec::new(), Vec::new());
    for typist in read_kept(source.data, set, source.keep)? {
        let mut logins = Vec::new();
        for stretch in &typist.stretches {
            logins.extend(phrase_observation(stretch, set, source.clock_micros)?);
        }
        subjects.push(typist.subject);
        people.push(logins);
    }
    Ok(PhraseCorpus { name: format!("{set:?}"), subjects, people, practised: true })
}

/// The logins of one typist of a set whose stretches are one phrase each.
///
/// # Errors
/// A converted login that does not pass the check.
pub(crate) fn real_phrase_of(typist: &Typist, set: KeystrokeSet) -> Result<Vec<PhraseObservation>, String> {
    let mut logins = Vec::new();
    for stretch in &typist.stretches {
        logins.extend(phrase_observation(stretch, set, None)?);
    }
    Ok(logins)
}

/// Presses of pseudo-phrases.
const PSEUDO_PRESSES: [usize; 4] = [6, 11, 16, 28];

/// Moments of one position of one phrase.
struct Position {
    prior: usize,
    mean: f64,
    between_variance: f64,
    within_variance: f64,
    people: f64,
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    elsewhere::evidence::quantile::quantile_of_sorted(values, 0.5)
}

/// Standard deviation of a normal variable over its mean absolute deviation, sqrt(pi / 2).
const MEAN_DEVIATION_SCALE: f64 = 1.253_314_137_315_500_3;
/// Least variance believed of a hand at one position, in ln: a twentieth of the time.
const WITHIN_VARIANCE_MIN: f64 = 0.0025;

fn positions(phrase: &PhraseCorpus) -> Vec<Position> {
    let Some(first) = phrase.people.iter().flatten().next() else { return Vec::new() };
    let mut positions = Vec::new();
    for index in 0..first.times.len() {
        let (mut means, mut within) = (Vec::new(), Vec::new());
        for logins in &phrase.people {
            let clock = logins.first().map_or(0.0, |login| login.times[index].clock_variance);
            let mut times: Vec<f64> = logins.iter().filter_map(|login| login.times[index].log_time).collect();
            if times.len() < 5 {
                continue;
            }
            let centre = median(&mut times);
            let deviation = times.iter().map(|time| (time - centre).abs()).sum::<f64>() / times.len() as f64;
            means.push(centre);
            within.push(((MEAN_DEVIATION_SCALE * deviation).powi(2) - clock).max(WITHIN_VARIANCE_MIN));
        }
        if means.len() < 10 {
            continue;
        }
        let count = means.len() as f64;
        let mean = means.iter().sum::<f64>() / count;
        let variance = means.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        positions.push(Position {
            prior: usize::from(first.times[index].prior),
            mean,
            between_variance: variance,
            within_variance: median(&mut within),
            people: count,
        });
    }
    positions
}

/// Moments of one kind of time (dwells, or press intervals) over all phrases.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// Variance of one person's times at a practised position.
    pub within: f64,
    /// Variance between people at one position.
    pub between: f64,
    /// Variance between positions of equal classes: what the phrase itself does.
    pub position: f64,
}

fn kind(corpora: &[PhraseCorpus], centres: &[Option<f64>], dwell: bool) -> Kind {
    let (mut within, mut between, mut position) = (Mean::default(), Mean::default(), Mean::default());
    // By name, so that every source weighs the same whatever the number of its phrases.
    let mut by_name: BTreeMap<&str, Vec<Position>> = BTreeMap::new();
    for phrase in corpora {
        let found = positions(phrase).into_iter().filter(|at| (at.prior < DWELL_PRIORS) == dwell);
        by_name.entry(phrase.name.as_str()).or_default().extend(found);
        if phrase.practised {
            positions(phrase)
                .iter()
                .filter(|at| (at.prior < DWELL_PRIORS) == dwell)
                .for_each(|at| within.add(at.within_variance));
        }
    }
    for found in by_name.values() {
        let (mut of_between, mut of_position) = (Mean::default(), Mean::default());
        for at in found {
            of_between.add(at.between_variance);
            if let Some(centre) = centres[at.prior] {
                // The mean of finitely many people moves from position to position by itself.
                of_position.add(((at.mean - centre).powi(2) - at.between_variance / at.people).max(0.0));
            }
        }
        between.add(of_between.value());
        position.add(of_position.value());
    }
    Kind { within: within.value(), between: between.value(), position: position.value() }
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn value(&self) -> f64 {
        if self.count > 0.0 { self.sum / self.count } else { 0.0 }
    }
}

/// Priors of dwells come first.
const DWELL_PRIORS: usize = elsewhere::event::KeyClass::COUNT;
/// Fewest people behind a class's own centre.
const CENTRE_PEOPLE_MIN: usize = 15;
/// Fewest times of one person behind that person's centre of a class.
const CENTRE_TIMES_MIN: usize = 4;
/// Longest interval behind a centre, microseconds: longer is a pause for thought, and nobody pauses in a known phrase.
const CENTRE_INTERVAL_MICROS_MAX: u32 = 700_000;

/// Mean over people of each person's median, by prior; absent where too few people have it.
fn centres(typists: &[Typist]) -> Vec<Option<f64>> {
    let mut people: Vec<Vec<f64>> = vec![Vec::new(); PRIOR_COUNT];
    for typist in typists {
        let mut times: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for stretch in &typist.stretches {
            let class = |index: usize| elsewhere::event::KeyClass::from_number(stretch.classes[index]);
            for index in 0..stretch.classes.len() {
                let Some(second) = class(index) else { continue };
                let dwell = stretch.dwell_micros[index];
                if dwell > 0 {
                    let value = log_dwell(f64::from(dwell));
                    times.entry(prior_index(None, second)).or_default().push(value);
                    times.entry(prior_index(None, KeyClass::Withheld)).or_default().push(value);
                }
                let interval = stretch.press_interval_micros[index];
                if index > 0
                    && interval <= CENTRE_INTERVAL_MICROS_MAX
                    && let Some(first) = class(index - 1)
                {
                    let value = log_press_interval(f64::from(interval));
                    for first in [first, KeyClass::Withheld] {
                        for second in [second, KeyClass::Withheld] {
                            times.entry(prior_index(Some(first), second)).or_default().push(value);
                        }
                    }
                }
            }
        }
        for (prior, mut values) in times {
            if values.len() >= CENTRE_TIMES_MIN {
                people[prior].push(median(&mut values));
            }
        }
    }
    people
        .into_iter()
        .map(|values| (values.len() >= CENTRE_PEOPLE_MIN).then(|| values.iter().sum::<f64>() / values.len() as f64))
        .collect()
}

/// Letters and digits: keys that are held alike on a keyboard, a keypad and a screen.
const PRACTISED_CLASSES: [usize; 2] = [KeyClass::Letter as usize, KeyClass::Digit as usize];

fn priors(corpora: &[PhraseCorpus], typists: &[Typist]) -> Vec<Prior> {
    let centres = centres(typists);
    let interval = kind(corpora, &centres, false);
    let found = |first: Option<KeyClass>, second: KeyClass| centres[prior_index(first, second)];
    // Keys of a practised phrase are held for a shorter time than those of free text.
    let mut practice = Mean::default();
    for phrase in corpora.iter().filter(|phrase| phrase.practised) {
        let mut of_phrase = Mean::default();
        for at in positions(phrase).iter().filter(|at| PRACTISED_CLASSES.contains(&at.prior)) {
            if let Some(centre) = centres[at.prior] {
                of_phrase.add(at.mean - centre);
            }
        }
        practice.add(of_phrase.value());
    }
    let practice = practice.value();
    let shifted: Vec<Option<f64>> = centres.iter().map(|centre| centre.map(|centre| centre + practice)).collect();
    let dwell = kind(corpora, &shifted, true);
    let mut priors = Vec::with_capacity(PRIOR_COUNT);
    for second in KeyClass::ALL {
        let all = found(None, KeyClass::Withheld).unwrap_or_else(|| log_dwell(90_000.0));
        priors.push(prior(found(None, second).unwrap_or(all) + practice, &dwell, 0.0));
    }
    // What is not known of the classes adds to what is not known of the position.
    let classes: Vec<f64> = (1..KeyClass::COUNT)
        .flat_map(|first| (1..KeyClass::COUNT).map(move |second| (first, second)))
        .filter_map(|(first, second)| centres[DWELL_PRIORS + first * KeyClass::COUNT + second])
        .collect();
    let mean = classes.iter().sum::<f64>() / classes.len().max(1) as f64;
    let class_variance =
        classes.iter().map(|centre| (centre - mean).powi(2)).sum::<f64>() / classes.len().max(1) as f64;
    for first in KeyClass::ALL {
        for second in KeyClass::ALL {
            let withheld = first == KeyClass::Withheld || second == KeyClass::Withheld;
            let any =
                found(Some(KeyClass::Withheld), KeyClass::Withheld).unwrap_or_else(|| log_press_interval(200_000.0));
            let own = found(Some(first), second);
            let near =
                found(Some(KeyClass::Withheld), second).or(found(Some(first), KeyClass::Withheld)).unwrap_or(any);
            priors.push(prior(
                own.unwrap_or(near),
                &interval,
                if withheld || own.is_none() { class_variance } else { 0.0 },
            ));
        }
    }
    priors
}

/// A prior around `centre`, `unknown` being the variance of the centre itself.
fn prior(centre: f64, kind: &Kind, unknown: f64) -> Prior {
    let shared = kind.position + unknown;
    let carry = shared / (shared + kind.between);
    Prior {
        centre,
        carry,
        // A stranger deviates by being another person, by today's login, and by what the carried centre misses.
        background_spread: (kind.between + kind.within + shared * (1.0 - carry)).sqrt(),
        within_spread: kind.within.sqrt(),
    }
}

/// Trials per corpus and truth that enter the calibration, so that no corpus drowns another.
const CALIBRATION_TRIALS: usize = 4_000;

fn thinned<'a>(trials: &[&'a Trial], most: usize) -> Vec<&'a Trial> {
    let step = trials.len().div_ceil(most).max(1);
    trials.iter().step_by(step).copied().collect()
}

/// Clocks for which parameters are fitted, microseconds, with the logins of a young profile: that of most recordings,
/// and two of hardened browsers. The logins grow with what the clock adds to a dwell's variance (about once, and ten
/// times a hand's own); that gates locked people out of coarse clocks without them was seen on CMU.
const CLOCKS: [(u32, u16); 3] = [(15_625, YOUNG_COUNT), (33_000, 30), (100_000, 60)];

/// Fits the phrase part on the people whom `keep` names.
pub(crate) fn fit_phrase(data: &Path, seed: u64, keep: &Keep<'_>) -> Result<PhraseParameters, String> {
    let source = Source { data, keep, seed, clock_micros: None };
    let corpora = phrase_corpora(&source)?;
    let mut typists = read_kept(data, KeystrokeSet::VillaniFree, keep)?;
    typists.extend(read_kept(data, KeystrokeSet::Bbmas, keep)?);
    typists.extend(read_kept(data, KeystrokeSet::Keypad, keep)?);
    let weights = vec![0.0; PhraseScore::INPUT_COUNT + 1];
    let mut parameters = PhraseParameters {
        priors: priors(&corpora, &typists),
        accords: Accords::default(),
        calibration: weights.clone(),
        shared_calibration: weights,
        clocks: Vec::new(),
        gate_young: 0.0,
        anchor: None,
    };
    parameters.accords = fit_accords(&corpora, &parameters);
    let (alone, calibration) = calibrate(&corpora, &parameters, Company::Alone)?;
    parameters.calibration = calibration;
    parameters.gate_young = young_gate(&corpora, &alone, &parameters);
    parameters.anchor = fit_anchor(&corpora, &parameters);
    let mut clocks = Vec::new();
    for (index, (timer_resolution_micros, young_count)) in CLOCKS.into_iter().enumerate() {
        let clock_micros = (index > 0).then_some(timer_resolution_micros);
        let corpora = phrase_corpora(&Source { clock_micros, ..source })?;
        parameters.calibration = calibrate(&corpora, &parameters, Company::Alone)?.1;
        parameters.shared_calibration = calibrate(&corpora, &parameters, Company::Together)?.1;
        let many: Vec<PhraseCorpus> = corpora
            .into_iter()
            .filter(|phrase| phrase.name.starts_with(&format!("{:?}", KeystrokeSet::Bbmas)))
            .collect();
        clocks.push(ClockParameters {
            timer_resolution_micros,
            young_count,
            calibration: parameters.calibration.clone(),
            shared_calibration: parameters.shared_calibration.clone(),
            alone: fit_gate(&many, &parameters, Company::Alone),
            shared: fit_gate(&many, &parameters, Company::Together),
        });
    }
    if let Some(finest) = clocks.first() {
        parameters.calibration.clone_from(&finest.calibration);
        parameters.shared_calibration.clone_from(&finest.shared_calibration);
    }
    parameters.clocks = clocks;
    Ok(parameters)
}

/// The gate of a young profile, which lets 99 of 100 honest logins of practised phrases pass.
fn young_gate(corpora: &[PhraseCorpus], trials: &Trials, parameters: &PhraseParameters) -> f64 {
    let practised: BTreeSet<&str> =
        corpora.iter().filter(|phrase| phrase.practised).map(|phrase| phrase.name.as_str()).collect();
    let mut young: Vec<f64> = trials
        .iter()
        .filter(|(name, _)| practised.contains(name.as_str()))
        .flat_map(|(_, trials)| trials)
        .filter(|trial| !trial.non_mated && trial.score.enrolled_count < u32::from(YOUNG_COUNT))
        .map(|trial| parameters.calibrated(&trial.score))
        .collect();
    young.sort_unstable_by(f64::total_cmp);
    elsewhere::evidence::quantile::quantile_of_sorted(&young, 0.99).max(0.0)
}

/// Trials by the name of their corpus.
type Trials = BTreeMap<String, Vec<Trial>>;

/// Replays all phrases, people alone or together, and calibrates what they score.
fn calibrate(
    corpora: &[PhraseCorpus],
    parameters: &PhraseParameters,
    company: Company,
) -> Result<(Trials, Vec<f64>), String> {
    let mut all = Trials::new();
    for phrase in corpora {
        all.entry(phrase.name.clone()).or_default().extend(trials(phrase, parameters, company));
    }
    let (mut rows, mut truths) = (Vec::new(), Vec::new());
    for trials in all.values() {
        let most = if trials.len() > 20 * CALIBRATION_TRIALS { CALIBRATION_TRIALS } else { CALIBRATION_TRIALS / 2 };
        for non_mated in [false, true] {
            let side: Vec<&Trial> = trials.iter().filter(|trial| trial.non_mated == non_mated).collect();
            for trial in thinned(&side, most) {
                rows.push(trial.score.inputs().to_vec());
                truths.push(non_mated);
            }
        }
    }
    let weights = logistic(&rows, &truths, 1.0)?;
    Ok((all, weights))
}

/// All phrases that may be fitted on.
pub(crate) fn phrase_corpora(source: &Source<'_>) -> Result<Vec<PhraseCorpus>, String> {
    let mut corpora = vec![real_phrase(source, KeystrokeSet::Meu)?, real_phrase(source, KeystrokeSet::Keypad)?];
    corpora.extend(pseudo_phrases(source, KeystrokeSet::VillaniFree, &PSEUDO_PRESSES)?);
    let other = Source { seed: source.seed.wrapping_add(1), ..*source };
    corpora.extend(pseudo_phrases(&other, KeystrokeSet::Bbmas, &PSEUDO_PRESSES)?);
    Ok(corpora)
}
