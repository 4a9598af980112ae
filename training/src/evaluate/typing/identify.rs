//! Figures of one typist behind several workers: two personas of everybody, each other's mates among all.
//!
//! A persona is a profile learned from 250 presses by the code that serves; two are compared by the ratio that ranks
//! candidates and weighs links. Every pair is compared, so ranks are exact. How many strangers a tenant of another size
//! would be linked to is the rate over all pairs of strangers, times its pairs: personas of 700 people make 490,000.

use super::{CLLR_LOSS_FLOOR, NewScorer, Say, Sides, figure, three};
use crate::convert::keystroke as convert;
use crate::corpus::keystroke::{self as corpus, KeystrokeSet, Typist};
use crate::fit;
use crate::request::Figure;
use elsewhere::evidence::crowd::Alike;
use elsewhere::evidence::typing::table::{TableParameters, TableProfile};
use elsewhere::evidence::typing::{Hand, observe};
use std::path::Path;

/// Presses behind each persona.
const PRESSES: usize = 250;
/// People of Aalto that the floors of `targets.md` are for.
const AALTO_PEOPLE: usize = 700;
/// Nearest points that the service compares in full when it looks for pairs.
const COMPARED: usize = 128;
/// Workers of the tenants whose false links are told.
const TENANTS: [(usize, &str); 3] = [(1_000, "1000"), (10_000, "10000"), (100_000, "100000")];

/// Every figure of one typist behind several workers.
pub(super) fn evaluate(
    figures: &mut Vec<Figure>,
    data: &Path,
    new_scorer: &mut NewScorer<'_>,
    seed: u64,
) -> Result<(), String> {
    let parameters = new_scorer().typing().ok_or("the scorer tells no parameters of typing")?.table;
    let mut aalto = corpus::read(data, KeystrokeSet::Aalto)?;
    aalto.retain(|typist| presses(typist) >= 2 * PRESSES);
    aalto.truncate(AALTO_PEOPLE);
    let all = Search::of(&aalto, KeystrokeSet::Aalto, &parameters)?;
    let how = "250 presses against another 250 of the same sitting";
    all.tell(figures, "typing.typist_aalto", how, KeystrokeSet::Aalto, Some((0.6, 0.82)), seed);
    all.tell_links(figures, "typing.typist_aalto", seed);
    phrases(figures, data, new_scorer, seed)?;
    for (set, name, how) in [
        (KeystrokeSet::Bbmas, "typing.typist_bbmas", "first 250 against last 250 presses of the sitting"),
        (KeystrokeSet::VillaniFree, "typing.typist_villani", "250 presses of session 1 against 250 of session 4"),
    ] {
        let left_out = fit::typing::fit_table(data, &|other, _| other != set)?;
        let how = format!("{how}; a model of the other sets");
        Search::of(&corpus::read(data, set)?, set, &left_out)?.tell(figures, name, &how, set, None, seed);
    }
    Ok(())
}

/// Logins behind each persona of a phrase.
const PHRASE_LOGINS: [(usize, &str); 2] = [(5, "5"), (12, "12")];

/// Two workers' profiles of one phrase, of logins of the first and of the second half of everybody's.
fn phrases(figures: &mut Vec<Figure>, data: &Path, new_scorer: &mut NewScorer<'_>, seed: u64) -> Result<(), String> {
    let typing = new_scorer().typing().ok_or("the scorer tells no parameters of typing")?;
    // Fitted here, for the model has it only once it beats abstaining.
    let pair = fit::typing::pair::fit_pair(data, seed, &typing.phrase)?;
    let mut people = Vec::new();
    for typist in corpus::read(data, KeystrokeSet::Cmu)? {
        people.push(fit::typing::phrase::real_phrase_of(&typist, KeystrokeSet::Cmu)?);
    }
    for (logins, named) in PHRASE_LOGINS {
        let personas = fit::typing::pair::personas(&people, logins, &typing.phrase);
        let mut sides = Vec::new();
        for (index, (_, late)) in personas.iter().enumerate() {
            let mut of_probe = Sides::default();
            for (other, (early, _)) in personas.iter().enumerate() {
                let ratio =
                    -pair.calibrated(&pair.compare(early, late).ok_or("two profiles of a phrase do not compare")?);
                if other == index { of_probe.mated.push(ratio) } else { of_probe.non_mated.push(ratio) }
            }
            sides.push(of_probe);
        }
        let name = format!("typing.typist_phrase_{named}");
        let how = format!("pair ratio of one phrase, {logins} logins against {logins} of the other half");
        let say = Say {
            name: &name,
            description: &how,
            unit: "pairs",
            floor: None,
            higher_is_better: false,
            licence: "measure",
        };
        three(figures, &say, &sides, seed, Some(CLLR_LOSS_FLOOR));
    }
    Ok(())
}

fn presses(typist: &Typist) -> usize {
    typist.stretches.iter().map(|stretch| stretch.usages.len()).sum()
}

