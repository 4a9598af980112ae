//! One typist behind two workers: what the profiles of two workers say together.
//!
//! Tables alone speak: see [`super::hand`] for how candidates are found among many, and
//! [`TableParameters::same_typist`](super::table::TableParameters::same_typist) for the ratio. Two workers' profiles of one
//! phrase say nothing of a pair. They were tried: fitted on phrases practised some fifty times, the ratio cost more than
//! silence on phrases practised four hundred times (Cllr 1.24 after 5 logins each, 1.53 after 12), because a hand's own
//! phrase moves as far between its 1st and its 200th login as two hands' phrases lie apart.

use super::{Parameters, Profile};

/// What two profiles say of one typist behind both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairRatio {
    /// Log-likelihood ratio, nats, positive = one typist.
    pub log_ratio: f64,
    /// Presses behind what was compared, of the first profile and of the other.
    pub press_counts: (u32, u32),
}

impl Parameters {
    /// Compares two workers' profiles; absent when they hold nothing that compares. Symmetric but for the order of counts.
    pub fn same_typist(&self, one: &Profile, other: &Profile) -> Option<PairRatio> {
        let (mine, theirs) = one.table().zip(other.table())?;
        let log_ratio = self.table.same_typist(mine, theirs)?;
        Some(PairRatio { log_ratio, press_counts: (mine.press_count, theirs.press_count) })
    }
}

#[cfg(test)]
mod tests {
    use crate::event::EventTime;
    use crate::evidence::typing::sample::{enrolled, observed, parameters, table};
    use crate::evidence::typing::{Lesson, Profile};

    fn of_table(percent: u32) -> Profile {
        let mut profile = Profile::default();
        profile.learn(&observed(None, Some(table(percent))), &parameters(), EventTime(0), Lesson::Full, 0.0);
        profile
    }

    #[test]
    fn tables_alike_are_likelier_one_typist_and_order_is_nothing() {
        let ratio = |one, other| parameters().same_typist(&of_table(one), &of_table(other)).map(|pair| pair.log_ratio);
        assert!(ratio(130, 130) > ratio(130, 75), "{:?} {:?}", ratio(130, 130), ratio(130, 75));
        assert_eq!(ratio(130, 75), ratio(75, 130));
        assert!(ratio(130, 130).is_some());
    }

    #[test]
    fn a_phrase_that_two_workers_type_alike_is_no_evidence_of_one_typist() {
        assert_eq!(parameters().same_typist(&enrolled(11, 10), &enrolled(11, 12)), None);
    }
}
