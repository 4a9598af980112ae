//! Figures of the rhythm: offset error, coverage of the 90 % set, detection of far claims and false alarms; of free
//! days, changes of hours and clocks.
//!
//! Authors are left out by fold: each fold is scored with templates fitted on the others, through the family's own
//! functions in the pipeline's order. The shipped model has seen these authors, so its figure through the whole
//! pipeline is reported apart, as a check that the two roads agree.

pub mod calendar;
pub mod plots;
pub mod slices;

use crate::convert::rhythm::{Taken, requests};
use crate::corpus::rhythm::{self, Author};
use crate::fit;
use crate::metrics;
use crate::request::{Figure, Request, Scored, Scorer, Update};
use elsewhere::event::{EventUnchecked, Rules, TablePolicy, Violations};
use elsewhere::evidence::feature::{Family, Features, Finding};
use elsewhere::evidence::timezone::{Observation, Parameters, Profile, compare, observe, offset_beliefs};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Folds of authors.
pub const FOLDS: usize = 5;

/// Scores the timezone family alone, in the pipeline's order: observe, compare, learn, beliefs.
pub struct FamilyScorer {
    parameters: Arc<Parameters>,
    profiles: BTreeMap<String, Profile>,
}

impl FamilyScorer {
    /// A scorer that remembers nobody.
    pub fn new(parameters: Arc<Parameters>) -> Self {
        Self { parameters, profiles: BTreeMap::new() }
    }
}

impl Scorer for FamilyScorer {
    fn score(&mut self, event: EventUnchecked, update: Update) -> Result<Scored, String> {
        let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::Refused };
        let mut violations = Violations::default();
        let event = event.check("event", &rules, &mut violations).ok_or("the event does not pass the check")?;
        let observation: Observation = observe(&event.samples);
        let profile = self.profiles.entry(event.worker_id).or_default();
        let mut features = Features::default();
        compare(&observation, profile, event.samples.claim.as_ref(), &self.parameters, &mut features);
        if update != Update::Never {
            profile.learn(&observation, &self.parameters, observation.time);
        }
        let mut scored = Scored {
            findings: Finding::ALL.iter().map(|finding| features.get(finding.score())).collect(),
            utc_offsets: offset_beliefs(profile, &self.parameters, observation.time),
            ..Scored::default()
        };
        let family = Finding::ALL.iter().filter(|finding| finding.family() == Family::Timezone);
        scored.log_likelihood_ratio[Family::Timezone.index()] =
            family.filter_map(|finding| scored.finding(*finding)).sum();
        Ok(scored)
    }
}

/// One author's beliefs after some sessions beside the truth.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OffsetError {
    /// Hours between truth and circular mean, median and mode of the beliefs.
    pub mean: f64,
    /// See `mean`.
    pub median: f64,
    /// See `mean`.
    pub mode: f64,
    /// 1 when the smallest set of beliefs with 90 % holds the truth, to half an hour.
    pub covered: f64,
}

fn hours_apart(a_minutes: f64, b_minutes: f64) -> f64 {
    let apart = (a_minutes - b_minutes).rem_euclid(1_440.0);
    apart.min(1_440.0 - apart) / 60.0
}

/// Compares beliefs with the true offset, minutes east.
pub fn offset_error(beliefs: &[(i32, f64)], truth: i32) -> OffsetError {
    let total: f64 = beliefs.iter().map(|belief| belief.1).sum();
    let angle = |minutes: i32| f64::from(minutes) / 1_440.0 * std::f64::consts::TAU;
    let east: f64 = beliefs.iter().map(|(minutes, p)| p * angle(*minutes).cos()).sum();
    let north: f64 = beliefs.iter().map(|(minutes, p)| p * angle(*minutes).sin()).sum();
    let mean = north.atan2(east) / std::f64::consts::TAU * 1_440.0;
    let truth_minutes = f64::from(truth);
    let mut sum = 0.0;
    let median = beliefs.iter().find(|belief| {
        sum += belief.1;
        sum >= total / 2.0
    });
    let mut by_belief = beliefs.to_vec();
    by_belief.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut held = 0.0;
    let mut covered = false;
    for (minutes, probability) in &by_belief {
        if held >= 0.9 * total {
            break;
        }
        held += probability;
        covered |= (minutes - truth).abs() <= 30;
    }
    let at =
        |belief: Option<&(i32, f64)>| belief.map_or(12.0, |belief| hours_apart(f64::from(belief.0), truth_minutes));
    OffsetError {
        mean: if beliefs.is_empty() { 12.0 } else { hours_apart(mean, truth_minutes) },
        median: at(median),
        mode: at(by_belief.first()),
        covered: f64::from(u8::from(covered)),
    }
}

