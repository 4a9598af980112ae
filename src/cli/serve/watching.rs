//! Counting beside the path of the login: verdicts, a model in shadow, drift.
//!
//! A login hands its sighting to a bounded queue and goes on. Should counting fall behind, sightings are let go and
//! counted as such; no login ever waits.

use crate::api::doors::{Doors, LATENCIES};
use crate::model::Model;
use crate::model::artefact::hex;
use crate::model::reference::Drift;
use crate::pipeline::{Models, Pipeline, Sighting};
use crate::sinks::metrics::{Beside, Door, Drifted};
use crate::sinks::{Metrics, page};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::{info, warn};

/// Sightings that may wait to be counted: a moment of the busiest service.
const WAITING_MAX: usize = 8_192;
/// How often what has moved is shown anew.
const SHOWN_EVERY: Duration = Duration::from_secs(5);

/// What counts, before there are doors to count at.
pub struct Watching {
    listener: TcpListener,
    sightings: mpsc::Receiver<Sighting>,
    let_go: Arc<AtomicU64>,
}

impl Watching {
    /// Takes the address of the page, and has every login of a pipeline seen.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn of(pipeline: Pipeline, listen: SocketAddr) -> Result<(Pipeline, Self), String> {
        let listener = TcpListener::bind(listen).await;
        let listener = listener.map_err(|error| {
            format!("cannot listen on {listen} for `metrics_listen`: {error}; free the port or name another")
        })?;
        let (sender, sightings) = mpsc::channel(WAITING_MAX);
        let let_go = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&let_go);
        let pipeline = pipeline.watched_by(move |sighting| {
            if sender.try_send(sighting).is_err() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok((pipeline, Self { listener, sightings, let_go }))
    }

    /// Counts at the doors and answers on the page until `stop` resolves.
    pub fn begin(self, doors: Arc<Doors>, stop: impl Future<Output = ()> + Send + 'static) -> Arc<Metrics> {
        let Self { listener, sightings, let_go } = self;
        if let Ok(address) = listener.local_addr() {
            info!(%address, "metrics");
        }
        let asked = Arc::clone(&doors);
        let metrics = Arc::new(Metrics::new(move || door(&asked)));
        show_models(&metrics, &doors.pipeline);
        tokio::spawn(count(sightings, let_go, Arc::clone(&metrics)));
        let answering = page::serve(listener, Arc::clone(&metrics), stop);
        tokio::spawn(async move {
            if let Err(error) = answering.await {
                warn!(%error, "the page of metrics is closed");
            }
        });
        metrics
    }
}

/// Shows which models answer now.
pub fn show_models(metrics: &Metrics, pipeline: &Pipeline) {
    let (models, shadow): (Arc<Models>, _) = (pipeline.models(), pipeline.in_shadow());
    let role = |at| if at == 0 { "default" } else { "named" };
    let answering = models.all().iter().enumerate().map(|(at, model)| (&**model, role(at)));
    let all: Vec<(&Model, &'static str)> = answering.chain(shadow.as_deref().map(|model| (model, "shadow"))).collect();
    metrics.models(all.iter().map(|(model, role)| (model.file.model_id.as_str(), hex(&model.sha256), *role)));
}

fn door(doors: &Doors) -> Door {
    let counted = doors.counts.so_far();
    let latencies = doors.counts.latencies();
    let ends = LATENCIES.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
    Door {
        sessions: [counted.received, counted.verdicts, counted.refusals, counted.drops],
        live_count: doors.monitors.open_count() as u64,
        seconds_sum: latencies.micros as f64 / 1e6,
        buckets: ends.zip(latencies.counts).collect(),
    }
}

/// Counts sightings until the last pipeline that sends any is gone.
async fn count(mut sightings: mpsc::Receiver<Sighting>, let_go: Arc<AtomicU64>, metrics: Arc<Metrics>) {
    let mut moved: Option<(Arc<Model>, Drift)> = None;
    let mut shown = tokio::time::interval(SHOWN_EVERY);
    loop {
        let sighting = tokio::select! {
            sighting = sightings.recv() => match sighting {
                Some(sighting) => sighting,
                None => return,
            },
            _ = shown.tick() => {
                metrics.unseen(let_go.swap(0, Ordering::Relaxed));
                if let Some((_, drift)) = &moved {
                    show_drift(&metrics, drift);
                }
                continue;
            }
        };
        metrics.verdict(sighting.level, sighting.advice, sighting.flagged);
        if let Some((model, glance)) = &sighting.shadow {
            let beside = Beside {
                model_id: &model.file.model_id,
                level: glance.level,
                difference: glance.risk_log_odds - sighting.risk_log_odds,
                flagged: glance.flagged,
            };
            metrics.beside(sighting.level, sighting.flagged, beside);
        }
        // Another model has other bins, so what was gathered under the one before says nothing of it.
        let same = moved.as_ref().is_some_and(|(model, _)| Arc::ptr_eq(model, &sighting.model));
        if !same {
            moved = Some((Arc::clone(&sighting.model), Drift::new(sighting.model.reference.clone())));
        }
        if let Some((_, drift)) = &mut moved {
            drift.take(&sighting.bins);
        }
    }
}

fn show_drift(metrics: &Metrics, drift: &Drift) {
    let report = drift.report();
    let rows = report.iter().flat_map(|row| {
        let training = Some(("training", row.against_training));
        let past = row.against_past.map(|index| ("past", index));
        let of = |(against, index)| Drifted { feature: row.feature, against, index };
        [training, past].into_iter().flatten().map(of)
    });
    metrics.drift(drift.session_count(), &rows.collect::<Vec<_>>());
}
