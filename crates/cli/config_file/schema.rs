//! The keys of AIPerf's configuration file, version 2.0, and what becomes of each: data, no code.
//!
//! Names are in snake case, the only spelling behind [`super::normalise`]. A key that the options cannot say
//! is marked: without an effect here, or not built yet. Nothing is known and silently ignored.

use super::shape::{Key, Shape, either, idle, option, read, section, switch, unbuilt};

const MANY: i64 = i64::MAX;
const PLOTS: &str = "`aiperf plot` reads the run's folder, and draws what its own configuration says";
const CLUSTER: &str = "loadgen runs on this host, not on a cluster";
const ONE_PROCESS: &str = "loadgen is one process";
const SEARCH: &str = "give `sweep: {type: grid}` with the values to try";
const DRAWN: &str = "give a number, or {mean, stddev}";

/// The top level.
pub(super) const ENVELOPE: &[Key] = &[
    read("schema_version", Shape::Exact(&["2.0"])),
    section("benchmark", BENCHMARK),
    option("random_seed", Shape::Int(0, MANY), "--random-seed"),
    section("multi_run", MULTI_RUN),
    read("sweep", Shape::Any),
    read("variables", Shape::Free),
    idle("plot", Shape::Any, PLOTS),
    switch("no_sweep_table", "--no-sweep-table"),
];

/// What one run does.
pub(super) const BENCHMARK: &[Key] = &[
    read("models", Shape::Map(MODELS)),
    section("endpoint", ENDPOINT),
    read("datasets", Shape::List(&Shape::Any)),
    read("phases", Shape::List(&Shape::Any)),
    section("artifacts", ARTIFACTS),
    read("slos", Shape::Numbers),
    section("tokenizer", TOKENIZER),
    read("gpu_telemetry", Shape::TextOr(GPU_TELEMETRY)),
    read("server_metrics", Shape::TextOr(SERVER_METRICS)),
    read("network_latency", Shape::Map(NETWORK_LATENCY)),
    unbuilt("otel", Shape::Free, "read the run's JSON files"),
    unbuilt("mlflow", Shape::Free, "read the run's JSON files"),
    unbuilt("wandb", Shape::Free, "read the run's JSON files"),
    section("runtime", RUNTIME),
    section("logging", LOGGING),
    unbuilt("metrics", Shape::Free, "leave it out: every metric is computed"),
    unbuilt("accuracy", Shape::Free, "use an evaluation harness"),
    option("scenario", Shape::Text, "--scenario"),
    switch("unsafe_override", "--unsafe-override"),
];

const MODELS: &[Key] = &[
    option("strategy", Shape::Word(&["round_robin", "random", "weighted"]), "--model-selection-strategy"),
    read("items", Shape::List(&Shape::Map(MODEL))),
];

const MODEL: &[Key] = &[
    read("name", Shape::Text),
    read("weight", Shape::Share),
    unbuilt("lora", Shape::Text, "give the adapter's name as the model's"),
    unbuilt("modalities", Shape::List(&Shape::Text), "leave it out"),
    unbuilt("tokenizer", Shape::Free, "give benchmark.tokenizer"),
];

const ENDPOINT: &[Key] = &[
    option("urls", Shape::List(&Shape::Text), "--url"),
    option("url_strategy", Shape::Word(&["round_robin"]), "--url-strategy"),
    option("type", Shape::Text, "--endpoint-type"),
    option("path", Shape::Text, "--endpoint"),
    option("api_key", Shape::Text, "--api-key"),
    option("timeout", Shape::NonNegative, "--request-timeout-seconds"),
    switch("streaming", "--streaming"),
    option("transport", Shape::Word(&["http"]), "--transport"),
    option(
        "connection_reuse",
        Shape::Word(&["pooled", "never", "sticky_user_sessions"]),
        "--connection-reuse-strategy",
    ),
    switch("use_legacy_max_tokens", "--use-legacy-max-tokens"),
    switch("use_server_token_count", "--use-server-token-count"),
    switch("per_chunk_usage", "--per-chunk-usage"),
    read("template", Shape::Map(TEMPLATE)),
    read("headers", Shape::Free),
    read("extra", Shape::Free),
    switch("download_video_content", "--download-video-content"),
    option("request_content_type", Shape::Text, "--request-content-type"),
    option("session_header", Shape::Text, "--session-header"),
    switch("uuid_and_strip", "--uuid-and-strip"),
    option("wait_for_model_timeout", Shape::NonNegative, "--wait-for-model-timeout"),
    option("wait_for_model_interval", Shape::Positive, "--wait-for-model-interval"),
    option("wait_for_model_mode", Shape::Word(&["models", "inference", "both"]), "--wait-for-model-mode"),
    read("reset_kv_cache", Shape::SwitchOr(RESET_KV_CACHE)),
    read("server_profiler", Shape::SwitchOr(SERVER_PROFILER)),
];

