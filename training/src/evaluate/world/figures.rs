//! Counts to figures with floors and intervals.

use super::bounds;
use super::leak::Leak;
use super::tally::{Row, Sessions, Tally};
use crate::fit::world::logistic;
use crate::metrics;
use crate::request::Figure;
use crate::world::{Scenario, Tier};
use ndarray::{Array1, Array2};

/// A share and its interval.
type Recall = (f64, (f64, f64));

/// Fewest worker-months for which a bound of one in a thousand can hold at all.
const WORKER_MONTHS_MIN: f64 = 2_996.0;

/// Every figure of the counts, in the order of the card.
pub fn figures(tally: &Tally, leak: Option<Leak>) -> Vec<Figure> {
    let mut figures = Vec::new();
    for tier in Tier::ALL {
        flags(tally, tier, &mut figures);
    }
    reasons(tally, &mut figures);
    calibration(tally, &mut figures);
    groups(tally, &mut figures);
    if let Some(leak) = leak {
        let sample = format!("{} honest, {} hostile workers of other companies", leak.workers.0, leak.workers.1);
        figures.push(Figure {
            floor: Some(0.55),
            ..figure("world.leak_auc", "operators told by presence, formatting and order alone, AUC", leak.auc, sample)
        });
    }
    figures
}

/// Those of `figures` that miss their floors, as lines.
pub fn missed(figures: &[Figure]) -> Vec<String> {
    let short = |figure: &&Figure| {
        figure.floor.is_some_and(
            |floor| {
                if figure.higher_is_better { figure.value < floor } else { figure.value > floor }
            },
        )
    };
    let line = |figure: &Figure| {
        format!("{} is {:.4}, its floor {}", figure.name, figure.value, figure.floor.unwrap_or_default())
    };
    figures.iter().filter(short).map(line).collect()
}

fn figure(name: &str, description: &str, value: f64, sample: String) -> Figure {
    Figure {
        name: name.into(),
        description: description.into(),
        value,
        interval: None,
        sample,
        floor: None,
        higher_is_better: false,
        source: "simulated".into(),
        licence: "ours".into(),
    }
}

/// Recall floors by tier (targets.md); the sign-in log alone has none.
fn recall_floor(tier: Tier) -> Option<f64> {
    match tier {
        Tier::IdpOnly => None,
        Tier::LoginPage => Some(0.25),
        Tier::Endpoint => Some(0.70),
        Tier::Linkage => Some(0.80),
    }
}

/// Hostile scenarios that count towards recall: all but the blind spot.
pub fn counts(scenario: Scenario) -> bool {
    scenario.hostile() && scenario != Scenario::Renter
}

/// Mean recall over the hostile scenarios of a tier, with an interval from the exact ones of the scenarios: their
/// half-widths are independent and add as squares.
pub fn mean_recall(tally: &Tally, tier: &str) -> Option<(f64, (f64, f64), usize)> {
    let rows: Vec<&Row> = tally
        .mixed
        .get(tier)?
        .iter()
        .filter(|(code, _)| Scenario::of_code(code).is_some_and(counts))
        .map(|(_, row)| row)
        .collect();
    let recalls: Vec<Recall> = rows.iter().map(|row| row.recall()).collect();
    let count = recalls.len() as f64;
    let mean = metrics::mean(&recalls.iter().map(|one| one.0).collect::<Vec<_>>())?;
    let spread =
        |side: &dyn Fn(&Recall) -> f64| recalls.iter().map(|one| side(one).powi(2)).sum::<f64>().sqrt() / count;
    let (below, above) = (spread(&|one| one.0 - one.1.0), spread(&|one| one.1.1 - one.0));
    let workers = rows.iter().map(|row| row.workers).sum();
    Some((mean, ((mean - below).max(0.0), (mean + above).min(1.0)), workers))
}

fn flags(tally: &Tally, tier: Tier, figures: &mut Vec<Figure>) {
    let name = tier.name();
    let honest = tally.sum(name, |scenario| !scenario.hostile());
    if honest.workers == 0 {
        return;
    }
    let sample = format!("{:.0} honest worker-months, {} flagged", honest.worker_months, honest.flagged);
    let rate = |share: f64| share * honest.workers as f64 / honest.worker_months * 1_000.0;
    let (low, high) = bounds::interval(honest.flagged, honest.workers);
    figures.push(Figure {
        interval: Some((rate(low), rate(high))),
        ..figure(
            &format!("world.{name}.false_flags"),
            "false flags per 1,000 worker-months of the benign mix",
            rate(honest.flagged as f64 / honest.workers as f64),
            sample.clone(),
        )
    });
    figures.push(Figure {
        floor: (honest.worker_months >= WORKER_MONTHS_MIN).then_some(1.0),
        ..figure(
            &format!("world.{name}.false_flags_upper"),
            "upper 95 % bound of the same (one-sided, exact)",
            rate(bounds::upper(honest.flagged, honest.workers)),
            sample,
        )
    });
    if let Some((recall, interval, workers)) = mean_recall(tally, name) {
        figures.push(Figure {
            interval: Some(interval),
            floor: recall_floor(tier),
            higher_is_better: true,
            ..figure(
                &format!("world.{name}.recall"),
                "mean recall over hostile scenarios but H17, within 20 workdays (H13, H19: 60)",
                recall,
                format!("{workers} hostile workers"),
            )
        });
    }
    if let (Tier::Endpoint, Some(row)) = (tier, tally.mixed.get(name).and_then(|rows| rows.get("H01"))) {
        figures.push(Figure {
            interval: Some(bounds::interval(row.found_in_three, row.workers)),
            floor: Some(0.90),
            higher_is_better: true,
            ..figure(
                "world.endpoint.h01_in_three_days",
                "classic farm (H01) flagged within three workdays",
                row.found_in_three as f64 / row.workers.max(1) as f64,
                format!("{} workers", row.workers),
            )
        });
    }
    let Some(sessions) = tally.sessions.get(name) else { return };
    let weeks = sessions.honest_weeks.max(1.0);
    for (slot, level) in [(1, "medium"), (2, "high")] {
        let alerts: usize = sessions.honest[slot..].iter().sum();
        figures.push(figure(
            &format!("world.{name}.alerts_{level}"),
            &format!("sessions of honest workers at {level} or above, per 1,000 workers a week"),
            alerts as f64 / weeks * 1_000.0,
            format!("{} honest sessions", sessions.honest.iter().sum::<usize>()),
        ));
    }
}

