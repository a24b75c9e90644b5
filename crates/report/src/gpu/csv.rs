//! The last table of `profile_export_aiperf.csv`: a row for each thing about each GPU.

use super::{Gpu, GpuMetric, GpuTelemetry};
use crate::rows::{cell, csv_table};
use crate::server_metrics::place_of;

const COLUMNS: [&str; 20] = [
    "Endpoint",
    "GPU_Index",
    "GPU_Name",
    "GPU_UUID",
    "Platform",
    "Metric",
    "avg",
    "min",
    "max",
    "sum",
    "p1",
    "p5",
    "p10",
    "p25",
    "p50",
    "p75",
    "p90",
    "p95",
    "p99",
    "std",
];

/// What a column of its own tells only where some GPU has it.
type OptionalColumn = (&'static str, fn(&Gpu) -> Option<&String>);

const OPTIONAL: [OptionalColumn; 3] = [
    ("Hostname", |gpu| gpu.hostname.as_ref()),
    ("Namespace", |gpu| gpu.namespace.as_ref()),
    ("Pod Name", |gpu| gpu.pod_name.as_ref()),
];

/// The table's text, its head alone where there is no GPU.
pub(crate) fn gpu_csv(telemetry: &GpuTelemetry) -> String {
    let optional: Vec<&OptionalColumn> =
        OPTIONAL.iter().filter(|(_, of)| telemetry.gpus.iter().any(|gpu| of(gpu).is_some())).collect();
    let head: Vec<&str> = COLUMNS.into_iter().chain(optional.iter().map(|(name, _)| *name)).collect();
    let rows = telemetry.gpus.iter().flat_map(|gpu| gpu.metrics.iter().map(move |metric| (gpu, metric))).map(
        |(gpu, metric)| {
            let mut row = row(gpu, metric);
            row.extend(optional.iter().map(|(_, of)| of(gpu).cloned().unwrap_or_default()));
            row
        },
    );
    csv_table(&head, rows)
}

fn row(gpu: &Gpu, metric: &GpuMetric) -> Vec<String> {
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let cell = |figure| cell(figure, 2);
    let gauge = metric.figures.gauge();
    let mut row = vec![
        place_of(&gpu.url).to_owned(),
        gpu.index.to_string(),
        text(gpu.name.as_ref()),
        text(gpu.uuid.as_ref()),
        gpu.platform.clone(),
        format!("{} ({})", metric.header, metric.unit),
        cell(Some(metric.figures.avg())),
    ];
    row.extend([gauge.map(|g| g.min), gauge.map(|g| g.max), gauge.map(|g| g.sum)].map(cell));
    row.extend((0..9).map(|place| cell(gauge.map(|gauge| gauge.percentiles[place]))));
    row.push(cell(gauge.map(|gauge| gauge.std)));
    row
}
