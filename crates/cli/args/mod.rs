//! The command line as clap sees it: names, help and parsing of single values, nothing else.
//!
//! Every option keeps AIPerf's names. What the options mean together is decided in [`crate::plan`].

mod calibrate;
pub(crate) mod config;
pub(crate) mod conversation;
pub(crate) mod endpoint;
pub(crate) mod input;
pub(crate) mod load;
pub(crate) mod media;
pub(crate) mod output;
pub(crate) mod study;
pub(crate) mod swept;
pub(crate) mod telemetry;
pub(crate) mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use calibrate::CalibrateArgs;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "loadgen",
    version,
    about = "Open-loop load for LLM inference servers: AIPerf's command line and files, every token's arrival in Parquet",
    after_help = EXAMPLES,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Drive a server with load and report what came back
    #[command(after_help = PROFILE_EXAMPLES, allow_negative_numbers = true)]
    Profile(Box<ProfileArgs>),
    /// Rebuild every output of a run from what is on disk, also after a kill -9
    #[command(after_help = "Example:\n  loadgen report artifacts/demo-openai-chat-fixed_schedule")]
    Report(ReportArgs),
    /// Find this host's ceiling and timing error against the mock server
    #[command(after_help = CALIBRATE_HELP)]
    Calibrate(CalibrateArgs),
    /// Write, expand or check a configuration file
    #[command(after_help = CONFIG_EXAMPLES)]
    Config(config::ConfigArgs),
    /// Make a synthetic trace
    #[command(after_help = SYNTHESIZE_EXAMPLE)]
    Synthesize(SynthesizeArgs),
    /// Serve an OpenAI-compatible API with a performance model, for trying things out
    #[command(after_long_help = mock_help())]
    MockServer(MockServerArgs),
    /// Write the JSON Schemas of loadgen's files, or check that the written ones are current
    #[command(hide = true)]
    Schemas(SchemasArgs),
    /// Write the pages that are made from loadgen's own tables, or check that the written ones are current
    #[command(hide = true)]
    Docs(DocsArgs),
}

/// The command line, with AIPerf's grammar and all of AIPerf's options.
pub(crate) fn command() -> clap::Command {
    profile_without_missing_in(Cli::command()).mut_subcommand("profile", crate::compat::add_missing)
}

/// As [`command`], its examples in the words of the program of this name.
pub(crate) fn command_called(program: &str) -> clap::Command {
    let own = |text: &str| text.replace("loadgen profile", &format!("{program} profile"));
    command().mut_subcommand("profile", |profile| profile.after_help(own(PROFILE_EXAMPLES)))
}

/// As [`command`], without the options that only the table of compatibility knows.
fn profile_without_missing_in(command: clap::Command) -> clap::Command {
    command.mut_subcommand("profile", |profile| {
        profile.mut_args(|argument| match argument.get_action() {
            ArgAction::SetTrue => values::as_switch(argument),
            _ => argument,
        })
    })
}

/// The command of `profile`, without the options that only the table of compatibility knows.
#[cfg(test)]
pub(crate) fn profile_without_missing() -> clap::Command {
    let command = profile_without_missing_in(Cli::command());
    command.find_subcommand("profile").expect("profile is a subcommand").clone()
}

/// Parses a command line of `profile` with further settings behind it, which win over the same options
/// before them: a point of a sweep, say. Options that do nothing here are not judged again.
pub(crate) fn parse_profile(argv: &[OsString], settings: &[OsString]) -> Result<ProfileArgs, clap::Error> {
    let command = command().mut_subcommand("profile", |profile| profile.args_override_self(true));
    let matches = command.try_get_matches_from(argv.iter().chain(settings))?;
    match Cli::from_arg_matches(&matches)?.command {
        Command::Profile(args) => Ok(*args),
        _ => Err(clap::Error::raw(clap::error::ErrorKind::InvalidSubcommand, "expected `profile`\n")),
    }
}

/// Lines of at most 78 columns: longer ones would be broken in the middle of a command.
const EXAMPLES: &str = "Examples:
  Try it without a server, against the built-in mock server:
    loadgen profile --url mock:// --streaming --request-rate 20 \\
        --benchmark-duration 10
  Rebuild a run's files and its page:
    loadgen report artifacts/my-run
  Let scripts that call aiperf or genai-perf find loadgen in their place:
    loadgen --install-aliases ~/.local/bin

