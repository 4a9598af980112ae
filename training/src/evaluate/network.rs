//! Figures of the network family on data that nothing was fitted on: users, servers and operators left out.

use crate::convert;
use crate::corpus::{logins, pings};
use crate::metrics::{auc, bootstrap, tpr_at_fpr};
use crate::request::{Figure, Request, Scorer};
use elsewhere::evidence::feature::{Family, Finding};
use std::collections::BTreeMap;
use std::path::Path;

/// Resamples behind an interval.
const RESAMPLES: usize = 200;
/// Nats beyond which a session alone speaks strongly: 20 to 1.
const STRONG_LOG_ODDS: f64 = 3.0;

/// Scores by group: group name, then truth, then the family's log-likelihood ratios.
type Groups = BTreeMap<String, BTreeMap<String, Vec<f64>>>;

fn score(requests: Vec<Request>, scorer: &mut dyn Scorer, finding: Option<Finding>) -> Result<Groups, String> {
    let mut groups = Groups::new();
    for request in requests {
        let scored = scorer.score(request.event, request.update)?;
        let llr = match finding {
            Some(finding) => scored.finding(finding).unwrap_or(0.0),
            None => scored.family(Family::Network),
        };
        groups.entry(request.group).or_default().entry(request.truth).or_default().push(llr);
    }
    Ok(groups)
}

fn pooled(groups: &[&BTreeMap<String, Vec<f64>>], chosen: &[usize], truth: &dyn Fn(&str) -> bool) -> Vec<f64> {
    chosen
        .iter()
        .flat_map(|index| groups[*index].iter().filter(|(name, _)| truth(name)).flat_map(|(_, scores)| scores))
        .copied()
        .collect()
}

/// Text of a figure.
struct Text<'a> {
    name: &'a str,
    description: &'a str,
    floor: Option<f64>,
    higher_is_better: bool,
    source: &'a str,
    licence: &'a str,
}

/// A statistic of hostile and honest scores, resampled by group.
fn contrast(
    groups: &Groups,
    attack: &str,
    statistic: fn(&[f64], &[f64]) -> Option<f64>,
    text: &Text<'_>,
    seed: u64,
) -> Result<Figure, String> {
    let parts: Vec<_> = groups.values().collect();
    let of = |chosen: &[usize]| {
        let honest = pooled(&parts, chosen, &|truth| truth.starts_with("legit"));
        statistic(&honest, &pooled(&parts, chosen, &|truth| truth == attack))
    };
    let everyone: Vec<usize> = (0..parts.len()).collect();
    let value = of(&everyone).ok_or_else(|| format!("{}: nothing to measure", text.name))?;
    let honest = pooled(&parts, &everyone, &|truth| truth.starts_with("legit")).len();
    let hostile = pooled(&parts, &everyone, &|truth| truth == attack).len();
    let sample = format!("{} users, {honest} honest and {hostile} hostile logins", parts.len());
    Ok(figure(text, value, bootstrap(parts.len(), RESAMPLES, seed, of), sample))
}

fn figure(text: &Text<'_>, value: f64, interval: Option<(f64, f64)>, sample: String) -> Figure {
    Figure {
        name: text.name.into(),
        description: text.description.into(),
        value,
        interval,
        sample,
        floor: text.floor,
        higher_is_better: text.higher_is_better,
        source: text.source.into(),
        licence: text.licence.into(),
    }
}

/// Share of scores beyond a bound, resampled by group.
fn share(groups: &Groups, unit: &str, beyond: f64, text: &Text<'_>, seed: u64) -> Result<Figure, String> {
    let parts: Vec<_> = groups.values().collect();
    let of = |chosen: &[usize]| {
        let scores = pooled(&parts, chosen, &|_| true);
        let count = scores.iter().filter(|score| **score > beyond).count();
        (!scores.is_empty()).then(|| count as f64 / scores.len() as f64)
    };
    let everyone: Vec<usize> = (0..parts.len()).collect();
    let value = of(&everyone).ok_or_else(|| format!("{}: nothing to measure", text.name))?;
    let sessions = pooled(&parts, &everyone, &|_| true).len();
    let names: Vec<&str> = groups.keys().map(String::as_str).collect();
    let listed = if names.len() <= 10 { format!(" ({})", names.join(", ")) } else { String::new() };
    let sample = format!("{} {unit}{listed}, {sessions} sessions", parts.len());
    Ok(figure(text, value, bootstrap(parts.len(), RESAMPLES, seed, of), sample))
}

fn tpr_at_one_percent(honest: &[f64], hostile: &[f64]) -> Option<f64> {
    tpr_at_fpr(honest, hostile, 0.01)
}

/// Measures the family's figures of `targets.md`.
///
/// # Errors
/// Names the file that cannot be read, or the event that could not be scored.
pub fn evaluate(
    data: &Path,
    new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>,
    seed: u64,
) -> Result<Vec<Figure>, String> {
    let mut figures = familiarity(data, new_scorer, seed)?;
    figures.extend(round_trips(data, new_scorer, seed)?);
    Ok(figures)
}

