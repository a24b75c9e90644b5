//! What the GPUs said: the page's tables of each, and of what their power came to.

use loadgen_metrics::ConsoleGroup;

use super::sheet::{Sheet, folded, significant};
use crate::console::{console_rows, figure};
use crate::gpu::Gpu;
use crate::info::Report;
use crate::server_metrics::place_of;

/// The section; empty where no GPU was read.
pub(super) fn gpus(report: &Report<'_>) -> String {
    let Some(telemetry) = report.info.gpu.as_ref().filter(|telemetry| !telemetry.gpus.is_empty()) else {
        return String::new();
    };
    let mut out = format!(
        "<p>{} GPUs; {} of {} telemetry sources answered.</p>\n",
        telemetry.gpus.len(),
        telemetry.successful.len(),
        telemetry.configured.len()
    );
    let power = console_rows(report.summary, ConsoleGroup::Power);
    if !power.is_empty() {
        let mut sheet = Sheet::new("Power and energy of all GPUs", "", ["value"]);
        for row in power {
            sheet.row(row.metric.header, row.metric.unit.label(), [shown(row.stats.avg)]);
        }
        out.push_str(&sheet.end());
    }
    for gpu in &telemetry.gpus {
        out.push_str(&folded(&title(gpu), &table(gpu)));
    }
    out
}

fn title(gpu: &Gpu) -> String {
    let name = gpu.name.as_deref().unwrap_or("unknown");
    let host = gpu.hostname.as_deref().unwrap_or_else(|| place_of(&gpu.url));
    format!("GPU {} of {host}: {name}", gpu.index)
}

fn table(gpu: &Gpu) -> String {
    let mut sheet = Sheet::new("Metric", "", ["avg", "min", "max", "p99", "p90", "p50", "std"]);
    for metric in &gpu.metrics {
        sheet.row(&metric.header, &metric.unit, metric.figures.columns().map(shown));
    }
    sheet.end()
}

/// A figure as in the other tables, unless it is so small that nothing of it would be left: an energy in MJ.
fn shown(value: Option<f64>) -> String {
    match value {
        Some(small) if small != 0.0 && small.abs() < 1.0 => significant(small),
        _ => figure(value),
    }
}
