//! The configuration as AIPerf echoes it: only what was set, in its words.

use std::time::Duration;

use loadgen_run::{Artifacts, LoadShape, PhaseLoad};
use loadgen_schedule::{ArrivalProcess, RateFunction};
use loadgen_wire::{EndpointKind, REDACTED, redact_field, redact_url};
use loadgen_workload::WorkloadConfig;
use serde_json::{Map, Value, json};

use super::dataset_config::dataset;
use super::load::Load;
use super::{ExportLevel, Servers, telemetry, workload};
use crate::args::ProfileArgs;
use crate::args::values::{Patience, pairs, word};

/// A request's time limit where no option sets one.
const DEFAULT_TIMEOUT: Patience = Patience::Until(Duration::from_hours(6));

/// Renders the echo.
pub(super) fn input_config(
    args: &ProfileArgs,
    load: &Load,
    workload: &WorkloadConfig,
    servers: &Servers,
    artifacts: &Artifacts,
    tokenizer: &str,
) -> Value {
    if let Some(file) = &args.origin.config {
        // A file says more than its options do: how a length was written, what stands at its default.
        let mut config = file.input_config(args);
        config["artifacts"]["dir"] = json!(artifacts.dir);
        return config;
    }
    let models: Vec<Value> = args.endpoint.models.iter().map(|name| json!({ "name": name })).collect();
    let mut config = Map::new();
    let mut models = json!({ "items": models });
    if let Some(strategy) = &args.endpoint.model_selection_strategy {
        models["strategy"] = json!(word(strategy));
    }
    config.insert("models".into(), models);
    config.insert("endpoint".into(), endpoint(args, servers));
    config.insert("datasets".into(), json!([dataset(args, workload)]));
    config.insert("phases".into(), Value::Array(phases(args, load)));
    config.insert("artifacts".into(), artifact_settings(args, artifacts));
    if let Some(slos) = slos(args) {
        config.insert("slos".into(), slos);
    }
    let mut tokenizer = json!({ "name": tokenizer });
    if args.tokenizer.apply_chat_template {
        tokenizer["apply_chat_template"] = json!(true);
    }
    config.insert("tokenizer".into(), tokenizer);
    config.extend(telemetry::echo(&args.telemetry).map(|(key, value)| (key.to_owned(), value)));
    config.insert("runtime".into(), json!({ "ui": args.service.ui.as_deref().unwrap_or("simple") }));
    Value::Object(config)
}

fn endpoint(args: &ProfileArgs, servers: &Servers) -> Value {
    let given = &args.endpoint;
    let urls: Vec<_> = servers.urls.iter().map(|url| redact_url(url)).collect();
    // AIPerf takes --streaming back without a word where the endpoint has no streams.
    let streams = EndpointKind::named(&given.endpoint_type).is_ok_and(|kind| kind.facts().streams);
    let mut endpoint = json!({
        "urls": urls,
        "type": word(&given.endpoint_type),
        "streaming": given.streaming && streams,
    });
    let mut set = |key: &str, value: Value| {
        endpoint[key] = value;
    };
    if let Some(path) = &given.path {
        set("path", json!(redact_url(path)));
    }
    if given.api_key.is_some() {
        set("api_key", json!(REDACTED));
    }
    if !given.headers.is_empty() {
        set("headers", json!(REDACTED));
    }
    if given.use_server_token_count {
        set("use_server_token_count", json!(true));
    }
    let reuse = word(&args.connections.connection_reuse_strategy);
    if reuse != "pooled" {
        set("connection_reuse", json!(reuse));
    }
    if given.use_legacy_max_tokens {
        set("use_legacy_max_tokens", json!(true));
    }
    if given.request_timeout_seconds != DEFAULT_TIMEOUT {
        set(
            "timeout",
            match given.request_timeout_seconds {
                Patience::Until(timeout) => json!(timeout.as_secs_f64()),
                // A number that is none has no place in JSON.
                Patience::Forever => Value::Null,
            },
        );
    }
    for (key, value) in [
        ("url_strategy", given.url_strategy.as_deref().map(word)),
        ("transport", given.transport.as_deref().map(word)),
        ("request_content_type", given.request_content_type.clone()),
        ("session_header", given.session_header.clone()),
    ] {
        if let Some(value) = value {
            set(key, json!(value));
        }
    }
    if given.per_chunk_usage {
        set("per_chunk_usage", json!(true));
    }
    let extra: Map<String, Value> =
        given.extra_inputs.iter().flat_map(|text| pairs(text)).flatten().collect();
    if !extra.is_empty() {
        set("extra", redact_field("", &Value::Object(extra)));
    }
    telemetry::echo_control(&args.control, &mut endpoint);
    endpoint
}

