//! Round trips on the real matrix: servers of the United States that nothing was fitted on, operators in North-East
//! Asia.

use super::{STRONG_LOG_ODDS, Sides, Text, cllr_loss, contrast, score, share, tpr_at_one_percent};
use crate::convert::pings::{Form, company_proxy, company_vpn, honest, operators};
use crate::corpus::pings::{self, Matrix};
use crate::request::{Figure, Request, Scorer};
use elsewhere::event::PlaceUnchecked;
use elsewhere::evidence::feature::Finding;
use std::path::Path;

/// Requests, the finding that is measured or the whole family, what is resampled, and the words.
type Row<'a> = (Vec<Request>, Option<Finding>, &'static str, Text<'a>);

pub(super) fn figures(
    data: &Path,
    new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>,
    seed: u64,
) -> Result<Vec<Figure>, String> {
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
    let rows: Vec<Row<'_>> = vec![
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
                ..spare(Some(0.05))
            },
        ),
        (
            company_proxy(&matrix, true),
            None,
            "homes",
            Text {
                name: "network.gap.company_proxy_located_beyond_3_nats",
                description: "at home behind a company proxy anywhere in the US, its place known: beyond +3 nats",
                ..spare(Some(0.05))
            },
        ),
        (
            company_vpn(&matrix),
            None,
            "homes",
            Text {
                name: "network.company_vpn_beyond_3_nats",
                description: "at home on a company VPN with an exit anywhere in the US: beyond +3 nats",
                ..spare(Some(0.05))
            },
        ),
        (
            contiguous(operators(&matrix, Form::Tcp)),
            None,
            "operators",
            Text {
                name: "network.direct.contiguous_claims_beyond_3_nats",
                description: "operator who answers TCP, neither claim nor vantage in Hawaii: share beyond +3 nats",
                floor: None,
                ..catch
            },
        ),
        (
            contiguous(operators(&matrix, Form::TcpAndAnchors)),
            None,
            "operators",
            Text {
                name: "network.direct_anchors.contiguous_claims_beyond_3_nats",
                description: "the same from three vantages",
                floor: None,
                ..catch
            },
        ),
        (
            one_sample(honest(&matrix, Form::Tcp)),
            None,
            "claimed servers",
            Text {
                name: "network.direct_one_sample.united_states_beyond_3_nats",
                description: "true US servers, one TCP round trip, the mean of the day: share beyond +3 nats",
                ..spare(Some(0.01))
            },
        ),
        (
            bad_anchor(honest(&matrix, Form::TcpAndAnchors), &matrix),
            None,
            "claimed servers",
            Text {
                name: "network.bad_anchor.united_states_beyond_3_nats",
                description: "true US servers, three vantages of which one stands an ocean away from where it says",
                ..spare(Some(0.01))
            },
        ),
    ];
    let mut figures = Vec::new();
    for (requests, finding, unit, text) in rows {
        let groups = score(requests, new_scorer().as_mut(), finding)?;
        figures.push(share(&groups, unit, STRONG_LOG_ODDS, &text, seed)?);
    }
    let bound = score(honest(&matrix, Form::TcpAndAnchors), new_scorer().as_mut(), Some(Finding::NetworkBound))?;
    let text = Text {
        name: "network.bound.united_states_broken",
        description: "true US servers, three vantages: share that breaks the bound of physics",
        ..spare(Some(0.01))
    };
    figures.push(share(&bound, "claimed servers", 0.0, &text, seed)?);
    for (form, slice) in [
        (Form::Tcp, "direct"),
        (Form::TcpAndAnchors, "direct_anchors"),
        (Form::Application, "application_only"),
        (Form::TcpAndApplication, "hidden_leg"),
    ] {
        figures.extend(against(&matrix, form, slice, new_scorer, seed)?);
    }
    Ok(figures)
}

/// Share of hostile sessions with truly domestic round trips that the scores allow for (`fit/network.rs`).
const INSIDE_RATE: f64 = 0.25;

fn loss_of(honest: &[f64], hostile: &[f64]) -> Option<f64> {
    cllr_loss(honest, hostile, INSIDE_RATE)
}

/// Operators against true servers: a rate at a threshold of the honest, and what calibration loses. Resampled by
/// claimed server, the operators' sessions going along with the claim they make.
fn against(
    matrix: &Matrix,
    form: Form,
    slice: &str,
    new_scorer: &mut dyn FnMut() -> Box<dyn Scorer>,
    seed: u64,
) -> Result<Vec<Figure>, String> {
    let mut requests = honest(matrix, form);
    requests.extend(operators(matrix, form));
    for request in &mut requests {
        request.group = claimed(request);
    }
    let groups = score(requests, new_scorer().as_mut(), None)?;
    let sides = Sides { honest: &|truth| truth == "us", hostile: &|truth| truth != "us" };
    let text = |name, description, floor, higher_is_better| Text {
        name,
        description,
        floor,
        higher_is_better,
        source: "real",
        licence: "measure",
    };
    let name = format!("network.{slice}.tpr_at_1pct_fpr");
    let what = "operators of North-East Asia beyond the threshold that 1 % of true US servers pass";
    let tpr = contrast(&groups, sides, tpr_at_one_percent, &text(&name, what, None, true), "claimed servers", seed)?;
    let name = format!("network.{slice}.cllr_loss");
    let what = "Cllr less the least a recalibration could reach";
    let loss = contrast(&groups, sides, loss_of, &text(&name, what, Some(0.05), false), "claimed servers", seed)?;
    Ok(vec![tpr, loss])
}

fn claimed(request: &Request) -> String {
    let place = request.event.claim.as_ref().and_then(|claim| claim.place);
    place.map_or(String::new(), |place| format!("{:.3} {:.3}", place.latitude_degrees, place.longitude_degrees))
}

/// Requests whose claim and vantage both lie on the contiguous United States.
fn contiguous(requests: Vec<Request>) -> Vec<Request> {
    let on_it = |place: Option<PlaceUnchecked>| place.is_some_and(|place| place.longitude_degrees > -130.0);
    let both = |request: &Request| {
        on_it(request.event.claim.as_ref().and_then(|claim| claim.place))
            && on_it(request.event.network.as_ref().and_then(|network| network.vantage))
    };
    requests.into_iter().filter(both).collect()
}

/// The same with one TCP round trip each: the day's mean in the place of its shortest.
fn one_sample(mut requests: Vec<Request>) -> Vec<Request> {
    for network in requests.iter_mut().filter_map(|request| request.event.network.as_mut()) {
        // Shortest, mean, longest.
        network.tcp_rtt_micros = network.tcp_rtt_micros.get(1).map(|mean| vec![*mean]).unwrap_or_default();
    }
    requests
}

/// The same with the first anchor told to stand in Europe.
fn bad_anchor(mut requests: Vec<Request>, matrix: &Matrix) -> Vec<Request> {
    let abroad = matrix.servers.iter().find(|server| server.region_code == "DE");
    let told = abroad.map(|server| PlaceUnchecked {
        latitude_degrees: server.place.latitude_degrees,
        longitude_degrees: server.place.longitude_degrees,
        radius_km: server.place.radius_km,
    });
    for network in requests.iter_mut().filter_map(|request| request.event.network.as_mut()) {
        if let Some((vantage, _)) = network.anchors.first_mut() {
            *vantage = told;
        }
    }
    requests
}
