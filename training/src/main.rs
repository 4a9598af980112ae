//! The trainer: fits, measures and publishes models, turns real data into requests, and writes the example company.

mod convert;
mod corpus;
mod evaluate;
mod fit;
mod metrics;
mod publish;
mod recalibrate;
mod red_team;
mod refit;
mod replay;
mod request;
mod statistics;
mod train;
mod world;
mod world_command;

use clap::{Parser, Subcommand, ValueEnum};
use elsewhere::model::{Model, ModelFile};
use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::{ProgressBar, ProgressStyle};
use request::{Figure, Scorer, Update};
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

/// Fits, measures and publishes the models of elsewhere.
#[derive(Debug, Parser)]
#[command(name = "training", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fit a model, measure it and write its directory.
    Train {
        /// Directory of the real data sets.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Directory to write, such as models/session-risk-1; its name is the model's.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Seed of every random number.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// When training is said to end, seconds since 1970; an argument so that equal calls give equal bytes.
        #[arg(long, default_value_t = 1_795_305_600)]
        train_time: i64,
        /// Honest workers in each simulated company.
        #[arg(long, default_value_t = 500)]
        honest: usize,
        /// Hostile workers in each simulated company.
        #[arg(long, default_value_t = 100)]
        hostile: usize,
        /// Days each company is followed.
        #[arg(long, default_value_t = 28)]
        days: u32,
        /// Simulated companies that calibrate; their tiers take turns.
        #[arg(long, default_value_t = 24)]
        companies: usize,
    },
    /// Measure a model on real data, through the whole pipeline, and print the figures.
    Evaluate {
        /// What to measure.
        family: Part,
        /// Directory of the real data sets; `world` needs none.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Directory of the model.
        #[arg(long, value_name = "DIR", default_value = "models/session-risk-1")]
        model: PathBuf,
        /// Seed of splits, simulations and intervals.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Also write the drawings and tables of the families' pages (`typing.md`, `remote-input.md`, `network.md`,
        /// `timezone.md`, `world.md`) into this directory.
        #[arg(long, value_name = "DIR")]
        docs: Option<PathBuf>,
        /// world: live a few companies only, for minutes instead of the better part of an hour.
        #[arg(long)]
        quick: bool,
        /// world: instead live so many companies a tier that are nearly all honest, to see who is flagged for nothing.
        #[arg(long, value_name = "COMPANIES", conflicts_with_all = ["quick", "write", "docs"])]
        honest: Option<usize>,
        /// world: keep companies that were lived in this directory, and take up again what is there.
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
        /// world: write card.md, evaluation.json and SHA256SUMS of the model anew with what was measured.
        #[arg(long)]
        write: bool,
    },
    /// Write the requests behind a family's figures as NDJSON for `elsewhere score`.
    Convert {
        /// Whose data to turn into requests.
        family: Part,
        /// Directory of the real data sets.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// File to write, gzipped.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Directory of the model whose answers steer what is asked next.
        #[arg(long, value_name = "DIR", default_value = "models/session-risk-1")]
        model: PathBuf,
        /// Seed of splits and simulations.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Fit again what simulated companies fit (weights, standings, calibration, levels, threshold) of a model whose
    /// evidence stays as it is, and write it beside.
    RefitWorld {
        /// Directory of the model.
        #[arg(long, value_name = "DIR", default_value = "models/session-risk-1")]
        model: PathBuf,
        /// File to write the model to; its card and figures are those of a training run or of `evaluate world`.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Seed of every random number.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Simulated companies that calibrate.
        #[arg(long, default_value_t = 24)]
        companies: usize,
    },
    /// Write four simulated weeks of a small company, and the truth about it beside them.
    Example {
        /// File to write, gzipped; the truth goes beside it with the ending `.truth.tsv`.
        #[arg(long, value_name = "FILE", default_value = "examples/company.ndjson.gz")]
        out: PathBuf,
        /// Seed of the company.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Write a simulated world as requests, one a line, and the truth about it beside them.
    World {
        /// Workers.
        #[arg(long, default_value_t = 3000)]
        workers: usize,
        /// Days, from a Monday.
        #[arg(long, default_value_t = 28)]
        days: u32,
        /// What the collectors see.
        #[arg(long, value_enum, default_value = "endpoint")]
        tier: Telemetry,
        /// Share of workers that is hostile; all hostile scenarios alike.
        #[arg(long, default_value_t = 0.1)]
        hostile_share: f64,
        /// Seed of the world.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// File to write, gzipped where its name ends with .gz; `-` is standard output.
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: String,
        /// File for the truth; by default beside the requests, and nowhere when these go to standard output.
        #[arg(long, value_name = "FILE")]
        truth: Option<PathBuf>,
    },
    /// Move a model's tables of free typing to a tenant's people, and say on workers held back whether it helped.
    RefitTyping {
        /// Data directory of a service that is not running.
        #[arg(long, value_name = "DIR", required_unless_present = "profiles", conflicts_with = "profiles")]
        store: Option<PathBuf>,
        /// Tenant; may be left out where the store has only one.
        #[arg(long, value_name = "TENANT", requires = "store")]
        tenant: Option<String>,
        /// File that `typing-statistics` wrote.
        #[arg(long, value_name = "FILE")]
        profiles: Option<PathBuf>,
        /// Directory of the model to move.
        #[arg(long, value_name = "DIR", default_value = "models/session-risk-1")]
        model: PathBuf,
        /// New directory for the moved model; its name is the model's. Without it nothing is written.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Write it although it did not help.
        #[arg(long, requires = "out")]
        even_if_worse: bool,
    },
    /// Move thresholds and family weights to a tenant's people and labels, and say on workers held back whether it helped.
    Recalibrate {
        /// Data directory of a service that is not running.
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// Tenant; may be left out where the store has only one.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// Directory of the model to move.
        #[arg(long, value_name = "DIR", default_value = "models/session-risk-1")]
        model: PathBuf,
        /// New directory for the moved model; its name is the model's. Without it nothing is written.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Write it although held-back workers speak against it.
        #[arg(long, requires = "out")]
        even_if_worse: bool,
    },
    /// Search for the cheapest way past a model within declared powers, and say what evasion costs by scenario.
    RedTeam(red_team::Arguments),
    /// Take a tenant's tables out of a store for a refit: no pseudonym, date, phrase or token goes along.
    TypingStatistics {
        /// Data directory of a service that is not running.
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// Tenant; may be left out where the store has only one.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// File to write, gzipped lines of JSON; one that exists is left alone.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Telemetry {
    /// The sign-in log alone.
    Idp,
    /// And a collector on the login page.
    LoginPage,
    /// And an agent on the machine.
    Endpoint,
    /// And tokens that tell what workers share.
    Linkage,
}

impl Telemetry {
    fn tier(self) -> world::Tier {
        match self {
            Self::Idp => world::Tier::IdpOnly,
            Self::LoginPage => world::Tier::LoginPage,
            Self::Endpoint => world::Tier::Endpoint,
            Self::Linkage => world::Tier::Linkage,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Typing,
    RemoteInput,
    Network,
    Timezone,
    /// Simulated companies; not part of `all`, since it takes far longer.
    World,
    All,
}

impl Part {
    fn covers(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Typing => name == "typing",
            Self::RemoteInput => name == "remote-input",
            Self::Network => name == "network",
            Self::Timezone => name == "timezone",
            Self::World => name == "world",
        }
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("training: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), String> {
    match command {
        Command::Train { data, out, seed, train_time, honest, hostile, days, companies } => {
            require_data(&data)?;
            let model_id = out.file_name().and_then(|name| name.to_str()).ok_or("--out needs a directory name")?;
            let plan = train::Plan {
                model_id: model_id.into(),
                seed,
                train_time_seconds: train_time,
                honest_workers: honest,
                hostile_workers: hostile,
                days,
                companies,
            };
            let bar = spinner();
            let trained = train::train(&data, &plan, &|what| bar.set_message(what.to_string()))?;
            bar.finish_and_clear();
            let command = format!(
                "cargo run --release -p training -- train --data <directory> --out models/{model_id} --seed {seed} \
                 --train-time {train_time} --honest {honest} --hostile {hostile} --days {days} --companies {companies}"
            );
            publish::publish(&out, &trained, &command)?;
            print_figures(&trained.figures);
            println!("wrote {}", out.display());
            Ok(())
        }
        Command::Evaluate { family: Part::World, model, seed, docs, quick, honest, keep, write, .. } => {
            world_command::evaluate(&model, &world_command::Wanted { seed, quick, honest, keep, docs, write })
        }
        Command::RefitWorld { model, out, seed, companies } => world_command::refit(&model, &out, seed, companies),
        Command::Evaluate { family, data, model, seed, docs, .. } => {
            let data = data.ok_or("--data names the directory of the real data sets; only `world` needs none")?;
            require_data(&data)?;
            let file = load(&model)?;
            let mut new_scorer = || scorer(&file);
            let bar = spinner();
            let mut figures = Vec::new();
            for (name, evaluate) in evaluate::FAMILIES {
                if family.covers(name) {
                    bar.set_message(format!("measuring {name}"));
                    figures.extend(evaluate(&data, &mut new_scorer, seed)?);
                }
            }
            bar.finish_and_clear();
            print_figures(&figures);
            match docs {
                Some(docs) => document(family, &docs, &data, &mut new_scorer, &figures, seed),
                None => Ok(()),
            }
        }
        Command::Convert { family, data, out, model, seed } => {
            require_data(&data)?;
            convert_family(family, &data, &out, &load(&model)?, seed)
        }
        Command::Example { out, seed } => write_example(&out, seed),
        Command::World { workers, days, tier, hostile_share, seed, out, truth } => {
            let order = world::stream::Order { seed, workers, hostile_share, days, tier: tier.tier() };
            world_command::write(&order, &out, truth)
        }
        Command::RedTeam(arguments) => red_team::run(&arguments),
        Command::RefitTyping { store, tenant, profiles, model, out, even_if_worse } => {
            let tables = match (&store, &profiles) {
                (Some(store), _) => statistics::read_store(store, tenant.as_deref())?,
                (None, Some(file)) => statistics::read_file(file)?,
                (None, None) => return Err("name a --store or a --profiles file".into()),
            };
            let refitted = refit::Refitted::of(&model, &tables)?;
            print!("{}", refitted.report());
            let Some(out) = out else { return Ok(()) };
            if !refitted.helped() && !even_if_worse {
                return Err(format!("wrote nothing to {}: add --even-if-worse to have it all the same", out.display()));
            }
            let name = out.file_name().and_then(|name| name.to_str()).unwrap_or("<name>");
            let command = format!("training refit-typing --model {} --out models/{name}", model.display());
            refitted.write(&out, &command)?;
            println!("wrote {}", out.display());
            Ok(())
        }
        Command::Recalibrate { store, tenant, model, out, even_if_worse } => {
            let recalibrated = recalibrate::Recalibrated::of_store(&model, &store, tenant.as_deref())?;
            print!("{}", recalibrated.report());
            let Some(out) = out else { return Ok(()) };
            if recalibrated.worse() && !even_if_worse {
                return Err(format!("wrote nothing to {}: add --even-if-worse to have it all the same", out.display()));
            }
            let name = out.file_name().and_then(|name| name.to_str()).unwrap_or("<name>");
            let command = format!("training recalibrate --model {} --out models/{name}", model.display());
            recalibrated.write(&out, &command)?;
            println!("wrote {}", out.display());
            Ok(())
        }
        Command::TypingStatistics { store, tenant, out } => {
            let tables = statistics::read_store(&store, tenant.as_deref())?;
            statistics::write_file(&out, &tables)?;
            println!("wrote the tables of {} workers to {}", tables.len(), out.display());
            Ok(())
        }
    }
}

/// Writes the drawings and the tables of the families' pages.
fn document(
    family: Part,
    docs: &Path,
    data: &Path,
    new_scorer: &mut evaluate::NewScorer<'_>,
    figures: &[Figure],
    seed: u64,
) -> Result<(), String> {
    let img = docs.join("img");
    if family.covers("typing") {
        paged(docs, "typing.md", figures, evaluate::typing::plots::draw(data, new_scorer, figures, &img)?)?;
    }
    if family.covers("remote-input") {
        paged(docs, "remote-input.md", figures, evaluate::remote_input::plots::draw(data, new_scorer, &img)?)?;
    }
    if family.covers("network") {
        paged(docs, "network.md", figures, evaluate::network::plots::draw(data, new_scorer, &img)?)?;
    }
    if family.covers("timezone") {
        paged(docs, "timezone.md", figures, evaluate::timezone::plots::draw(data, figures, seed, &img)?)?;
    }
    Ok(())
}

/// Writes the tables of one page, whose drawings are made.
fn paged(docs: &Path, name: &str, figures: &[Figure], drawings: Vec<PathBuf>) -> Result<(), String> {
    let path = docs.join(name);
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let page = std::fs::read_to_string(&path).map_err(failed)?;
    let page = evaluate::page::rewritten(&page, figures)?;
    std::fs::write(&path, page).map_err(failed)?;
    for file in drawings.iter().chain([&path]) {
        println!("wrote {}", file.display());
    }
    Ok(())
}

/// Real data are not part of the project: say clearly what is missing and where it is described.
fn require_data(data: &Path) -> Result<(), String> {
    if data.join("keystroke").is_dir() {
        return Ok(());
    }
    Err(format!(
        "skipped: there are no data sets in {} (expected keystroke/, remote/, network/, login/ and rhythm/ as \
         docs/architecture.md describes); tests and the service need none",
        data.display()
    ))
}

pub(crate) fn load(directory: &Path) -> Result<ModelFile, String> {
    Ok(Model::load(directory).map_err(|error| format!("{}: {error}", directory.display()))?.file)
}

/// A scorer with an empty store. The model was loaded before, so making it ready again cannot fail.
fn scorer(file: &ModelFile) -> Box<dyn Scorer> {
    let replay = Model::prepare(file.clone(), [0; 32]).map_err(|error| error.to_string()).and_then(replay::Replay::new);
    match replay {
        Ok(replay) => Box::new(replay),
        Err(error) => Box::new(Unready(error)),
    }
}

struct Unready(String);

impl Scorer for Unready {
    fn score(&mut self, _: elsewhere::event::EventUnchecked, _: Update) -> Result<request::Scored, String> {
        Err(self.0.clone())
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

pub(crate) fn print_figures(figures: &[Figure]) {
    for figure in figures {
        let interval = figure.interval.map_or(String::new(), |(low, high)| format!(" [{low:.4}, {high:.4}]"));
        let floor = figure.floor.map_or(String::new(), |floor| format!(" floor {floor}"));
        println!("{:<52} {:>9.4}{interval}{floor}  {} ({})", figure.name, figure.value, figure.sample, figure.source);
    }
}

pub(crate) fn create(path: &Path) -> Result<GzEncoder<BufWriter<File>>, String> {
    let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(GzEncoder::new(BufWriter::new(file), Compression::best()))
}

fn convert_family(family: Part, data: &Path, out: &Path, file: &ModelFile, seed: u64) -> Result<(), String> {
    let lines = Rc::new(RefCell::new(create(out)?));
    let mut number = 0;
    let mut new_scorer = || -> Box<dyn Scorer> {
        number += 1;
        Box::new(convert::Recording::new(scorer(file), number, Rc::clone(&lines)))
    };
    for (name, evaluate) in evaluate::FAMILIES {
        if family.covers(name) {
            evaluate(data, &mut new_scorer, seed)?;
        }
    }
    lines.borrow_mut().try_finish().map_err(|error| format!("{}: {error}", out.display()))?;
    println!("wrote {}", out.display());
    Ok(())
}

fn write_example(out: &Path, seed: u64) -> Result<(), String> {
    let spec = world::example_company(seed)?;
    let failed = |error: std::io::Error| format!("{}: {error}", out.display());
    let mut lines = create(out)?;
    let simulation = world::simulate(&spec);
    let truth = simulation.truth();
    let mut count = 0;
    for simulated in simulation {
        writeln!(lines, "{}", convert::line(&simulated.event, Update::IfTrusted)?).map_err(failed)?;
        count += 1;
    }
    lines.finish().and_then(|mut file| file.flush()).map_err(failed)?;
    let name = out.file_name().and_then(|name| name.to_str()).unwrap_or("company");
    let beside = out.with_file_name(format!("{}.truth.tsv", name.trim_end_matches(".ndjson.gz")));
    let mut table = BufWriter::new(File::create(&beside).map_err(failed)?);
    world::write_truth(&truth, &mut table).and_then(|()| table.flush()).map_err(failed)?;
    println!("wrote {} ({count} events of {} workers) and {}", out.display(), truth.len(), beside.display());
    Ok(())
}
