//! Figures of cadence tables beyond the protocols: lengths, ages of profiles, clocks, one typist among many, a tenant's
//! refit, and what a fit on data that may not ship would bring.
//!
//! They are taken on tables and profiles directly, through the functions that serve, with the model that a fit on the
//! same data gives (it is the shipped one, number for number).

use super::{CLLR_LOSS_FLOOR, Say, Sides, figure, three};
use crate::corpus::keystroke::KeystrokeSet;
use crate::fit::typing::refit;
use crate::fit::typing::table::{
    Company, TablePerson, TableTrial, enrolled_and_probes, learned, pooled, table_people, table_people_by_clock,
    table_trials,
};
use crate::fit::typing::{fit_table, fit_table_on};
use crate::metrics;
use crate::request::Figure;
use elsewhere::evidence::typing::Hand;
use elsewhere::evidence::typing::table::{TableObservation, TableParameters, TableProfile};
use std::collections::BTreeSet;
use std::path::Path;

/// Strangers that try a worker's tables.
pub(super) const STRANGERS: usize = 20;
/// Folds of people left out.
const FOLDS: usize = 5;
/// People in the search for one among many, and presses of both tables.
const IDENTITY_PEOPLE: usize = 700;
const IDENTITY_PRESSES: usize = 250;
/// Share of searches for somebody who is not there that may still name someone.
const FPIR: f64 = 0.01;

/// Every figure of this page.
pub(super) fn evaluate(figures: &mut Vec<Figure>, data: &Path, seed: u64) -> Result<(), String> {
    let shipped = fit_table(data, &|_, _| true)?;
    clocks(figures, data, &shipped, seed)?;
    super::table_company::evaluate(figures, data, &shipped, seed)?;
    one_among_many(figures, data, &shipped, seed)?;
    lengths_and_ages(figures, data, seed)?;
    research(figures, data, seed)
}

/// Scores of trials by person.
pub(super) fn by_person(trials: &[TableTrial], people: usize, parameters: &TableParameters) -> Vec<Sides> {
    let mut sides = vec![Sides::default(); people];
    for trial in trials {
        let score = parameters.ratio_calibration.of(trial.ratio, trial.tenant_share);
        let side = &mut sides[trial.person];
        if trial.non_mated { &mut side.non_mated } else { &mut side.mated }.push(score);
    }
    sides.retain(|sides| !sides.mated.is_empty() || !sides.non_mated.is_empty());
    sides
}

pub(super) fn push(
    figures: &mut Vec<Figure>,
    name: &str,
    description: &str,
    licence: &str,
    people: &[Sides],
    seed: u64,
) {
    let say = Say { name, description, unit: "tables", floor: None, higher_is_better: false, licence };
    three(figures, &say, people, seed, Some(CLLR_LOSS_FLOOR));
}

/// Aalto by clocks, in a tenant of its people: the collector's, coarser ones, and workers enrolled with one and probed
/// with another.
fn clocks(figures: &mut Vec<Figure>, data: &Path, shipped: &TableParameters, seed: u64) -> Result<(), String> {
    let of = |clock| table_people_by_clock(data, KeystrokeSet::Aalto, 200, clock);
    let (fine, eight, coarse) = (of(None)?, of(Some(8_000))?, of(Some(15_600))?);
    let (frame, tenth) = (of(Some(33_000))?, of(Some(100_000))?);
    let pairs = [
        ("1ms", &fine, &fine),
        ("8ms", &eight, &eight),
        ("15_6ms", &coarse, &coarse),
        ("33ms", &frame, &frame),
        ("100ms", &tenth, &tenth),
        ("1ms_then_15_6ms", &fine, &coarse),
        ("15_6ms_then_1ms", &coarse, &fine),
    ];
    for (clock, enrolled, probed) in pairs {
        let (enrolled, probed): (Vec<_>, Vec<_>) = (enrolled.iter().collect(), probed.iter().collect());
        let trials = table_trials(&enrolled, &probed, shipped, Company::Themselves, (2, STRANGERS));
        let name = format!("typing.table_aalto_clock_{clock}");
        let description =
            format!("cadence tables, enrol 2 x 200 presses, probe 200, clock {clock}; everybody is of one tenant");
        push(figures, &name, &description, "measure", &by_person(&trials, enrolled.len(), shipped), seed);
    }
    let fine: Vec<&TablePerson> = fine.iter().collect();
    let trials = table_trials(&fine, &fine, shipped, Company::Themselves, (1, STRANGERS));
    let people = by_person(&trials, fine.len(), shipped);
    push(
        figures,
        "typing.table_aalto_enrol_1",
        "cadence tables, enrol 200 presses, probe 200; everybody is of one tenant",
        "measure",
        &people,
        seed,
    );
    Ok(())
}

/// The place of a worker's mate among all, by the ratio of two profiles.
struct Search {
    /// 0 = first.
    rank: usize,
    /// Rank by the hand's likeness alone.
    scan_rank: usize,
    /// Ratio of the mate, nats: positive = one typist.
    mate: f64,
    /// Highest ratio of anybody else.
    other: f64,
}

