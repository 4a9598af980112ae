use super::*;
use crate::evidence::typing::sample::{observed, parameters, table};
use crate::evidence::typing::table::TableProfile;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A hand that types at so many per cent of the usual times.
fn hand(percent: u32) -> Hand {
    let mut profile = TableProfile::default();
    let observation = observed(None, Some(table(percent))).table;
    observation.iter().for_each(|table| profile.learn(table, &parameters().table, 0));
    parameters().table.hand(&profile).unwrap()
}

fn name(number: u32) -> Arc<str> {
    format!("w-{number:03}").into()
}

fn found(hands: &Hands, of: u32, wanted: usize) -> Vec<(Arc<str>, f32)> {
    let near = hands.nearest(&hand(of), "", wanted);
    near.into_iter().map(|one| (one.worker_id, one.likeness)).collect()
}

fn alike(number: u32, log_ratio: f32) -> AlikeHand {
    AlikeHand { worker_id: name(number), log_ratio, meeting_cost: None }
}

#[test]
fn the_nearest_hand_is_the_one_that_types_alike() {
    let hands = Hands::default();
    hands.begin(1);
    for percent in [80, 100, 120, 150] {
        hands.place(&name(percent), Some(hand(percent)));
    }
    let near = hands.nearest(&hand(101), "w-100", 2);
    assert_eq!(near.len(), 2);
    assert!(near.iter().all(|one| *one.worker_id != *"w-100"), "nobody is their own neighbour");
    assert_eq!(found(&hands, 101, 1)[0].0, name(100));
}

#[test]
fn points_of_other_parameters_go_and_a_hand_no_more_is_taken_out() {
    let hands = Hands::default();
    assert!(hands.begin(1) && !hands.begin(1));
    hands.place(&name(1), Some(hand(100)));
    hands.place(&name(2), Some(hand(100)));
    hands.note(&name(1), vec![alike(2, 9.0)]);
    hands.place(&name(2), None);
    assert_eq!((hands.count(), hands.pairs().len()), (1, 0));
    assert!(hands.begin(2));
    assert_eq!((hands.count(), found(&hands, 100, 5).len()), (0, 0));
}

#[test]
fn a_pair_stands_on_both_sides_and_goes_with_either() {
    let hands = Hands::default();
    hands.begin(1);
    (0..4).for_each(|number| hands.place(&name(number), Some(hand(100))));
    assert_eq!(hands.note(&name(1), vec![alike(2, 9.0), alike(3, 7.0), alike(9, 8.0)]), [name(2), name(3)]);
    assert_eq!(hands.alike("w-002"), [AlikeHand { worker_id: name(1), ..alike(2, 9.0) }]);
    assert!(hands.note(&name(1), vec![alike(2, 9.0), alike(3, 7.0)]).is_empty(), "nothing new");
    assert_eq!(hands.note(&name(3), Vec::new()), [name(1)], "gone from the other side too");
    assert_eq!(hands.pairs(), [(name(1), alike(2, 9.0))]);
    hands.remove("w-001");
    assert!(hands.pairs().is_empty() && hands.alike("w-002").is_empty());
    assert!(hands.note(&name(1), vec![alike(2, 9.0)]).is_empty(), "an erased worker is in no pair again");
}

#[test]
fn a_hand_that_everybody_shares_keeps_the_most_alike_on_both_sides() {
    let hands = Hands::default();
    hands.begin(1);
    let many = limits::ALIKE_PER_WORKER_MAX as u32 + 10;
    (0..=many).for_each(|number| hands.place(&name(number), Some(hand(100))));
    for number in 1..=many {
        hands.note(&name(number), vec![alike(0, number as f32)]);
    }
    let kept = hands.alike("w-000");
    assert_eq!(kept.len(), limits::ALIKE_PER_WORKER_MAX);
    assert_eq!(kept[0].worker_id, name(many));
    assert!(hands.alike("w-001").is_empty(), "crowded out on its own side as well");
    hands.remove("w-000");
    assert!(hands.pairs().is_empty());
}

/// What may happen to an index.
#[derive(Debug, Clone)]
enum Step {
    Place(u32, u32),
    Remove(u32),
    Note(u32, Vec<(u32, u32)>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..30_u32, 60..180_u32).prop_map(|(number, percent)| Step::Place(number, percent)),
        (0..30_u32).prop_map(Step::Remove),
        (0..30_u32, prop::collection::vec((0..30_u32, 1..20_u32), 0..4)).prop_map(|(of, found)| Step::Note(of, found)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]

    #[test]
    fn an_index_is_what_a_plain_map_would_be_and_nothing_is_left_of_the_erased(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let hands = Hands::default();
        hands.begin(1);
        let mut plain: BTreeMap<u32, u32> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Place(number, percent) => {
                    hands.place(&name(number), Some(hand(percent)));
                    plain.insert(number, percent);
                }
                Step::Remove(number) => {
                    hands.remove(&name(number));
                    plain.remove(&number);
                    prop_assert!(hands.alike(&name(number)).is_empty());
                }
                Step::Note(of, found) => {
                    let found: BTreeMap<u32, u32> = found.into_iter().collect();
                    hands.note(&name(of), found.iter().map(|(other, nats)| alike(*other, *nats as f32)).collect());
                }
            }
        }
        // In another order, and without what came between: a store opened anew.
        let anew = Hands::default();
        anew.begin(1);
        plain.iter().rev().for_each(|(number, percent)| anew.place(&name(*number), Some(hand(*percent))));
        prop_assert_eq!(hands.count(), plain.len());
        prop_assert_eq!(found(&hands, 100, 7), found(&anew, 100, 7));
        prop_assert_eq!(found(&hands, 100, 64).len(), plain.len());
        for (one, other) in hands.pairs() {
            prop_assert!(hands.alike(&other.worker_id).iter().any(|back| back.worker_id == one));
        }
        plain.keys().for_each(|number| hands.remove(&name(*number)));
        prop_assert!(hands.pairs().is_empty() && hands.count() == 0 && hands.waiting_count() == 0);
        for block in read(&hands.blocks).iter() {
            let block = read(block);
            prop_assert!(block.names.iter().all(Option::is_none) && block.points.iter().all(|number| *number == 0.0));
        }
    }
}