const TEMPLATE: &[Key] = &[read("body", Shape::Text), read("response_field", Shape::Text)];

/// Below `reset_kv_cache`.
pub(super) const RESET_KV_CACHE: &[Key] = &[
    option("timeout_seconds", Shape::Positive, "--reset-kv-cache-timeout-seconds"),
    option("path", Shape::Text, "--reset-kv-cache-path"),
    read("max_retry_seconds", Shape::NonNegative),
];

/// Below `server_profiler`.
pub(super) const SERVER_PROFILER: &[Key] = &[
    option("timeout_seconds", Shape::Positive, "--server-profiler-timeout-seconds"),
    option("start_path", Shape::Text, "--server-profiler-start-path"),
    option("stop_path", Shape::Text, "--server-profiler-stop-path"),
];

const TOKENIZER: &[Key] = &[
    option("name", Shape::Text, "--tokenizer"),
    option("revision", Shape::Text, "--tokenizer-revision"),
    switch("trust_remote_code", "--tokenizer-trust-remote-code"),
    switch("apply_chat_template", "--apply-chat-template"),
];

const ARTIFACTS: &[Key] = &[
    option("dir", Shape::Text, "--artifact-dir"),
    option("prefix", Shape::Text, "--profile-export-prefix"),
    read("summary", Shape::FalseOr(&Shape::List(&Shape::Exact(&["json"])))),
    read("records", Shape::FalseOr(&Shape::List(&Shape::Exact(&["jsonl"])))),
    read("raw", Shape::Bool),
    switch("trace", "--export-http-trace"),
    option("slice_duration", Shape::Time, "--slice-duration"),
    switch("show_trace_timing", "--show-trace-timing"),
    unbuilt("user_files", Shape::List(&Shape::Any), "use --attach and --provenance"),
    switch("auto_plot", "--auto-plot"),
    switch("plot_required", "--plot-required"),
    switch("export_outputs_json", "--export-outputs-json"),
];

const GPU_TELEMETRY: &[Key] = &[
    read("enabled", Shape::Bool),
    read("url", Shape::OneOrMany(&Shape::Text)),
    read("urls", Shape::OneOrMany(&Shape::Text)),
    read("metrics_file", Shape::Text),
    read("collector", Shape::Word(&["dcgm", "pynvml", "amdsmi"])),
    read("mode", Shape::Word(&["summary", "realtime_dashboard"])),
];

const SERVER_METRICS: &[Key] = &[
    read("enabled", Shape::Bool),
    read("url", Shape::OneOrMany(&Shape::Text)),
    read("urls", Shape::OneOrMany(&Shape::Text)),
    option(
        "formats",
        Shape::List(&Shape::Word(&["json", "csv", "jsonl", "parquet"])),
        "--server-metrics-formats",
    ),
    idle("discovery", Shape::Map(DISCOVERY), CLUSTER),
];

const DISCOVERY: &[Key] = &[
    read("mode", Shape::Word(&["auto", "kubernetes", "disabled"])),
    read("label_selector", Shape::Text),
    read("namespace", Shape::Text),
    read("timeout_seconds", Shape::Positive),
];

const NETWORK_LATENCY: &[Key] = &[
    read("enabled", Shape::Bool),
    option("ping_interval", Shape::Positive, "--network-latency-ping-interval"),
    option("mean_ms", Shape::NonNegative, "--network-latency-mean"),
];

