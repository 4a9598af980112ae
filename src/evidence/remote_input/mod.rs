//! How input reached the machine: by a hand on the desk, or through a relay.
//!
//! Reads pointer motion, key timing, answers to prompts and what the endpoint reports. May not know who the worker is,
//! where the address lies or what other workers do. Passive timing is read by its differences only: a constant delay is
//! invisible to it, and only a closed loop (a prompt and its answer) can see one.
//!
//! Worked example: 50 moves whose gaps are 24 ms for an 8 ms mouse, a quarter of them in bunches, give `pointer` = +4
//! nats; five answers 180 ms beyond what people take give `loop` = +4; a KVM's USB identity adds +1.7 as `device`.
//! The family's log-likelihood ratio is their sum; the model caps it.

pub mod challenge;
pub mod compare;
pub mod endpoint;
pub mod forest;
pub mod habits;
pub mod keys;
pub mod machine;
pub mod motion;
pub mod observe;
pub mod pointer;
pub mod profile;
pub mod reach;
pub mod windows;

pub use compare::{accepts, compare, loop_rtt_interval};
pub use motion::MotionCourse;
pub use observe::{Observation, observe};
pub use profile::Profile;
pub use reach::{control_log_odds, distance_log_odds};

use serde::{Deserialize, Serialize};

/// 5 and 95 % of a measurement over local people, in the unit of its feature.
pub type Range = (f64, f64);

/// What local sessions of the population show, for display beside a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    /// Median gap between moves, microseconds.
    pub pointer_gap_median_micros: Range,
    /// Share of gaps of at most 1 ms.
    pub pointer_burst_rate: Range,
    /// 10 % of dwells, microseconds.
    pub dwell_p10_micros: Range,
    /// 90 % of dwells, microseconds.
    pub dwell_p90_micros: Range,
    /// Share of dwells of at most 5 ms.
    pub dwell_short_rate: Range,
    /// Share of presses within 3 ms of the one before.
    pub press_burst_rate: Range,
    /// Median of one trial's noise about a person's location, microseconds.
    pub reaction_noise_median_micros: f64,
}

/// Everything fitted of this family; part of a model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Transport of raw moves.
    pub pointer_raw: forest::Forest,
    /// Transport of frame-coalesced moves.
    pub pointer_coalesced: forest::Forest,
    /// Transport of gaps without steps.
    pub pointer_cadence: forest::Forest,
    /// Transport of keys, its comb left out.
    pub keys: forest::Forest,
    /// Comb strength from which a comb counts as present, in (0, 1].
    pub comb_present: f64,
    /// Nats of a comb wholly lost, by a prior of keyboards; not negative.
    pub comb_lost_log_odds: f64,
    /// Nats of a comb by its strength, knots even from 0 to 1, falling, never under 0; older models have none and go by
    /// the two numbers above.
    #[serde(default)]
    pub comb_log_odds: Vec<f64>,
    /// Calibration of forest and comb together: nats = first + second x their sum.
    #[serde(default = "unchanged")]
    pub key_line: (f64, f64),
    /// Nats of dwells that end by themselves.
    pub auto_release_log_odds: f64,
    /// Relays and machines that pointer training cannot have seen.
    pub pointer_doubt: forest::Doubt,
    /// The same of keys.
    pub key_doubt: forest::Doubt,
    /// Reactions and relay delays.
    pub reactions: challenge::Reactions,
    /// What local sessions show.
    pub usual: Usual,
}

/// The line of models whose keys were calibrated by the forest alone.
fn unchanged() -> (f64, f64) {
    (0.0, 1.0)
}

