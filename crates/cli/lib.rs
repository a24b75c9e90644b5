//! The program behind `loadgen`: flags, plan building, one file per subcommand, the live view and
//! the exit codes.
//!
//! What this crate does not know: the arithmetic of metrics, pacing, protocol bytes.

mod args;
mod argv;
mod ceiling;
mod commands;
mod compat;
mod config_file;
mod exit;
mod interrupts;
mod mock_child;
mod names;
mod nearest;
mod plan;
mod ui;
mod words;

use std::borrow::Cow;
use std::ffi::OsString;

use clap::FromArgMatches;

use crate::args::{Cli, Command, SynthesizeKind};
pub use crate::exit::ExitStatus;
use crate::names::{Asked, Call, Origin};
use crate::ui::say;

/// Runs the program with these arguments, the program's own name first.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitStatus {
    let result = match names::understand(argv) {
        Ok(Asked::Command(call)) => return run(*call),
        Ok(Asked::Answer(text)) => commands::print(&text),
        Ok(Asked::InstallAliases(folder)) => {
            names::install_aliases(&folder).and_then(|told| commands::print(&told))
        }
        Err(why) => Err(anyhow::anyhow!(why)),
    };
    match result {
        Ok(()) => ExitStatus::Success,
        Err(error) => failed(&error),
    }
}

/// Runs a command, once it is in this program's own grammar.
fn run(call: Call) -> ExitStatus {
    let Call { argv, mut origin, mut notes } = call;
    let argv = argv::normalise(argv);
    if let Some(why) = compat::refuse_subcommand(&argv) {
        say!("error: {why}");
        return ExitStatus::Failure;
    }
    let argv = match config_file::apply(argv, &mut origin, &mut notes) {
        Ok(argv) => argv,
        Err(error) => return failed(&error),
    };
    let parsed = args::command_called(origin.personality.program()).try_get_matches_from(&argv);
    let (cli, matches) = match parsed.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches))) {
        Ok(parsed) => parsed,
        Err(error) if error.kind() == clap::error::ErrorKind::InvalidUtf8 => {
            let which = argv::not_text(origin.typed_or(&argv));
            say!("error: {}", which.unwrap_or_else(|| error.to_string()));
            return ExitStatus::Failure;
        }
        Err(error) => return refuse_argv(&error, &origin),
    };
    match matches.subcommand_matches("profile").map_or(Ok(None), compat::judge) {
        Ok(note) => notes.extend(note),
        Err(faults) => return failed_at(&faults.into(), &origin),
    }
    for note in &notes {
        say!("{note}");
    }
    let result = match cli.command {
        Command::Profile(mut args) => {
            args.origin = origin.clone();
            commands::profile::run(&args, &argv)
        }
        Command::Calibrate(args) => commands::calibrate::run(&args),
        Command::Report(args) => Ok(commands::report::run(&args)),
        Command::Config(args) => commands::config::run(&args),
        Command::Synthesize(args) => match args.kind {
            SynthesizeKind::Sinusoidal(args) => commands::synthesize::sinusoidal(&args),
        },
        Command::MockServer(args) => commands::mock_server::run(args),
        Command::Schemas(args) => commands::schemas::run(&args),
        Command::Docs(args) => commands::docs::run(&args),
    };
    result.unwrap_or_else(|error| failed_at(&error, &origin))
}

/// Says what went wrong.
fn failed(error: &anyhow::Error) -> ExitStatus {
    ui::error(error.as_ref());
    ExitStatus::Failure
}

/// Says what went wrong, and where in a configuration file the options stand that it names.
fn failed_at(error: &anyhow::Error, origin: &Origin) -> ExitStatus {
    let status = failed(error);
    if let Some(places) = origin.places_of(&format!("{error:#}")) {
        say!("hint: {places}");
    }
    status
}

/// Prints what clap has to say. Help and version are a success, everything else is a wrong command.
fn refuse_argv(error: &clap::Error, origin: &Origin) -> ExitStatus {
    // A closed pipe is no reason to complain about the complaint.
    if !error.use_stderr() {
        let _ = error.print();
        return ExitStatus::Success;
    }
    // It quotes the value that it does not like.
    let said = error.to_string();
    match loadgen_wire::redact(&said) {
        Cow::Borrowed(_) => drop(error.print()),
        Cow::Owned(shown) => say!("{}", shown.trim_end()),
    }
    if is_a_switchs_value(error) {
        say!("hint: a switch takes its value behind an equals sign: --streaming=false");
    }
    if let Some(places) = origin.places_of(&error.to_string()) {
        say!("hint: {places}");
    }
    ExitStatus::Failure
}

/// Whether a word that is in nobody's place is the value of a switch before it.
fn is_a_switchs_value(error: &clap::Error) -> bool {
    let stray = match error.get(clap::error::ContextKind::InvalidArg) {
        Some(clap::error::ContextValue::String(stray)) => stray.to_ascii_lowercase(),
        _ => return false,
    };
    error.kind() == clap::error::ErrorKind::UnknownArgument
        && matches!(stray.as_str(), "true" | "false" | "yes" | "no" | "0" | "1")
}
