//! `loadgen profile`: resolve the command line, run, report.

use std::ffi::OsString;

use anyhow::Result;
use loadgen_core::ErrorDetail;
use loadgen_engine::StopSignal;
use loadgen_run::{Level, RunResult};

use super::study::{self, Asked};
use crate::args::ProfileArgs;
use crate::args::values::word;
use crate::exit::ExitStatus;
use crate::interrupts::listen_for_interrupts;
use crate::mock_child::{self, MockChild};
use crate::plan::{self, Environment, Faults, Notice, Servers};
use crate::ui::{Floor, Talk, Ui, say};

/// Columns of a result that goes to a file.
const FILE_WIDTH: usize = 140;

/// Runs it.
pub(crate) fn run(args: &ProfileArgs, argv: &[OsString]) -> Result<ExitStatus> {
    // The plan refuses what is no name, together with all else that is wrong.
    let ui = Ui::named(args.service.ui.as_deref()).unwrap_or(Ui::None);
    let environment = Environment::read()?;
    if let Some(idle) = &environment.without_effect {
        say!("warning: {idle}");
    }
    let named = named(args, argv, &environment)?;
    let (args, argv) = named.as_ref().map_or((args, argv), |(args, argv)| (args, argv.as_slice()));
    // A wrong command must not start a server: resolve once against a stand-in before the real one.
    let stand_in = Servers {
        urls: args.endpoint.urls.iter().map(|url| stand_in(url)).collect(),
        mock: asks_for_mock(args),
    };
    check_mock_profiles(args)?;
    let talk = talk(args)?;
    let idle = match study::Experiment::of(args, argv)? {
        Asked::OneRun { idle } => idle,
        Asked::Many(experiment) => {
            let plans = study::rehearse(&experiment, args, argv, &environment, &stand_in)?;
            if args.service.dry_run {
                super::print(&plans)?;
                return Ok(ExitStatus::Success);
            }
            let (servers, _children) = start_servers(args)?;
            let progress = ui.progress(talk);
            return study::run(&experiment, args, argv, &environment, &servers, &progress);
        }
    };
    let mut rehearsed = plan::resolve(args, argv, &environment, &stand_in)?;
    if args.service.dry_run {
        let rehearsal = loadgen_run::rehearse(&rehearsed.run)?;
        rehearsed.notices.extend(idle);
        let results = rehearsed.run.report.artifacts.dir.display().to_string();
        super::print(&rehearsed.in_words(&rehearsal, &results))?;
        return Ok(ExitStatus::Success);
    }
    let (servers, _children) = start_servers(args)?;
    let mut planned = plan::resolve(args, argv, &environment, &servers)?;
    planned.run.remarks.extend(idle.iter().map(Notice::remark));
    planned.notices.extend(idle);

    let progress = ui.progress(talk);
    for (level, text) in planned.notices.iter().map(Notice::remark) {
        progress.note(level, &text);
    }
    let stop = StopSignal::new();
    listen_for_interrupts(&stop, &progress)?;
    let result = loadgen_run::run(&planned.run, progress.as_ref(), &stop)?;
    show(&result)?;
    Ok(conclude(&result, args.output.fail_if_client_limited))
}

/// What the model of the built-in mock server is called.
const MOCK_MODEL: &str = "mock-model";

/// The command line with the model that the server lists, where the user names none.
fn named(
    args: &ProfileArgs,
    argv: &[OsString],
    environment: &Environment,
) -> Result<Option<(ProfileArgs, Vec<OsString>)>> {
    if !args.endpoint.models.is_empty() {
        return Ok(None);
    }
    let model = if asks_for_mock(args) {
        MOCK_MODEL.to_owned()
    } else {
        // What is wrong whatever the model is called shows before the server is asked.
        let mut nameless = args.clone();
        nameless.endpoint.models = vec![MOCK_MODEL.to_owned()];
        nameless.tokenizer.tokenizer.get_or_insert_with(|| "builtin".to_owned());
        if nameless.axes().is_empty() {
            let servers =
                Servers { urls: args.endpoint.urls.iter().map(|url| stand_in(url)).collect(), mock: false };
            plan::resolve(&nameless, argv, environment, &servers)?;
        }
        let (model, count) = plan::first_served(args, environment)?;
        let others = if count > 1 { format!(", the first of {count}") } else { String::new() };
        say!(
            "note: no --model is given: asking {model}{others} that {} lists",
            loadgen_wire::redact_url(&args.endpoint.urls[0])
        );
        model
    };
    let argv = argv.iter().cloned().chain(["--model".into(), model.clone().into()]).collect();
    let mut args = args.clone();
    args.endpoint.models = vec![model];
    Ok(Some((args, argv)))
}

/// Prints the tables and where the files are. A closed pipe is no failure of the run.
pub(super) fn show(result: &RunResult) -> Result<()> {
    use std::io::IsTerminal;
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // As AIPerf: a terminal's own width, and 140 columns where there is none.
    let width = terminal_size::terminal_size().map_or(FILE_WIDTH, |(width, _)| usize::from(width.0));
    super::print(&result.console(width, colour))
}

