//! AIPerf's options, one entry each, in AIPerf's groups and order.
//!
//! To make an option work: define it in `crate::args` with all its spellings, and turn its entry here into
//! `works(…)`. A test compares the two, and the whole with AIPerf's list (`aiperf-0.13-options.json`).

use super::Takes::{Each, One, Several, Switch};
use super::{Flag, Group, no_effect, not_yet, refused, works};

const ONE_PROCESS: &str = "loadgen is one process with threads";
const NO_CODE: &str = "no code from the hub is ever run: loadgen reads tokenizer.json";

const HOSTED_DATASETS: &str = "download the dataset and give its rows with --input-file";
const TRACE_PACING: &str = "replay a mooncake_trace, whose rows have times and delays";
const WEKA: &str = "Weka traces cannot be read: replay a mooncake_trace";
const SCALING: &str = "scale the trace before the run; --synthesis-speedup-ratio, -max-isl and -max-osl work";
const VIDEO: &str = "videos cannot be made or sent: send text, images or audio";
const RAMP: &str = "run twice, or let the rate swing with --request-rate-sinusoid";
const AGENTIC: &str = "agentic replay is not there: replay a mooncake_trace with sessions";
const USERS: &str = "pace requests with --request-rate, or keep sessions alive with --concurrency";
const SCENARIO: &str = "give the scenario's own options";
const ACCURACY: &str = "loadgen measures speed: grade answers with lm-evaluation-harness";
const SEARCH: &str = "give the points yourself as a list: --concurrency 1,2,4,8";
const SINKS: &str = "upload the run's folder when it ends: its files are complete";
const PLOTS: &str = "run `aiperf plot` on the run's folder, or open its report.html";
const LIVE_API: &str = "read the lines on standard error";

/// Every option.
pub(super) const GROUPS: &[Group] = &[
    Group { name: "Endpoint", flags: ENDPOINT },
    Group { name: "Tokenizer", flags: TOKENIZER },
    Group { name: "Input", flags: INPUT },
    Group { name: "Fixed Schedule", flags: FIXED_SCHEDULE },
    Group { name: "Goodput", flags: &[works("--goodput", Several)] },
    Group { name: "Conversation Input", flags: CONVERSATION },
    Group { name: "Prompt", flags: PROMPT },
    Group { name: "Cache Bust", flags: CACHE_BUST },
    Group { name: "Prefix Prompt", flags: PREFIX },
    Group { name: "Input Sequence Length (ISL)", flags: ISL },
    Group { name: "Output Sequence Length (OSL)", flags: OSL },
    Group { name: "Audio Input", flags: AUDIO },
    Group { name: "Image Input", flags: IMAGE },
    Group { name: "Video Input", flags: VIDEO_INPUT },
    Group { name: "Rankings", flags: RANKINGS_INPUT },
    Group { name: "Synthesis", flags: SYNTHESIS },
    Group { name: "Load Generator", flags: LOAD },
    Group { name: "Scenario", flags: SCENARIOS },
    Group { name: "Warmup", flags: WARMUP },
    Group { name: "User-Centric Rate", flags: USER_CENTRIC },
    Group { name: "Request Cancellation", flags: CANCELLATION },
    Group { name: "Output", flags: OUTPUT },
    Group { name: "HTTP Trace", flags: HTTP_TRACE },
    Group { name: "Server Metrics", flags: SERVER_METRICS },
    Group { name: "Network Latency", flags: NETWORK_LATENCY },
    Group { name: "GPU Telemetry", flags: GPU_TELEMETRY },
    Group { name: "UI", flags: &[works("--ui-type --ui", One)] },
    Group { name: "Multi-Run", flags: MULTI_RUN },
    Group { name: "Accuracy", flags: ACCURACY_OPTIONS },
    Group { name: "Service", flags: SERVICE },
    Group { name: "Workers", flags: &[works("--workers-max --max-workers", One)] },
    Group { name: "ZMQ Communication", flags: ZMQ },
];

