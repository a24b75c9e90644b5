//! `<stem>_genai_perf.json`: each metric at the top level, then `input_config`, and
//! `telemetry_stats` where GPUs were asked.

use loadgen_metrics::{Stats, Summary};
use serde_json::{Map, Value, json};

use super::{GenaiPerfView, JSON_ORDER, REQUEST_ROWS, SYSTEM_ROWS, telemetry};

/// Percentiles, in the order of [`Stats::percentiles`].
const PERCENTILES: [&str; 9] = ["p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99"];

/// The file's text: two spaces a level, no newline at its end.
pub fn genai_perf_json(summary: &Summary, view: GenaiPerfView<'_>, input_config: &Value) -> String {
    let mut file = Map::new();
    for name in JSON_ORDER {
        let request = REQUEST_ROWS.iter().find(|row| row.name == name);
        let system = SYSTEM_ROWS.iter().find(|row| row.name == name);
        let Some(row) = request.or(system) else { continue };
        let Some(stats) = row.stats(summary, view) else { continue };
        let mut figures = Map::new();
        figures.insert("unit".to_owned(), json!(row.unit));
        figures.insert("avg".to_owned(), number(stats.avg));
        if request.is_some() {
            spread(&stats, &mut figures);
        }
        file.insert(name.to_owned(), Value::Object(figures));
    }
    file.insert("input_config".to_owned(), input_config.clone());
    if let Some(stats) = view.gpu.and_then(telemetry::telemetry_stats) {
        file.insert("telemetry_stats".to_owned(), stats);
    }
    serde_json::to_string_pretty(&file).expect("text keys and finite numbers always serialize")
}

fn spread(stats: &Stats, figures: &mut Map<String, Value>) {
    let percentiles = PERCENTILES.into_iter().zip(stats.percentiles);
    for (name, value) in percentiles.chain([("min", stats.min), ("max", stats.max), ("std", stats.std)]) {
        if value.is_some_and(f64::is_finite) {
            figures.insert(name.to_owned(), number(value));
        }
    }
}

fn number(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |value| json!(value))
}
