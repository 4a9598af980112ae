//! One typist behind several workers: the index, linkage, standings and the list for an analyst.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::start_with;
use elsewhere::api::{convert, wire};
use elsewhere::config::ConfigUnchecked;
use elsewhere::event::{EventTime, Rules, TablePolicy, Violations};
use elsewhere::evidence::crowd::LinkKind;
use elsewhere::history::{Config, DurableStore, MemoryStore, TenantId};
use elsewhere::model::{Model, ModelFile};
use elsewhere::pipeline::{Models, Pipeline, SharedStore, Submission, Update};
use std::path::Path;
use std::sync::Arc;

const DAY: i64 = 86_400;

/// Splitmix64, as a number in [-1, 1].
fn chance(seed: u64) -> f64 {
    let mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// Hands there are; the last is the operator's.
const HANDS: u64 = 13;
const OPERATOR: u64 = HANDS - 1;

/// A table as one of thirteen hands types it on a day: its own speed, hold and way with each key, and a day's unsteadiness.
/// Hands that are near in speed are far in hold, so that no two are taken for each other.
fn table(hand: u64, day: u64) -> wire::CadenceTable {
    let own = |what: u64| chance(hand.wrapping_mul(0x1_0001) ^ what << 20);
    let today = |what: u64| 0.02 * chance(hand ^ day << 32 ^ what << 44);
    let time = |base: f64, general: f64, what: u64| (base * (general + 0.06 * own(what) + today(what)).exp()) as u32;
    let place = |step: u64| (hand * step % HANDS) as f64 - 6.0;
    let (speed, hold) = (0.12 * place(1), 0.1 * place(5));
    let letters = [4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 17, 18, 19, 21, 22, 23, 24, 44];
    let keys = letters.map(|usage| wire::KeyTime {
        usage,
        count: 16,
        dwell_median_micros: time(95_000.0, hold, u64::from(usage)),
        dwell_spread_micros: 12_000,
    });
    let pairs = letters.iter().flat_map(|first| letters.iter().map(move |second| (*first, *second)));
    let digraphs = pairs.step_by(3).map(|(first_usage, second_usage)| wire::DigraphTime {
        first_usage,
        second_usage,
        count: 8,
        press_interval_median_micros: time(190_000.0, speed, u64::from(first_usage) * 64 + u64::from(second_usage)),
        press_interval_spread_micros: 40_000,
    });
    wire::CadenceTable {
        press_count: 512,
        keys: keys.to_vec(),
        digraphs: digraphs.collect(),
        timer_resolution_micros: 1_000,
    }
}

/// Half an hour's work of a worker, typed by a hand.
fn work(worker: &str, hand: u64, day: i64) -> wire::SessionEvent {
    let mut event = common::login(&format!("{worker}-{day}"), worker, common::MONDAY + day * DAY, 1);
    event.typing = None;
    event.cadence = Some(table(hand, day as u64));
    if let Some(network) = event.network.as_mut() {
        (network.ip_token, network.site_tokens) = (Vec::new(), Vec::new());
    }
    if let Some(device) = event.device.as_mut() {
        device.device_token.clear();
        device.display_token.clear();
        device.authenticator_token.clear();
    }
    event
}

/// The same behind a gateway, with a claim of a city of so many degrees north.
fn at_site(mut event: wire::SessionEvent, site: u8, latitude_degrees: f64) -> wire::SessionEvent {
    event.network.get_or_insert_default().site_tokens = vec![vec![site; 16]];
    let claim = event.claim.as_mut().expect("a claim");
    claim.place = Some(wire::Place { latitude_degrees, longitude_degrees: -100.0, radius_km: 20 });
    event
}

/// The shipped model with tables' ratio so much steeper, so that a company of a dozen can be searched; and with a
/// standing for a hand in common, as the next fit will have.
fn model(steeper: f64) -> Model {
    let shipped = Model::shipped().expect("the shipped model").file;
    let mut told = serde_json::to_value(&shipped).expect("a model's text");
    let table = &mut told["evidence"]["typing"]["table"];
    for weight in table["calibration"].as_array_mut().into_iter().flatten() {
        *weight = (weight.as_f64().expect("a number") * steeper).into();
    }
    // What bounds a believable ratio on real people would bound the search in so small a company, too.
    let sure = 1e-12;
    table["ratio_calibration"] =
        serde_json::json!({ "slope": steeper / 8.0, "intercept": 20.0, "unlike_rate": sure, "alike_rate": sure });
    let mut file: ModelFile = serde_json::from_value(told).expect("a model");
    let of = |name: &str, file: &ModelFile| file.standing.findings.iter().find(|one| one.finding == name).cloned();
    if of("crowd.typist", &file).is_none() {
        let mut entry = of("crowd.site", &file).expect("a standing of sites");
        entry.finding = "crowd.typist".into();
        file.standing.findings.push(entry);
    }
    Model::prepare(file, [7; 32]).expect("a sound model")
}

struct Company {
    pipeline: Pipeline,
    tenant: TenantId,
}

impl Company {
    fn over(store: SharedStore, steeper: f64) -> Self {
        let tenant = store.tenant("acme").expect("a tenant");
        Self { pipeline: Pipeline::new(store, Models::new(vec![model(steeper)], None).expect("models")), tenant }
    }

    fn in_memory() -> Self {
        Self::over(Arc::new(MemoryStore::new(Config::of_events())), 8.0)
    }

    fn on_disk(path: &Path) -> Self {
        Self::over(Arc::new(DurableStore::open(path, Config::of_events()).expect("a store")), 8.0)
    }

    fn send(&self, message: wire::SessionEvent) {
        let content_hash = convert::content_hash(&message);
        let mut violations = Violations::default();
        let rules = Rules { now: None, secret_typing_allowed: false, tables: TablePolicy::PerEvent };
        let event = convert::event(message).check("event", &rules, &mut violations);
        let event = event.unwrap_or_else(|| panic!("{:?}", violations.list()));
        let time = event.samples.time;
        let submission = Submission { event, content_hash, update: Update::Always, model_id: String::new() };
        let assessed = self.pipeline.assess(self.tenant, &submission, time).expect("a verdict");
        assessed.durable.wait().expect("kept");
    }

    fn settle(&self) {
        assert_eq!(self.pipeline.settle_hands(self.tenant, usize::MAX).expect("settled"), 0);
    }

    /// Candidates with their ratios.
    fn similar(&self, worker: &str) -> Vec<(String, f64)> {
        let found = self.pipeline.similar_typists(self.tenant, worker, 10).expect("a search").expect("a worker");
        found.candidates.iter().map(|one| (one.worker_id.to_string(), one.likeness.log_ratio)).collect()
    }

    /// Others linked by typing, with weights.
    fn typing_links(&self, worker: &str) -> Vec<(String, f64)> {
        let links = self.pipeline.links(self.tenant, worker).expect("links").expect("a worker");
        let typing = links.into_iter().filter(|link| link.kind == LinkKind::Typing as u8);
        typing.map(|link| (link.other_worker_id.to_string(), link.weight_log_odds)).collect()
    }

    /// Names of clusters' members.
    fn clusters(&self) -> Vec<Vec<String>> {
        let (found, durable) = self.pipeline.operator_clusters(self.tenant).expect("clusters");
        durable.wait().expect("kept");
        let members = |workers: &[Arc<str>]| workers.iter().map(ToString::to_string).collect();
        found.iter().map(|cluster| members(&cluster.worker_ids)).collect()
    }
}

/// People of one name each.
const PEOPLE: u64 = 6;

/// Six people of one name each, and one who is `persona-a` and `persona-b`.
fn farm(company: &Company) {
    for day in 0..3 {
        for person in 0..PEOPLE {
            company.send(work(&format!("person-{person:02}"), 2 * person, day));
        }
        company.send(work("persona-a", OPERATOR, day));
        company.send(work("persona-b", OPERATOR, day + 20));
    }
}

#[test]
fn the_other_persona_of_a_typist_ranks_first_and_is_linked_by_the_hand_alone() {
    let company = Company::in_memory();
    farm(&company);
    assert_eq!(company.similar("persona-a")[0].0, "persona-b");
    assert_eq!(company.similar("persona-b")[0].0, "persona-a");
    let links = company.typing_links("persona-a");
    assert!(links.len() == 1 && links[0].0 == "persona-b" && links[0].1 > 1.0, "{links:?}");
    assert!(company.typing_links("person-00").is_empty(), "nobody is linked by chance");
    assert_eq!(company.clusters(), [["persona-a", "persona-b"]]);
}

#[test]
fn an_erased_persona_is_in_no_list_link_or_cluster_and_comes_back_only_by_typing() {
    let company = Company::in_memory();
    farm(&company);
    company.settle();
    let store = company.pipeline.store();
    let now = EventTime((common::MONDAY + 100 * DAY) * 1_000_000);
    let (_, durable) = store.forget(company.tenant, "persona-b", now).expect("erased");
    durable.wait().expect("kept");
    let hands = store.hands(company.tenant).expect("hands");
    assert!(hands.count() == 7 && hands.pairs().is_empty() && hands.alike("persona-a").is_empty());
    assert!(company.similar("persona-a").iter().all(|(worker, _)| worker != "persona-b"));
    assert!(company.typing_links("persona-a").is_empty() && company.clusters().is_empty());
    company.send(work("persona-b", OPERATOR, 200));
    assert_eq!(company.similar("persona-a")[0].0, "persona-b");
}

#[test]
fn a_store_opened_anew_finds_the_same_hands_and_pairs() {
    let directory = tempfile::tempdir().expect("a directory");
    let told = |company: &Company| {
        company.settle();
        let hands = company.pipeline.store().hands(company.tenant).expect("hands");
        (hands.count(), hands.pairs(), company.similar("persona-a"), company.clusters())
    };
    let before = {
        let company = Company::on_disk(directory.path());
        farm(&company);
        told(&company)
    };
    assert_eq!((before.0, before.1.len()), (8, 1), "{:?}", before.1);
    assert_eq!(told(&Company::on_disk(directory.path())), before);
}

#[test]
fn a_model_of_other_tables_places_every_hand_anew() {
    let company = Company::in_memory();
    farm(&company);
    company.settle();
    let mut other = model(8.0).file;
    other.evidence.typing.table.basis += 1;
    let other = Model::prepare(other, [8; 32]).expect("a sound model");
    company.pipeline.reload(Models::new(vec![other], None).expect("models"));
    company.settle();
    assert!(company.similar("persona-a").is_empty(), "profiles speak another basis");
    company.pipeline.reload(Models::new(vec![model(8.0)], None).expect("models"));
    company.settle();
    assert_eq!(company.similar("persona-a")[0].0, "persona-b");
}

#[test]
fn strangers_at_one_site_lose_weight_where_they_type_differently() {
    let company = Company::in_memory();
    for day in 0..3 {
        company.send(at_site(work("one", 0, day), 9, 30.0));
        company.send(at_site(work("two", 6, day), 9, 45.0));
        company.send(at_site(work("same-one", OPERATOR, day), 8, 30.0));
        company.send(at_site(work("same-two", OPERATOR, day), 8, 45.0));
    }
    let (apart, alike) = (company.typing_links("one"), company.typing_links("same-one"));
    assert!(apart.len() == 1 && (0.5_f64.ln()..0.0).contains(&apart[0].1), "{apart:?}");
    assert!(alike.len() == 1 && alike[0].1 > 0.5, "a site in common needs no search: {alike:?}");
    let (found, _) = company.pipeline.operator_clusters(company.tenant).expect("clusters");
    assert_eq!(found[0].worker_ids, ["same-one".into(), "same-two".into()]);
    assert!(found[0].log_odds > found[1].log_odds + 1.0, "the hand tells two farms apart");
}

#[test]
fn a_display_that_many_show_brings_two_typists_less_together_than_a_site() {
    let showing = |mut event: wire::SessionEvent| {
        event.device.get_or_insert_default().display_token = vec![7; 16];
        event
    };
    // What the likeness of two workers weighs who show one display that `others` show too.
    let weight = |others: u64| {
        let company = Company::in_memory();
        for day in 0..3 {
            company.send(showing(work("same-one", OPERATOR, day)));
            company.send(showing(work("same-two", OPERATOR, day)));
            (0..others).for_each(|other| company.send(showing(work(&format!("owner-{other}"), other, day))));
        }
        let links = company.typing_links("same-one");
        links.iter().find(|(other, _)| *other == *"same-two").map_or(0.0, |(_, weight)| *weight)
    };
    let company = Company::in_memory();
    for day in 0..3 {
        company.send(at_site(work("same-one", OPERATOR, day), 8, 30.0));
        company.send(at_site(work("same-two", OPERATOR, day), 8, 45.0));
    }
    let site = company.typing_links("same-one")[0].1;
    let (two, seven) = (weight(0), weight(5));
    // ln(1 / .1) for two who show it, ln(6 / .1) for seven; never under what looking for the pair among all costs.
    assert!((site - two - 10.0_f64.ln()).abs() < 1e-6, "{site} {two}");
    assert!(seven < two - 1.0, "{two} {seven}");
}

#[test]
fn a_hand_in_common_raises_the_standings_of_both_and_tells_so() {
    let company = Company::in_memory();
    farm(&company);
    let log_odds = |worker: &str| {
        let now = EventTime((common::MONDAY + 30 * DAY) * 1_000_000);
        let standing = company.pipeline.standing(company.tenant, worker, now).expect("a store").expect("a standing");
        standing.reasons.iter().find(|reason| reason.code as u16 == 501).map(|reason| reason.contribution_log_odds)
    };
    assert_eq!(log_odds("persona-a"), None, "nothing was looked for yet");
    company.settle();
    for worker in ["persona-a", "persona-b"] {
        assert!(log_odds(worker) > Some(0.5), "{worker}: {:?}", log_odds(worker));
    }
    assert_eq!(log_odds("person-00"), None);
    // The next session of either finds it.
    let before = log_odds("persona-a");
    company.send(work("persona-a", OPERATOR, 25));
    assert!(log_odds("persona-a") >= before, "{:?} after {before:?}", log_odds("persona-a"));
}

#[tokio::test]
async fn candidates_are_ranked_over_the_wire_with_what_would_refute_them() {
    let config = ConfigUnchecked { cadence_tables: true, ..ConfigUnchecked::default() };
    let service = start_with(config, None).await;
    let today = elsewhere::api::assess::system_now().0 / 1_000_000 - 10 * DAY;
    let shift = (today - common::MONDAY) / DAY;
    for day in 0..3 {
        for (worker, hand) in [("a", OPERATOR), ("b", OPERATOR), ("c", 1), ("d", 4), ("e", 8)] {
            // Tables made by hand are evener than a hand's: they teach because a person vouches for them.
            let request = wire::AssessSessionRequest {
                profile_update: wire::ProfileUpdate::Always as i32,
                ..common::request(work(worker, hand, shift + day))
            };
            service.risk().assess_session(request).await.expect("a verdict");
        }
    }
    let mut linkage = wire::linkage_service_client::LinkageServiceClient::new(service.channel.clone());
    let ask =
        |worker: &str, candidate_count| wire::ListSimilarTypistsRequest { worker_id: worker.into(), candidate_count };
    let found = linkage.list_similar_typists(ask("a", 0)).await.expect("candidates").into_inner();
    assert_eq!((found.compared_worker_count, found.candidates.len()), (4, 4));
    assert_eq!(found.reason_code, wire::ReasonCode::CrowdSharedTypist as i32);
    assert_eq!((found.candidates[0].worker_id.as_str(), found.candidates[0].rank), ("b", 1));
    let likeness = found.candidates[0].likeness.expect("a likeness");
    assert_eq!((likeness.press_count, likeness.other_press_count, likeness.beside_other_link), (1536, 1536, false));
    let by_chance = 4.0 * (-likeness.log_likelihood_ratio).exp();
    assert!(likeness.log_likelihood_ratio > 0.0 && (likeness.expected_chance_count - by_chance).abs() < 1e-9);
    assert!((0.0..1.0).contains(&found.candidates[0].probability));
    let ranked = |pair: &[wire::TypistCandidate]| pair[0].probability >= pair[1].probability;
    assert!(found.candidates.windows(2).all(ranked));
    assert_eq!(linkage.list_similar_typists(ask("a", 2)).await.expect("two").into_inner().candidates.len(), 2);
    let silent = common::login("silent-1", "silent", today, 1);
    service.risk().assess_session(common::request(silent)).await.expect("a verdict");
    let none = linkage.list_similar_typists(ask("silent", 0)).await.expect("nobody").into_inner();
    assert_eq!((none.candidates.len(), none.compared_worker_count), (0, 0));
    let unknown = linkage.list_similar_typists(ask("nobody", 0)).await.expect_err("unknown");
    assert_eq!(unknown.code(), tonic::Code::NotFound);
    let unnamed = linkage.list_similar_typists(ask("", 0)).await.expect_err("no worker");
    assert_eq!(unnamed.code(), tonic::Code::InvalidArgument);
}