Exit codes:
  0    done; some requests may have failed
  1    nothing succeeded, or more failed than --failed-request-threshold
       allows, or the command or its input is wrong
  4    the client was the limit, with --fail-if-client-limited or
       --catch-up fail
  130  left at once: second Ctrl-C";

const PROFILE_EXAMPLES: &str = "Examples:
  Poisson arrivals at 20 requests/s for a minute:
    loadgen profile -m my-model -u http://127.0.0.1:8000 --streaming \\
        --request-rate 20 --benchmark-duration 60 --isl 512 --osl 128 \\
        --extra-inputs ignore_eos:true

  Closed loop, 32 requests in flight:
    loadgen profile -m my-model -u http://127.0.0.1:8000 --streaming \\
        --concurrency 32 --request-count 1000

  Three concurrencies, three runs of each, with confidence intervals:
    loadgen profile -m my-model -u http://127.0.0.1:8000 --streaming \\
        --concurrency 1,4,16 --request-count 200 --num-profile-runs 3

  Replay a production trace, four times faster, against the built-in mock
  server, with objectives:
    loadgen profile --url mock:// --model demo --streaming \\
        --input-file traces/mooncake_conversation.jsonl \\
        --custom-dataset-type mooncake_trace \\
        --fixed-schedule-end-offset 60000 --synthesis-speedup-ratio 4 \\
        --goodput \"time_to_first_token:500 inter_token_latency:50\"

  A daily tide in ten minutes, 5 to 45 requests/s:
    loadgen profile -m my-model -u http://127.0.0.1:8000 --streaming \\
        --request-rate-sinusoid min=5,max=45,period=600 \\
        --benchmark-duration 600

  Every segment's own arrival, and exit code 4 if this client was the limit:
    loadgen profile -m my-model -u http://127.0.0.1:8000 --streaming \\
        --request-rate 20 --benchmark-duration 60 --timestamps packet \\
        --fail-if-client-limited

  What a command would do, without doing it:
    loadgen profile -m my-model -u http://127.0.0.1:8000 --concurrency 8 \\
        --dry-run";

const CALIBRATE_HELP: &str = "Runs on this host with this version of loadgen cite the result in measurement_quality.json, on the \
     console and in their provenance; `profile --calibration none` leaves it out. Client and server share the \
     host, so a ceiling is a lower bound. Measure on a host that is otherwise idle.

Examples:
  loadgen calibrate
  loadgen calibrate --quick --output calibration.json";

const CONFIG_EXAMPLES: &str = "Examples:
  loadgen config init --list
  loadgen config init --template minimal --model my-model --output run.yaml
  loadgen config validate run.yaml
  loadgen profile --config run.yaml --concurrency 8";

const SYNTHESIZE_EXAMPLE: &str = "Example:
  loadgen synthesize sinusoidal --time-duration 600 --output-file tide.jsonl";

/// What `mock-server --help` says after its options.
fn mock_help() -> String {
    format!("{MOCK_EXAMPLES}\n\n{}", loadgen_mock::PROFILE_HELP)
}

const MOCK_EXAMPLES: &str = "Examples:
  loadgen mock-server --port 8000
  loadgen mock-server --port 8000 --profile 'fixed?ttft=50ms&itl=20ms' \\
      --truth-log truth.jsonl
  loadgen mock-server --port 8443 --tls";

/// Options of `profile`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProfileArgs {
    #[command(flatten)]
    pub(crate) endpoint: endpoint::EndpointArgs,
    #[command(flatten)]
    pub(crate) connections: endpoint::ConnectionArgs,
    #[command(flatten)]
    pub(crate) tokenizer: endpoint::TokenizerArgs,
    #[command(flatten)]
    pub(crate) input: input::InputArgs,
    #[command(flatten)]
    pub(crate) lengths: input::LengthArgs,
    #[command(flatten)]
    pub(crate) prefix: input::PrefixArgs,
    #[command(flatten)]
    pub(crate) conversation: conversation::ConversationArgs,
    #[command(flatten)]
    pub(crate) media: media::MediaArgs,
    #[command(flatten)]
    pub(crate) rankings: media::RankingsArgs,
    #[command(flatten)]
    pub(crate) schedule: input::FixedScheduleArgs,
    #[command(flatten)]
    pub(crate) load: load::LoadArgs,
    #[command(flatten)]
    pub(crate) warmup: load::WarmupArgs,
    #[command(flatten)]
    pub(crate) control: telemetry::ControlArgs,
    #[command(flatten)]
    pub(crate) telemetry: telemetry::TelemetryArgs,
    #[command(flatten)]
    pub(crate) output: output::OutputArgs,
    #[command(flatten)]
    pub(crate) service: output::ServiceArgs,
    /// Who was called, and the configuration file behind the options.
    #[arg(skip)]
    pub(crate) origin: crate::names::Origin,
    #[command(flatten)]
    pub(crate) study: study::StudyArgs,
}

