//! How free days are kept, what calendars can tell after some months, and whom they might wrong.
//!
//! Two populations. *Histories*: authors left out, with the claim of their place and of others, over their busiest
//! months; most write on one weekday in three, so that little can be told. *Workers*: simulated people who log in on
//! nineteen weekdays of twenty, take leave in stretches and keep their place's free days as the histories do. Dates are
//! real, the people are not.

use super::Fold;
use crate::fit::timezone::calendar::{self as fit, Rate};
use crate::fit::timezone::{change as fit_change, clock_change, profile_of};
use crate::metrics;
use crate::request::Figure;
use elsewhere::evidence::timezone::calendar::CalendarParameters;
use elsewhere::evidence::timezone::calendars::Calendars;
use elsewhere::evidence::timezone::change;
use elsewhere::evidence::timezone::clock::ClockChange;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::BTreeMap;

/// Months (of 30 days) after which is asked.
pub const MONTHS: [i64; 4] = [1, 3, 6, 12];
/// Fewest session starts a month of an author worth asking about.
const STARTS_A_MONTH: usize = 8;
/// Claims and their offset, standard time, minutes east.
const CLAIMS: [(&str, i32); 4] = [("US", -300), ("CN", 480), ("IN", 330), ("GB", 0)];
/// Simulated workers of each kind.
const WORKERS: usize = 1_000;
/// 2022-01-01.
const FIRST_SECONDS: i64 = 1_640_995_200;
const DAY_SECONDS: i64 = 86_400;

/// How a simulated worker keeps free days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// The claimed place's: honest.
    Claimed,
    /// The claimed place's, and the feasts of another: honest, with a faith or a family there.
    Both,
    /// None: honest, on duty or zealous.
    None,
    /// Works through the claimed place's and rests on another's, from the claimed place: an honest worker of a team abroad.
    Elsewhere,
    /// Another's, and lives there.
    Foreign,
}

impl Keeps {
    /// All kinds.
    pub const ALL: [Keeps; 5] = [Self::Claimed, Self::Both, Self::None, Self::Elsewhere, Self::Foreign];

    /// Name in figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claimed => "keeps_claimed",
            Self::Both => "keeps_both",
            Self::None => "keeps_none",
            Self::Elsewhere => "team_abroad",
            Self::Foreign => "lives_elsewhere",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Claimed => "honest, keeps the claimed place's free days",
            Self::Both => "honest, keeps the claimed place's free days and the feasts of another",
            Self::None => "honest, works through all free days",
            Self::Elsewhere => "honest, lives as claimed, keeps the free days of a team abroad instead",
            Self::Foreign => "lives elsewhere and keeps that place's free days",
        }
    }
}

/// Places and their standard offsets, hours, for claims and lives. Pairs are drawn evenly.
const PLACES: [(&str, i64); 8] =
    [("US", -5), ("CN", 8), ("IN", 5), ("DE", 1), ("JP", 9), ("BR", -3), ("NG", 1), ("EG", 2)];

