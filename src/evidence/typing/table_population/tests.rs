use super::*;
use crate::evidence::typing::sample::parameters as typing_parameters;
use crate::evidence::typing::table::{PairSum, Placed};
use proptest::prelude::*;

/// A model of as many coordinates as variances, with three slots.
fn model(between_variance: &[f64]) -> TableParameters {
    TableParameters { between_variance: between_variance.to_vec(), ..typing_parameters().table }
}

/// A profile that learned a table a day, at these coordinates.
fn profile(model: &TableParameters, days: &[Vec<f64>]) -> TableProfile {
    let mut profile = TableProfile::default();
    for (day, coordinates) in (0..).zip(days) {
        let remainders = vec![(0, 0.02 * coordinates[0], 0.01), (2, -0.1, 0.02)];
        let placed =
            Placed { basis: model.profile_basis(), coordinates: coordinates.clone(), remainders, row_count: 3 };
        profile.learn_placed(&placed, 250, model, day);
    }
    profile
}

fn pool(profiles: &[TableProfile]) -> TablePool {
    let mut pool = TablePool::default();
    profiles.iter().filter_map(TableShare::of).for_each(|share| pool.add(&share));
    pool
}

/// Places of two, and what the population of a tenant says of them.
fn compared(population: &Population<'_>, a: &[f64], b: &[f64]) -> Places {
    population.compare(a.iter().copied(), b.iter().copied(), 0.65, 1.2)
}

/// The worked example of the module's page: forty who stand .9 apart from everybody and vary by 5.65.
#[test]
fn forty_workers_draw_the_population_as_worked_out_by_hand() -> Result<(), String> {
    let model = model(&[10.0]);
    // Twenty at +d and twenty at -d about .9 vary by 40 / 39 d^2. Each learned two tables of its own place +- e: a mean
    // at the place, of variance .9 / 2 + .1 / 2 = .5, and a difference of 2 e over the root of 1 + 1, or 1.41 e.
    let (d, e) = ((5.65f64 * 39.0 / 40.0).sqrt(), 0.5f64);
    let workers: Vec<TableProfile> = (0..40)
        .map(|worker| {
            let place = 0.9 + if worker % 2 == 0 { d } else { -d };
            profile(&model, &[vec![place - e], vec![place + e]])
        })
        .collect();
    let background = pool(&workers).background(None).ok_or("nobody")?;
    let population = Population::of(&model, Some(&background));
    assert!((population.mean[0] - 0.6).abs() < 0.01, "{}", population.mean[0]);
    // (2 e)^2 / 2 = .5, drawn by 40: .75.
    assert!((population.within[0] - 0.75).abs() < 0.01, "{}", population.within[0]);
    // A spread of (5.65 * 39 + 10.5 * 10) / 49 = 6.64, of which V = .5 * .75 = .375 is the means' own:
    // 6.64 - .375 + .375^2 / (4 * 6.64) = 6.27, drawn by 40: (6.27 * 39 + 10 * 40) / 79 = 8.16.
    assert!((population.between[0] - 8.16).abs() < 0.02, "{}", population.between[0]);
    assert!((population.share - 0.5).abs() < 1e-12);
    Ok(())
}

#[test]
fn without_others_the_population_is_the_models_and_compares_as_it_always_did() {
    let model = model(&[6.0, 2.0, 0.3]);
    let (a, b) = ([2.0, -1.0, 0.4], [1.5, 0.2, -0.3]);
    let places = compared(&Population::of(&model, None), &a, &b);
    let (mut whole, mut single) = (PairSum::new(), PairSum::new());
    whole.add_places(&places, 3);
    for index in 0..3 {
        single.add(a[index], b[index], 0.65, 1.2, model.between_variance[index]);
    }
    assert!((whole.ratio(20.0) - single.ratio(20.0)).abs() < 1e-9);
}

