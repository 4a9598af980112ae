//! The commands of the simulated world: write one, measure a model in one, fit what is fitted in one.

use crate::evaluate::world::{self as evaluate, figures, leak, page};
use crate::request::Update;
use crate::world::stream::{self, Order};
use crate::world::{Tier, stream::truth_beside};
use crate::{convert, create, load, print_figures, publish, train};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes a world to a file or to standard output, with a bar that counts its days.
pub fn write(order: &Order, out: &str, truth: Option<PathBuf>) -> Result<(), String> {
    if !(0.0..=1.0).contains(&order.hostile_share) {
        return Err(format!("--hostile-share is {}: a share from 0 to 1", order.hostile_share));
    }
    let to_pipe = out == "-";
    let mut lines: Box<dyn Write> = match out {
        "-" => Box::new(BufWriter::new(std::io::stdout().lock())),
        name if name.ends_with(".gz") => Box::new(create(Path::new(name))?),
        name => Box::new(BufWriter::new(File::create(name).map_err(|error| format!("{name}: {error}"))?)),
    };
    let beside = truth.or_else(|| (!to_pipe).then(|| truth_beside(Path::new(out))));
    let mut table: Box<dyn Write> = match &beside {
        Some(path) => {
            Box::new(BufWriter::new(File::create(path).map_err(|error| format!("{}: {error}", path.display()))?))
        }
        None => Box::new(std::io::sink()),
    };
    let bar = ProgressBar::new(u64::from(order.days));
    if let Ok(style) = ProgressStyle::with_template("{bar:30} day {pos} of {len} ({elapsed}, {eta} left)") {
        bar.set_style(style);
    }
    let line = |event: &elsewhere::event::EventUnchecked| convert::line(event, Update::IfTrusted);
    let written = stream::write(order, &mut lines, &mut table, line, |days| bar.set_position(days.into()));
    bar.finish_and_clear();
    let written = written.map_err(|error| format!("{out}: {error}"))?;
    let truth = beside.map_or_else(|| "nowhere: give --truth".into(), |path| path.display().to_string());
    eprintln!(
        "wrote {} events of {} workers in {} companies to {out}; the truth is in {truth}",
        written.events, written.workers, written.companies
    );
    Ok(())
}

/// What `evaluate world` is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Seed of all companies.
    pub seed: u64,
    /// A few companies only.
    pub quick: bool,
    /// So many companies a tier that are nearly all honest.
    pub honest: Option<usize>,
    /// Directory of companies already lived.
    pub keep: Option<PathBuf>,
    /// Directory of the pages.
    pub docs: Option<PathBuf>,
    /// Whether card and figures of the model are written anew.
    pub write: bool,
}

/// Measures a model in simulated companies, prints what they showed, and fails when a floor is missed.
///
/// # Errors
/// A model that does not load, a company that cannot be lived, a file that cannot be written, or missed floors.
pub fn evaluate(model: &Path, wanted: &Wanted) -> Result<(), String> {
    let file = load(model)?;
    let Wanted { seed, quick, honest, keep, docs, write } = wanted;
    let plan = match (quick, honest) {
        (_, Some(companies)) => evaluate::Plan::honest(*seed, *companies),
        (true, None) => evaluate::Plan::quick(*seed),
        (false, None) => evaluate::Plan::full(*seed),
    };
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} company {pos} of {len} ({elapsed}, {eta} left)") {
        bar.set_style(style);
    }
    let tally = evaluate::run(&file, &plan, keep.as_deref(), &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let (companies, workers) = if *quick { (3, (200, 200)) } else { (8, (400, 400)) };
    let leak = leak::measure(*seed, companies, workers, Tier::Linkage)?;
    let figures = figures::figures(&tally, Some(leak));
    print!("{}", page::told(&tally));
    print_figures(&figures);
    println!("{} companies in {:.0} seconds of one core", tally.companies, tally.seconds);
    let command = format!(
        "cargo run --release -p training -- evaluate world --seed {seed}{}",
        if *quick { " --quick" } else { "" }
    );
    if let Some(docs) = docs {
        let mut all = figures.clone();
        all.extend(page::by_scenario(&tally));
        page::write(docs, &tally, &all)?;
        println!("wrote {}", docs.join("world.md").display());
    }
    if *write {
        publish::rewrite_world(model, &file, publish::World::of(&tally, figures.clone(), &command))?;
        println!("wrote card and figures of {}", model.display());
    }
    let missed = figures::missed(&figures);
    if missed.is_empty() { Ok(()) } else { Err(format!("floors are missed: {}", missed.join("; "))) }
}

/// Fits what simulated companies fit of a model whose evidence stays as it is.
///
/// # Errors
/// A model that does not load, a company that cannot be lived, or a file that cannot be written.
pub fn refit(model: &Path, out: &Path, seed: u64, companies: usize) -> Result<(), String> {
    let mut file = load(model)?;
    let plan = train::Plan {
        model_id: file.model_id.clone(),
        seed,
        train_time_seconds: file.train_time_seconds,
        honest_workers: 500,
        hostile_workers: 100,
        days: 28,
        companies,
    };
    train::fit_worlds(&mut file, &plan, &|what| eprintln!("{what}"))?;
    let text = publish::json(&file)?;
    std::fs::write(out, text).map_err(|error| format!("{}: {error}", out.display()))?;
    println!("wrote {}: flag from {:.2} nats", out.display(), file.standing.threshold_log_odds);
    Ok(())
}