const RUNTIME: &[Key] = &[
    option("ui", Shape::Word(&["dashboard", "simple", "none"]), "--ui"),
    option("workers", Shape::Int(1, MANY), "--workers-max"),
    option("record_processors", Shape::Int(1, MANY), "--record-processors"),
    option("stats_interval", Shape::NonNegative, "--stats-interval"),
    option("api_port", Shape::Int(1, 65_535), "--api-port"),
    option("api_host", Shape::Text, "--api-host"),
    idle("communication", Shape::Free, ONE_PROCESS),
    idle("service_run_type", Shape::Word(&["multiprocessing", "kubernetes"]), ONE_PROCESS),
    idle("workers_min", Shape::Int(1, MANY), ONE_PROCESS),
    idle("workers_per_pod", Shape::Int(1, 100), CLUSTER),
    idle("record_processors_per_pod", Shape::Int(1, 100), CLUSTER),
    idle("dataset_api_base_url", Shape::Text, CLUSTER),
];

const LOGGING: &[Key] = &[option(
    "level",
    Shape::Word(&["trace", "debug", "info", "notice", "warning", "success", "error", "critical"]),
    "--log-level",
)];

const MULTI_RUN: &[Key] = &[
    option("num_runs", Shape::Int(1, 10), "--num-profile-runs"),
    option("cooldown_seconds", Shape::NonNegative, "--profile-run-cooldown-seconds"),
    option("confidence_level", Shape::Fraction, "--confidence-level"),
    either("set_consistent_seed", "--set-consistent-seed", "--no-set-consistent-seed"),
    either("vary_seed_per_trial", "--vary-seed-per-trial", "--no-vary-seed-per-trial"),
    either(
        "disable_warmup_after_first",
        "--profile-run-disable-warmup-after-first",
        "--no-profile-run-disable-warmup-after-first",
    ),
    section("convergence", CONVERGENCE),
];

const CONVERGENCE: &[Key] = &[
    option("metric", Shape::Text, "--convergence-metric"),
    option("stat", Shape::Word(&["avg", "p50", "p90", "p95", "p99", "min", "max"]), "--convergence-stat"),
    option("mode", Shape::Word(&["ci_width", "cv", "distribution"]), "--convergence-mode"),
    option("threshold", Shape::Fraction, "--convergence-threshold"),
    option("min_runs", Shape::Int(2, MANY), "--convergence-min-runs"),
];

/// A sweep of values, common to its types.
pub(super) const SWEEP: &[Key] = &[
    read("type", Shape::Word(&["grid", "zip", "scenarios", "sobol", "latin_hypercube", "adaptive_search"])),
    option("cooldown_seconds", Shape::NonNegative, "--parameter-sweep-cooldown-seconds"),
    option("iteration_order", Shape::Word(&["repeated", "independent"]), "--parameter-sweep-mode"),
    either("same_seed", "--parameter-sweep-same-seed", "--no-parameter-sweep-same-seed"),
    read("sla_filters", Shape::List(&Shape::Map(SLA_FILTER))),
    read("parameters", Shape::Free),
    read("runs", Shape::List(&Shape::Map(SCENARIO))),
    unbuilt("post_process", Shape::Any, SEARCH),
    unbuilt("recipe_name", Shape::Any, SEARCH),
];

/// A condition that a point of a sweep must meet.
pub(super) const SLA_FILTER: &[Key] = &[
    read("metric_tag", Shape::Text),
    read(
        "stat",
        Shape::Word(&["avg", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "min", "max"]),
    ),
    read("op", Shape::Word(&["lt", "le", "gt", "ge"])),
    read("threshold", Shape::NonNegative),
];

const SCENARIO: &[Key] = &[
    read("name", Shape::Text),
    read("benchmark", Shape::Free),
    read("variables", Shape::Free),
    read("values", Shape::Free),
];

/// A dataset of any type.
const DATASET_FORMATS: Shape = Shape::Text;
const CACHE_BUST: &[Key] = &[option("target", Shape::Text, "--cache-bust")];
const SAMPLING: Key =
    option("sampling", Shape::Word(&["sequential", "random", "shuffle"]), "--dataset-sampling-strategy");
