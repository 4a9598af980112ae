//! The path of a login in one screen: observe, recall, compare, weigh, judge, and what is learned afterwards.
//!
//! Serving, `elsewhere score` and training call [`Pipeline::assess_watched`], and it alone calls
//! [`crate::evidence::compare`]; there is no other road to a feature.

pub mod afterwards;
pub mod likeness;
pub mod linkage;
pub mod live;
pub mod shadow;

pub use afterwards::Implicated;

use crate::event::{Event, EventTime, Gathered, Samples, Token};
use crate::evidence::course::Course;
use crate::evidence::crowd::{self, LinkKind};
use crate::evidence::feature::{Features, Finding, HandChange};
use crate::evidence::{self, Compared, Observations, Others, Profiles, Teaching, network, remote_input, typing};
use crate::history::{AlikeHand, Answer, Arrival, Durable, NonceClaim, NonceFault, Store, StoreError, TenantId};
use crate::history::{TokenKind, Visit, WorkerRecord};
use crate::model::{Model, StandingModel};
use crate::risk::verdict::Findings;
use crate::risk::{AddressDatabase, Declared, Maturity, Reach, StandingLevel, Verdict, Whereabouts, WorkerStanding};
use arc_swap::{ArcSwap, ArcSwapOption};
pub use live::Live;
pub use shadow::{Glance, Sighting};
use std::sync::Arc;

/// What an event may teach; the wire's `ProfileUpdate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Each family learns what it would itself accept.
    IfTrusted,
    /// Every family learns.
    Always,
    /// Score only; leave no trace but the verdict.
    Never,
}

/// A checked event with how it is to be scored.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The event.
    pub event: Event,
    /// Hash of the event in canonical form: equal hashes mean equal events.
    pub content_hash: [u8; 32],
    /// What it may teach.
    pub update: Update,
    /// Model to score with; the default model when empty.
    pub model_id: String,
}

/// A verdict on its way out.
#[derive(Debug)]
pub struct Assessed {
    /// The verdict.
    pub verdict: Arc<Verdict>,
    /// Whether it was given before.
    pub replayed: bool,
    /// Resolves when it is persisted. Acknowledge nothing before.
    pub durable: Durable,
}

/// Why there is no verdict.
#[derive(Debug)]
pub enum Failure {
    /// The named model is not loaded.
    ModelNotLoaded {
        /// Its name.
        model_id: String,
    },
    /// The event id was used before with different content.
    EventIdReused {
        /// The id.
        event_id: String,
        /// When it was first used.
        first_assess_time: EventTime,
    },
    /// The event's nonce is not good: the samples cannot be trusted to be this login's.
    NonceRefused {
        /// Why.
        fault: NonceFault,
    },
    /// The store cannot keep or read.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The loaded models; the first answers when none is named.
#[derive(Debug, Clone)]
pub struct Models(Vec<Arc<Model>>);

impl Models {
    /// Takes loaded models in order of preference, with an optional false-flag budget in place of theirs.
    ///
    /// A true log-likelihood ratio bounds false flags by `exp(-threshold)` (Ville's inequality), so another budget
    /// moves the calibrated threshold by the logarithm of their ratio.
    ///
    /// # Errors
    /// When there is none, two share a name, or a budget makes a standing unusable.
    pub fn new(models: Vec<Model>, false_flag_budget: Option<f64>) -> Result<Self, String> {
        let mut loaded: Vec<Arc<Model>> = Vec::new();
        for mut model in models {
            if loaded.iter().any(|other| other.file.model_id == model.file.model_id) {
                return Err(format!("model {} is named twice", model.file.model_id));
            }
            if let Some(budget) = false_flag_budget {
                let own: StandingModel = model.standing.model.clone();
                let threshold_log_odds = own.threshold_log_odds + (own.false_flag_budget / budget).ln();
                model.standing = StandingModel { false_flag_budget: budget, threshold_log_odds, ..own }.prepare()?;
            }
            loaded.push(Arc::new(model));
        }
        if loaded.is_empty() { Err("no model is loaded".into()) } else { Ok(Self(loaded)) }
    }

