//! Motion of a live session, window by window as it comes.
//!
//! What is kept are scores and the strongest window's measurements, never moves: a relay that came and went is told at the
//! end with what it showed.

use super::compare::{describe_pointer, pointer_forest};
use super::windows::Windows;
use super::{Parameters, Profile, pointer};
use crate::event::PointerSample;
use crate::evidence::feature::{Features, Finding};

/// Windows of a live session's motion so far.
#[derive(Debug, Clone, Default)]
pub struct MotionCourse {
    windows: Windows,
    /// Moves of the session that were read.
    read: u64,
    /// The window that speaks most for a relay, with its score.
    strongest: Option<(f64, pointer::Shown)>,
}

impl MotionCourse {
    /// Reads what came since the last time, once it fills a window of [`pointer::WINDOW_MOVES`]. `sample` holds the newest of
    /// the `total` moves that came in all; with the same total nothing changes.
    pub fn hear(&mut self, sample: &PointerSample, total: u64, parameters: &Parameters) {
        let pending = total.saturating_sub(self.read);
        if pending < pointer::WINDOW_MOVES as u64 {
            return;
        }
        self.read = total;
        if sample.timer_resolution_micros > pointer::RESOLUTION_MAX_MICROS {
            return;
        }
        let (motion, windows) = pointer::newest_windows(sample, usize::try_from(pending).unwrap_or(usize::MAX));
        let forest = pointer_forest(motion, parameters);
        for window in windows {
            let score = forest.log_odds(&window.measurements);
            self.windows.push(score);
            if self.strongest.as_ref().is_none_or(|(before, _)| score > *before) {
                self.strongest = Some((score, window.shown));
            }
        }
    }

    /// Puts the session's score in the place of its kept moves' in `features`, with the strongest window's measurements where
    /// it tells more. Returns whether any window was read. To be called where pointers are heard at all.
    pub fn tell(&self, profile: &Profile, parameters: &Parameters, features: &mut Features) -> bool {
        let Some(score) = self.windows.log_odds(&parameters.pointer_doubt) else { return false };
        let kept = features.get(Finding::RemoteInputPointer.score());
        if let Some((_, window)) = self.strongest.as_ref().filter(|_| kept.is_none_or(|kept| score > kept)) {
            describe_pointer(std::slice::from_ref(window), profile, parameters, features);
        }
        features.set(Finding::RemoteInputPointer.score(), score);
        true
    }
}
