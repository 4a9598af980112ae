//! A sketch of one typing sample, by which an earlier sample that comes again is known though every time was moved.
//!
//! No hand types a phrase twice alike: of a worker's last dozen logins the nearest to today's is about half as far from
//! it as the middle one, and the least of 1,929 logins of people in the sets fitted on was a fifth. A recording played
//! again with a few milliseconds of noise on every time is far nearer to what it was recorded from than any other.
//!
//! A sketch is twelve sums of the logarithms of the times, each time added or taken off by a fixed draw, in one byte
//! each. There are fewer sums than times, so no time can be solved for; distances between samples are kept as far as
//! twelve numbers can (Johnson and Lindenstrauss 1984; signs after Achlioptas 2003). A constant factor on all times
//! falls out, since the mean of the logarithms is taken off first.
//!
//! Worked example. The middle one of twelve sketches of a phrase lies 9 steps off today's, the nearest 1: 1 / 9 = .11,
//! under .14: a replay.

use crate::event::{TypingContext, TypingSample};

/// Sums of a sketch.
const SUMS: usize = 12;
/// Fewest times sketched: more than sums, by half again, so that nothing can be solved for. Eleven presses have 21.
const TIMES_MIN: usize = 20;
/// Most times sketched: the budget of a login.
const TIMES_MAX: usize = 64;
/// Coarsest clock, microseconds: on coarser ones two logins fall on the same steps by themselves.
const CLOCK_MICROS_MAX: u32 = 20_000;
/// Added to times before the logarithm, microseconds: rolled-over keys differ by chance, not in proportion.
const SHIFT_MICROS: f64 = 30_000.0;
/// Step of a stored sum: a fiftieth, in ln.
const STEP: f64 = 0.02;
/// Fewest earlier sketches of a phrase among which a nearest one means something.
const EARLIER_MIN: usize = 8;

/// Twelve sums over one sample, and of which phrase and length it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sketch {
    /// Tells samples that can be compared: phrase and number of presses, folded.
    pub(super) mark: u16,
    pub(super) sums: [i8; SUMS],
}

impl Sketch {
    /// Sketches a fixed phrase; absent for free text, shuffled, short and coarsely stamped samples.
    pub fn of(typing: &TypingSample) -> Option<Self> {
        let presses = typing.press_interval_micros.len();
        let times = typing.dwell_micros.iter().chain(typing.press_interval_micros.iter().skip(1)).copied();
        let count = (2 * presses).saturating_sub(1);
        if typing.context != TypingContext::FixedPhrase
            || typing.shuffled
            || count < TIMES_MIN
            || typing.timer_resolution_micros > CLOCK_MICROS_MAX
        {
            return None;
        }
        let stride = count.div_ceil(TIMES_MAX);
        let mut logs = [0.0; TIMES_MAX];
        let mut kept = 0;
        for (log, time) in logs.iter_mut().zip(times.step_by(stride)) {
            *log = (f64::from(time) + SHIFT_MICROS).ln();
            kept += 1;
        }
        let mean = logs[..kept].iter().sum::<f64>() / kept as f64;
        let mut sums = [0.0; SUMS];
        for (index, log) in logs[..kept].iter().enumerate() {
            let draw = signs(index as u64);
            for (at, sum) in sums.iter_mut().enumerate() {
                *sum += if draw >> at & 1 == 1 { log - mean } else { mean - log };
            }
        }
        let scale = 1.0 / (STEP * (kept as f64).sqrt());
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let folded = typing.phrase_id.bytes().fold(0xcbf2_9ce4_8422_2325 ^ presses as u64, fold);
        Some(Self {
            mark: (folded >> 48) as u16 ^ folded as u16,
            // INVARIANT: a cast from float to integer saturates.
            sums: sums.map(|sum| (sum * scale).round() as i8),
        })
    }

    /// Distance of two sketches of one phrase, squared.
    fn square_from(&self, other: &Self) -> u32 {
        let apart = |(a, b): (&i8, &i8)| u32::from(a.abs_diff(*b)).pow(2);
        self.sums.iter().zip(&other.sums).map(apart).sum()
    }

    /// How near the nearest earlier sketch of the same phrase is, beside the middle one: \[0, 1\]. Absent when too few
    /// were kept, or all are one and the same.
    pub fn nearness<'a>(&self, earlier: impl Iterator<Item = &'a Sketch>) -> Option<f64> {
        let mut squares: Vec<u32> =
            earlier.filter(|earlier| earlier.mark == self.mark).map(|earlier| self.square_from(earlier)).collect();
        if squares.len() < EARLIER_MIN {
            return None;
        }
        squares.sort_unstable();
        let (nearest, middle) = (squares[0], squares[squares.len() / 2]);
        (middle > 0).then(|| (f64::from(nearest) / f64::from(middle)).sqrt())
    }
}