    /// The model of a name; the default when the name is empty.
    pub fn get(&self, model_id: &str) -> Option<&Arc<Model>> {
        if model_id.is_empty() {
            return self.0.first();
        }
        self.0.iter().find(|model| model.file.model_id == model_id)
    }

    /// All models, the default first.
    pub fn all(&self) -> &[Arc<Model>] {
        &self.0
    }
}

/// The store behind a pipeline.
pub type SharedStore = Arc<dyn Store<WorkerRecord, Verdict>>;

/// Steps two to six of the path, over a store and the loaded models.
pub struct Pipeline {
    store: SharedStore,
    models: ArcSwap<Models>,
    serving: Option<afterwards::Serving>,
    shadow: ArcSwapOption<Model>,
    watching: Option<shadow::Watching>,
}

impl Pipeline {
    /// Joins a store and models.
    pub fn new(store: SharedStore, models: Models) -> Self {
        let models = ArcSwap::from_pointee(models);
        Self { store, models, serving: None, shadow: ArcSwapOption::empty(), watching: None }
    }

    /// The store, for reading and erasing.
    pub fn store(&self) -> &SharedStore {
        &self.store
    }

    /// The models answering now.
    pub fn models(&self) -> Arc<Models> {
        self.models.load_full()
    }

    /// Replaces the models; calls under way finish with the old ones.
    pub fn reload(&self, models: Models) {
        self.models.store(Arc::new(models));
    }

    /// Scores one event and lets the worker's profile learn from it as `update` says.
    ///
    /// `now` is the instant the verdict is given: the service's clock, or the event's own time where time comes from
    /// events. Idempotent per event id and content.
    ///
    /// # Errors
    /// [`Failure`]: an unknown model, an event id used with other content, or a store that cannot keep.
    pub fn assess(&self, tenant: TenantId, submission: &Submission, now: EventTime) -> Result<Assessed, Failure> {
        self.assess_watched(tenant, submission, now, &mut |_| {})
    }

    /// As [`Pipeline::assess`], showing the features of a session scored anew to `watch`: how training reads them.
    ///
    /// # Errors
    /// As [`Pipeline::assess`].
    pub fn assess_watched(
        &self,
        tenant: TenantId,
        submission: &Submission,
        now: EventTime,
        watch: &mut dyn FnMut(&Features),
    ) -> Result<Assessed, Failure> {
        let nonce = self.nonce_of(tenant, &submission.event, now)?;
        self.settle(tenant, submission, None, nonce, now, watch)
    }

    /// Opens a live session by a checked event whose samples end at `chunk_time`; its nonce is looked at now and spent
    /// with the last verdict. `interval_micros` lies between two verdicts that nothing but time asks for.
    ///
    /// # Errors
    /// A nonce that is not good, or a store that cannot read.
    pub fn open(
        &self,
        tenant: TenantId,
        submission: Submission,
        chunk_time: EventTime,
        interval_micros: i64,
        now: EventTime,
    ) -> Result<Live, Failure> {
        let nonce = self.nonce_of(tenant, &submission.event, now)?;
        if let Some(fault) = nonce.and_then(|claim| claim.fault()) {
            return Err(Failure::NonceRefused { fault });
        }
        Ok(Live::open(submission, chunk_time, interval_micros).with_nonce(nonce))
    }

    /// Scores a live session as it stands and leaves no trace: nothing is learned, and the event id stays free.
    ///
    /// # Errors
    /// No model, or a store that cannot read.
    pub fn look(&self, tenant: TenantId, live: &mut Live, now: EventTime) -> Result<Verdict, Failure> {
        let models = self.models.load();
        let Some(model) = models.get("") else {
            return Err(Failure::ModelNotLoaded { model_id: String::new() });
        };
        let (event_id, worker_id, gathered, course, time) = live.parts();
        let mut verdict = None;
        self.store.look(tenant, worker_id, gathered.whole().time, &mut |visit| {
            let session = Session { gathered, course: &mut *course, silence_as_of: Some(time) };
            let subject = Subject { event_id, worker_id, samples: gathered.whole(), live: Some(session) };
            verdict = Some(judge(
                subject,
                model,
                Teaching::IfTrusted,
                now,
                visit,
                &mut Aside { watch: &mut |_| {}, shadow: None, glance: None },
                &mut None,
            ));
        })?;
        // INVARIANT: a store that answers has shown the worker.
        verdict.ok_or(Failure::Store(StoreError::UnknownTenant))
    }

