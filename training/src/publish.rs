//! `models/<id>/`: model, card, figures and hashes. A directory once released is not written again.

use crate::evaluate::world::tally::Tally;
use crate::evaluate::world::{figures as world_figures, page as world_page};
use crate::red_team;
use crate::request::Figure;
use crate::train::Trained;
use elsewhere::model::ModelFile;
use elsewhere::model::artefact::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::Path;

/// Everything the card says, for machines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The model.
    pub model_id: String,
    /// Seed of fits, companies and intervals.
    pub seed: u64,
    /// The command that makes model and figures again.
    pub command: String,
    /// Figures on real data, and simulated ones that stand beside them.
    pub figures: Vec<Figure>,
    /// The simulated test companies.
    pub world: World,
    /// What evasion costs; absent until it was searched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub red_team: Option<red_team::Report>,
}

/// What simulated companies showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// The command that lives the companies again.
    pub command: String,
    /// Figures with floors and intervals.
    pub figures: Vec<Figure>,
    /// Figures by scenario and tier.
    pub by_scenario: Vec<Figure>,
    /// The counts behind them.
    pub tally: Tally,
}

impl World {
    /// The section of counts.
    pub fn of(tally: &Tally, figures: Vec<Figure>, command: &str) -> Self {
        let by_scenario = world_page::by_scenario(tally);
        Self { command: command.into(), figures, by_scenario, tally: tally.clone() }
    }
}

/// Writes a model directory.
///
/// # Errors
/// When a file cannot be written.
pub fn publish(directory: &Path, trained: &Trained, command: &str) -> Result<(), String> {
    let Trained { file, figures, world } = trained;
    let evaluation = Evaluation {
        model_id: file.model_id.clone(),
        seed: file.seed,
        command: command.into(),
        figures: figures.clone(),
        world: World::of(world, world_figures::figures(world, None), command),
        red_team: None,
    };
    write_model(directory, file, &card(file, &evaluation), &evaluation)
}

/// Writes what simulated companies showed into the card and the figures of a model that is there: the model itself stays
/// as it is, byte for byte.
///
/// # Errors
/// A directory without figures, or a file that cannot be written.
pub fn rewrite_world(directory: &Path, file: &ModelFile, world: World) -> Result<(), String> {
    rewrite_section(directory, file, "world", world)
}

/// The same with what a search for evasion found.
///
/// # Errors
/// A directory without figures, or a file that cannot be written.
pub fn rewrite_red_team(directory: &Path, file: &ModelFile, report: red_team::Report) -> Result<(), String> {
    rewrite_section(directory, file, "red_team", report)
}

fn rewrite_section(directory: &Path, file: &ModelFile, name: &str, section: impl Serialize) -> Result<(), String> {
    let path = directory.join("evaluation.json");
    let failed = |error: String| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
    // The section may be that of an earlier release: it is replaced before the rest is read.
    let mut value: serde_json::Value = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    value[name] = serde_json::to_value(section).map_err(|error| failed(error.to_string()))?;
    let evaluation: Evaluation = serde_json::from_value(value).map_err(|error| failed(error.to_string()))?;
    write_model(directory, file, &card(file, &evaluation), &evaluation)
}

/// Writes a model with its card, its figures and the hashes of all three.
///
/// # Errors
/// When a file cannot be written.
pub fn write_model(directory: &Path, file: &ModelFile, card: &str, evaluation: &impl Serialize) -> Result<(), String> {
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let files = [("model.json", json(file)?), ("card.md", card.to_string()), ("evaluation.json", json(evaluation)?)];
    let mut sums = String::new();
    for (name, text) in &files {
        let _ = writeln!(sums, "{}  {name}", hex(&Sha256::digest(text.as_bytes())));
        write(directory, name, text)?;
    }
    write(directory, "SHA256SUMS", &sums)
}