const SYSTEM_PROMPT: Key = option("system_prompt", Shape::Text, "--system-prompt");
const SYSTEM_PROMPT_FILE: Key = option("system_prompt_file", Shape::Text, "--system-prompt-file");
const NAME: Key = read("name", Shape::Text);
const TYPE: Key = read("type", Shape::Text);
const SEED: Key = read("random_seed", Shape::Int(0, MANY));
const IGNORE_TRACE_DELAYS: Key = switch("ignore_trace_delays", "--ignore-trace-delays");
const USE_THINK_TIME: Key = switch("use_think_time_only", "--use-think-time-only");
const MAX_CONTEXT: Key = option("max_context_length", Shape::Int(1, MANY), "--max-context-length");
const TURN_DELAY_CAP: Key =
    option("inter_turn_delay_cap_seconds", Shape::NonNegative, "--inter-turn-delay-cap-seconds");
const TRACE_GAP_CAP: Key =
    option("trace_idle_gap_cap_seconds", Shape::NonNegative, "--trace-idle-gap-cap-seconds");
const PROMPT_SELECTION: &[Key] =
    &[option("corpus", Shape::Word(&["sonnet", "coding", "random"]), "--prompt-corpus")];

/// Prompts made up here.
pub(super) const SYNTHETIC: &[Key] = &[
    NAME,
    TYPE,
    SEED,
    SAMPLING,
    SYSTEM_PROMPT,
    SYSTEM_PROMPT_FILE,
    option("entries", Shape::Int(1, MANY), "--num-dataset-entries"),
    section("prompts", PROMPTS),
    section("prefix_prompts", PREFIX_PROMPTS),
    read("turns", Shape::Distribution),
    read("turn_delay", Shape::Distribution),
    option("turn_delay_ratio", Shape::NonNegative, "--conversation-turn-delay-ratio"),
    section("images", IMAGES),
    section("audio", AUDIO),
    section("video", VIDEO),
    section("rankings", RANKINGS),
];

const PROMPTS: &[Key] = &[
    read("isl", Shape::Distribution),
    read("osl", Shape::Distribution),
    option("block_size", Shape::Int(1, MANY), "--isl-block-size"),
    option("batch_size", Shape::Int(1, MANY), "--prompt-batch-size"),
    option("corpus", Shape::Word(&["sonnet", "coding", "random"]), "--prompt-corpus"),
    read("sequence_distribution", Shape::List(&Shape::Map(SEQUENCE))),
    option("random_range_ratio", Shape::Any, "--random-range-ratio"),
    option("random_corpus_style", Shape::Word(&["vllm", "sglang"]), "--random-corpus-style"),
    section("cache_bust", CACHE_BUST),
];

const SEQUENCE: &[Key] = &[
    read("isl", Shape::Int(1, MANY)),
    read("isl_stddev", Shape::NonNegative),
    read("osl", Shape::Int(1, MANY)),
    read("osl_stddev", Shape::NonNegative),
    read("probability", Shape::NonNegative),
];

const PREFIX_PROMPTS: &[Key] = &[
    option("pool_size", Shape::Int(1, MANY), "--num-prefix-prompts"),
    option("length", Shape::Int(1, MANY), "--prefix-prompt-length"),
    option("shared_system_length", Shape::Int(1, MANY), "--shared-system-prompt-length"),
    option("user_context_length", Shape::Int(1, MANY), "--user-context-prompt-length"),
];

const IMAGES: &[Key] = &[
    option("batch_size", Shape::Int(0, MANY), "--image-batch-size"),
    read("width", Shape::Distribution),
    read("height", Shape::Distribution),
    option("format", Shape::Word(&["png", "jpeg", "random"]), "--image-format"),
    option("source", Shape::Text, "--image-source"),
    option("source_sampling", Shape::Text, "--image-source-sampling"),
];

const AUDIO: &[Key] = &[
    option("batch_size", Shape::Int(0, MANY), "--audio-batch-size"),
    read("length", Shape::Distribution),
    option("format", Shape::Word(&["wav", "mp3"]), "--audio-format"),
    option("sample_rates", Shape::List(&Shape::Positive), "--audio-sample-rates"),
    option("depths", Shape::List(&Shape::Int(8, 32)), "--audio-depths"),
    option("channels", Shape::Int(1, 2), "--audio-num-channels"),
];

