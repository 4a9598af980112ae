//! How far the hand is told to be, by what is true: simulated people, at the machine and behind relays.

use super::challenge::Person;
use super::{Card, Random};
use crate::corpus::motion::log_normal;
use crate::fit::remote_input as fit;
use elsewhere::evidence::feature::Features;
use elsewhere::evidence::remote_input::challenge::{self as loops, Answers};
use elsewhere::risk::{Declared, Distance, Reach};
use rand::Rng;

/// Simulated people for one figure.
const PEOPLE: usize = 3_000;
/// Share of people whose hands are slow for good, as everywhere they are drawn.
const SLOW_RATE: f64 = 1.0 / 14.0;

/// Where a hand is: name of the figures, words, delay of the loop, milliseconds.
type Truth = (&'static str, &'static str, fn(&mut Random) -> f64);

const TRUTHS: [Truth; 5] = [
    ("local", "a hand at the machine", |_| 1.5),
    ("near_relay", "a sanctioned relay in the region, 10 to 90 ms of loop", |random| random.gen_range(10.0..90.0)),
    ("110", "110 ms of loop in all", |_| 110.0),
    ("180", "180 ms of loop in all", |_| 180.0),
    ("far_relay", "relays of operators, 40 to 420 ms about 160 and 12 to 120 ms of protocol", |random| {
        log_normal(random, 160.0, 0.55).clamp(40.0, 420.0) + random.gen_range(12.0..120.0)
    }),
];

/// Shares told near and far, for three and five prompts.
pub(super) fn reach_figures(card: &mut Card, random: &mut Random, seed: u64) {
    let reactions = fit::reactions_of(seed);
    for prompts in [3, 5] {
        for (name, text, delay) in TRUTHS {
            let (mut near, mut far) = (0, 0);
            for _ in 0..PEOPLE {
                let mut person = Person::new(random);
                if random.gen_bool(SLOW_RATE) {
                    person.slow_down(random);
                }
                let delays = [delay(random)];
                let answers = Answers {
                    median_millis: 0.0,
                    p10_millis: 0.0,
                    millis: person.answers(prompts, &delays, random),
                    display_millis: 0.0,
                    unanswered_count: 0,
                    anticipated_count: 0,
                    simple: true,
                };
                let hand = loops::distance_log_odds(&answers, None, &reactions);
                let told = Reach::new(None, Some(hand), &Features::default(), Declared::default());
                near += usize::from(told.distance == Distance::Near);
                far += usize::from(told.distance == Distance::Far);
            }
            for (what, count, good) in
                [("near", near, name == "local" || name == "near_relay"), ("far", far, name == "far_relay")]
            {
                let share = count as f64 / PEOPLE as f64;
                let spread = 1.96 * (share * (1.0 - share) / PEOPLE as f64).sqrt();
                card.push(
                    &format!("reach_{prompts}_{name}.told_{what}"),
                    &format!("{prompts} prompts, no past: share told to be {what}; {text}"),
                    Some(share),
                    Some(((share - spread).max(0.0), (share + spread).min(1.0))),
                    format!("{PEOPLE} sessions of {PEOPLE} people, one in fourteen slow for good"),
                    None,
                    good,
                    "simulated",
                );
            }
        }
    }
}
