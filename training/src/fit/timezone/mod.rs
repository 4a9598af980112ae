//! Weekly templates, offset priors and the calibration of the rhythm score, from commit times with true offsets.
//!
//! Templates are a mixture of multinomials over the hours of the local week, by expectation maximisation with tempered
//! responsibilities (linfa has none). Only aggregates over hundreds of authors leave this file.

pub mod calendar;
pub mod change;

use crate::corpus::rhythm::{self, Author};
use elsewhere::event::EventTime;
use elsewhere::evidence::timezone::Parameters;
use elsewhere::evidence::timezone::change::ChangeParameters;
use elsewhere::evidence::timezone::clock::{ClockChange, ClockParameters, northern_summer};
use elsewhere::evidence::timezone::profile::{Profile, START_UNITS, cell_of};
use elsewhere::evidence::timezone::rhythm::{
    self as serving, Candidate, HOURS_PER_WEEK, RhythmParameters, RhythmStored, Template,
};
use linfa::prelude::*;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::path::Path;

/// How the fit is done; the defaults were chosen by cross-validation over authors.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Kinds of weeks. 6 to 16 differ by less than their intervals; of 8, 9, 10 and 12 under four seeds nine erred least
    /// and cost less than twelve.
    pub templates: usize,
    /// Rounds of expectation maximisation; it has settled by 30.
    pub rounds: usize,
    /// Fits from different beginnings, of which the likeliest is taken.
    pub restarts: u64,
    /// Width of the smoothing over neighbouring hours, hours: habits are not sharper than this between years.
    pub smoothing_hours: f64,
    /// Starts of everybody's average week added to each template.
    pub prior_starts: f64,
    /// Share of that average taken as flat.
    pub prior_flat_share: f64,
    /// Exponent of the likelihood when starts are few; see `RhythmStored`.
    pub temper: f64,
    /// Starts at which the exponent has halved.
    pub temper_half_count: f64,
    /// Exponent of an author's likelihood during the fit, and the count that halves it.
    pub fit_temper: f64,
    /// See `fit_temper`.
    pub fit_temper_half_count: f64,
    /// Most session starts an author may count for.
    pub author_weight_max: f64,
    /// Share of people in clocks that no author lives by, as a count of authors each.
    pub prior_people: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            templates: 9,
            rounds: 40,
            restarts: 8,
            smoothing_hours: 0.8,
            prior_starts: 30.0,
            prior_flat_share: 0.3,
            temper: 0.9,
            temper_half_count: 25.0,
            fit_temper: 0.5,
            fit_temper_half_count: 1000.0,
            author_weight_max: 100.0,
            prior_people: 0.3,
        }
    }
}

/// Fewest session starts of an author worth learning from.
const STARTS_MIN: usize = 10;
/// Most session starts taken of one author: prolific people are not a kind.
const STARTS_MAX: usize = 400;
/// Session starts remembered before all of them fade, and what is then kept: about a working year, then three quarters.
const REMEMBERED_MAX: f64 = 240.0;
const FADE_KEPT_SHARE: f64 = 0.75;
/// Session starts from which the score counts in full: the ratio of five is calibrated as it is (loss .03 bits).
const FULL_COUNT: f64 = 4.0;
/// Share of operators who keep the claimed hours: not known from data, set so that hours as claimed clear little.
const ADAPTED_SHARE: f64 = 0.25;
/// Share of honest people with the hours of another part of the world: 4 of 92 authors on US clocks, left out of the
/// fit, scored beyond 3 nats after 50 sessions without a bound (95 % interval 1 to 11 %). With a quarter of operators on
/// the claimed hours, no ratio beyond ln(.75 / .04) = 2.9 nats can be upheld: hours corroborate, never convict.
const IRREGULAR_SHARE: f64 = 0.04;
/// Folds within the training authors behind the calibration.
const FOLDS: usize = 4;
/// Counts of session starts at which calibration looks.
const CALIBRATION_COUNTS: [usize; 3] = [15, 30, 60];

/// Offsets in use that are not whole hours and whole people live at; three quarters are rounded to the nearer half.
const HALF_HOURS: [i32; 7] = [-210, 210, 270, 330, 390, 570, 630];

/// Fits on every author of the corpus. Same seed and data give the same parameters.
pub fn fit(data: &Path, seed: u64) -> Result<Parameters, String> {
    fit_without(data, seed, &|_| false)
}

