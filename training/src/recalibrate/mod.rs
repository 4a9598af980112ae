//! `recalibrate`: moves thresholds and family weights to a tenant's people and to what reviews found out, says on workers
//! held back whether it helped, and writes a model only when told so.
//!
//! What labels may do is bounded twice. Those made from the same signals that are being weighed (an analyst's judgement)
//! move numbers but never judge them, or the model would be praised for agreeing with itself. And a worker's own word moves
//! nothing: an operator would say the same.

mod adapt;
mod people;

use crate::publish;
use crate::statistics::open_store;
use adapt::{HOSTILE_MIN, adapted};
use elsewhere::evidence::feature::{Family, Finding};
use elsewhere::model::artefact::hex;
use elsewhere::model::{Model, ModelFile, StandingModel};
use people::{FOLDS, Worker, prepared};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// Fewest workers for which anything is moved.
const WORKERS_MIN: usize = 50;
/// Standard errors either side that make a 95 % interval.
const INTERVAL_ERRORS: f64 = 1.96;

/// How one standing model does on workers that it was not moved by.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Held {
    /// Hostile workers by independent labels, and those flagged.
    pub hostile: (usize, usize),
    /// Honest workers by independent labels, and those flagged.
    pub honest: (usize, usize),
    /// Workers of whom nothing was found out, and those flagged.
    pub unknown: (usize, usize),
    /// Mean cost of the evidence as a log-likelihood ratio, bits, both classes alike; absent without both.
    pub cost_bits: Option<f64>,
}

/// A recalibrated standing beside the model it moves.
pub struct Recalibrated {
    base: Model,
    moved: StandingModel,
    /// Under the model as it is, and as it was moved by the other workers.
    held: [Held; 2],
    /// Cost of the moved model less that of the base on each worker with an independent label: mean and interval, bits.
    difference: Option<(f64, (f64, f64))>,
    worker_count: usize,
    months: f64,
    labels: Labels,
}

/// Labels that moved numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
struct Labels {
    hostile_independent: usize,
    honest_independent: usize,
    hostile_by_analyst: usize,
    honest_by_analyst: usize,
}

/// What is written beside a recalibrated model, for machines.
#[derive(Debug, Serialize)]
struct Evaluation<'a> {
    model_id: &'a str,
    base_model_id: &'a str,
    base_sha256: String,
    command: &'a str,
    worker_count: usize,
    worker_months: f64,
    labels: Labels,
    held_back_before: Held,
    held_back_after: Held,
    cost_difference_bits: Option<f64>,
    cost_difference_interval: Option<(f64, f64)>,
}

/// Cost of a log-likelihood ratio for one worker of a class, bits.
fn cost(evidence: f64, hostile: bool) -> f64 {
    let wrong = if hostile { -evidence } else { evidence };
    (if wrong > 30.0 { wrong } else { wrong.exp().ln_1p() }) / std::f64::consts::LN_2
}

fn mean(values: &[f64]) -> Option<f64> {
    crate::metrics::mean(values)
}

/// Squared standard error of a mean.
fn error_squared(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let Some(centre) = mean(values).filter(|_| values.len() > 1) else { return f64::INFINITY };
    values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (count - 1.0) / count
}

/// What held-back workers cost, by class: hostile, then honest.
type Costs = [Vec<f64>; 2];

fn judge(held: &mut Held, costs: &mut Costs, workers: &[&Worker], model: &StandingModel) -> Result<(), String> {
    let prepared = prepared(model)?;
    for worker in workers {
        let evidence = worker.evidence(&prepared);
        let flagged = usize::from(evidence >= model.threshold_log_odds);
        let seat = match worker.truth {
            Some(truth) if truth.independent => {
                costs[usize::from(!truth.hostile)].push(cost(evidence, truth.hostile));
                if truth.hostile { &mut held.hostile } else { &mut held.honest }
            }
            // Known, but by the signals that are being weighed: it says nothing of them.
            Some(_) => continue,
            None => &mut held.unknown,
        };
        *seat = (seat.0 + 1, seat.1 + flagged);
    }
    Ok(())
}

impl Recalibrated {
    /// Recalibrates the model of a directory on a tenant of a store that no service has open.
    ///
    /// # Errors
    /// A model or store that cannot be read, or too few workers.
    pub fn of_store(directory: &Path, store: &Path, tenant: Option<&str>) -> Result<Self, String> {
        let base = Model::load(directory).map_err(|error| format!("--model: {}: {error}", directory.display()))?;
        let (store, tenant) = open_store(store, tenant)?;
        Self::of(base, &people::read(&store, tenant)?)
    }