#[test]
fn one_other_worker_changes_next_to_nothing() -> Result<(), String> {
    let model = model(&[6.0, 2.0]);
    let background = pool(&[profile(&model, &[vec![4.0, -3.0], vec![3.0, -2.0]])]).background(None).ok_or("nobody")?;
    let (alone, drawn) = (Population::of(&model, None), Population::of(&model, Some(&background)));
    assert!(drawn.share < 0.025 && drawn.mean.iter().all(|mean| mean.abs() < 0.2));
    for (before, after) in alone.within.iter().chain(&alone.between).zip(drawn.within.iter().chain(&drawn.between)) {
        assert!((before - after).abs() < 0.1, "{before} {after}");
    }
    Ok(())
}

#[test]
fn a_sitting_says_nothing_of_how_days_vary() {
    let model = model(&[6.0]);
    let mut profile = TableProfile::default();
    let placed = |coordinate| Placed {
        basis: model.profile_basis(),
        coordinates: vec![coordinate],
        remainders: Vec::new(),
        row_count: 3,
    };
    profile.learn_placed(&placed(1.0), 250, &model, 7);
    profile.learn_placed(&placed(3.0), 250, &model, 7);
    assert_eq!(profile.varied(), None);
    profile.learn_placed(&placed(3.0), 250, &model, 8);
    // A mean of 2 of two tables of one day: 1 over the root of 1 + .9 + .05 is .716.
    assert_eq!(profile.varied().map(|varied| varied.differences.to_vec()), Some(vec![72]));
}

#[test]
fn a_profile_from_before_differences_were_kept_speaks_and_gives_its_mean() -> Result<(), String> {
    let model = model(&[6.0, 2.0]);
    let new = profile(&model, &[vec![1.0, -2.0], vec![2.0, 0.0]]);
    // As it was written: the means end where the mark is now.
    let mut bytes = postcard::to_allocvec(&new).map_err(|error| error.to_string())?;
    let written: Vec<i16> = new.stored_means().to_vec();
    let (mark, behind) = (i16::MIN, 2 + 3);
    let whole: Vec<i16> = {
        let varied = new.varied().ok_or("nothing varied")?;
        written.iter().copied().chain([mark]).chain(varied.differences.iter().copied()).collect()
    };
    let encoded = |numbers: &[i16]| postcard::to_allocvec(numbers).map_err(|error| error.to_string());
    // Found by its content: the length, then the numbers known of it.
    let known = encoded(&whole)?[1..].to_vec();
    let at = bytes.windows(known.len()).position(|window| window == known).ok_or("means not found")?;
    assert_eq!(usize::from(bytes[at - 1]), whole.len() + behind - 2);
    let rest = {
        let (_, rest) = postcard::take_from_bytes::<Vec<i16>>(&bytes[at - 1..]).map_err(|error| error.to_string())?;
        rest.to_vec()
    };
    bytes.truncate(at - 1);
    bytes.extend(encoded(&written)?);
    bytes.extend(rest);
    let mut old: TableProfile = postcard::from_bytes(&bytes).map_err(|error| error.to_string())?;
    assert!(old.speaks(&model) && old.varied().is_none() && old.means().eq(new.means()));
    let share = TableShare::of(&old).ok_or("no share")?;
    assert_eq!(&*share.numbers, &written[..]);
    // The next table makes it one of today's, and the day after it differs.
    let placed =
        Placed { basis: model.profile_basis(), coordinates: vec![1.0, 0.0], remainders: Vec::new(), row_count: 3 };
    old.learn_placed(&placed, 250, &model, 9);
    assert!(old.speaks(&model) && old.varied().is_none());
    old.learn_placed(&placed, 250, &model, 10);
    assert!(old.varied().is_some());
    Ok(())
}