fn write(directory: &Path, name: &str, text: &str) -> Result<(), String> {
    let path = directory.join(name);
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A file of the directory as text.
///
/// # Errors
/// When a number has no JSON form.
pub fn json<T: Serialize>(value: &T) -> Result<String, String> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    // Long tables of numbers on one line each: the file is for people, but nobody reads a number a line.
    text = compact_numbers(&text);
    text.push('\n');
    Ok(text)
}

/// Joins runs of lines that hold nothing but numbers.
fn compact_numbers(text: &str) -> String {
    let numeric = |line: &str| {
        let body = line.trim().trim_end_matches(',');
        !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_digit() || b"-+.eE".contains(&byte))
    };
    let mut out = String::with_capacity(text.len() / 2);
    let mut in_run = false;
    for line in text.lines() {
        let now = numeric(line);
        if now && in_run {
            out.push(' ');
            out.push_str(line.trim());
        } else {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(line);
        }
        in_run = now;
    }
    out
}

/// The card people read.
pub fn card(file: &ModelFile, evaluation: &Evaluation) -> String {
    let world = &evaluation.world;
    let mut text = String::new();
    let _ = write!(
        text,
        "# {id}\n\n\
         Says of a session, and over sessions of a worker, whether the person at the keyboard is where and who the worker\n\
         claims to be. Additive: every verdict is a base, a list of reasons and a residual that add up.\n\n\
         - Feature schema {schema}, {feature_count} features, {finding_count} findings. Seed {seed}.\n\
         - Made and measured by `{command}`; the same call gives the same bytes.\n\n\
         ## What it was fitted on\n\n\
         | part | data | licence |\n| --- | --- | --- |\n\
         | typing: backgrounds, spreads, table model, calibration | Villani fixed and free, keypad (POHMM project), BB-MAS, MEU-Mobile | BSD-3-Clause; CC BY 4.0; CC BY 4.0 |\n\
         | remote_input: pointer | simulated hands, devices and relays | ours |\n\
         | remote_input: keys | our captures' transport delays over Villani, BB-MAS and MEU typing, simulated polling grids | ours; as above |\n\
         | remote_input: challenge | simulated people, delays of our captures | ours |\n\
         | network: round-trip constants by region and access class | WonderProxy pings of 2020-07 (constants only) | published for public use |\n\
         | network: familiarity and travel | semi-real logins | ours |\n\
         | timezone: weekly templates, rates of free days | public commit histories (aggregates only); dates of the package `holidays` | facts; MIT |\n\
         | crowd, telemetry | priors by judgement, stated in the code | - |\n\
         | weights, standing, calibration, levels | simulated companies | ours |\n\n\
         No coefficient, gate or threshold was fitted on CMU, Aalto, or the replayed human behaviour of the captures. Choices were\n\
         nevertheless made after looking at them: the shape of typing's gate (full, partial and paired lessons; the shares are set by\n\
         the contract's 1 %, the nats are fitted on BB-MAS), its learning clip and rate, the centre of intervals and the limits of\n\
         machine-made typing with CMU and Aalto in view; the rank, clips, share across sessions and tails of the tables' model,\n\
         chosen on people left out of the fitted sets, with Aalto in view; the pointer simulator's priors with the captures in view; some 40 settings\n\
         of the rhythm on the folds that measure it. These figures are optimistic by that choice, and their intervals do not say so.\n\
         The caps of a standing were chosen while an earlier test company was looked at: of loop, gap and round trip at 8 nats it\n\
         flagged 10 of 25 proxied operators and no honest worker, at 10 nats all 25 and one honest worker by its loop alone; so\n\
         the loop has 8 and the path 10. The length of a standing's short memory was chosen with the next one in view. The test\n\
         company below is another, from which nothing was chosen.\n\n",
        id = file.model_id,
        schema = file.feature_schema_version,
        feature_count = file.features.len(),
        finding_count = file.additive.terms.len(),
        seed = file.seed,
        command = evaluation.command,
    );
    figures_table(&mut text, &evaluation.figures);
    world_table(&mut text, world, file);
    red_team_table(&mut text, evaluation.red_team.as_ref());
    weights_table(&mut text, file);
    text.push_str(LIMITS);
    text
}

