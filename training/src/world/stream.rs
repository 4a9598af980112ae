//! A world on its way out: requests line by line, many companies one after the other, the truth beside them.

use super::{Parameters, Part, Scenario, Tier, simulate, world_spec};
use elsewhere::event::EventUnchecked;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Workers of one company: customs, and who shares what with whom, end at its border.
pub const COMPANY_WORKERS: usize = 500;

/// Which world to write.
#[derive(Debug, Clone)]
pub struct Order {
    /// Seed of everything.
    pub seed: u64,
    /// Workers in all.
    pub workers: usize,
    /// Share of them that is hostile, all hostile scenarios alike.
    pub hostile_share: f64,
    /// Days.
    pub days: u32,
    /// What the collectors see.
    pub tier: Tier,
}

/// Writes the lines of a world and the truth about it. All companies live through the same days: their events are
/// written in order of time, so that one service may read them as one tenant.
///
/// `line` turns an event into a line; `progress` hears how many of how many days are over.
///
/// # Errors
/// Those of `line`, of writing, and of [`Parameters::shipped`].
pub fn write(
    order: &Order,
    out: &mut impl Write,
    truth: &mut impl Write,
    line: impl Fn(&EventUnchecked) -> Result<String, String>,
    mut progress: impl FnMut(u32),
) -> Result<Written, String> {
    let failed = |error: io::Error| error.to_string();
    let parameters: Arc<Parameters> = Parameters::shipped()?;
    writeln!(truth, "worker_id\tscenario\tname\tkind\tworkdays\treasons").map_err(failed)?;
    let mut companies = Vec::new();
    let (mut left, mut workers) = (order.workers, 0);
    while left > 0 {
        let size = if left < COMPANY_WORKERS * 3 / 2 { left } else { COMPANY_WORKERS };
        let hostile = (size as f64 * order.hostile_share).round() as usize;
        let seed = Part::Test.seed(order.seed, companies.len() as u64);
        let simulation = simulate(&world_spec(seed, size - hostile, hostile, order.days, order.tier)?);
        for (worker, scenario) in simulation.truth() {
            write_truth_line(&worker, scenario, &parameters, truth).map_err(failed)?;
            workers += 1;
        }
        companies.push(simulation.peekable());
        left -= size;
    }
    let mut events = 0;
    let (mut first, mut told) = (None, 0);
    loop {
        let time = |event: &EventUnchecked| event.event_time.map_or((0, 0), |at| (at.seconds, at.nanos));
        let earliest = companies
            .iter_mut()
            .enumerate()
            .filter_map(|(index, company)| company.peek().map(|made| (time(&made.event), index)))
            .min();
        let Some((at, index)) = earliest else { break };
        let Some(made) = companies[index].next() else { break };
        writeln!(out, "{}", line(&made.event)?).map_err(failed)?;
        events += 1;
        let days = ((at.0 - *first.get_or_insert(at.0)) / 86_400) as u32;
        if days > told {
            told = days;
            progress(days);
        }
    }
    out.flush().and_then(|()| truth.flush()).map_err(failed)?;
    Ok(Written { events, workers, companies: companies.len() })
}

/// Where the truth of requests in `file` goes: `world.ndjson.gz` has it in `world.truth.tsv`.
pub fn truth_beside(file: &Path) -> PathBuf {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or("world");
    let stem = name.trim_end_matches(".gz").trim_end_matches(".ndjson");
    file.with_file_name(format!("{stem}.truth.tsv"))
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Lines.
    pub events: usize,
    /// Workers.
    pub workers: usize,
    /// Companies.
    pub companies: usize,
}

fn write_truth_line(
    worker: &str,
    scenario: Scenario,
    parameters: &Parameters,
    out: &mut impl Write,
) -> Result<(), io::Error> {
    let kind = if scenario.hostile() { "hostile" } else { "benign" };
    let reasons = parameters.reasons.get(scenario.code()).map_or(String::new(), |reasons| reasons.join(","));
    let (code, name, days) = (scenario.code(), scenario.name(), scenario.workdays_to_find());
    writeln!(out, "{worker}\t{code}\t{name}\t{kind}\t{days}\t{reasons}")
}