    /// Closes a live session: its last verdict is the event's, kept and learned from like any other.
    ///
    /// # Errors
    /// As [`Pipeline::assess`]. The session then stays as it is, and can be closed again.
    pub fn close(&self, tenant: TenantId, live: &mut Live, now: EventTime) -> Result<Assessed, Failure> {
        let submission = live.submission();
        let nonce = live.nonce();
        let (_, _, gathered, course, _) = live.parts();
        let session = Session { gathered, course, silence_as_of: None };
        self.settle(tenant, &submission, Some(session), nonce, now, &mut |_| {})
    }

    fn settle(
        &self,
        tenant: TenantId,
        submission: &Submission,
        mut live: Option<Session<'_>>,
        nonce: Option<NonceClaim>,
        now: EventTime,
        watch: &mut dyn FnMut(&Features),
    ) -> Result<Assessed, Failure> {
        let Submission { event, content_hash, update, model_id } = submission;
        let models = self.models.load();
        let Some(model) = models.get(model_id) else {
            return Err(Failure::ModelNotLoaded { model_id: model_id.clone() });
        };
        let arrival = Arrival {
            event_id: &event.event_id,
            worker_id: &event.worker_id,
            event_time: event.samples.time,
            content_hash: *content_hash,
            now,
            keep: *update != Update::Never,
            session_id: &event.session_id,
            nonce,
        };
        let teaching = if *update == Update::Always { Teaching::Always } else { Teaching::IfTrusted };
        let mut implicated = None;
        // Another model than the default is asked for by name, to be compared by whoever asks.
        let watching = self.watching.as_ref().filter(|_| models.get("").is_some_and(|first| Arc::ptr_eq(first, model)));
        let in_shadow = watching.and_then(|_| self.shadow.load_full());
        let (mut glance, mut bins) = (None, None);
        let mut watch = |features: &Features| {
            if watching.is_some() {
                bins = Some(model.reference.bins(features));
            }
            watch(features);
        };
        let mut score = |visit: &mut Visit<'_, WorkerRecord>| {
            let (event_id, worker_id) = (&event.event_id, &event.worker_id);
            let subject = Subject { event_id, worker_id, samples: &event.samples, live: live.take() };
            let mut aside = Aside { watch: &mut watch, shadow: in_shadow.as_deref(), glance: None };
            let verdict = judge(subject, model, teaching, now, visit, &mut aside, &mut implicated);
            glance = aside.glance;
            // Where nobody serves, nobody is waiting to hear of it.
            implicated = implicated.take().filter(|_| self.serving.is_some());
            verdict
        };
        match self.store.assess(tenant, &arrival, &mut score)? {
            Answer::First { verdict, durable } => {
                if let (Some(watching), Some(bins)) = (watching, bins) {
                    watching(Sighting::of(&verdict, model, bins, in_shadow.zip(glance)));
                }
                if let (Some(workers), Some(serving)) = (implicated, &self.serving) {
                    serving.tell(tenant, event, workers);
                }
                self.follow_hands(tenant)?;
                Ok(Assessed { verdict, replayed: false, durable })
            }
            Answer::Repeated { verdict, durable } => Ok(Assessed { verdict, replayed: true, durable }),
            Answer::Different { assess_time } => {
                Err(Failure::EventIdReused { event_id: event.event_id.clone(), first_assess_time: assess_time })
            }
            Answer::NonceRefused { fault } => Err(Failure::NonceRefused { fault }),
        }
    }

    /// A worker's standing as of an instant; `None` when nothing is kept of the worker.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn standing(
        &self,
        tenant: TenantId,
        worker_id: &str,
        now: EventTime,
    ) -> Result<Option<WorkerStanding>, StoreError> {
        let models = self.models.load();
        let record = self.store.record(tenant, worker_id)?;
        Ok(record.and_then(|record| Some(record.standing.report(&models.get("")?.standing, now.0))))
    }
}