fn figures_table(text: &mut String, figures: &[Figure]) {
    text.push_str(
        "## Figures, through the whole pipeline\n\n\
         What has a floor; slices, grids and figures to compare with stand in `evaluation.json` and on the pages of `docs/`.\n\
         *Real* data are development data: nobody in them was used to fit what they measure, but for figures that say\n\
         otherwise. *Measure* marks data that may measure and never fit. Intervals are 95 %, resampled by person, recording,\n\
         server or author. Reproduce with `cargo run --release -p training -- evaluate all --data <directory>`.\n\n",
    );
    let with_floor = || figures.iter().filter(|figure| figure.floor.is_some());
    let chosen: Vec<&Figure> = with_floor().filter(|figure| slice_of(figure).is_none()).collect();
    figure_rows(text, &chosen);
    text.push_str("\nBy slice of length, age, clock, machine and set, as counts:\n\n");
    for (end, what) in SLICES {
        let slices: Vec<&Figure> = with_floor().filter(|figure| slice_of(figure) == Some(end)).collect();
        let mut missed: Vec<&&Figure> = slices.iter().filter(|figure| !met(figure)).collect();
        missed.sort_by(|a, b| b.value.total_cmp(&a.value));
        let _ = write!(text, "- {what}: {} slices with a floor, {} missed", slices.len(), missed.len());
        for (index, figure) in missed.iter().take(SLICES_TOLD).enumerate() {
            let name = figure.name.trim_end_matches(end);
            let _ = write!(text, "{} `{name}` {:.4}", if index == 0 { "; the worst:" } else { "," }, figure.value);
        }
        text.push_str(".\n");
    }
    text.push('\n');
}

/// Figures that come by the dozen, by the end of their names.
const SLICES: [(&str, &str); 3] = [
    (".cllr_loss", "calibration loss (Cllr less the least any recalibration could reach, bits)"),
    (".cllr", "cost of ordered typing (1 is no better than abstaining, bits)"),
    (".false_positive_rate", "people taken for machines"),
];

/// Missed slices the card names of each kind; all are in `evaluation.json`.
const SLICES_TOLD: usize = 10;

fn slice_of(figure: &Figure) -> Option<&'static str> {
    SLICES.iter().map(|(end, _)| *end).find(|end| figure.name.ends_with(end))
}

fn met(figure: &Figure) -> bool {
    let better = |floor: f64| if figure.higher_is_better { figure.value >= floor } else { figure.value <= floor };
    figure.floor.is_none_or(better)
}

fn figure_rows(text: &mut String, figures: &[&Figure]) {
    text.push_str("| figure | value | 95 % interval | floor | sample |\n| --- | --- | --- | --- | --- |\n");
    for figure in figures {
        let interval = figure.interval.map_or("-".into(), |(low, high)| format!("{low:.4} to {high:.4}"));
        let floor = figure
            .floor
            .map_or("-".into(), |floor| format!("{floor} {}", if met(figure) { "met" } else { "**missed**" }));
        let _ = writeln!(
            text,
            "| `{}`: {} | {:.4} | {interval} | {floor} | {}; {}, {} |",
            figure.name, figure.description, figure.value, figure.sample, figure.source, figure.licence
        );
    }
}

