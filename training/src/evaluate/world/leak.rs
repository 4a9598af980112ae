//! The leak test: can operators be told by which fields are there, how they are written and in what order, without
//! looking at what they say? A world that leaks would reward a model for reading the generator.

use crate::fit::forest::{self, Row, Settings};
use crate::fit::world::logistic;
use crate::metrics;
use crate::world::{Part, Tier, simulate, world_spec};
use elsewhere::event::EventUnchecked;
use ndarray::{Array1, Array2};
use std::collections::BTreeMap;

/// What was found out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leak {
    /// Area under the curve of the better of two classifiers, on companies neither has seen.
    pub auc: f64,
    /// Honest and hostile workers it was measured on.
    pub workers: (usize, usize),
}

/// Fits a logistic regression and a boosted forest on the shapes of `companies` companies, and tests on as many others.
///
/// Scenarios about presence itself are left out.
///
/// # Errors
/// When a fit fails.
pub fn measure(seed: u64, companies: u64, workers: (usize, usize), tier: Tier) -> Result<Leak, String> {
    let gather = |part: Part| -> Result<Vec<(Vec<f64>, bool)>, String> {
        let mut all = Vec::new();
        for company in 0..companies {
            let spec = world_spec(part.seed(seed, 900 + company), workers.0, workers.1, 14, tier)?;
            let mut sums: BTreeMap<String, (Vec<f64>, f64, bool)> = BTreeMap::new();
            for made in simulate(&spec).filter(|made| !made.scenario.about_presence()) {
                let seen = shape(&made.event);
                let entry = sums
                    .entry(made.event.worker_id.clone())
                    .or_insert_with(|| (vec![0.0; seen.len()], 0.0, made.scenario.hostile()));
                for (sum, value) in entry.0.iter_mut().zip(&seen) {
                    *sum += value;
                }
                entry.1 += 1.0;
            }
            // Companies differ in what they send: shapes are told against the company's own mean.
            let mut rows: Vec<(Vec<f64>, bool)> = sums
                .into_values()
                .map(|(sum, count, hostile)| (sum.into_iter().map(|value| value / count).collect(), hostile))
                .collect();
            let width = rows.first().map_or(0, |row| row.0.len());
            for column in 0..width {
                let mean = rows.iter().map(|row| row.0[column]).sum::<f64>() / rows.len() as f64;
                rows.iter_mut().for_each(|row| row.0[column] -= mean);
            }
            all.extend(rows);
        }
        Ok(all)
    };
    let (mut fitted, mut tested) = (gather(Part::Fitting)?, gather(Part::Test)?);
    // Columns that never vary tell nothing and only slow the fits down.
    let width = fitted.first().map_or(0, |row| row.0.len());
    let varies: Vec<bool> = (0..width).map(|at| fitted.iter().any(|row| row.0[at].abs() > 1e-9)).collect();
    for row in fitted.iter_mut().chain(&mut tested) {
        let mut at = varies.iter();
        row.0.retain(|_| at.next().copied().unwrap_or(false));
    }
    let scores = [by_logistic(&fitted, &tested)?, by_forest(&fitted, &tested)?];
    let auc = scores.iter().filter_map(|scores| {
        let side = |hostile: bool| -> Vec<f64> {
            scores.iter().zip(&tested).filter(|(_, row)| row.1 == hostile).map(|(score, _)| *score).collect()
        };
        metrics::auc(&side(false), &side(true))
    });
    let hostile = tested.iter().filter(|row| row.1).count();
    Ok(Leak { auc: auc.fold(0.0, f64::max), workers: (tested.len() - hostile, hostile) })
}

fn by_logistic(fitted: &[(Vec<f64>, bool)], tested: &[(Vec<f64>, bool)]) -> Result<Vec<f64>, String> {
    let width = fitted.first().map_or(0, |row| row.0.len());
    let flat: Vec<f64> = fitted.iter().flat_map(|row| row.0.iter().copied()).collect();
    let records = Array2::from_shape_vec((fitted.len(), width), flat).map_err(|error| error.to_string())?;
    let targets: Array1<bool> = fitted.iter().map(|row| row.1).collect();
    let (weights, _) = logistic(records, targets, 1.0)?;
    Ok(tested.iter().map(|row| row.0.iter().zip(&weights).map(|(value, weight)| value * weight).sum()).collect())
}

