//! Plays a story through a service of its own on loopback, by a real client, with the service's clock at story time.

use super::samples::Worker;
use super::script::{self, ANSWER, Action, Line, When};
use super::told::{self, Seen};
use elsewhere::api::server::{Ended, Service};
use elsewhere::api::wire;
use elsewhere::api::wire::feedback_service_client::FeedbackServiceClient;
use elsewhere::api::wire::linkage_service_client::LinkageServiceClient;
use elsewhere::api::wire::model_service_client::ModelServiceClient;
use elsewhere::api::wire::monitor_session_request::Chunk;
use elsewhere::api::wire::monitor_session_response::Outcome;
use elsewhere::api::wire::profile_service_client::ProfileServiceClient;
use elsewhere::api::wire::session_risk_service_client::SessionRiskServiceClient;
use elsewhere::api::wire::standing_service_client::StandingServiceClient;
use elsewhere::config::ConfigUnchecked;
use elsewhere::event::EventTime;
use elsewhere::history::{Config as Retention, DurableStore};
use elsewhere::model::Model;
use elsewhere::pipeline::{Models, Pipeline};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// Real time in which the service tells what follows from an answered event: implicated workers, news of standings.
const SETTLE: Duration = Duration::from_millis(150);

/// A story that was played.
pub struct Played {
    /// The story with the answers of now.
    pub text: String,
    /// Expectations that do not hold, each with its line.
    pub wrong: Vec<String>,
}

struct Stage {
    now: Arc<AtomicI64>,
    channel: Channel,
    workers: Vec<Worker>,
    seen: Vec<Seen>,
    /// Standings heard since the last look, in order.
    news: Arc<Mutex<Vec<wire::WorkerStanding>>>,
    /// Who was flagged and who was merely told of, over the whole story.
    heard: BTreeMap<String, bool>,
    feedback_count: usize,
    _directory: tempfile::TempDir,
}

/// Plays the story; refuses one that cannot be read, with the line.
pub async fn play(story: &str) -> Result<Played, String> {
    let (mut stage, stop, ended) = Stage::set().await;
    let (mut text, mut wrong) = (String::new(), Vec::new());
    for line in story.lines().filter(|line| !line.starts_with(ANSWER)) {
        let at = |problem: String| format!("{line}\n    {problem}");
        text.push_str(line);
        text.push('\n');
        let answers = match script::read(line).map_err(at)? {
            Line::Prose => Vec::new(),
            Line::Worker(name, city, usual) => {
                let number = stage.workers.len();
                stage.workers.push(Worker::new(&name, number, city, usual));
                Vec::new()
            }
            Line::Step(when, action) => stage.step(&when, action).await.map_err(at)?,
            Line::Expect(expected) => {
                if let Err(problem) = stage.expect(&expected).await {
                    wrong.push(at(problem));
                }
                Vec::new()
            }
        };
        for answer in answers {
            text.push_str(format!("{ANSWER}{answer}").trim_end());
            text.push('\n');
        }
    }
    drop(stage);
    let _ = stop.send(());
    let ended = ended.await.expect("the server task").expect("an orderly end");
    let accounted = ended.verdict_count + ended.refusal_count;
    if ended.received_count != accounted || ended.refusal_count != 0 {
        wrong.push(format!("{} received, {} accounted for", ended.received_count, accounted));
    }
    Ok(Played { text, wrong })
}

