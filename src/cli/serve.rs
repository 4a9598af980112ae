//! `elsewhere serve`: configuration, store, model, server, metrics, reload, drain.

mod watching;

use crate::api::doors::Doors;
use crate::api::server::Service;
use crate::config::{self, Config};
use crate::history::{self, Clock, DurableStore, MemoryStore};
use crate::model::Model;
use crate::model::artefact::hex;
use crate::pipeline::{Models, Pipeline, SharedStore};
use crate::sinks::Metrics;
use clap::Args;
use serde::Serialize;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};
use watching::Watching;

/// Answer gRPC calls of identity providers and pipelines.
///
/// Settings come from a TOML file, then from the environment (ELSEWHERE_LISTEN, ELSEWHERE_DATA_DIR, …), then from these
/// flags; the later wins. Stops on SIGTERM or Ctrl-C: health turns NOT_SERVING, calls in flight are answered. SIGHUP
/// reads the models anew without dropping a call.
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
    let reloading = Reloading::of(&config);
    let loaded = reloading.load()?;
    let expiring = Arc::clone(&store);
    let pipeline = Pipeline::new(store, loaded.models);
    pipeline.shadow(loaded.shadow);
    told(&pipeline);
    let (pipeline, watching) = match config.metrics_listen {
        Some(listen) => {
            let (pipeline, watching) = Watching::of(pipeline, listen).await?;
            (pipeline, Some(watching))
        }
        None => (pipeline, None),
    };
    // Listened for before anybody can know that the service is there: unheard, SIGHUP would end it.
    let hangups = signal(SignalKind::hangup()).map_err(|error| format!("cannot listen for SIGHUP: {error}"))?;
    let service = Service::bind(config, pipeline).await?;
    let (over, ended) = watch::channel(false);
    let metrics = watching.map(|watching| watching.begin(service.doors(), until(ended)));
    info!(address = %service.address()?, "serving");
    tokio::spawn(expire_hourly(expiring));
    tokio::spawn(reload_when_told(hangups, reloading, service.doors(), metrics));
    let ended = service.run(told_to_stop()).await?;
    let _ = over.send(true);
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

/// Which models to load, at the start and whenever the service is told to.
struct Reloading {
    models: Vec<PathBuf>,
    shadow: Option<PathBuf>,
    budget: Option<f64>,
}

/// Models read and checked, ready to answer.
struct Loaded {
    models: Models,
    shadow: Option<Arc<Model>>,
}

impl Reloading {
    fn of(config: &Config) -> Self {
        let Config { models, shadow_model, false_flag_budget, .. } = config;
        Self { models: models.clone(), shadow: shadow_model.clone(), budget: *false_flag_budget }
    }

    /// Reads all from disk: all are sound, or none is taken.
    fn load(&self) -> Result<Loaded, String> {
        let models = load_models(&self.models, self.budget)?;
        let in_shadow = |directory: &PathBuf| load_models(std::slice::from_ref(directory), self.budget);
        let shadow = self.shadow.as_ref().map(in_shadow).transpose()?;
        Ok(Loaded { models, shadow: shadow.and_then(|models| models.get("").cloned()) })
    }
}

/// Says in the log which models answer.
fn told(pipeline: &Pipeline) {
    for model in pipeline.models().all() {
        info!(model = %model.file.model_id, sha256 = %hex(&model.sha256), "model loaded");
    }
    if let Some(model) = pipeline.in_shadow() {
        info!(model = %model.file.model_id, sha256 = %hex(&model.sha256), "model in shadow");
    }
}

/// Reads the models anew on every SIGHUP. Calls under way finish with the model they began with; models that are not
/// sound change nothing.
async fn reload_when_told(mut hangups: Signal, reloading: Reloading, doors: Arc<Doors>, metrics: Option<Arc<Metrics>>) {
    let reloading = Arc::new(reloading);
    while hangups.recv().await.is_some() {
        let reading = Arc::clone(&reloading);
        let loaded = tokio::task::spawn_blocking(move || reading.load()).await;
        let loaded = loaded.unwrap_or_else(|error| Err(error.to_string()));
        if let Some(metrics) = &metrics {
            metrics.reload(loaded.is_ok());
        }
        match loaded {
            Ok(Loaded { models, shadow }) => {
                doors.pipeline.reload(models);
                doors.pipeline.shadow(shadow);
                told(&doors.pipeline);
                if let Some(metrics) = &metrics {
                    watching::show_models(metrics, &doors.pipeline);
                }
            }
            Err(cause) => error!(%cause, "models not reloaded: those loaded before go on answering"),
        }
    }
}

/// Resolves when `over` turns true.
async fn until(mut over: watch::Receiver<bool>) {
    let _ = over.wait_for(|over| *over).await;
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
