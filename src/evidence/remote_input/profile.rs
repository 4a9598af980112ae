//! What is kept of a worker's input paths: decayed sums, some 120 bytes stored.

use super::challenge::{self, Reactions};
use super::observe::{KeyObservation, Observation, PointerObservation};
use super::{Parameters, compare};
use crate::event::EventTime;
use serde::{Deserialize, Serialize};

/// Days after which the weight of a session halves: people change chairs, mice and displays within months.
const HALF_LIFE_DAYS: f64 = 60.0;

/// Decayed weight, sum and sum of squares of one quantity.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    /// Decayed number of entries.
    pub weight: f32,
    /// Decayed mean.
    pub mean: f32,
    /// Decayed scatter about the mean.
    pub scatter: f32,
}

impl Moments {
    /// Takes one more entry of weight `weight`.
    pub fn add(&mut self, value: f64, weight: f64) {
        let total = f64::from(self.weight) + weight;
        if !value.is_finite() || weight <= 0.0 || total <= 0.0 {
            return;
        }
        let step = value - f64::from(self.mean);
        let mean = f64::from(self.mean) + step * weight / total;
        self.scatter = (f64::from(self.scatter) + weight * step * (value - mean)) as f32;
        self.mean = mean as f32;
        self.weight = total as f32;
    }

    /// Whether entries can have led to this, so that learning more leads to nothing infinite. A NaN lies in no range.
    fn sound(&self) -> bool {
        // Rounding may leave a scatter a little under 0; `variance` has its floor.
        (0.0..=1e9).contains(&self.weight) && self.mean.abs() <= 1e9 && self.scatter.abs() <= 1e30
    }

    /// Variance, at least `floor`.
    pub fn variance(&self, floor: f64) -> f64 {
        if self.weight > 0.0 { (f64::from(self.scatter) / f64::from(self.weight)).max(floor) } else { floor }
    }

    fn decay(&mut self, factor: f64) {
        self.weight = (f64::from(self.weight) * factor) as f32;
        self.scatter = (f64::from(self.scatter) * factor) as f32;
    }

    fn merge(&mut self, other: &Moments) {
        let total = f64::from(self.weight) + f64::from(other.weight);
        if other.weight > 0.0 && total > 0.0 {
            let step = f64::from(other.mean) - f64::from(self.mean);
            let share = f64::from(other.weight) / total;
            let between = step * step * f64::from(self.weight) * share;
            self.scatter = (f64::from(self.scatter) + f64::from(other.scatter) + between) as f32;
            self.mean = (f64::from(self.mean) + step * share) as f32;
            self.weight = total as f32;
        }
    }

    fn summary(&self, scale: f64) -> (f64, f64, f64) {
        (f64::from(self.weight), f64::from(self.mean) * scale, self.variance(0.0).sqrt() * scale)
    }
}

/// How this worker's input has reached the machine so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// When it last learned.
    pub time: EventTime,
    /// Pointer score per session, nats.
    pub pointer: Moments,
    /// Commonest gap between moves per session, log milliseconds.
    pub pointer_gap: Moments,
    /// Key score per session, nats.
    pub keys: Moments,
    /// Comb strength per session.
    pub comb: Moments,
    /// Location of reactions per session, milliseconds.
    pub reaction: Moments,
    /// Answers behind `reaction`, decayed.
    pub answer_count: f32,
    /// Log of the spread of event delays per session.
    pub delay_spread: Moments,
}

