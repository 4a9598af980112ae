//! Stories: requests in, verdicts out, as text a person can read. Named by what they say.
//!
//! `ELSEWHERE_BLESS=1 cargo test --test golden` writes what is answered now; read the difference before committing it.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::score;
use elsewhere::api::wire::{self, assessment_result::Outcome};
use elsewhere::cli::reach::in_short;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn stories() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(directory).expect("stories");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    paths.sort();
    paths
}

fn tell(result: &wire::AssessmentResult, text: &mut String) {
    match result.outcome.as_ref().expect("an outcome") {
        Outcome::Verdict(verdict) => {
            let standing = verdict.standing.as_ref().expect("a standing");
            let again = if verdict.replayed { ", replayed" } else { "" };
            let _ = writeln!(
                text,
                "{}: {}, {} (probability {:.4}){again}",
                verdict.event_id,
                verdict.risk_level().as_str_name().trim_start_matches("RISK_LEVEL_"),
                verdict.advice().as_str_name().trim_start_matches("ADVICE_"),
                verdict.risk_probability
            );
            for reason in &verdict.reasons {
                let code = reason.code().as_str_name().trim_start_matches("REASON_CODE_").to_string();
                let _ = write!(text, "    {:+.2} {code}:", reason.contribution_log_odds);
                for evidence in &reason.evidence {
                    let bound = |bound: Option<f64>| bound.map_or(String::new(), |bound| format!("{bound:.1}"));
                    let expected = match (evidence.expected_low, evidence.expected_high) {
                        (None, None) => String::new(),
                        (low, high) => format!(" (expected {} to {})", bound(low), bound(high)),
                    };
                    let _ = write!(text, " {} {:.1}{expected};", evidence.feature, evidence.value);
                }
                text.push('\n');
            }
            if let Some(reach) = &verdict.reach {
                let nats = |nats: Option<f64>| nats.map_or("none".into(), |nats| format!("{nats:+.2}"));
                let (control, far) = (nats(reach.remote_control_log_odds), nats(reach.distance_log_odds));
                let _ = writeln!(text, "  the hand: {} (control {control}, far {far})", in_short(reach));
            }
            let _ = writeln!(
                text,
                "  standing of {}: {:+.2} after {} sessions{}",
                standing.worker_id,
                standing.evidence_log_odds,
                standing.session_count,
                if standing.flagged { ", FLAGGED" } else { "" }
            );
        }
        Outcome::Error(status) => {
            let _ = writeln!(text, "{}: refused with code {}", result.event_id, status.code);
            for part in status.message.split("; ") {
                let _ = writeln!(text, "    {part}");
            }
        }
    }
}

#[test]
fn every_story_is_told_as_before() {
    let stories = stories();
    assert!(stories.len() >= 8, "only {} stories", stories.len());
    let bless = std::env::var_os("ELSEWHERE_BLESS").is_some();
    let mut changed = Vec::new();
    for path in stories {
        let requests = std::fs::read_to_string(&path).expect("a story");
        let results = score(&requests);
        assert_eq!(results.len(), requests.lines().count(), "{}: one result a line", path.display());
        let mut text = String::new();
        results.iter().for_each(|result| tell(result, &mut text));
        let expected = path.with_extension("txt");
        if bless {
            std::fs::write(&expected, &text).expect("written");
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(&text) {
            changed.push(format!("{}\n{text}", expected.display()));
        }
    }
    assert!(changed.is_empty(), "told otherwise:\n{}", changed.join("\n"));
}