/// Scores requests of one worker in turn; what the last one gave.
fn last_scored(scorer: &mut dyn Scorer, requests: Vec<Request>) -> Result<Option<Scored>, String> {
    let mut last = None;
    for request in requests {
        last = Some(scorer.score(request.event, request.update)?);
    }
    Ok(last)
}

/// Whether an author lives in the claimed zone: on its standard offset or its summer time in 95 % of commits, both seen
/// only where the zone has both.
fn lives_at(author: &Author, offsets: &[i32]) -> bool {
    let near = author.commits.iter().filter(|commit| offsets.contains(&commit.1)).count();
    near as f64 >= 0.95 * author.commits.len() as f64
}

/// Claims of the United States by the offsets lived at, minutes east, and a zone to claim.
pub const AMERICAN: [(&[i32], &str); 3] =
    [(&[-300, -240], "America/New_York"), (&[-360, -300], "America/Chicago"), (&[-480, -420], "America/Los_Angeles")];

/// Everything measured on authors left out, before it is summed up.
#[derive(Debug, Default)]
pub struct Measured {
    /// Per session count (20, 50) and kind of events: errors of each author.
    pub errors: BTreeMap<(usize, bool), Vec<OffsetError>>,
    /// Rhythm score after 50 sessions of authors who live at +8 or +9 and claim New York.
    pub hostile: Vec<f64>,
    /// The same of authors who live on US Eastern time and claim it.
    pub honest_east: Vec<f64>,
    /// Rhythm score after 50 sessions of authors who live on any US mainland zone and claim it.
    pub honest_american: Vec<f64>,
}

/// Measures one fold's authors with a scorer that has not seen them.
pub fn measure(
    authors: &[&Author],
    new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>,
    measured: &mut Measured,
) -> Result<(), String> {
    for author in authors {
        let starts = author.session_starts();
        for count in [20, 50].into_iter().filter(|count| *count <= starts.len()) {
            for taken in [Taken::SessionStarts, Taken::Commits] {
                let scored = last_scored(&mut *new_scorer(), requests(author, taken, count, None))?;
                let beliefs = scored.map(|scored| scored.utc_offsets).unwrap_or_default();
                let errors = measured.errors.entry((count, taken == Taken::Commits)).or_default();
                errors.push(offset_error(&beliefs, starts[count - 1].1));
            }
        }
        if starts.len() < 50 {
            continue;
        }
        let mut score = |zone: &str| -> Result<f64, String> {
            let scored =
                last_scored(&mut *new_scorer(), requests(author, Taken::SessionStarts, 50, Some(("US", zone))))?;
            Ok(scored.and_then(|scored| scored.finding(Finding::TimezoneRhythm)).unwrap_or(0.0))
        };
        if lives_at(author, &[480]) || lives_at(author, &[540]) {
            measured.hostile.push(score("America/New_York")?);
        }
        // -300 and -240 alike: the first zone that fits is the author's.
        if let Some((offsets, zone)) = AMERICAN.iter().find(|(offsets, _)| lives_at(author, offsets)) {
            let own = score(zone)?;
            measured.honest_american.push(own);
            if offsets[0] == -300 {
                measured.honest_east.push(own);
            }
        }
    }
    Ok(())
}

/// Authors of one fold, and what was fitted on the others.
pub struct Fold<'a> {
    /// Left out of the fit.
    pub authors: Vec<&'a Author>,
    /// Fitted on the others.
    pub parameters: Arc<Parameters>,
}

/// Authors by fold, each fold with parameters that have not seen it.
///
/// # Errors
/// A fit that fails.
pub fn folds(authors: &[Author], seed: u64) -> Result<Vec<Fold<'_>>, String> {
    let fold = |fold: usize| {
        let of_fold = |inside: bool| -> Vec<&Author> {
            (0..authors.len()).filter(|index| (index % FOLDS == fold) == inside).map(|index| &authors[index]).collect()
        };
        let parameters = Arc::new(fit::timezone::fit_authors(&of_fold(false), seed, &Default::default())?);
        Ok(Fold { authors: of_fold(true), parameters })
    };
    (0..FOLDS).map(fold).collect()
}

/// The authors whose offsets can be taken for where they live.
///
/// # Errors
/// Data that cannot be read.
pub fn settled(data: &Path) -> Result<Vec<Author>, String> {
    Ok(rhythm::read(data)?.into_iter().filter(Author::settled).collect())
}

