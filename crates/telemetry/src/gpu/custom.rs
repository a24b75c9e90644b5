//! Further DCGM fields, from a file in the exporter's own CSV.

use super::{GpuField, gpu_fields};

/// Words that stay in capitals in a label.
const CAPITALS: [&str; 13] =
    ["GPU", "XID", "SM", "NVLINK", "PCI", "PCIE", "CPU", "RAM", "VRAM", "ECC", "NVIDIA", "JPEG", "DCGM"];

/// Fields of a file, and what could not be used of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CustomFields {
    /// Fields that are not read anyway.
    pub fields: Vec<GpuField>,
    /// What was passed over, each with its line.
    pub warnings: Vec<String>,
}

/// Reads lines `DCGM_FI_X, gauge|counter, help text`. Comments begin with `#`. Figures of such a field are
/// shown as they come, and as a gauge whatever the file says: as AIPerf.
pub fn custom_fields(text: &str) -> CustomFields {
    let mut custom = CustomFields::default();
    let known = gpu_fields();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut parts = line.splitn(3, ',').map(str::trim);
        let (Some(dcgm), Some(kind), Some(help)) = (parts.next(), parts.next(), parts.next()) else {
            custom.warn(index, "expected three values: DCGM_FI_…, gauge or counter, what it is (in UNIT)");
            continue;
        };
        let Some(rest) = dcgm.strip_prefix("DCGM_FI_") else {
            custom.warn(index, "the name of a DCGM field begins with DCGM_FI_");
            continue;
        };
        if !matches!(kind, "gauge" | "counter") {
            custom.warn(index, "the second value is gauge or counter");
            continue;
        }
        if known.iter().chain(&custom.fields).any(|field| field.dcgm == dcgm) {
            continue;
        }
        let short = rest.strip_prefix("DEV_").or(rest.strip_prefix("PROF_")).unwrap_or(dcgm);
        let name = format!("nvidia_{}", short.to_lowercase());
        let label = help.split('(').next().unwrap_or_default().trim();
        let header = title(if label.is_empty() { name.replace('_', " ") } else { label.to_owned() }.as_str());
        custom.fields.push(GpuField {
            dcgm: dcgm.to_owned(),
            name,
            header,
            unit: unit(help).to_owned(),
            scale: 1.0,
            is_counter: false,
            is_custom: true,
        });
    }
    custom
}

impl CustomFields {
    fn warn(&mut self, index: usize, what: &str) {
        self.warnings.push(format!("line {} is passed over: {what}", index + 1));
    }
}

fn title(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        let upper = word.to_uppercase();
        if CAPITALS.contains(&upper.as_str()) {
            return upper;
        }
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect()
        })
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The unit in `(in X)`. Binary sizes are called by the decimal name and not converted, as in AIPerf.
fn unit(help: &str) -> &'static str {
    let lower = help.to_lowercase();
    let inside = lower.find("(in ").and_then(|at| lower[at + 4..].split(')').next()).unwrap_or_default();
    match inside.trim() {
        "w" => "W",
        "%" | "percent" => "%",
        "gb" | "gib" => "GB",
        "mb" | "mib" => "MB",
        "kb" | "kib" => "KB",
        "mhz" => "MHz",
        "ghz" => "GHz",
        "c" | "°c" | "celsius" => "°C",
        "us" => "us",
        "ms" => "ms",
        "s" => "sec",
        "mj" => "MJ",
        "j" => "J",
        _ => "count",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_adds_the_fields_that_are_not_read_anyway() {
        let text = "# custom DCGM metrics\n\nDCGM_FI_DEV_SM_CLOCK, gauge, SM clock frequency (in MHz)\n\
                    DCGM_FI_DEV_FB_FREE, counter, Framebuffer memory free (in MiB)\n\
                    DCGM_FI_DEV_GPU_TEMP, gauge, known\nDCGM_FI_PROF_X, gauge\nY, gauge, z\nDCGM_FI_Z, summary, z\n";
        let custom = custom_fields(text);
        let fields: Vec<_> = custom
            .fields
            .iter()
            .map(|field| (field.name.as_str(), field.header.as_str(), field.unit.as_str(), field.is_counter))
            .collect();
        assert_eq!(
            fields,
            [
                ("nvidia_sm_clock", "SM Clock Frequency", "MHz", false),
                ("nvidia_fb_free", "Framebuffer Memory Free", "MB", false),
            ]
        );
        assert_eq!(custom.warnings.len(), 3);
        assert!(custom.warnings[0].starts_with("line 6 "), "{:?}", custom.warnings);
    }
}
