//! Scripted servers of the golden cases: what each answers depends on the request and on how many came before.
//!
//! They answer what AIPerf's runs were answered.

use std::fmt::Write as _;

use serde_json::json;

use crate::support::scripted::{Answer, Scripted, chat};

const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

fn plain(status: u16, page: impl Into<Vec<u8>>) -> Answer {
    Answer::new(status, PLAIN, page)
}

/// An OpenAI-like server whose control calls answer with a status each, and which serves `model`.
pub(super) fn openai(model: &'static str, reset: u16, start: u16, stop: u16) -> Scripted {
    Scripted::start(move |asked| {
        let (status, body) = match asked.path.as_str() {
            "/v1/chat/completions" => return chat(asked, &[" a", " b", " c", " d"]),
            "/v1/models" => (200, json!({ "object": "list", "data": [{ "id": model }] })),
            "/reset_prefix_cache" => (reset, json!({})),
            "/start_profile" => (start, json!({})),
            "/stop_profile" => (stop, json!({})),
            _ => (404, json!({ "error": "not found" })),
        };
        Answer::json(status, &body)
    })
}

/// A Prometheus exporter; `page` gives the answer to the nth GET of /metrics, from 0.
pub(super) fn exporter(page: impl Fn(u32) -> Answer + Send + 'static) -> Scripted {
    let mut count = 0;
    Scripted::start(move |asked| {
        if asked.path.split('?').next() != Some("/metrics") {
            return plain(404, "not found\n");
        }
        if asked.method == "HEAD" {
            return plain(200, "");
        }
        count += 1;
        page(count - 1)
    })
}