const ENDPOINT: &[Flag] = &[
    works("--model-names --model -m", Each),
    works("--model-selection-strategy", One),
    works("--custom-endpoint --endpoint", One),
    works("--endpoint-type", One),
    works("--streaming", Switch),
    works("--url -u", Several),
    works("--url-strategy", One),
    works("--request-timeout-seconds", One),
    works("--wait-for-model-timeout", One),
    works("--wait-for-model-mode", One),
    works("--wait-for-model-interval", One),
    works("--reset-kv-cache", Switch),
    works("--reset-kv-cache-timeout-seconds", One),
    works("--reset-kv-cache-path", One),
    works("--server-profiler", Switch),
    works("--server-profiler-timeout-seconds", One),
    works("--server-profiler-start-path", One),
    works("--server-profiler-stop-path", One),
    works("--api-key", One),
    works("--transport --transport-type", One),
    works("--use-legacy-max-tokens", Switch),
    works("--use-server-token-count", Switch),
    works("--per-chunk-usage", Switch),
    works("--connection-reuse-strategy", One),
    not_yet("--download-video-content", Switch, VIDEO),
    works("--request-content-type", One),
    works("--session-header", One),
    not_yet("--uuid-and-strip", Switch, "media are sent in full each time"),
];

const TOKENIZER: &[Flag] = &[
    works("--tokenizer", One),
    works("--tokenizer-revision", One),
    no_effect("--tokenizer-trust-remote-code", Switch, NO_CODE),
    works("--apply-chat-template", Switch),
];

const INPUT: &[Flag] = &[
    works("--extra-inputs", Several),
    works("--header -H", Several),
    works("--input-file", One),
    not_yet("--public-dataset", One, HOSTED_DATASETS),
    not_yet("--hf-subset", One, HOSTED_DATASETS),
    not_yet("--hf-weka-dataset", One, HOSTED_DATASETS),
    not_yet("--dataset-filter", Several, HOSTED_DATASETS),
    works("--custom-dataset-type", One),
    not_yet("--ignore-trace-delays", Switch, TRACE_PACING),
    not_yet("--use-think-time-only", Switch, TRACE_PACING),
    not_yet("--max-context-length", One, WEKA),
    works("--dataset-sampling-strategy", One),
    not_yet("--allow-dataset-wrap !--no-allow-dataset-wrap", Switch, "synthetic prompts wrap, traces end"),
    works("--random-seed", One),
    not_yet("--trace-session-sample-ratio", One, "leave rows out of the file"),
    works("--config -f", One),
];

const FIXED_SCHEDULE: &[Flag] = &[
    works("--fixed-schedule", Switch),
    works("--no-fixed-schedule", Switch),
    works("--fixed-schedule-auto-offset", Switch),
    works("--fixed-schedule-start-offset", One),
    works("--fixed-schedule-end-offset", One),
];

const CONVERSATION: &[Flag] = &[
    works("--conversation-num --num-conversations --num-sessions", One),
    works("--num-dataset-entries --num-prompts", One),
    works("--conversation-turn-mean --session-turns-mean", One),
    works("--conversation-turn-stddev --session-turns-stddev", One),
    works("--conversation-turn-delay-mean --session-turn-delay-mean", One),
    works("--conversation-turn-delay-stddev --session-turn-delay-stddev", One),
    works("--conversation-turn-delay-ratio --session-delay-ratio", One),
    works("--inter-turn-delay-cap-seconds", One),
    not_yet("--max-idle-gap-cap-seconds", One, TRACE_PACING),
    not_yet("--replay-speedup", One, "for mooncake traces there is --synthesis-speedup-ratio"),
    not_yet("--open-loop-replay !--no-open-loop-replay", Switch, TRACE_PACING).on_by_default(),
    not_yet("--open-loop-strict", Switch, "--catch-up fail ends a run that falls behind its schedule"),
    not_yet("--omit-kv-hints", Switch, "hints are never sent: leave it out"),
    not_yet("--force-min-tokens !--no-force-min-tokens", Switch, "give --extra-inputs min_tokens:N")
        .on_by_default(),
];

const PROMPT: &[Flag] = &[
    works("--prompt-batch-size --batch-size-text --batch-size -b", One),
    not_yet("--prompt-corpus", One, "prompts are made of loadgen's own corpus").but_for(&["sonnet"]),
];

