use super::apply::{Change, apply};
use super::command::searched;
use super::page::rewritten;
use super::powers::{Cost, Level, Powers};
use super::report::Report;
use super::search::Plan;
use super::trial::Size;
use crate::world::path::Means;
use crate::world::person::{Person, Seating};
use crate::world::{Scenario, Spec, Tier, simulate_prepared, world_spec};
use elsewhere::model::ModelFile;
use std::path::Path;

fn shipped() -> ModelFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/session-risk-1");
    crate::load(&path).expect("the shipped model")
}

/// A model that hears nothing but `finding`, and flags for a day of it.
fn hearing(finding: &str) -> ModelFile {
    let mut file = shipped();
    for term in file.additive.terms.iter_mut().filter(|term| term.finding != finding) {
        term.weight = 0.0;
    }
    file.standing.findings.retain(|entry| entry.finding == finding);
    assert_eq!(file.standing.findings.len(), 1, "{finding} counts in the shipped model");
    file.standing.threshold_log_odds = 3.0;
    file
}

/// The shipped powers of these ids, each at one level, all at the same price but for the first.
fn powers(ids: &[(Change, f64, f64)]) -> Powers {
    let mut powers = Powers::shipped().expect("sound");
    powers.all.retain(|power| ids.iter().any(|(id, ..)| *id == power.id));
    assert_eq!(powers.all.len(), ids.len());
    for power in &mut powers.all {
        let (_, value, money) = ids.iter().find(|(id, ..)| *id == power.id).copied().expect("retained");
        power.levels = vec![Level { value, cost: Cost { money, ..Cost::default() } }];
    }
    powers
}

fn small() -> Plan {
    Plan { size: Size { honest: 2, days: 9 }, rounds: vec![1], fresh: 1, steps: 1, companies: 8 }
}

fn report(file: &ModelFile, powers: &Powers, seed: u64) -> Report {
    let ground = (seed, Tier::Linkage);
    searched(file, powers, ground, &[Scenario::KvmFarm], &small(), "test".into(), &|_, _| {}).expect("searched")
}

#[test]
fn without_powers_there_is_no_evasion_of_a_model_that_finds() {
    let none = Powers { all: Vec::new(), ..Powers::shipped().expect("sound") };
    let one = report(&shipped(), &none, 3).scenarios.remove(0);
    assert!(one.unaided.share > 0.5, "{:?}", one.unaided);
    assert_eq!((one.cheapest, one.nearest, one.tampered, one.declared), (None, None, None, None));
    assert!(!one.unaided_reasons.is_empty());
}

#[test]
fn the_hole_of_a_weakened_model_is_found_and_nothing_is_bought_besides() {
    // Of all findings only the site is left: a home of its own for every laptop is the hole. What relays show is cheaper
    // to hide, and hides nothing here.
    let all = [(Change::OwnHome, 1.0, 300.0), (Change::Playout, 100.0, 5.0), (Change::SpoofedDevices, 1.0, 5.0)];
    let found = report(&hearing("crowd.site"), &powers(&all), 5).scenarios.remove(0);
    assert!(found.unaided.share > 0.2, "{:?}", found.unaided);
    let cheapest = found.cheapest.expect("a way past it");
    let taken: Vec<Change> = cheapest.powers.iter().map(|one| one.power).collect();
    assert_eq!(taken, [Change::OwnHome], "{cheapest:?}");
    assert_eq!((cheapest.dollars, cheapest.flagged.flagged), (300.0, 0));
}

#[test]
fn the_same_seed_finds_the_same_and_another_seed_meets_others() {
    let (file, powers) = (hearing("crowd.site"), powers(&[(Change::OwnHome, 1.0, 300.0)]));
    let (once, again) = (report(&file, &powers, 7), report(&file, &powers, 7));
    assert_eq!(once, again);
    let text = serde_json::to_string(&once).expect("JSON");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("read back"), once);
    assert_ne!(report(&file, &powers, 8).scenarios[0].unaided_reasons, once.scenarios[0].unaided_reasons);
}

