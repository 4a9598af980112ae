//! What is kept: recent digests and sketches with their times, and how long the collector spoke or was silent.

use super::sketch::{Sketch, of_words, words};
use super::{Observation, Parameters};
use crate::event::EventTime;
use serde::{Deserialize, Serialize};

/// Digests kept per worker: two weeks of two logins a workday with two samples each is 40; 24 keep the record small
/// and still catch a replay within the last dozen sessions.
const DIGESTS_MAX: usize = 24;

const MINUTE_MICROS: i64 = 60_000_000;
/// Sketches kept per worker, 27 bytes each when written down: a replay within the last dozen phrases is known.
const SKETCHES_MAX: usize = 12;

/// What is kept of a worker for this family.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Profile {
    /// Recent digests with the minute they were first seen, oldest first.
    digests: Vec<(u64, u32)>,
    /// Recent sketches with the minute they were seen, oldest first.
    sketches: Vec<(Sketch, u32)>,
    /// Events in which the collector spoke.
    pub voice_count: u32,
    /// Events since it last spoke.
    pub silent_count: u32,
}

/// A profile as it is written down: sketches stand among the digests, two entries each, told by a bit that no minute
/// has, so that profiles written before there were sketches are read as what they are.
#[derive(Serialize, Deserialize)]
struct Stored {
    digests: Vec<(u64, u32)>,
    voice_count: u32,
    silent_count: u32,
}

/// Marks an entry that is half of a sketch. Minutes since 1970 reach it in the year 6053.
const SKETCH_BIT: u32 = 1 << 31;

impl From<Profile> for Stored {
    fn from(profile: Profile) -> Self {
        let Profile { mut digests, sketches, voice_count, silent_count } = profile;
        for (sketch, minute) in &sketches {
            let (low, high) = words(sketch);
            digests.extend([(low, SKETCH_BIT | minute), (high, SKETCH_BIT)]);
        }
        Self { digests, voice_count, silent_count }
    }
}

impl From<Stored> for Profile {
    fn from(stored: Stored) -> Self {
        let Stored { digests, voice_count, silent_count } = stored;
        let (halves, digests): (Vec<_>, Vec<_>) = digests.into_iter().partition(|(_, minute)| minute & SKETCH_BIT != 0);
        let whole = |pair: &[(u64, u32)]| (of_words(pair[0].0, pair[1].0), pair[0].1 & !SKETCH_BIT);
        Self { digests, sketches: halves.chunks_exact(2).map(whole).collect(), voice_count, silent_count }
    }
}