fn world_table(text: &mut String, world: &World, file: &ModelFile) {
    let tally = &world.tally;
    let _ = write!(
        text,
        "## Workers flagged, simulated\n\n\
         {} companies of the test seeds, lived through the whole pipeline by `{}`. Nobody and nothing in them is in the\n\
         companies that fitted weights or calibrated the threshold. Recall is the share of workers flagged within 20 working\n\
         days (H13 and H19: 60); honest rows say how many were flagged. Exact 95 % intervals. H17, an identity rented inside the\n\
         country, is the blind spot and counts towards no mean. Simulated operators prove nothing about real ones.\n\n",
        tally.companies, world.command,
    );
    text.push_str(&world_page::table(tally));
    text.push('\n');
    let chosen: Vec<&Figure> = world.figures.iter().collect();
    figure_rows(text, &chosen);
    text.push_str(
        "\nSessions by threshold on the probability, one test company (intervals resampled by worker):\n\n\
         | threshold | honest sessions at or above | upper | hostile sessions at or above | lower |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for point in &file.operating_points {
        let _ = writeln!(
            text,
            "| {:.4} | {:.5} | {:.5} | {:.3} | {:.3} |",
            point.threshold,
            point.false_positive_rate,
            point.false_positive_rate_upper,
            point.true_positive_rate,
            point.true_positive_rate_lower
        );
    }
    text.push('\n');
}

fn red_team_table(text: &mut String, report: Option<&red_team::Report>) {
    text.push_str("## What evasion costs, simulated\n\n");
    let Some(report) = report else {
        text.push_str("Not searched for this model: `training red-team --write` does.\n\n");
        return;
    };
    let _ = write!(
        text,
        "The cheapest way found past this model, per worker and month, by `{}`: powers an operator may have, of which none\n\
         needs a mistake of the tenant or the collector in wrong hands, until at most {:.0} % of operators are flagged within {} workdays. Flagged then: operators nobody\n\
         searched with, exact 95 % intervals. A search finds an upper bound on what evasion costs: whoever looks longer, or knows\n\
         a power that is not in `training/powers.toml`, may find a cheaper way. Prices are judgement, dollars by the rates of that\n\
         file; `docs/red-team.md` says what each power does and what to do about it, and what such mistakes buy.\n\n",
        report.command,
        100.0 * report.target,
        report.workdays
    );
    text.push_str(&report.table());
    text.push('\n');
}

fn weights_table(text: &mut String, file: &ModelFile) {
    let _ = write!(
        text,
        "## Weights\n\nBase {:.3} nats (one in a thousand). Calibration: intercept {:.3}, slope {:.3}. Levels: medium from {:.4}, \
         high from {:.4}. Flag from {:.2} nats of standing.\n\n\
         | finding | weight | session cap | standing cap (sustained) | share of operators showing it |\n\
         | --- | --- | --- | --- | --- |\n",
        file.additive.base_log_odds,
        file.calibration.intercept,
        file.calibration.slope,
        file.levels.medium,
        file.levels.high,
        file.standing.threshold_log_odds
    );
    for term in &file.additive.terms {
        let standing = file.standing.findings.iter().find(|entry| entry.finding == term.finding);
        let _ = writeln!(
            text,
            "| `{}` | {:.2} | {:+.1} to {:+.1} | {} | {} |",
            term.finding,
            term.weight,
            term.score_min,
            term.score_max,
            standing
                .map_or("-".into(), |entry| format!("{:.1} ({:.1})", entry.evidence_max, entry.evidence_max_sustained)),
            standing.map_or("-".into(), |entry| format!("{:.2}", entry.hostile_share))
        );
    }
    text.push('\n');
}

const LIMITS: &str = "## Who is worse served, and what not to use it for\n\n\
- People with injuries and new keyboards are further from their own past; typing then abstains or shrinks. By speed and by\n\
  errors the worst fifth is held against the middle one (`typing.fairness`); the quickest are refused least.\n\
- Rhythm says little of night owls, shift and on-call workers; declared irregular hours silence it.\n\
- Satellite, mobile and in-flight paths make round trips abstain; privacy browsers make clocks and fine timing abstain.\n\
- An operator who lives in the claimed country and types at the machine cannot be told from the worker by place.\n\
- A flag is a reason for a person to look. It is not proof, not a ground for dismissal, and says nothing of nationality:\n\
  language, layout and names never enter.\n\
- Every figure on operators is simulated or replayed; no labelled sessions of real ones exist in public.\n";
