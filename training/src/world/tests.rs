use super::*;
use elsewhere::event::{Rules, TablePolicy, Violations};
use std::collections::{BTreeSet, HashSet};

const RULES: Rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };

fn spec(seed: u64, benign: usize, hostile: usize, days: u32, tier: Tier) -> Spec {
    world_spec(seed, benign, hostile, days, tier).expect("sound parameters")
}

fn example(seed: u64) -> Spec {
    example_company(seed).expect("sound parameters")
}

fn small_world(tier: Tier) -> Spec {
    Spec { people: Scenario::ALL.iter().map(|scenario| (*scenario, 2)).collect(), ..spec(7, 1, 1, 6, tier) }
}

fn check_all(spec: &Spec) -> usize {
    let mut ids = HashSet::new();
    let mut before = None;
    let mut count = 0;
    for made in simulate(spec) {
        let mut violations = Violations::default();
        let id = made.event.event_id.clone();
        assert!(ids.insert(id), "event ids repeat");
        let event = made.event.check("event", &RULES, &mut violations);
        assert!(violations.none(), "seed {}, {:?}: {violations}", spec.seed, made.scenario);
        let Some(event) = event else { panic!("no violation and no event") };
        assert!(before <= Some(event.samples.time), "out of order");
        assert!(event.samples.time >= spec.start);
        assert!(event.samples.time.days_since(spec.start) <= f64::from(spec.days));
        before = Some(event.samples.time);
        count += 1;
    }
    count
}

#[test]
fn every_event_of_every_scenario_and_tier_passes_the_check_in_order_of_time() {
    for tier in Tier::ALL {
        for seed in 7..10 {
            let spec = Spec { seed, ..small_world(tier) };
            assert!(check_all(&spec) > Scenario::ALL.len() * 2 * 8);
        }
    }
    check_all(&Spec { tables: true, varied: false, ..small_world(Tier::Endpoint) });
}

#[test]
fn the_same_seed_gives_the_same_events_and_another_seed_others() {
    let spec = example(3);
    let once: Vec<SimulatedEvent> = simulate(&spec).collect();
    let again: Vec<SimulatedEvent> = simulate(&spec).collect();
    assert_eq!(once, again);
    let other: Vec<SimulatedEvent> = simulate(&example(4)).collect();
    assert_ne!(once[0].event.worker_id, other[0].event.worker_id);
}

#[test]
fn the_example_has_twenty_two_workers_and_four_weeks() {
    let events: Vec<SimulatedEvent> = simulate(&example(1)).collect();
    let truth = truth(&events);
    assert_eq!(truth.len(), 22);
    assert_eq!(truth.values().filter(|scenario| **scenario == Scenario::KvmFarm).count(), 3);
    assert!((600..1_300).contains(&events.len()), "{}", events.len());
}

/// What of a sample is there, and how it is written, without its values.
fn shape(made: &SimulatedEvent) -> String {
    let event = &made.event;
    let network = event.network.clone().unwrap_or_default();
    let device = event.device.clone().unwrap_or_default();
    let remote = event.remote_input.clone().unwrap_or_default();
    let claim = event.claim.clone().unwrap_or_default();
    let place = claim.place.unwrap_or_default();
    format!(
        "{} {} {} {} {:?} {} {} {} {} {} {} {} {} {} {} {} {}",
        event.event_id.len(),
        event.worker_id.len(),
        event.session_id.len(),
        event.activity,
        event.collector.as_ref().map(|collector| collector.name.clone()),
        event
            .timezone
            .as_ref()
            .is_some_and(|zone| zone.utc_offset_minutes.is_some() && zone.clock_skew_millis.is_some()),
        network.ip_token.len(),
        network.site_tokens.len(),
        network.tcp_rtt_micros.len(),
        network.application_rtt_micros.len(),
        network.anonymizer_detected.is_some(),
        device.display_token.len(),
        device.display_count.is_some(),
        remote.injected_event_count.is_some(),
        claim.shipping_token.len(),
        (place.latitude_degrees * 100.0).fract().abs().min(1.0 - (place.latitude_degrees * 100.0).fract().abs()) < 1e-6,
        event.typing.as_ref().map_or(0, |typing| typing.phrase_id.len()),
    )
}

#[test]
fn hostile_events_have_the_shapes_of_home_workers() {
    let people = vec![
        (Scenario::HomeWorker, 40),
        (Scenario::KvmFarm, 9),
        (Scenario::SoftwareFarm, 9),
        (Scenario::ProxiedOperator, 9),
        (Scenario::ManyPersonas, 9),
        (Scenario::ShiftedOperator, 9),
        (Scenario::Handover, 9),
    ];
    let events: Vec<SimulatedEvent> =
        simulate(&Spec { people, varied: false, ..spec(5, 1, 1, 14, Tier::Linkage) }).collect();
    let shapes = |hostile: bool| -> BTreeSet<String> {
        events.iter().filter(|made| made.scenario.hostile() == hostile).map(shape).collect()
    };
    assert_eq!(shapes(true), shapes(false));
    // Optional samples are as frequent on both sides: shares differ by less than five standard errors.
    for name in ["typing", "pointer", "challenge"] {
        let present = |event: &EventUnchecked| match name {
            "typing" => event.typing.is_some(),
            "pointer" => event.pointer.is_some(),
            _ => event.challenge.is_some(),
        };
        let share = |hostile: bool| {
            let side: Vec<bool> = events
                .iter()
                .filter(|made| made.scenario.hostile() == hostile && made.event.activity == 1)
                .map(|made| present(&made.event))
                .collect();
            (side.iter().filter(|there| **there).count() as f64 / side.len() as f64, side.len() as f64)
        };
        let ((a, n), (b, m)) = (share(true), share(false));
        let error = (a * (1.0 - a) / n + b * (1.0 - b) / m).sqrt();
        assert!((a - b).abs() <= 5.0 * error + 1e-9, "{name}: {a} of {n} against {b} of {m}");
    }
}

