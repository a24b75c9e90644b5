//! The configuration as AIPerf echoes it: only what was set, in its words.

use std::time::Duration;

use loadgen_run::{Artifacts, LoadShape, PhaseLoad};
use loadgen_schedule::{ArrivalProcess, RateFunction};
use loadgen_wire::{EndpointKind, REDACTED, redact_field, redact_url};
use loadgen_workload::WorkloadConfig;
use serde_json::{Map, Value, json};

use super::dataset_config::dataset;
use super::idle::USUAL_REVISION;
use super::load::Load;
use super::outputs::ExportLevel;
use super::{Servers, telemetry, workload};
use crate::args::ProfileArgs;
use crate::args::endpoint::EndpointArgs;
use crate::args::values::{self, Patience, pairs, word};

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
    let strategy = args.endpoint.model_selection_strategy.as_deref().map(|name| json!(word(name)));
    config.insert("models".into(), set([("strategy", strategy), ("items", Some(models.into()))]));
    config.insert("endpoint".into(), endpoint(args, servers));
    config.insert("datasets".into(), json!([dataset(args, workload)]));
    config.insert("phases".into(), Value::Array(phases(args, load)));
    config.insert("artifacts".into(), artifact_settings(args, artifacts));
    if let Some(slos) = slos(args) {
        config.insert("slos".into(), slos);
    }
    let mut tokenizer = json!({ "name": tokenizer });
    if args.tokenizer.tokenizer_revision != USUAL_REVISION {
        tokenizer["revision"] = json!(args.tokenizer.tokenizer_revision);
    }
    if args.tokenizer.apply_chat_template {
        tokenizer["apply_chat_template"] = json!(true);
    }
    config.insert("tokenizer".into(), tokenizer);
    config.extend(telemetry::echo(&args.telemetry).map(|(key, value)| (key.to_owned(), value)));
    // Where results could go besides: AIPerf echoes each place, empty.
    config.extend(["otel", "mlflow", "wandb"].map(|place| (place.to_owned(), json!({}))));
    config.insert("runtime".into(), runtime(args));
    if let Some(level) = log_level(args) {
        config.insert("logging".into(), json!({ "level": level }));
    }
    Value::Object(config)
}

fn runtime(args: &ProfileArgs) -> Value {
    let given = &args.service;
    // AIPerf's live view gives way to plain lines where there is no terminal, or every detail is told.
    let tells_all = given.verbose || given.extra_verbose;
    let ui = given.ui.as_deref().map(word).filter(|ui| ui != "dashboard" && !tells_all);
    let mut runtime = json!({ "ui": ui.as_deref().unwrap_or("simple") });
    if let Some(workers) = given.workers_max {
        runtime["workers"] = json!(workers);
    }
    if let Some(interval) = given.stats_interval {
        runtime["stats_interval"] = json!(interval.as_secs_f64());
    }
    runtime
}

fn log_level(args: &ProfileArgs) -> Option<String> {
    let given = &args.service;
    let named = given.log_level.as_ref().map(|level| level.to_ascii_uppercase());
    let level = |is_on: bool, level: &str| is_on.then(|| level.to_owned());
    level(given.extra_verbose, "TRACE").or_else(|| level(given.verbose, "DEBUG")).or(named)
}

fn endpoint(args: &ProfileArgs, servers: &Servers) -> Value {
    let given = &args.endpoint;
    let urls: Vec<_> = servers.urls.iter().map(|url| redact_url(url)).collect();
    // --streaming is taken back where the endpoint has no streams, and echoed so.
    let streams = EndpointKind::named(&given.endpoint_type).is_ok_and(|kind| kind.facts().streams);
    let on = |is_on: bool| is_on.then_some(json!(true));
    let reuse = given_reuse(args);
    let timeout =
        (given.request_timeout_seconds != DEFAULT_TIMEOUT).then(|| match given.request_timeout_seconds {
            Patience::Until(timeout) => json!(timeout.as_secs_f64()),
            // A number that is none has no place in JSON.
            Patience::Forever => Value::Null,
        });
    let (template, extra) = template_and_extra(given);
    // In AIPerf's order; what was not set is not there.
    let fields = [
        ("urls", Some(json!(urls))),
        ("url_strategy", given.url_strategy.as_deref().map(|name| json!(word(name)))),
        ("type", Some(json!(word(&given.endpoint_type)))),
        ("path", given.path.as_ref().map(|path| json!(redact_url(path)))),
        ("api_key", given.api_key.is_some().then(|| json!(REDACTED))),
        ("timeout", timeout),
        ("streaming", given.streaming.then_some(json!(streams))),
        ("transport", given.transport.as_deref().map(|name| json!(word(name)))),
        ("connection_reuse", reuse.map(Value::from)),
        ("use_legacy_max_tokens", on(given.use_legacy_max_tokens)),
        ("use_server_token_count", on(given.use_server_token_count)),
        ("per_chunk_usage", on(given.per_chunk_usage)),
        ("template", template),
        ("headers", headers(&given.headers)),
        ("extra", extra),
        ("request_content_type", given.request_content_type.as_deref().map(Value::from)),
        ("session_header", given.session_header.as_deref().map(Value::from)),
    ];
    let mut endpoint = set(fields);
    telemetry::echo_control(&args.control, &mut endpoint);
    endpoint
}