impl Parameters {
    /// What is wrong with these numbers, if anything.
    pub fn check(&self) -> Result<(), String> {
        self.pointer_raw.check("pointer_raw", pointer::MEASUREMENTS)?;
        self.pointer_coalesced.check("pointer_coalesced", pointer::MEASUREMENTS)?;
        self.pointer_cadence.check("pointer_cadence", pointer::MEASUREMENTS)?;
        self.keys.check("keys", keys::MEASUREMENTS)?;
        self.reactions.check()?;
        if !(self.comb_present > 0.0 && self.comb_present <= 1.0) {
            return Err("comb_present must lie in (0, 1]".into());
        }
        for (name, value) in
            [("comb_lost_log_odds", self.comb_lost_log_odds), ("auto_release_log_odds", self.auto_release_log_odds)]
        {
            if !(0.0..=20.0).contains(&value) {
                return Err(format!("{name} must lie between 0 and 20 nats"));
            }
        }
        if self.comb_log_odds.len() == 1
            || self.comb_log_odds.iter().any(|nats| !(0.0..=20.0).contains(nats))
            || self.comb_log_odds.windows(2).any(|two| two[1] > two[0])
        {
            return Err("comb_log_odds must be none or two and more falling numbers between 0 and 20 nats".into());
        }
        if !(self.key_line.0.abs() <= 10.0 && self.key_line.1 > 0.0 && self.key_line.1 <= 10.0) {
            return Err("key_line must be a rising line within 10 nats of the origin".into());
        }
        self.pointer_doubt.check("pointer_doubt")?;
        self.key_doubt.check("key_doubt")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{
        ChallengeUnchecked, ClaimUnchecked, DeviceUnchecked, EventUnchecked, PointerUnchecked, RemoteInputUnchecked,
        Rules, Samples, TablePolicy, TimestampUnchecked, TypingUnchecked, Violations,
    };
    use crate::evidence::feature::{CoverageStatus, FeatureId, Features, Finding};

    fn parameters() -> Parameters {
        let forest =
            |measurement_count| forest::Forest { measurement_count, trees: Vec::new(), intercept: 2.0, slope: 1.0 };
        let doubt = forest::Doubt { unseen_relay_rate: 0.05, odd_machine_rate: 0.01 };
        Parameters {
            pointer_raw: forest(pointer::MEASUREMENTS),
            pointer_coalesced: forest(pointer::MEASUREMENTS),
            pointer_cadence: forest(pointer::MEASUREMENTS),
            keys: forest(keys::MEASUREMENTS),
            comb_present: 0.4,
            comb_lost_log_odds: 0.5,
            comb_log_odds: Vec::new(),
            key_line: unchanged(),
            auto_release_log_odds: 5.0,
            pointer_doubt: doubt,
            key_doubt: doubt,
            reactions: challenge::tests::reactions(),
            usual: Usual {
                pointer_gap_median_micros: (1e3, 16e3),
                pointer_burst_rate: (0.0, 0.1),
                dwell_p10_micros: (5e4, 1e5),
                dwell_p90_micros: (8e4, 2e5),
                dwell_short_rate: (0.0, 0.01),
                press_burst_rate: (0.0, 0.01),
                reaction_noise_median_micros: 36e3,
            },
        }
    }

    fn samples(change: impl FnOnce(&mut EventUnchecked)) -> Samples {
        let mut event = EventUnchecked {
            event_id: "e".into(),
            worker_id: "w".into(),
            event_time: Some(TimestampUnchecked { seconds: 1_000_000, nanos: 0 }),
            activity: 1,
            ..Default::default()
        };
        change(&mut event);
        let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::Refused };
        let mut violations = Violations::default();
        match event.check("event", &rules, &mut violations) {
            Some(event) => event.samples,
            None => panic!("the sample does not pass the check: {violations:?}"),
        }
    }

    fn pointer(event: &mut EventUnchecked) {
        event.pointer = Some(PointerUnchecked {
            interval_micros: (0..50).map(|at| if at == 0 { 0 } else { 8_000 }).collect(),
            delta_x: (0..50).map(|at| i32::from(at > 0) * 4).collect(),
            delta_y: vec![0; 50],
            timer_resolution_micros: 1_000,
            source: 1,
            button_down_indexes: vec![],
        });
    }

    fn typing(event: &mut EventUnchecked) {
        event.typing = Some(TypingUnchecked {
            context: 1,
            press_interval_micros: (0..60).map(|at| if at == 0 { 0 } else { 150_000 }).collect(),
            dwell_micros: vec![96_000; 60],
            timer_resolution_micros: 1_000,
            ..Default::default()
        });
    }

    fn answers(event: &mut EventUnchecked, millis: [u32; 5]) {
        let reaction_micros = millis.iter().map(|reaction| reaction * 1_000).collect();
        event.challenge = Some(ChallengeUnchecked { reaction_micros, kind: 1, refresh_rate_millihertz: 0 });
    }

    fn score(samples: &Samples, profile: &Profile, finding: Finding) -> Option<f64> {
        let mut features = Features::default();
        compare(&observe(samples), profile, samples.claim.as_ref(), &parameters(), &mut features);
        features.get(finding.score())
    }

    #[test]
    fn late_answers_speak_for_a_relay_and_prompt_ones_against() {
        let late = samples(|event| answers(event, [480, 500, 470, 520, 490]));
        let prompt = samples(|event| answers(event, [270, 290, 260, 310, 280]));
        let finding = Finding::RemoteInputLoop;
        assert!(score(&late, &Profile::default(), finding).is_some_and(|score| score > 3.0));
        assert!(score(&prompt, &Profile::default(), finding).is_some_and(|score| score < -1.0));
    }

