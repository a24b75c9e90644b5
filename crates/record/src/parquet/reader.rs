//! Reading `profile_export.parquet` back.
//!
//! A batch of rows is in memory at a time. Columns are found by name, so a file with fewer nullable
//! columns (an older one) or with more (a newer one) is read all the same.
//!
//! What a file does not hold comes back empty: when a planned cancellation struck, causes of errors,
//! the first and last read of a body. The journal has those.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use loadgen_core::{
    Chunks, ConnectionFacts, Identity, Instants, Outcome, Phase, RequestRecord, StampCounts, TokenCounts,
};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::columns::KINDS;
use crate::error::RecordError;
use crate::schema::access::Access;
use crate::schema::columns::{COLUMNS, Column};
use crate::schema::{MetricColumn, is_own_column, keys};

/// Rows read at a time.
const BATCH_ROWS: usize = 1024;

/// One row: the record, and its metrics in the order of [`RecordReader::metrics`].
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRecord {
    /// The record.
    pub record: RequestRecord,
    /// Values of the metric columns.
    pub metrics: Vec<Option<f64>>,
}

/// Streams the rows of a record file.
pub struct RecordReader {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    rows: std::vec::IntoIter<StoredRecord>,
    metrics: Vec<MetricColumn>,
    metadata: Vec<(String, String)>,
    row_count: u64,
}

impl RecordReader {
    /// Opens a file. Its columns are checked row by row as they are read.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let file = File::open(path).map_err(RecordError::io("open", path))?;
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(RecordError::parquet("read", path))?;
        let footer = builder.metadata().file_metadata();
        let metadata: Vec<_> = footer
            .key_value_metadata()
            .into_iter()
            .flatten()
            .filter_map(|fact| Some((fact.key.clone(), fact.value.clone()?)))
            .collect();
        let find = |key| metadata.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
        let units: Map<String, Value> =
            find(keys::METRIC_UNITS).and_then(|units| serde_json::from_str(units).ok()).unwrap_or_default();
        let metrics = builder
            .schema()
            .fields()
            .iter()
            .filter(|field| *field.data_type() == DataType::Float64 && !is_own_column(field.name()))
            .map(|field| MetricColumn {
                name: field.name().clone(),
                unit: units.get(field.name()).and_then(Value::as_str).unwrap_or_default().to_owned(),
            })
            .collect();
        let row_count = u64::try_from(footer.num_rows()).unwrap_or(0);
        let batches =
            builder.with_batch_size(BATCH_ROWS).build().map_err(RecordError::parquet("read", path))?;
        let rows = Vec::new().into_iter();
        Ok(Self { path: path.to_owned(), batches, rows, metrics, metadata, row_count })
    }

    /// The metric columns, in the order of the file.
    pub fn metrics(&self) -> &[MetricColumn] {
        &self.metrics
    }

    /// The file's metadata.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    /// Rows in the file.
    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    fn decode(&self, batch: &RecordBatch) -> Result<Vec<StoredRecord>, RecordError> {
        let mut records = vec![blank(); batch.num_rows()];
        for column in COLUMNS {
            let filled = match batch.column_by_name(column.name) {
                Some(array) => fill(column, array, &mut records),
                None if column.nullable => Some(()),
                None => return Err(self.fault(column.name, "is missing")),
            };
            filled
                .ok_or_else(|| self.fault(column.name, "has a type or a value that records do not have"))?;
        }
        if !records.iter().all(|record| has_equal_lists(&record.chunks)) {
            return Err(self.fault("chunk_offset_ns", "has lists of other lengths than other chunk columns"));
        }
        let offsets = batch.column_by_name("chunk_offset_ns");
        let metrics: Vec<_> = self
            .metrics
            .iter()
            .filter_map(|metric| batch.column_by_name(&metric.name)?.as_primitive_opt::<Float64Type>())
            .collect();
        let rows = records.into_iter().enumerate().map(|(row, mut record)| {
            record.degraded = offsets.is_some_and(|offsets| offsets.is_null(row));
            let metrics =
                metrics.iter().map(|column| column.is_valid(row).then(|| column.value(row))).collect();
            StoredRecord { record, metrics }
        });
        Ok(rows.collect())
    }

    fn fault(&self, column: &str, problem: &str) -> RecordError {
        RecordError::NotARecord {
            path: self.path.clone(),
            column: column.to_owned(),
            problem: problem.to_owned(),
        }
    }
}

