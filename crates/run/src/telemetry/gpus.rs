//! What GPUs said during a run, summed up over a window.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use loadgen_core::Nanos;
use loadgen_metrics::{EnergyInput, GaugeValues};
use loadgen_report::gpu::{Gpu, GpuFigures, GpuMetric, GpuTelemetry};
use loadgen_telemetry::{ENERGY, GpuField, GpuLine, POWER, gpu_fields};

use super::plan::TelemetryReport;

/// What GPUs came to over a window.
#[derive(Debug, Default)]
pub(crate) struct ScrapedGpus {
    /// For the files.
    pub(crate) telemetry: GpuTelemetry,
    /// For the energy metrics.
    pub(crate) energy: EnergyInput,
    /// Whether anything was read at all, within the window or not.
    pub(crate) is_any: bool,
}

/// A phase that ended before its GPUs were read has what was read so long after its end, ns.
const SOON_NS: i64 = 1_000_000_000;

/// One GPU while its lines are read.
struct Reading {
    last: GpuLine,
    fields: Vec<FieldReading>,
}

#[derive(Default)]
struct FieldReading {
    gauge: GaugeValues,
    /// The last reading before the window, else the first within it.
    reference: Option<f64>,
    latest: Option<f64>,
    /// Power between the window's ends without its grace.
    strict: (f64, u64),
    /// The first reading after the window.
    after: Option<f64>,
}

/// Sums up the lines at `path` over a phase from `start` to `end`; readings within the grace after it belong to
/// it too, but for those of power.
pub(crate) fn gpus(
    path: &Path,
    report: &TelemetryReport,
    start: Nanos,
    end: Nanos,
    grace_ns: i64,
) -> ScrapedGpus {
    let mut fields = gpu_fields();
    fields.extend(report.gpu_fields.iter().cloned());
    let late = end + grace_ns;
    let mut readings: BTreeMap<(String, i64), Reading> = BTreeMap::new();
    if let Ok(file) = File::open(path) {
        for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
            // What was cut off is the end.
            let Ok(line) = serde_json::from_slice::<GpuLine>(&line) else { break };
            if line.timestamp_ns > late + SOON_NS {
                continue;
            }
            let key = (line.telemetry_source_url.clone(), line.gpu_index);
            let reading = readings.entry(key).or_insert_with(|| Reading {
                last: line.clone(),
                fields: fields.iter().map(|_| FieldReading::default()).collect(),
            });
            for (field, of) in fields.iter().zip(&mut reading.fields) {
                if let Some(value) = line.telemetry_data.get(&field.name).and_then(serde_json::Value::as_f64)
                {
                    if line.timestamp_ns > late {
                        of.after.get_or_insert(value);
                    } else {
                        take(of, field, value, line.timestamp_ns, start, end);
                    }
                }
            }
        }
    }
    let mut energy = EnergyInput { concurrency: report.concurrency.map(f64::from), ..EnergyInput::default() };
    let is_any = !readings.is_empty();
    let mut successful: Vec<String> = readings.keys().map(|(url, _)| url.clone()).collect();
    successful.dedup();
    let gpus = readings.into_values().filter_map(|reading| gpu(reading, &fields, &mut energy)).collect();
    let mut configured = report.gpu_urls.clone();
    configured.extend(successful.iter().filter(|url| !report.gpu_urls.contains(url)).cloned());
    let telemetry = GpuTelemetry { configured, successful, window: Some((start, late)), gpus };
    ScrapedGpus { telemetry, energy, is_any }
}

fn take(of: &mut FieldReading, field: &GpuField, value: f64, at: Nanos, start: Nanos, end: Nanos) {
    let is_before = at < start;
    if field.is_counter {
        if is_before || of.reference.is_none() {
            of.reference = Some(value);
        }
        if !is_before {
            of.latest = Some(value);
        }
    } else if !is_before {
        of.gauge.push(value);
        if at <= end {
            of.strict = (of.strict.0 + value, of.strict.1 + 1);
        }
    }
}

