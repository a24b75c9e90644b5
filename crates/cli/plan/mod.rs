//! From flags to a [`RunPlan`]: everything the options mean together, decided once.
//!
//! Faults are collected and shown together, each naming its flag and how to mend it. No
//! result is written; the network is touched for one thing only, a tokenizer that the hub's cache on
//! this host does not hold.

mod command_line;
mod dataset_config;
#[cfg(test)]
mod echo_tests;
mod endpoint;
mod environment;
mod faults;
mod idle;
mod in_words;
mod input_config;
mod load;
mod models;
mod outputs;
mod policy;
mod telemetry;
mod workload;

use std::time::Duration;

use loadgen_core::Seed;
use loadgen_run::{Hub, Level, LoadShape, ReportPlan, RunPlan};
use loadgen_tokens::{Resolver, TokenizerRequest, TokenizerSource};
use loadgen_wire::EndpointConfig;
use serde_json::Value;

use crate::args::ProfileArgs;
use crate::args::values::Patience;
use crate::ceiling;
use crate::ui::Ui;
pub(crate) use command_line::shown_value;
pub(crate) use environment::{Environment, VARIABLES};
pub(crate) use faults::Faults;
pub(crate) use models::first_served;

/// What the command line means.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) run: RunPlan,
    /// Worth telling the user before the run.
    pub(crate) notices: Vec<Notice>,
}

/// Something the user should know about how the command was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Good to know.
    Info(String),
    /// Something may not be as meant.
    Warning(String),
}

impl Notice {
    /// How much it matters, and its words.
    pub(crate) fn remark(&self) -> (Level, String) {
        match self {
            Self::Info(text) => (Level::Info, text.clone()),
            Self::Warning(text) => (Level::Warning, text.clone()),
        }
    }
}

/// Where the servers are once the built-in mock server, if asked for, runs.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) urls: Vec<String>,
    /// Whether they are the built-in mock server.
    pub(crate) mock: bool,
}

/// Resolves the command line.
pub(crate) fn resolve(
    args: &ProfileArgs,
    argv: &[std::ffi::OsString],
    environment: &Environment,
    servers: &Servers,
) -> Result<Planned, Faults> {
    let mut faults = Faults::default();
    let mut notices = Vec::new();

    workload::check_file(args, &mut faults);
    let mut faults = faults.none_yet()?;
    let seed = args.input.random_seed.map_or_else(fresh_seed, Seed);
    let endpoint = endpoint::endpoint(args, environment, &mut faults, &mut notices);
    let targets = endpoint::targets(servers, &mut faults);
    let connector = endpoint::connector(args, environment, &mut faults, &mut notices);
    let sources = connector.as_ref().map_or(&[][..], |connector| &connector.source_addresses);
    endpoint::check_source_addresses(&targets, sources, &mut faults);
    let load = load::load(args, &mut faults);
    let policy = policy::policy(args, environment, &load, &mut faults);
    let workload =
        endpoint.as_ref().and_then(|endpoint| workload::workload(args, &load, endpoint.kind, &mut faults));
    let beside = telemetry::beside(args, environment, servers, &targets, &load, &mut faults, &mut notices);
    let hub = Hub::new(connector.clone().unwrap_or_default());
    let tokenizer = faults.take("--tokenizer", tokenizer(args, servers.mock, &hub, &mut notices));
    let source = tokenizer.as_ref().map(|(source, _)| source);
    notices.extend(idle::without_effect(args, workload.as_ref(), source));
    faults.take("--ui", Ui::named(args.service.ui.as_deref()));
    let outputs = outputs::outputs(args, &mut faults);
    for swept in args.axes() {
        faults.add(swept.flag, "a list of values asks for a sweep, and a plan is of one run: give one value");
    }
    if !workload.as_ref().is_some_and(workload::is_ready) {
        warn_of_unpinned_lengths(args, endpoint.as_ref(), &mut notices);
    }
    let ceiling = ceiling::of_this_host(args.output.calibration.as_deref(), &mut notices);
    let ceiling = faults.take("--calibration", ceiling).flatten();

    let (Some(mut endpoint), Some(connector), Some(workload), Some((tokenizer, tokenizer_name))) =
        (endpoint, connector, workload, tokenizer)
    else {
        return Err(faults);
    };
    endpoint.other_secrets = endpoint::secrets_of_places(args, servers);
    let artifacts = outputs::artifacts(args, endpoint.kind, &load, &mut faults);
    let report = ReportPlan {
        benchmark_id: benchmark_id(),
        experiment: None,
        command_line: command_line::echo(args.origin.personality, &args.origin.shown(argv)),
        input_config: input_config::input_config(
            args,
            &load,
            &workload,
            servers,
            &artifacts,
            &tokenizer_name,
        ),
        random_seed: args.input.random_seed,
        seed: seed.0,
        models: args.endpoint.models.clone(),
        load_in_words: load.in_words(),
        workload_in_words: workload::in_words(&workload),
        urls: servers.urls.iter().map(|url| loadgen_wire::redact_url(url).into_owned()).collect(),
        endpoint: endpoint.kind,
        streaming: endpoint.streaming,
        goodput: args.load.goodput(),
        server_token_counts: args.endpoint.use_server_token_count,
        fixed_schedule: matches!(load.profiling.shape, LoadShape::FixedSchedule { .. }),
        has_warmup: load.warmup.is_some(),
        genai_perf: args.origin.genai_perf.clone(),
        waits_for_slots: matches!(load.profiling.shape, LoadShape::FixedSchedule { cap: Some(_) })
            || policy.max_request_rate.is_some(),
        waits_for_replies: matches!(load.profiling.shape, LoadShape::Closed { .. }),
        ceiling: ceiling.map(|(path, calibration)| calibration.cited(path.display().to_string())),
        tokenizer_file: match tokenizer {
            TokenizerSource::Builtin => None,
            // Reports are made from other folders, too.
            TokenizerSource::File(path) => Some(std::path::absolute(&path).unwrap_or(path)),
        },
        tokenizer_name,
        apply_chat_template: args.tokenizer.apply_chat_template,
        failed_request_threshold: args.output.failed_request_threshold,
        slice_duration_ns: args
            .output
            .slice_duration
            .map(|width| i64::try_from(width.as_nanos()).unwrap_or(i64::MAX)),
        thresholds: environment.thresholds,
        outputs,
        telemetry: beside.report,
        network_latency_mean_ms: args.telemetry.network_latency_mean,
        artifacts,
    };
    if let Err(error) = report.metric_config() {
        faults.add("--goodput", error);
    }
    for path in &args.output.attach {
        if !path.is_file() {
            faults.add("--attach", format!("{} is not a file", path.display()));
        }
    }
    let run = RunPlan {
        report,
        endpoint,
        targets,
        connector,
        workload,
        warmup: load.warmup,
        profiling: load.profiling,
        cancellation: load.cancellation,
        policy,
        workers: (args.service.workers_max.into_iter().chain(environment.workers_cap).min())
            .map(|workers| workers as usize),
        request_timeout_ns: match args.endpoint.request_timeout_seconds {
            Patience::Until(timeout) => nanoseconds(timeout).filter(|timeout| *timeout > 0),
            Patience::Forever => None,
        },
        drain_on_interrupt_ns: args.service.drain_on_interrupt.and_then(nanoseconds).unwrap_or(0),
        declarations: args.output.provenance.clone(),
        attachments: args.output.attach.clone(),
        remarks: notices.iter().map(Notice::remark).collect(),
        telemetry: beside.plan,
        server_kind: servers.mock.then(|| format!("loadgen mock server {}", env!("CARGO_PKG_VERSION"))),
    };
    faults.into_result(Planned { run, notices })
}

