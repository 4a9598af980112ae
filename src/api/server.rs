//! The gRPC server: services, health, reflection, TLS, limits and drain.

use super::assess::{Assess, system_now};
use super::cancel::Cancels;
use super::deadline::Deadline;
use super::doors::{Clock, Counted, Doors};
use super::feedback::Reviews;
use super::linkage::Linkages;
use super::model::LoadedModels;
use super::monitor;
use super::profile::Profiles;
use super::standing::Standings;
use super::tenant::Callers;
use super::wire;
use super::wire::feedback_service_server::FeedbackServiceServer;
use super::wire::linkage_service_server::LinkageServiceServer;
use super::wire::model_service_server::ModelServiceServer;
use super::wire::profile_service_server::ProfileServiceServer;
use super::wire::session_risk_service_server::SessionRiskServiceServer;
use super::wire::standing_service_server::StandingServiceServer;
use crate::addresses::{AddressBook, Renewed};
use crate::config::Config;
use crate::event::{DatabaseBuild, limits};
use crate::pipeline::{Implicated, Pipeline};
use crate::risk::Catalogue;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::MissedTickBehavior;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};
use tracing::{info, warn};

/// A service bound to its address, ready to run.
pub struct Service {
    listener: TcpListener,
    doors: Arc<Doors>,
    drain: watch::Sender<bool>,
    implicated: mpsc::Receiver<Implicated>,
    config: Config,
}

/// What a service did in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Sessions received: as many as were answered, refused or dropped, when everything was drained.
    pub received_count: u64,
    /// Sessions answered with a verdict.
    pub verdict_count: u64,
    /// Sessions refused with a reason.
    pub refusal_count: u64,
    /// Sessions dropped without an answer: a deadline passed, the caller went away, the worker was erased, or the store
    /// failed at the end.
    pub drop_count: u64,
    /// Whether every call in flight was answered within the drain time.
    pub drained: bool,
}

impl Service {
    /// Binds the address and names the tenants in the store.
    ///
    /// # Errors
    /// Says why the address cannot be bound or the store cannot be written.
    pub async fn bind(config: Config, pipeline: Pipeline) -> Result<Self, String> {
        Self::bind_with_clock(config, pipeline, Arc::new(system_now)).await
    }