/// Fits on the authors that `left_out` does not name, for cross-validation.
pub fn fit_without(data: &Path, seed: u64, left_out: &dyn Fn(&str) -> bool) -> Result<Parameters, String> {
    let authors: Vec<Author> =
        rhythm::read(data)?.into_iter().filter(|author| author.settled() && !left_out(&author.id)).collect();
    fit_authors(&authors.iter().collect::<Vec<_>>(), seed, &Settings::default())
}

/// Fits on these authors.
pub fn fit_authors(authors: &[&Author], seed: u64, settings: &Settings) -> Result<Parameters, String> {
    if authors.len() < 50 {
        return Err(format!("{} settled authors: at least 50 are needed", authors.len()));
    }
    let (score_slope, score_offset) = calibrate(authors, seed, settings)?;
    let rhythm = uncalibrated(authors, seed, settings)?;
    let rhythm = RhythmParameters::try_from(RhythmStored { score_slope, score_offset, ..RhythmStored::from(rhythm) })?;
    let mut parameters = Parameters {
        clock: ClockParameters::default(),
        rhythm,
        calendar: calendar::fit(authors)?,
        change: ChangeParameters::default(),
    };
    parameters.change = change::fit(authors, &parameters, seed)?;
    parameters.check()?;
    Ok(parameters)
}

/// Templates and priors with the ratio left as it is.
pub fn uncalibrated(authors: &[&Author], seed: u64, settings: &Settings) -> Result<RhythmParameters, String> {
    RhythmParameters::try_from(RhythmStored {
        templates: templates(authors, seed, settings),
        candidates: candidates(authors, settings),
        temper: settings.temper,
        temper_half_count: settings.temper_half_count,
        remembered_max: REMEMBERED_MAX,
        fade_kept_share: FADE_KEPT_SHARE,
        full_count: FULL_COUNT,
        irregular_share: IRREGULAR_SHARE,
        adapted_share: ADAPTED_SHARE,
        score_slope: 1.0,
        score_offset: 0.0,
    })
}

/// Hour of the local week of an instant.
fn local_hour(seconds: i64, offset_minutes: i32) -> usize {
    let hours = (seconds + i64::from(offset_minutes) * 60).div_euclid(3_600);
    // 1970-01-01 was a Thursday, 72 hours into its week.
    (hours + 72).rem_euclid(HOURS_PER_WEEK as i64) as usize
}

type Week = [f64; HOURS_PER_WEEK];

fn smoothed(week: &Week, width_hours: f64) -> Week {
    const REACH: i32 = 6;
    let kernel: Vec<f64> =
        (-REACH..=REACH).map(|step| (-f64::from(step * step) / (2.0 * width_hours * width_hours)).exp()).collect();
    let total: f64 = kernel.iter().sum();
    std::array::from_fn(|hour| {
        let at = |step: i32| (hour as i32 + step).rem_euclid(HOURS_PER_WEEK as i32) as usize;
        (-REACH..=REACH).zip(&kernel).map(|(step, weight)| week[at(step)] * weight / total).sum()
    })
}

/// Counts to probabilities, with the average week as prior.
fn normalised(counts: &Week, average: &Week, settings: &Settings) -> Week {
    let total = counts.iter().sum::<f64>() + settings.prior_starts;
    std::array::from_fn(|hour| {
        let prior =
            (1.0 - settings.prior_flat_share) * average[hour] + settings.prior_flat_share / HOURS_PER_WEEK as f64;
        (counts[hour] + settings.prior_starts * prior) / total
    })
}

/// Session starts by hour of the local week, and how many, of each author with enough of them.
fn weeks_of(authors: &[&Author]) -> Vec<(Week, f64)> {
    let week_of = |author: &&Author| {
        let starts = author.session_starts();
        if starts.len() < STARTS_MIN {
            return None;
        }
        let mut week = [0.0; HOURS_PER_WEEK];
        for (seconds, offset) in starts.iter().take(STARTS_MAX) {
            week[local_hour(*seconds, *offset)] += 1.0;
        }
        Some((week, starts.len().min(STARTS_MAX) as f64))
    };
    authors.iter().filter_map(week_of).collect()
}

/// A mixture while it is being fitted.
struct Mixture {
    shares: Vec<f64>,
    hours: Vec<Week>,
    /// Tempered log-likelihood of the round that made it.
    log_likelihood: f64,
}

