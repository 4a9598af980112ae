//! Windows of one session together: a relay throughout, or in some stretch of it.
//!
//! A session that is relayed for a quarter of its time looks local on the whole. So besides the whole, every stretch that
//! ends now and stretches of 1, 2, 4, 8 ... windows anywhere are asked, and the answer is the mean of their likelihood
//! ratios, weighed by the belief that it is that stretch. A mean of likelihood ratios is again one: the number of stretches
//! is paid for, as taking the strongest would not.
//!
//! Within a stretch windows share hand, machine and path, so they count for at most two ([`combined`]), and each stretch is
//! tempered by what training cannot have seen.
//!
//! Worked example: of 28 windows 7 in a row say +3 and the others -5, with 10 % of relays and 1 % of machines unseen. The
//! whole is worth e^-2.3, the stretches that end now hardly more; of 28 + 27 + 25 + 21 + 13 stretches by length those of the
//! relay's own windows hold e^2.7 to e^3.9, which leaves 3.9, 7.2, 8.4, 2.9 and .1 on average of their length. Weighed
//! together that is ln((.1 + 2 x .1 + 5 x 4.5) / 8) = +1.05: told, though three quarters speak for a hand. While it lasts
//! (the last seven windows) it is +1.75.

use super::forest::Doubt;

/// Windows of one session share their hand, machine and path: the correlation between them that keeps their number from
/// counting in full. One window counts 1, four 1.6, many at most 2.
const WINDOW_CORRELATION: f64 = 0.5;
/// Belief in a relay throughout, in one that is still there, and in one that came and may have gone. Chosen among eight
/// mixtures on simulated sessions with the project's own recordings beside them: at equal false alarms it tells most.
const WHOLE_WEIGHT: f64 = 1.0;
const LASTING_WEIGHT: f64 = 2.0;
const PASSING_WEIGHT: f64 = 5.0;
/// Most cells kept of a session, so that it stays bounded however long it lasts.
const CELLS_MAX: usize = 32;

/// Mean of correlated windows, weighed by how much independent evidence their number holds.
pub fn combined(sum: f64, count: f64) -> f64 {
    sum / (1.0 + (count.max(1.0) - 1.0) * WINDOW_CORRELATION)
}

/// Successive windows counted as one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Cell {
    /// Sum of their scores, nats; in single precision, for ten thousand sessions hold them.
    sum: f32,
    /// How many they are.
    count: u32,
}

/// Scores of a session's windows, oldest first. Grows to [`CELLS_MAX`] cells; then neighbours join, and each cell holds
/// twice as many windows.
#[derive(Debug, Clone, PartialEq)]
pub struct Windows {
    cells: Vec<Cell>,
    /// Windows a cell takes.
    cell_windows: u32,
}

impl Default for Windows {
    fn default() -> Self {
        Self { cells: Vec::new(), cell_windows: 1 }
    }
}

impl Windows {
    /// Takes the log-likelihood ratio of the next window, nats, before tempering.
    pub fn push(&mut self, score: f64) {
        match self.cells.last_mut() {
            Some(cell) if cell.count < self.cell_windows => {
                cell.sum += score as f32;
                cell.count += 1;
                return;
            }
            _ => {}
        }
        if self.cells.len() == CELLS_MAX {
            let joined = |two: &[Cell]| Cell {
                sum: two.iter().map(|cell| cell.sum).sum(),
                count: two.iter().map(|cell| cell.count).sum(),
            };
            self.cells = self.cells.chunks(2).map(joined).collect();
            self.cell_windows = self.cell_windows.saturating_mul(2);
        }
        self.cells.push(Cell { sum: score as f32, count: 1 });
    }