/// What is judged: one event, or a live session under its opening event's name.
struct Subject<'a> {
    event_id: &'a str,
    worker_id: &'a str,
    samples: &'a Samples,
    live: Option<Session<'a>>,
}

/// A live session's parts.
struct Session<'a> {
    gathered: &'a Gathered,
    course: &'a mut Course,
    /// The latest chunk's time while the session lasts: until when silence is told.
    silence_as_of: Option<EventTime>,
}

/// Who looks on while a session is judged.
struct Aside<'a> {
    /// Shown the features.
    watch: &'a mut dyn FnMut(&Features),
    /// Weighs the session too, unless it is a live one.
    shadow: Option<&'a Model>,
    /// What that one made of it.
    glance: Option<Glance>,
}

/// Scores one event with the worker in hand.
fn judge(
    subject: Subject<'_>,
    model: &Model,
    teaching: Teaching,
    now: EventTime,
    visit: &mut Visit<'_, WorkerRecord>,
    aside: &mut Aside<'_>,
    implicated: &mut Option<Vec<Arc<str>>>,
) -> Verdict {
    let Subject { event_id, worker_id, samples, mut live } = subject;
    let parameters = &model.file.evidence;
    let mut seen = evidence::observe(samples);
    if let Some(session) = &mut live {
        session.course.restore_digests(&mut seen);
    }
    let tokens: Vec<_> = seen.crowd.tokens.iter().map(|(kind, token)| (TokenKind(*kind as u8), *token)).collect();
    let neighbours = meet(&tokens, visit);
    seen.place(parameters);
    let phrase = seen.typing.phrase.as_ref().and_then(|phrase| phrase.as_ref().ok());
    let background = phrase.and_then(|phrase| visit.background(phrase.pool_key()));
    let tables = seen.typing.placed.as_ref().and_then(|placed| visit.table_background(placed.basis));
    let (alike, hand_count) = resemble(visit);
    let company = crowd::Company { neighbours: &neighbours, alike: &alike, hand_count };
    let background = typing::Background { phrase: background.as_ref(), table: tables.as_ref() };
    let others = Others { company, background };
    let known = &visit.record().profiles;
    let mut compared = evidence::compare(&seen, samples, known, &others, parameters);
    let in_shadow = aside.shadow.filter(|_| live.is_none());
    let in_shadow = in_shadow.map(|shadow| (shadow, shadow::weigh(shadow, &seen, samples, known, &others)));
    let handed_over = live.map_or_else(Vec::new, |session| follow(session, known, model, &mut compared));
    let Compared { features, coverage, utc_offsets } = compared;
    (aside.watch)(&features);
    // By what was known before: a session is no expectation of itself.
    let reach = reach(&seen, samples, known, &features, model);
    let loop_rtt_micros =
        remote_input::loop_rtt_interval(&seen.remote_input, &known.remote_input, &parameters.remote_input);
    let weighed = model.additive.weigh(&features);
    let maturity = visit.record().maturity;
    if visit.teaches() {
        let new_token = learn(&seen, &tokens, samples, &features, model, teaching, visit);
        if new_token && !neighbours.is_empty() {
            *implicated = Some(afterwards::met(&seen.crowd, visit));
        }
    }
    let record = visit.record();
    let client_distance_max_km = network::client_distance_max_km(&seen.network);
    let whereabouts = Whereabouts { utc_offsets, client_distance_max_km, loop_rtt_micros };
    let as_of = samples.time.max(record.last_seen);
    aside.glance = in_shadow.map(|(shadow, weighed)| shadow::glance(shadow, &weighed, record, as_of));
    let standing = record.standing.report(&model.standing, as_of.0);
    let databases = samples.network.iter().flat_map(|network| &network.databases);
    let address_databases = databases
        .map(|build| AddressDatabase { database_type: build.database_type.clone(), build_seconds: build.build_seconds })
        .collect();
    let findings = Findings {
        event_id,
        worker_id,
        assess_micros: now.0,
        features: &features,
        coverage,
        weighed,
        handed_over: &handed_over,
        maturity,
        whereabouts,
        standing,
        address_databases,
        reach,
    };
    Verdict::new(findings, model)
}

