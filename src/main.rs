//! The `elsewhere` program: parses the command line and opens one of its doors.

use clap::Parser;
use elsewhere::cli::{Arguments, Command, demo, explain, say, score, serve};
use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Serve(arguments) => serve::run(arguments),
        Command::Score(arguments) => score::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough (`score … | head`): not a fault worth a word.
        Err(error) if error.contains(score::OUTPUT_CLOSED) => ExitCode::FAILURE,
        Err(error) => {
            say(format_args!("elsewhere: {error}"));
            ExitCode::FAILURE
        }
    }
}
