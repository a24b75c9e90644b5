//! What GPUs said, and what their power came to for each request and token.

use std::fmt::Write as _;

use loadgen_metrics::ConsoleGroup;

use super::figures::{SPARE, console_rows, figure};
use super::paint::Paint;
use super::table::{Align, Table, panel};
use crate::gpu::{Gpu, GpuTelemetry};
use crate::info::Report;
use crate::server_metrics::place_of;

/// The blocks about GPUs; none where telemetry was turned off, or nobody asked for it and nobody answered.
pub(super) fn blocks(report: &Report<'_>, width: usize, paint: Paint) -> Vec<String> {
    let Some(telemetry) = &report.info.gpu else { return Vec::new() };
    if telemetry.configured.is_empty() {
        return Vec::new();
    }
    if telemetry.gpus.is_empty() {
        return vec![nothing(telemetry)];
    }
    let mut platforms: Vec<&str> = telemetry.gpus.iter().map(|gpu| gpu.platform.as_str()).collect();
    platforms.dedup();
    let platform = format!(
        "Platform: {}\nMetric semantics are platform-specific; cross-platform comparisons require workload and collector validation.",
        platforms.join(", ")
    );
    let mut blocks = vec![panel("GPU Telemetry Platform", &platform, width, paint)];
    blocks.extend(efficiency(report, width, paint));
    blocks.push(summary(telemetry, &report.info.product));
    blocks.extend(telemetry.gpus.iter().map(|gpu| table(gpu, width, paint)));
    blocks
}

fn nothing(telemetry: &GpuTelemetry) -> String {
    let mut text = String::from("No GPU telemetry data collected during the benchmarking run.\n");
    let unreachable: Vec<&str> = telemetry.unreachable().map(place_of).collect();
    if !unreachable.is_empty() {
        text.push_str("\nUnreachable endpoints:");
        for endpoint in unreachable {
            text.push_str("  • ");
            text.push_str(endpoint);
        }
        text.push('\n');
    }
    text
}

fn efficiency(report: &Report<'_>, width: usize, paint: Paint) -> Option<String> {
    let rows = console_rows(report.summary, ConsoleGroup::Power);
    if rows.is_empty() {
        return None;
    }
    let mut table =
        Table::new("GPU Power Efficiency (NVIDIA)", [("Metric", Align::Right), ("avg", Align::Right)]);
    for row in rows {
        table.row(vec![row.metric.label(), figure(row.stats.avg)]);
    }
    Some(table.draw(width, paint))
}

fn summary(telemetry: &GpuTelemetry, product: &str) -> String {
    // AIPerf leaves its maker out here, and only here.
    let product = product.trim_start_matches("NVIDIA ");
    let mut text = format!(
        "{product} | GPU Telemetry Summary\n{}/{} telemetry sources reachable\n",
        telemetry.successful.len(),
        telemetry.configured.len()
    );
    for url in &telemetry.configured {
        let mark = if telemetry.successful.contains(url) { "✔" } else { "✘" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "• {} {mark}", place_of(url));
    }
    text
}

fn table(gpu: &Gpu, width: usize, paint: Paint) -> String {
    let name = gpu.name.as_deref().unwrap_or("unknown");
    let title = format!("{} | GPU {} | {name}", place_of(&gpu.url), gpu.index);
    let columns = ["Metric", "avg", "min", "max", "p99", "p90", "p50", "std"];
    let mut table = Table::new(&title, columns.map(|column| (column, Align::Right))).sparing(&SPARE);
    for metric in &gpu.metrics {
        let mut cells = vec![format!("{} ({})", metric.header, metric.unit)];
        cells.extend(metric.figures.columns().map(figure));
        table.row(cells);
    }
    table.draw(width, paint)
}