fn gpu(reading: Reading, fields: &[GpuField], energy: &mut EnergyInput) -> Option<Gpu> {
    let mut metrics = Vec::new();
    for (field, mut of) in fields.iter().zip(reading.fields) {
        if let Some(after) = of.after.filter(|_| of.gauge.is_empty() && of.latest.is_none()) {
            of.gauge.push(after);
            of.latest = Some(after);
            of.reference.get_or_insert(after);
        }
        let growth = of.reference.zip(of.latest).map(|(from, to)| (to - from).max(0.0));
        if field.name == ENERGY {
            // It is told in MJ.
            energy.energy_joules += growth.unwrap_or(0.0) * 1e6;
        }
        if field.name == POWER && of.strict.1 > 0 {
            energy.power_watts += of.strict.0 / of.strict.1 as f64;
        }
        let figures = if field.is_counter {
            growth.map(GpuFigures::Counter)
        } else {
            of.gauge.stats().map(GpuFigures::Gauge)
        };
        if let Some(figures) = figures {
            let (field, header, unit) = (field.name.clone(), field.header.clone(), field.unit.clone());
            metrics.push(GpuMetric { field, header, unit, figures });
        }
    }
    let line = reading.last;
    (!metrics.is_empty()).then_some(Gpu {
        url: line.telemetry_source_url,
        index: line.gpu_index,
        name: line.gpu_model_name,
        uuid: line.gpu_uuid,
        platform: line.platform,
        hostname: line.hostname,
        namespace: line.namespace,
        pod_name: line.pod_name,
        metrics,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fmt::Write as _;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn energy_is_counted_from_before_the_window_and_power_within_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gpu.jsonl");
        let mut text = String::new();
        for (second, power, energy) in [
            (0, 999.0, 1.0),
            (1, 100.0, 1.5),
            (2, 120.0, 2.0),
            (3, 140.0, 2.5),
            (4, 500.0, 3.0),
            (9, 1.0, 9.0),
        ] {
            for gpu in 0..2 {
                writeln!(
                    text,
                    "{{\"gpu_index\":{gpu},\"platform\":\"nvidia\",\"timestamp_ns\":{},\"telemetry_source_url\":\"http://h:1/metrics\",\
                     \"telemetry_data\":{{\"nvidia_power_usage\":{power},\"nvidia_energy_consumption\":{energy}}}}}",
                    second * SECOND
                )
                .unwrap();
            }
        }
        text.push_str("{\"gpu_index\":0,");
        std::fs::write(&path, text).unwrap();
        let report = TelemetryReport {
            gpu_urls: vec!["http://h:2/metrics".to_owned()],
            concurrency: Some(2),
            ..TelemetryReport::default()
        };
        let got = gpus(&path, &report, Nanos(SECOND), Nanos(3 * SECOND), SECOND);
        assert_eq!(got.energy.power_watts, 240.0, "two GPUs of 120 W");
        assert_eq!(got.energy.energy_joules, 4e6, "two of 3 MJ less 1 MJ");
        assert_eq!(got.telemetry.configured, ["http://h:2/metrics", "http://h:1/metrics"]);
        assert_eq!(got.telemetry.successful, ["http://h:1/metrics"]);
        let gpu = &got.telemetry.gpus[1];
        let GpuFigures::Gauge(power) = gpu.metrics[0].figures else { panic!("a gauge") };
        assert_eq!((gpu.index, power.count, power.max), (1, 4, 500.0), "the grace counts here");
        assert_eq!(gpu.metrics[1].figures, GpuFigures::Counter(2.0));
    }

    #[test]
    fn a_phase_too_short_for_a_reading_has_the_one_made_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gpu.jsonl");
        let line = |at: i64, power: f64, energy: f64| {
            format!(
                "{{\"gpu_index\":0,\"platform\":\"nvidia\",\"timestamp_ns\":{at},\"telemetry_source_url\":\"http://h:1/metrics\",\
                 \"telemetry_data\":{{\"nvidia_power_usage\":{power},\"nvidia_energy_consumption\":{energy}}}}}\n"
            )
        };
        std::fs::write(&path, [line(1, 50.0, 1.0), line(30, 70.0, 1.5), line(40, 80.0, 2.0)].concat())
            .unwrap();
        let got = gpus(&path, &TelemetryReport::default(), Nanos(10), Nanos(20), 0);
        let metrics = &got.telemetry.gpus[0].metrics;
        let GpuFigures::Gauge(power) = metrics[0].figures else { panic!("a gauge") };
        assert_eq!((power.count, power.avg), (1, 70.0));
        assert_eq!(metrics[1].figures, GpuFigures::Counter(0.5));
        let much_later = gpus(&path, &TelemetryReport::default(), Nanos(-2 * SECOND), Nanos(-2 * SECOND), 0);
        assert!(much_later.telemetry.gpus.is_empty());
    }
}
