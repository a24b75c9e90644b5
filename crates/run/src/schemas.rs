//! JSON Schemas of the files that this crate and those below it write.

use loadgen_metrics::Quality;
use loadgen_workload::TraceRow;
use serde_json::Value;

use crate::provenance::Provenance;

/// The schemas, by the name of their file: made from the types, so they cannot disagree with them.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("measurement_quality", schemars::schema_for!(Quality).to_value()),
        ("provenance", schemars::schema_for!(Provenance).to_value()),
        ("record", loadgen_record::schema_listing()),
        ("trace_line", schemars::schema_for!(TraceRow).to_value()),
    ]
}