    #[test]
    fn a_slow_person_is_not_late_by_their_own_past() {
        let slow = samples(|event| answers(event, [380, 400, 370, 420, 390]));
        let mut profile = Profile::default();
        for day in 1..=6 {
            profile.learn(&observe(&slow), None, &parameters(), crate::event::EventTime(day * 86_400_000_000));
        }
        let finding = Finding::RemoteInputLoop;
        let (stranger, known) = (score(&slow, &Profile::default(), finding), score(&slow, &profile, finding));
        assert!(stranger.is_some_and(|score| score > 0.5), "{stranger:?}");
        assert!(known.is_some_and(|score| score < -1.0), "{known:?}");
    }

    #[test]
    fn the_delay_interval_holds_the_delay() {
        let late = samples(|event| answers(event, [480, 500, 470, 520, 490]));
        let interval = loop_rtt_interval(&observe(&late), &Profile::default(), &parameters());
        // Location about 480 against 245: some 235 ms, give or take people.
        assert!(interval.is_some_and(|(low, high)| low < 220_000 && high > 220_000 && high < 400_000), "{interval:?}");
        assert_eq!(loop_rtt_interval(&observe(&samples(pointer)), &Profile::default(), &parameters()), None);
    }

    #[test]
    fn sanctioned_remote_access_silences_transport_and_keeps_the_loop() {
        let sanctioned = samples(|event| {
            pointer(event);
            typing(event);
            answers(event, [320, 340, 330, 350, 330]);
            event.claim =
                Some(ClaimUnchecked { region_code: "US".into(), remote_access_sanctioned: true, ..Default::default() });
        });
        let profile = Profile::default();
        assert_eq!(score(&sanctioned, &profile, Finding::RemoteInputPointer), None);
        assert_eq!(score(&sanctioned, &profile, Finding::RemoteInputKey), None);
        let plain = samples(|event| answers(event, [320, 340, 330, 350, 330]));
        let (near, here) =
            (score(&sanctioned, &profile, Finding::RemoteInputLoop), score(&plain, &profile, Finding::RemoteInputLoop));
        assert!(near.zip(here).is_some_and(|(near, here)| near < here), "{near:?} {here:?}");
    }

    fn claim(event: &mut EventUnchecked, sanctioned: bool, assisted: bool) {
        event.claim = Some(ClaimUnchecked {
            region_code: "US".into(),
            remote_access_sanctioned: sanctioned,
            assistive_technology: assisted,
            ..Default::default()
        });
    }

    /// Nats of remote control and of a far hand.
    fn reach(samples: &Samples) -> (Option<f64>, Option<f64>) {
        let (observation, profile, parameters) = (observe(samples), Profile::default(), parameters());
        let mut features = Features::default();
        compare(&observation, &profile, samples.claim.as_ref(), &parameters, &mut features);
        let control = control_log_odds(&observation, &features, samples.claim.as_ref(), &parameters);
        (control, distance_log_odds(&observation, &profile, samples.claim.as_ref(), &parameters))
    }

    #[test]
    fn remote_control_and_distance_are_told_alike_whether_or_not_they_are_sanctioned() {
        let of = |sanctioned| {
            reach(&samples(|event| {
                pointer(event);
                typing(event);
                answers(event, [330, 350, 320, 360, 340]);
                claim(event, sanctioned, false);
            }))
        };
        assert_eq!(of(true), of(false));
        let (control, far) = of(true);
        // Both bare forests say 2.0; doubt tempers it, and 60 presses of 200 leave sqrt(.3) of the keys': 1.9 and 1.0.
        assert!(control.is_some_and(|control| (2.6..3.2).contains(&control)), "{control:?}");
        assert!(far.is_some(), "{far:?}");
    }

    #[test]
    fn a_near_relay_is_near_and_an_ocean_is_far() {
        let far = |millis| reach(&samples(|event| answers(event, millis))).1;
        let (here, near, abroad) =
            (far([270, 290, 260, 310, 280]), far([310, 330, 300, 350, 320]), far([580, 600, 570, 620, 590]));
        assert!(here.zip(near).is_some_and(|(here, near)| here < near && near < -1.0), "{here:?} {near:?}");
        assert!(abroad.is_some_and(|abroad| abroad > 3.0), "{abroad:?}");
    }

