//! Semi-real logins to requests.

use crate::corpus::logins::{Login, home_countries, region_code};
use crate::request::{Request, Update};
use elsewhere::event::{ClaimUnchecked, EventUnchecked, NetworkUnchecked, PlaceUnchecked, TimestampUnchecked};

/// The event of one login. No claim, no kind of network, no marks: a plain sign-in log has none.
pub fn event_of(login: &Login, index: usize) -> EventUnchecked {
    EventUnchecked {
        event_id: format!("{}-{index}", login.user),
        worker_id: login.user.clone(),
        event_time: Some(TimestampUnchecked { seconds: login.ts, nanos: 0 }),
        activity: 1,
        network: Some(NetworkUnchecked {
            ip_address: login.ip.clone(),
            autonomous_system_number: login.asn,
            region_code: region_code(&login.country).unwrap_or_default().into(),
            address_place: Some(PlaceUnchecked {
                latitude_degrees: login.lat,
                longitude_degrees: login.lon,
                radius_km: 0,
            }),
            user_agent: login.browser.clone(),
            operating_system: login.os.clone(),
            ..NetworkUnchecked::default()
        }),
        ..EventUnchecked::default()
    }
}

/// Requests in the order of the logins: the user's own teach if trusted, attacks and farms never.
pub fn requests(logins: &[Login]) -> Vec<Request> {
    logins
        .iter()
        .enumerate()
        .map(|(index, login)| Request {
            event: event_of(login, index),
            update: if login.legit() { Update::IfTrusted } else { Update::Never },
            truth: login.label.clone(),
            group: login.user.clone(),
        })
        .collect()
}

/// New hires of every user: the first `known` logins of their own teach, then comes either the next of their own, or,
/// in its place and as long after the last as it was made, a naive attacker's. All carry the claim of the country most
/// of the user's logins at home come from. Truth `enrol`, the label of the own login, or `atk_naive`; group = the
/// user.
pub fn newcomers(logins: &[Login], known: usize) -> Vec<Request> {
    let homes = home_countries(logins);
    let mut requests = Vec::new();
    for own in logins.chunk_by(|a, b| a.user == b.user) {
        let Some(user) = own.first().map(|login| login.user.as_str()) else { continue };
        let Some(claimed) = homes.get(user).and_then(|country| region_code(country)) else { continue };
        let legit: Vec<&Login> = own.iter().filter(|login| login.legit()).collect();
        let (Some(next), first) = (legit.get(known), &legit[..known.min(legit.len())]) else { continue };
        let mut lives: Vec<Login> = vec![(*next).clone()];
        for (index, attack) in own.iter().enumerate().filter(|(_, login)| login.label == "atk_naive") {
            let before = own[..index].iter().rev().find(|login| login.legit());
            let since = before.map_or(0, |before| attack.ts - before.ts);
            let ts = first.last().map_or(next.ts, |last| last.ts + since);
            lives.push(Login { ts, ..attack.clone() });
        }
        for (life, last) in lives.into_iter().enumerate() {
            let worker = format!("{user}-{known}-{life}");
            for (index, login) in first.iter().copied().chain([&last]).enumerate() {
                let enrols = index < first.len();
                let mut event = event_of(login, index);
                (event.event_id, event.worker_id) = (format!("{worker}-{index}"), worker.clone());
                event.claim = Some(ClaimUnchecked { region_code: claimed.into(), ..ClaimUnchecked::default() });
                requests.push(Request {
                    event,
                    update: if enrols { Update::IfTrusted } else { Update::Never },
                    truth: if enrols { "enrol".into() } else { login.label.clone() },
                    group: user.into(),
                });
            }
        }
    }
    requests
}
