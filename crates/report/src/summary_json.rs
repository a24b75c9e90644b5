//! `profile_export_aiperf.json`: the summary as AIPerf writes it, schema version 1.4.
//!
//! Keys stand in AIPerf's order: its declared metrics, the run's facts, then every other metric.
//! What is absent is left out, never null; every number is a float but `count`; nothing that is not
//! finite is written. `loadgen_version` and `in_band_error_summary` are the keys of ours, beside our metrics.

use loadgen_core::ErrorDetail;
use loadgen_metrics::{Metric, MetricSummary, Stats, Summary};
use schemars::JsonSchema;
use serde::Serialize;

use crate::gpu::{TelemetryData, telemetry_data};
use crate::info::RunInfo;
use crate::keyed::Keyed;
use crate::phases::PhaseView;

/// The schema this file follows.
pub const SCHEMA_VERSION: &str = "1.4";

/// The AIPerf whose files these are; consumers test it.
pub const AIPERF_VERSION: &str = "0.13.0";

/// AIPerf's declared metrics: these come before the run's facts, in this order.
const DECLARED: [&str; 23] = [
    "request_throughput",
    "request_latency",
    "request_count",
    "time_to_first_token",
    "time_to_second_token",
    "inter_token_latency",
    "output_token_throughput",
    "output_token_throughput_per_user",
    "output_sequence_length",
    "input_sequence_length",
    "goodput",
    "good_request_count",
    "output_token_count",
    "reasoning_token_count",
    "inter_chunk_latency",
    "total_output_tokens",
    "total_reasoning_tokens",
    "benchmark_duration",
    "total_isl",
    "total_osl",
    "error_request_count",
    "error_isl",
    "total_error_isl",
];

/// The whole file. A metric is a key of its own, named by its tag.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(title = "profile_export_aiperf.json", extend("additionalProperties" = {"$ref": "#/$defs/MetricFigures"}))]
pub(crate) struct SummaryFile<'a> {
    /// Version of this schema.
    schema_version: &'static str,
    /// The AIPerf version whose format this is.
    aiperf_version: &'static str,
    /// The loadgen that wrote it.
    loadgen_version: &'a str,
    /// The run's id.
    benchmark_id: &'a str,
    #[serde(flatten)]
    #[schemars(skip)]
    declared: Keyed<MetricFigures>,
    /// GPU telemetry; absent when it was turned off.
    #[serde(skip_serializing_if = "Option::is_none")]
    telemetry_data: Option<TelemetryData>,
    /// The configuration as the user set it.
    input_config: &'a serde_json::Map<String, serde_json::Value>,
    /// What ran.
    run_info: RunFacts<'a>,
    /// Whether the user cut the run short.
    was_cancelled: bool,
    /// Whether these are the results of the whole run.
    is_complete: bool,
    /// Why they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete_reason: Option<&'a str>,
    /// Errors grouped by code, type and message.
    error_summary: Vec<ErrorGroup<'a>>,
    /// Errors that servers told of inside responses which count as successes; a key of ours.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    in_band_error_summary: Vec<ErrorGroup<'a>>,
    /// Start of the measured phase: local time without a zone.
    start_time: String,
    /// End of the measured phase's last request.
    end_time: String,
    /// The warm-up's metrics by tag.
    #[serde(skip_serializing_if = "Keyed::is_empty")]
    #[schemars(with = "std::collections::BTreeMap<String, MetricFigures>")]
    warmup_metrics: Keyed<MetricFigures>,
    /// How many steps of speculative decoding accepted so many drafts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pooled_spec_decode_acceptance_histogram: Option<&'a std::collections::BTreeMap<u32, u64>>,
    #[serde(flatten)]
    #[schemars(skip)]
    others: Keyed<MetricFigures>,
}

/// One metric's figures in its display unit; which of them exist depends on the metric.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub(crate) struct MetricFigures {
    /// The display unit.
    unit: &'static str,
    /// Mean, or the figure itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    avg: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p5: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p10: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p25: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p75: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p90: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p95: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    /// Population standard deviation.
    #[serde(skip_serializing_if = "Option::is_none")]
    std: Option<f64>,
    /// Number of samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<f64>,
}

impl MetricFigures {
    fn new(metric: &Metric, stats: &Stats) -> Self {
        let finite = |value: Option<f64>| value.filter(|v| v.is_finite());
        let [p1, p5, p10, p25, p50, p75, p90, p95, p99] = stats.percentiles.map(finite);
        Self {
            unit: metric.unit.label(),
            avg: finite(stats.avg),
            p1,
            p5,
            p10,
            p25,
            p50,
            p75,
            p90,
            p95,
            p99,
            min: finite(stats.min),
            max: finite(stats.max),
            std: finite(stats.std),
            count: stats.count,
            sum: finite(stats.sum),
        }
    }

    /// Whether nothing but the unit is left: such a metric is left out.
    fn is_empty(&self) -> bool {
        let figures = [self.avg, self.p1, self.p50, self.min, self.max, self.std, self.sum];
        figures.iter().all(Option::is_none) && self.count.is_none()
    }
}