#[test]
fn a_page_has_its_tables_replaced_and_its_words_kept() {
    let none = Powers { all: Vec::new(), ..Powers::shipped().expect("sound") };
    let report = Report::new("m", "training red-team".into(), (1, Tier::Linkage), &none);
    let page = "# Page\n<!-- red-team: measured -->\nold\n<!-- end -->\n<!-- red-team: scenarios -->\n<!-- end -->\nwords\n\
                <!-- red-team: mistakes -->\n<!-- end -->\n<!-- red-team: powers -->\n<!-- end -->\n";
    let once = rewritten(page, &report).expect("markers");
    assert!(once.contains("Measured against `m`") && once.contains("\nwords\n") && !once.contains("old"));
    assert_eq!(rewritten(&once, &report).expect("markers"), once);
    assert!(rewritten("# Page\n", &report).is_err_and(|error| error.contains("red-team: measured")));
}

fn spec(scenario: Scenario) -> Spec {
    let spec = world_spec(11, 1, 0, 28, Tier::Linkage).expect("sound");
    Spec { people: vec![(scenario, 4)], ..spec }
}

/// The operators of a company of four, before and after a power.
fn changed(scenario: Scenario, change: Change, value: f64) -> Vec<(Person, Person)> {
    let spec = spec(scenario);
    let mut both = Vec::new();
    simulate_prepared(&spec, &mut |index, person| {
        let before = person.clone();
        apply(change, value, person, index, &spec);
        both.push((before, person.clone()));
        false
    });
    both
}

#[test]
fn a_power_changes_its_own_thing_and_adds_what_physics_asks() {
    for (before, after) in changed(Scenario::KvmFarm, Change::Playout, 100.0) {
        let (from, to) = (&before.seats[0].path, &after.seats[0].path);
        assert!((to.rtt_ms - from.rtt_ms - 100.0).abs() < 1e-9, "a buffer is paid in the loop");
        assert!(to.jitter_ms <= from.jitter_ms && to.loss_rate == 0.0);
        assert_eq!(before.accesses, after.accesses);
    }
    for (before, after) in changed(Scenario::KvmFarm, Change::Nearer, 60.0) {
        assert!(after.seats[0].path.rtt_ms <= 60.0 && before.seats[0].path.rtt_ms > 100.0);
        assert_eq!(after.own_hours, None, "who is near lives by the claimed hours");
    }
}

#[test]
fn who_runs_the_browser_at_the_exit_moves_the_hidden_leg_into_the_input() {
    for (before, after) in changed(Scenario::ProxiedOperator, Change::RunAtExit, 1.0) {
        let hidden = before.accesses[0].hidden_ms;
        assert!(hidden > 100.0 && after.accesses.iter().all(|access| access.hidden_ms == 0.0));
        assert!(after.seats[0].path.means == Means::Software && after.seats[0].path.rtt_ms >= 0.9 * hidden);
    }
}

#[test]
fn homes_phones_and_displays_of_their_own_are_shared_with_nobody() {
    let spec = spec(Scenario::KvmFarm);
    let mut tokens = Vec::new();
    simulate_prepared(&spec, &mut |index, person| {
        for change in [Change::OwnHome, Change::OwnPhone, Change::OwnDisplay] {
            apply(change, 1.0, person, index, &spec);
        }
        tokens.push(person.authenticator_token.clone());
        tokens.push(person.seats[0].display_token.clone());
        tokens.extend(person.accesses[0].site_tokens.clone());
        tokens.push(person.accesses[0].ip_token.clone());
        false
    });
    let count = tokens.len();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), count);
}

#[test]
fn a_helper_signs_in_and_the_operator_does_the_rest() {
    for (before, after) in changed(Scenario::DisciplinedOperator, Change::LocalSignIn, 1.0) {
        assert_eq!((after.seating, after.seats.len()), (Seating::SignedIn, 2));
        assert!(after.seats[0].path.means == Means::Local && after.seats[1] == before.seats[0]);
        assert_ne!(after.seats[0].typist, after.seats[1].typist);
    }
}