fn familiarity(data: &Path, new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>, seed: u64) -> Result<Vec<Figure>, String> {
    let logins: Vec<_> = logins::read(data)?.into_iter().filter(|login| !logins::fitted(&login.user)).collect();
    let groups = score(convert::logins::requests(&logins), new_scorer().as_mut(), None)?;
    let mut figures = Vec::new();
    for (attack, words, tpr_floor, auc_floor) in [
        ("atk_naive", "attacker from anywhere", Some(0.90), Some(0.99)),
        ("atk_vpn", "attacker from a business network of the same country", Some(0.12), Some(0.80)),
        ("atk_targeted", "attacker on the user's own network and client", None, None),
    ] {
        let key = attack.trim_start_matches("atk_");
        let tpr_name = format!("network.semireal.{key}_tpr_at_1pct_fpr");
        let tpr_text = Text {
            name: &tpr_name,
            description: &format!("{words}: share of logins beyond the threshold that 1 % of honest ones pass"),
            floor: tpr_floor,
            higher_is_better: true,
            source: "mixed",
            licence: "train",
        };
        figures.push(contrast(&groups, attack, tpr_at_one_percent, &tpr_text, seed)?);
        let auc_name = format!("network.semireal.{key}_auc");
        let auc_words = format!("{words}: area under the curve");
        let auc_text = Text { name: &auc_name, description: &auc_words, floor: auc_floor, ..tpr_text };
        figures.push(contrast(&groups, attack, auc, &auc_text, seed)?);
    }
    Ok(figures)
}

fn round_trips(data: &Path, new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>, seed: u64) -> Result<Vec<Figure>, String> {
    use convert::pings::{Form, company_proxy, company_vpn, honest, operators};
    let matrix = pings::read(data)?;
    let catch = Text {
        name: "",
        description: "",
        floor: Some(0.95),
        higher_is_better: true,
        source: "real",
        licence: "measure",
    };
    let spare = |floor| Text { floor, higher_is_better: false, ..catch };
    let rows: Vec<(Vec<Request>, Option<Finding>, &str, Text<'_>)> = vec![
        (
            operators(&matrix, Form::TcpAndApplication),
            None,
            "operators",
            Text {
                name: "network.hidden_leg.north_east_asia_beyond_3_nats",
                description: "operator behind a domestic proxy, TCP and application round trips: share beyond +3 nats",
                ..catch
            },
        ),
        (
            operators(&matrix, Form::TcpAndApplication),
            Some(Finding::NetworkGap),
            "operators",
            Text {
                name: "network.gap.north_east_asia_beyond_3_nats",
                description: "the same by the gap alone, which needs no claim",
                ..catch
            },
        ),
        (
            operators(&matrix, Form::Application),
            None,
            "operators",
            Text {
                name: "network.application_only.north_east_asia_beyond_3_nats",
                description: "operator behind a domestic proxy, application round trips only: share beyond +3 nats",
                ..catch
            },
        ),
        (
            operators(&matrix, Form::Tcp),
            None,
            "operators",
            Text {
                name: "network.direct.north_east_asia_beyond_3_nats",
                description: "operator who answers TCP and claims a place in the US: share beyond +3 nats",
                ..catch
            },
        ),
        (
            honest(&matrix, Form::TcpAndApplication),
            None,
            "claimed servers",
            Text {
                name: "network.hidden_leg.united_states_beyond_3_nats",
                description: "true US servers, TCP and application round trips: share beyond +3 nats",
                ..spare(Some(0.01))
            },
        ),
        (
            honest(&matrix, Form::Tcp),
            None,
            "claimed servers",
            Text {
                name: "network.direct.united_states_beyond_3_nats",
                description: "true US servers, TCP round trips only: share beyond +3 nats",
                ..spare(Some(0.01))
            },
        ),
        (
            honest(&matrix, Form::Application),
            None,
            "claimed servers",
            Text {
                name: "network.application_only.united_states_beyond_3_nats",
                description: "true US servers, application round trips only: share beyond +3 nats",
                ..spare(Some(0.01))
            },
        ),
        (
            operators(&matrix, Form::TcpAndAnchors),
            None,
            "operators",
            Text {
                name: "network.direct_anchors.north_east_asia_beyond_3_nats",
                description: "operator who answers TCP, three vantages: share beyond +3 nats",
                ..catch
            },
        ),
        (
            honest(&matrix, Form::TcpAndAnchors),
            None,
            "claimed servers",
            Text {
                name: "network.direct_anchors.united_states_beyond_3_nats",
                description: "true US servers, TCP, three vantages: share beyond +3 nats",
                ..spare(Some(0.01))
            },
        ),
        (
            company_proxy(&matrix, false),
            None,
            "homes",
            Text {
                name: "network.gap.company_proxy_beyond_3_nats",
                description: "at home behind a company proxy anywhere in the US, its place not known: beyond +3 nats",
                ..spare(None)
            },
        ),
        (
            company_proxy(&matrix, true),
            None,
            "homes",
            Text {
                name: "network.gap.company_proxy_located_beyond_3_nats",
                description: "at home behind a company proxy anywhere in the US, its place known: beyond +3 nats",
                ..spare(None)
            },
        ),
        (
            company_vpn(&matrix),
            None,
            "homes",
            Text {
                name: "network.company_vpn_beyond_3_nats",
                description: "at home on a company VPN with an exit anywhere in the US: beyond +3 nats",
                ..spare(None)
            },
        ),
    ];
    let mut figures = Vec::new();
    for (requests, finding, unit, text) in rows {
        let groups = score(requests, new_scorer().as_mut(), finding)?;
        figures.push(share(&groups, unit, STRONG_LOG_ODDS, &text, seed)?);
    }
    Ok(figures)
}