/// Searches for everybody's second table among everybody's first.
fn searches(people: &[(TableProfile, TableProfile)], parameters: &TableParameters) -> Vec<Search> {
    let slots = parameters.hand_slots();
    let hands: Vec<Option<Hand>> = people.iter().map(|(known, _)| parameters.hand_with(known, &slots)).collect();
    let mut searches = Vec::new();
    for (index, (_, asked)) in people.iter().enumerate() {
        let ratio = |known| parameters.same_typist(asked, known).unwrap_or(f64::NEG_INFINITY);
        let ratios: Vec<f64> = people.iter().map(|(known, _)| ratio(known)).collect();
        let asked = parameters.hand_with(asked, &slots);
        let likeness = |hand: &Option<Hand>| match (&asked, hand) {
            (Some(asked), Some(hand)) => asked.likeness(hand),
            _ => f32::NEG_INFINITY,
        };
        let scanned: Vec<f32> = hands.iter().map(likeness).collect();
        let others = || (0..people.len()).filter(|other| *other != index);
        searches.push(Search {
            rank: others().filter(|other| ratios[*other] >= ratios[index]).count(),
            scan_rank: others().filter(|other| scanned[*other] >= scanned[index]).count(),
            mate: ratios[index],
            other: others().map(|other| ratios[other]).fold(f64::NEG_INFINITY, f64::max),
        });
    }
    searches
}

/// One profile of one table.
fn profile_of(table: &TableObservation, parameters: &TableParameters) -> TableProfile {
    let mut profile = TableProfile::default();
    profile.learn(table, parameters, 0);
    profile
}

/// One typist among [`IDENTITY_PEOPLE`] by two profiles of one table each.
fn one_among_many(figures: &mut Vec<Figure>, data: &Path, shipped: &TableParameters, seed: u64) -> Result<(), String> {
    let people: Vec<(TableProfile, TableProfile)> = table_people(data, KeystrokeSet::Aalto, IDENTITY_PRESSES)?
        .iter()
        .filter_map(|person| {
            let mut tables = person.sessions.iter().flatten();
            Some((profile_of(tables.next()?, shipped), profile_of(tables.next()?, shipped)))
        })
        .take(IDENTITY_PEOPLE)
        .collect();
    let found = searches(&people, shipped);
    let empty = vec![Sides { mated: vec![0.0], non_mated: Vec::new() }; found.len()];
    let how = format!("one typist among {}, {IDENTITY_PRESSES} against {IDENTITY_PRESSES} presses", people.len());
    let mut rate = |name: &str, what: &str, floor: Option<f64>, higher: bool, of: &dyn Fn(&[usize]) -> f64| {
        let (name, description) = (format!("typing.identity.{name}"), format!("{how}: {what}"));
        let say = Say {
            name: &name,
            description: &description,
            unit: "searches",
            floor,
            higher_is_better: higher,
            licence: "measure",
        };
        figures.extend(figure(&say, &empty, seed, |chosen| Some(of(chosen))));
    };
    let share = |chosen: &[usize], fact: &dyn Fn(&Search) -> bool| {
        chosen.iter().filter(|index| fact(&found[**index])).count() as f64 / chosen.len().max(1) as f64
    };
    rate("rank_1", "the mate comes first", Some(0.60), true, &|chosen| share(chosen, &|one| one.rank < 1));
    rate("rank_5", "the mate is among five", Some(0.82), true, &|chosen| share(chosen, &|one| one.rank < 5));
    rate("scan_100", "the mate is among the scan's first 100", None, true, &|chosen| {
        share(chosen, &|one| one.scan_rank < 100)
    });
    rate(
        "fnir_at_fpir_1_percent",
        "the mate is missed where 1 % of searches for nobody name someone",
        None,
        false,
        &|chosen| {
            let mut others: Vec<f64> = chosen.iter().map(|index| found[*index].other).collect();
            others.sort_by(f64::total_cmp);
            let threshold = others[((1.0 - FPIR) * (others.len() - 1) as f64).ceil() as usize];
            share(chosen, &|one| one.mate <= threshold)
        },
    );
    Ok(())
}