/// How the hand reaches the machine, told apart from what it weighs.
fn reach(seen: &Observations, samples: &Samples, known: &Profiles, features: &Features, model: &Model) -> Reach {
    let (parameters, claim) = (&model.file.evidence.remote_input, samples.claim.as_ref());
    let control = remote_input::control_log_odds(&seen.remote_input, features, claim, parameters);
    let hand = remote_input::distance_log_odds(&seen.remote_input, &known.remote_input, claim, parameters);
    let declared = Declared {
        remote_access_sanctioned: claim.is_some_and(|claim| claim.remote_access_sanctioned),
        assistive_technology: claim.is_some_and(|claim| claim.assistive_technology),
    };
    Reach::new(control, hand, features, declared)
}

/// Folds the parts of a live session into what its whole showed. Returns the findings that tell of a hand-over.
fn follow(
    session: Session<'_>,
    known: &Profiles,
    model: &Model,
    compared: &mut Compared,
) -> Vec<(Finding, HandChange)> {
    let Session { gathered, course, silence_as_of } = session;
    let parameters = &model.file.evidence;
    let handed_over = course.fold(gathered, known, parameters, compared);
    if let Some(time) = silence_as_of {
        course.tell_silence(known, time, parameters, compared);
    }
    handed_over
}

/// Learns from the session. Returns whether the worker was seen with a token for the first time.
fn learn(
    seen: &Observations,
    tokens: &[(TokenKind, Token)],
    samples: &Samples,
    features: &Features,
    model: &Model,
    teaching: Teaching,
    visit: &mut Visit<'_, WorkerRecord>,
) -> bool {
    let new_token = visit.hold(tokens, seen.crowd.claim);
    let before = visit.record().standing.level();
    let record = visit.record_mut();
    if record.profiles.learn(seen, features, &model.file.evidence, teaching) {
        record.maturity = grown(record.maturity, samples);
    }
    let stood = record.standing.add(features, &model.standing, samples.time.0);
    record.days.note(stood, features, samples.time.0);
    record.last_seen = record.last_seen.max(samples.time);
    let level = record.standing.level();
    if level != before {
        visit.tell(level != StandingLevel::Low);
    }
    new_token
}

fn grown(maturity: Maturity, samples: &Samples) -> Maturity {
    let presses = samples.typing.as_ref().map_or(0, |typing| typing.dwell_micros.len() as u64)
        + samples.cadence.as_ref().map_or(0, |table| u64::from(table.press_count));
    let first = maturity.first_seen_micros.map_or(samples.time.0, |first| first.min(samples.time.0));
    Maturity {
        session_count: maturity.session_count.saturating_add(1),
        press_count: maturity.press_count.saturating_add(presses),
        first_seen_micros: Some(first),
    }
}

/// The other workers seen with this event's tokens, numbered so that none can be recognised behind this line.
fn meet(tokens: &[(TokenKind, Token)], visit: &Visit<'_, WorkerRecord>) -> Vec<crowd::Neighbour> {
    let found = visit.neighbours(tokens);
    let mut names: Vec<&str> = found.iter().flat_map(|row| &row.others).map(|other| &*other.worker_id).collect();
    names.sort_unstable();
    names.dedup();
    let mut met = Vec::new();
    for row in &found {
        let Some(kind) = LinkKind::ALL.iter().copied().find(|kind| *kind as u8 == row.kind.0) else { continue };
        for other in &row.others {
            let ordinal = names.binary_search(&&*other.worker_id).unwrap_or(0) as u32;
            let token_worker_count = row.worker_count.saturating_add(1);
            met.push(crowd::Neighbour { ordinal, kind, claim: other.claim, token_worker_count });
        }
    }
    met
}

/// The workers found to type like this one, and how many hands they were found among.
fn resemble(visit: &Visit<'_, WorkerRecord>) -> (Vec<crowd::Alike>, usize) {
    let (found, among) = visit.alike();
    let alike = |one: &AlikeHand| crowd::Alike {
        log_ratio: f64::from(one.log_ratio),
        meeting_cost: one.meeting_cost.map(f64::from),
    };
    (found.iter().map(alike).collect(), among.saturating_sub(1))
}
