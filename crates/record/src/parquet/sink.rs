//! Writing `profile_export.parquet`, some rows at a time.
//!
//! Invariants: memory is bounded by one row group ([`ROW_GROUP_BYTES`]) and one batch of rows; the
//! file has its name only once it is whole. What this file does not know: what a metric means.

use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use loadgen_core::RequestRecord;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value};

use super::columns::Rows;
use super::partial::PartialFile;
use crate::error::RecordError;
use crate::schema::columns::{COLUMNS, Column};
use crate::schema::{MetricColumn, SCHEMA_VERSION, check_metrics, is_own_column, keys, record_schema};

/// Row groups end at about this many encoded bytes, beside which the pages under way are in memory.
const ROW_GROUP_BYTES: usize = 8 << 20;
/// Pages end at so many rows: until then a column keeps 8 bytes a row.
const PAGE_ROWS: usize = 4096;
/// Pages of chunk lists end at about this many encoded bytes,
const LIST_PAGE_BYTES: usize = 128 << 10;
/// and those of names at so many rows: until then every chunk takes 8 bytes, of which its page gets a
/// bit at most, so that no size would ever end it.
const NAME_LIST_PAGE_ROWS: usize = 128;
/// A column whose dictionary outgrows this is written without one. Most columns have few values or a
/// different one in every row; for the latter a dictionary costs time, and memory for each column.
const DICTIONARY_BYTES: usize = 32 << 10;
/// Rows are encoded once this many wait,
const BATCH_ROWS: usize = 1024;
/// or this many chunks in them: some 2 MiB.
const BATCH_CHUNKS: usize = 64 << 10;

/// Writes records to a Parquet file.
pub struct ParquetSink {
    writer: ArrowWriter<BufWriter<PartialFile>>,
    shaper: RowShaper,
    rows: Rows,
    metadata: Vec<(String, String)>,
}

impl ParquetSink {
    /// Begins a file at `path`, with a column for each metric and with `metadata` (see
    /// [`keys`](crate::keys) for its names). The schema's version and the metrics' units are added.
    pub fn create(
        path: &Path,
        metrics: &[MetricColumn],
        metadata: Vec<(String, String)>,
    ) -> Result<Self, RecordError> {
        check_metrics(metrics)?;
        let schema = record_schema(metrics);
        let file = BufWriter::new(PartialFile::create(path)?);
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties()))
            .map_err(RecordError::parquet("begin", path))?;
        let has_column: Vec<_> = metrics.iter().map(|metric| !is_own_column(&metric.name)).collect();
        let shaper = RowShaper { schema, has_column: has_column.into() };
        let mut sink = Self { writer, rows: shaper.rows(BATCH_ROWS), shaper, metadata: Vec::new() };
        sink.add_metadata(keys::SCHEMA_VERSION, SCHEMA_VERSION.to_owned());
        sink.add_metadata(keys::METRIC_UNITS, units(metrics));
        for (key, value) in metadata {
            sink.add_metadata(&key, value);
        }
        Ok(sink)
    }

    /// Adds a row: the record, and the values of the metrics in the order they were declared.
    pub fn push(&mut self, record: &RequestRecord, metrics: &[Option<f64>]) -> Result<(), RecordError> {
        self.shaper.push(&mut self.rows, record, metrics)?;
        if self.rows.len() >= BATCH_ROWS || self.rows.chunks() >= BATCH_CHUNKS {
            self.encode()?;
        }
        Ok(())
    }

    /// What shapes rows for this file, on any thread.
    pub fn shaper(&self) -> RowShaper {
        self.shaper.clone()
    }

    /// Adds rows that were shaped for this file.
    pub fn write(&mut self, rows: &ShapedRows) -> Result<(), RecordError> {
        if self.rows.len() > 0 {
            self.encode()?;
        }
        let path = self.path();
        self.writer.write(&rows.0).map_err(RecordError::parquet("write", &path))
    }

    /// Writes down all rows so far, so that they no longer take memory; for when no more come.
    pub fn end_rows(&mut self) -> Result<(), RecordError> {
        if self.rows.len() > 0 {
            self.encode()?;
        }
        let path = self.path();
        self.writer.flush().map_err(RecordError::parquet("write", &path))
    }

    /// Puts a fact into the file's metadata, in place of what the key had; for what is known only at
    /// the end.
    pub fn add_metadata(&mut self, key: &str, value: String) {
        self.metadata.retain(|(known, _)| known != key);
        self.metadata.push((key.to_owned(), value));
    }

    /// Completes the file and gives it its name.
    pub fn finish(mut self) -> Result<(), RecordError> {
        self.end_rows()?;
        let path = self.path();
        for (key, value) in self.metadata {
            self.writer.append_key_value_metadata(KeyValue::new(key, value));
        }
        let buffer = self.writer.into_inner().map_err(RecordError::parquet("complete", &path))?;
        let file =
            buffer.into_inner().map_err(|error| RecordError::io("write", &path)(error.into_error()))?;
        file.commit()
    }

    fn encode(&mut self) -> Result<(), RecordError> {
        let batch = self.rows.take().map_err(|source| RecordError::Arrow {
            action: "encode rows of",
            path: self.path(),
            source,
        })?;
        let path = self.path();
        self.writer.write(&batch).map_err(RecordError::parquet("write", &path))
    }

    fn path(&self) -> std::path::PathBuf {
        self.writer.inner().get_ref().path().to_owned()
    }
}