/// The score of one simulated worker.
fn worker(keeps: Keeps, months: i64, parameters: &CalendarParameters, random: &mut Xoshiro256PlusPlus) -> Option<f64> {
    let claim = random.gen_range(0..PLACES.len());
    let other = (claim + random.gen_range(1..PLACES.len())) % PLACES.len();
    let (claimed, elsewhere) = (PLACES[claim], PLACES[other]);
    let (lives, offset) = if keeps == Keeps::Foreign { elsewhere } else { claimed };
    let region = |code: &str| Calendars::shipped().region(code);
    let (home, here, there) = (region(lives)?, region(claimed.0)?, region(elsewhere.0)?);
    let first = FIRST_SECONDS + random.gen_range(0..1_000) * DAY_SECONDS;
    // Three or four leaves a year, of one to nine days.
    let (leave_rate, mut leave) = (4.0 / 240.0, 0);
    let mut starts = Vec::new();
    for number in 0..months * 30 {
        let at = first + number * DAY_SECONDS;
        // 29 December 1969 was a Monday, three days before 1970.
        let day = at / DAY_SECONDS + 3;
        if leave == 0 && random.gen_bool(leave_rate) {
            leave = random.gen_range(1..10);
        }
        if leave > 0 {
            leave -= 1;
            continue;
        }
        let mut chance = if home.rest >> (day % 7) & 1 == 1 { 0.05 } else { 0.95 };
        let rests = match keeps {
            Keeps::Claimed => here.free(day) == Some(true),
            Keeps::Both => here.free(day) == Some(true) || there.free(day) == Some(true),
            Keeps::None => false,
            Keeps::Elsewhere | Keeps::Foreign => there.free(day) == Some(true),
        };
        if rests {
            chance *= parameters.free_rate;
        }
        if random.gen_bool(chance) {
            starts.push((at + (9 - offset) * 3_600 + random.gen_range(-3_600..3_600), 0));
        }
    }
    let until = first + months * 30 * DAY_SECONDS;
    fit::heard(&starts, (claimed.0, claimed.1 as i32 * 60), until, parameters).map(|heard| heard.log_odds)
}

/// Scores of simulated workers by months and kind; those of whom nothing was said score 0.
pub fn workers(parameters: &CalendarParameters, seed: u64) -> BTreeMap<(i64, usize), Vec<f64>> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x6461_7973);
    let mut scores = BTreeMap::new();
    for months in MONTHS {
        for (kind, keeps) in Keeps::ALL.into_iter().enumerate() {
            let all = (0..WORKERS).map(|_| worker(keeps, months, parameters, &mut random).unwrap_or(0.0)).collect();
            scores.insert((months, kind), all);
        }
    }
    scores
}

fn figure(name: String, what: String, value: f64, interval: Option<(f64, f64)>, sample: String) -> Figure {
    Figure {
        name: format!("timezone.{name}"),
        description: what,
        value,
        interval,
        sample,
        floor: None,
        higher_is_better: true,
        source: "real".into(),
        licence: "train".into(),
    }
}

fn share_over(scores: &[f64], nats: f64) -> f64 {
    scores.iter().filter(|score| **score > nats).count() as f64 / scores.len().max(1) as f64
}

