//! The gRPC server: services, health, reflection, TLS, limits and drain.

use super::assess::Assess;
use super::doors::{Counted, Doors};
use super::later::{Feedback, Linkage};
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
use crate::config::Config;
use crate::event::limits;
use crate::pipeline::Pipeline;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::server::NamedService;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

/// A service bound to its address, ready to run.
pub struct Service {
    listener: TcpListener,
    doors: Arc<Doors>,
    drain: watch::Sender<bool>,
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
    /// Live sessions dropped without a verdict: their worker was erased, or the store failed at the end.
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
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| format!("cannot listen on {}: {error}; free the port or name another", config.listen))?;
        let callers = Callers::new(&config, pipeline.store()).map_err(|error| error.to_string())?;
        let (drain, draining) = watch::channel(false);
        let (in_flight, monitored) = (config.in_flight_max, config.monitored_sessions_max);
        let doors = Doors::new(pipeline, callers, in_flight, monitored, config.worker_retention_micros, draining);
        Ok(Self { listener, doors: Arc::new(doors), drain, config })
    }

    /// The address bound, with the port the system chose when 0 was asked for.
    ///
    /// # Errors
    /// When the system will not say.
    pub fn address(&self) -> Result<SocketAddr, String> {
        self.listener.local_addr().map_err(|error| error.to_string())
    }

    /// Serves until `stop` resolves, then drains: health says so, no call enters, calls in flight are answered.
    ///
    /// # Errors
    /// When TLS files cannot be read or the transport fails.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<Ended, String> {
        let Self { listener, doors, drain, config } = self;
        let mut server = Server::builder().timeout(config.deadline);
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
        let router = server
            .add_service(health)
            .add_service(reflection)
            .add_service(reflection_old)
            .add_service(SessionRiskServiceServer::new(Assess::new(shared())).max_decoding_message_size(size))
            .add_service(StandingServiceServer::new(Standings::new(shared())))
            .add_service(ProfileServiceServer::new(Profiles::new(shared())))
            .add_service(ModelServiceServer::new(LoadedModels::new(shared())))
            .add_service(FeedbackServiceServer::new(Feedback))
            .add_service(LinkageServiceServer::new(Linkage));
        let sweeping = tokio::spawn(monitor::sweep_regularly(shared()));
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
        let served = router.serve_with_incoming_shutdown(TcpListenerStream::new(listener), async move {
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
        monitor::close_all(&doors).await;
        let Counted { received, verdicts, refusals, drops } = doors.counts.so_far();
        Ok(Ended {
            received_count: received,
            verdict_count: verdicts,
            refusal_count: refusals,
            drop_count: drops,
            drained,
        })
    }
}

/// Says per service whether it answers; services yet to be built never do.
async fn set_health(reporter: &HealthReporter, serving: bool) {
    let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in [
        "",
        SessionRiskServiceServer::<Assess>::NAME,
        StandingServiceServer::<Standings>::NAME,
        ProfileServiceServer::<Profiles>::NAME,
        ModelServiceServer::<LoadedModels>::NAME,
    ] {
        reporter.set_service_status(name, status).await;
    }
    for name in [FeedbackServiceServer::<Feedback>::NAME, LinkageServiceServer::<Linkage>::NAME] {
        reporter.set_service_status(name, ServingStatus::NotServing).await;
    }
}
