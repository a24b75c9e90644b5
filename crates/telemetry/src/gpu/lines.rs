//! One GPU at one scrape.

use loadgen_core::Nanos;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{GpuField, PLATFORM};
use crate::exposition::{Family, Sample};

/// One GPU at one scrape: a line of `gpu_telemetry_export.jsonl`, in AIPerf's order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuLine {
    /// Its number on its host.
    pub gpu_index: i64,
    /// Its own identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_uuid: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_model_name: Option<String>,
    /// Where it is plugged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pci_bus_id: Option<String>,
    /// The device's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The host's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The Kubernetes namespace that uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The pod that uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    /// Its make.
    pub platform: String,
    /// When it was read, ns since the Unix epoch.
    pub timestamp_ns: Nanos,
    /// Where, credentials removed.
    pub telemetry_source_url: String,
    /// What it stood at, by field, in the unit shown.
    pub telemetry_data: Map<String, Value>,
}

/// The GPUs of a scrape, ordered by their number.
pub fn gpu_lines(families: &[Family], fields: &[GpuField], at: Nanos, url: &str) -> Vec<GpuLine> {
    let mut lines: Vec<GpuLine> = Vec::new();
    for field in fields {
        let samples = families.iter().flat_map(|family| &family.samples);
        for sample in samples.filter(|sample| is_of(sample, field) && sample.value.is_finite()) {
            let Some(index) = label(sample, &["gpu"]).and_then(|index| index.parse().ok()) else { continue };
            let line = line_of(&mut lines, index, sample, at, url);
            let value = if field.is_custom && sample.value.fract() == 0.0 && sample.value.abs() < 9e15 {
                Value::from(sample.value as i64)
            } else {
                Value::from(sample.value * field.scale)
            };
            line.telemetry_data.insert(field.name.clone(), value);
        }
    }
    lines.sort_by_key(|line| line.gpu_index);
    lines
}

fn is_of(sample: &Sample, field: &GpuField) -> bool {
    let name = sample.name.as_str();
    name == field.dcgm || name.strip_suffix("_total") == Some(&field.dcgm)
}

/// The first label of these names, if it says anything.
fn label<'a>(sample: &'a Sample, names: &[&str]) -> Option<&'a str> {
    let value = names
        .iter()
        .find_map(|name| sample.labels.iter().find(|(label, _)| label == name))
        .map(|(_, value)| value)?;
    (!value.is_empty()).then_some(value.as_str())
}

fn line_of<'a>(
    lines: &'a mut Vec<GpuLine>,
    index: i64,
    sample: &Sample,
    at: Nanos,
    url: &str,
) -> &'a mut GpuLine {
    let place = lines.iter().position(|line| line.gpu_index == index).unwrap_or_else(|| {
        let text = |names: &[&str]| label(sample, names).map(str::to_owned);
        lines.push(GpuLine {
            gpu_index: index,
            gpu_uuid: text(&["UUID"]),
            gpu_model_name: text(&["modelName"]),
            pci_bus_id: text(&["pci_bus_id"]),
            device: text(&["device"]),
            hostname: text(&["Hostname"]),
            namespace: text(&["namespace"]),
            pod_name: text(&["pod"]),
            platform: PLATFORM.to_owned(),
            timestamp_ns: at,
            telemetry_source_url: url.to_owned(),
            telemetry_data: Map::new(),
        });
        lines.len() - 1
    });
    &mut lines[place]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{custom_fields, gpu_fields};
    use super::*;
    use crate::exposition::{Dialect, parse};

    #[test]
    fn a_gpu_is_a_line_in_the_units_and_the_order_of_aiperf() {
        let labels = "UUID=\"GPU-0\",pci_bus_id=\"00000000:01:00.0\",device=\"nvidia0\",modelName=\"X100\",Hostname=\"host-a\"";
        let text = format!(
            "# TYPE DCGM_FI_DEV_SM_CLOCK gauge\nDCGM_FI_DEV_SM_CLOCK{{gpu=\"0\",{labels}}} 1500\n\
             # TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter\n\
             DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu=\"0\",{labels}}} 5000000000\n\
             DCGM_FI_DEV_FB_USED{{gpu=\"0\",{labels}}} 1000\nDCGM_FI_PROF_SM_ACTIVE{{gpu=\"0\",{labels}}} 0.25\n\
             DCGM_FI_DEV_GPU_TEMP{{gpu=\"0\",{labels}}} NaN\nDCGM_FI_DEV_POWER_USAGE{{gpu=\"1\"}} 7.5\n\
             DCGM_FI_DEV_POWER_USAGE{{{labels}}} 8\n"
        );
        let families = parse(&text, Dialect::Plain).unwrap();
        let mut fields = gpu_fields();
        fields.extend(custom_fields("DCGM_FI_DEV_SM_CLOCK, gauge, SM clock frequency (in MHz)").fields);
        let lines = gpu_lines(&families, &fields, Nanos(7), "http://h:1/metrics");
        assert_eq!(lines.len(), 2, "one sample names no GPU");
        assert_eq!(
            serde_json::to_string(&lines[0]).unwrap(),
            "{\"gpu_index\":0,\"gpu_uuid\":\"GPU-0\",\"gpu_model_name\":\"X100\",\"pci_bus_id\":\"00000000:01:00.0\",\
             \"device\":\"nvidia0\",\"hostname\":\"host-a\",\"platform\":\"nvidia\",\"timestamp_ns\":7,\
             \"telemetry_source_url\":\"http://h:1/metrics\",\"telemetry_data\":{\"nvidia_energy_consumption\":5.0,\
             \"nvidia_memory_used\":1.0485760000000002,\"nvidia_sm_utilization\":25.0,\"nvidia_sm_clock\":1500}}"
        );
        let back: GpuLine = serde_json::from_str(&serde_json::to_string(&lines[1]).unwrap()).unwrap();
        assert_eq!(back, lines[1]);
    }
}