/// Left-out people of the fitted sets by presses per table and tables enrolled; and BB-MAS after a tenant's refit.
fn lengths_and_ages(figures: &mut Vec<Figure>, data: &Path, seed: u64) -> Result<(), String> {
    let sets = [(KeystrokeSet::Bbmas, "bbmas"), (KeystrokeSet::VillaniFree, "villani")];
    let mut people = Vec::new();
    for presses in [200, 250, 500] {
        for (set, name) in sets {
            people.push((presses, name, set, table_people(data, set, presses)?));
        }
    }
    let enrols = [1, 2, 4, 6];
    let mut slices = vec![Vec::new(); people.len() * enrols.len()];
    let mut accompanied = slices.clone();
    let (mut refitted, mut helped) = (Vec::new(), 0);
    for fold in 0..FOLDS {
        let left_out: BTreeSet<(KeystrokeSet, String)> = people
            .iter()
            .flat_map(|(_, _, set, people)| {
                people.iter().skip(fold).step_by(FOLDS).map(|person| (*set, person.subject.clone()))
            })
            .collect();
        let parameters = fit_table(data, &|set, subject| !left_out.contains(&(set, subject.to_string())))?;
        for (index, (presses, name, set, people)) in people.iter().enumerate() {
            let left: Vec<&TablePerson> = people.iter().skip(fold).step_by(FOLDS).collect();
            let others = (0..).zip(people).filter(|(position, _)| position % FOLDS != fold);
            let others: Vec<TableProfile> = others.map(|(_, person)| learned(&person.dated(), &parameters)).collect();
            let others = pooled(&others);
            for (age, enrol) in enrols.iter().enumerate() {
                for (slices, company) in [(&mut slices, Company::Alone), (&mut accompanied, Company::Others(&others))] {
                    let trials = table_trials(&left, &left, &parameters, company, (*enrol, STRANGERS));
                    slices[index * enrols.len() + age].extend(by_person(&trials, left.len(), &parameters));
                }
            }
            if (*presses, *name) == (250, "bbmas") {
                // A tenant of the other four fifths: their profiles of half their tables, as a store would hold them.
                let tenant: Vec<TableProfile> = people
                    .iter()
                    .filter(|person| !left_out.contains(&(*set, person.subject.clone())))
                    .map(|person| learned(&enrolled_and_probes(person, 4).0, &parameters))
                    .collect();
                let refit = refit::refit(&parameters, &tenant)?;
                helped += usize::from(refit.helped());
                let moved = refit.parameters;
                let trials = table_trials(&left, &left, &moved, Company::Alone, (1, STRANGERS));
                refitted.extend(by_person(&trials, left.len(), &moved));
            }
        }
    }
    for (index, (presses, name, _, _)) in people.iter().enumerate() {
        for (age, enrol) in enrols.iter().enumerate() {
            let described =
                format!("cadence tables of {name}, enrol {enrol} x {presses} presses; people left out by fifths");
            for (kind, company, slices) in [
                ("slice", "nobody else in the tenant", &slices),
                ("tenant", "in the company of the other four fifths, who have learned all their tables", &accompanied),
            ] {
                let name = format!("typing.table_{kind}.{name}_{presses}_x{enrol}");
                let described = format!("{described}, {company}");
                let people = &slices[index * enrols.len() + age];
                push(figures, &name, &described, "train", people, seed);
                if (kind, *presses, *enrol) == ("slice", 250, 2) {
                    figures.extend(by_chance(&name, &described, people, seed));
                }
            }
        }
    }
    let described = format!(
        "cadence tables of bbmas, enrol 250 presses, after a refit on the profiles of the other four fifths, which workers \
         held back among those called a help in {helped} of {FOLDS} fifths"
    );
    push(figures, "typing.table_bbmas_refitted", &described, "train", &refitted, seed);
    Ok(())
}

/// What a score without fault loses on as many trials at the same equal error rate.
fn by_chance(name: &str, described: &str, people: &[Sides], seed: u64) -> Option<Figure> {
    let everybody: Vec<usize> = (0..people.len()).collect();
    let (mated, non_mated) = super::pooled(people, &everybody);
    let eer = metrics::eer(&mated, &non_mated)?;
    Some(Figure {
        name: format!("{name}.cllr_loss_by_chance"),
        description: format!("{described}: what a score without fault loses by chance"),
        value: super::chance::loss_by_chance(eer, mated.len(), non_mated.len(), seed)?,
        interval: None,
        sample: super::sample(people, "tables"),
        floor: None,
        higher_is_better: false,
        source: "simulated".into(),
        licence: "train".into(),
    })
}

/// The same fit on Aalto's own people, left out by fifths: named research, and never shipped.
fn research(figures: &mut Vec<Figure>, data: &Path, seed: u64) -> Result<(), String> {
    let people = table_people(data, KeystrokeSet::Aalto, 200)?;
    let mut all = Vec::new();
    for fold in 0..RESEARCH_FOLDS {
        let position = |subject: &str| people.iter().position(|person| person.subject == subject).unwrap_or(0);
        let kept = |_: KeystrokeSet, subject: &str| position(subject) % RESEARCH_FOLDS != fold;
        let parameters = fit_table_on(data, &[KeystrokeSet::Aalto], &kept)?;
        let left: Vec<&TablePerson> = people.iter().skip(fold).step_by(RESEARCH_FOLDS).collect();
        let trials = table_trials(&left, &left, &parameters, Company::Alone, (2, STRANGERS));
        all.extend(by_person(&trials, left.len(), &parameters));
    }
    let say = Say {
        name: "typing.table_research.global_eer",
        description: "research: the fit on Aalto's own people, left out by halves; enrol 2 x 200 presses, probe 200",
        unit: "tables",
        floor: Some(0.03),
        higher_is_better: false,
        licence: "measure",
    };
    figures.extend(figure(&say, &all, seed, |chosen| {
        let (mated, non_mated) = super::pooled(&all, chosen);
        metrics::eer(&mated, &non_mated)
    }));
    Ok(())
}

/// Folds of the research fit: each half of 1,400 people is more than enough to fit on.
const RESEARCH_FOLDS: usize = 2;