    /// As [`Service::bind`], with "now" read from `clock`.
    ///
    /// # Errors
    /// As [`Service::bind`].
    pub async fn bind_with_clock(config: Config, pipeline: Pipeline, clock: Clock) -> Result<Self, String> {
        // Read here so that a service that starts can tell every reason.
        Catalogue::shipped()?;
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| format!("cannot listen on {}: {error}; free the port or name another", config.listen))?;
        let callers = Callers::new(&config, pipeline.store()).map_err(|error| error.to_string())?;
        let (drain, draining) = watch::channel(false);
        let (implicate, implicated) = mpsc::channel(limits::IMPLICATIONS_WAITING_MAX);
        let pipeline = pipeline.serving(move |one| {
            if implicate.try_send(one).is_err() {
                warn!("too many workers wait to hear of another's event: these wait for their own next one");
            }
        });
        let (in_flight, monitored) = (config.in_flight_max, config.monitored_sessions_max);
        let mut doors = Doors::new(pipeline, callers, in_flight, monitored, config.worker_retention_micros, draining)
            .with_clock(clock);
        doors.nonce_micros = config.nonce_micros;
        doors.addresses = Arc::new(AddressBook::open(&config.address_databases, config.address_databases_prevail)?);
        for build in doors.addresses.builds() {
            told_of(&build);
        }
        Ok(Self { listener, doors: Arc::new(doors), drain, implicated, config })
    }

    /// The address bound, with the port the system chose when 0 was asked for.
    ///
    /// # Errors
    /// When the system will not say.
    pub fn address(&self) -> Result<SocketAddr, String> {
        self.listener.local_addr().map_err(|error| error.to_string())
    }

    /// What the service shares: its pipeline and its counts.
    pub fn doors(&self) -> Arc<Doors> {
        Arc::clone(&self.doors)
    }

    /// Serves until `stop` resolves, then drains: health says so, no call enters, calls in flight are answered.
    ///
    /// # Errors
    /// When TLS files cannot be read or the transport fails.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<Ended, String> {
        let Self { listener, doors, drain, implicated, config } = self;
        let mut server = Server::builder();
        if let Some((certificate, key)) = &config.tls {
            let read = |path: &std::path::Path| {
                std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
            };
            let identity = Identity::from_pem(read(certificate)?, read(key)?);
            let tls = ServerTlsConfig::new().identity(identity);
            server = server.tls_config(tls).map_err(|error| format!("TLS: {error}"))?;
        }
        let (reporter, health) = health_reporter();
        set_health(&reporter, true).await;
        let reflect = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(wire::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                // So that clients by reflection can read the details of errors.
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        };
        let reflection = reflect().build_v1().map_err(|error| error.to_string())?;
        let reflection_old = reflect().build_v1alpha().map_err(|error| error.to_string())?;
        let size = limits::MESSAGE_BYTES_MAX;
        let shared = || Arc::clone(&doors);
        let routes = Routes::default()
            .add_service(health)
            .add_service(reflection)
            .add_service(reflection_old)
            .add_service(SessionRiskServiceServer::new(Assess::new(shared())).max_decoding_message_size(size))
            .add_service(StandingServiceServer::new(Standings::new(shared())))
            .add_service(ProfileServiceServer::new(Profiles::new(shared())))
            .add_service(ModelServiceServer::new(LoadedModels::new(shared())))
            .add_service(FeedbackServiceServer::new(Reviews::new(shared())))
            .add_service(LinkageServiceServer::new(Linkages::new(shared())));
        let (over, ending) = watch::channel(false);
        let following = tokio::spawn(follow_up(Arc::clone(&doors), implicated, ending));
        let sweeping = tokio::spawn(monitor::sweep_regularly(shared()));
        let renewing = tokio::spawn(renew_regularly(Arc::clone(&doors.addresses)));
        let (stopping, mut stopped) = watch::channel(false);
        let signal = async move {
            stop.await;
            set_health(&reporter, false).await;
            let _ = drain.send(true);
            let _ = stopping.send(true);
            // The sender lives as long as the server: streams watch it to learn that they should end.
            std::future::pending::<()>().await
        };
        let mut graceful = stopped.clone();
        // An answer is several small writes; held back for one another they would wait out the caller's delayed
        // acknowledgement, some 40 ms a login.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let answering = Deadline::new(Cancels::new(routes.prepare()), config.deadline);
        let served = server.serve_with_incoming_shutdown(answering, incoming, async move {
            let _ = graceful.wait_for(|stopping| *stopping).await;
        });
        tokio::pin!(served, signal);
        let bound = async {
            let _ = stopped.wait_for(|stopping| *stopping).await;
            tokio::time::sleep(config.drain).await;
        };
        let drained = tokio::select! {
            outcome = &mut served => {
                outcome.map_err(|error| format!("the transport failed: {error}"))?;
                true
            }
            () = &mut signal => false,
            () = bound => false,
        };
        // It ends by itself once told to drain, between two sessions; what is left is closed here.
        let _ = sweeping.await;
        renewing.abort();
        monitor::close_all(&doors).await;
        // A stream whose caller went away is no call any more, but may be about to count what it let go.
        let last = tokio::time::Instant::now() + if drained { SETTLED_WITHIN } else { Duration::ZERO };
        while !doors.counts.so_far().balanced() && tokio::time::Instant::now() < last {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let Counted { received, verdicts, refusals, drops } = doors.counts.so_far().ended();
        // Calls are over, so nothing more comes in; what waits is done before the store is let go.
        let _ = over.send(true);
        following.await.map_err(|error| error.to_string())?;
        Ok(Ended {
            received_count: received,
            verdict_count: verdicts,
            refusal_count: refusals,
            drop_count: drops,
            drained,
        })
    }
}

