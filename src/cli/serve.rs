//! `elsewhere serve`: configuration, store, model, server, drain.

use crate::api::server::Service;
use crate::config::{self, Config};
use crate::history::{self, Clock, DurableStore, MemoryStore};
use crate::model::Model;
use crate::pipeline::{Models, Pipeline, SharedStore};
use clap::Args;
use serde::Serialize;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// Answer gRPC calls of identity providers and pipelines.
///
/// Settings come from a TOML file, then from the environment (ELSEWHERE_LISTEN, ELSEWHERE_DATA_DIR, …), then from these
/// flags; the later wins. Stops on SIGTERM or Ctrl-C: health turns NOT_SERVING, calls in flight are answered.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// TOML file with settings; see docs/operating.md.
    #[arg(long, value_name = "FILE", env = "ELSEWHERE_CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    flags: Flags,
}

/// Flags that stand for settings of the same name.
#[derive(Debug, Args, Serialize)]
struct Flags {
    /// Address and port to listen on [default: 127.0.0.1:50061].
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,

    /// Directory of the store. Without one, everything is kept in memory and forgotten at the end.
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,

    /// Directory of a model to load, such as models/session-risk-1; the first answers by default. Without one, the
    /// model shipped with this program answers.
    #[arg(long = "model", value_name = "DIR")]
    #[serde(rename = "models", skip_serializing_if = "Vec::is_empty")]
    models: Vec<PathBuf>,

    /// Address database (.mmdb) that tells what callers leave out: place, autonomous system, kind of network, anonymizers.
    /// May be given several times; the first that tells a fact wins.
    #[arg(long = "address-database", value_name = "FILE")]
    #[serde(rename = "address_databases", skip_serializing_if = "Vec::is_empty")]
    address_databases: Vec<PathBuf>,
}

/// Runs the service until it is told to stop.
///
/// # Errors
/// Says which setting, file or port is at fault.
pub fn run(arguments: ServeArguments) -> Result<(), String> {
    let config = config::read(arguments.config.as_deref(), &arguments.flags)?.check()?;
    let filter = tracing_subscriber::EnvFilter::try_from_env("ELSEWHERE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // Colours are for people; a file or a collector gets plain lines.
    let colours = std::io::stderr().is_terminal();
    // Whoever read the log may go away; saying so where nobody reads would be a panic.
    let log = tracing_subscriber::fmt().log_internal_errors(false);
    log.with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(serve(config))
}

/// The models a configuration names, or the shipped one.
///
/// # Errors
/// Says which model cannot be loaded and why.
pub fn load_models(directories: &[PathBuf], budget: Option<f64>) -> Result<Models, String> {
    let mut models = Vec::new();
    for directory in directories {
        models.push(Model::load(directory).map_err(|error| format!("{}: {error}", directory.display()))?);
    }
    if models.is_empty() {
        models.push(Model::shipped().map_err(|error| error.to_string())?);
    }
    Models::new(models, budget)
}

async fn serve(config: Config) -> Result<(), String> {
    let retention =
        history::Config::check(Clock::Service, config.verdict_retention_micros, config.worker_retention_micros)?;
    let store: SharedStore = match &config.data_dir {
        Some(directory) => Arc::new(DurableStore::open(directory, retention).map_err(|error| error.to_string())?),
        None => {
            warn!("no data directory: everything is kept in memory and forgotten at the end");
            Arc::new(MemoryStore::new(retention))
        }
    };
    let models = load_models(&config.models, config.false_flag_budget)?;
    for model in models.all() {
        info!(model = %model.file.model_id, "model loaded");
    }
    let expiring = Arc::clone(&store);
    let service = Service::bind(config, Pipeline::new(store, models)).await?;
    info!(address = %service.address()?, "serving");
    tokio::spawn(expire_hourly(expiring));
    let ended = service.run(told_to_stop()).await?;
    if !ended.drained {
        warn!("some calls were still in flight when the drain time ended");
    }
    info!(
        received = ended.received_count,
        verdicts = ended.verdict_count,
        refusals = ended.refusal_count,
        drops = ended.drop_count,
        "stopped"
    );
    Ok(())
}

/// Drops what is kept long enough, once an hour: retention is promised in days.
async fn expire_hourly(store: SharedStore) {
    let mut hours = tokio::time::interval(Duration::from_secs(3_600));
    loop {
        hours.tick().await;
        let store = Arc::clone(&store);
        let expired = tokio::task::spawn_blocking(move || store.expire(crate::api::assess::system_now())).await;
        match expired {
            Ok(Ok(expired)) => {
                info!(
                    workers = expired.worker_count,
                    verdicts = expired.verdict_count,
                    "dropped what was kept long enough"
                );
            }
            Ok(Err(error)) => warn!(%error, "could not drop what was kept long enough"),
            Err(error) => warn!(%error, "could not drop what was kept long enough"),
        }
    }
}

/// Resolves on Ctrl-C and on SIGTERM.
pub async fn told_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                warn!(%error, "cannot listen for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        _ = interrupt => info!("interrupted, draining"),
        () = terminate => info!("told to stop, draining"),
    }
}
