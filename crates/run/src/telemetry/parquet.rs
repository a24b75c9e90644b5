//! `server_metrics_export.parquet`: every sample of the measured phase, as AIPerf writes it.
//!
//! One row a sample, and of a histogram one a bucket; counters and histograms as what they grew by since the last
//! sample before the phase. Rows come in the order of time and are written some thousands at a time, so memory
//! holds one reading a series.

use std::collections::{BTreeSet, HashMap};
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use loadgen_core::Nanos;
use loadgen_metrics::{Reading, SeriesKind, SeriesName, infer_unit};
use loadgen_record::PartialFile;
use loadgen_telemetry::Played;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use thiserror::Error;

use super::servers::ScrapedServers;
use crate::error::RunError;

/// Rows that are encoded together.
const BATCH_ROWS: usize = 8192;

/// Columns before the labels', and behind them.
const BEFORE: [&str; 6] =
    ["endpoint_url", "metric_name", "metric_type", "unit", "description", "timestamp_ns"];
const BEHIND: [&str; 5] = ["value", "sum", "count", "bucket_le", "bucket_count"];

/// Why the file could not be made.
#[derive(Debug, Error)]
pub(crate) enum SamplesError {
    /// Its rows could not be put together.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// It could not be encoded.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    /// The tape could not be played.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It could not be put in its place.
    #[error(transparent)]
    Run(#[from] Box<RunError>),
}

impl ScrapedServers {
    /// Writes the file of the samples within `window`, its ends among them, with these facts in its metadata.
    ///
    /// As AIPerf: samples belong to it by their time, where the figures of the JSON file take the phase in which they
    /// were asked for.
    pub(crate) fn write_samples(
        &self,
        path: &Path,
        window: (Nanos, Nanos),
        metadata: Vec<(String, String)>,
    ) -> Result<(), SamplesError> {
        let labels = self.label_columns();
        let metadata: Vec<(String, String)> = metadata
            .into_iter()
            .chain(self.own_metadata(&labels))
            .map(|(key, value)| (format!("aiperf.{key}"), value))
            .collect();
        // Readers find it in the schema as Arrow sees it, or in the file's own list.
        let schema = schema(&labels, metadata.iter().cloned().collect());
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file = PartialFile::create(path).map_err(|error| Box::new(RunError::from(error)))?;
        let mut writer = ArrowWriter::try_new(BufWriter::new(file), schema.clone(), Some(properties))?;
        for (key, value) in metadata {
            writer.append_key_value_metadata(KeyValue::new(key, value));
        }
        let mut rows = Rows::new(labels);
        let mut references: Vec<Option<Reading>> = vec![None; self.played().series.len()];
        let mut failure: Option<SamplesError> = None;
        Played::play(self.tape(), |played, scrape| {
            if scrape.at > window.1 {
                return;
            }
            for id in &played.of_endpoint[scrape.endpoint] {
                let Some(reading) = &played.standing[*id] else { continue };
                let reference = &mut references[*id];
                if scrape.at < window.0 {
                    *reference = Some(reading.clone());
                    continue;
                }
                let reference = reference.get_or_insert_with(|| reading.clone());
                let url = &self.played().endpoints[scrape.endpoint].url;
                rows.push(url, &played.series[*id], scrape.at.0, reference, reading);
            }
            if rows.count >= BATCH_ROWS && failure.is_none() {
                failure = rows.write(&schema, &mut writer).err();
            }
        })?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        rows.write(&schema, &mut writer)?;
        if !rows.is_any {
            // As AIPerf: no file without a row.
            return Ok(());
        }
        let file = writer.into_inner()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.commit().map_err(|error| Box::new(RunError::from(error)))?;
        Ok(())
    }

    /// Labels of all series, sorted; one that is called as a column of the file is left out.
    fn label_columns(&self) -> Vec<String> {
        let labels = self.played().series.iter().flat_map(|name| &name.labels);
        let labels: BTreeSet<&String> = labels.map(|(label, _)| label).collect();
        let is_taken = |label: &str| BEFORE.contains(&label) || BEHIND.contains(&label);
        labels.into_iter().filter(|label| !is_taken(label)).cloned().collect()
    }