/// The nth page of a server's metrics: gauges, counters with a reset, histograms, and what is to be skipped.
pub(super) fn metrics_page(nth: u32) -> Answer {
    let k = f64::from(nth);
    let running = [0, 1, 2, 4, 8, 4, 2, 1][nth as usize % 8];
    let resets = if nth < 8 { 10 * nth } else { 10 * (nth - 8) };
    let mut seen = vec![0.005; 3];
    for step in 1..=nth {
        seen.extend_from_slice(match step % 3 {
            1 => &[0.02],
            2 => &[0.07, 0.07],
            _ => &[0.3, 0.8, 2.0],
        });
    }
    let mut page = format!(
        "# HELP demo:num_requests_running Number of requests in model execution batches.
# TYPE demo:num_requests_running gauge
demo:num_requests_running{{engine=\"0\"}} {running}.0
demo:num_requests_running{{engine=\"1\"}} 5.0
# HELP demo:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE demo:kv_cache_usage_perc gauge
demo:kv_cache_usage_perc {:?}
# HELP demo:config_info Config.
# TYPE demo:config_info gauge
demo:config_info{{block_size=\"16\"}} 1.0
# HELP demo:prompt_tokens_total Number of prefill tokens processed.
# TYPE demo:prompt_tokens_total counter
demo:prompt_tokens_total{{model=\"m\"}} {:?}
# TYPE demo:prompt_tokens_created gauge
demo:prompt_tokens_created{{model=\"m\"}} 1.7e+09
# HELP demo:steady_total Steady.
# TYPE demo:steady_total counter
demo:steady_total 7.0
# HELP demo:reset_total Resets.
# TYPE demo:reset_total counter
demo:reset_total {resets}.0
# HELP demo:ttft_seconds Histogram of time to first token in seconds.
# TYPE demo:ttft_seconds histogram
",
        (0.05 * k).min(1.0),
        1000.0 + 100.0 * k,
    );
    for bound in [0.01, 0.05, 0.1, 0.5, 1.0] {
        let count = seen.iter().filter(|value| **value <= bound).count();
        let _ = writeln!(page, "demo:ttft_seconds_bucket{{le=\"{bound:?}\",model=\"m\"}} {count}.0");
    }
    let (count, sum) = (seen.len(), seen.iter().sum::<f64>());
    let _ = write!(
        page,
        "demo:ttft_seconds_bucket{{le=\"+Inf\",model=\"m\"}} {count}.0
demo:ttft_seconds_count{{model=\"m\"}} {count}.0
demo:ttft_seconds_sum{{model=\"m\"}} {sum:?}
# HELP demo:idle_seconds Never observed.
# TYPE demo:idle_seconds histogram
demo:idle_seconds_bucket{{le=\"1.0\"}} 0.0
demo:idle_seconds_bucket{{le=\"+Inf\"}} 0.0
demo:idle_seconds_count 0.0
demo:idle_seconds_sum 0.0
# HELP demo:rpc_seconds Summary.
# TYPE demo:rpc_seconds summary
demo:rpc_seconds{{quantile=\"0.5\"}} 0.1
demo:rpc_seconds_sum 1.0
demo:rpc_seconds_count 10
demo:raw_value {nth}
"
    );
    plain(200, page)
}

/// As [`metrics_page`], but every third answer is a failure.
pub(super) fn flaky_page(nth: u32) -> Answer {
    if nth % 3 == 2 { plain(500, "boom\n") } else { metrics_page(nth) }
}

/// No metrics at all.
pub(super) fn json_page(_nth: u32) -> Answer {
    Answer::json(200, &json!([{ "iter": 1 }]))
}

/// A field of a GPU: its name, its kind, and its value on the nth page for a GPU.
type Field = (&'static str, &'static str, fn(u64, u64) -> String);

/// The nth page of a DCGM exporter with two GPUs.
pub(super) fn gpu_page(nth: u32) -> Answer {
    let k = u64::from(nth);
    let fields: [Field; 13] = [
        ("DCGM_FI_DEV_SM_CLOCK", "gauge", |k, _| format!("{}", 1500 + k)),
        ("DCGM_FI_DEV_GPU_TEMP", "gauge", |_, gpu| format!("{}", 40 + gpu)),
        ("DCGM_FI_DEV_POWER_USAGE", "gauge", |k, gpu| format!("{}.0", 100 + 10 * (k % 5) + 50 * gpu)),
        ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "counter", |k, gpu| {
            format!("{}", 5_000_000_000 + k * 100_000 * (gpu + 1))
        }),
        ("DCGM_FI_DEV_GPU_UTIL", "gauge", |k, _| format!("{}", (10 * k) % 101)),
        ("DCGM_FI_DEV_MEM_COPY_UTIL", "gauge", |_, gpu| format!("{}", 20 + gpu)),
        ("DCGM_FI_DEV_ENC_UTIL", "gauge", |_, _| "0".to_owned()),
        ("DCGM_FI_DEV_DEC_UTIL", "gauge", |_, _| "0".to_owned()),
        ("DCGM_FI_DEV_FB_FREE", "gauge", |_, _| "80000".to_owned()),
        ("DCGM_FI_DEV_FB_USED", "gauge", |k, _| format!("{}", 1000 + k)),
        ("DCGM_FI_PROF_SM_ACTIVE", "gauge", |_, _| "0.25".to_owned()),
        ("DCGM_FI_DEV_XID_ERRORS", "gauge", |_, _| "0".to_owned()),
        ("DCGM_FI_DEV_POWER_VIOLATION", "counter", |k, _| format!("{}", 1_000_000 * k)),
    ];
    let mut page = String::new();
    for (name, kind, value) in fields {
        let _ = write!(page, "# HELP {name} A field.\n# TYPE {name} {kind}\n");
        for gpu in 0..2 {
            let (bus, value) = (gpu + 1, value(k, gpu));
            let _ = writeln!(
                page,
                "{name}{{gpu=\"{gpu}\",UUID=\"GPU-0000000{gpu}-aaaa-bbbb-cccc-dddddddddddd\",\
                 pci_bus_id=\"00000000:0{bus}:00.0\",device=\"nvidia{gpu}\",modelName=\"Fake GPU X100\",\
                 Hostname=\"host-a\"}} {value}"
            );
        }
    }
    plain(200, page)
}
