//! The schema of `profile_export.parquet`: the record's columns, and one for each metric.
//!
//! The record's own columns are a table ([`columns`]); everything else (the Arrow schema, the
//! encodings, the writer, the reader, the listing in `schemas/`) follows from it.

pub(crate) mod access;
pub(crate) mod columns;
pub mod keys;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use serde_json::{Value, json};

use crate::error::RecordError;
use access::Access;
use columns::{COLUMNS, Column};

/// Version of the record's schema: raised when a column changes its name, type or meaning, not when
/// one is added.
pub const SCHEMA_VERSION: &str = "1.0";

/// The record's own columns, without metrics.
pub static RECORD_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| record_schema(&[]));

/// A per-request metric: a nullable double column named by its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricColumn {
    /// The metric's tag.
    pub name: String,
    /// The unit of its values, as every export shows it.
    pub unit: String,
}

/// The columns of a record with these metrics. A metric whose name the record already uses (the
/// `usage_*` counts) has no column of its own: the record's holds the same value.
pub fn record_schema(metrics: &[MetricColumn]) -> SchemaRef {
    let own = COLUMNS.iter().map(field);
    let metrics = metrics.iter().filter(|metric| !is_own_column(&metric.name)).map(metric_field);
    Arc::new(Schema::new(own.chain(metrics).collect::<Vec<_>>()))
}

/// The record's columns as JSON, for `schemas/record.json`: name, type, nullable, unit (null without
/// one) and description of each, and what the metric columns that follow them have in common.
pub fn schema_listing() -> Value {
    let columns: Vec<_> = COLUMNS
        .iter()
        .map(|column| {
            json!({
                "name": column.name,
                "type": column.access.type_name(),
                "nullable": column.nullable,
                "unit": column.unit,
                "description": column.description,
            })
        })
        .collect();
    json!({
        "title": "The record: profile_export.parquet, one row a request",
        "schema_version": SCHEMA_VERSION,
        "columns": columns,
        "metric_columns": {
            "type": "double",
            "nullable": true,
            "description": "One for each per-request metric, named by its tag, after the columns above. \
                Its unit stands in the file's metadata. Null where the metric does not apply to the \
                request. A metric with the name of a column above has none of its own.",
        },
        "file_metadata": keys::ALL
            .iter()
            .map(|(key, description)| json!({ "key": key, "description": description }))
            .collect::<Vec<_>>(),
    })
}

/// Whether the record itself has a column of this name.
pub(crate) fn is_own_column(name: &str) -> bool {
    COLUMNS.iter().any(|column| column.name == name)
}

/// Refuses metrics that are declared twice.
pub(crate) fn check_metrics(metrics: &[MetricColumn]) -> Result<(), RecordError> {
    let mut seen = std::collections::HashSet::new();
    match metrics.iter().find(|metric| !seen.insert(&metric.name)) {
        Some(twice) => Err(RecordError::DuplicateMetric { name: twice.name.clone() }),
        None => Ok(()),
    }
}

fn field(column: &Column) -> Field {
    let mut facts = HashMap::from([("description".to_owned(), column.description.to_owned())]);
    facts.extend(column.unit.map(|unit| ("unit".to_owned(), unit.to_owned())));
    Field::new(column.name, column.access.data_type(), column.nullable).with_metadata(facts)
}

fn metric_field(metric: &MetricColumn) -> Field {
    Field::new(&metric.name, DataType::Float64, true)
        .with_metadata(HashMap::from([("unit".to_owned(), metric.unit.clone())]))
}

/// The type of names from a short, fixed list.
pub(crate) fn name_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))
}

/// The field of a list's elements.
pub(crate) fn element_field(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, false))
}

/// The fields of a map's entries.
pub(crate) fn label_fields() -> Fields {
    Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, false)])
}

impl Access {
    /// The Arrow type of the column.
    pub(crate) fn data_type(&self) -> DataType {
        match self {
            Self::Int16 { .. } => DataType::Int16,
            Self::Int32 { .. } => DataType::Int32,
            Self::Int64 { .. } => DataType::Int64,
            Self::Bool { .. } => DataType::Boolean,
            Self::Text { .. } => DataType::Utf8,
            Self::Name { .. } => name_type(),
            Self::Int32List { .. } => DataType::List(element_field(DataType::Int32)),
            Self::Int64List { .. } => DataType::List(element_field(DataType::Int64)),
            Self::Kinds { .. } => DataType::List(element_field(name_type())),
            Self::Labels { .. } => {
                let entries = Field::new("key_value", DataType::Struct(label_fields()), false);
                DataType::Map(Arc::new(entries), false)
            }
        }
    }

    /// The type in words that every reader of Parquet understands.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Int16 { .. } => "int16",
            Self::Int32 { .. } => "int32",
            Self::Int64 { .. } => "int64",
            Self::Bool { .. } => "bool",
            Self::Text { .. } => "utf8",
            Self::Name { .. } => "dictionary<utf8>",
            Self::Int32List { .. } => "list<int32>",
            Self::Int64List { .. } => "list<int64>",
            Self::Kinds { .. } => "list<dictionary<utf8>>",
            Self::Labels { .. } => "map<utf8, utf8>",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_are_distinct_and_every_column_is_described() {
        let names: std::collections::BTreeSet<_> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), COLUMNS.len());
        for column in COLUMNS {
            assert!(column.description.ends_with('.'), "{}", column.name);
            assert_eq!(column.name.ends_with("_ns"), column.unit == Some("ns"), "{}", column.name);
        }
    }

    #[test]
    fn a_metric_takes_a_column_unless_the_record_has_it() {
        let metric = |name: &str| MetricColumn { name: name.to_owned(), unit: "ms".to_owned() };
        let schema = record_schema(&[metric("time_to_first_token"), metric("usage_prompt_tokens")]);
        assert_eq!(schema.fields().len(), COLUMNS.len() + 1);
        let field = schema.field_with_name("time_to_first_token").unwrap();
        assert_eq!(field.metadata()["unit"], "ms");
        assert!(check_metrics(&[metric("a"), metric("b"), metric("a")]).is_err());
    }

    #[test]
    fn the_listing_agrees_with_the_schema() {
        let listing = schema_listing();
        let listed = listing["columns"].as_array().unwrap();
        assert_eq!(listed.len(), RECORD_SCHEMA.fields().len());
        for (entry, field) in listed.iter().zip(RECORD_SCHEMA.fields()) {
            assert_eq!(entry["name"], field.name().as_str());
            assert_eq!(entry["nullable"], field.is_nullable());
        }
    }
}
