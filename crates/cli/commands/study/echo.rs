//! The configuration of a run of an experiment as AIPerf echoes it: with every default filled in, in its
//! results and in `run_config.json`.

use std::path::Path;

use loadgen_run::ReportPlan;
use loadgen_workload::SyntheticConfig;
use serde_json::{Map, Value, json};

/// The configuration with AIPerf's defaults for what was not set. A template's null stands for what has
/// no default: it keeps the place of the key.
pub(crate) fn with_defaults(config: &Value) -> Value {
    let mut config = config.clone();
    let each = |config: &mut Value, list: &str, kind: &str, key: &str, default: u64| {
        let items = config.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for item in items.filter(|item| item["type"] == kind) {
            item.as_object_mut().expect("it has a type").entry(key).or_insert(json!(default));
        }
    };
    // Defaults of one kind only: a rate has no concurrency, and a file as many entries as it has.
    each(&mut config, "phases", "concurrency", "concurrency", 1);
    each(&mut config, "datasets", "synthetic", "entries", u64::from(SyntheticConfig::DEFAULT_ENTRIES));
    let mut filled = fill(&template(), &config);
    if let Some(prompts) = filled.pointer_mut("/datasets/0/prompts") {
        for length in ["isl", "osl"] {
            if let Some(normal) = prompts.get_mut(length).and_then(Value::as_object_mut)
                && normal.contains_key("mean")
            {
                normal.entry("stddev").or_insert(json!(0.0));
            }
        }
    }
    filled
}

/// `run_config.json`: everything that sets this run apart. Holds no secret: neither does the plan.
pub(super) fn run_config(plan: &ReportPlan, experiment_dir: &Path) -> String {
    let mut config = plan.input_config.clone();
    if let Some(artifacts) = config.get_mut("artifacts").and_then(Value::as_object_mut) {
        artifacts.insert("dir".to_owned(), json!(experiment_dir));
    }
    let mut run = Map::new();
    run.insert("benchmark_id".to_owned(), json!(plan.benchmark_id));
    let experiment = plan.experiment.as_ref();
    if let Some(experiment) = experiment {
        run.insert("sweep_id".to_owned(), json!(experiment.sweep_id));
    }
    run.insert("cfg".to_owned(), config);
    if let Some(experiment) = experiment {
        let variation = json!({
            "index": experiment.variation_index,
            "label": experiment.variation_label,
            "values": experiment.variation_values,
        });
        run.insert("variation".to_owned(), variation);
        run.insert("trial".to_owned(), json!(experiment.trial));
    }
    run.insert("artifact_dir".to_owned(), json!(plan.artifacts.dir));
    if let Some(experiment) = experiment {
        run.insert("label".to_owned(), json!(experiment.run_label));
    }
    run.insert("cli_command".to_owned(), json!(plan.command_line));
    if let Some(seed) = plan.random_seed {
        run.insert("random_seed".to_owned(), json!(seed));
    }
    run.insert("variables".to_owned(), json!({}));
    run.insert(
        "resolved".to_owned(),
        json!({ "gpu_telemetry_mode": "summary", "artifact_dir_created": false }),
    );
    serde_json::to_string_pretty(&run).expect("plain data serialises")
}

/// What is given, at the template's places, and the template's own where nothing is given.
fn fill(template: &Value, given: &Value) -> Value {
    let (Value::Object(template), Value::Object(given)) = (template, given) else {
        return match (template, given) {
            // A list's template is that of each of its items.
            (Value::Array(template), Value::Array(items)) if template.len() == 1 => {
                items.iter().map(|item| fill(&template[0], item)).collect()
            }
            _ => given.clone(),
        };
    };
    let mut filled = Map::new();
    for (key, default) in template {
        match given.get(key) {
            Some(value) if default.is_null() => drop(filled.insert(key.clone(), value.clone())),
            Some(value) => drop(filled.insert(key.clone(), fill(default, value))),
            None if default.is_null() || *default == json!([null]) => {}
            None => drop(filled.insert(key.clone(), without_places(default))),
        }
    }
    for (key, value) in given {
        filled.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(filled)
}

/// A default without the places of what has none.
fn without_places(default: &Value) -> Value {
    match default {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_places(value)))
            .collect(),
        other => other.clone(),
    }
}