const VIDEO: &[Key] = &[
    option("batch_size", Shape::Int(0, MANY), "--video-batch-size"),
    option("duration", Shape::Positive, "--video-duration"),
    option("fps", Shape::Int(1, MANY), "--video-fps"),
    option("width", Shape::Int(1, MANY), "--video-width"),
    option("height", Shape::Int(1, MANY), "--video-height"),
    option("format", Shape::Word(&["mp4", "webm"]), "--video-format"),
    option("codec", Shape::Text, "--video-codec"),
    option("synth_type", Shape::Text, "--video-synth-type"),
    section("audio", VIDEO_AUDIO),
];

const VIDEO_AUDIO: &[Key] = &[
    option("sample_rate", Shape::Positive, "--video-audio-sample-rate"),
    option("channels", Shape::Int(0, 2), "--video-audio-num-channels"),
    option("codec", Shape::Text, "--video-audio-codec"),
    option("depth", Shape::Int(8, 32), "--video-audio-depth"),
];

const RANKINGS: &[Key] = &[
    read("passages", Shape::Distribution),
    read("passage_tokens", Shape::Distribution),
    read("query_tokens", Shape::Distribution),
];

/// Prompts or a trace from a file.
pub(super) const FILE: &[Key] = &[
    NAME,
    TYPE,
    SEED,
    SAMPLING,
    SYSTEM_PROMPT,
    SYSTEM_PROMPT_FILE,
    option("path", Shape::Text, "--input-file"),
    unbuilt("records", Shape::Any, "write the records to a file and give its path"),
    option("format", DATASET_FORMATS, "--custom-dataset-type"),
    option("entries", Shape::Int(1, MANY), "--num-dataset-entries"),
    option("block_size", Shape::Int(1, MANY), "--isl-block-size"),
    read("osl", Shape::Distribution),
    section("synthesis", SYNTHESIS),
    option("trace_session_sample_ratio", Shape::Positive, "--trace-session-sample-ratio"),
    TURN_DELAY_CAP,
    TRACE_GAP_CAP,
    option("max_idle_gap_cap_seconds", Shape::Positive, "--max-idle-gap-cap-seconds"),
    option("replay_speedup", Shape::Positive, "--replay-speedup"),
    either("open_loop_replay", "--open-loop-replay", "--no-open-loop-replay"),
    switch("open_loop_strict", "--open-loop-strict"),
    switch("omit_kv_hints", "--omit-kv-hints"),
    either("force_min_tokens", "--force-min-tokens", "--no-force-min-tokens"),
    option("prompt_batch_size", Shape::Int(0, MANY), "--prompt-batch-size"),
    option("image_batch_size", Shape::Int(0, MANY), "--image-batch-size"),
    option("audio_batch_size", Shape::Int(0, MANY), "--audio-batch-size"),
    option("video_batch_size", Shape::Int(0, MANY), "--video-batch-size"),
    IGNORE_TRACE_DELAYS,
    USE_THINK_TIME,
    MAX_CONTEXT,
    section("cache_bust", CACHE_BUST),
    section("prompts", PROMPT_SELECTION),
];

const SYNTHESIS: &[Key] = &[
    option("speedup_ratio", Shape::Positive, "--synthesis-speedup-ratio"),
    option("prefix_len_multiplier", Shape::Positive, "--synthesis-prefix-len-multiplier"),
    option("prefix_root_multiplier", Shape::Int(1, MANY), "--synthesis-prefix-root-multiplier"),
    option("prompt_len_multiplier", Shape::Positive, "--synthesis-prompt-len-multiplier"),
    option("output_len_multiplier", Shape::NonNegative, "--synthesis-output-len-multiplier"),
    option("max_isl", Shape::Int(1, MANY), "--synthesis-max-isl"),
    option("max_osl", Shape::Int(1, MANY), "--synthesis-max-osl"),
    either("allow_dataset_wrap", "--allow-dataset-wrap", "--no-allow-dataset-wrap"),
];

/// A public dataset.
pub(super) const PUBLIC: &[Key] = &[
    NAME,
    TYPE,
    SEED,
    SAMPLING,
    SYSTEM_PROMPT,
    SYSTEM_PROMPT_FILE,
    option("dataset", Shape::Text, "--public-dataset"),
    option("entries", Shape::Int(1, MANY), "--num-dataset-entries"),
    option("hf_subset", Shape::Text, "--hf-subset"),
    read("filters", Shape::Free),
    option("hf_weka_dataset", Shape::Text, "--hf-weka-dataset"),
    read("osl", Shape::Distribution),
    section("synthesis", SYNTHESIS),
    TURN_DELAY_CAP,
    TRACE_GAP_CAP,
    IGNORE_TRACE_DELAYS,
    USE_THINK_TIME,
    MAX_CONTEXT,
    section("cache_bust", CACHE_BUST),
    section("prompts", PROMPT_SELECTION),
];