/// Why a run has no results that was ended before there could be any.
pub(super) const INTERRUPTED_FIRST: &str = "interrupted before any request succeeded";

/// Whether a run was ended before a request succeeded or failed: nothing is wrong with the command then.
pub(super) fn interrupted_before_any_success(result: &RunResult) -> bool {
    let counts = &result.summary.counts;
    result.was_cut_short() && counts.ok + counts.errors() == 0
}

/// Says what was wrong with a run as a whole, and gives its exit code.
pub(super) fn conclude(result: &RunResult, fail_if_client_limited: bool) -> ExitStatus {
    if let Some(failure) = result.failure() {
        crate::ui::error(failure);
        return ExitStatus::Failure;
    }
    if interrupted_before_any_success(result) {
        let counts = &result.summary.counts;
        let requests = match counts.scheduled() {
            0 => String::new(),
            scheduled => {
                format!(": of {scheduled} requests {} were cut off", counts.aborted + counts.not_sent)
            }
        };
        say!("error: {INTERRUPTED_FIRST}{requests}");
    } else if result.nothing_succeeded() {
        let counts = &result.summary.counts;
        say!(
            "error: no successful responses were collected: of {} requests {} failed and {} were cut off\n\
             hint: {}",
            counts.scheduled(),
            counts.errors(),
            counts.aborted + counts.not_sent,
            what_to_check(result)
        );
    }
    let excess = result.excess_failures();
    if let Some(share) = &excess {
        say!("error: more requests failed than --failed-request-threshold allows: {share}");
    }
    if (result.nothing_succeeded() || excess.is_some())
        && let Some((error, times)) = result.summary.error_summary.first()
    {
        say!("most frequent error, {times} of {}: {}", result.summary.counts.errors(), error.in_words());
    }
    if result.nothing_succeeded() || result.too_many_failed() {
        return ExitStatus::Failure;
    }
    if let Some(fell_behind) = &result.fell_behind {
        say!("error: {fell_behind}");
        return ExitStatus::ClientLimited;
    }
    if fail_if_client_limited && result.client_limited() {
        say!("error: the client was the limit: see Measurement quality");
        return ExitStatus::ClientLimited;
    }
    ExitStatus::Success
}

/// What a user whose requests all failed should look at.
fn what_to_check(result: &RunResult) -> &'static str {
    let is_empty = |error: &ErrorDetail| {
        // With a cause it came from somewhere else than a model's server.
        error.error_type == "InvalidInferenceResultError" && error.cause.is_none()
    };
    match result.summary.error_summary.first() {
        Some((error, _)) if is_empty(error) => {
            "the server was reached, and nothing of its answers is content: check --endpoint-type and --model, and \
             what it says to one such request"
        }
        _ => "check --url, --endpoint-type and --model; the records say what came back",
    }
}

/// How much is said, and how often.
fn talk(args: &ProfileArgs) -> Result<Talk, Faults> {
    let service = &args.service;
    let mut faults = Faults::default();
    let floor = match service.log_level.as_deref().map(word).as_deref() {
        None => None,
        Some("trace" | "debug") => Some(Floor::At(Level::Debug)),
        Some("info" | "notice" | "success") => Some(Floor::At(Level::Info)),
        Some("warning") => Some(Floor::At(Level::Warning)),
        Some("error" | "critical") => Some(Floor::Nothing),
        Some(other) => {
            faults.add(
                "--log-level",
                format!("{other:?} is not known: expected trace, debug, info, notice, success, warning, error or critical"),
            );
            None
        }
    };
    let verbose = service.verbose || service.extra_verbose;
    let floor = if verbose { Some(Floor::At(Level::Debug)) } else { floor };
    let as_aiperf = args.origin.personality == crate::names::Personality::Aiperf;
    faults.into_result(Talk { floor, interval: service.stats_interval, as_aiperf })
}

fn asks_for_mock(args: &ProfileArgs) -> bool {
    args.endpoint.urls.iter().all(|url| url.starts_with(mock_child::SCHEME))
}

/// Whether every `mock://PROFILE` names a profile.
fn check_mock_profiles(args: &ProfileArgs) -> Result<(), Faults> {
    let mut faults = Faults::default();
    for profile in args.endpoint.urls.iter().filter_map(|url| url.strip_prefix(mock_child::SCHEME)) {
        faults.take("--url", profile.parse::<loadgen_mock::Profile>());
    }
    faults.into_result(())
}

fn stand_in(url: &str) -> String {
    if url.starts_with(mock_child::SCHEME) { "http://127.0.0.1:1".to_owned() } else { url.to_owned() }
}

/// Starts a mock server for each `mock://` among the URLs.
fn start_servers(args: &ProfileArgs) -> Result<(Servers, Vec<MockChild>)> {
    let mut children = Vec::new();
    let mut urls = Vec::new();
    for url in &args.endpoint.urls {
        let Some(profile) = url.strip_prefix(mock_child::SCHEME) else {
            urls.push(url.clone());
            continue;
        };
        let child = MockChild::start(profile, args.input.random_seed.unwrap_or(0), None)?;
        urls.push(child.url().to_owned());
        children.push(child);
    }
    Ok((Servers { urls, mock: asks_for_mock(args) }, children))
}
