//! The last table of `profile_export_aiperf.csv`: a row for each thing about each GPU.

use super::{Gpu, GpuTelemetry};
use crate::server_metrics::host_and_port;

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
    let head = COLUMNS.into_iter().chain(optional.iter().map(|(name, _)| *name));
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut write = |row: Vec<String>| {
        writer.write_record(row).expect("rows of one length, written to memory");
    };
    write(head.map(str::to_owned).collect());
    let cell = |figure: Option<f64>| {
        figure.filter(|figure| figure.is_finite()).map(|figure| format!("{figure:.2}")).unwrap_or_default()
    };
    for gpu in &telemetry.gpus {
        for metric in &gpu.metrics {
            let gauge = metric.figures.gauge();
            let text = |text: Option<&String>| text.cloned().unwrap_or_default();
            let mut row = vec![
                host_and_port(&gpu.url).to_owned(),
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
            row.extend(optional.iter().map(|(_, of)| of(gpu).cloned().unwrap_or_default()));
            write(row);
        }
    }
    let bytes = writer.into_inner().expect("memory takes every write");
    String::from_utf8(bytes).expect("CSV of text is text")
}