/// What every phase may have. Its options depend on whether it warms up, so all are read by name.
pub(super) const PHASE: &[Key] = &[
    read("name", Shape::Text),
    read("kind", Shape::Word(&["warmup", "profiling"])),
    read("type", Shape::Text),
    read("requests", Shape::Int(1, MANY)),
    read("duration", Shape::Time),
    read("sessions", Shape::Int(1, MANY)),
    read("concurrency", Shape::Int(1, MANY)),
    read("concurrency_ramp", Shape::Ramp),
    read("prefill_concurrency", Shape::Int(1, MANY)),
    read("prefill_ramp", Shape::Ramp),
    read("grace_period", Shape::Time),
    read("cancellation", Shape::Map(CANCELLATION)),
    unbuilt("seamless", Shape::Bool, "leave it out: a phase begins when the one before has ended"),
    read("exclude_from_results", Shape::Bool),
    read("failed_request_threshold", Shape::Share),
    unbuilt("sla", Shape::Any, SEARCH),
    unbuilt("adaptive_scale", Shape::Any, SEARCH),
    idle("adaptive_sustain_duration", Shape::Any, SEARCH),
    idle("adaptive_assessment_period", Shape::Any, SEARCH),
    idle("adaptive_min_completed_requests", Shape::Any, SEARCH),
    idle("adaptive_control_variable", Shape::Any, SEARCH),
    idle("adaptive_control_min", Shape::Any, SEARCH),
    idle("adaptive_control_max", Shape::Any, SEARCH),
    idle("adaptive_scale_strategy_type", Shape::Any, SEARCH),
    idle("adaptive_scale_step_policy", Shape::Any, SEARCH),
    idle("adaptive_scale_base_step", Shape::Any, SEARCH),
    idle("adaptive_scale_max_step_multiplier", Shape::Any, SEARCH),
    idle("adaptive_scale_step_percent", Shape::Any, SEARCH),
    unbuilt("timing_mode", Shape::Text, "leave it out: the phase's type decides"),
    read("trajectory_start_min_ratio", Shape::Share),
    read("trajectory_start_max_ratio", Shape::Share),
    read("burst_phase_starts", Shape::Bool),
    read("system_idle_gap_cap_seconds", Shape::NonNegative),
    unbuilt("agentic_cache_warmup_duration", Shape::Positive, "give a phase of kind warmup"),
    unbuilt("agentic_warmup_grace_period", Shape::NonNegative, "give a phase of kind warmup"),
];

const CANCELLATION: &[Key] = &[read("rate", Shape::NonNegative), read("delay", Shape::NonNegative)];

/// What phases of these types have beside.
pub(super) const RATE_KEYS: &[Key] = &[
    read("rate", Shape::Positive),
    read("rate_series", Shape::Map(RATE_SERIES)),
    read("rate_ramp", Shape::Ramp),
];
/// Of gamma phases alone.
pub(super) const GAMMA_KEYS: &[Key] = &[read("smoothness", Shape::Positive)];
/// Of phases of users.
pub(super) const USER_KEYS: &[Key] =
    &[read("rate", Shape::Positive), read("rate_ramp", Shape::Ramp), read("users", Shape::Int(1, MANY))];
/// Of phases at the dataset's own times.
pub(super) const SCHEDULE_KEYS: &[Key] = &[
    read("auto_offset", Shape::Bool),
    read("start_offset", Shape::Int(0, MANY)),
    read("end_offset", Shape::Int(0, MANY)),
];

const RATE_SERIES: &[Key] = &[
    read("path", Shape::Text),
    unbuilt("points", Shape::List(&Shape::Any), "write the points to a CSV file and give its path"),
];

/// What to say of a length that is drawn in a way that is not built.
pub(super) const HOW_LENGTHS_ARE_DRAWN: &str = DRAWN;