/// How connections are used again, unless as usual.
fn given_reuse(args: &ProfileArgs) -> Option<String> {
    let strategy = word(&args.connections.connection_reuse_strategy).replace('_', "-");
    Some(strategy).filter(|strategy| strategy != "pooled")
}

/// Headers by name; the values of secret ones do not show.
fn headers(given: &[String]) -> Option<Value> {
    // What cannot be read is refused elsewhere.
    let pairs = given.iter().flat_map(|text| values::headers(text)).flatten();
    let shown = pairs.map(|(name, value)| {
        let value = redact_field(&name, &Value::String(value));
        (name, value)
    });
    (!given.is_empty()).then(|| shown.collect())
}

/// The template of a body, which AIPerf moves out of the extra inputs, and what is left of those.
fn template_and_extra(given: &EndpointArgs) -> (Option<Value>, Option<Value>) {
    let mut extra: Map<String, Value> =
        given.extra_inputs.iter().flat_map(|text| pairs(text)).flatten().collect();
    let has_any = !extra.is_empty();
    let template = extra.shift_remove("payload_template").map(|body| {
        let file = body.as_str().and_then(|path| std::fs::read_to_string(path).ok());
        let response = extra.shift_remove("response_field").unwrap_or_else(|| json!("text"));
        json!({ "body": file.map_or(body, Value::from), "response_field": response })
    });
    (template, has_any.then(|| redact_field("", &Value::Object(extra))))
}

fn phases(args: &ProfileArgs, load: &Load) -> Vec<Value> {
    let seconds = |grace: Option<Patience>| match grace? {
        Patience::Until(grace) => Some(json!(grace.as_secs_f64())),
        Patience::Forever => Some(Value::Null),
    };
    let warmup = load.warmup.as_ref().map(|warmup| {
        let mut fields = phase("warmup", warmup, args);
        fields.insert("exclude_from_results".into(), json!(true));
        fields.extend(seconds(args.warmup.warmup_grace_period).map(|grace| ("grace_period".into(), grace)));
        in_order(fields)
    });
    let mut profiling = phase("profiling", &load.profiling, args);
    let mut put =
        |key: &str, value: Option<Value>| profiling.extend(value.map(|value| (key.to_owned(), value)));
    // The rows of the file, even those that a window leaves out.
    let rows = || match (&load.profiling.shape, &args.input.input_file) {
        (LoadShape::FixedSchedule { .. }, Some(path)) => Some(json!(workload::rows_of(path))),
        _ => None,
    };
    put("requests", args.load.request_count.as_ref().map(|count| json!(count.first())).or_else(rows));
    if load.profiling.stop.duration_ns.is_some() {
        let grace = load.profiling.stop.grace_ns;
        put("grace_period", Some(grace.map_or(Value::Null, |grace_ns| json!(grace_ns as f64 / 1e9))));
    }
    if let Some(percent) = args.load.request_cancellation_rate {
        let delay = args.load.request_cancellation_delay.map(|delay| json!(delay.as_secs_f64()));
        put("cancellation", Some(set([("rate", Some(json!(percent))), ("delay", delay)])));
    }
    put("failed_request_threshold", args.output.failed_request_threshold.map(Value::from));
    let start = args.schedule.fixed_schedule_start_offset;
    let auto = args.schedule.fixed_schedule_auto_offset.then_some(true).or(start.is_some().then_some(false));
    put("auto_offset", auto.map(Value::from));
    put("start_offset", start.map(Value::from));
    put("end_offset", args.schedule.fixed_schedule_end_offset.map(Value::from));
    warmup.into_iter().chain([in_order(profiling)]).collect()
}