impl Profile {
    /// Names what in a profile read back no session can have left there. `None` when sound.
    pub fn unsound(&self) -> Option<&'static str> {
        let named = [
            ("remote_input.pointer", &self.pointer),
            ("remote_input.pointer_gap", &self.pointer_gap),
            ("remote_input.keys", &self.keys),
            ("remote_input.comb", &self.comb),
            ("remote_input.reaction", &self.reaction),
            ("remote_input.delay_spread", &self.delay_spread),
        ];
        let found = named.into_iter().find(|(_, moments)| !moments.sound()).map(|(name, _)| name);
        found.or((!(0.0..=1e9).contains(&self.answer_count)).then_some("remote_input.answer_count"))
    }

    /// Learns one session. A late event counts as if it happened when the last one did. `pointer_log_odds` is the score
    /// of the session's pointer, where comparing it has taken it already.
    pub fn learn(
        &mut self,
        observation: &Observation,
        pointer_log_odds: Option<f64>,
        parameters: &Parameters,
        time: EventTime,
    ) {
        let factor = 0.5f64.powf(time.days_since(self.time) / HALF_LIFE_DAYS);
        if self.time.0 > 0 && factor < 1.0 {
            for moments in self.all_mut() {
                moments.decay(factor);
            }
            self.answer_count = (f64::from(self.answer_count) * factor) as f32;
        }
        self.time = self.time.max(time);
        if let Some(PointerObservation::Windows { motion, windows, .. }) = &observation.pointer {
            let score = pointer_log_odds.unwrap_or_else(|| compare::pointer_log_odds(*motion, windows, parameters));
            self.pointer.add(score, 1.0);
            let gap = windows.iter().map(|window| window.shown.gap_millis[1]).sum::<f64>() / windows.len() as f64;
            self.pointer_gap.add((1.0 + gap).ln(), 1.0);
        }
        if let Some(KeyObservation::Windows { windows, .. }) = &observation.keys {
            self.keys.add(compare::key_log_odds(windows, None, parameters), 1.0);
            self.comb.add(windows.iter().map(|window| window.comb).sum::<f64>() / windows.len() as f64, 1.0);
        }
        if let Some(answers) = observation.answers.as_ref().filter(|answers| answers.simple) {
            let (location, _) = challenge::estimate(answers, &parameters.reactions);
            self.reaction.add(location, answers.millis.len() as f64);
            self.answer_count += answers.millis.len() as f32;
        }
        if let Some(delays) = observation.delays {
            self.delay_spread.add((1.0 + delays.spread_micros).ln(), 1.0);
        }
    }

    /// The worker's own reaction location and its standard error, milliseconds; `None` under three answers.
    pub fn reaction_past(&self, reactions: &Reactions) -> Option<(f64, f64)> {
        let count = f64::from(self.answer_count);
        if count < 3.0 {
            return None;
        }
        // Sessions are not counted: the day's spread enters once per five answers, a usual challenge.
        let sessions = (count / 5.0).max(1.0);
        let variance = reactions.noise_spread.powi(2) / count + reactions.day_spread.powi(2) / sessions;
        Some((f64::from(self.reaction.mean), variance.sqrt()))
    }

    /// Adds another past of the same worker.
    pub fn merge(&mut self, other: &Profile) {
        self.time = self.time.max(other.time);
        self.answer_count += other.answer_count;
        let theirs = [other.pointer, other.pointer_gap, other.keys, other.comb, other.reaction, other.delay_spread];
        for (mine, theirs) in self.all_mut().into_iter().zip(theirs) {
            mine.merge(&theirs);
        }
    }

    /// Name, effective count, centre and spread of each quantity kept.
    pub fn summaries(&self) -> Vec<(&'static str, f64, f64, f64)> {
        let entry = |name, moments: &Moments, scale| {
            let (count, centre, spread) = moments.summary(scale);
            (name, count, centre, spread)
        };
        [
            entry("remote_input.pointer_log_odds", &self.pointer, 1.0),
            entry("remote_input.pointer_gap_log_millis", &self.pointer_gap, 1.0),
            entry("remote_input.key_log_odds", &self.keys, 1.0),
            entry("remote_input.comb_strength_ratio", &self.comb, 1.0),
            entry("remote_input.reaction_location_micros", &self.reaction, 1e3),
            entry("remote_input.event_delay_spread_log_micros", &self.delay_spread, 1.0),
        ]
        .into_iter()
        .filter(|(_, count, _, _)| *count > 0.0)
        .collect()
    }

    fn all_mut(&mut self) -> [&mut Moments; 6] {
        [
            &mut self.pointer,
            &mut self.pointer_gap,
            &mut self.keys,
            &mut self.comb,
            &mut self.reaction,
            &mut self.delay_spread,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_moments_equal_moments_of_all() {
        let (mut all, mut left, mut right) = (Moments::default(), Moments::default(), Moments::default());
        for (index, value) in [1.0, 4.0, 2.0, 8.0].into_iter().enumerate() {
            all.add(value, 1.0);
            if index < 2 { left.add(value, 1.0) } else { right.add(value, 1.0) }
        }
        left.merge(&right);
        // Mean 15 / 4 = 3.75; scatter 85 - 56.25 = 28.75.
        assert!((f64::from(left.mean) - 3.75).abs() < 1e-6 && (f64::from(left.scatter) - 28.75).abs() < 1e-4);
        assert!((all.mean - left.mean).abs() < 1e-6 && (all.scatter - left.scatter).abs() < 1e-4);
    }
}