    fn of(base: Model, workers: &[Worker]) -> Result<Self, String> {
        if workers.len() < WORKERS_MIN {
            return Err(format!("{} workers are too few to move anything: it takes {WORKERS_MIN}", workers.len()));
        }
        let standing = &base.file.standing;
        let (mut held, mut costs) = ([Held::default(); 2], [Costs::default(), Costs::default()]);
        for fold in 0..FOLDS {
            let (back, others): (Vec<&Worker>, Vec<&Worker>) = workers.iter().partition(|worker| worker.fold == fold);
            let moved = adapted(standing, &others)?;
            for (at, model) in [standing, &moved].into_iter().enumerate() {
                judge(&mut held[at], &mut costs[at], &back, model)?;
            }
        }
        for (held, [hostile, honest]) in held.iter_mut().zip(&costs) {
            held.cost_bits = mean(hostile).zip(mean(honest)).map(|(hostile, honest)| (hostile + honest) / 2.0);
        }
        let apart = |class: usize| -> Vec<f64> {
            costs[1][class].iter().zip(&costs[0][class]).map(|(after, before)| after - before).collect()
        };
        let (hostile, honest) = (apart(0), apart(1));
        let difference = mean(&hostile).zip(mean(&honest)).map(|(of_hostile, of_honest)| {
            let centre = (of_hostile + of_honest) / 2.0;
            let reach = INTERVAL_ERRORS * (error_squared(&hostile) + error_squared(&honest)).sqrt() / 2.0;
            (centre, (centre - reach, centre + reach))
        });
        let mut labels = Labels::default();
        for truth in workers.iter().filter_map(|worker| worker.truth) {
            *match (truth.hostile, truth.independent) {
                (true, true) => &mut labels.hostile_independent,
                (false, true) => &mut labels.honest_independent,
                (true, false) => &mut labels.hostile_by_analyst,
                (false, false) => &mut labels.honest_by_analyst,
            } += 1;
        }
        let moved = adapted(standing, &workers.iter().collect::<Vec<_>>())?;
        let months = workers.iter().map(|worker| worker.months).sum();
        Ok(Self { moved, held, difference, worker_count: workers.len(), months, labels, base })
    }

    /// Whether held-back workers speak against it: it costs more, or flags more of those known to be honest.
    pub fn worse(&self) -> bool {
        let [before, after] = &self.held;
        after.honest.1 > before.honest.1 || self.difference.is_some_and(|(difference, _)| difference > 0.0)
    }

    /// Factor on each family, beside the model's own.
    fn weights(&self) -> Vec<(Family, f64)> {
        let of = |family: Family| {
            let entry = self.moved.findings.iter().zip(&self.base.file.standing.findings);
            let factor = |(now, then): (&elsewhere::model::FindingModel, &elsewhere::model::FindingModel)| {
                let own = Finding::from_name(&now.finding).is_some_and(|finding| finding.family() == family);
                (own && then.weight > 0.0).then_some(now.weight / then.weight)
            };
            entry.filter_map(factor).next().map(|factor| (family, factor))
        };
        Family::ALL.into_iter().filter_map(of).collect()
    }

