//! Familiarity and travel on the semi-real logins of users left out.
//!
//! What the attacks look like is invented, so each figure stands beside what it rests on: the same attackers with the
//! user's own client, and without the client at all.

use super::{Groups, Sides, Text, cllr_loss, contrast, score, tpr_at_one_percent};
use crate::convert::logins::{newcomers, requests};
use crate::corpus::logins::{self, Login};
use crate::metrics::auc;
use crate::request::{Figure, Request, Scorer};
use elsewhere::evidence::feature::{Family, Finding};
use std::collections::BTreeMap;
use std::path::Path;

/// Share of hostile sessions from inside that the scores allow for (`fit/network.rs`).
pub(super) const INSIDE_RATE: f64 = 0.3;
/// Logins that went before, of the figures on new hires.
const NEWCOMER_LOGINS: [usize; 4] = [0, 1, 3, 10];

fn loss_of(honest: &[f64], hostile: &[f64]) -> Option<f64> {
    cllr_loss(honest, hostile, INSIDE_RATE)
}

fn legit(truth: &str) -> bool {
    truth.starts_with("legit")
}

fn text<'a>(name: &'a str, description: &'a str, floor: Option<f64>, higher_is_better: bool) -> Text<'a> {
    Text { name, description, floor, higher_is_better, source: "mixed", licence: "train" }
}

/// The client attackers are given.
#[derive(Clone, Copy)]
enum Client {
    /// As the set invents it.
    Invented,
    /// That of the user's last own login: what costs an attacker least.
    Copied,
    /// Nobody's is collected.
    Missing,
}

fn with_client(logins: &[Login], client: Client) -> Vec<Login> {
    let mut last: Option<Login> = None;
    let mut changed = Vec::with_capacity(logins.len());
    for login in logins {
        let mut login = login.clone();
        match client {
            Client::Invented => {}
            Client::Missing => {
                login.browser.clear();
                login.os.clear();
            }
            Client::Copied if !login.legit() => {
                if let Some(own) = last.as_ref().filter(|own| own.user == login.user) {
                    (login.browser, login.os) = (own.browser.clone(), own.os.clone());
                }
            }
            Client::Copied => last = Some(login.clone()),
        }
        changed.push(login);
    }
    changed
}

/// Logins of users left out of the fit, by user and time.
pub(super) fn left_out(data: &Path) -> Result<Vec<Login>, String> {
    Ok(logins::read(data)?.into_iter().filter(|login| !logins::fitted(&login.user)).collect())
}

/// Scores by user and truth: what the curves and the reliability are drawn from.
pub(super) fn scores(logins: &[Login], scorer: &mut dyn Scorer) -> Result<Groups, String> {
    score(requests(logins), scorer, None)
}

/// Curves of the page: name, scores, and the attack they show.
pub(super) fn curves(
    data: &Path,
    new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>,
) -> Result<Vec<(String, Groups, String)>, String> {
    let logins = left_out(data)?;
    let mut curves = Vec::new();
    for (client, words) in [(Client::Invented, ""), (Client::Copied, ", same client")] {
        let groups = scores(&with_client(&logins, client), new_scorer().as_mut())?;
        for (attack, who) in [("atk_naive", "from anywhere"), ("atk_vpn", "same country")] {
            curves.push((format!("{who}{words}"), groups.clone(), attack.to_string()));
        }
    }
    Ok(curves)
}

/// Slices of the reliability: all honest logins, those on journeys, by phone, through shared exits; the attacks with
/// each.
pub(super) fn slices(
    data: &Path,
    new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>,
) -> Result<Vec<(String, Groups)>, String> {
    let groups = scores(&left_out(data)?, new_scorer().as_mut())?;
    let only = |kept: &str| {
        let mut groups = groups.clone();
        let keep = |truth: &str| outside(truth) || if kept == "legit" { legit(truth) } else { truth == kept };
        groups.values_mut().for_each(|truths| truths.retain(|truth, _| keep(truth)));
        groups
    };
    let named = [("all", "legit"), ("journeys", "legit_away"), ("phones", "legit_mobile"), ("exits", "legit_vpn")];
    Ok(named.map(|(name, kept)| (name.to_string(), only(kept))).into())
}

pub(super) fn figures(
    data: &Path,
    new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>,
    seed: u64,
) -> Result<Vec<Figure>, String> {
    let logins = left_out(data)?;
    let mut figures = Vec::new();
    for (client, suffix, words) in [
        (Client::Invented, "", ""),
        (Client::Copied, "_same_client", ", with the user's own client"),
        (Client::Missing, "_no_client", ", no client collected"),
    ] {
        let groups = scores(&with_client(&logins, client), new_scorer().as_mut())?;
        attacks(&groups, client, suffix, words, seed, &mut figures)?;
        if matches!(client, Client::Invented) {
            calibration(&groups, seed, &mut figures)?;
        }
    }
    calibration_by_age(&logins, new_scorer, seed, &mut figures)?;
    for known in NEWCOMER_LOGINS {
        newcomer(&logins, known, new_scorer, seed, &mut figures)?;
    }
    Ok(figures)
}