/// How often address databases are looked at for new editions: makers publish daily at most, and a look is one `stat`.
const RENEW_EVERY: Duration = Duration::from_secs(60);

/// Says which edition answers.
fn told_of(build: &DatabaseBuild) {
    info!(database = %build.database_type, build_seconds = build.build_seconds, "address database read");
}

/// Reads new editions of the address databases until the service ends. A file that cannot be used is told once for
/// each state it is found in, and the edition before goes on answering.
async fn renew_regularly(addresses: Arc<AddressBook>) {
    if addresses.is_empty() {
        return;
    }
    let mut ticks = tokio::time::interval(RENEW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told: Vec<String> = Vec::new();
    loop {
        ticks.tick().await;
        let addresses = Arc::clone(&addresses);
        let Ok(outcomes) = spawn_blocking(move || addresses.renew()).await else { return };
        let mut kept = Vec::new();
        for outcome in outcomes {
            match outcome {
                Renewed::Read(build) => told_of(&build),
                Renewed::Kept(cause) => {
                    if !told.contains(&cause) {
                        warn!(%cause, "the edition before goes on answering");
                    }
                    kept.push(cause);
                }
            }
        }
        told = kept;
    }
}

/// How long the end waits for streams that nobody follows any more to count what they let go: a write to disk.
const SETTLED_WITHIN: Duration = Duration::from_secs(1);

/// How often standings are looked at that fade without a login. They halve in weeks.
const SETTLE_EVERY: Duration = Duration::from_secs(3_600);

/// How often hands that have grown are placed and their like looked for.
const HANDS_EVERY: Duration = Duration::from_millis(250);

/// Workers whose like is looked for in one go: at 100,000 workers a tenth of a second, so that what else follows from
/// logins waits no longer.
const HANDS_AT_ONCE: usize = 64;

/// What follows from logins off their path: workers implicated by another's event, and standings that fade.
async fn follow_up(doors: Arc<Doors>, mut implicated: mpsc::Receiver<Implicated>, mut over: watch::Receiver<bool>) {
    let mut hours = tokio::time::interval(SETTLE_EVERY);
    let mut hands = tokio::time::interval(HANDS_EVERY);
    hands.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let work = tokio::select! {
            // In this order, so that what waits is done before the end.
            biased;
            Some(one) = implicated.recv() => Work::Implicate(one),
            _ = hours.tick() => Work::Settle,
            _ = hands.tick() => Work::Hands,
            _ = over.wait_for(|over| *over) => return,
        };
        let doors = Arc::clone(&doors);
        let outcome = spawn_blocking(move || match work {
            Work::Implicate(one) => doors.pipeline.implicate(&one),
            Work::Settle => {
                let now = doors.now();
                doors.tenants().into_iter().try_for_each(|tenant| doors.pipeline.settle_standings(tenant, now))
            }
            Work::Hands => doors
                .tenants()
                .into_iter()
                .try_for_each(|tenant| doors.pipeline.settle_hands(tenant, HANDS_AT_ONCE).map(|_| ())),
        });
        match outcome.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "could not bring standings up to date"),
            Err(error) => warn!(%error, "could not bring standings up to date"),
        }
    }
}

/// What is to be done off the path of a login.
enum Work {
    Implicate(Implicated),
    Settle,
    Hands,
}

/// Says per service whether it answers.
async fn set_health(reporter: &HealthReporter, serving: bool) {
    let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in [
        "",
        SessionRiskServiceServer::<Assess>::NAME,
        StandingServiceServer::<Standings>::NAME,
        ProfileServiceServer::<Profiles>::NAME,
        ModelServiceServer::<LoadedModels>::NAME,
        FeedbackServiceServer::<Reviews>::NAME,
        LinkageServiceServer::<Linkages>::NAME,
    ] {
        reporter.set_service_status(name, status).await;
    }
}