    /// Log-likelihood ratio of a relay throughout or in some stretch, nats; `None` without windows. One window is worth its
    /// own tempered score.
    pub fn log_odds(&self, doubt: &Doubt) -> Option<f64> {
        let n = self.cells.len();
        if n == 0 {
            return None;
        }
        // Sums and counts up to each cell: a stretch is a difference of two.
        let mut until = Vec::with_capacity(n + 1);
        until.push((0.0, 0.0));
        let (mut sum, mut count) = (0.0, 0.0);
        for cell in &self.cells {
            sum += f64::from(cell.sum);
            count += f64::from(cell.count);
            until.push((sum, count));
        }
        let ratio = |from: usize, to: usize| {
            doubt.tempered_ratio(combined(until[to].0 - until[from].0, until[to].1 - until[from].1))
        };
        let whole = ratio(0, n);
        let lasting = (0..n).map(|from| ratio(from, n)).sum::<f64>() / n as f64;
        let (mut passing, mut lengths, mut length) = (0.0, 0.0, 1);
        while length <= n {
            let places = n - length + 1;
            passing += (0..places).map(|from| ratio(from, from + length)).sum::<f64>() / places as f64;
            (lengths, length) = (lengths + 1.0, 2 * length);
        }
        let weighed = WHOLE_WEIGHT * whole + LASTING_WEIGHT * lasting + PASSING_WEIGHT * passing / lengths;
        Some((weighed / (WHOLE_WEIGHT + LASTING_WEIGHT + PASSING_WEIGHT)).ln())
    }
}

/// Log-likelihood ratio of a relay throughout the windows of one event, nats; 0 without any. An event lasts seconds: asked by
/// stretches it told less (own recordings, three windows at 1 % of false alarms: .89 against .90).
pub fn throughout(scores: impl Iterator<Item = f64>, doubt: &Doubt) -> f64 {
    let (sum, count) = scores.fold((0.0, 0.0), |(sum, count), score| (sum + score, count + 1.0));
    doubt.temper(combined(sum, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DOUBT: Doubt = Doubt { unseen_relay_rate: 0.1, odd_machine_rate: 0.01 };

    fn log_odds(scores: impl Iterator<Item = f64>, doubt: &Doubt) -> f64 {
        let mut windows = Windows::default();
        scores.for_each(|score| windows.push(score));
        windows.log_odds(doubt).unwrap_or(f64::NAN)
    }

    #[test]
    fn one_window_is_worth_its_own_score() {
        for score in [-6.0, -1.0, 0.0, 2.5, 7.0] {
            assert!((log_odds([score].into_iter(), &DOUBT) - DOUBT.temper(score)).abs() < 1e-12);
            assert_eq!(throughout([score].into_iter(), &DOUBT), DOUBT.temper(score));
        }
    }

    #[test]
    fn a_relayed_quarter_is_told_among_local_windows() {
        let session = |from: usize| (0..28).map(move |at| if (from..from + 7).contains(&at) { 3.0 } else { -5.0 });
        assert!((log_odds(session(10), &DOUBT) - 1.05).abs() < 0.01, "{}", log_odds(session(10), &DOUBT));
        // While it lasts it is told stronger than once it is over.
        assert!((log_odds(session(21), &DOUBT) - 1.75).abs() < 0.01, "{}", log_odds(session(21), &DOUBT));
        assert!(log_odds(session(28), &DOUBT) < -2.0, "a hand throughout");
    }

    #[test]
    fn many_windows_stay_few_cells_and_say_the_same() {
        let mut long = Windows::default();
        (0..10_000).for_each(|at| long.push(if at < 7_500 { -5.0 } else { 3.0 }));
        assert!(long.cells.len() <= CELLS_MAX);
        assert_eq!(long.cells.iter().map(|cell| cell.count).sum::<u32>(), 10_000);
        let told = long.log_odds(&DOUBT).expect("windows");
        // Four times as many of the same say what 10,000 did, and both say more than twenty.
        let mut longer = Windows::default();
        (0..40_000).for_each(|at| longer.push(if at < 30_000 { -5.0 } else { 3.0 }));
        assert!(longer.log_odds(&DOUBT).is_some_and(|longer| (longer - told).abs() < 0.01), "{told}");
        let short = log_odds((0..20).map(|at| if at < 15 { -5.0 } else { 3.0 }), &DOUBT);
        assert!(told > short && told < short + 1.0, "{told} {short}");
    }

    proptest! {
        #[test]
        fn a_higher_window_never_lowers_the_score(
            scores in prop::collection::vec(-9.0_f64..9.0, 1..60), at in 0_usize..60, more in 0.0_f64..5.0,
        ) {
            let mut raised = scores.clone();
            let at = at % scores.len();
            raised[at] += more;
            let (before, after) = (log_odds(scores.iter().copied(), &DOUBT), log_odds(raised.into_iter(), &DOUBT));
            prop_assert!(after >= before - 1e-9);
            // A mean of ratios lies between the bounds of each.
            prop_assert!((DOUBT.temper(-60.0) - 1e-9..=DOUBT.temper(60.0) + 1e-9).contains(&before));
        }
    }
}
