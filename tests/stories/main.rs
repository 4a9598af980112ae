//! Stories of a month, each played through a real service by a real client: who is left alone, who is flagged, and why.
//!
//! A `.story` is read from top to bottom: steps, below each what the services answered, and expectations.
//! `ELSEWHERE_BLESS=1 cargo test --test stories` writes the answers of now; expectations are held against every run and
//! are never written. Read the difference before committing it.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "../common/mod.rs"]
mod common;
mod play;
mod samples;
mod script;
mod told;

use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stories").join(format!("{name}.story"))
}

/// Plays a story and holds it against its expectations, then against its text.
async fn holds(name: &str) {
    let told = std::fs::read_to_string(path(name)).expect("a story");
    let played = play::play(&told).await.unwrap_or_else(|problem| panic!("{name}.story: {problem}"));
    let bless = std::env::var_os("ELSEWHERE_BLESS").is_some();
    if bless {
        std::fs::write(path(name), &played.text).expect("written");
    }
    assert!(played.wrong.is_empty(), "{name}.story does not hold:\n{}\n\n{}", played.wrong.join("\n"), played.text);
    assert!(bless || played.text == told, "{name}.story is told otherwise:\n{}", played.text);
}

/// One test a story, and the list of them.
macro_rules! stories {
    ($($fact:ident: $name:literal;)*) => {
        $(#[tokio::test]
        async fn $fact() {
            holds($name).await;
        })*

        const STORIES: &[&str] = &[$($name),*];
    };
}

stories! {
    a_journey_is_no_reason_to_flag: "traveller";
    a_vpn_is_no_reason_to_flag: "vpn_user";
    a_new_keyboard_is_trusted_again_within_ten_vetted_logins: "new_keyboard";
    a_farm_is_flagged_told_linked_and_erased: "farm";
    a_proxied_operator_is_flagged_by_the_leg_behind_the_proxy: "proxied_operator";
    a_night_owl_is_left_alone: "night_owl";
    a_couple_in_one_home_is_no_farm: "couple";
    a_satellite_line_is_no_proxy: "satellite";
    a_false_alarm_is_cleared_for_its_reason_only: "false_alarm";
    a_late_takeover_is_high_at_once_and_flagged_in_the_end: "late_takeover";
    a_relay_that_appears_in_mid_session_is_told_at_once: "relay_appears";
    an_office_desktop_is_remote_near_and_sanctioned: "office_vdi";
}

#[test]
fn every_story_is_played_and_expects_something() {
    let directory = std::fs::read_dir(path("x").parent().expect("a directory")).expect("stories");
    let mut found = 0;
    for entry in directory {
        let file = entry.expect("an entry").path();
        if file.extension().is_some_and(|extension| extension == "story") {
            found += 1;
            let name = file.file_stem().expect("a name").to_string_lossy().to_string();
            assert!(STORIES.contains(&name.as_str()), "{name}.story is not played");
            let told = std::fs::read_to_string(&file).expect("a story");
            assert!(told.lines().any(|line| line.starts_with("expect ")), "{name}.story expects nothing");
        }
    }
    assert_eq!(found, STORIES.len());
}

#[tokio::test]
async fn an_expectation_that_does_not_hold_is_told_whatever_is_blessed() {
    let story = "worker ann in Boston\nday 1 at 09:00: ann logs in\n";
    for wrong in [
        "ann flagged within 5 days because NETWORK_RELAY_GAP",
        "ann flagged now",
        "cluster ann",
        "ann unknown",
        "ann fine",
    ] {
        let played = play::play(&format!("{story}expect {wrong}\n")).await.expect("a story");
        assert_eq!(played.wrong.len(), 1, "{wrong}");
        assert!(played.wrong[0].starts_with(&format!("expect {wrong}")), "{}", played.wrong[0]);
    }
}