/// AIPerf 0.13's configuration, its defaults in the order in which it writes them.
fn template() -> Value {
    json!({
        "models": { "strategy": "round_robin", "items": null },
        "endpoint": {
            "urls": null, "url_strategy": "round_robin", "type": null, "path": null, "api_key": null,
            "timeout": 21600.0, "streaming": false, "connection_reuse": "pooled", "use_legacy_max_tokens": false,
            "use_server_token_count": false, "per_chunk_usage": false, "headers": {}, "extra": {},
            "download_video_content": false, "uuid_and_strip": false, "wait_for_model_timeout": 0.0,
            "wait_for_model_interval": 5.0, "wait_for_model_mode": "inference",
        },
        "datasets": [{
            "name": null, "type": null, "entries": null, "random_seed": null, "sampling": "sequential",
            "prompts": {
                "isl": null, "osl": null, "batch_size": 1, "cache_bust": { "target": "none" },
                "random_corpus_style": "vllm",
            },
            "turn_delay_ratio": 1.0,
        }],
        "phases": [{
            "adaptive_scale": false, "adaptive_min_completed_requests": 1,
            "adaptive_control_variable": "concurrency", "adaptive_control_min": 1.0,
            "adaptive_scale_strategy_type": "ramp_until_fail", "adaptive_scale_step_policy": "sla_margin",
            "adaptive_scale_base_step": 10, "adaptive_scale_max_step_multiplier": 4,
            "adaptive_scale_step_percent": 25.0, "name": null, "kind": null, "type": null,
            "exclude_from_results": false, "requests": null, "duration": null, "sessions": null,
            "concurrency": null, "sla": [], "seamless": false, "trajectory_start_min_ratio": 0.25,
            "trajectory_start_max_ratio": 0.75, "burst_phase_starts": false,
        }],
        "artifacts": {
            "dir": null, "prefix": null, "summary": ["json"], "records": ["jsonl"], "raw": false, "trace": false,
            "show_trace_timing": false, "user_files": [], "auto_plot": false, "plot_required": false,
            "export_outputs_json": false,
        },
        "slos": null,
        "tokenizer": {
            "name": null, "revision": "main", "trust_remote_code": false, "apply_chat_template": false,
        },
        "gpu_telemetry": { "enabled": true, "urls": [], "collector": "dcgm", "mode": "summary" },
        "server_metrics": {
            "enabled": true, "urls": [], "formats": ["json", "csv"],
            "discovery": { "mode": "auto", "timeout_seconds": 30.0 },
        },
        "network_latency": { "enabled": false, "ping_interval": 1.0 },
        "otel": {
            "stream_metrics_enabled": true, "stream_timing_enabled": true, "custom_resource_attributes": {},
        },
        "mlflow": { "experiment": "aiperf" },
        "wandb": {},
        "runtime": { "ui": null, "service_run_type": "multiprocessing" },
        "logging": { "level": "INFO" },
        "metrics": {},
        "unsafe_override": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_stays_and_the_rest_is_filled_in() {
        let given = json!({
            "models": { "items": [{ "name": "m" }] },
            "endpoint": { "urls": ["http://x"], "type": "chat", "timeout": 5.0, "headers": "<redacted>" },
            "datasets": [{ "name": "main", "type": "synthetic", "prompts": { "isl": { "mean": 32.0 } } }],
            "phases": [{ "name": "profiling", "kind": "profiling", "type": "concurrency", "concurrency": 2 }],
            "server_metrics": { "enabled": false },
            "ours": 1,
        });
        let filled = with_defaults(&given);
        assert_eq!(filled["endpoint"]["timeout"], 5.0);
        assert_eq!(filled["endpoint"]["headers"], "<redacted>");
        assert_eq!(filled["endpoint"]["wait_for_model_mode"], "inference");
        assert_eq!(filled["datasets"][0]["prompts"]["isl"], json!({ "mean": 32.0, "stddev": 0.0 }));
        assert_eq!(filled["phases"][0]["exclude_from_results"], false);
        assert_eq!(
            filled["server_metrics"],
            json!({ "enabled": false, "urls": [], "formats": ["json", "csv"],
            "discovery": { "mode": "auto", "timeout_seconds": 30.0 } })
        );
        assert_eq!(filled["logging"], json!({ "level": "INFO" }));
        assert_eq!(filled["tokenizer"]["revision"], "main");
        assert_eq!(filled["ours"], 1);
        assert_eq!(filled["phases"][0]["concurrency"], 2);
        let unsaid = json!({
            "datasets": [{ "name": "main", "type": "synthetic" }, { "name": "other", "type": "file" }],
            "phases": [{ "name": "a", "type": "concurrency" }, { "name": "b", "type": "poisson", "rate": 5.0 }],
        });
        let filled = with_defaults(&unsaid);
        let [closed, open] = [0, 1].map(|at| filled["phases"][at].get("concurrency").cloned());
        assert_eq!((closed, open), (Some(json!(1)), None));
        let [made, read] = [0, 1].map(|at| filled["datasets"][at].get("entries").cloned());
        assert_eq!((made, read), (Some(json!(100)), None));
        let filled = with_defaults(&given);
        assert!(filled.get("slos").is_none() && filled["endpoint"].get("api_key").is_none());
        let first: Vec<&String> =
            filled["phases"][0].as_object().into_iter().flatten().map(|(key, _)| key).collect();
        assert_eq!((first[0].as_str(), first[9].as_str()), ("adaptive_scale", "name"));
    }
}