    #[test]
    fn a_display_explains_what_it_adds_and_moves_what_is_expected_beside_the_answers() {
        let of = |refresh_rate_millihertz| {
            let seen = samples(|event| {
                answers(event, [380, 400, 370, 420, 390]);
                if let Some(challenge) = &mut event.challenge {
                    challenge.refresh_rate_millihertz = refresh_rate_millihertz;
                }
            });
            let mut features = Features::default();
            compare(&observe(&seen), &Profile::default(), None, &parameters(), &mut features);
            let median = FeatureId::RemoteInputReactionMedianMicros;
            let high = features.expectation(median).and_then(|expected| expected.high);
            (features.get(Finding::RemoteInputLoop.score()), features.get(median), high)
        };
        let (usual, slow, fast) = (of(60_000), of(30_000), of(144_000));
        assert_eq!(of(0), usual, "unknown is taken as 60 Hz");
        assert!(slow.0 < usual.0 && usual.0 < fast.0, "{slow:?} {usual:?} {fast:?}");
        assert_eq!((slow.1, fast.1), (usual.1, usual.1), "what was measured is told as it was measured");
        assert!(slow.2 > usual.2 && usual.2 > fast.2);
    }

    #[test]
    fn a_session_the_system_reports_is_remote_however_local_it_looks() {
        let of = |reported, path| {
            let seen = samples(|event| {
                event.remote_input = Some(RemoteInputUnchecked {
                    remote_session_reported: reported,
                    input_path: path,
                    ..Default::default()
                });
            });
            reach(&seen).0
        };
        assert!(of(Some(true), 0).is_some_and(|nats| nats >= 5.0) && of(None, 5).is_some_and(|nats| nats >= 5.0));
        // That nothing is reported clears nobody: a KVM does not report itself.
        assert_eq!(of(Some(false), 2), Some(0.0));
    }

    #[test]
    fn with_assistive_technology_only_what_the_endpoint_reports_is_told() {
        let told = reach(&samples(|event| {
            pointer(event);
            typing(event);
            answers(event, [480, 500, 470, 520, 490]);
            claim(event, false, true);
        }));
        assert_eq!(told, (None, None));
    }

    #[test]
    fn assistive_technology_abstains() {
        let assisted = samples(|event| {
            pointer(event);
            typing(event);
            answers(event, [480, 500, 470, 520, 490]);
            event.claim =
                Some(ClaimUnchecked { region_code: "US".into(), assistive_technology: true, ..Default::default() });
        });
        let mut features = Features::default();
        let profile = Profile::default();
        let coverage = compare(&observe(&assisted), &profile, assisted.claim.as_ref(), &parameters(), &mut features);
        assert_eq!(coverage.status, CoverageStatus::Abstained);
        assert!(Finding::ALL.iter().all(|finding| features.get(finding.score()).is_none()));
    }

    fn endpoint(event: &mut EventUnchecked) {
        event.device = Some(DeviceUnchecked {
            // A gadget that is keyboard and storage at once.
            peripherals: vec![(0x1d6b, 0x0104, 1), (0x1d6b, 0x0104, 5)],
            ..Default::default()
        });
        event.remote_input = Some(RemoteInputUnchecked {
            injected_event_count: Some(90),
            event_count: 100,
            input_path: 4,
            remote_control_programs: vec!["anydesk".into()],
            ..Default::default()
        });
    }

    #[test]
    fn facts_of_the_endpoint_are_told_and_fall_silent_where_sanctioned() {
        let of = |sanctioned: bool, finding| {
            let samples = samples(|event| {
                endpoint(event);
                event.claim = Some(ClaimUnchecked {
                    region_code: "US".into(),
                    remote_access_sanctioned: sanctioned,
                    ..Default::default()
                });
            });
            score(&samples, &Profile::default(), finding)
        };
        for finding in [Finding::RemoteInputDevice, Finding::RemoteInputSoftware] {
            assert!(of(false, finding).is_some_and(|score| (1.0..=2.5).contains(&score)), "{finding:?}");
            assert_eq!(of(true, finding), None);
        }
    }

    #[test]
    fn assistive_technology_injects_and_is_not_told_for_it() {
        let of = |assisted: bool, programs: &[&str]| {
            let samples = samples(|event| {
                endpoint(event);
                if let Some(remote) = &mut event.remote_input {
                    remote.remote_control_programs = programs.iter().map(|name| name.to_string()).collect();
                }
                event.claim = Some(ClaimUnchecked {
                    region_code: "US".into(),
                    assistive_technology: assisted,
                    ..Default::default()
                });
            });
            score(&samples, &Profile::default(), Finding::RemoteInputSoftware)
        };
        assert!(of(false, &[]).is_some_and(|score| score > 1.0));
        assert_eq!(of(true, &[]), Some(0.0));
        // A remote-control program is none of it: 2.5 x tanh(1.2 / 2.5).
        assert!(of(true, &["anydesk"]).is_some_and(|score| (score - 1.115).abs() < 0.01));
    }

