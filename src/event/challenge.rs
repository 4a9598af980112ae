//! Checked answers to prompts.

use super::limits;
use super::violation::Violations;

/// What a prompt asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeKind {
    /// Press any key when the prompt appears.
    PressKey,
    /// Click the target that appears.
    ClickTarget,
}

/// Answers to visual prompts that could not be foreseen.
///
/// INVARIANT: made by [`super::EventUnchecked::check`] only. At least one prompt.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChallengeSample {
    /// Paint to answer, microseconds; 0 = no answer.
    pub reaction_micros: Vec<u32>,
    /// What was asked.
    pub kind: ChallengeKind,
    /// Refresh rate of the display, thousandths of hertz; 60 000 when the client did not say.
    pub refresh_rate_millihertz: u32,
}

/// Answers as they came off the wire.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the proto's field of the same name")]
pub struct ChallengeUnchecked {
    pub reaction_micros: Vec<u32>,
    pub kind: i32,
    pub refresh_rate_millihertz: u32,
}

impl ChallengeUnchecked {
    pub(super) fn check(self, path: &str, v: &mut Violations) -> Option<ChallengeSample> {
        let before = v.total();
        let field = format!("{path}.reaction_micros");
        if self.reaction_micros.is_empty() {
            v.add(&field, "is empty: send one entry per prompt shown, or leave `challenge` out when none was");
        }
        super::check_length(v, format_args!("{field}"), self.reaction_micros.len(), limits::PROMPTS_MAX);
        super::check_column(v, path, "reaction_micros", &self.reaction_micros, limits::REACTION_MICROS_MAX);
        let kind = match self.kind {
            1 => Some(ChallengeKind::PressKey),
            2 => Some(ChallengeKind::ClickTarget),
            other => {
                super::unknown_enum(
                    v,
                    format_args!("{path}.kind"),
                    other,
                    "CHALLENGE_KIND_PRESS_KEY or CHALLENGE_KIND_CLICK_TARGET",
                );
                None
            }
        };
        let rate = self.refresh_rate_millihertz;
        if rate != 0 && !(1_000..=limits::REFRESH_RATE_MILLIHERTZ_MAX).contains(&rate) {
            v.add(
                format!("{path}.refresh_rate_millihertz"),
                format!(
                    "is {rate}: 1 000 to {} thousandths of hertz, or 0 when not known",
                    limits::REFRESH_RATE_MILLIHERTZ_MAX
                ),
            );
        }
        if v.total() != before {
            return None;
        }
        Some(ChallengeSample {
            reaction_micros: self.reaction_micros,
            kind: kind?,
            refresh_rate_millihertz: if rate == 0 { 60_000 } else { rate },
        })
    }
}
