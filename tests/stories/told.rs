//! Answers in few words, rounded so that a model trained anew by the same code tells the same story, and expectations
//! over what was seen, which nothing rounds.

use elsewhere::api::wire;
use elsewhere::cli::reach::in_short;
use std::collections::BTreeMap;

/// A verdict, with the day of the story it was given on; provisional ones of live sessions too.
pub struct Seen {
    pub worker: String,
    pub day: i64,
    pub verdict: wire::Verdict,
}

impl Seen {
    pub fn standing(&self) -> &wire::WorkerStanding {
        self.verdict.standing.as_ref().expect("a standing")
    }

    fn contribution(&self, code: &str) -> f64 {
        let found = self.verdict.reasons.iter().find(|reason| short(reason.code()) == code);
        found.map_or(0.0, |reason| reason.contribution_log_odds)
    }
}

/// A reason as a story names it.
pub fn short(code: wire::ReasonCode) -> String {
    code.as_str_name().trim_start_matches("REASON_CODE_").to_string()
}

fn level(verdict: &wire::Verdict) -> &'static str {
    verdict.risk_level().as_str_name().trim_start_matches("RISK_LEVEL_")
}

/// Reasons that count against the worker, by half nats, heaviest first; what rounds to nothing is left out.
pub fn heaviest(reasons: &[wire::Reason]) -> Vec<(String, f64)> {
    let halves = |reason: &wire::Reason| (reason.contribution_log_odds * 2.0).round() / 2.0;
    let mut heaviest: Vec<(String, f64)> =
        reasons.iter().map(|reason| (short(reason.code()), halves(reason))).filter(|reason| reason.1 > 0.0).collect();
    heaviest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    heaviest
}

fn because(reasons: &[wire::Reason]) -> String {
    let against: Vec<String> =
        heaviest(reasons).into_iter().take(4).map(|(code, nats)| format!("{nats:+} {code}")).collect();
    if against.is_empty() { "nothing stands out".into() } else { against.join(", ") }
}

/// Risk to the next 5.
fn score(verdict: &wire::Verdict) -> u32 {
    (verdict.risk_score + 2) / 5 * 5
}

/// One verdict.
pub fn verdict(verdict: &wire::Verdict) -> String {
    format!("{}, risk about {}: {}", level(verdict), score(verdict), because(&verdict.reasons))
}

/// What the families say before they are weighed and capped, by whole nats.
pub fn families(verdict: &wire::Verdict) -> String {
    let alone = verdict.families.iter().filter(|family| family.sample_count > 0).map(|family| {
        let name = family.family().as_str_name().trim_start_matches("SIGNAL_FAMILY_").to_lowercase();
        format!("{name} {:+}", family.log_likelihood_ratio.round() as i64)
    });
    format!("families alone: {}", alone.collect::<Vec<_>>().join(", "))
}

/// How the hand reaches the machine.
pub fn reach(verdict: &wire::Verdict) -> String {
    verdict.reach.as_ref().map_or("nothing is told".into(), in_short)
}

/// How high a standing is, as the watch tells it.
pub fn height(standing: &wire::WorkerStanding) -> &'static str {
    match standing {
        standing if standing.flagged => "flagged",
        standing if standing.evidence_log_odds >= standing.threshold_log_odds / 2.0 => "half way to a flag",
        _ => "not near a flag",
    }
}

/// A standing.
pub fn standing(standing: &wire::WorkerStanding) -> Vec<String> {
    let evidence = standing.evidence_log_odds.round() as i64;
    let cleared: Vec<String> = standing.cleared_reasons().map(short).collect();
    let mut answers = vec![format!(
        "{}, evidence {evidence:+} of {:.0} after {} sessions: {}",
        height(standing),
        standing.threshold_log_odds,
        standing.session_count,
        because(&standing.reasons)
    )];
    if !cleared.is_empty() {
        answers.push(format!("cleared: {}", cleared.join(", ")));
    }
    answers
}

/// The sessions of one worker in one step.
pub fn sessions(name: &str, sessions: &[&Seen], flagged_before: bool) -> Vec<String> {
    let Some(last) = sessions.last() else { return vec![format!("{name}: no session")] };
    let mut levels: BTreeMap<i32, (usize, &str)> = BTreeMap::new();
    for seen in sessions {
        levels.entry(seen.verdict.risk_level).or_insert((0, level(&seen.verdict))).0 += 1;
    }
    let levels: Vec<String> = levels.values().map(|(count, level)| format!("{count} {level}")).collect();
    let highest = sessions.iter().map(|seen| score(&seen.verdict)).max().unwrap_or_default();
    let mut answers = vec![format!(
        "{name}: {}, risk up to about {highest}; last: {}",
        levels.join(", "),
        because(&last.verdict.reasons)
    )];
    let newly = sessions.iter().find(|seen| seen.standing().flagged).filter(|_| !flagged_before);
    if let Some(flag) = newly {
        let sessions = flag.standing().session_count;
        answers.push(format!(
            "FLAGGED on day {} by session {sessions}: {}",
            flag.day,
            because(&flag.standing().reasons)
        ));
    }
    let height = height(last.standing());
    answers.push(format!("standing: {height}, {}", because(&last.standing().reasons)));
    answers
}

