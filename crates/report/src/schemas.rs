//! JSON Schemas of the files this crate writes, made from the types that write them.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use crate::record_line::RecordLine;
use crate::summary_json::SummaryFile;

/// File name (without `.schema.json`) and schema of each JSON file this crate writes.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("profile_export_aiperf", schema::<SummaryFile<'_>>()),
        ("profile_export_record", schema::<RecordLine<'_>>()),
    ]
}

/// The schema of what is written, where a key that does not apply is left out and never null.
fn schema<T: JsonSchema>() -> Value {
    let mut schema =
        SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    RecursiveTransform(forbid_null).transform(&mut schema);
    schema.to_value()
}

/// Takes null out of the types and alternatives of one schema; a single one left stands alone.
fn forbid_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else { return };
    choices.retain(|choice| *choice != json!({"type": "null"}));
    if let [Value::Object(only)] = &choices[..] {
        let only = only.clone();
        schema.remove("anyOf");
        only.into_iter().for_each(|(key, value)| drop(schema.insert(key, value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_schema_allows_null_and_each_has_a_title() {
        for (name, schema) in schemas() {
            assert!(!schema.to_string().contains("\"null\""), "{name}");
            assert!(schema["title"].is_string(), "{name}");
        }
    }
}
