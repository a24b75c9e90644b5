//! JSON Schemas of the files this crate writes, made from the types that write them.

use schemars::schema_for;
use serde_json::Value;

use crate::record_line::RecordLine;
use crate::summary_json::SummaryFile;

/// File name (without `.schema.json`) and schema of each JSON file this crate writes.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("profile_export_aiperf", schema_for!(SummaryFile<'_>).to_value()),
        ("profile_export_record", schema_for!(RecordLine<'_>).to_value()),
    ]
}
