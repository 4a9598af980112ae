//! The other door: subcommands, each a thin file over the same pipeline.

pub mod demo;
pub mod explain;
pub mod input;
pub mod measure;
pub mod past;
pub mod plot;
pub mod reach;
pub mod score;
pub mod serve;
pub mod summary;
pub mod tell;

use clap::{Parser, Subcommand};
use std::fmt;
use std::io::{self, Write as _};

/// Says, with reasons that can be checked by hand, whether the person at the keyboard is where and who the worker
/// claims to be.
#[derive(Debug, Parser)]
#[command(name = "elsewhere", version, about, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Start here:\n  \
    elsewhere demo                                         four weeks of a company in less than a minute\n  \
    elsewhere score examples/company.ndjson.gz --summary   who was flagged, when and why\n  \
    elsewhere serve                                        the gRPC service on 127.0.0.1:50061\n\n\
    Advice is advice: a flag is a reason for a person to look, never a judgement.")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Play four simulated weeks of a small company through the service: who is flagged, when and why.
    Demo(demo::DemoArguments),
    /// Answer gRPC calls of identity providers and pipelines.
    Serve(serve::ServeArguments),
    /// Score events from files or standard input, one JSON request per line, one JSON result per line.
    Score(score::ScoreArguments),
    /// Explain a verdict or a worker's standing, reason by reason, and draw the worker's past.
    Explain(explain::ExplainArguments),
}

/// Says something to the person at the terminal. Nobody need be there: a closed standard error is no fault.
pub fn say(words: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{words}");
}
