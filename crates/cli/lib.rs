//! The program behind `loadgen`: flags, plan building, one file per subcommand, the live view and
//! the exit codes.
//!
//! What this crate does not know: the arithmetic of metrics, pacing, protocol bytes.

mod args;
mod argv;
mod ceiling;
mod commands;
mod compat;
mod exit;
mod mock_child;
mod plan;
mod ui;

use std::ffi::OsString;

use clap::FromArgMatches;

use crate::args::{Cli, Command, SynthesizeKind};
pub use crate::exit::ExitStatus;
use crate::ui::say;

/// Runs the program with these arguments, the program's own name first.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitStatus {
    let argv = argv::normalise(argv);
    if let Some(why) = compat::refuse_subcommand(&argv) {
        say!("error: {why}");
        return ExitStatus::Failure;
    }
    let parsed = args::command().try_get_matches_from(&argv);
    let (cli, matches) = match parsed.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches))) {
        Ok(parsed) => parsed,
        Err(error) => return refuse_argv(&error),
    };
    match matches.subcommand_matches("profile").map_or(Ok(None), compat::judge) {
        Ok(None) => {}
        Ok(Some(note)) => say!("{note}"),
        Err(faults) => {
            ui::error(&faults.into());
            return ExitStatus::Failure;
        }
    }
    let result = match cli.command {
        Command::Profile(args) => commands::profile::run(&args, &argv),
        Command::Calibrate(args) => commands::calibrate::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Synthesize(args) => match args.kind {
            SynthesizeKind::Sinusoidal(args) => commands::synthesize::sinusoidal(&args),
        },
        Command::MockServer(args) => commands::mock_server::run(args),
        Command::Schemas(args) => commands::schemas::run(&args),
        Command::Docs(args) => commands::docs::run(&args),
    };
    result.unwrap_or_else(|error| {
        ui::error(&error);
        ExitStatus::Failure
    })
}

/// Prints what clap has to say. Help and version are a success, everything else is a wrong command.
fn refuse_argv(error: &clap::Error) -> ExitStatus {
    // A closed pipe is no reason to complain about the complaint.
    let _ = error.print();
    if error.use_stderr() { ExitStatus::Failure } else { ExitStatus::Success }
}