/// The best of several fits by likelihood: where a fit ends depends on where it began.
fn templates(authors: &[&Author], seed: u64, settings: &Settings) -> Vec<Template> {
    let weeks = weeks_of(authors);
    let mut average = [0.0; HOURS_PER_WEEK];
    for (week, count) in &weeks {
        for hour in 0..HOURS_PER_WEEK {
            average[hour] += week[hour] / count / weeks.len() as f64;
        }
    }
    let mut best: Option<Mixture> = None;
    for restart in 0..settings.restarts {
        let mut mixture = Mixture {
            shares: vec![1.0 / settings.templates as f64; settings.templates],
            hours: first_templates(&weeks, &average, seed.wrapping_add(restart << 32), settings),
            log_likelihood: f64::MIN,
        };
        for _ in 0..settings.rounds {
            mixture = maximised(&mixture, &weeks, &average, settings);
        }
        if best.as_ref().is_none_or(|best| mixture.log_likelihood > best.log_likelihood) {
            best = Some(mixture);
        }
    }
    let Some(best) = best else { return Vec::new() };
    let normal = |week: &Week| {
        let sum: f64 = week.iter().sum();
        week.iter().map(|p| p / sum).collect()
    };
    best.shares.iter().zip(&best.hours).map(|(share, week)| Template { share: *share, hours: normal(week) }).collect()
}

/// One round of expectation maximisation.
fn maximised(mixture: &Mixture, weeks: &[(Week, f64)], average: &Week, settings: &Settings) -> Mixture {
    let kinds = mixture.shares.len();
    let logs: Vec<Week> = mixture.hours.iter().map(|week| week.map(f64::ln)).collect();
    let mut counts = vec![[0.0; HOURS_PER_WEEK]; kinds];
    // One person of prior each, so that no kind dies out.
    let mut people = vec![1.0; kinds];
    let mut log_likelihood = 0.0;
    for (week, count) in weeks {
        let temper = settings.fit_temper / (1.0 + count / settings.fit_temper_half_count);
        let fit_of = |kind: usize| {
            let dot: f64 = week.iter().zip(&logs[kind]).map(|(own, log)| own * log).sum();
            mixture.shares[kind].ln() + temper * dot
        };
        let fits: Vec<f64> = (0..kinds).map(fit_of).collect();
        let best = fits.iter().copied().fold(f64::MIN, f64::max);
        let total: f64 = fits.iter().map(|fit| (fit - best).exp()).sum();
        log_likelihood += best + total.ln();
        let weight = (settings.author_weight_max / count).min(1.0);
        for kind in 0..kinds {
            let share = (fits[kind] - best).exp() / total;
            people[kind] += share;
            for hour in 0..HOURS_PER_WEEK {
                counts[kind][hour] += share * weight * week[hour];
            }
        }
    }
    let total: f64 = people.iter().sum();
    Mixture {
        shares: people.iter().map(|own| own / total).collect(),
        hours: counts
            .iter()
            .map(|counts| normalised(&smoothed(counts, settings.smoothing_hours), average, settings))
            .collect(),
        log_likelihood,
    }
}

/// Each template starts from the pooled weeks of a few authors drawn by the seed.
fn first_templates(weeks: &[(Week, f64)], average: &Week, seed: u64, settings: &Settings) -> Vec<Week> {
    const DRAWN: usize = 8;
    let mut order: Vec<usize> = (0..weeks.len()).collect();
    order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
    (0..settings.templates)
        .map(|kind| {
            let mut counts = [0.0; HOURS_PER_WEEK];
            for draw in 0..DRAWN {
                let (week, count) = &weeks[order[(kind * DRAWN + draw) % order.len()]];
                for hour in 0..HOURS_PER_WEEK {
                    counts[hour] += settings.prior_starts * week[hour] / count;
                }
            }
            normalised(&smoothed(&counts, 1.5), average, settings)
        })
        .collect()
}

/// An author's summer time by the offsets written, `None` when one half of the year is missing.
pub fn clock_change(author: &Author) -> Option<ClockChange> {
    let mean_of = |summer: bool| {
        let offsets: Vec<f64> = author
            .commits
            .iter()
            .filter(|(seconds, _)| northern_summer(EventTime(seconds * 1_000_000)) == summer)
            .map(|commit| f64::from(commit.1))
            .collect();
        (!offsets.is_empty()).then(|| offsets.iter().sum::<f64>() / offsets.len() as f64)
    };
    let ahead = mean_of(true)? - mean_of(false)?;
    Some(if ahead > 30.0 {
        ClockChange::Northern
    } else if ahead < -30.0 {
        ClockChange::Southern
    } else {
        ClockChange::None
    })
}

