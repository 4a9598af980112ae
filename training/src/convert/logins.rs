//! Semi-real logins to requests.

use crate::corpus::logins::{Login, region_code};
use crate::request::{Request, Update};
use elsewhere::event::{EventUnchecked, NetworkUnchecked, PlaceUnchecked, TimestampUnchecked};

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