/// The two personas of one person.
struct Personas {
    subject: String,
    one: TableProfile,
    other: TableProfile,
}

/// Everybody's first persona against everybody's other.
struct Search {
    subjects: Vec<String>,
    /// Ratio, nats, of each person's other persona (row) against everybody's first (column).
    ratios: Vec<Vec<f64>>,
    /// Place of the mate among the points nearest to each other persona, from 0.
    near_places: Vec<usize>,
}

impl Search {
    fn of(typists: &[Typist], set: KeystrokeSet, parameters: &TableParameters) -> Result<Self, String> {
        let mut people = Vec::new();
        for typist in typists {
            people.extend(personas(typist, set, parameters)?);
        }
        let ratio = |probe: &Personas, gallery: &Personas| {
            parameters.same_typist(&probe.other, &gallery.one).ok_or("a persona has no hand")
        };
        let mut ratios = Vec::new();
        for probe in &people {
            ratios.push(people.iter().map(|gallery| ratio(probe, gallery)).collect::<Result<Vec<f64>, _>>()?);
        }
        let hand = |profile| parameters.hand(profile).ok_or("a persona has no hand");
        let gallery = people.iter().map(|person| hand(&person.one)).collect::<Result<Vec<Hand>, _>>()?;
        let mut near_places = Vec::new();
        for (index, person) in people.iter().enumerate() {
            let asked = hand(&person.other)?;
            let own = asked.likeness(&gallery[index]);
            near_places.push(gallery.iter().filter(|other| asked.likeness(other) > own).count());
        }
        Ok(Self { subjects: people.into_iter().map(|person| person.subject).collect(), ratios, near_places })
    }

    /// Place of each probe's mate, from 0; ties go against it.
    fn places(&self) -> Vec<usize> {
        let place = |(index, row): (usize, &Vec<f64>)| row.iter().filter(|ratio| **ratio >= row[index]).count() - 1;
        self.ratios.iter().enumerate().map(place).collect()
    }

    /// Sides per probe, as suspicion that there are two typists.
    fn sides(&self) -> Vec<Sides> {
        let sides = |(index, row): (usize, &Vec<f64>)| {
            let strangers = row.iter().enumerate().filter(|(other, _)| *other != index);
            Sides { mated: vec![-row[index]], non_mated: strangers.map(|(_, ratio)| -ratio).collect() }
        };
        self.ratios.iter().enumerate().map(sides).collect()
    }

    fn tell(
        &self,
        figures: &mut Vec<Figure>,
        name: &str,
        how: &str,
        set: KeystrokeSet,
        floors: Option<(f64, f64)>,
        seed: u64,
    ) {
        let people = self.sides();
        let (places, count) = (self.places(), self.subjects.len());
        let licence = if set.trainable() { "train" } else { "measure" };
        let say = Say { name, description: how, unit: "pairs", floor: None, higher_is_better: true, licence };
        let mut share = |ending: &str, what: &str, floor: Option<f64>, hit: &dyn Fn(usize) -> bool| {
            let (name, description) = (format!("{name}.{ending}"), format!("one typist among {count}, {how}: {what}"));
            let say = Say { name: &name, description: &description, floor, ..say };
            figures.extend(figure(&say, &people, seed, |chosen| {
                let hits = chosen.iter().filter(|index| hit(**index)).count();
                Some(hits as f64 / chosen.len() as f64)
            }));
        };
        let (first, fifth) = floors.map_or((None, None), |(first, fifth)| (Some(first), Some(fifth)));
        share("rank1", "share whose other persona ranks first", first, &|index| places[index] == 0);
        share("rank5", "share whose other persona is among the first five", fifth, &|index| places[index] < 5);
        share("recall", "share whose other persona is among the 128 nearest points", None, &|index| {
            self.near_places[index] < COMPARED
        });
        let description = format!(
            "one typist among {count}, {how}: share not found first above the threshold at which \
                                   1 % of searches without a mate find somebody"
        );
        let fnir = format!("{name}.fnir_at_fpir_1");
        let fnir = Say { name: &fnir, description: &description, higher_is_better: false, ..say };
        figures.extend(figure(&fnir, &people, seed, |chosen| fnir_at_fpir(&people, &places, chosen, 0.01)));
        let pairs = Say { higher_is_better: false, description: &format!("pair ratio, {how}"), ..say };
        three(figures, &pairs, &people, seed, floors.map(|_| CLLR_LOSS_FLOOR));
    }