fn by_forest(fitted: &[(Vec<f64>, bool)], tested: &[(Vec<f64>, bool)]) -> Result<Vec<f64>, String> {
    let rows: Vec<Row> = fitted
        .iter()
        .enumerate()
        .map(|(index, row)| Row { measurements: row.0.clone(), remote: row.1, group: index as u32, weight: 1.0 })
        .collect();
    let forest = forest::fit(&rows, Settings { trees: 60, rate: 0.1 })?;
    Ok(tested.iter().map(|row| forest.sum(&row.0)).collect())
}

/// Decimal places a number of degrees is written with, at most 6.
fn decimals(degrees: f64) -> f64 {
    (0..6).find(|places| (degrees * 10f64.powi(*places)).fract().abs() < 1e-6).unwrap_or(6).into()
}

/// Which fields an event has and how they are written. No value that a family measures is among them.
fn shape(event: &EventUnchecked) -> Vec<f64> {
    let network = event.network.clone().unwrap_or_default();
    let device = event.device.clone().unwrap_or_default();
    let input = event.remote_input.clone().unwrap_or_default();
    let claim = event.claim.clone().unwrap_or_default();
    let typing = event.typing.clone().unwrap_or_default();
    let there = |present: bool| f64::from(u8::from(present));
    let place = |place: Option<elsewhere::event::PlaceUnchecked>| {
        place.map_or(0.0, |place| 1.0 + decimals(place.latitude_degrees) + decimals(place.longitude_degrees))
    };
    vec![
        event.event_id.len() as f64,
        event.worker_id.len() as f64,
        event.session_id.len() as f64,
        there(event.event_time.is_some_and(|time| time.nanos % 1_000_000 != 0)),
        there(event.claim.is_some()),
        there(event.timezone.is_some()),
        there(event.typing.is_some()),
        there(event.remote_input.is_some()),
        there(event.network.is_some()),
        there(event.device.is_some()),
        there(event.pointer.is_some()),
        there(event.challenge.is_some()),
        there(event.cadence.is_some()),
        there(event.active_span.is_some()),
        event.collector.as_ref().map_or(0.0, |collector| collector.name.len() as f64),
        there(event.timezone.as_ref().is_some_and(|zone| zone.clock_skew_millis.is_some())),
        there(typing.key_classes.len() == typing.dwell_micros.len()),
        there(typing.shuffled),
        typing.phrase_id.len() as f64,
        event.challenge.as_ref().map_or(0.0, |challenge| challenge.reaction_micros.len() as f64),
        there(event.pointer.as_ref().is_some_and(|pointer| pointer.source == 2)),
        there(input.remote_session_reported.is_some()),
        there(input.injected_event_count.is_some()),
        input.natural_loop_micros.len() as f64,
        input.correction_micros.len() as f64,
        input.key_repeat_interval_micros.len() as f64,
        there(!network.ip_address.is_empty()),
        network.ip_token.len() as f64,
        there(!network.region_code.is_empty()),
        there(!network.subdivision_code.is_empty()),
        there(network.anonymizer_detected.is_some()),
        network.tcp_rtt_micros.len() as f64,
        network.application_rtt_micros.len() as f64,
        there(network.vantage.is_some()),
        place(network.address_place),
        network.site_tokens.len() as f64,
        there(!network.user_agent.is_empty()),
        there(!network.operating_system.is_empty()),
        device.device_token.len() as f64,
        device.display_token.len() as f64,
        there(device.display_count.is_some()),
        there(device.managed.is_some()),
        device.authenticator_token.len() as f64,
        there(!claim.region_code.is_empty()),
        there(!claim.subdivision_code.is_empty()),
        there(!claim.time_zone.is_empty()),
        place(claim.place),
        there(claim.hire_time.is_some()),
        there(claim.declare_time.is_some()),
        claim.shipping_token.len() as f64,
        claim.intermediary_token.len() as f64,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_cannot_be_told_by_presence_formatting_and_order() {
        let leak = measure(11, 2, (150, 150), Tier::Linkage).expect("a fit");
        // The floor is .55; so few workers leave a standard error of about .033.
        assert!(leak.auc < 0.62, "{leak:?}");
    }
}