#[test]
fn one_worker_moves_a_tenant_no_further_than_its_bounds() -> Result<(), String> {
    let model = model(&[10.0, 4.0]);
    let mut workers: Vec<TableProfile> = (0..99)
        .map(|worker| {
            let place = f64::from(worker % 9) - 4.0;
            profile(&model, &[vec![place, -place], vec![place + 0.7, -place]])
        })
        .collect();
    let of = |workers: &[TableProfile]| pool(workers).background(None).ok_or("nobody");
    let honest = of(&workers)?;
    workers.push(profile(&model, &[vec![-300.0, 300.0], vec![300.0, -300.0]]));
    let misled = of(&workers)?;
    let (before, after) = (Population::of(&model, Some(&honest)), Population::of(&model, Some(&misled)));
    // At most 10 of a person's variation, 2^2 of a difference and 2.5 of a remainder's square, by some hundred workers.
    assert!(before.mean.iter().zip(&after.mean).all(|(before, after)| (before - after).abs() < 0.11));
    assert!(before.within.iter().zip(&after.within).all(|(before, after)| (before - after).abs() < 0.05));
    assert!((before.remainder_scale - after.remainder_scale).abs() < 0.03);
    Ok(())
}

fn days() -> impl Strategy<Value = Vec<Vec<f64>>> {
    prop::collection::vec(prop::collection::vec(-9.0..9.0_f64, 3), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]

    #[test]
    fn whoever_leaves_takes_everything_along_and_order_is_nothing(
        stay in prop::collection::vec(days(), 1..12),
        leave in prop::collection::vec(days(), 0..6),
    ) {
        let model = model(&[8.0, 3.0, 0.4]);
        let stay: Vec<TableProfile> = stay.iter().map(|days| profile(&model, days)).collect();
        let leave: Vec<TableProfile> = leave.iter().map(|days| profile(&model, days)).collect();
        let mut mixed = pool(&leave);
        stay.iter().rev().filter_map(TableShare::of).for_each(|share| mixed.add(&share));
        leave.iter().filter_map(TableShare::of).for_each(|share| mixed.remove(&share));
        prop_assert_eq!(&mixed, &pool(&stay));
        // And to the bit in what is made of it.
        let (one, other) = (mixed.background(None), pool(&stay).background(None));
        let (one, other) = (Population::of(&model, one.as_ref()), Population::of(&model, other.as_ref()));
        let (a, b) = ([1.0, 2.0, -0.5], [0.5, -1.0, 0.1]);
        let (first, second) = (compared(&one, &a, &b), compared(&other, &a, &b));
        prop_assert_eq!(first.together.to_bits(), second.together.to_bits());
        prop_assert_eq!(first.logarithms.to_bits(), second.logarithms.to_bits());
    }

    #[test]
    fn a_worker_is_compared_among_the_others_alone(all in prop::collection::vec(days(), 2..10)) {
        let model = model(&[8.0, 3.0, 0.4]);
        let all: Vec<TableProfile> = all.iter().map(|days| profile(&model, days)).collect();
        let own = TableShare::of(&all[0]);
        prop_assert_eq!(pool(&all).background(own.as_ref()), pool(&all[1..]).background(None));
    }

    #[test]
    fn whatever_people_are_like_a_comparison_is_a_number(
        all in prop::collection::vec(days(), 1..40),
        a in prop::collection::vec(-30.0..30.0_f64, 3),
        b in prop::collection::vec(-30.0..30.0_f64, 3),
        known in 0.3..1.0_f64,
        own in 0.5..2.0_f64,
    ) {
        let model = model(&[8.0, 3.0, 0.4]);
        let all: Vec<TableProfile> = all.iter().map(|days| profile(&model, days)).collect();
        let background = pool(&all).background(None);
        let population = Population::of(&model, background.as_ref());
        let places = population.compare(a.iter().copied(), b.iter().copied(), known, own);
        prop_assert!(places.logarithms.is_finite() && places.logarithms >= -1e-9);
        prop_assert!(places.together >= 0.0 && places.apart >= 0.0 && places.together.is_finite());
    }
}