impl Stage {
    async fn set() -> (Self, oneshot::Sender<()>, tokio::task::JoinHandle<Result<Ended, String>>) {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Arc::new(DurableStore::open(directory.path(), Retention::of_events()).expect("a store"));
        let model = Model::shipped().expect("the shipped model");
        let pipeline = Pipeline::new(store, Models::new(vec![model], None).expect("one model"));
        let config = ConfigUnchecked { listen: "127.0.0.1:0".into(), drain_seconds: 1, ..ConfigUnchecked::default() };
        let now = Arc::new(AtomicI64::new(super::common::MONDAY * 1_000_000));
        let shown = Arc::clone(&now);
        let clock = Arc::new(move || EventTime(shown.load(Ordering::SeqCst)));
        let service = Service::bind_with_clock(config.check().expect("a sound configuration"), pipeline, clock);
        let service = service.await.expect("a free port");
        let address = format!("http://{}", service.address().expect("an address"));
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(service.run(async {
            let _ = stopped.await;
        }));
        let channel = Channel::from_shared(address).expect("an address").connect().await.expect("a connection");
        let ask = wire::WatchStandingsRequest::default();
        let watch = StandingServiceClient::new(channel.clone()).watch_standings(ask).await.expect("a watch");
        let news = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&news);
        tokio::spawn(async move {
            let mut watch = watch.into_inner();
            while let Ok(Some(one)) = watch.message().await {
                told.lock().expect("no panic").extend(one.standing);
            }
        });
        let stage = Self {
            now,
            channel,
            workers: Vec::new(),
            seen: Vec::new(),
            news,
            heard: BTreeMap::new(),
            feedback_count: 0,
            _directory: directory,
        };
        (stage, stop, ended)
    }

    fn worker(&mut self, name: &str) -> Result<&mut Worker, String> {
        let found = self.workers.iter_mut().find(|worker| worker.name == name);
        found.ok_or_else(|| format!("no worker {name:?}: say `worker {name} in CITY` first"))
    }

    fn set_clock(&self, seconds: i64) {
        self.now.store((seconds + 2) * 1_000_000, Ordering::SeqCst);
    }

    async fn step(&mut self, when: &When, action: Action) -> Result<Vec<String>, String> {
        match action {
            Action::LogIn(who, kinds) => self.log_in(when, &who, &kinds).await,
            Action::Monitor(who, relayed) => self.monitor(when, &who, &relayed).await,
            Action::Call(method, words) => {
                tokio::time::sleep(SETTLE).await;
                let home = self.workers.first().ok_or("nobody yet")?.city;
                self.set_clock(when.instants(home).first().ok_or("no day")?.0);
                self.call(&method, &words).await
            }
        }
    }

    async fn log_in(&mut self, when: &When, who: &[String], kinds: &str) -> Result<Vec<String>, String> {
        let mut planned = Vec::new();
        for name in who {
            let worker = self.worker(name)?;
            for (seconds, day) in when.instants(worker.city) {
                planned.push((seconds + worker.late_seconds(), day, name.clone()));
            }
        }
        planned.sort();
        let first = self.seen.len();
        for (seconds, day, name) in planned {
            self.set_clock(seconds);
            let worker = self.worker(&name)?;
            let with = if kinds.is_empty() { worker.usual.clone() } else { worker.usual.clone().but(kinds)? };
            let event = Some(worker.login(seconds, &with));
            let update =
                if with.always_learned { wire::ProfileUpdate::Always } else { wire::ProfileUpdate::Unspecified };
            let ask = wire::AssessSessionRequest { event, profile_update: update as i32, ..Default::default() };
            let reply = SessionRiskServiceClient::new(self.channel.clone()).assess_session(ask).await.map_err(told)?;
            self.seen.push(Seen { worker: name, day, verdict: reply.into_inner().verdict.ok_or("no verdict")? });
        }
        let mut answers = Vec::new();
        for name in who {
            let sessions: Vec<&Seen> = self.seen[first..].iter().filter(|seen| seen.worker == *name).collect();
            let flagged_before = self.seen[..first].iter().rev().find(|seen| seen.worker == *name);
            let flagged_before = flagged_before.is_some_and(|seen| seen.standing().flagged);
            answers.extend(told::sessions(name, &sessions, flagged_before));
        }
        Ok(answers)
    }

    async fn monitor(&mut self, when: &When, who: &str, relayed: &[bool]) -> Result<Vec<String>, String> {
        let worker = self.worker(who)?;
        let (mut seconds, day) = *when.instants(worker.city).first().ok_or("no day")?;
        let usual = worker.usual.clone();
        let event = worker.login(seconds, &usual);
        let chunks: Vec<_> = relayed.iter().map(|relayed| worker.pointer(*relayed)).collect();
        let (say, said) = mpsc::channel(4);
        let mut client = SessionRiskServiceClient::new(self.channel.clone());
        let mut replies = client.monitor_session(ReceiverStream::new(said)).await.map_err(told)?.into_inner();
        let interval = Some(wire::Duration { seconds: 1, nanos: 0 });
        let open = wire::MonitorOpen { event: Some(event), min_verdict_interval: interval, profile_update: 0 };
        let mut messages = vec![Chunk::Open(open)];
        messages.extend(chunks.into_iter().map(Chunk::Pointer));
        messages.push(Chunk::Close(wire::MonitorClose {}));
        let mut answers = Vec::new();
        let mut before = String::new();
        for (number, chunk) in messages.into_iter().enumerate() {
            seconds += 30;
            self.set_clock(seconds);
            let chunk_time = if matches!(chunk, Chunk::Close(_)) { None } else { super::common::time(seconds) };
            let what = match (&chunk, number) {
                (Chunk::Open(_), _) => "opened".to_string(),
                (Chunk::Close(_), _) => "closed".to_string(),
                _ => format!("chunk {number}"),
            };
            let message =
                wire::MonitorSessionRequest { sequence_number: number as u64, chunk_time, chunk: Some(chunk) };
            say.send(message).await.map_err(|_| "the stream ended")?;
            let reply = replies.message().await.map_err(told)?.ok_or("the stream ended")?;
            let Some(Outcome::Verdict(verdict)) = reply.outcome else { return Err(format!("{what}: no verdict")) };
            // Told when it changes, as a person watching would tell it.
            let told = told::verdict(&verdict);
            if told != before || !verdict.provisional {
                answers.push(format!("{what}: {told}"));
            }
            before = told;
            self.seen.push(Seen { worker: who.into(), day, verdict });
        }
        Ok(answers)
    }

    async fn call(&mut self, method: &str, words: &str) -> Result<Vec<String>, String> {
        let channel = self.channel.clone();
        let name = || words.split_whitespace().next().unwrap_or_default().to_string();
        let answered = match method {
            "WatchStandings" => return Ok(self.listen()),
            "GetStanding" => self.standing(&name()).await.map(|standing| told::standing(&standing)),
            "GetVerdict" => return self.get_verdict(&name()).await,
            "GetProfile" => {
                let ask = wire::GetProfileRequest { worker_id: name() };
                let reply = ProfileServiceClient::new(channel).get_profile(ask).await;
                reply.map(|reply| {
                    let maturity = reply.into_inner().profile.unwrap_or_default().maturity.unwrap_or_default();
                    vec![format!("{} sessions learned from", maturity.session_count)]
                })
            }
            "ListReasonDescriptions" => return self.explain(&name()).await,
            "ListLinkedWorkers" => self.links(&name()).await.map(|links| told::links(&links)),
            "ListOperatorClusters" => self.clusters().await.map(|clusters| told::clusters(&clusters)),
            "GetOperatorCluster" => return self.cluster_of(&name()).await,
            "RecordFeedback" => return self.feedback(words).await,
            "DeleteProfile" => {
                let ask = wire::DeleteProfileRequest { worker_id: name() };
                let reply = ProfileServiceClient::new(channel).delete_profile(ask).await;
                reply.map(|reply| {
                    let erased = reply.into_inner();
                    let (verdicts, feedback) = (erased.verdict_count, erased.feedback_count);
                    vec![format!("erased: {verdicts} verdicts, {feedback} feedback, {} links", erased.link_count)]
                })
            }
            _ => return Err(format!("no step {method:?}")),
        };
        answered.or_else(|status| match status.code() {
            Code::NotFound => Ok(vec!["not found".into()]),
            _ => Err(told(status)),
        })
    }

    async fn standing(&self, worker_id: &str) -> Result<wire::WorkerStanding, Status> {
        let ask = wire::GetStandingRequest { worker_id: worker_id.into() };
        let reply = StandingServiceClient::new(self.channel.clone()).get_standing(ask).await?;
        Ok(reply.into_inner().standing.unwrap_or_default())
    }

    /// The verdict of the latest event, which must be the one that was given.
    async fn get_verdict(&self, name: &str) -> Result<Vec<String>, String> {
        let given = self.seen.iter().rev().find(|seen| seen.worker == name).ok_or("no session yet")?;
        let ask = wire::GetVerdictRequest { event_id: given.verdict.event_id.clone() };
        match SessionRiskServiceClient::new(self.channel.clone()).get_verdict(ask).await {
            Ok(reply) if reply.get_ref().verdict.as_ref() == Some(&given.verdict) => Ok(vec![
                "as it was given".into(),
                told::families(&given.verdict),
                format!("the hand: {}", told::reach(&given.verdict)),
            ]),
            Ok(_) => Err("another verdict than was given".into()),
            Err(status) if status.code() == Code::NotFound => Ok(vec!["not found".into()]),
            Err(status) => Err(told(status)),
        }
    }

    async fn links(&self, worker_id: &str) -> Result<Vec<wire::Link>, Status> {
        let ask = wire::ListLinkedWorkersRequest { worker_id: worker_id.into(), ..Default::default() };
        let reply = LinkageServiceClient::new(self.channel.clone()).list_linked_workers(ask).await?;
        Ok(reply.into_inner().links)
    }

    async fn clusters(&self) -> Result<Vec<wire::OperatorCluster>, Status> {
        let ask = wire::ListOperatorClustersRequest::default();
        let reply = LinkageServiceClient::new(self.channel.clone()).list_operator_clusters(ask).await?;
        Ok(reply.into_inner().clusters)
    }

    async fn cluster_of(&self, name: &str) -> Result<Vec<String>, String> {
        let clusters = self.clusters().await.map_err(told)?;
        let Some(found) = clusters.iter().find(|cluster| cluster.worker_ids.iter().any(|id| id == name)) else {
            return Ok(vec!["in none".into()]);
        };
        let ask = wire::GetOperatorClusterRequest { cluster_id: found.cluster_id.clone() };
        let reply = LinkageServiceClient::new(self.channel.clone()).get_operator_cluster(ask).await.map_err(told)?;
        let cluster = reply.into_inner().cluster.ok_or("no cluster")?;
        let mut answers = told::clusters(std::slice::from_ref(&cluster));
        answers.extend(told::links(&cluster.links));
        Ok(answers)
    }

    /// The reasons that weigh most in a standing, in the service's own words.
    async fn explain(&self, name: &str) -> Result<Vec<String>, String> {
        let standing = self.standing(name).await.map_err(told)?;
        let ask = wire::ListReasonDescriptionsRequest::default();
        let reply = ModelServiceClient::new(self.channel.clone()).list_reason_descriptions(ask).await.map_err(told)?;
        let all = reply.into_inner().reason_descriptions;
        let mut answers = Vec::new();
        for (code, _) in told::heaviest(&standing.reasons).into_iter().take(2) {
            let described = all.iter().find(|one| told::short(one.code()) == code);
            let described = described.ok_or_else(|| format!("{code} has no description"))?;
            let innocent = described.benign_explanations.first().ok_or("no innocent explanation")?;
            answers.push(format!("{code}: {}", described.headline));
            answers.push(format!("  innocent if: {innocent}"));
        }
        Ok(answers)
    }

    async fn feedback(&mut self, words: &str) -> Result<Vec<String>, String> {
        let words = script::names(words);
        let [name, label, source, cleared @ ..] = words.as_slice() else {
            return Err("say `RecordFeedback NAME LABEL SOURCE [clears CODE…]`".into());
        };
        let codes = cleared.iter().skip(1).map(|code| {
            let code = wire::ReasonCode::from_str_name(&format!("REASON_CODE_{code}"));
            code.map(|code| code as i32).ok_or("no such reason")
        });
        self.feedback_count += 1;
        let now = self.now.load(Ordering::SeqCst) / 1_000_000;
        let feedback = wire::Feedback {
            feedback_id: format!("review-{}", self.feedback_count),
            subject: Some(wire::feedback::Subject::WorkerId(name.clone())),
            label: wire::Label::from_str_name(&format!("LABEL_{label}")).ok_or("no such label")? as i32,
            source: wire::LabelSource::from_str_name(&format!("LABEL_SOURCE_{source}")).ok_or("no such source")? as i32,
            start_time: super::common::time(now - 30 * 86_400),
            review_time: super::common::time(now),
            cleared_reasons: codes.collect::<Result<_, _>>()?,
            ..Default::default()
        };
        let ask = wire::RecordFeedbackRequest { feedback: Some(feedback) };
        FeedbackServiceClient::new(self.channel.clone()).record_feedback(ask).await.map_err(told)?;
        Ok(vec!["recorded".into()])
    }

    /// What the watch told since the last time: of each worker the latest word.
    fn listen(&mut self) -> Vec<String> {
        let news = std::mem::take(&mut *self.news.lock().expect("no panic"));
        let mut latest = BTreeMap::new();
        for standing in news {
            *self.heard.entry(standing.worker_id.clone()).or_default() |= standing.flagged;
            latest.insert(standing.worker_id.clone(), told::height(&standing));
        }
        match latest.is_empty() {
            true => vec!["silence".into()],
            false => latest.into_iter().map(|(worker, height)| format!("{worker} is {height}")).collect(),
        }
    }

    /// Checks one expectation.
    async fn expect(&mut self, expected: &str) -> Result<(), String> {
        tokio::time::sleep(SETTLE).await;
        self.listen();
        let words = script::names(expected);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let known: BTreeSet<String> = self.workers.iter().map(|worker| worker.name.clone()).collect();
        let who: Vec<&str> = words.iter().copied().take_while(|word| known.contains(*word)).collect();
        let rest = &words[who.len()..];
        if let ["cluster", members @ ..] | ["no", "cluster", members @ ..] = rest {
            let clusters = self.clusters().await.map_err(told)?;
            let found: Vec<&Vec<String>> = clusters.iter().map(|cluster| &cluster.worker_ids).collect();
            let wanted: Vec<Vec<&str>> = if rest[0] == "no" { Vec::new() } else { vec![members.to_vec()] };
            return if found == wanted.iter().collect::<Vec<_>>() { Ok(()) } else { Err(format!("found {found:?}")) };
        }
        if who.is_empty() {
            return Err("nobody is meant: begin with names, `cluster` or `no cluster`".into());
        }
        for name in who {
            match rest {
                ["unknown"] => {
                    let standing = self.standing(name).await.map_err(|status| status.code()).err();
                    let links = self.links(name).await.map_err(|status| status.code()).err();
                    if (standing, links) != (Some(Code::NotFound), Some(Code::NotFound)) {
                        return Err(format!("{name}: something is kept"));
                    }
                }
                ["unlinked"] => {
                    let links = self.links(name).await.map_err(told)?;
                    if !links.is_empty() {
                        return Err(format!("{name}: {}", told::links(&links).join("; ")));
                    }
                }
                ["flagged", "now"] | ["not", "flagged", "now"] => {
                    let standing = self.standing(name).await.map_err(told)?;
                    if standing.flagged != (rest[0] == "flagged") {
                        return Err(format!("{name}: {}", told::standing(&standing).join("; ")));
                    }
                }
                ["heard", "flagged"] => match self.heard.get(name) {
                    Some(true) => {}
                    other => return Err(format!("the watch told of {name}: {other:?}")),
                },
                _ => {
                    let own: Vec<&Seen> = self.seen.iter().filter(|seen| seen.worker == name).collect();
                    told::expect(&own, rest, self.heard.get(name).copied().unwrap_or_default())
                        .map_err(|problem| format!("{name}: {problem}"))?;
                }
            }
        }
        Ok(())
    }
}

fn told(status: Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}
