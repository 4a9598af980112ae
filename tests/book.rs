//! The book in `docs/`: every command on its pages runs, and prints what the page says.
//!
//! A fenced `console` block is a terminal: lines after `$ ` are run by one bash per chapter, in a temporary copy of
//! `examples/` and `models/` with the built program on the path; the other lines are what the command prints. A line `…`
//! stands for any lines, `…` inside a line for any text. A block marked `file=NAME` is written to that file, one marked
//! `needs=TOOL` is skipped, aloud, where the tool is missing. `127.0.0.1:50061` and `127.0.0.1:9464` become free ports. Where `buf` is
//! missing, its calls are made by this test's own client (`book/calls.rs`).
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![expect(clippy::disallowed_methods, reason = "waits for programs, so it reads the clock")]

#[path = "book/calls.rs"]
mod calls;
#[path = "book/names.rs"]
mod names;
#[path = "book/page.rs"]
mod page;
#[path = "book/shell.rs"]
mod shell;

use elsewhere::config::ConfigUnchecked;
use page::{Block, Page};
use shell::{Shell, present};
use std::collections::BTreeMap;

/// The chapters, in reading order.
const CHAPTERS: [&str; 6] =
    ["what-it-sees.md", "identity-provider.md", "pipeline.md", "reading-a-verdict.md", "privacy.md", "operating.md"];

fn chapter(name: &str) -> Page {
    Page::read(&format!("docs/{name}"))
}

/// Whether what a block needs is here.
fn can_run(block: &Block) -> bool {
    block.need().is_none_or(|need| match need {
        "grpcio" => present("python3 -c 'import grpc; import grpc_reflection.v1alpha'"),
        tool => present(&format!("command -v {tool}")),
    })
}

/// Runs a chapter from top to bottom.
fn play(name: &str) {
    let page = chapter(name);
    let mut shell = Shell::new();
    let mut ran = 0;
    for block in &page.blocks {
        if let Some(file) = block.file() {
            shell.write(file, &block.text());
            continue;
        }
        if block.language() != "console" {
            continue;
        }
        if !can_run(block) {
            println!("skipped: {}:{} needs {}", page.path, block.line, block.need().unwrap_or_default());
            continue;
        }
        for command in block.commands() {
            if let Err(fault) = shell.run(&command) {
                panic!("{}:{}: $ {}\n{fault}", page.path, command.line, command.text);
            }
            ran += 1;
        }
    }
    assert!(ran > 0, "{name} has no command that ran");
}

#[test]
fn what_it_sees_runs_as_printed() {
    play("what-it-sees.md");
}

#[test]
fn identity_provider_runs_as_printed() {
    play("identity-provider.md");
}

#[test]
fn pipeline_runs_as_printed() {
    play("pipeline.md");
}

#[test]
fn reading_a_verdict_runs_as_printed() {
    play("reading-a-verdict.md");
}

#[test]
fn privacy_runs_as_printed() {
    play("privacy.md");
}

#[test]
fn operating_runs_as_printed() {
    play("operating.md");
}

#[test]
fn every_chapter_is_in_the_contents_and_the_readme_leads_there() {
    let contents = Page::read("docs/README.md").text;
    let mut last = 0;
    for name in CHAPTERS {
        let at = contents.find(&format!("]({name})")).unwrap_or_else(|| panic!("{name} is not in docs/README.md"));
        assert!(at > last, "{name} comes before its time in docs/README.md");
        last = at;
    }
    assert!(Page::read("README.md").text.contains("](docs/README.md)"), "the README links the book");
}

#[test]
fn no_command_of_the_book_escapes_the_test() {
    for name in CHAPTERS {
        for block in chapter(name).blocks {
            let known = ["console", "json", "toml", "text", "python", "ini"].contains(&block.language());
            assert!(known, "docs/{name}:{}: a block of {:?} is not run: make it `console`", block.line, block.info);
            let prompt = block.language() != "console" && block.lines.iter().any(|line| line.starts_with("$ "));
            assert!(!prompt, "docs/{name}:{}: a prompt outside `console` is not run", block.line);
        }
    }
}

#[test]
fn names_in_the_book_are_those_of_the_contract() {
    let known = names::Names::of_the_contract();
    let mut unknown = Vec::new();
    for name in CHAPTERS {
        let page = chapter(name);
        for (line, word) in page.code_words() {
            if !known.knows(&word) {
                unknown.push(format!("docs/{name}:{line}: `{word}`"));
            }
        }
        for block in page.blocks.iter().filter(|block| block.language() == "console") {
            for path in block.methods() {
                assert!(known.has_method(&path), "docs/{name}:{}: there is no method {path}", block.line);
            }
        }
    }
    assert!(unknown.is_empty(), "names that are in no proto and no setting:\n{}", unknown.join("\n"));
    assert!(!known.knows("ADVICE_FORGET") && !known.knows("event_idd") && !known.knows("AssessSessions"));
}

#[test]
fn links_lead_somewhere() {
    let mut pages: Vec<String> = CHAPTERS.iter().map(|name| format!("docs/{name}")).collect();
    pages.extend(["README.md", "docs/README.md", "docs/api.md", "docs/architecture.md"].map(String::from));
    let broken: Vec<String> = pages.iter().flat_map(|path| Page::read(path).broken_links()).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn settings_stand_in_one_table() {
    assert!(
        !Page::read("docs/api.md").text.contains("| `drain_seconds` |"),
        "settings stand in docs/operating.md alone"
    );
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_elsewhere")).args(["serve", "--help"]).output();
    let help = String::from_utf8(help.expect("help").stdout).expect("text");
    assert!(help.contains("docs/operating.md"), "{help}");
}

#[test]
fn the_table_of_settings_is_that_of_the_code() {
    let defaults = serde_json::to_value(ConfigUnchecked::default()).expect("JSON");
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let page = chapter("operating.md").text;
    let section = page.split("\n## ").find(|section| section.starts_with("Settings")).expect("the settings");
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for name in cells[1].split(',').map(|name| name.trim().trim_matches('`')) {
            let before = told.insert(name.to_string(), cells[2].trim_matches('`').to_string());
            assert!(before.is_none(), "{name} stands in two tables");
        }
    }
    for (name, value) in defaults.as_object().expect("settings") {
        let default = told.get(name).unwrap_or_else(|| panic!("docs/operating.md has no row for `{name}`"));
        if value.is_null() {
            assert!(
                ["none", "the model's"].contains(&default.as_str()),
                "{name} has no default, the page says {default}"
            );
        } else {
            assert_eq!(*default, value.to_string(), "{name}");
        }
    }
}