const CACHE_BUST: &[Flag] =
    &[not_yet("--cache-bust", One, "synthetic prompts differ from the first token on").but_for(&["none"])];

const PREFIX: &[Flag] = &[
    works("--system-prompt", One),
    works("--system-prompt-file", One),
    works("--prompt-prefix-pool-size --prefix-prompt-pool-size --num-prefix-prompts", One),
    works("--prompt-prefix-length --prefix-prompt-length", One),
    works("--shared-system-prompt-length", One),
    works("--user-context-prompt-length", One),
];

const ISL: &[Flag] = &[
    works("--prompt-input-tokens-mean --synthetic-input-tokens-mean --isl", One),
    works("--prompt-input-tokens-stddev --synthetic-input-tokens-stddev --isl-stddev", One),
    works("--prompt-input-tokens-block-size --synthetic-input-tokens-block-size --isl-block-size", One),
    works("--seq-dist --sequence-distribution", One),
    works("--random-range-ratio", One),
    works("--random-corpus-style", One),
];

const OSL: &[Flag] = &[
    works("--prompt-output-tokens-mean --output-tokens-mean --osl", One),
    works("--prompt-output-tokens-stddev --output-tokens-stddev --osl-stddev", One),
];

const AUDIO: &[Flag] = &[
    works("--audio-batch-size --batch-size-audio", One),
    works("--audio-length-mean", One),
    works("--audio-length-stddev", One),
    works("--audio-format", One),
    works("--audio-depths", Each),
    works("--audio-sample-rates", Each),
    works("--audio-num-channels", One),
];

const IMAGE: &[Flag] = &[
    works("--image-width-mean", One),
    works("--image-width-stddev", One),
    works("--image-height-mean", One),
    works("--image-height-stddev", One),
    works("--image-batch-size --batch-size-image", One),
    works("--image-format", One),
    works("--image-source", One),
    works("--image-source-sampling", One),
];

const VIDEO_INPUT: &[Flag] = &[
    not_yet("--video-batch-size --batch-size-video", One, VIDEO).but_for(&["0"]),
    not_yet("--video-duration", One, VIDEO).but_for(&["0"]),
    not_yet("--video-fps", One, VIDEO),
    not_yet("--video-width", One, VIDEO),
    not_yet("--video-height", One, VIDEO),
    not_yet("--video-synth-type", One, VIDEO),
    not_yet("--video-format", One, VIDEO),
    not_yet("--video-codec", One, VIDEO),
    not_yet("--video-audio-sample-rate", One, VIDEO),
    not_yet("--video-audio-num-channels", One, VIDEO).but_for(&["0"]),
    not_yet("--video-audio-codec", One, VIDEO),
    not_yet("--video-audio-depth", One, VIDEO),
];

const RANKINGS_INPUT: &[Flag] = &[
    works("--rankings-passages-mean", One),
    works("--rankings-passages-stddev", One),
    works("--rankings-passages-prompt-token-mean", One),
    works("--rankings-passages-prompt-token-stddev", One),
    works("--rankings-query-prompt-token-mean", One),
    works("--rankings-query-prompt-token-stddev", One),
];

const SYNTHESIS: &[Flag] = &[
    works("--synthesis-speedup-ratio", One),
    not_yet("--synthesis-prefix-len-multiplier", One, SCALING).but_for(&["1", "1.0"]),
    not_yet("--synthesis-prefix-root-multiplier", One, SCALING).but_for(&["1"]),
    not_yet("--synthesis-prompt-len-multiplier", One, SCALING).but_for(&["1", "1.0"]),
    not_yet("--synthesis-output-len-multiplier", One, SCALING).but_for(&["1", "1.0"]),
    works("--synthesis-max-isl", One),
    works("--synthesis-max-osl", One),
];