/// What ran.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct RunFacts<'a> {
    benchmark_id: &'a str,
    /// Identifies the experiment that the run is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep_id: Option<&'a str>,
    /// The root seed; absent when the user gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    random_seed: Option<u64>,
    /// Number of the run within a multi-run, from 0.
    trial: u32,
    /// What the run is called within the experiment.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_label: Option<&'a str>,
    /// What sets its variation apart; `base` where nothing is swept.
    #[serde(skip_serializing_if = "Option::is_none")]
    variation_label: Option<&'a str>,
    /// Number of the variation, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    variation_index: Option<usize>,
    /// The values that set it apart, by their path.
    #[serde(skip_serializing_if = "Option::is_none")]
    variation_values: Option<&'a serde_json::Map<String, serde_json::Value>>,
    /// The command line, secrets removed.
    cli_command: &'a str,
}

/// Equal errors and how often they came.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ErrorGroup<'a> {
    error_details: ErrorFacts<'a>,
    count: u64,
}

/// One error, in AIPerf's terms. Also the `error` of a per-request record.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ErrorFacts<'a> {
    /// The HTTP status, 499 for a planned cancellation; absent where no code applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    /// The class of the error.
    #[serde(rename = "type")]
    error_type: &'a str,
    /// What was said.
    message: &'a str,
    /// The underlying cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    /// The chain of causes, outermost first.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    cause_chain: &'a [String],
}

impl<'a> From<&'a ErrorDetail> for ErrorFacts<'a> {
    fn from(error: &'a ErrorDetail) -> Self {
        Self {
            code: error.code,
            error_type: &error.error_type,
            message: &error.message,
            cause: error.cause.as_deref(),
            cause_chain: &error.cause_chain,
        }
    }
}

/// The file's text: two spaces a level, no newline at its end.
pub fn summary_json(summary: &Summary, info: &RunInfo) -> String {
    let phases = PhaseView::of(summary);
    let measured = phases.last().expect("there is a measured phase");
    let file = SummaryFile {
        telemetry_data: info
            .gpu
            .as_ref()
            .map(|gpu| telemetry_data(gpu, (summary.window.start, summary.window.end), info)),
        in_band_error_summary: groups(&summary.in_band_errors),
        warmup_metrics: by_tag(&summary.warmup_metrics),
        pooled_spec_decode_acceptance_histogram: Some(&summary.acceptance_histogram)
            .filter(|histogram| !histogram.is_empty()),
        ..of_phase(measured, info)
    };
    text(&file)
}

/// The text of one phase's own file: the same, without telemetry and the warm-up.
pub fn phase_json(phase: &PhaseView<'_>, info: &RunInfo) -> String {
    text(&of_phase(phase, info))
}

fn text(file: &SummaryFile<'_>) -> String {
    serde_json::to_string_pretty(file).expect("text keys and finite numbers always serialize")
}

fn of_phase<'a>(phase: &PhaseView<'a>, info: &'a RunInfo) -> SummaryFile<'a> {
    let (declared, others) = by_tag(phase.metrics).split(&DECLARED);
    SummaryFile {
        schema_version: SCHEMA_VERSION,
        aiperf_version: AIPERF_VERSION,
        loadgen_version: &info.loadgen_version,
        benchmark_id: &info.benchmark_id,
        telemetry_data: None,
        input_config: &info.input_config,
        run_info: run_facts(info),
        was_cancelled: info.was_cancelled,
        is_complete: info.incomplete_reason.is_none(),
        incomplete_reason: info.incomplete_reason.as_deref(),
        error_summary: groups(phase.errors),
        in_band_error_summary: Vec::new(),
        start_time: info.local_time(phase.window.start),
        end_time: info.local_time(phase.window.end),
        warmup_metrics: by_tag(&[]),
        pooled_spec_decode_acceptance_histogram: None,
        declared,
        others,
    }
}

pub(crate) fn groups(errors: &[(ErrorDetail, u64)]) -> Vec<ErrorGroup<'_>> {
    errors.iter().map(|(error, count)| ErrorGroup { error_details: error.into(), count: *count }).collect()
}

fn run_facts(info: &RunInfo) -> RunFacts<'_> {
    let experiment = info.experiment.as_ref();
    RunFacts {
        benchmark_id: &info.benchmark_id,
        sweep_id: experiment.map(|run| run.sweep_id.as_str()),
        random_seed: info.random_seed,
        trial: experiment.map_or(0, |run| run.trial),
        run_label: experiment.map(|run| run.run_label.as_str()),
        variation_label: experiment.map(|run| run.variation_label.as_str()),
        variation_index: experiment.map(|run| run.variation_index),
        variation_values: experiment.map(|run| &run.variation_values),
        cli_command: &info.cli_command,
    }
}

pub(crate) fn by_tag(metrics: &[MetricSummary]) -> Keyed<MetricFigures> {
    metrics
        .iter()
        .map(|m| (m.metric.tag, MetricFigures::new(m.metric, &m.stats)))
        .filter(|(_, figures)| !figures.is_empty())
        .collect()
}