/// Options of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Run folders, each holding a journal
    #[arg(required = true, value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,
}

/// Options of `synthesize`.
#[derive(Debug, Args)]
pub(crate) struct SynthesizeArgs {
    #[command(subcommand)]
    pub(crate) kind: SynthesizeKind,
}

/// Which trace to make.
#[derive(Debug, Subcommand)]
pub(crate) enum SynthesizeKind {
    /// Arrivals whose rate is a sinusoid, two classes of lengths whose ratio is one too
    Sinusoidal(Box<crate::commands::synthesize::SinusoidalArgs>),
}

/// Options of `mock-server`.
#[derive(Debug, Args)]
pub(crate) struct MockServerArgs {
    /// Port to listen on; 0 takes a free one and prints it
    #[arg(long, default_value_t = 8000)]
    pub(crate) port: u16,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: std::net::IpAddr,
    /// How the server behaves: PROFILE[?key=value&…]
    #[arg(long, default_value = "default")]
    pub(crate) profile: String,
    /// Append when each request was read and each token written to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) truth_log: Option<PathBuf>,
    /// Seed of the jitter
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Speak TLS with a certificate made for the occasion, which only `--insecure` clients take
    #[arg(long, conflicts_with = "tls_cert")]
    pub(crate) tls: bool,
    /// Speak TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of --tls-cert (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Stop when standard input closes
    #[arg(long, hide = true)]
    pub(crate) until_stdin_closes: bool,
}

/// Options of `docs`.
#[derive(Debug, Args)]
pub(crate) struct DocsArgs {
    /// Folder of the pages
    #[arg(default_value = "docs")]
    pub(crate) dir: PathBuf,
    /// Only compare; exit 1 when a page is missing or out of date
    #[arg(long)]
    pub(crate) check: bool,
}

/// Options of `schemas`.
#[derive(Debug, Args)]
pub(crate) struct SchemasArgs {
    /// Folder of the schemas
    #[arg(default_value = "schemas")]
    pub(crate) dir: PathBuf,
    /// Only compare; exit 1 when a file is missing or out of date
    #[arg(long)]
    pub(crate) check: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands in a text of examples, as words.
    fn commands(text: &str) -> Vec<Vec<String>> {
        let joined = text.replace("\\\n", " ");
        let commands = joined.lines().map(str::trim).filter(|line| line.starts_with("loadgen "));
        commands
            .map(|line| {
                let (mut words, mut quote) = (vec![String::new()], None);
                for c in line.chars() {
                    match c {
                        '"' | '\'' if quote == Some(c) => quote = None,
                        '"' | '\'' if quote.is_none() => quote = Some(c),
                        ' ' if quote.is_none() => words.push(String::new()),
                        other => words.last_mut().expect("begun with one").push(other),
                    }
                }
                words.retain(|word| !word.is_empty());
                words
            })
            .collect()
    }

    #[test]
    fn examples_fit_a_narrow_terminal_and_are_commands() {
        let of_a_subcommand =
            [PROFILE_EXAMPLES, CALIBRATE_HELP, CONFIG_EXAMPLES, SYNTHESIZE_EXAMPLE, MOCK_EXAMPLES];
        let mut count = 0;
        for text in [EXAMPLES].iter().chain(&of_a_subcommand) {
            for line in text.lines().filter(|line| line.starts_with(' ')) {
                assert!(line.chars().count() <= 78, "would be broken in 80 columns: {line}");
            }
            for words in commands(text) {
                count += 1;
                // What stands before any subcommand is not clap's.
                if words[1] != "--install-aliases" {
                    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
                    let words = crate::argv::normalise(words);
                    assert!(command().try_get_matches_from(&words).is_ok(), "{words:?}");
                }
            }
        }
        assert_eq!(count, 20, "every example is looked at");
    }
}
