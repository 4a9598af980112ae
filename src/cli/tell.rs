//! A verdict or a standing as a person would tell it, line by line, from its wire form.
//!
//! Every reason that matters is told with its sentence, its nats, what was measured beside what was expected, what
//! would explain it innocently and what would refute it. What speaks for the worker is told as such, and the numbers
//! add up on the page as they do in the verdict.

use super::measure;
use crate::api::wire;
use crate::risk::Catalogue;
use crate::risk::catalogue::{Description, placeholders};
use std::io;
use std::sync::LazyLock;

/// Reasons under this, nats, get one line: they would not change what anybody does.
const MATTERS_LOG_ODDS: f64 = 0.3;
/// Width of the text, characters: in a file or a pipe, and at most on a terminal.
pub const WIDTH: usize = 110;
/// Least width on a terminal, characters: narrower columns of indented words are harder to read than broken lines.
const WIDTH_MIN: usize = 60;

/// Width in force: a terminal narrower than the page gets lines that fit it.
fn width() -> usize {
    static IN_FORCE: LazyLock<usize> = LazyLock::new(|| {
        let terminal = terminal_size::terminal_size_of(io::stdout());
        terminal.map_or(WIDTH, |(width, _)| usize::from(width.0).clamp(WIDTH_MIN, WIDTH))
    });
    *IN_FORCE
}
/// Where the words of a reason begin.
const INDENT: usize = 8;
/// Beliefs in UTC offsets told, most probable first.
const OFFSETS_TOLD: usize = 4;

/// Words beside the numbers, once per page.
const NATS: &str = "In nats: +0.7 doubles the odds, +2.3 makes them tenfold, a minus speaks for the worker.";

/// Breaks text into lines, each after `indent` spaces.
pub fn wrap(text: &str, indent: usize, out: &mut String) {
    wrap_at(width(), text, indent, out);
}

fn wrap_at(width: usize, text: &str, indent: usize, out: &mut String) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        }
        if column == 0 {
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
}

/// A date and time of day in UTC, to the minute; empty when absent.
pub fn minute(time: Option<&wire::Timestamp>) -> String {
    let text = time.and_then(wire::Timestamp::to_rfc3339).unwrap_or_default();
    let (Some(date), Some(clock)) = (text.get(..10), text.get(11..16)) else { return String::new() };
    format!("{date} {clock} UTC")
}

/// The name of an enum value in small letters, without its prefix.
fn plain(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase().replace('_', " ")
}

/// A sentence with measurements in the places of their names; `None` when one of them was not taken.
fn filled(sentence: &str, evidence: &[wire::Evidence]) -> Option<String> {
    let mut text = sentence.to_string();
    for feature in placeholders(sentence) {
        let measured = evidence.iter().find(|one| one.feature == feature)?;
        text = text.replace(&format!("{{{feature}}}"), &measure::shown(feature, measured.value));
    }
    Some(text)
}