impl Profile {
    /// Names what in a profile read back no session can have left there. `None` when sound.
    pub fn unsound(&self) -> Option<&'static str> {
        let sketches = (self.sketches.len() > SKETCHES_MAX).then_some("telemetry.sketches");
        (self.digests.len() > DIGESTS_MAX).then_some("telemetry.digests").or(sketches)
    }

    /// When a digest was first seen, or `None` when it was not.
    pub(super) fn first_seen(&self, digest: u64) -> Option<EventTime> {
        let found = self.digests.iter().find(|(known, _)| *known == digest);
        found.map(|(_, minute)| EventTime(i64::from(*minute) * MINUTE_MICROS))
    }

    /// How near a sample is to the nearest earlier one of its phrase, of those first seen `since` or before: see
    /// [`Sketch::nearness`].
    pub(super) fn nearness(&self, sketch: &Sketch, since: EventTime) -> Option<f64> {
        let earlier = self.sketches.iter().filter(|(_, minute)| i64::from(*minute) * MINUTE_MICROS <= since.0);
        sketch.nearness(earlier.map(|(sketch, _)| sketch))
    }

    fn keep_sketch(&mut self, sketch: Sketch, minute: u32) {
        if self.sketches.iter().any(|(known, _)| *known == sketch) {
            return;
        }
        if self.sketches.len() >= SKETCHES_MAX {
            self.sketches.remove(0);
        }
        self.sketches.push((sketch, minute & !SKETCH_BIT));
    }

    /// Remembers an event's digests and sketch, and whether the collector spoke.
    pub fn learn(&mut self, observation: &Observation, _parameters: &Parameters, time: EventTime) {
        let minute = u32::try_from(time.0 / MINUTE_MICROS).unwrap_or(SKETCH_BIT - 1).min(SKETCH_BIT - 1);
        if let Some(sketch) = observation.sketch {
            self.keep_sketch(sketch, minute);
        }
        for digest in &observation.digests {
            if self.first_seen(*digest).is_none() {
                if self.digests.len() == DIGESTS_MAX {
                    self.digests.remove(0);
                }
                self.digests.push((*digest, minute));
            }
        }
        if observation.spoke {
            self.voice_count = self.voice_count.saturating_add(1);
            self.silent_count = 0;
        } else {
            self.silent_count = self.silent_count.saturating_add(1);
        }
    }

    /// Adds what another profile of the same worker holds.
    pub fn merge(&mut self, other: &Profile) {
        for (digest, minute) in &other.digests {
            if self.first_seen(*digest).is_none() && self.digests.len() < DIGESTS_MAX {
                self.digests.push((*digest, *minute));
            }
        }
        let room = SKETCHES_MAX.saturating_sub(self.sketches.len());
        for (sketch, minute) in other.sketches.iter().rev().take(room).rev() {
            self.keep_sketch(*sketch, *minute);
        }
        self.voice_count = self.voice_count.saturating_add(other.voice_count);
        self.silent_count = self.silent_count.min(other.silent_count);
    }

    /// One line per remembered statistic: name, effective count, median, spread.
    pub fn summaries(&self) -> Vec<(&'static str, f64, f64, f64)> {
        let silent = f64::from(self.silent_count);
        vec![("telemetry.silent_event_count", f64::from(self.voice_count) + f64::from(self.silent_count), silent, 0.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(number: u8) -> Sketch {
        of_words(u64::from(number) * 0x0101_0101_0101_0101, u64::from(number) | 7 << 32)
    }

    fn learned(numbers: std::ops::Range<u8>) -> Profile {
        let mut profile = Profile::default();
        for number in numbers {
            let seen = Observation { digests: vec![u64::from(number)], sketch: Some(sketch(number)), spoke: true };
            profile.learn(&seen, &Parameters::prior(), EventTime(i64::from(number) * 3_600_000_000));
        }
        profile
    }

    #[test]
    fn a_dozen_sketches_are_kept_and_written_down_among_the_digests() -> Result<(), postcard::Error> {
        let profile = learned(0..40);
        assert_eq!((profile.digests.len(), profile.sketches.len()), (DIGESTS_MAX, SKETCHES_MAX));
        let bytes = postcard::to_stdvec(&profile)?;
        assert_eq!(postcard::from_bytes::<Profile>(&bytes)?, profile);
        let without = postcard::to_stdvec(&Profile { sketches: Vec::new(), ..profile.clone() })?;
        assert!(bytes.len() - without.len() <= 27 * SKETCHES_MAX, "{}", bytes.len() - without.len());
        assert_eq!(profile.unsound(), None);
        Ok(())
    }

    #[test]
    fn profiles_of_before_are_read_and_half_a_sketch_is_none() -> Result<(), postcard::Error> {
        let before = (vec![(42u64, 7u32), (43, 8)], 5u32, 1u32);
        let read: Profile = postcard::from_bytes(&postcard::to_stdvec(&before)?)?;
        assert_eq!((read.digests.len(), read.sketches.len(), read.voice_count), (2, 0, 5));
        let half = (vec![(42u64, SKETCH_BIT | 7)], 5u32, 1u32);
        let read: Profile = postcard::from_bytes(&postcard::to_stdvec(&half)?)?;
        assert_eq!((read.digests.len(), read.sketches.len()), (0, 0));
        Ok(())
    }

    #[test]
    fn merging_takes_the_newest_sketches_that_fit() {
        let (mut one, other) = (learned(0..10), learned(10..30));
        one.merge(&other);
        assert_eq!(one.sketches.len(), SKETCHES_MAX);
        assert!(one.sketches.iter().any(|(known, _)| *known == sketch(29)));
    }
}
