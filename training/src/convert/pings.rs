//! Round trips of the matrix to requests: honest people in the United States, operators in North-East Asia.

use crate::corpus::pings::{Matrix, RoundTrips, Server, fitted, north_east_asian};
use crate::request::{Request, Update};
use elsewhere::event::{ClaimUnchecked, EventUnchecked, NetworkUnchecked, Place, PlaceUnchecked, TimestampUnchecked};

/// First instant of converted events, seconds since 1970: noon of the matrix's first day.
const START_SECONDS: i64 = 1_595_160_000;
/// What a client program adds by itself, milliseconds: within the 0.3 to 8.5 ms read for direct clients.
const PROGRAM_MS: f64 = 3.0;

/// Which round trips a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// TCP from the client to the vantage only.
    Tcp,
    /// TCP to the nearest proxy and the application's through to the client.
    TcpAndApplication,
    /// The application's through to the client only.
    Application,
    /// TCP from the client to the vantage and to two more places.
    TcpAndAnchors,
}

fn place_of(place: Place) -> PlaceUnchecked {
    PlaceUnchecked {
        latitude_degrees: place.latitude_degrees,
        longitude_degrees: place.longitude_degrees,
        radius_km: place.radius_km,
    }
}

fn micros(trips: RoundTrips, extra_ms: f64) -> Vec<u32> {
    [trips.min_ms, trips.avg_ms, trips.max_ms].iter().map(|rtt| ((rtt + extra_ms) * 1000.0).max(1.0) as u32).collect()
}

fn sum(a: RoundTrips, b: RoundTrips) -> RoundTrips {
    RoundTrips { min_ms: a.min_ms + b.min_ms, avg_ms: a.avg_ms + b.avg_ms, max_ms: a.max_ms + b.max_ms }
}

struct Path<'a> {
    claimed: &'a Server,
    vantage: &'a Server,
    /// Where the caller's geolocation puts the address, when it is asked.
    exit: Option<&'a Server>,
    tcp: Option<RoundTrips>,
    application: Option<RoundTrips>,
    anchors: Vec<(&'a Server, RoundTrips)>,
}

/// Two more places that measured `client`, none of them at the claimed place.
fn anchors<'a>(
    matrix: &Matrix,
    servers: &[&'a Server],
    client: &Server,
    form: Form,
    skip: [u32; 2],
) -> Vec<(&'a Server, RoundTrips)> {
    if form != Form::TcpAndAnchors {
        return Vec::new();
    }
    let start = servers.iter().position(|server| server.id == skip[1]).unwrap_or(0);
    // A third and two thirds around the list: far enough apart to see from different sides.
    [servers.len() / 3, 2 * servers.len() / 3]
        .iter()
        .map(|step| servers[(start + step) % servers.len()])
        .filter(|server| !skip.contains(&server.id) && server.id != client.id)
        .filter_map(|server| matrix.between(client, server).map(|trips| (server, trips)))
        .collect()
}

fn request(path: &Path<'_>, truth: &str, group: &str, index: usize) -> Request {
    let event = EventUnchecked {
        event_id: format!("{truth}-{index}"),
        // Nobody is met twice: round trips are judged without a past.
        worker_id: format!("{truth}-{index}"),
        event_time: Some(TimestampUnchecked { seconds: START_SECONDS, nanos: 0 }),
        activity: 1,
        claim: Some(ClaimUnchecked {
            region_code: path.claimed.region_code.clone(),
            place: Some(place_of(path.claimed.place)),
            ..ClaimUnchecked::default()
        }),
        network: Some(NetworkUnchecked {
            tcp_rtt_micros: path.tcp.map(|trips| micros(trips, 0.0)).unwrap_or_default(),
            application_rtt_micros: path.application.map(|trips| micros(trips, PROGRAM_MS)).unwrap_or_default(),
            vantage: Some(place_of(path.vantage.place)),
            anchors: path
                .anchors
                .iter()
                .map(|(server, trips)| (Some(place_of(server.place)), micros(*trips, 0.0)))
                .collect(),
            region_code: path.exit.map(|exit| exit.region_code.clone()).unwrap_or_default(),
            address_place: path.exit.map(|exit| place_of(exit.place)),
            ..NetworkUnchecked::default()
        }),
        ..EventUnchecked::default()
    };
    Request { event, update: Update::Never, truth: truth.into(), group: group.into() }
}

fn measured(matrix: &Matrix) -> Vec<&Server> {
    matrix.servers.iter().filter(|server| server.region_code == "US" && !fitted(server)).collect()
}

