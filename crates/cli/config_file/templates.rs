//! Files to begin with, for `config init`. Each runs as it stands, with a model and a server of one's own.

/// A file to begin with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Template {
    pub(crate) name: &'static str,
    pub(crate) category: &'static str,
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    text: &'static str,
}

/// The model and the server that the texts name.
const MODEL: &str = "my-model";
const URL: &str = "http://127.0.0.1:8000";

impl Template {
    /// The file, about this model and this server.
    pub(crate) fn filled(&self, model: Option<&str>, url: Option<&str>) -> String {
        self.text.replace(MODEL, model.unwrap_or(MODEL)).replace(URL, url.unwrap_or(URL))
    }
}

/// Every template, by category.
pub(crate) const TEMPLATES: &[Template] = &[
    Template {
        name: "minimal",
        category: "Getting Started",
        title: "Minimal",
        about: "The shortest file that runs: one model, one server, a closed loop.",
        text: include_str!("templates/minimal.yaml"),
    },
    Template {
        name: "warmup_profiling",
        category: "Getting Started",
        title: "Warm-up, then measure",
        about: "A warm-up whose requests are left out of the results.",
        text: include_str!("templates/warmup_profiling.yaml"),
    },
    Template {
        name: "latency_test",
        category: "Load Testing",
        title: "Latency at a rate",
        about: "Poisson arrivals at a fixed rate: how long do requests take at this load?",
        text: include_str!("templates/latency_test.yaml"),
    },
    Template {
        name: "goodput_slo",
        category: "Load Testing",
        title: "Goodput",
        about: "Counts the requests that meet their objectives.",
        text: include_str!("templates/goodput_slo.yaml"),
    },
    Template {
        name: "multi_url_load_balancing",
        category: "Load Testing",
        title: "Several servers",
        about: "Requests go to several servers in turn.",
        text: include_str!("templates/multi_url_load_balancing.yaml"),
    },
    Template {
        name: "request_cancellation",
        category: "Load Testing",
        title: "Given-up requests",
        about: "Gives up a share of the requests on purpose, to see how the server takes it.",
        text: include_str!("templates/request_cancellation.yaml"),
    },
    Template {
        name: "time_based_soak",
        category: "Load Testing",
        title: "Soak",
        about: "A long run whose figures are also given slice by slice.",
        text: include_str!("templates/time_based_soak.yaml"),
    },
    Template {
        name: "fixed_schedule",
        category: "Load Testing",
        title: "At times of your own",
        about: "Sends each request at the time that its row names.",
        text: include_str!("templates/fixed_schedule.yaml"),
    },
    Template {
        name: "trace_replay",
        category: "Datasets",
        title: "Trace replay",
        about: "Replays a production trace at its own times, faster.",
        text: include_str!("templates/trace_replay.yaml"),
    },
    Template {
        name: "multi_turn_conversation",
        category: "Datasets",
        title: "Conversations",
        about: "Sessions of several turns with pauses between them.",
        text: include_str!("templates/multi_turn_conversation.yaml"),
    },
    Template {
        name: "sweep_distributions",
        category: "Sweep & Multi-Run",
        title: "Grid with repeats",
        about: "Every combination of rates and lengths, three times each.",
        text: include_str!("templates/sweep_distributions.yaml"),
    },
    Template {
        name: "scenario_workload_profiles",
        category: "Sweep & Multi-Run",
        title: "Named workloads",
        about: "One run for each of several workloads, under names of your own.",
        text: include_str!("templates/scenario_workload_profiles.yaml"),
    },
    Template {
        name: "sweep_with_plot",
        category: "Sweep & Multi-Run",
        title: "Steps of concurrency",
        about: "The same load at more and more requests at a time: a curve of throughput over latency.",
        text: include_str!("templates/sweep_with_plot.yaml"),
    },
    Template {
        name: "env_var_production",
        category: "Advanced",
        title: "From the environment",
        about: "What differs between deployments comes from environment variables.",
        text: include_str!("templates/env_var_production.yaml"),
    },
    Template {
        name: "jinja2_variables",
        category: "Advanced",
        title: "Computed values",
        about: "Variables, and values that follow from them.",
        text: include_str!("templates/jinja2_variables.yaml"),
    },
    Template {
        name: "http_trace_metrics",
        category: "Advanced",
        title: "HTTP in detail",
        about: "Keeps the instants of connecting, sending and receiving with each record.",
        text: include_str!("templates/http_trace_metrics.yaml"),
    },
    Template {
        name: "gpu_telemetry",
        category: "Advanced",
        title: "GPU telemetry",
        about: "Power, utilisation and memory from a DCGM exporter beside the run.",
        text: include_str!("templates/gpu_telemetry.yaml"),
    },
    Template {
        name: "kv_cache_test",
        category: "Advanced",
        title: "Prefix cache",
        about: "Conversations that begin alike: what is a server's prefix cache worth?",
        text: include_str!("templates/kv_cache_test.yaml"),
    },
    Template {
        name: "long_context",
        category: "Advanced",
        title: "Long prompts",
        about: "A mix of prompts up to 64k tokens, with a bound on how many are read at a time.",
        text: include_str!("templates/long_context.yaml"),
    },
    Template {
        name: "multimodal_vision",
        category: "Multimodal",
        title: "Images",
        about: "Made-up images beside the text.",
        text: include_str!("templates/multimodal_vision.yaml"),
    },
    Template {
        name: "audio_multimodal",
        category: "Multimodal",
        title: "Sound",
        about: "Made-up sounds beside the text.",
        text: include_str!("templates/audio_multimodal.yaml"),
    },
    Template {
        name: "embeddings",
        category: "Specialized Endpoints",
        title: "Embeddings",
        about: "Batches of texts to an embeddings endpoint.",
        text: include_str!("templates/embeddings.yaml"),
    },
];

/// A template of AIPerf's that would not run here, and what it needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missing {
    pub(crate) name: &'static str,
    /// What is not built yet, and what to do instead.
    pub(crate) needs: &'static str,
}

/// Those of AIPerf's templates that need what is not built yet.
pub(crate) const MISSING: &[Missing] = &[
    Missing {
        name: "inline_dataset",
        needs: "records within the file (dataset.records); write them to a JSONL file and give its path",
    },
    Missing {
        name: "public_dataset",
        needs: "public datasets (dataset.type: public); give a file of your own",
    },
    Missing {
        name: "ramping",
        needs: "ramps (rateRamp, concurrencyRamp); sweep steps of concurrency instead, as in sweep_with_plot",
    },
    Missing {
        name: "speed_bench_sweep",
        needs: "the speed_bench formats; give the prompts as a single_turn file, and one run for each category",
    },
    Missing {
        name: "user_files",
        needs: "artifacts.userFiles; give --attach FILE and --provenance KEY=VALUE",
    },
];