fn phases(args: &ProfileArgs, load: &Load) -> Vec<Value> {
    let mut phases = Vec::new();
    if let Some(warmup) = &load.warmup {
        let mut phase = phase("warmup", warmup, args.load.arrival_smoothness);
        if let Some(Patience::Until(grace)) = args.warmup.warmup_grace_period {
            phase.insert("grace_period".into(), json!(grace.as_secs_f64()));
        }
        phase.insert("exclude_from_results".into(), json!(true));
        phases.push(Value::Object(phase));
    }
    let mut profiling = phase("profiling", &load.profiling, args.load.arrival_smoothness);
    if let Some(requests) = &args.load.request_count {
        profiling.insert("requests".into(), json!(requests.first()));
    } else if let LoadShape::FixedSchedule { .. } = load.profiling.shape
        && let Some(path) = &args.input.input_file
    {
        // The rows of the file, even those that a window leaves out.
        profiling.insert("requests".into(), json!(workload::rows_of(path)));
    }
    if let Some(grace_ns) = load.profiling.stop.grace_ns {
        profiling.insert("grace_period".into(), json!(grace_ns as f64 / 1e9));
    }
    if let Some(percent) = args.load.request_cancellation_rate {
        let mut cancellation = json!({ "rate": percent });
        if let Some(delay) = args.load.request_cancellation_delay {
            cancellation["delay"] = json!(delay.as_secs_f64());
        }
        profiling.insert("cancellation".into(), cancellation);
    }
    if args.schedule.fixed_schedule_auto_offset {
        profiling.insert("auto_offset".into(), json!(true));
    }
    if let Some(start) = args.schedule.fixed_schedule_start_offset {
        profiling.insert("auto_offset".into(), json!(false));
        profiling.insert("start_offset".into(), json!(start));
    }
    if let Some(end) = args.schedule.fixed_schedule_end_offset {
        profiling.insert("end_offset".into(), json!(end));
    }
    phases.push(Value::Object(profiling));
    phases
}

/// A phase. `smoothness` is the one that is given, which shapes gamma arrivals alone.
fn phase(kind: &str, load: &PhaseLoad, smoothness: Option<f64>) -> Map<String, Value> {
    let mut phase = Map::new();
    phase.insert("name".into(), json!(kind));
    phase.insert("kind".into(), json!(kind));
    let cap = match &load.shape {
        LoadShape::FixedSchedule { cap } => {
            phase.insert("type".into(), json!("fixed_schedule"));
            *cap
        }
        LoadShape::Closed { concurrency } => {
            phase.insert("type".into(), json!("concurrency"));
            Some(*concurrency)
        }
        LoadShape::Rate { process, cap } => {
            phase.insert("type".into(), json!(process_name(process)));
            match process.rate() {
                Some(RateFunction::Constant(rate)) => phase.insert("rate".into(), json!(rate.per_second())),
                Some(RateFunction::Sinusoid(wave)) => {
                    phase.insert("rate_sinusoid".into(), json!(wave.to_string()))
                }
                None => None,
            };
            if let (ArrivalProcess::Gamma { .. }, Some(smoothness)) = (process, smoothness) {
                phase.insert("smoothness".into(), json!(smoothness));
            }
            *cap
        }
    };
    if let Some(requests) = load.stop.requests {
        phase.insert("requests".into(), json!(requests));
    }
    if let Some(sessions) = load.stop.sessions {
        phase.insert("sessions".into(), json!(sessions));
    }
    if let Some(duration) = load.stop.duration_ns {
        phase.insert("duration".into(), json!(duration as f64 / 1e9));
    }
    if let Some(slots) = cap {
        phase.insert("concurrency".into(), json!(slots));
    }
    if let Some(places) = load.prefill {
        phase.insert("prefill_concurrency".into(), json!(places));
    }
    phase
}

fn process_name(process: &ArrivalProcess) -> &'static str {
    match process {
        ArrivalProcess::Constant(_) => "constant",
        ArrivalProcess::Poisson(_) => "poisson",
        ArrivalProcess::Gamma { .. } => "gamma",
        ArrivalProcess::Burst => "concurrency",
        ArrivalProcess::FixedSchedule(_) => "fixed_schedule",
    }
}

fn artifact_settings(args: &ProfileArgs, artifacts: &Artifacts) -> Value {
    let output = &args.output;
    let level = output.export_level.as_ref().and_then(|_| ExportLevel::of(output).ok());
    let on = |is_on: bool| is_on.then(|| json!(true));
    // In AIPerf's order; what was not set is not there.
    let settings = [
        ("dir", Some(json!(artifacts.dir))),
        ("prefix", output.profile_export_prefix.as_ref().map(|prefix| json!(prefix))),
        (
            "records",
            level.map(|level| if level == ExportLevel::Summary { json!(false) } else { json!(["jsonl"]) }),
        ),
        ("raw", level.map(|level| json!(level == ExportLevel::Raw))),
        ("trace", on(output.export_http_trace)),
        ("show_trace_timing", on(output.show_trace_timing)),
        ("slice_duration", output.slice_duration.map(|width| json!(width.as_secs_f64()))),
        ("auto_plot", Some(json!(false))),
        ("plot_required", Some(json!(false))),
        ("export_outputs_json", on(output.export_outputs_json)),
    ];
    let settings = settings.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(settings.collect())
}

/// `tag:value` pairs; what cannot be read is refused elsewhere.
fn slos(args: &ProfileArgs) -> Option<Value> {
    let goodput = args.load.goodput()?;
    let pairs = goodput.split_whitespace().filter_map(|pair| {
        let (tag, value) = pair.split_once(':')?;
        Some((tag.to_owned(), json!(value.parse::<f64>().ok()?)))
    });
    Some(Value::Object(pairs.collect()))
}
