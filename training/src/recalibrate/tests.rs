use super::people::Truth;
use super::*;
use elsewhere::evidence::feature::{FeatureId, Features};
use elsewhere::risk::Standing;

fn model() -> Result<Model, String> {
    Model::shipped().map_err(|error| error.to_string())
}

/// A number from 0 to 1 that looks drawn, the same every time.
fn drawn(number: usize, salt: usize) -> f64 {
    ((number * 7_919 + salt * 104_729) % 10_007) as f64 / 10_007.0
}

/// A worker of twenty sessions with these scores, each a little otherwise.
fn worker(number: usize, scores: &[(FeatureId, f64)], model: &Model, truth: Option<Truth>) -> Worker {
    let mut standing = Standing::default();
    let micros = |day: usize| (20_500 + day as i64) * 86_400_000_000;
    for day in 0..20 {
        let mut features = Features::default();
        for (at, (feature, score)) in scores.iter().enumerate() {
            let own = 2.0 * drawn(number, at) - 1.0;
            features.set(*feature, score + own + 0.6 * drawn(number * 20 + day, at + 9) - 0.3);
        }
        standing.add(&features, &model.standing, micros(day));
    }
    Worker { standing, months: 1.0, last_micros: micros(19), truth, fold: number % FOLDS }
}

const POINTER: FeatureId = FeatureId::RemoteInputPointerLogOdds;
const TYPING: FeatureId = FeatureId::TypingTableLogOdds;
const ROUND_TRIP: FeatureId = FeatureId::NetworkRoundTripLogOdds;

fn found(hostile: bool, independent: bool) -> Option<Truth> {
    Some(Truth { hostile, independent })
}

/// A tenant all of whose people work through remote desktops, some of them confirmed, and operators who differ from them by
/// hand and path alone.
fn remote_tenant(model: &Model) -> Vec<Worker> {
    let honest = (0..400).map(|number| {
        let truth = found(false, true).filter(|_| number % 8 == 0);
        worker(number, &[(POINTER, 3.0), (TYPING, -3.0), (ROUND_TRIP, -1.0)], model, truth)
    });
    let hostile = (400..430).map(|number| {
        worker(number, &[(POINTER, 3.5), (TYPING, 4.5), (ROUND_TRIP, 4.5)], model, found(true, number % 2 == 0))
    });
    honest.chain(hostile).collect()
}

#[test]
fn what_everybody_at_a_tenant_shows_ceases_to_count_and_operators_are_still_caught() -> Result<(), String> {
    let base = model()?;
    let workers = remote_tenant(&base);
    let recalibrated = Recalibrated::of(model()?, &workers)?;
    let entry = |standing: &StandingModel| {
        standing.findings.iter().find(|entry| entry.finding == "remote_input.pointer").cloned().ok_or("no entry")
    };
    let (then, now) = (entry(&base.file.standing)?, entry(&recalibrated.moved)?);
    assert!(now.honest_mean > then.honest_mean + 1.5, "{} -> {}", then.honest_mean, now.honest_mean);
    assert!(now.log_likelihood_ratio(3.0, 20.0) < 0.5 * then.log_likelihood_ratio(3.0, 20.0));
    let [before, after] = recalibrated.held;
    assert_eq!(
        (before.hostile.0, before.honest.0, before.unknown.0),
        (15, 50, 350),
        "an analyst's word judges nothing"
    );
    assert_eq!(after.honest.1, 0);
    assert!(after.hostile.1 >= 13, "{after:?}");
    assert!(after.cost_bits < before.cost_bits, "{before:?} {after:?}");
    assert!(!recalibrated.worse());
    assert!(recalibrated.report().contains("15 hostile and 50 honest by independent finding"));
    Ok(())
}

#[test]
fn a_tenant_like_the_model_without_labels_moves_little_and_no_weight() -> Result<(), String> {
    let base = model()?;
    let workers: Vec<Worker> =
        (0..200).map(|number| worker(number, &[(POINTER, -2.0), (TYPING, -3.0)], &base, None)).collect();
    let recalibrated = Recalibrated::of(model()?, &workers)?;
    assert!(recalibrated.moved.findings.iter().all(|entry| entry.weight == 1.0));
    assert_eq!(recalibrated.moved.threshold_log_odds, base.file.standing.threshold_log_odds, "too few months to fall");
    assert!(recalibrated.report().contains("keep their weight"));
    assert!(!recalibrated.worse());
    Ok(())
}

#[test]
fn confirmed_honest_workers_above_the_threshold_raise_it() -> Result<(), String> {
    let base = model()?;
    let mut workers: Vec<Worker> =
        (0..200).map(|number| worker(number, &[(POINTER, -2.0), (TYPING, -3.0)], &base, None)).collect();
    // Too few of them to move what honest workers are like.
    workers.extend(
        (200..203).map(|number| {
            worker(number, &[(POINTER, 6.0), (TYPING, 6.0), (ROUND_TRIP, 6.0)], &base, found(false, true))
        }),
    );
    let recalibrated = Recalibrated::of(model()?, &workers)?;
    let prepared = people::prepared(&recalibrated.moved)?;
    let flagged = workers.iter().filter(|one| one.evidence(&prepared) >= prepared.model.threshold_log_odds).count();
    let before = workers[200].evidence(&base.standing);
    assert!(before > base.file.standing.threshold_log_odds, "flagged as it was: {before}");
    assert_eq!(flagged, 0, "203 worker-months have no room for a false flag at one in a thousand");
    Ok(())
}

#[test]
fn labels_of_analysts_alone_judge_nothing() -> Result<(), String> {
    let base = model()?;
    let mut workers = remote_tenant(&base);
    for one in &mut workers {
        one.truth = one.truth.map(|truth| Truth { independent: false, ..truth });
    }
    let recalibrated = Recalibrated::of(model()?, &workers)?;
    assert_eq!(recalibrated.difference, None);
    assert_eq!((recalibrated.held[1].hostile.0, recalibrated.held[1].honest.0), (0, 0));
    assert!(recalibrated.report().contains("not told without independent labels"));
    Ok(())
}

#[test]
fn a_recalibrated_model_loads_and_names_where_it_came_from() -> Result<(), String> {
    let base = model()?;
    let recalibrated = Recalibrated::of(model()?, &remote_tenant(&base))?;
    let out = std::env::temp_dir().join(format!("elsewhere-recalibrated-{}", std::process::id()));
    recalibrated.write(&out, "recalibrate")?;
    let loaded = Model::load(&out).map_err(|error| error.to_string());
    let again = recalibrated.write(&out, "recalibrate");
    let card = std::fs::read_to_string(out.join("card.md")).map_err(|error| error.to_string())?;
    std::fs::remove_dir_all(&out).map_err(|error| error.to_string())?;
    let loaded = loaded?;
    assert!(again.is_err_and(|error| error.starts_with("--out")), "never written twice");
    assert_eq!(loaded.file.standing, recalibrated.moved);
    assert_eq!(loaded.file.evidence, base.file.evidence);
    assert!(card.contains(&hex(&base.sha256)) && card.contains("Held-back workers"));
    Ok(())
}

#[test]
fn too_few_workers_are_named() -> Result<(), String> {
    let refused = Recalibrated::of(model()?, &remote_tenant(&model()?)[..20]);
    assert!(refused.is_err_and(|error| error.contains("20 workers")));
    Ok(())
}