/// A duration as signed nanoseconds; `None` when it is longer than 292 years.
fn nanoseconds(duration: Duration) -> Option<i64> {
    i64::try_from(duration.as_nanos()).ok()
}

fn tokenizer(
    args: &ProfileArgs,
    mock: bool,
    hub: &Hub,
    notices: &mut Vec<Notice>,
) -> Result<(TokenizerSource, String), loadgen_tokens::TokenizerError> {
    let resolver = Resolver::from_env(Some(hub));
    let request = TokenizerRequest {
        requested: args.tokenizer.tokenizer.as_deref(),
        model: args.endpoint.models.first().map_or("", String::as_str),
        mock,
        revision: &args.tokenizer.tokenizer_revision,
    };
    let resolved = resolver.resolve(&request)?;
    notices.extend(resolved.notice.map(Notice::Info));
    Ok((resolved.source, resolved.name))
}

/// `max_tokens` is a limit: without `ignore_eos` or `min_tokens` a server may stop sooner. The words are
/// AIPerf's: scripts look for them.
fn warn_of_unpinned_lengths(
    args: &ProfileArgs,
    endpoint: Option<&EndpointConfig>,
    notices: &mut Vec<Notice>,
) {
    let pins = |name: &str| {
        endpoint.and_then(|endpoint| endpoint.extra_inputs.get(name)).is_some_and(says_something)
    };
    let facts = endpoint.map(|endpoint| endpoint.kind.facts());
    if let Some(facts) = facts.filter(|facts| args.lengths.osl.is_some() && !facts.produces_tokens) {
        notices.push(Notice::Warning(format!(
            "--osl: --endpoint-type {} answers without tokens, so that none are asked for",
            facts.name
        )));
        return;
    }
    if args.lengths.osl.is_some() && !pins("ignore_eos") && !pins("min_tokens") {
        notices.push(Notice::Warning(
            "Using --osl without ignore_eos or min_tokens in --extra-inputs. Output sequence length cannot be \
             guaranteed unless the server honors these parameters. Consider: --extra-inputs ignore_eos:true \
             (generate until max_tokens) or --extra-inputs min_tokens:<value> (set minimum output length)."
                .to_owned(),
        ));
    }
}

/// Whether a value is more than nothing, zero or empty: what Python takes for true.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_set) => *is_set,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// A seed nobody chose: from the operating system's entropy, by way of a random UUID.
fn fresh_seed() -> Seed {
    Seed(uuid::Uuid::new_v4().as_u64_pair().0)
}

/// Identifies a run: 12 hex digits, as AIPerf's.
fn benchmark_id() -> String {
    let mut id = uuid::Uuid::new_v4().simple().to_string();
    id.truncate(12);
    id
}