/// Links, strongest first.
pub fn links(links: &[wire::Link]) -> Vec<String> {
    if links.is_empty() {
        return vec!["none".into()];
    }
    let mut told: Vec<(i64, String)> = links
        .iter()
        .map(|link| {
            let kind = link.kind().as_str_name().trim_start_matches("LINK_KIND_").to_string();
            let nats = link.weight_log_odds.round() as i64;
            let mut two = [link.worker_id.as_str(), link.other_worker_id.as_str()];
            two.sort_unstable();
            (-nats, format!("{nats:+} {kind} of {} and {}", two[0], two[1]))
        })
        .collect();
    told.sort();
    told.into_iter().map(|one| one.1).collect()
}

/// Clusters with their members.
pub fn clusters(clusters: &[wire::OperatorCluster]) -> Vec<String> {
    if clusters.is_empty() {
        return vec!["none".into()];
    }
    let told = |cluster: &wire::OperatorCluster| {
        format!("{}, probability about {:.1}", cluster.worker_ids.join(" and "), cluster.probability)
    };
    clusters.iter().map(told).collect()
}

/// Checks an expectation over the sessions of one worker; `heard_flagged` is what the watch told of them.
pub fn expect(own: &[&Seen], words: &[&str], heard_flagged: bool) -> Result<(), String> {
    let number = |text: &str| text.parse::<i64>().map_err(|_| format!("{text:?} is no number"));
    let describe = |seen: &&Seen| format!("on day {} it was {}", seen.day, verdict(&seen.verdict));
    let none = |found: Option<&&Seen>| found.map_or(Ok(()), |seen| Err(describe(seen)));
    let Some(first) = own.first() else { return Err("no session to judge by".into()) };
    match words {
        ["never", "HIGH"] => none(own.iter().find(|seen| level(&seen.verdict) == "HIGH")),
        ["never", "flagged"] if heard_flagged => Err("the watch told of a flag".into()),
        ["never", "flagged"] => match own.iter().find(|seen| seen.standing().flagged) {
            Some(seen) => Err(format!("flagged on day {}: {}", seen.day, because(&seen.standing().reasons))),
            None => Ok(()),
        },
        ["flagged", "within", days, "days", "because", codes @ ..] => {
            let days = number(days)?;
            let Some(flag) = own.iter().find(|seen| seen.standing().flagged) else {
                let last = own.last().map(|seen| standing(seen.standing()).join("; "));
                return Err(format!("never flagged; {}", last.unwrap_or_default()));
            };
            let took = flag.day - first.day + 1;
            let top = flag.standing().reasons.first().map(|reason| short(reason.code())).unwrap_or_default();
            if took <= days && codes.contains(&top.as_str()) {
                return Ok(());
            }
            Err(format!("flagged on its day {took}: {}", because(&flag.standing().reasons)))
        }
        ["LOW", "from", "day", first, "to", "day", last] => {
            let days = number(first)?..=number(last)?;
            none(own.iter().find(|seen| days.contains(&seen.day) && level(&seen.verdict) != "LOW"))
        }
        // A tenth of a nat moves no decision.
        ["without", code, "from", "day", first, "to", "day", last] => {
            let days = number(first)?..=number(last)?;
            none(own.iter().find(|seen| days.contains(&seen.day) && seen.contribution(code) > 0.1))
        }
        ["with", code, "on", "day", day] => {
            let day = number(day)?;
            let last = own.iter().rfind(|seen| seen.day == day).ok_or("no session on that day")?;
            if last.contribution(code) > 0.0 { Ok(()) } else { Err(describe(last)) }
        }
        ["HIGH", "on", "day", day] => {
            let day = number(day)?;
            let last = own.iter().rfind(|seen| seen.day == day).ok_or("no session on that day")?;
            if level(&last.verdict) == "HIGH" { Ok(()) } else { Err(describe(last)) }
        }
        // A nat is what a person watching would be shown.
        ["told", code, "while", "monitored", "on", "day", day] => {
            let day = number(day)?;
            let live = own.iter().filter(|seen| seen.day == day && seen.verdict.provisional);
            let most = live.map(|seen| seen.contribution(code)).fold(0.0, f64::max);
            if most > 1.0 { Ok(()) } else { Err(format!("at most {most:+.2} while it lasted")) }
        }
        // Three prompts leave a third of the sessions behind a near relay undecided; none may be told otherwise.
        ["mostly", words @ ..] => {
            let wanted = words.join(", ").replace("not, sanctioned", "not sanctioned");
            let told = |seen: &&Seen| reach(&seen.verdict);
            let count = own.iter().filter(|seen| told(seen) == wanted).count();
            match own.iter().find(|seen| told(seen) != wanted && !told(seen).contains("unknown")) {
                Some(other) => Err(format!("on day {} it was {}", other.day, told(other))),
                None if 2 * count > own.len() => Ok(()),
                None => Err(format!("{count} of {} sessions", own.len())),
            }
        }
        _ => Err(format!("nothing is known of {:?}", words.join(" "))),
    }
}
