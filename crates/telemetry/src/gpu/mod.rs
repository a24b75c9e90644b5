//! GPUs, as a DCGM exporter shows them.
//!
//! [`FIELDS`] is the table of what is taken, with names and units as AIPerf 0.13's; a file of the user's may
//! add to it ([`custom_fields`]). [`GpuLine`] is one GPU at one scrape, a line of
//! `gpu_telemetry_export.jsonl`.

mod custom;
mod lines;

use serde::{Deserialize, Serialize};

pub use custom::{CustomFields, custom_fields};
pub use lines::{GpuLine, gpu_lines};

/// Where exporters are looked for when nobody says where they are.
pub const DEFAULT_GPU_URLS: [&str; 2] = ["http://localhost:9400/metrics", "http://localhost:9401/metrics"];

/// What makes of the GPUs come.
pub(crate) const PLATFORM: &str = "nvidia";

/// The field that tells power, W.
pub const POWER: &str = "nvidia_power_usage";
/// The field that tells energy since boot, MJ.
pub const ENERGY: &str = "nvidia_energy_consumption";

/// One thing that is read of a GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuField {
    /// The exporter's name.
    pub dcgm: String,
    /// The name in every file.
    pub name: String,
    /// The label in tables, unit not included.
    pub header: String,
    /// The unit shown.
    pub unit: String,
    /// What the exporter's figure is multiplied by to be in that unit.
    pub scale: f64,
    /// Whether it only grows, so that its difference over a window is what counts.
    pub is_counter: bool,
    /// Whether the user added it.
    pub is_custom: bool,
}

/// What is read of every GPU: exporter's name, name, label, unit, factor, whether it only grows.
const FIELDS: [(&str, &str, &str, &str, f64, bool); 11] = [
    ("DCGM_FI_DEV_POWER_USAGE", POWER, "NVIDIA GPU Power Usage", "W", 1.0, false),
    ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", ENERGY, "NVIDIA Energy Consumption", "MJ", 1e-9, true),
    ("DCGM_FI_DEV_GPU_UTIL", "nvidia_gpu_utilization", "NVIDIA GPU Utilization", "%", 1.0, false),
    ("DCGM_FI_DEV_MEM_COPY_UTIL", "nvidia_memory_utilization", "NVIDIA Memory Utilization", "%", 1.0, false),
    ("DCGM_FI_DEV_FB_USED", "nvidia_memory_used", "NVIDIA GPU Memory Used", "GB", 1.048_576e-3, false),
    ("DCGM_FI_DEV_GPU_TEMP", "nvidia_temperature", "NVIDIA GPU Temperature", "°C", 1.0, false),
    ("DCGM_FI_PROF_SM_ACTIVE", "nvidia_sm_utilization", "NVIDIA SM Utilization", "%", 100.0, false),
    ("DCGM_FI_DEV_DEC_UTIL", "nvidia_decoder_utilization", "NVIDIA Decoder Utilization", "%", 1.0, false),
    ("DCGM_FI_DEV_ENC_UTIL", "nvidia_encoder_utilization", "NVIDIA Encoder Utilization", "%", 1.0, false),
    ("DCGM_FI_DEV_XID_ERRORS", "nvidia_xid_errors", "NVIDIA XID Errors", "count", 1.0, true),
    ("DCGM_FI_DEV_POWER_VIOLATION", "nvidia_power_violation", "NVIDIA Power Violation", "us", 1e-3, true),
];

/// What is read of every GPU, in the order of every file.
pub fn gpu_fields() -> Vec<GpuField> {
    let field =
        |(dcgm, name, header, unit, scale, is_counter): (&str, &str, &str, &str, f64, bool)| GpuField {
            dcgm: dcgm.to_owned(),
            name: name.to_owned(),
            header: header.to_owned(),
            unit: unit.to_owned(),
            scale,
            is_counter,
            is_custom: false,
        };
    FIELDS.map(field).into()
}