/// What a phase's load says of itself.
fn phase(kind: &str, load: &PhaseLoad, args: &ProfileArgs) -> Map<String, Value> {
    let (shape, rate, cap) = match &load.shape {
        LoadShape::FixedSchedule { cap } => ("fixed_schedule", None, *cap),
        // A warm-up says how many it sends at once, the measured load where it was told.
        LoadShape::Closed { concurrency } => {
            let told = kind == "warmup" || args.load.concurrency.is_some();
            ("concurrency", None, told.then_some(*concurrency))
        }
        LoadShape::Rate { process, cap } => (process_name(process), Some(process), *cap),
    };
    let smoothness = args.load.arrival_smoothness.filter(|_| shape == "gamma");
    let fields = [
        ("name", Some(json!(kind))),
        ("kind", Some(json!(kind))),
        ("type", Some(json!(shape))),
        ("requests", load.stop.requests.map(Value::from)),
        ("duration", load.stop.duration_ns.map(|duration| json!(duration as f64 / 1e9))),
        ("sessions", load.stop.sessions.map(Value::from)),
        ("concurrency", cap.map(Value::from)),
        ("prefill_concurrency", load.prefill.map(Value::from)),
        ("smoothness", smoothness.map(Value::from)),
    ];
    let Value::Object(mut fields) = set(fields) else { return Map::new() };
    fields.extend(rate.map(|process| match process.rate() {
        Some(RateFunction::Constant(rate)) => ("rate".to_owned(), json!(rate.per_second())),
        Some(RateFunction::Sinusoid(wave)) => ("rate_sinusoid".to_owned(), json!(wave.to_string())),
        // An infinite rate; JSON has no number for it.
        None => ("rate".to_owned(), Value::Null),
    }));
    fields
}

/// A phase's fields in AIPerf's order.
fn in_order(fields: Map<String, Value>) -> Value {
    const ORDER: [&str; 17] = [
        "name",
        "kind",
        "type",
        "exclude_from_results",
        "requests",
        "duration",
        "sessions",
        "concurrency",
        "prefill_concurrency",
        "grace_period",
        "cancellation",
        "failed_request_threshold",
        "rate",
        "smoothness",
        "auto_offset",
        "start_offset",
        "end_offset",
    ];
    let place = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
    let mut fields: Vec<_> = fields.into_iter().collect();
    fields.sort_by_key(|(key, _)| place(key));
    Value::Object(fields.into_iter().collect())
}

/// An object of the fields that are there.
fn set<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    Value::Object(fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
}

fn process_name(process: &ArrivalProcess) -> &'static str {
    match process {
        ArrivalProcess::Constant(_) => "constant",
        // All at once is an infinite rate to AIPerf.
        ArrivalProcess::Poisson(_) | ArrivalProcess::Burst => "poisson",
        ArrivalProcess::Gamma { .. } => "gamma",
        ArrivalProcess::FixedSchedule(_) => "fixed_schedule",
    }
}

fn artifact_settings(args: &ProfileArgs, artifacts: &Artifacts) -> Value {
    let output = &args.output;
    let level = output.export_level.as_ref().and_then(|_| ExportLevel::of(output).ok());
    let on = |is_on: bool| is_on.then(|| json!(true));
    // In AIPerf's order; what was not set is not there.
    set([
        ("dir", Some(json!(artifacts.dir))),
        ("prefix", output.profile_export_prefix.as_ref().map(|prefix| json!(prefix))),
        (
            "records",
            level.map(|level| if level == ExportLevel::Summary { json!(false) } else { json!(["jsonl"]) }),
        ),
        ("raw", level.map(|level| json!(level == ExportLevel::Raw))),
        ("trace", on(output.export_http_trace)),
        ("slice_duration", output.slice_duration.map(|width| json!(width.as_secs_f64()))),
        ("show_trace_timing", on(output.show_trace_timing)),
        ("auto_plot", Some(json!(false))),
        ("plot_required", Some(json!(false))),
        ("export_outputs_json", on(output.export_outputs_json)),
    ])
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