/// A fixed draw of signs for a time, one bit per sum: the finisher of SplitMix64.
fn signs(index: u64) -> u64 {
    let mut draw = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    draw = (draw ^ draw >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    draw = (draw ^ draw >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    draw ^ draw >> 31
}

/// The twelve sums as three words, for the store.
pub(super) fn words(sketch: &Sketch) -> (u64, u64) {
    let byte = |at: usize| u64::from(sketch.sums[at] as u8);
    let low = (0..8).map(|at| byte(at) << (8 * at)).sum();
    let high: u64 = (8..SUMS).map(|at| byte(at) << (8 * (at - 8))).sum();
    (low, high | u64::from(sketch.mark) << 32)
}

/// The sketch of [`words`].
pub(super) fn of_words(low: u64, high: u64) -> Sketch {
    let byte = |word: u64, at: usize| (word >> (8 * at)) as u8 as i8;
    let sums = std::array::from_fn(|at| if at < 8 { byte(low, at) } else { byte(high, at - 8) });
    Sketch { mark: (high >> 32) as u16, sums }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESSES: u32 = 11;

    /// The `number`th login of a phrase: a hand's times, and what it varies by.
    fn login(number: u32) -> TypingSample {
        let draw = |at: u32, width: u32| signs(u64::from(number * 64 + at)) as u32 % width;
        TypingSample {
            context: TypingContext::FixedPhrase,
            phrase_id: "login".into(),
            press_interval_micros: (0..PRESSES)
                .map(|at| if at == 0 { 0 } else { 100_000 + at * 37 % 11 * 9_000 + draw(at, 70_000) })
                .collect(),
            dwell_micros: (0..PRESSES).map(|at| 70_000 + at * 23 % 7 * 6_000 + draw(at + 30, 40_000)).collect(),
            key_classes: Vec::new(),
            timer_resolution_micros: 1_000,
            dropped_press_count: 0,
            shuffled: false,
            insertion_count: 0,
            composition_count: 0,
        }
    }

    /// A login again, slower by `percent`, every time moved by up to `noise` either way.
    fn again(number: u32, percent: u32, noise: u32) -> TypingSample {
        let mut typing = login(number);
        let times = typing.press_interval_micros.iter_mut().skip(1).chain(&mut typing.dwell_micros);
        for (at, time) in times.enumerate() {
            *time = *time * (100 + percent) / 100 + signs(9_000 + at as u64) as u32 % (2 * noise + 1) - noise;
        }
        typing
    }

    fn nearness(typing: &TypingSample) -> Option<f64> {
        let earlier: Vec<Sketch> = (0..12).filter_map(|number| Sketch::of(&login(number))).collect();
        Sketch::of(typing)?.nearness(earlier.iter())
    }

    #[test]
    fn a_login_with_noise_and_a_constant_factor_is_known_again_and_a_new_one_is_not() {
        for percent in [0, 8] {
            assert!(nearness(&again(5, percent, 2_000)) < Some(0.14), "{:?}", nearness(&again(5, percent, 2_000)));
        }
        let new: Vec<Option<f64>> = (20..80).map(|number| nearness(&login(number))).collect();
        assert!(new.iter().all(|nearness| *nearness > Some(0.25)), "{new:?}");
    }

    #[test]
    fn too_few_and_other_phrases_and_other_lengths_are_not_compared() {
        let few: Vec<Sketch> = (0..7).filter_map(|number| Sketch::of(&login(number))).collect();
        let today = Sketch::of(&login(3));
        assert_eq!(today.and_then(|today| today.nearness(few.iter())), None);
        assert_eq!(nearness(&TypingSample { phrase_id: "other".into(), ..login(3) }), None);
        let mut longer = login(3);
        longer.press_interval_micros.push(100_000);
        longer.dwell_micros.push(80_000);
        assert_eq!(nearness(&longer), None);
        assert_eq!(nearness(&login(3)), Some(0.0));
    }

    #[test]
    fn free_text_shuffled_short_and_coarse_samples_have_no_sketch() {
        let mut short = login(1);
        short.press_interval_micros.truncate(10);
        short.dwell_micros.truncate(10);
        for typing in [
            TypingSample { context: TypingContext::FreeText, ..login(1) },
            TypingSample { shuffled: true, ..login(1) },
            TypingSample { timer_resolution_micros: 33_000, ..login(1) },
            short,
        ] {
            assert_eq!(Sketch::of(&typing), None);
        }
    }

    #[test]
    fn words_hold_a_sketch() {
        let sketch = Sketch { mark: 0xbeef, sums: [-128, -1, 0, 1, 127, 3, -3, 9, -9, 100, -100, 7] };
        let (low, high) = words(&sketch);
        assert_eq!(of_words(low, high), sketch);
    }
}
