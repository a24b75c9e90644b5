//! What a run is to do, resolved: every choice made, nothing left to look up.

use std::path::PathBuf;

use loadgen_core::{CaptureScope, Seed};
use loadgen_engine::{Cancellation, Policy};
use loadgen_metrics::{CeilingCited, MetricConfig, SloSet, Thresholds};
use loadgen_report::ExperimentRun;
use loadgen_schedule::{ArrivalProcess, StopCondition};
use loadgen_tokens::{Tokenizer, TokenizerError, TokenizerSource};
use loadgen_wire::{ConnectorConfig, EndpointConfig, EndpointKind, Target};
use loadgen_workload::WorkloadConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifacts::Artifacts;
use crate::progress::Level;
use crate::telemetry::{TelemetryPlan, TelemetryReport};

/// A run, resolved.
#[derive(Debug)]
pub struct RunPlan {
    /// The part that outlives the run: what reporting it needs.
    pub report: ReportPlan,
    /// How requests are made. Holds secrets; never stored.
    pub endpoint: EndpointConfig,
    /// The servers; requests of a session stay with one.
    pub targets: Vec<Target>,
    /// How connections are made.
    pub connector: ConnectorConfig,
    /// What is sent.
    pub workload: WorkloadConfig,
    /// Load before the measured one, if any.
    pub warmup: Option<PhaseLoad>,
    /// The measured load.
    pub profiling: PhaseLoad,
    /// Requests of the measured load that are given up on purpose.
    pub cancellation: Option<Cancellation>,
    /// What holds beside the load: catching up, ceilings, how long connections live.
    pub policy: Policy,
    /// At most this many workers; `None`: one for each core available.
    pub workers: Option<usize>,
    /// Requests are given up after this long, ns; `None` never.
    pub request_timeout_ns: Option<i64>,
    /// How long an interrupted run waits for what is in flight, ns.
    pub drain_on_interrupt_ns: i64,
    /// Facts that the user declares.
    pub declarations: Vec<(String, String)>,
    /// Files that describe the deployment.
    pub attachments: Vec<PathBuf>,
    /// What was said of the plan before the run, for its log.
    pub remarks: Vec<(Level, String)>,
    /// What the server is, where the plan knows (the built-in mock server).
    pub server_kind: Option<String>,
    /// What is to go on beside the load.
    pub telemetry: TelemetryPlan,
}

/// Load of one phase.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseLoad {
    /// How it is offered.
    pub shape: LoadShape,
    /// When it ends.
    pub stop: StopCondition,
    /// Requests before their first token at once.
    pub prefill: Option<u32>,
}

/// How load is offered.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadShape {
    /// At the dataset's own times.
    FixedSchedule {
        /// At most so many sessions at once; the others wait.
        cap: Option<u32>,
    },
    /// By an arrival process.
    Rate {
        /// Which.
        process: ArrivalProcess,
        /// At most so many sessions at once; ticks that find no room are skipped.
        cap: Option<u32>,
    },
    /// So many at a time, each followed by the next.
    Closed {
        /// How many.
        concurrency: u32,
    },
}