fn share(name: &str, description: &str, hits: usize, of: usize, floor: f64, what: &str) -> Figure {
    Figure {
        interval: Some(bounds::interval(hits, of)),
        floor: Some(floor),
        higher_is_better: true,
        ..figure(name, description, hits as f64 / of.max(1) as f64, format!("{of} {what}"))
    }
}

fn reasons(tally: &Tally, figures: &mut Vec<Figure>) {
    let mut right = (0, 0);
    let mut holds = (0, 0);
    for tier in Tier::ALL {
        let sum = tally.sum(tier.name(), counts);
        right = (right.0 + sum.right, right.1 + sum.flagged);
        let all = tally.sum(tier.name(), |_| true);
        holds = (holds.0 + all.undone, holds.1 + all.tested);
    }
    if right.1 > 0 {
        let what = "flags of operators, all tiers";
        let description = "first reason of the flag is one the scenario shows (training/world.toml)";
        figures.push(share("world.reason_right", description, right.0, right.1, 0.85, what));
    }
    if holds.1 > 0 {
        let description = "flag undone by leaving out the first reason's samples up to it";
        figures.push(share("world.reason_holds", description, holds.0, holds.1, 0.75, "flags lived again, all tiers"));
    }
}

fn calibration(tally: &Tally, figures: &mut Vec<Figure>) {
    for tier in [Tier::Endpoint, Tier::Linkage] {
        let Some(sessions) = tally.sessions.get(tier.name()) else { continue };
        let honest = Sessions::values(&sessions.honest_nats, 20_000);
        let hostile = Sessions::values(&sessions.hostile_nats, 20_000);
        let (Some(cost), Some(least)) = (metrics::cllr(&honest, &hostile), metrics::min_cllr(&honest, &hostile)) else {
            continue;
        };
        let sample = format!("{} honest and {} hostile sessions", honest.len(), hostile.len());
        let name = tier.name();
        figures.push(Figure {
            floor: Some(0.05),
            ..figure(
                &format!("world.{name}.calibration_loss"),
                "Cllr less the least any recalibration could reach, sessions of the enriched world, bits",
                cost - least,
                sample.clone(),
            )
        });
        if let Some(slope) = slope(&honest, &hostile) {
            figures.push(Figure {
                floor: Some(0.2),
                ..figure(
                    &format!("world.{name}.calibration_slope_error"),
                    "distance of the log-odds' slope from 1, sessions of the enriched world",
                    (slope - 1.0).abs(),
                    format!("{sample}, slope {slope:.3}"),
                )
            });
        }
    }
}

/// Slope of a logistic regression on log-likelihood ratios; 1 when they are what they say.
fn slope(honest: &[f64], hostile: &[f64]) -> Option<f64> {
    let values: Vec<f64> = honest.iter().chain(hostile).copied().collect();
    let targets: Array1<bool> = (0..values.len()).map(|index| index >= honest.len()).collect();
    let records = Array2::from_shape_vec((values.len(), 1), values).ok()?;
    logistic(records, targets, 1e-3).ok().and_then(|(weights, _)| weights.first().copied())
}

fn groups(tally: &Tally, figures: &mut Vec<Figure>) {
    let Some(rows) = tally.groups.get(Tier::Linkage.name()) else { return };
    let rate = |row: &Row| row.flagged_tenfold as f64 / row.worker_months.max(1.0);
    // The mix of the groups themselves, at the catalogue's weights, so that both sides are equally well known.
    let Ok(parameters) = crate::world::Parameters::shipped() else { return };
    let weighted = |(code, row): (&String, &Row)| parameters.mix.get(code).map_or(0.0, |weight| weight * rate(row));
    let mix: f64 = rows.iter().map(weighted).sum();
    for (code, row) in rows {
        let starred = Scenario::of_code(code).is_some_and(Scenario::starred);
        let (low, high) = bounds::interval(row.flagged_tenfold, row.workers);
        let against = |rate: f64| if mix > 0.0 { rate / mix } else { 0.0 };
        let scale = row.workers as f64 / row.worker_months.max(1.0);
        figures.push(Figure {
            interval: Some((against(low * scale), against(high * scale))),
            floor: (row.worker_months >= 5_000.0).then_some(if starred { 1.25 } else { 3.0 }),
            ..figure(
                &format!("world.group.{code}"),
                "flag rate at a tenfold budget against the mix",
                against(rate(row)),
                format!("{:.0} worker-months, {} flagged; mix {mix:.5}", row.worker_months, row.flagged_tenfold),
            )
        });
    }
}