    /// What a tenant of some size would be told by hands alone.
    fn tell_links(&self, figures: &mut Vec<Figure>, name: &str, seed: u64) {
        let people = self.sides();
        for (workers, size) in TENANTS {
            let linked = |ratio: f64| {
                let found = Alike { log_ratio: -ratio, meeting_cost: None };
                found.weight_log_odds(workers - 1) >= 0.0
            };
            let pairs = workers as f64 * (workers as f64 - 1.0) / 2.0;
            let strangers = people.iter().map(|sides| sides.non_mated.len()).sum::<usize>() as f64;
            let rate = |chosen: &[usize], side: &dyn Fn(&Sides) -> &Vec<f64>| {
                let scores = chosen.iter().flat_map(|index| side(&people[*index]).iter());
                let (hits, count) =
                    scores.fold((0, 0), |(hits, count), score| (hits + usize::from(linked(*score)), count + 1));
                (count > 0).then(|| hits as f64 / count as f64)
            };
            let mut tell = |ending: &str, what: &str, higher: bool, statistic: &dyn Fn(&[usize]) -> Option<f64>| {
                let name = format!("{name}.{ending}_{size}");
                let description = format!("tenant of {size} workers, links by typing alone: {what}");
                let say = Say {
                    name: &name,
                    description: &description,
                    unit: "pairs",
                    floor: None,
                    higher_is_better: higher,
                    licence: "measure",
                };
                let told = figure(&say, &people, seed, statistic);
                // Of a rate that was never met, resampling says nothing: three over the number tried bounds it, were they
                // independent.
                let unmet = |figure: &Figure| !higher && figure.value == 0.0;
                figures.extend(told.map(|figure| match unmet(&figure) {
                    true => Figure { interval: Some((0.0, 3.0 / strangers.max(1.0) * pairs)), ..figure },
                    false => figure,
                }));
            };
            tell("false_links", "strangers linked, all pairs times the rate among people", false, &|chosen| {
                rate(chosen, &|sides| &sides.non_mated).map(|rate| rate * pairs)
            });
            tell("found_links", "share of operators' pairs of personas linked", true, &|chosen| {
                rate(chosen, &|sides| &sides.mated)
            });
        }
    }
}

/// The first and the last 250 presses; where there are sessions, of the first and of the fourth.
fn personas(typist: &Typist, set: KeystrokeSet, parameters: &TableParameters) -> Result<Option<Personas>, String> {
    let blocks = |session: Option<u32>| {
        let stretches = typist.stretches.iter().filter(|stretch| session.is_none_or(|of| stretch.session == of));
        convert::blocks(&stretches.cloned().collect::<Vec<_>>(), PRESSES)
    };
    let several = set == KeystrokeSet::VillaniFree;
    let (first, last) = if several { (blocks(Some(1)), blocks(Some(4))) } else { (blocks(None), blocks(None)) };
    let other = match set {
        KeystrokeSet::Bbmas => last.last(),
        KeystrokeSet::VillaniFree => last.first(),
        _ => last.get(1),
    };
    let (Some(one), Some(other)) = (first.first(), other) else { return Ok(None) };
    if !several && first.len() < 2 {
        return Ok(None);
    }
    let learned = |block: &[corpus::Stretch]| -> Result<TableProfile, String> {
        let mut profile = TableProfile::default();
        let mut event = convert::bare_event("w", "e".into(), 0);
        event.cadence = Some(convert::table_of(block, set));
        let table = observe(&fit::typing::samples(event)?).table.ok_or("a block makes no table")?;
        profile.learn(&table, parameters, 0);
        Ok(profile)
    };
    Ok(Some(Personas { subject: typist.subject.clone(), one: learned(one)?, other: learned(other)? }))
}

/// Share of searches whose mate is not first at or above the threshold at which `fpir` of the searches of chosen people
/// without their mate return somebody. Scores are suspicion, so low is alike.
fn fnir_at_fpir(people: &[Sides], places: &[usize], chosen: &[usize], fpir: f64) -> Option<f64> {
    let best = |index: &usize| people[*index].non_mated.iter().copied().fold(f64::INFINITY, f64::min);
    let mut strangers: Vec<f64> = chosen.iter().map(best).collect();
    strangers.sort_unstable_by(f64::total_cmp);
    // Below it: at most a share `fpir` of the searches without a mate.
    let threshold = *strangers.get((fpir * strangers.len() as f64) as usize)?;
    let missed = |index: &&usize| places[**index] != 0 || people[**index].mated[0] >= threshold;
    Some(chosen.iter().filter(missed).count() as f64 / chosen.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mate_is_missed_when_another_is_nearer_or_no_stranger_is_farther() {
        // Strangers' best: -1, -2, -3, -4; at 25 % one of four may be found, so the threshold is -3.
        let sides = |mated: f64, stranger: f64| Sides { mated: vec![mated], non_mated: vec![stranger, 5.0] };
        let people = [sides(-9.0, -1.0), sides(-2.5, -2.0), sides(-9.0, -3.0), sides(-3.5, -4.0)];
        let places = [0, 0, 0, 1];
        assert_eq!(fnir_at_fpir(&people, &places, &[0, 1, 2, 3], 0.25), Some(0.5));
    }
}