/// What reporting a run needs: kept in the journal, so that a report can be made again from the
/// folder alone. Holds no secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReportPlan {
    /// Where the files are.
    pub artifacts: Artifacts,
    /// Identifies the run: 12 hex digits, 32 for a run of an experiment.
    pub benchmark_id: String,
    /// Which run of an experiment this is; `None` for a run of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<ExperimentRun>,
    /// The command line, secrets removed.
    pub command_line: String,
    /// The configuration as AIPerf echoes it.
    pub input_config: Value,
    /// The seed that the user gave.
    pub random_seed: Option<u64>,
    /// The seed that was used.
    pub seed: u64,
    /// Models asked.
    pub models: Vec<String>,
    /// The servers, secrets removed.
    pub urls: Vec<String>,
    /// The load, for people: `20 requests/s, poisson` and the like.
    pub load_in_words: String,
    /// What is sent, for people.
    pub workload_in_words: String,
    /// Which endpoint.
    pub endpoint: EndpointKind,
    /// Whether responses were asked for as streams.
    pub streaming: bool,
    /// Targets of good requests, as the user wrote them.
    pub goodput: Option<String>,
    /// Whether the server's token counts are used.
    pub server_token_counts: bool,
    /// Whether the dataset's own times are followed.
    pub fixed_schedule: bool,
    /// Whether requests are sent to warm the server first.
    pub has_warmup: bool,
    /// Whether a cap lets the schedule's arrivals wait for a slot, or a ceiling holds them back, so that
    /// waiting is not the client's doing.
    pub waits_for_slots: bool,
    /// Whether requests wait for earlier replies, as in a closed load, so that a slow server slows the
    /// schedule.
    #[serde(default)]
    pub waits_for_replies: bool,
    /// This host's measured ceiling; `None` when it is not known, or is to be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<CeilingCited>,
    /// The tokenizer's file; `None` is the builtin one.
    pub tokenizer_file: Option<PathBuf>,
    /// The tokenizer's name.
    pub tokenizer_name: String,
    /// Whether prompts are counted in the model's chat template.
    #[serde(default)]
    pub apply_chat_template: bool,
    /// The share of failed requests above which the run is a failure.
    pub failed_request_threshold: Option<f64>,
    /// Which files are wanted.
    pub outputs: Outputs,
    /// GenAI-Perf's echo of its configuration, where its files are wanted in place of AIPerf's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genai_perf: Option<Value>,
    /// What reporting needs to know of what went on beside the load.
    #[serde(default)]
    pub telemetry: TelemetryReport,
    /// A round trip to the servers, ms, that the user says latencies are to be shown without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_latency_mean_ms: Option<f64>,
    /// Length of the slices of time whose figures are wanted, ns; `None` without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice_duration_ns: Option<i64>,
    /// From where on token counts disagree.
    #[serde(default)]
    pub thresholds: Thresholds,
}

/// Which files are wanted beside the summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The per-request lines.
    pub records: bool,
    /// The Parquet file.
    pub parquet: bool,
    /// The page.
    pub html: bool,
    /// AIPerf's (empty) GPU sections.
    pub gpu_sections: bool,
    /// The raw lines: what was sent and what came.
    #[serde(default)]
    pub raw: bool,
    /// What was seen of the connections, in the per-request lines.
    #[serde(default)]
    pub http_trace: bool,
    /// The file of answers.
    #[serde(default)]
    pub answers: bool,
    /// The console's table of HTTP timings.
    #[serde(default)]
    pub trace_timing: bool,
}

impl Outputs {
    /// What has to be kept of exchanges for them.
    pub fn capture(&self) -> CaptureScope {
        CaptureScope { bodies: self.raw, trace: self.http_trace }
    }
}

impl ReportPlan {
    /// The root of everything random.
    pub fn root(&self) -> Seed {
        Seed(self.seed)
    }

    /// Loads the tokenizer, with its chat template where prompts are counted in it.
    pub fn load_tokenizer(&self) -> Result<Tokenizer, TokenizerError> {
        let source = self.tokenizer();
        if self.apply_chat_template {
            Tokenizer::load_with_template(&source)
        } else {
            Tokenizer::load(&source)
        }
    }

    /// Where the tokenizer comes from.
    pub fn tokenizer(&self) -> TokenizerSource {
        self.tokenizer_file.clone().map_or(TokenizerSource::Builtin, TokenizerSource::File)
    }

    /// Which metrics the run can have.
    pub fn metric_config(&self) -> Result<MetricConfig, loadgen_metrics::SloError> {
        let facts = self.endpoint.facts();
        let mut config = MetricConfig {
            streaming: self.streaming,
            produces_tokens: facts.produces_tokens,
            tokenizes_input: facts.tokenizes_input,
            server_token_counts: self.server_token_counts,
            fixed_schedule: self.fixed_schedule,
            slos: SloSet::default(),
            thresholds: self.thresholds,
        };
        if let Some(goodput) = &self.goodput {
            config.slos = SloSet::parse(goodput, &config)?;
        }
        Ok(config)
    }
}