    /// What came of it, in words.
    pub fn report(&self) -> String {
        let Self { base, moved, held: [before, after], difference, worker_count, months, labels, .. } = self;
        let own = &base.file.standing;
        let mut text = String::new();
        let _ = writeln!(
            text,
            "Standing of {} recalibrated on {worker_count} workers, {months:.0} worker-months.\n\
             Labels: {} hostile and {} honest by independent finding; {} and {} by an analyst, which moved numbers and\n\
             judge none.",
            base.file.model_id,
            labels.hostile_independent,
            labels.honest_independent,
            labels.hostile_by_analyst,
            labels.honest_by_analyst,
        );
        let flagged = |seat: (usize, usize)| format!("{} of {}", seat.1, seat.0);
        let _ = writeln!(text, "\nWorkers held back by fifths, flagged   as it is      moved");
        for (name, seat) in [
            ("hostile, by independent finding", (before.hostile, after.hostile)),
            ("honest, by independent finding", (before.honest, after.honest)),
            ("nothing found out", (before.unknown, after.unknown)),
        ] {
            let _ = writeln!(text, "  {name:<36} {:<13} {}", flagged(seat.0), flagged(seat.1));
        }
        match difference {
            Some((centre, (low, high))) => {
                let _ = writeln!(
                    text,
                    "  cost of the evidence, bits           {:<13.4} {:.4}: {centre:+.4} (95 % interval {low:+.4} to {high:+.4})",
                    before.cost_bits.unwrap_or(f64::NAN),
                    after.cost_bits.unwrap_or(f64::NAN),
                );
            }
            None => text.push_str("  Cost of the evidence: not told without independent labels of both kinds.\n"),
        }
        let _ = writeln!(
            text,
            "\nThreshold {:.2} -> {:.2} nats at {} flags per honest worker-month.",
            own.threshold_log_odds, moved.threshold_log_odds, moved.false_flag_budget
        );
        if labels.hostile_independent + labels.hostile_by_analyst < HOSTILE_MIN {
            let _ = writeln!(text, "Families keep their weight: it takes {HOSTILE_MIN} hostile labels to move any.");
        } else {
            let told: Vec<String> =
                self.weights().iter().map(|(family, factor)| format!("{} x {factor:.2}", family.name())).collect();
            let _ = writeln!(text, "Families: {}.", told.join(", "));
        }
        let mut findings: Vec<_> = own.findings.iter().zip(&moved.findings).collect();
        let apart = |(then, now): &(&elsewhere::model::FindingModel, &elsewhere::model::FindingModel)| {
            (now.honest_mean - then.honest_mean).abs() / then.between_variance.sqrt()
                + (now.between_variance / then.between_variance).ln().abs()
        };
        findings.sort_by(|a, b| apart(b).total_cmp(&apart(a)));
        text.push_str("\nMost moved            honest mean       variance between honest workers\n");
        for pair in findings.iter().take(8).filter(|pair| apart(pair) > 1e-3) {
            let (then, now) = pair;
            let _ = writeln!(
                text,
                "  {:<28} {:>6.2} -> {:>6.2}   {:>6.2} -> {:>6.2}",
                then.finding, then.honest_mean, now.honest_mean, then.between_variance, now.between_variance
            );
        }
        let _ = writeln!(text, "\n{}", self.judged());
        text
    }

    fn judged(&self) -> &'static str {
        match (self.worse(), self.difference) {
            (true, _) => "Held-back workers speak against it.",
            (false, Some((_, (_, high)))) if high < 0.0 => "It helped, beyond chance.",
            (false, Some(_)) => "It did not hurt; whether it helped cannot be told from chance.",
            (false, None) => "It flags no more of those known to be honest; more cannot be told without labels.",
        }
    }

    /// Writes the recalibrated model to a new directory, whose name becomes the model's.
    ///
    /// # Errors
    /// A directory that is there, one without a name, or one that cannot be written.
    pub fn write(&self, out: &Path, command: &str) -> Result<(), String> {
        if out.exists() {
            return Err(format!("--out: {} is there already: a released model is not written again", out.display()));
        }
        let model_id = out.file_name().and_then(|name| name.to_str()).ok_or("--out needs a directory name")?;
        let mut file: ModelFile = self.base.file.clone();
        file.model_id = model_id.into();
        file.standing = self.moved.clone();
        // What a family weighs in a standing it weighs in a session.
        let factors = self.weights();
        for term in &mut file.additive.terms {
            let family = Finding::from_name(&term.finding).map(Finding::family);
            if let Some((_, factor)) = factors.iter().find(|(one, _)| Some(*one) == family) {
                term.weight = (term.weight * factor * 1e6).round() / 1e6;
            }
        }
        // They were measured on other workers with other weights.
        file.operating_points.clear();
        let sound =
            Model::prepare(file, [0; 32]).map_err(|error| format!("the recalibrated model is not sound: {error}"))?;
        let [held_back_before, held_back_after] = self.held;
        let evaluation = Evaluation {
            model_id,
            base_model_id: &self.base.file.model_id,
            base_sha256: hex(&self.base.sha256),
            command,
            worker_count: self.worker_count,
            worker_months: self.months,
            labels: self.labels,
            held_back_before,
            held_back_after,
            cost_difference_bits: self.difference.map(|(centre, _)| centre),
            cost_difference_interval: self.difference.map(|(_, interval)| interval),
        };
        publish::write_model(out, &sound.file, &self.card(model_id, command), &evaluation)
    }

    fn card(&self, model_id: &str, command: &str) -> String {
        format!(
            "# {model_id}\n\n\
             {base} with its standing moved to one tenant's people and labels. Evidence, features and calibration are\n\
             {base}'s, and its card (`model.json` of SHA-256 {sha}) tells how well they do; none of its figures was measured\n\
             again here, and it has no operating points of its own.\n\n\
             ```text\n{report}```\n\n\
             Held-back workers were each judged by numbers that other workers moved. Labels made from the same signals (an\n\
             analyst's) judged nothing. Made by `{command}`. It holds sums over all workers, and no worker's own.\n\n\
             Meant for that tenant. Let it judge in shadow before it answers.\n",
            base = self.base.file.model_id,
            sha = hex(&self.base.sha256),
            report = self.report(),
        )
    }
}

#[cfg(test)]
mod tests;