const LOAD: &[Flag] = &[
    works("--benchmark-duration", One),
    works("--benchmark-grace-period", One),
    works("--concurrency", One),
    works("--prefill-concurrency", One),
    works("--request-rate", One),
    works("--arrival-pattern --request-rate-mode", One),
    works("--arrival-smoothness --vllm-burstiness", One),
    works("--request-count --num-requests", One),
    not_yet("--concurrency-ramp-duration", One, RAMP),
    not_yet("--prefill-concurrency-ramp-duration", One, RAMP),
    not_yet("--request-rate-ramp-duration", One, RAMP),
    not_yet("--request-rate-series", One, "let the rate swing with --request-rate-sinusoid"),
    works("--failed-request-threshold", One),
    not_yet("--trajectory-start-min-ratio", One, AGENTIC),
    not_yet("--trajectory-start-max-ratio", One, AGENTIC),
    not_yet("--burst-phase-starts", Switch, AGENTIC),
    not_yet("--trace-idle-gap-cap-seconds", One, AGENTIC),
    not_yet("--system-idle-gap-cap-seconds", One, AGENTIC),
];

const SCENARIOS: &[Flag] =
    &[not_yet("--scenario", One, SCENARIO), not_yet("--unsafe-override", Switch, SCENARIO)];

const WARMUP: &[Flag] = &[
    works("--warmup-request-count --num-warmup-requests", One),
    works("--warmup-duration", One),
    not_yet("--agentic-cache-warmup-duration", One, AGENTIC),
    not_yet("--agentic-warmup-grace-period", One, AGENTIC),
    works("--num-warmup-sessions", One),
    works("--warmup-concurrency", One),
    works("--warmup-prefill-concurrency", One),
    works("--warmup-request-rate", One),
    works("--warmup-arrival-pattern", One),
    works("--warmup-grace-period", One),
    not_yet("--warmup-concurrency-ramp-duration", One, RAMP),
    not_yet("--warmup-prefill-concurrency-ramp-duration", One, RAMP),
    not_yet("--warmup-request-rate-ramp-duration", One, RAMP),
];

const USER_CENTRIC: &[Flag] =
    &[not_yet("--user-centric-rate", One, USERS), not_yet("--num-users", One, USERS)];

const CANCELLATION: &[Flag] =
    &[works("--request-cancellation-rate", One), works("--request-cancellation-delay", One)];

const OUTPUT: &[Flag] = &[
    works("--output-artifact-dir --artifact-dir", One),
    works("--profile-export-prefix --profile-export-file", One),
    works("--export-level --profile-export-level", One),
    works("--slice-duration", One),
    refused("--auto-plot !--no-auto-plot", Switch, "loadgen draws its own page, report.html", PLOTS),
    refused("--plot-required", Switch, "loadgen draws its own page, report.html", PLOTS),
    works("--export-outputs-json", Switch),
    not_yet("--otel-url", One, SINKS),
    not_yet("--stream", Several, SINKS),
    not_yet("--otel-resource-attributes", Several, SINKS),
    not_yet("--gen-ai-provider", One, SINKS),
    not_yet("--mlflow-tracking-uri", One, SINKS),
    not_yet("--mlflow-experiment", One, SINKS),
    not_yet("--mlflow-run-name", One, SINKS),
    not_yet("--mlflow-tag", Several, SINKS),
    not_yet("--mlflow-parent-run-id", One, SINKS),
    not_yet("--mlflow-artifact-glob", Several, SINKS),
    not_yet("--wandb-project", One, SINKS),
    not_yet("--wandb-entity", One, SINKS),
    not_yet("--wandb-run-name", One, SINKS),
    not_yet("--wandb-tag", Several, SINKS),
];

const HTTP_TRACE: &[Flag] = &[works("--export-http-trace", Switch), works("--show-trace-timing", Switch)];

const SERVER_METRICS: &[Flag] = &[
    works("--server-metrics", Several),
    works("--no-server-metrics", Switch),
    works("--server-metrics-formats", Several),
];

const NETWORK_LATENCY: &[Flag] = &[
    works("--network-latency-automatic", Switch),
    works("--network-latency-mean", One),
    works("--network-latency-ping-interval", One),
];

const GPU_TELEMETRY: &[Flag] = &[works("--gpu-telemetry", Several), works("--no-gpu-telemetry", Switch)];