impl Iterator for RecordReader {
    type Item = Result<StoredRecord, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            let batch = match self.batches.next()? {
                Ok(batch) => batch,
                Err(source) => {
                    return Some(Err(RecordError::Arrow { action: "read", path: self.path.clone(), source }));
                }
            };
            match self.decode(&batch) {
                Ok(rows) => self.rows = rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl std::fmt::Debug for RecordReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RecordReader").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Puts a column's values into the records; `None` when a type or a value does not fit.
fn fill(column: &Column, array: &ArrayRef, records: &mut [RequestRecord]) -> Option<()> {
    if !column.nullable && array.null_count() > 0 {
        return None;
    }
    let rows = records.iter_mut().enumerate().filter(|(row, _)| array.is_valid(*row));
    match &column.access {
        Access::Int16 { set, .. } => {
            let values = array.as_primitive_opt::<Int16Type>()?;
            rows.for_each(|(row, record)| set(record, values.value(row)));
        }
        Access::Int32 { set, .. } => {
            let values = array.as_primitive_opt::<Int32Type>()?;
            rows.for_each(|(row, record)| set(record, values.value(row)));
        }
        Access::Int64 { set, .. } => {
            let values = array.as_primitive_opt::<Int64Type>()?;
            rows.for_each(|(row, record)| set(record, values.value(row)));
        }
        Access::Bool { set, .. } => {
            let values = array.as_boolean_opt()?;
            rows.for_each(|(row, record)| set(record, values.value(row)));
        }
        Access::Text { set, .. } => {
            let values = array.as_string_opt::<i32>()?;
            for (row, record) in rows {
                set(record, values.value(row)).then_some(())?;
            }
        }
        Access::Name { set, .. } => {
            let names = array.as_dictionary_opt::<Int8Type>()?.downcast_dict::<arrow_array::StringArray>()?;
            for (row, record) in rows {
                let name = arrow_array::ArrayAccessor::value(&names, row);
                set(record, name).then_some(())?;
            }
        }
        Access::Int32List { set, .. } => {
            let lists = array.as_list_opt::<i32>()?;
            let values = lists.values().as_primitive_opt::<Int32Type>()?.values();
            rows.for_each(|(row, record)| set(record, values[range(lists, row)].to_vec()));
        }
        Access::Int64List { set, .. } => {
            let lists = array.as_list_opt::<i32>()?;
            let values = lists.values().as_primitive_opt::<Int64Type>()?.values();
            rows.for_each(|(row, record)| set(record, values[range(lists, row)].to_vec()));
        }
        Access::Kinds => {
            let lists = array.as_list_opt::<i32>()?;
            let names = lists.values().as_dictionary_opt::<Int8Type>()?;
            let kinds = names
                .values()
                .as_string_opt::<i32>()?
                .iter()
                .map(|name| KINDS.into_iter().find(|kind| Some(kind.name()) == name))
                .collect::<Vec<_>>();
            let keys = names.keys().values();
            for (row, record) in rows {
                let kinds =
                    keys[range(lists, row)].iter().map(|key| *kinds.get(usize::try_from(*key).ok()?)?);
                record.chunks.kind = kinds.collect::<Option<_>>()?;
            }
        }
        Access::Labels => {
            let maps = array.as_map_opt()?;
            let keys = maps.keys().as_string_opt::<i32>()?;
            let values = maps.values().as_string_opt::<i32>()?;
            for (row, record) in rows {
                let offsets = maps.value_offsets();
                let entries = offsets[row] as usize..offsets[row + 1] as usize;
                record.identity.labels =
                    entries.map(|entry| (keys.value(entry).into(), values.value(entry).into())).collect();
            }
        }
    }
    Some(())
}

fn range(lists: &arrow_array::ListArray, row: usize) -> std::ops::Range<usize> {
    let offsets = lists.value_offsets();
    offsets[row] as usize..offsets[row + 1] as usize
}

fn has_equal_lists(chunks: &Chunks) -> bool {
    let Chunks { offset_ns, uncertainty_ns, read_lag_ns, tokens, bytes, kind } = chunks;
    let others = [uncertainty_ns.len(), read_lag_ns.len(), tokens.len(), bytes.len(), kind.len()];
    others.iter().all(|length| *length == offset_ns.len())
}

/// A record of which nothing is known yet.
fn blank() -> RequestRecord {
    let nothing: Arc<str> = Arc::from("");
    RequestRecord {
        identity: Identity {
            request_id: Uuid::nil(),
            correlation_id: Arc::clone(&nothing),
            session_id: Arc::clone(&nothing),
            model: nothing,
            url_index: 0,
            worker_id: 0,
            source_row: None,
            session_num: 0,
            turn_index: 0,
            phase: Phase::Profiling,
            phase_index: 0,
            hash_ids: None,
            labels: Vec::new(),
        },
        instants: Instants::default(),
        connection: ConnectionFacts::default(),
        status: None,
        outcome: Outcome::NotSent,
        error: None,
        finish_reason: None,
        tokens: TokenCounts::default(),
        stamps: StampCounts::default(),
        chunks: Chunks::default(),
        good: None,
        degraded: false,
        cancelled_at: None,
        images: 0,
        audio_ns: None,
    }
}