#[test]
fn a_farm_shares_its_address_and_claims_more_than_one_state() {
    let events: Vec<SimulatedEvent> = simulate(&example(1)).filter(|made| made.scenario == Scenario::KvmFarm).collect();
    let mut first_tokens = BTreeSet::new();
    let mut states = BTreeSet::new();
    for made in &events {
        let network = made.event.network.clone().unwrap_or_default();
        first_tokens.extend(network.site_tokens.first().cloned());
        states.extend(made.event.claim.clone().map(|claim| claim.subdivision_code));
    }
    assert_eq!(first_tokens.len(), 1);
    assert!(states.len() > 1);
}

#[test]
fn a_proxied_operator_answers_later_than_the_address_and_a_home_worker_does_not() {
    let least = |values: &[u32]| values.iter().copied().min().unwrap_or(0);
    for made in simulate(&example(2)) {
        let network = made.event.network.clone().unwrap_or_default();
        let gap = i64::from(least(&network.application_rtt_micros)) - i64::from(least(&network.tcp_rtt_micros));
        match made.scenario {
            Scenario::ProxiedOperator => assert!(gap > 90_000, "{gap}"),
            Scenario::HomeWorker => assert!(gap < 40_000, "{gap}"),
            _ => {}
        }
    }
}

#[test]
fn the_mix_of_a_world_is_that_of_the_catalogue() {
    let spec = spec(1, 1_000, 200, 28, Tier::Endpoint);
    let count =
        |wanted: Scenario| spec.people.iter().find(|(scenario, _)| *scenario == wanted).map_or(0, |(_, count)| *count);
    assert_eq!((count(Scenario::HomeWorker), count(Scenario::InputMethod)), (440, 20));
    assert_eq!(spec.people.iter().filter(|(scenario, _)| !scenario.hostile()).map(|(_, n)| n).sum::<usize>(), 1_000);
    for scenario in Scenario::ALL.iter().copied().filter(|scenario| scenario.hostile()) {
        assert_eq!(count(scenario), 10);
    }
}

#[test]
fn below_linkage_no_two_workers_share_a_token() {
    for (tier, shared) in [(Tier::Endpoint, false), (Tier::Linkage, true)] {
        let people = vec![(Scenario::Couple, 4), (Scenario::KvmFarm, 6)];
        let events = simulate(&Spec { people, varied: false, ..spec(3, 1, 1, 5, tier) });
        let mut holders: BTreeMap<Vec<u8>, BTreeSet<String>> = BTreeMap::new();
        for made in events {
            let network = made.event.network.unwrap_or_default();
            let device = made.event.device.unwrap_or_default();
            for token in network.site_tokens.into_iter().chain([network.ip_token, device.display_token]) {
                holders.entry(token).or_default().insert(made.event.worker_id.clone());
            }
        }
        assert_eq!(holders.values().any(|workers| workers.len() > 1), shared, "{}", tier.name());
    }
}

#[test]
fn a_tape_is_played_again_to_the_microsecond() {
    let people = vec![(Scenario::TamperedCollector, 12)];
    let events: Vec<SimulatedEvent> =
        simulate(&Spec { people, varied: false, ..spec(4, 1, 1, 28, Tier::Endpoint) }).collect();
    let mut seen: BTreeMap<(String, Vec<u32>), usize> = BTreeMap::new();
    for made in &events {
        if let Some(typing) = &made.event.typing {
            *seen.entry((made.event.worker_id.clone(), typing.press_interval_micros.clone())).or_default() += 1;
        }
    }
    assert!(seen.values().any(|count| *count > 1));
}

#[test]
fn a_lag_that_rises_by_two_milliseconds_a_day_is_a_hundred_more_after_seven_weeks() {
    let people = vec![(Scenario::SlowPoison, 20)];
    let least = |from: i64, until: i64| {
        let spec = Spec { people: people.clone(), ..spec(6, 1, 1, 56, Tier::Endpoint) };
        let days = |made: &SimulatedEvent| {
            (made.event.event_time.map_or(0, |at| at.seconds) * 1_000_000 - spec.start.0) / DAY_MICROS
        };
        let loops: Vec<f64> = simulate(&spec)
            .filter(|made| (from..until).contains(&days(made)))
            .flat_map(|made| made.event.challenge.map_or(Vec::new(), |challenge| challenge.reaction_micros))
            .map(f64::from)
            .collect();
        let mut sorted = loops;
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let (first, last) = (least(0, 5), least(51, 56));
    assert!((60_000.0..150_000.0).contains(&(last - first)), "{first} {last}");
}

#[test]
fn the_example_is_the_one_in_the_repository() {
    use std::io::Read;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/company.ndjson.gz");
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("the example is part of the repository");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    for (line, made) in text.lines().zip(simulate(&example(1))) {
        let made = crate::convert::line(&made.event, crate::request::Update::IfTrusted).expect("a line");
        assert_eq!(line, made);
    }
}

#[test]
fn a_truth_table_has_a_line_a_worker() {
    let events: Vec<SimulatedEvent> = simulate(&example(1)).collect();
    let mut out = Vec::new();
    assert!(write_truth(&truth(&events), &mut out).is_ok());
    assert_eq!(String::from_utf8_lossy(&out).lines().count(), 23);
}

/// Which story each worker lives.
fn truth(events: &[SimulatedEvent]) -> BTreeMap<String, Scenario> {
    events.iter().map(|made| (made.event.worker_id.clone(), made.scenario)).collect()
}