    fn own_metadata(&self, labels: &[String]) -> Vec<(String, String)> {
        let json = |texts: &[String]| serde_json::to_string(texts).expect("lists of text always serialise");
        let played = self.played();
        let count = |kind| played.series.iter().filter(|name| name.kind == kind).count();
        let counts = serde_json::json!({
            "gauge": count(SeriesKind::Gauge),
            "counter": count(SeriesKind::Counter),
            "histogram": count(SeriesKind::Histogram),
            "unknown": count(SeriesKind::Unknown),
        });
        let reachable = played.endpoints.iter().filter(|endpoint| endpoint.is_reachable);
        let mut urls: Vec<String> = reachable.map(|endpoint| endpoint.url.clone()).collect();
        urls.sort();
        [
            ("endpoint_urls", json(&urls)),
            ("endpoint_count", urls.len().to_string()),
            ("label_columns", json(labels)),
            ("label_count", labels.len().to_string()),
            ("metric_count", played.series.len().to_string()),
            ("metric_type_counts", counts.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }
}

fn schema(labels: &[String], metadata: HashMap<String, String>) -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let mut fields: Vec<Field> = BEFORE[..5].iter().map(|name| text(name)).collect();
    fields.push(Field::new(BEFORE[5], DataType::Int64, true));
    fields.extend(labels.iter().map(|label| text(label)));
    fields.extend(BEHIND[..3].iter().map(|name| number(name)));
    fields.push(text(BEHIND[3]));
    fields.push(number(BEHIND[4]));
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// Rows that are not yet encoded, column by column.
struct Rows {
    labels: Vec<String>,
    url: StringBuilder,
    name: StringBuilder,
    kind: StringBuilder,
    unit: StringBuilder,
    help: StringBuilder,
    at: Int64Builder,
    label_values: Vec<StringBuilder>,
    value: Float64Builder,
    sum: Float64Builder,
    observations: Float64Builder,
    bound: StringBuilder,
    bucket: Float64Builder,
    count: usize,
    /// Whether any was encoded.
    is_any: bool,
}

impl Rows {
    fn new(labels: Vec<String>) -> Self {
        Self {
            label_values: labels.iter().map(|_| StringBuilder::new()).collect(),
            labels,
            url: StringBuilder::new(),
            name: StringBuilder::new(),
            kind: StringBuilder::new(),
            unit: StringBuilder::new(),
            help: StringBuilder::new(),
            at: Int64Builder::new(),
            value: Float64Builder::new(),
            sum: Float64Builder::new(),
            observations: Float64Builder::new(),
            bound: StringBuilder::new(),
            bucket: Float64Builder::new(),
            count: 0,
            is_any: false,
        }
    }

    fn push(&mut self, url: &str, name: &SeriesName, at: i64, reference: &Reading, reading: &Reading) {
        let growth = |from: f64, to: f64| (to - from).max(0.0);
        match (reference, reading) {
            (Reading::Scalar(from), Reading::Scalar(to)) => {
                let value = if name.kind == SeriesKind::Counter { growth(*from, *to) } else { *to };
                self.head(url, name, at);
                self.value.append_value(value);
                self.sum.append_null();
                self.observations.append_null();
                self.bound.append_null();
                self.bucket.append_null();
            }
            (
                Reading::Histogram { buckets: b0, sum: s0, count: n0 },
                Reading::Histogram { buckets: b1, sum: s1, count: n1 },
            ) => {
                for (bound, (from, to)) in name.bounds.iter().zip(b0.iter().zip(b1)) {
                    self.head(url, name, at);
                    self.value.append_null();
                    self.sum.append_value(growth(*s0, *s1));
                    self.observations.append_value(growth(*n0, *n1));
                    self.bound.append_value(bound);
                    self.bucket.append_value(growth(*from, *to));
                }
            }
            _ => {}
        }
    }

    fn head(&mut self, url: &str, name: &SeriesName, at: i64) {
        self.count += 1;
        self.url.append_value(url);
        self.name.append_value(&name.name);
        self.kind.append_value(name.kind.name());
        self.unit.append_option(infer_unit(&name.name, &name.help));
        self.help.append_value(&name.help);
        self.at.append_value(at);
        for (label, values) in self.labels.iter().zip(&mut self.label_values) {
            values.append_option(name.labels.iter().find(|(own, _)| own == label).map(|(_, value)| value));
        }
    }

    fn write<W: std::io::Write + Send>(
        &mut self,
        schema: &SchemaRef,
        writer: &mut ArrowWriter<W>,
    ) -> Result<(), SamplesError> {
        if self.count == 0 {
            return Ok(());
        }
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.url.finish()),
            Arc::new(self.name.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.unit.finish()),
            Arc::new(self.help.finish()),
            Arc::new(self.at.finish()),
        ];
        columns.extend(self.label_values.iter_mut().map(|values| Arc::new(values.finish()) as ArrayRef));
        columns.push(Arc::new(self.value.finish()));
        columns.push(Arc::new(self.sum.finish()));
        columns.push(Arc::new(self.observations.finish()));
        columns.push(Arc::new(self.bound.finish()));
        columns.push(Arc::new(self.bucket.finish()));
        (self.count, self.is_any) = (0, true);
        Ok(writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::telemetry::servers::tests::tape;

    /// Times (s) and values of the counter's rows over a window.
    fn counter_rows(window: (i64, i64)) -> Option<Vec<(i64, f64)>> {
        let folder = tempfile::tempdir().unwrap();
        let servers = ScrapedServers::survey(tape(&folder, 8)).unwrap();
        let path = folder.path().join("samples.parquet");
        let window = (Nanos(window.0), Nanos(window.1));
        servers.write_samples(&path, window, Vec::new()).unwrap();
        let file = std::fs::File::open(&path).ok()?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let mut rows = Vec::new();
        for batch in reader {
            let batch = batch.unwrap();
            let column = |name: &str| batch.column_by_name(name).unwrap().clone();
            let (names, at, values) = (column("metric_name"), column("timestamp_ns"), column("value"));
            for row in 0..batch.num_rows() {
                if names.as_string::<i32>().value(row) == "n" {
                    let seconds = at.as_primitive::<Int64Type>().value(row) / 1_000_000_000;
                    rows.push((seconds, values.as_primitive::<Float64Type>().value(row)));
                }
            }
        }
        Some(rows)
    }

    #[test]
    fn samples_belong_to_the_file_by_their_time_and_counters_grow_from_the_one_before() {
        // A reading a second, 10 more each time but for the sixth, which is as the one before.
        let rows = counter_rows((3_000_000_000, 6_000_000_000));
        assert_eq!(rows, Some(vec![(3, 10.0), (4, 20.0), (5, 20.0), (6, 40.0)]));
        let rows = counter_rows((3_000_000_001, 5_999_999_999));
        assert_eq!(rows, Some(vec![(4, 10.0), (5, 10.0)]));
    }

    #[test]
    fn labels_have_columns_and_facts_stand_in_the_schema() {
        let folder = tempfile::tempdir().unwrap();
        let servers = ScrapedServers::survey(tape(&folder, 8)).unwrap();
        let path = folder.path().join("samples.parquet");
        let facts = vec![("version".to_owned(), "0.13.0".to_owned())];
        servers.write_samples(&path, (Nanos(0), Nanos(i64::MAX)), facts).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
        let schema = reader.schema().clone();
        assert_eq!(schema.metadata()["aiperf.version"], "0.13.0");
        assert_eq!(schema.metadata()["aiperf.label_columns"], "[\"model\"]");
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names[5..8], ["timestamp_ns", "model", "value"]);
        let batch = reader.build().unwrap().next().unwrap().unwrap();
        assert_eq!(batch.num_rows(), 16, "eight readings of two series");
        let gauge = batch.column(7).as_primitive::<Float64Type>().value(7);
        assert!((gauge - 3.0).abs() < f64::EPSILON, "the gauge itself");
    }

    #[test]
    fn without_a_sample_there_is_no_file() {
        assert_eq!(counter_rows((60_000_000_000, 61_000_000_000)), None);
    }
}