fn attacks(
    groups: &Groups,
    client: Client,
    suffix: &str,
    words: &str,
    seed: u64,
    figures: &mut Vec<Figure>,
) -> Result<(), String> {
    for (attack, who, tpr_floor, auc_floor) in [
        ("atk_naive", "attacker from anywhere", Some(0.90), Some(0.99)),
        ("atk_vpn", "attacker from a business network of the same country", Some(0.12), Some(0.80)),
        ("atk_targeted", "attacker on the user's own network and client", None, None),
    ] {
        // Floors are those of the set as it is.
        let floors = matches!(client, Client::Invented);
        let hostile = |truth: &str| truth == attack;
        let sides = Sides { honest: &legit, hostile: &hostile };
        let key = attack.trim_start_matches("atk_");
        let name = format!("network.semireal.{key}{suffix}_tpr_at_1pct_fpr");
        let what = format!("{who}{words}: share of logins beyond the threshold that 1 % of honest ones pass");
        let tpr = text(&name, &what, tpr_floor.filter(|_| floors), true);
        figures.push(contrast(groups, sides, tpr_at_one_percent, &tpr, "users", seed)?);
        let (name, what) =
            (format!("network.semireal.{key}{suffix}_auc"), format!("{who}{words}: area under the curve"));
        let area = text(&name, &what, auc_floor.filter(|_| floors), true);
        figures.push(contrast(groups, sides, auc, &area, "users", seed)?);
    }
    Ok(())
}

/// Attacks that come from elsewhere: those the family can tell at all.
fn outside(truth: &str) -> bool {
    truth == "atk_naive" || truth == "atk_vpn"
}

/// Loss by calibration for each kind of honest login.
fn calibration(groups: &Groups, seed: u64, figures: &mut Vec<Figure>) -> Result<(), String> {
    for (slice, what) in [
        ("all", "all honest logins"),
        ("legit", "honest logins at home or the office"),
        ("legit_away", "honest logins on journeys"),
        ("legit_mobile", "honest logins by phone"),
        ("legit_vpn", "honest logins through shared exits"),
    ] {
        let honest = |truth: &str| if slice == "all" { legit(truth) } else { truth == slice };
        let sides = Sides { honest: &honest, hostile: &outside };
        let name =
            format!("network.semireal.{}.cllr_loss", slice.trim_start_matches("legit_").replace("legit", "home"));
        let what = format!("{what} against attackers from elsewhere: Cllr less the least a recalibration could reach");
        // Slices of honest logins are no samples of the whole, so only the whole has a floor.
        let loss = text(&name, &what, (slice == "all").then_some(0.05), false);
        figures.push(contrast(groups, sides, loss_of, &loss, "users", seed)?);
    }
    Ok(())
}

/// The same by how many sessions the profile has.
fn calibration_by_age(
    logins: &[Login],
    new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>,
    seed: u64,
    figures: &mut Vec<Figure>,
) -> Result<(), String> {
    let mut scorer = new_scorer();
    let mut by_age: BTreeMap<&str, Groups> = BTreeMap::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for request in requests(logins) {
        let Request { event, update, truth, group } = request;
        let llr = scorer.score(event, update)?.family(Family::Network);
        let count = seen.entry(group.clone()).or_default();
        let age = match *count {
            0..=9 => "sessions_1_to_10",
            10..=49 => "sessions_11_to_50",
            _ => "sessions_over_50",
        };
        if legit(&truth) {
            *count += 1;
        }
        by_age.entry(age).or_default().entry(group).or_default().entry(truth).or_default().push(llr);
    }
    for (age, groups) in by_age {
        let sides = Sides { honest: &legit, hostile: &outside };
        let name = format!("network.semireal.{age}.cllr_loss");
        let what = format!("attackers from elsewhere, profiles of {} sessions: loss by calibration", &age[9..]);
        let what = what.replace('_', " ");
        match contrast(&groups, sides, loss_of, &text(&name, &what, None, false), "users", seed) {
            Ok(figure) => figures.push(figure),
            // No attack on profiles that young.
            Err(_) => continue,
        }
    }
    Ok(())
}

/// New hires with a claim: the first logins of users left out, and naive attackers in the place of the next.
fn newcomer(
    logins: &[Login],
    known: usize,
    new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>,
    seed: u64,
    figures: &mut Vec<Figure>,
) -> Result<(), String> {
    let groups = score(newcomers(logins, known), new_scorer().as_mut(), None)?;
    let hostile = |truth: &str| truth == "atk_naive";
    let sides = Sides { honest: &legit, hostile: &hostile };
    let name = format!("network.semireal.newcomer_after_{known}.naive_auc");
    let what = format!("new hire with a claim, {known} logins known: attacker from anywhere, area under the curve");
    figures.push(contrast(&groups, sides, auc, &text(&name, &what, None, true), "users", seed)?);
    let alone = score(newcomers(logins, known), new_scorer().as_mut(), Some(Finding::NetworkFamiliarity))?;
    let name = format!("network.semireal.newcomer_after_{known}.familiarity_auc");
    let what = format!("the same by familiarity alone, {known} logins known");
    figures.push(contrast(&alone, sides, auc, &text(&name, &what, None, true), "users", seed)?);
    Ok(())
}
