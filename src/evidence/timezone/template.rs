//! What is fitted of the rhythm: kinds of weeks, ways for clocks to run, and the calibration of their score.

use super::clock::ClockChange;
use super::rhythm::{Asked, CANDIDATES_MAX, HOURS_PER_WEEK, LANE_FIRST_HOURS, LANES, TEMPLATES_MAX, asked};
use serde::{Deserialize, Serialize};

/// One kind of week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Share of people, over 0; shares add up to 1.
    pub share: f64,
    /// Probability of a start in each hour of the local week, Monday 00:00 first; over 0, adds up to 1.
    pub hours: Vec<f64>,
}

/// One way for a clock to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Offset outside summer time, minutes east; a multiple of 30 in \[-720, 840\].
    pub standard_minutes: i32,
    /// Its summer time.
    pub change: ClockChange,
    /// Share of people, over 0; shares add up to 1.
    pub share: f64,
}

/// The fitted numbers as they stand in a model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RhythmStored {
    /// Kinds of weeks.
    pub templates: Vec<Template>,
    /// Ways for clocks to run.
    pub candidates: Vec<Candidate>,
    /// Exponent of the likelihood when starts are few, in (0, 1\].
    pub temper: f64,
    /// Starts at which the exponent has halved: it is `temper / (1 + n / temper_half_count)`.
    pub temper_half_count: f64,
    /// Session starts remembered in full: beyond, all fade at once by `fade_kept_share`.
    pub remembered_max: f64,
    /// Share of weight kept when starts fade, in (0, 1).
    pub fade_kept_share: f64,
    /// Session starts from which the score counts in full; below, it shrinks by the square of what is missing.
    pub full_count: f64,
    /// Share of honest people whose hours belong to another part of the world, in (0, .5\]. Bounds the score above by
    /// ln((1 - `adapted_share`) / `irregular_share`).
    pub irregular_share: f64,
    /// Share of operators who keep the claimed place's hours, in (0, .9\]. Bounds the score below by
    /// ln(`adapted_share` / (1 - `irregular_share`)).
    pub adapted_share: f64,
    /// Slope of the calibration of the log-likelihood ratio, before the bounds.
    pub score_slope: f64,
    /// Offset of the same, nats.
    pub score_offset: f64,
}

/// Fitted numbers with the tables that scoring reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RhythmStored", into = "RhythmStored")]
pub struct RhythmParameters {
    stored: RhythmStored,
    /// Per template: log probabilities from local hour -12 on, wrapped, so that the lanes of UTC hour `u` are
    /// `[u .. u + LANES]`.
    pub(super) wrapped: Vec<Vec<f32>>,
    /// Per template: log of its share.
    pub(super) log_shares: Vec<f32>,
    /// Lanes whose likelihood is asked for.
    pub(super) asked: Asked,
}

impl std::ops::Deref for RhythmParameters {
    type Target = RhythmStored;

    fn deref(&self) -> &RhythmStored {
        &self.stored
    }
}

impl From<RhythmParameters> for RhythmStored {
    fn from(parameters: RhythmParameters) -> Self {
        parameters.stored
    }
}

impl TryFrom<RhythmStored> for RhythmParameters {
    type Error = String;

    fn try_from(stored: RhythmStored) -> Result<Self, String> {
        stored.check()?;
        let wrap = |template: &Template| {
            let hour = |step: usize| (step as i32 + LANE_FIRST_HOURS).rem_euclid(HOURS_PER_WEEK as i32) as usize;
            (0..HOURS_PER_WEEK + LANES).map(|step| template.hours[hour(step)].ln() as f32).collect()
        };
        let wrapped = stored.templates.iter().map(wrap).collect();
        let log_shares = stored.templates.iter().map(|template| template.share.ln() as f32).collect();
        let asked = asked(&stored.candidates);
        Ok(Self { stored, wrapped, log_shares, asked })
    }
}

fn shares_sound(mut shares: impl Iterator<Item = f64> + Clone) -> bool {
    (shares.clone().sum::<f64>() - 1.0).abs() < 1e-6 && shares.all(|share| share > 0.0 && share.is_finite())
}

impl RhythmStored {
    /// Whether every number is finite, of the right length and in a sane range.
    pub fn check(&self) -> Result<(), String> {
        let says = |fact: &str| Err(format!("`timezone.rhythm`: {fact}"));
        if self.templates.is_empty() || self.templates.len() > TEMPLATES_MAX {
            return says("takes 1 to 16 templates");
        }
        if !shares_sound(self.templates.iter().map(|template| template.share)) {
            return says("shares of templates must be over 0 and add up to 1");
        }
        for template in &self.templates {
            if template.hours.len() != HOURS_PER_WEEK || !shares_sound(template.hours.iter().copied()) {
                return says("a template has 168 probabilities over 0 that add up to 1");
            }
        }
        if self.candidates.is_empty() || self.candidates.len() > CANDIDATES_MAX {
            return says("takes 1 to 96 candidates");
        }
        if !shares_sound(self.candidates.iter().map(|candidate| candidate.share)) {
            return says("shares of candidates must be over 0 and add up to 1");
        }
        let lies = |candidate: &Candidate| {
            let minutes = candidate.standard_minutes;
            (-720..=840).contains(&minutes) && minutes % 30 == 0
        };
        if !self.candidates.iter().all(lies) {
            return says("an offset must be a multiple of 30 minutes in [-720, 840]");
        }
        let inside = [
            (self.temper, 1e-3, 1.0),
            (self.temper_half_count, 1.0, 1e6),
            (self.remembered_max, 10.0, 2_000.0),
            (self.fade_kept_share, 0.1, 0.99),
            (self.full_count, 1.0, 1e3),
            (self.irregular_share, 1e-4, 0.5),
            (self.adapted_share, 1e-4, 0.9),
            (self.score_slope, 0.0, 5.0),
            (self.score_offset, -5.0, 5.0),
        ];
        // A NaN lies in no range.
        if !inside.iter().all(|(value, low, high)| (*low..=*high).contains(value)) {
            return says("a scalar is out of range");
        }
        Ok(())
    }
}

impl RhythmParameters {
    /// Whether every number is finite, of the right length and in a sane range.
    pub fn check(&self) -> Result<(), String> {
        self.stored.check()
    }
}