/// Every figure of the rhythm.
pub fn evaluate(
    data: &Path,
    new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>,
    seed: u64,
) -> Result<Vec<Figure>, String> {
    let authors = settled(data)?;
    let mut left_out = Measured::default();
    let folds = folds(&authors, seed)?;
    for fold in &folds {
        let mut fresh = || Box::new(FamilyScorer::new(fold.parameters.clone())) as Box<dyn Scorer>;
        measure(&fold.authors, &mut fresh, &mut left_out)?;
    }
    let mut figures = figures(&left_out, seed, "authors left out");
    figures.extend(slices::figures(&slices::measure(&folds, &authors, seed)?, seed));
    figures.extend(calendar::figures(&folds, seed)?);
    figures.extend(calendar::changes(&folds, seed));
    let mut seen = Measured::default();
    measure(&authors.iter().collect::<Vec<_>>(), new_scorer, &mut seen)?;
    for mut figure in
        self::figures(&seen, seed, "the shipped model through the whole pipeline; it was fitted on these authors")
    {
        figure.name = figure.name.replace("timezone.", "timezone.seen_");
        figure.floor = None;
        figures.push(figure);
    }
    Ok(figures)
}

/// Sums up what was measured, with intervals by author.
pub fn figures(measured: &Measured, seed: u64, how: &str) -> Vec<Figure> {
    let mut list = Vec::new();
    let figure = |name: String, what: &str, value: f64, interval, sample: String, floor, higher_is_better| Figure {
        name,
        description: format!("{what}; {how}"),
        value,
        interval,
        sample,
        floor,
        higher_is_better,
        source: "real".into(),
        licence: "train".into(),
    };
    for ((count, commits), errors) in &measured.errors {
        type Statistic = (&'static str, &'static str, fn(&OffsetError) -> f64, Option<f64>, bool);
        let statistics: [Statistic; 4] = [
            (
                "mean_hours",
                "mean absolute error of the circular mean of the offset belief",
                |e| e.mean,
                Some(1.35),
                false,
            ),
            ("median_hours", "mean absolute error of the median of the offset belief", |e| e.median, Some(1.35), false),
            ("mode_hours", "mean absolute error of the likeliest offset", |e| e.mode, Some(1.35), false),
            ("set_90_coverage", "share of authors whose offset lies in the 90 % set", |e| e.covered, Some(0.86), true),
        ];
        for (name, what, of, floor, higher) in statistics {
            let values: Vec<f64> = errors.iter().map(of).collect();
            let interval = metrics::bootstrap(values.len(), 1000, seed, |chosen| {
                metrics::mean(&chosen.iter().map(|index| values[*index]).collect::<Vec<_>>())
            });
            let events = if *commits { "commits" } else { "starts" };
            list.push(figure(
                format!("timezone.offset_{count}_{events}_{name}"),
                what,
                metrics::mean(&values).unwrap_or(f64::NAN),
                interval,
                format!("{} authors, {count} sessions each, {events} as events", values.len()),
                floor.filter(|_| *count == 50),
                higher,
            ));
        }
    }
    let (hostile, east) = (&measured.hostile, &measured.honest_east);
    let pick = |values: &[f64], chosen: &[usize], first: usize| -> Vec<f64> {
        chosen
            .iter()
            .filter_map(|index| index.checked_sub(first).and_then(|index| values.get(index)).copied())
            .collect()
    };
    let interval = metrics::bootstrap(hostile.len() + east.len(), 1000, seed, |chosen| {
        metrics::auc(&pick(east, chosen, 0), &pick(hostile, chosen, east.len()))
    });
    list.push(figure(
        "timezone.rhythm_us_east_auc".into(),
        "claims US East, lives at +8 or +9, 50 sessions: AUC of the rhythm score",
        metrics::auc(east, hostile).unwrap_or(f64::NAN),
        interval,
        format!("{} authors at +8 or +9, {} on US Eastern time", hostile.len(), east.len()),
        Some(0.97),
        true,
    ));
    let alarms: Vec<f64> = measured.honest_american.iter().map(|score| f64::from(u8::from(*score > 3.0))).collect();
    let interval = metrics::bootstrap(alarms.len(), 1000, seed, |chosen| {
        metrics::mean(&chosen.iter().map(|index| alarms[*index]).collect::<Vec<_>>())
    });
    list.push(figure(
        "timezone.rhythm_honest_us_over_3_nats".into(),
        "honest US authors whose rhythm score exceeds 3 nats after 50 sessions",
        metrics::mean(&alarms).unwrap_or(f64::NAN),
        interval,
        format!("{} authors", alarms.len()),
        Some(0.02),
        false,
    ));
    list.push(figure(
        "timezone.rhythm_us_cllr".into(),
        "cost of the rhythm's ratios, honest US authors against +8 and +9 with a claim of New York, bits",
        metrics::cllr(&measured.honest_american, hostile).unwrap_or(f64::NAN),
        None,
        format!("{} honest, {} elsewhere", measured.honest_american.len(), hostile.len()),
        None,
        false,
    ));
    list
}
