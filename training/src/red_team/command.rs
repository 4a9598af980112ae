//! `training red-team`.

use super::page;
use super::powers::Powers;
use super::report::Report;
use super::search::{Plan, search, with_others};
use super::trial::Ground;
use crate::world::{Scenario, Tier};
use crate::{load, publish};
use elsewhere::model::ModelFile;
use elsewhere::model::artefact::hex;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What is searched, against what, and where the answer goes.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Directory of the model.
    #[arg(long, value_name = "DIR", default_value = "models/session-risk-1")]
    model: PathBuf,
    /// Seed of operators and companies.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the collectors see: idp, login-page, endpoint or linkage.
    #[arg(long, default_value = "linkage", value_parser = tier)]
    tier: Tier,
    /// One hostile scenario, such as H07; may be given again. All by default.
    #[arg(long = "scenario", value_name = "ID", value_parser = scenario)]
    scenarios: Vec<Scenario>,
    /// File of powers and prices in place of the program's own (training/powers.toml).
    #[arg(long, value_name = "FILE")]
    powers: Option<PathBuf>,
    /// Search for about two minutes of one core instead of a quarter of an hour.
    #[arg(long)]
    quick: bool,
    /// Do not search: take what an earlier search of the same model found from this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenarios", "powers", "quick"])]
    from: Option<PathBuf>,
    /// File for everything found, as JSON.
    #[arg(long, value_name = "FILE", default_value = "red-team.json")]
    out: PathBuf,
    /// Also write the tables of `red-team.md` in this directory.
    #[arg(long, value_name = "DIR")]
    docs: Option<PathBuf>,
    /// Write card.md, evaluation.json and SHA256SUMS of the model anew with what was found.
    #[arg(long, conflicts_with_all = ["scenarios", "powers"])]
    write: bool,
}

fn tier(name: &str) -> Result<Tier, String> {
    let found = Tier::ALL.into_iter().find(|tier| tier.name() == name);
    found.ok_or_else(|| format!("one of {}", Tier::ALL.map(Tier::name).join(", ")))
}

fn scenario(code: &str) -> Result<Scenario, String> {
    let found = Scenario::of_code(code).filter(|scenario| scenario.hostile());
    found.ok_or_else(|| "a hostile scenario, H01 to H20".into())
}

/// Searches, prints the table, and writes what was asked for.
///
/// # Errors
/// A model or a file of powers that does not load, a company that cannot be lived, or a file that cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let file = load(&arguments.model)?;
    let sha256 = hash(&arguments.model.join("model.json"))?;
    let report = match &arguments.from {
        Some(from) => found_before(from, &sha256)?,
        None => {
            let report = Report { model_sha256: sha256, ..watched(&file, arguments)? };
            let text = publish::json(&report)?;
            std::fs::write(&arguments.out, text).map_err(|error| format!("{}: {error}", arguments.out.display()))?;
            println!("wrote {}", arguments.out.display());
            report
        }
    };
    print!("{}\n{}", report.table(), report.mistakes());
    if let Some(docs) = &arguments.docs {
        page::write(docs, &report)?;
        println!("wrote {}", docs.join("red-team.md").display());
    }
    if arguments.write {
        publish::rewrite_red_team(&arguments.model, &file, report)?;
        println!("wrote card and figures of {}", arguments.model.display());
    }
    Ok(())
}

/// What an earlier search found.
fn found_before(from: &Path, sha256: &str) -> Result<Report, String> {
    let failed = |error: String| format!("{}: {error}", from.display());
    let text = std::fs::read_to_string(from).map_err(|error| failed(error.to_string()))?;
    let report: Report = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    if report.model_sha256 == sha256 {
        Ok(report)
    } else {
        Err(failed("was found of another model than --model names: search again, without --from".into()))
    }
}

fn hash(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(hex(&Sha256::digest(&bytes)))
}

/// Searches with a line of progress, and says how long it took.
#[expect(clippy::disallowed_methods, reason = "how long the search took is told; nothing is computed from it")]
fn watched(file: &ModelFile, arguments: &Arguments) -> Result<Report, String> {
    let began = std::time::Instant::now();
    let powers = arguments.powers.as_deref().map_or_else(Powers::shipped, Powers::read)?;
    let all = Scenario::ALL.iter().copied().filter(|scenario| scenario.hostile());
    let scenarios: Vec<Scenario> =
        if arguments.scenarios.is_empty() { all.collect() } else { arguments.scenarios.clone() };
    let plan = if arguments.quick { Plan::quick() } else { Plan::full() };
    let bar = ProgressBar::new(scenarios.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:20} {pos} of {len} scenarios ({elapsed}): {msg}") {
        bar.set_style(style);
    }
    let told = told_command(arguments);
    let report = searched(file, &powers, (arguments.seed, arguments.tier), &scenarios, &plan, told, &|done, what| {
        bar.set_position(done as u64);
        bar.set_message(what.to_string());
    })?;
    bar.finish_and_clear();
    let companies: usize = report.scenarios.iter().map(|one| one.companies).sum();
    println!("{companies} companies lived in {:.0} seconds", began.elapsed().as_secs_f64());
    Ok(report)
}

/// Searches scenarios one after the other; `say` hears how many are done, and what is being done.
///
/// # Errors
/// When a company cannot be lived.
pub fn searched(
    file: &ModelFile,
    powers: &Powers,
    (seed, tier): (u64, Tier),
    scenarios: &[Scenario],
    plan: &Plan,
    command: String,
    say: &dyn Fn(usize, &str),
) -> Result<Report, String> {
    let ground = Ground::new(file, powers, (seed, tier), plan.size);
    let mut report = Report::new(&file.model_id, command, (seed, tier), powers);
    for (done, scenario) in scenarios.iter().enumerate() {
        let told = |what: &str| say(done, &format!("{} {}: {what}", scenario.code(), scenario.name()));
        report.scenarios.push(search(&ground, *scenario, plan, &told)?);
    }
    let first = report.scenarios.clone();
    for (scenario, outcome) in scenarios.iter().zip(&mut report.scenarios) {
        let told = |what: &str| say(scenarios.len(), &format!("{} {}: {what}", scenario.code(), scenario.name()));
        *outcome = with_others(&ground, *scenario, plan, outcome.clone(), &first, &told)?;
    }
    Ok(report)
}

fn told_command(arguments: &Arguments) -> String {
    let quick = if arguments.quick { " --quick" } else { "" };
    let (seed, tier) = (arguments.seed, arguments.tier.name());
    let only: String = arguments.scenarios.iter().map(|one| format!(" --scenario {}", one.code())).collect();
    let powers = arguments.powers.as_ref().map_or(String::new(), |path| format!(" --powers {}", path.display()));
    format!("cargo run --release -p training -- red-team --seed {seed} --tier {tier}{only}{powers}{quick}")
}