/// People who are where they claim: every ordered pair of servers in the United States that nothing was fitted on.
/// Truth `us`, group = the claimed server.
pub fn honest(matrix: &Matrix, form: Form) -> Vec<Request> {
    let servers = measured(matrix);
    let mut requests = Vec::new();
    for claimed in &servers {
        for vantage in &servers {
            let Some(tcp) = matrix.between(claimed, vantage) else { continue };
            let path = Path {
                claimed,
                vantage,
                exit: None,
                tcp: (form != Form::Application).then_some(tcp),
                application: matches!(form, Form::Application | Form::TcpAndApplication).then_some(tcp),
                anchors: anchors(matrix, &servers, claimed, form, [claimed.id, vantage.id]),
            };
            requests.push(request(&path, "us", &claimed.name, requests.len()));
        }
    }
    requests
}

/// People at home behind a company proxy elsewhere in the United States: a leg that TCP does not see, yet domestic.
/// Truth `company_proxy`, group = the home. `located`: whether the caller's geolocation puts the address at the proxy.
pub fn company_proxy(matrix: &Matrix, located: bool) -> Vec<Request> {
    let servers = measured(matrix);
    let mut requests = Vec::new();
    for claimed in &servers {
        for exit in &servers {
            // One vantage per exit is enough: the gap is the leg from home to exit.
            let vantage = servers.iter().find(|vantage| vantage.id != exit.id && vantage.id != claimed.id);
            let Some(vantage) = vantage else { continue };
            let measured = matrix.between(claimed, exit).zip(matrix.between(exit, vantage));
            let Some((leg, tcp)) = measured else { continue };
            let path = Path {
                claimed,
                vantage,
                exit: located.then_some(*exit),
                tcp: Some(tcp),
                application: Some(sum(tcp, leg)),
                anchors: Vec::new(),
            };
            requests.push(request(&path, "company_proxy", &claimed.name, requests.len()));
        }
    }
    requests
}

/// The same people on a company's VPN: packets go home to exit to vantage and the laptop itself answers TCP.
/// Truth `company_vpn`, group = the home. The exit is an organization's and its place is known.
pub fn company_vpn(matrix: &Matrix) -> Vec<Request> {
    let servers = measured(matrix);
    let mut requests = Vec::new();
    for claimed in &servers {
        for exit in &servers {
            let vantage = servers.iter().find(|vantage| vantage.id != exit.id && vantage.id != claimed.id);
            let Some(vantage) = vantage else { continue };
            let measured = matrix.between(claimed, exit).zip(matrix.between(exit, vantage));
            let Some((leg, last)) = measured else { continue };
            let tcp = sum(last, leg);
            let (tcp, application) = (Some(tcp), Some(tcp));
            let path = Path { claimed, vantage, exit: Some(*exit), tcp, application, anchors: Vec::new() };
            let mut request = request(&path, "company_vpn", &claimed.name, requests.len());
            if let Some(network) = &mut request.event.network {
                // CONNECTION_TYPE_ORGANIZATION
                network.connection_type = 3;
            }
            requests.push(request);
        }
    }
    requests
}

/// Operators in North-East Asia who claim a server in the United States. Group = the operator.
///
/// [`Form::Tcp`] and [`Form::TcpAndAnchors`]: they answer TCP themselves, truth `direct`. Else a proxy at the claimed
/// server answers TCP and the application's round trip has the leg across the Pacific on top, truth `hidden_leg`.
pub fn operators(matrix: &Matrix, form: Form) -> Vec<Request> {
    let servers = measured(matrix);
    let mut requests = Vec::new();
    for operator in matrix.servers.iter().filter(|server| north_east_asian(server)) {
        for claimed in &servers {
            for vantage in servers.iter().filter(|vantage| vantage.id != claimed.id) {
                let made = match form {
                    Form::Tcp | Form::TcpAndAnchors => matrix.between(operator, vantage).map(|tcp| {
                        let anchors = anchors(matrix, &servers, operator, form, [claimed.id, vantage.id]);
                        let (tcp, application) = (Some(tcp), None);
                        (Path { claimed, vantage, exit: None, tcp, application, anchors }, "direct")
                    }),
                    Form::TcpAndApplication | Form::Application => {
                        matrix.between(claimed, vantage).zip(matrix.between(operator, claimed)).map(|(tcp, leg)| {
                            let seen = (form == Form::TcpAndApplication).then_some(tcp);
                            let application = Some(sum(tcp, leg));
                            let anchors = Vec::new();
                            (Path { claimed, vantage, exit: None, tcp: seen, application, anchors }, "hidden_leg")
                        })
                    }
                };
                if let Some((path, truth)) = made {
                    requests.push(request(&path, truth, &operator.name, requests.len()));
                }
            }
        }
    }
    requests
}