const MULTI_RUN: &[Flag] = &[
    works("--num-profile-runs", One),
    works("--profile-run-cooldown-seconds", One),
    works("--confidence-level", One),
    works("--profile-run-disable-warmup-after-first !--no-profile-run-disable-warmup-after-first", Switch),
    works("--set-consistent-seed !--no-set-consistent-seed", Switch),
    works("--vary-seed-per-trial !--no-vary-seed-per-trial", Switch),
    works("--convergence-metric", One),
    works("--convergence-stat", One),
    works("--convergence-threshold", One),
    works("--convergence-mode", One),
    works("--parameter-sweep-cooldown-seconds", One),
    works("--parameter-sweep-same-seed !--no-parameter-sweep-same-seed", Switch),
    works("--parameter-sweep-mode", One),
    works("--sweep-type", One),
    works("--no-sweep-table", Switch),
    not_yet("--search-space", Each, SEARCH),
    not_yet("--search-metric", One, SEARCH),
    not_yet("--search-stat", One, SEARCH),
    not_yet("--search-direction", One, SEARCH),
    not_yet("--search-max-iterations", One, SEARCH),
    not_yet("--search-initial-points", One, SEARCH),
    not_yet("--search-random-seed", One, SEARCH),
    not_yet("--search-planner", One, SEARCH),
    not_yet("--optuna-sampler", One, SEARCH),
    not_yet("--optuna-acquisition", One, SEARCH),
    not_yet("--optuna-terminator", One, SEARCH),
    not_yet("--search-percentile-pooling", One, SEARCH),
    not_yet("--bo-constraint-mode", One, SEARCH),
    works("--variant --sweep-variant", Each),
    not_yet("--search-sla", Each, SEARCH),
    not_yet("--search-sla-tier", Each, SEARCH),
    not_yet("--search-recipe", One, SEARCH),
    not_yet("--ttft-sla-ms", One, SEARCH),
    not_yet("--isl-osl-pairs", One, SEARCH),
    not_yet("--itl-sla-ms", One, SEARCH),
    not_yet("--tpot-sla-ms", One, SEARCH),
    not_yet("--e2e-sla-ms", One, SEARCH),
    not_yet("--error-rate-sla", One, SEARCH),
    not_yet("--slo-attainment-fraction", One, SEARCH),
    not_yet("--search-style", One, SEARCH),
    not_yet("--degradation-threshold", One, SEARCH),
    not_yet("--degradation-metric-tag", One, SEARCH),
    not_yet("--degradation-stat", One, SEARCH),
    not_yet("--isl-min", One, SEARCH),
    not_yet("--isl-max", One, SEARCH),
    not_yet("--isl-steps", One, SEARCH),
    not_yet("--concurrency-min", One, SEARCH),
    not_yet("--concurrency-max", One, SEARCH),
    not_yet("--concurrency-steps", One, SEARCH),
    not_yet("--osl-min", One, SEARCH),
    not_yet("--osl-max", One, SEARCH),
    not_yet("--osl-steps", One, SEARCH),
];

const ACCURACY_OPTIONS: &[Flag] = &[
    not_yet("--accuracy-benchmark", One, ACCURACY),
    not_yet("--accuracy-tasks", Each, ACCURACY),
    not_yet("--accuracy-n-shots", One, ACCURACY),
    not_yet("--accuracy-enable-cot !--accuracy-no-enable-cot", Switch, ACCURACY),
    not_yet("--accuracy-grader", One, ACCURACY),
    not_yet("--accuracy-system-prompt", One, ACCURACY),
    not_yet("--accuracy-verbose", Switch, ACCURACY),
];

const SERVICE: &[Flag] = &[
    works("--log-level", One),
    works("--verbose -v", Switch),
    works("--extra-verbose -vv", Switch),
    no_effect("--record-processor-service-count --record-processors", One, ONE_PROCESS),
    not_yet("--api-port", One, LIVE_API),
    not_yet("--api-host", One, LIVE_API),
    works("--stats-interval", One),
];

const ZMQ: &[Flag] = &[
    no_effect("--zmq-host", One, ONE_PROCESS),
    no_effect("--zmq-ipc-path", One, ONE_PROCESS),
    no_effect("--zmq-dual-bind", Switch, ONE_PROCESS),
];