    #[test]
    fn loops_of_ordinary_work_alone_say_a_fraction_of_a_nat() {
        let working = |millis: u32, sanctioned| {
            samples(|event| {
                event.remote_input = Some(RemoteInputUnchecked {
                    natural_loop_micros: vec![millis * 1_000; 8],
                    correction_micros: vec![millis * 1_000; 8],
                    timer_resolution_micros: 1_000,
                    ..Default::default()
                });
                event.claim = Some(ClaimUnchecked {
                    region_code: "US".into(),
                    remote_access_sanctioned: sanctioned,
                    ..Default::default()
                });
            })
        };
        let of = |samples: &Samples| score(samples, &Profile::default(), Finding::RemoteInputHabits);
        let (prompt, late) = (of(&working(420, false)), of(&working(900, false)));
        assert!(late > prompt && late.is_some_and(|score| score <= 0.7), "{prompt:?} {late:?}");
        assert_eq!(of(&working(900, true)), None);
    }

    #[test]
    fn a_jiggler_known_by_its_rests_is_told_though_no_gap_repeats() {
        let jiggling = samples(|event| {
            event.pointer = Some(PointerUnchecked {
                // 47 to 73 s, never the same twice.
                interval_micros: (0..20)
                    .map(|at| if at == 0 { 0 } else { 47_000_000 + at * 7 % 20 * 600_000 })
                    .collect(),
                delta_x: (0..20).map(|at| i32::from(at > 0) * (1 + at % 3)).collect(),
                delta_y: vec![0; 20],
                timer_resolution_micros: 1_000,
                source: 1,
                button_down_indexes: vec![],
            });
        });
        assert!(score(&jiggling, &Profile::default(), Finding::RemoteInputMachine).is_some_and(|score| score > 1.5));
    }

    #[test]
    fn nothing_collected_is_absent() {
        let mut features = Features::default();
        let coverage = compare(&observe(&samples(|_| {})), &Profile::default(), None, &parameters(), &mut features);
        assert_eq!(coverage.status, CoverageStatus::Absent);
        assert_eq!(features.taken().count(), 0);
    }

    #[test]
    fn a_relayed_session_does_not_teach() {
        let late = samples(|event| answers(event, [480, 500, 470, 520, 490]));
        let mut features = Features::default();
        let observation = observe(&late);
        compare(&observation, &Profile::default(), None, &parameters(), &mut features);
        assert!(!accepts(&observation, &features, &Profile::default(), &parameters()));
    }

    #[test]
    fn a_comb_that_is_present_adds_nothing_and_a_lost_one_adds() {
        let window = |comb| keys::Window {
            measurements: [0.0; keys::MEASUREMENTS],
            comb,
            dwell_millis: [70.0, 120.0],
            short_rate: 0.0,
            press_burst_rate: 0.0,
            dwell_count: 200,
        };
        let score = |comb| compare::key_log_odds(&[window(comb)], None, &parameters());
        let doubt = parameters().key_doubt;
        // The bare forest says 2.0; a lost comb adds .5.
        assert_eq!(score(1.0), doubt.temper(2.0));
        assert_eq!(score(0.0), doubt.temper(2.5));
    }

    #[test]
    fn a_jiggler_is_told_by_its_pattern() {
        let jiggling = samples(|event| {
            event.pointer = Some(PointerUnchecked {
                interval_micros: (0..40).map(|at| if at == 0 { 0 } else { 100_000 + at % 3 * 1_000 }).collect(),
                delta_x: (0..40)
                    .map(|at| {
                        if at == 0 {
                            0
                        } else if at % 2 == 0 {
                            10
                        } else {
                            -10
                        }
                    })
                    .collect(),
                delta_y: (0..40)
                    .map(|at| {
                        if at == 0 {
                            0
                        } else if at % 2 == 0 {
                            10
                        } else {
                            -10
                        }
                    })
                    .collect(),
                timer_resolution_micros: 1_000,
                source: 1,
                button_down_indexes: vec![],
            });
        });
        assert!(score(&jiggling, &Profile::default(), Finding::RemoteInputMachine).is_some_and(|score| score > 1.5));
        assert_eq!(score(&samples(pointer), &Profile::default(), Finding::RemoteInputMachine), None);
    }
}