/// Every clock in use, by how many authors live by it and a little for those none of them does.
fn candidates(authors: &[&Author], settings: &Settings) -> Vec<Candidate> {
    let mut list: Vec<Candidate> = Vec::new();
    for hour in -12..=14 {
        let standard_minutes = hour * 60;
        list.push(Candidate { standard_minutes, change: ClockChange::None, share: settings.prior_people });
        if (-10..=3).contains(&hour) {
            list.push(Candidate {
                standard_minutes,
                change: ClockChange::Northern,
                share: settings.prior_people / 3.0,
            });
        }
        if matches!(hour, -4 | -3 | 10 | 12) {
            list.push(Candidate {
                standard_minutes,
                change: ClockChange::Southern,
                share: settings.prior_people / 3.0,
            });
        }
    }
    for standard_minutes in HALF_HOURS {
        list.push(Candidate { standard_minutes, change: ClockChange::None, share: settings.prior_people / 3.0 });
    }
    for author in authors {
        let Some(change) = clock_change(author) else { continue };
        let median = author.median_offset_minutes();
        let near = author.commits.iter().map(|commit| commit.1).filter(|offset| (offset - median).abs() <= 60);
        let standard = if change == ClockChange::None { median } else { near.min().unwrap_or(median) };
        let found = list.iter_mut().find(|own| own.change == change && (own.standard_minutes - standard).abs() < 30);
        if let Some(own) = found {
            own.share += 1.0;
        }
    }
    let total: f64 = list.iter().map(|candidate| candidate.share).sum();
    for candidate in &mut list {
        candidate.share /= total;
    }
    list
}

/// The profile that these session starts leave, without fading.
pub fn profile_of(starts: &[(i64, i32)]) -> Profile {
    let mut counts = vec![0_u16; serving::CELLS];
    for (seconds, _) in starts {
        let cell = usize::from(cell_of(EventTime(seconds * 1_000_000)));
        counts[cell] = counts[cell].saturating_add(START_UNITS);
    }
    let cells = (0..).zip(counts).filter(|(_, units)| *units > 0).collect();
    Profile { cells, ..Profile::default() }
}

/// Slope and offset that make the rhythm's ratio a calibrated one, by logistic regression on authors left out in turn:
/// each author once with the own offset as claim and once with that of a colleague three hours away or more.
fn calibrate(authors: &[&Author], seed: u64, settings: &Settings) -> Result<(f64, f64), String> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x7a6f_6e65);
    let (mut ratios, mut elsewhere) = (Vec::new(), Vec::new());
    for fold in 0..FOLDS {
        let others: Vec<&Author> =
            (0..authors.len()).filter(|index| index % FOLDS != fold).map(|index| authors[index]).collect();
        // Bounds so wide that the ratio is the bare one.
        let bare = RhythmStored {
            irregular_share: 1e-4,
            adapted_share: 1e-4,
            full_count: 1.0,
            ..RhythmStored::from(uncalibrated(&others, seed, settings)?)
        };
        let bare = RhythmParameters::try_from(bare)?;
        for author in (0..authors.len()).filter(|index| index % FOLDS == fold).map(|index| authors[index]) {
            let starts = author.session_starts();
            for count in CALIBRATION_COUNTS.into_iter().filter(|count| *count <= starts.len()) {
                let (seconds, offset) = starts[count - 1];
                let time = EventTime(seconds * 1_000_000);
                let Some(belief) = serving::belief(&profile_of(&starts[..count]), None, &bare, time) else { continue };
                let colleague = (0..100)
                    .map(|_| authors[random.gen_range(0..authors.len())].median_offset_minutes())
                    .find(|other| {
                        elsewhere::evidence::timezone::clock::circular_difference_minutes(*other, offset).abs() >= 180
                    });
                for (claimed, hostile) in [(Some(offset), false), (colleague, true)] {
                    if let Some(score) = claimed.and_then(|claimed| belief.score(&[claimed], &bare)) {
                        ratios.push(score);
                        elsewhere.push(hostile);
                    }
                }
            }
        }
    }
    let records = Array2::from_shape_vec((ratios.len(), 1), ratios).map_err(|error| error.to_string())?;
    let data = Dataset::new(records, Array1::from(elsewhere));
    let fitted = LogisticRegression::default().alpha(1e-6).max_iterations(200).fit(&data).map_err(|e| e.to_string())?;
    // linfa calls one of the two classes positive; turn the slope so that it rises with "elsewhere".
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let slope: f64 = sign * fitted.params()[0];
    Ok((slope.clamp(0.05, 2.0), (sign * fitted.intercept()).clamp(-2.0, 2.0)))
}