/// A headline as a sentence.
fn as_sentence(headline: &str) -> String {
    let mut letters = headline.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// The sentence of a reason, by the side it speaks for.
fn sentence(reason: &wire::Reason, entry: Option<&Description>) -> String {
    let Some(entry) = entry else {
        let family = plain(reason.family().as_str_name(), "SIGNAL_FAMILY_");
        return format!("A finding of {family} that this release has no words for (code {}).", reason.code);
    };
    if reason.contribution_log_odds < 0.0 {
        return entry.reassurance.clone();
    }
    filled(&entry.sentence, &reason.evidence).unwrap_or_else(|| as_sentence(&entry.headline))
}

/// Several texts as one list, in small letters where a name allows it.
fn listed(texts: &[String]) -> String {
    let small = |text: &String| {
        let mut letters = text.chars();
        match (letters.next(), text.chars().nth(1)) {
            // "VPN", "A" alone and names in capitals stay as they are.
            (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
                format!("{}{}", first.to_lowercase(), letters.as_str())
            }
            _ => text.clone(),
        }
    };
    texts.iter().map(small).collect::<Vec<_>>().join("; ")
}

fn measured(reason: &wire::Reason, score: &str) -> String {
    let one = |evidence: &wire::Evidence| {
        let value = measure::shown(&evidence.feature, evidence.value);
        let label =
            if measure::log_odds(&evidence.feature) { score.to_string() } else { measure::label(&evidence.feature) };
        let beside = measure::expected(evidence)
            .map_or(String::new(), |range| format!(" (expected{}: {range})", measure::baseline(evidence)));
        format!("{label} {value}{beside}")
    };
    reason.evidence.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Nats to one digit, or to two where one would say nothing.
fn nats(value: f64) -> String {
    if value.abs() >= 0.05 { format!("{value:>+6.1}") } else { format!("{value:>+6.2}") }
}

/// One paragraph with its nats before the first line.
fn entry(value: f64, text: &str, out: &mut String) {
    let mut body = String::new();
    wrap(text, INDENT, &mut body);
    out.push_str(&nats(value));
    out.push_str(body.get(6..).unwrap_or_default());
}

/// All reasons, those that matter in full. Explanations and refutations of the codes in `told` stand above already.
fn tell_reasons(reasons: &[wire::Reason], score: &str, told: &[i32], catalogue: &Catalogue, out: &mut String) {
    let (matter, little): (Vec<_>, Vec<_>) =
        reasons.iter().partition(|reason| reason.contribution_log_odds.abs() >= MATTERS_LOG_ODDS);
    for reason in matter {
        let described = catalogue.get(reason.code);
        entry(reason.contribution_log_odds, &sentence(reason, described), out);
        if !reason.evidence.is_empty() {
            wrap(&format!("Measured: {}.", measured(reason, score)), INDENT, out);
        }
        let new = reason.contribution_log_odds > 0.0 && !told.contains(&reason.code);
        if let Some(described) = described.filter(|_| new) {
            wrap(&format!("Innocent if: {}.", listed(&described.benign_explanations)), INDENT, out);
            wrap(&format!("Refuted by: {}.", listed(&described.refutations)), INDENT, out);
            if !described.attack_technique_ids.is_empty() {
                let named =
                    |id: &String| catalogue.attack_techniques.get(id).map_or(id.clone(), |name| format!("{id} {name}"));
                let techniques = described.attack_technique_ids.iter().map(named).collect::<Vec<_>>().join(", ");
                wrap(&format!("May be a trace of ATT&CK {techniques}."), INDENT, out);
            }
        }
        out.push('\n');
    }
    for reason in little {
        let described = catalogue.get(reason.code);
        let text = match described {
            Some(described) if reason.contribution_log_odds > 0.0 => {
                format!("{} Next to nothing.", as_sentence(&described.headline))
            }
            _ => sentence(reason, described),
        };
        entry(reason.contribution_log_odds, &text, out);
    }
}

/// What each advice means, in the words of the contract.
fn advice(advice: wire::Advice) -> &'static str {
    match advice {
        wire::Advice::Continue => "let the session go on",
        wire::Advice::StepUp => "ask for a phishing-resistant factor",
        wire::Advice::Review => "ask a person to look, and let the session go on",
        wire::Advice::Hold => "hold the session until a person has looked",
        wire::Advice::Unspecified => "none this release knows",
    }
}

/// Tells a verdict; the standing in it is told by [`standing`].
pub fn verdict(verdict: &wire::Verdict, catalogue: &Catalogue, out: &mut String) {
    let worker = verdict.standing.as_ref().map_or("", |standing| standing.worker_id.as_str());
    let model = verdict.model.as_ref().map_or("", |model| model.model_id.as_str());
    let when = minute(verdict.assess_time.as_ref());
    wrap(&format!("Session event {} of worker {worker}, judged {when} by {model}.", verdict.event_id), 0, out);
    out.push('\n');
    let level = verdict.risk_level().as_str_name().trim_start_matches("RISK_LEVEL_");
    let probability = measure::share(verdict.risk_probability);
    wrap(
        &format!(
            "{level} risk: a probability of {probability} that somebody else, or somebody elsewhere, is at work. \
             Advice: {}.",
            advice(verdict.advice())
        ),
        0,
        out,
    );
    if let Some(maturity) = &verdict.profile_maturity {
        let past = match maturity.session_count {
            0 => "Nothing was known of the worker before, so people in general are the measure.".to_string(),
            count => {
                let since = minute(maturity.first_seen_time.as_ref());
                let sessions = if count == 1 { "session" } else { "sessions" };
                format!("Compared with {count} earlier {sessions} since {}.", since.get(..10).unwrap_or("the first"))
            }
        };
        wrap(&past, 0, out);
    }
    wrap(NATS, 0, out);
    out.push('\n');
    let odds = (-verdict.base_log_odds).exp();
    entry(verdict.base_log_odds, &format!("Before any evidence: odds of 1 to {odds:.0}."), out);
    out.push('\n');
    tell_reasons(&verdict.reasons, "score before weighing", &[], catalogue, out);
    entry(verdict.residual_log_odds, "Everything too small to be listed.", out);
    out.push_str("------\n");
    entry(verdict.risk_log_odds, &format!("In all; calibrated, this is the probability of {probability}."), out);
    if let Some(bounds) = verdict.whereabouts.as_ref().and_then(whereabouts) {
        out.push('\n');
        wrap(&bounds, 0, out);
    }
    if let Some(reach) = &verdict.reach {
        out.push('\n');
        super::reach::tell(reach, verdict.whereabouts.as_ref(), out);
    }
    if let Some(silent) = silent_families(&verdict.families) {
        out.push('\n');
        wrap(&silent, 0, out);
    }
}

fn whereabouts(bounds: &wire::Whereabouts) -> Option<String> {
    let mut parts = Vec::new();
    let mut offsets: Vec<&wire::OffsetBelief> = bounds.utc_offsets.iter().collect();
    offsets
        .sort_by(|a, b| b.probability.total_cmp(&a.probability).then(a.utc_offset_minutes.cmp(&b.utc_offset_minutes)));
    offsets.truncate(OFFSETS_TOLD);
    if !offsets.is_empty() {
        let belief = |one: &&wire::OffsetBelief| {
            format!("{} ({})", measure::offset(one.utc_offset_minutes), measure::share(one.probability))
        };
        parts.push(format!("by working hours {}", offsets.iter().map(belief).collect::<Vec<_>>().join(", ")));
    }
    if let Some(distance) = bounds.client_distance_max_km {
        parts.push(format!("the client at most {} from the vantage", measure::shown("x_km", distance)));
    }
    if let (Some(low), Some(high)) = (bounds.loop_rtt_low_micros, bounds.loop_rtt_high_micros) {
        let shown = |micros: u32| measure::shown("x_micros", f64::from(micros));
        parts.push(format!("a round trip of {} to {} between hand and machine", shown(low), shown(high)));
    }
    if parts.is_empty() { None } else { Some(format!("Where the hand can be: {}.", parts.join("; "))) }
}

fn silent_families(families: &[wire::FamilyAssessment]) -> Option<String> {
    let silent: Vec<String> = families
        .iter()
        .filter(|one| one.status() != wire::CoverageStatus::Used)
        .map(|one| {
            let family = plain(one.family().as_str_name(), "SIGNAL_FAMILY_");
            format!("{family} ({})", plain(one.status().as_str_name(), "COVERAGE_STATUS_"))
        })
        .collect();
    if silent.is_empty() { None } else { Some(format!("Not heard, or not in full: {}.", silent.join(", "))) }
}

/// The reasons that [`verdict`] explains in full.
pub fn explained(verdict: &wire::Verdict) -> Vec<i32> {
    let matter = |reason: &&wire::Reason| reason.contribution_log_odds >= MATTERS_LOG_ODDS;
    verdict.reasons.iter().filter(matter).map(|reason| reason.code).collect()
}

/// Tells a standing. `as_of` says of when it is; what explains the reasons in `told` innocently stands above already.
pub fn standing(standing: &wire::WorkerStanding, as_of: &str, told: &[i32], catalogue: &Catalogue, out: &mut String) {
    let evidence = standing.evidence_log_odds;
    let place = if standing.flagged { "at or above" } else { "below" };
    let flag = match (standing.flagged, &standing.flag_time) {
        (true, time) => format!("FLAGGED since {}", minute(time.as_ref())),
        (false, Some(time)) => format!("not flagged; it was last on {}", minute(Some(time))),
        (false, None) => "never flagged".to_string(),
    };
    wrap(
        &format!(
            "Worker {}{as_of}: {flag}. {} sessions on {} days give {evidence:+.1} nats, {place} the threshold of {:.1}.",
            standing.worker_id, standing.session_count, standing.day_count, standing.threshold_log_odds
        ),
        0,
        out,
    );
    let one_in = 1.0 / standing.false_flag_budget.max(1e-9);
    wrap(
        &format!(
            "A flag means: look at it. The threshold is set so that one honest worker in {one_in:.0} is flagged in a \
             month. {NATS}"
        ),
        0,
        out,
    );
    out.push('\n');
    tell_reasons(&standing.reasons, "mean score of its sessions", told, catalogue, out);
    entry(standing.residual_log_odds, "Everything too small to be listed.", out);
    out.push_str("------\n");
    entry(evidence, "In all.", out);
    if !standing.cleared_reasons.is_empty() {
        let words = standing.cleared_reasons.iter().map(|code| super::summary::plain_words(*code));
        let cleared = words.collect::<Vec<_>>().join("; ");
        wrap(&format!("Cleared by review, and not counted until it grows: {cleared}."), 0, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_without_its_measurement_falls_back_to_the_headline() {
        let catalogue = Catalogue::shipped().expect("a sound catalogue");
        let evidence = |feature: &str, value| wire::Evidence { feature: feature.into(), value, ..Default::default() };
        let mut reason = wire::Reason {
            code: wire::ReasonCode::RemoteInputLoopDelay as i32,
            contribution_log_odds: 3.9,
            evidence: vec![
                evidence("remote_input.reaction_median_micros", 687_500.0),
                evidence("remote_input.reaction_count", 3.0),
            ],
            ..Default::default()
        };
        let entry = catalogue.get(reason.code);
        assert!(sentence(&reason, entry).starts_with("Prompts were answered 688 ms after they appeared"));
        reason.evidence.clear();
        assert_eq!(sentence(&reason, entry), "Prompts answered too late for a hand at the machine.");
        reason.contribution_log_odds = -1.0;
        assert!(sentence(&reason, entry).starts_with("Prompts were answered as fast"));
        reason.code = 999;
        assert!(sentence(&reason, catalogue.get(999)).contains("no words"));
    }

    #[test]
    fn lines_are_no_longer_than_the_page() {
        for width in [WIDTH_MIN, 80, WIDTH] {
            let mut out = String::new();
            wrap_at(width, &"word ".repeat(100), 8, &mut out);
            assert!(out.lines().all(|line| line.len() <= width && line.starts_with("        w")), "{out}");
        }
    }
}