/// Turns records into the columns of a file: the part of writing that needs no order.
#[derive(Debug, Clone)]
pub struct RowShaper {
    schema: SchemaRef,
    /// Which of the values handed over have a column of their own.
    has_column: Arc<[bool]>,
}

/// Rows, column by column.
#[derive(Debug)]
pub struct ShapedRows(RecordBatch);

impl RowShaper {
    /// The columns of some rows: records, each with the values of the metrics in the order they were
    /// declared.
    pub fn shape<'a>(
        &self,
        rows: impl ExactSizeIterator<Item = (&'a RequestRecord, Vec<Option<f64>>)>,
    ) -> Result<ShapedRows, RecordError> {
        let mut shaped = self.rows(rows.len());
        for (record, metrics) in rows {
            self.push(&mut shaped, record, &metrics)?;
        }
        let path = std::path::PathBuf::new();
        shaped.take().map(ShapedRows).map_err(|source| RecordError::Arrow {
            action: "shape rows of",
            path,
            source,
        })
    }

    fn rows(&self, capacity: usize) -> Rows {
        let own_columns = self.has_column.iter().filter(|has_column| **has_column).count();
        Rows::new(Arc::clone(&self.schema), own_columns, capacity)
    }

    fn push(
        &self,
        rows: &mut Rows,
        record: &RequestRecord,
        metrics: &[Option<f64>],
    ) -> Result<(), RecordError> {
        if metrics.len() != self.has_column.len() {
            return Err(RecordError::MetricCount { given: metrics.len(), expected: self.has_column.len() });
        }
        let own = metrics.iter().zip(&*self.has_column).filter(|(_, has_column)| **has_column);
        rows.push(record, own.map(|(value, _)| *value));
        Ok(())
    }
}

impl std::fmt::Debug for ParquetSink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ParquetSink").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// Snappy; instants and chunk lists as packed differences, for which a dictionary would only be
/// built to be thrown away; no statistics of chunk lists, by which nothing could be skipped.
fn properties() -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_created_by(format!("loadgen {}", env!("CARGO_PKG_VERSION")));
    for column in COLUMNS {
        let path = leaf_path(column);
        if is_packed(column) {
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
        }
        if matches!(column.access.data_type(), DataType::List(_)) {
            builder = builder
                .set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
                .set_column_data_page_size_limit(path.clone(), LIST_PAGE_BYTES);
            if !is_packed(column) {
                builder = builder.set_column_data_page_row_count_limit(path, NAME_LIST_PAGE_ROWS);
            }
        }
    }
    builder.build()
}

fn is_packed(column: &Column) -> bool {
    match column.access.data_type() {
        DataType::Int64 => column.unit == Some("ns"),
        DataType::List(element) => element.data_type().is_integer(),
        _ => false,
    }
}

/// The path in the file of a column's values.
fn leaf_path(column: &Column) -> ColumnPath {
    let mut path = vec![column.name.to_owned()];
    if let DataType::List(element) = column.access.data_type() {
        path.extend(["list".to_owned(), element.name().clone()]);
    }
    ColumnPath::new(path)
}

fn units(metrics: &[MetricColumn]) -> String {
    let units: Map<_, _> =
        metrics.iter().map(|metric| (metric.name.clone(), Value::from(metric.unit.clone()))).collect();
    Value::from(units).to_string()
}