/// Figures of free days, of histories and of simulated workers.
///
/// # Errors
/// When nothing could be fitted.
pub fn figures(folds: &[Fold<'_>], seed: u64) -> Result<Vec<Figure>, String> {
    let mut list = rates(folds, seed);
    list.extend(histories(folds, seed));
    let Some(parameters) = folds.first().map(|fold| &fold.parameters.calendar) else { return Ok(list) };
    let all = workers(parameters, seed);
    for ((months, kind), scores) in &all {
        let keeps = Keeps::ALL[*kind];
        for nats in [0.5, 1.0, 1.5] {
            let interval = metrics::bootstrap(scores.len(), 300, seed, |chosen| {
                Some(share_over(&chosen.iter().map(|index| scores[*index]).collect::<Vec<_>>(), nats))
            });
            let mut share = figure(
                format!("calendar_workers_{months}_{}.over_{}", keeps.name(), format!("{nats:.1}").replace('.', "_")),
                format!("share beyond {nats:.1} nats after {months} months: {}", keeps.what()),
                share_over(scores, nats),
                interval,
                format!("{} workers, claims and places drawn evenly of {}", scores.len(), PLACES.len()),
            );
            share.source = "simulated".into();
            share.higher_is_better = keeps == Keeps::Foreign;
            list.push(share);
        }
    }
    for months in MONTHS {
        let (honest, foreign) = (&all[&(months, 0)], &all[&(months, Keeps::ALL.len() - 1)]);
        let mut auc = figure(
            format!("calendar_workers_{months}.auc"),
            format!(
                "area under the curve after {months} months, keeps the claimed place's days against lives elsewhere"
            ),
            metrics::auc(honest, foreign).unwrap_or(f64::NAN),
            metrics::bootstrap(honest.len(), 300, seed, |chosen| {
                let pick = |of: &[f64]| chosen.iter().map(|index| of[*index]).collect::<Vec<_>>();
                metrics::auc(&pick(honest), &pick(foreign))
            }),
            format!("{} workers each", honest.len()),
        );
        auc.source = "simulated".into();
        list.push(auc);
    }
    Ok(list)
}

/// How much is worked on days free in one's own calendar, and on days free elsewhere only.
fn rates(folds: &[Fold<'_>], seed: u64) -> Vec<Figure> {
    let mut list = Vec::new();
    let places: [(&str, &str); 5] =
        [("US", "american"), ("CN", "east_asian_8"), ("JP", "east_asian_9"), ("IN", "south_asian"), ("GB", "british")];
    for (code, clock) in places {
        let Some(region) = Calendars::shipped().region(code) else { continue };
        let authors = folds.iter().flat_map(|fold| &fold.authors).filter(|author| fit::place_of(author) == Some(code));
        let kept: Vec<(Rate, Rate)> = authors.map(|author| fit::rates(author, region)).collect();
        for (name, what, of) in [
            ("own", "free where most of them live", (|pair: &(Rate, Rate)| pair.0) as fn(&(Rate, Rate)) -> Rate),
            ("elsewhere", "free elsewhere only", |pair: &(Rate, Rate)| pair.1),
        ] {
            let share = |chosen: &[usize]| {
                let sum = chosen.iter().map(|index| of(&kept[*index])).fold(Rate::default(), |a, b| Rate {
                    present: a.present + b.present,
                    usual: a.usual + b.usual,
                    days: a.days + b.days,
                });
                (sum.usual > 0.0).then(|| sum.share())
            };
            let everybody: Vec<usize> = (0..kept.len()).collect();
            let days: usize = kept.iter().map(|pair| of(pair).days).sum();
            list.push(figure(
                format!("calendar_rate_{clock}.{name}"),
                format!("session starts on days {what}, of the usual; authors on {} clocks", clock.replace('_', " ")),
                share(&everybody).unwrap_or(f64::NAN),
                metrics::bootstrap(kept.len(), 1000, seed, share),
                format!("{} authors, {days} days", kept.len()),
            ));
        }
    }
    list
}

/// Authors left out, under the claim of their place and of others.
fn histories(folds: &[Fold<'_>], seed: u64) -> Vec<Figure> {
    let mut list = Vec::new();
    for months in MONTHS {
        let (mut honest, mut foreign) = (Vec::new(), Vec::new());
        for fold in folds {
            for author in &fold.authors {
                let Some(home) = fit::place_of(author) else { continue };
                let starts = author.session_starts();
                let Some(busiest) = fit::busiest(&starts, months, months as usize * STARTS_A_MONTH) else { continue };
                let until = busiest[busiest.len() - 1].0;
                let score = |claim: (&str, i32)| fit::heard(busiest, claim, until, &fold.parameters.calendar);
                for claim in CLAIMS {
                    let side = if claim.0 == home { &mut honest } else { &mut foreign };
                    side.extend(score(claim).map(|heard| heard.log_odds));
                }
            }
        }
        let sample = format!("{} honest claims, {} foreign", honest.len(), foreign.len());
        type Statistic = fn(&[f64], &[f64]) -> Option<f64>;
        let statistics: [(&str, &str, Statistic); 4] = [
            ("auc", "area under the curve", metrics::auc),
            ("cllr", "cost in bits", metrics::cllr),
            ("honest_over_1", "share of honest claims beyond 1 nat", |honest, _| Some(share_over(honest, 1.0))),
            ("foreign_over_1", "share of foreign claims beyond 1 nat", |_, foreign| Some(share_over(foreign, 1.0))),
        ];
        for (name, what, of) in statistics {
            let (first, all) = (honest.len(), honest.len() + foreign.len());
            let interval = metrics::bootstrap(all, 300, seed, |chosen| {
                let (own, other): (Vec<usize>, Vec<usize>) = chosen.iter().partition(|index| **index < first);
                let own: Vec<f64> = own.iter().map(|index| honest[*index]).collect();
                let other: Vec<f64> = other.iter().map(|index| foreign[index - first]).collect();
                of(&own, &other)
            });
            let mut one = figure(
                format!("calendar_histories_{months}.{name}"),
                format!("busiest {months} months of authors left out, own place against others: {what}"),
                of(&honest, &foreign).unwrap_or(f64::NAN),
                interval,
                sample.clone(),
            );
            one.higher_is_better = !matches!(name, "cllr" | "honest_over_1");
            list.push(one);
        }
    }
    list
}

/// Figures of changes: another's hours after one's own, and clocks that move or do not.
pub fn changes(folds: &[Fold<'_>], seed: u64) -> Vec<Figure> {
    let mut list = Vec::new();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x6e65_7874);
    for past in [25, 50, 100] {
        let (mut own, mut followed) = (Vec::new(), Vec::new());
        for fold in folds {
            for author in &fold.authors {
                let starts = author.session_starts();
                if starts.len() < past + fit_change::LATEST {
                    continue;
                }
                own.extend(fit_change::heard(&starts[..past + fit_change::LATEST], &fold.parameters));
                let next = fit_change::follower(author, &fold.authors, fit_change::LATEST, &mut random);
                followed.extend(next.and_then(|next| {
                    let after = &next.session_starts()[..fit_change::LATEST];
                    fit_change::heard(&fit_change::followed(&starts[..past], after), &fold.parameters)
                }));
            }
        }
        let scores = |of: &[change::Changed]| of.iter().map(|changed| changed.log_odds).collect::<Vec<f64>>();
        list.extend(two_sides(
            &format!("change_{past}"),
            &format!(
                "after {past} own starts, {} of somebody three hours away and more, against as many of one's own",
                fit_change::LATEST
            ),
            &scores(&own),
            &scores(&followed),
            seed,
        ));
    }
    let (mut as_lived, mut otherwise) = (Vec::new(), Vec::new());
    for author in folds.iter().flat_map(|fold| &fold.authors) {
        let Some(own) = clock_change(author).filter(|own| *own != ClockChange::Southern) else { continue };
        let starts = author.session_starts();
        let Some(year) = fit::busiest(&starts, 12, 60) else { continue };
        let profile = profile_of(year);
        if change::halves_known(&profile) {
            for rule in [ClockChange::Northern, ClockChange::None] {
                let side = if rule == own { &mut as_lived } else { &mut otherwise };
                side.push(change::clock_change(&profile, rule));
            }
        }
    }
    list.extend(
        two_sides(
            "clocks_12",
            "starts of a year against the rule of the own clocks and another",
            &as_lived,
            &otherwise,
            seed,
        )
        .into_iter()
        .take(1),
    );
    list
}

fn two_sides(name: &str, what: &str, own: &[f64], other: &[f64], seed: u64) -> Vec<Figure> {
    let sample = format!("{} and {}", own.len(), other.len());
    type Statistic = fn(&[f64], &[f64]) -> Option<f64>;
    let statistics: [(&str, &str, Statistic, bool); 4] = [
        ("auc", "area under the curve", metrics::auc, true),
        ("own_over_1", "share of one's own beyond 1 nat", |own, _| Some(share_over(own, 1.0)), false),
        ("other_over_1", "share of others' beyond 1 nat", |_, other| Some(share_over(other, 1.0)), true),
        ("cllr", "cost in bits", metrics::cllr, false),
    ];
    let one = |(statistic, how, of, higher): (&str, &str, Statistic, bool)| {
        let all = own.len().min(other.len());
        let interval = metrics::bootstrap(all, 300, seed, |chosen| {
            let pick = |of: &[f64]| chosen.iter().map(|index| of[*index]).collect::<Vec<_>>();
            of(&pick(own), &pick(other))
        });
        let value = of(own, other).unwrap_or(f64::NAN);
        let mut one = figure(format!("{name}.{statistic}"), format!("{what}: {how}"), value, interval, sample.clone());
        one.higher_is_better = higher;
        one
    };
    statistics.into_iter().map(one).collect()
}
