#![allow(clippy::unwrap_used)]

use std::path::Path;

use loadgen_core::RequestRecord;
use parquet::basic::{Compression, Encoding};
use parquet::file::reader::{FileReader, SerializedFileReader};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::error::RecordError;
use crate::samples::any_request_record;
use crate::schema::{MetricColumn, keys};

fn metric(name: &str, unit: &str) -> MetricColumn {
    MetricColumn { name: name.to_owned(), unit: unit.to_owned() }
}

fn metrics() -> Vec<MetricColumn> {
    vec![metric("time_to_first_token", "ms"), metric("output_token_count", "tokens")]
}

fn kernel_stamps() -> Vec<(String, String)> {
    vec![(keys::TIMESTAMP_SOURCE.to_owned(), "kernel".to_owned())]
}

fn write(path: &Path, rows: &[(RequestRecord, Vec<Option<f64>>)]) {
    let mut sink = ParquetSink::create(path, &metrics(), kernel_stamps()).unwrap();
    for (record, values) in rows {
        sink.push(record, values).unwrap();
    }
    sink.finish().unwrap();
}

fn read(path: &Path) -> Vec<(RequestRecord, Vec<Option<f64>>)> {
    let rows = RecordReader::open(path).unwrap().map(Result::unwrap);
    rows.map(|row| (row.record, row.metrics)).collect()
}

fn any_rows() -> impl Strategy<Value = Vec<(RequestRecord, Vec<Option<f64>>)>> {
    let value = proptest::option::of(any::<f64>().prop_filter("NaN equals nothing", |value| !value.is_nan()));
    vec((any_request_record(), vec(value, 2)), 0..6)
}

/// Records that differ, the same ones every time.
fn some_records(count: usize) -> Vec<RequestRecord> {
    let mut runner = TestRunner::deterministic();
    let strategy = any_request_record();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_record_comes_back_as_it_was(rows in any_rows()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("profile_export.parquet");
        write(&path, &rows);
        prop_assert_eq!(read(&path), rows);
    }
}

#[test]
fn many_batches_come_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.parquet");
    let records = some_records(40);
    let rows: Vec<_> = (0..3_000)
        .map(|row| {
            let mut record = records[row % records.len()].clone();
            record.identity.session_num = row as i64;
            (record, vec![Some(row as f64), None])
        })
        .collect();
    write(&path, &rows);
    assert_eq!(RecordReader::open(&path).unwrap().row_count(), 3_000);
    assert_eq!(read(&path), rows);
}

#[test]
fn a_file_has_its_name_only_once_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.parquet");
    std::fs::write(&path, b"an earlier run").unwrap();
    let mut sink = ParquetSink::create(&path, &[], Vec::new()).unwrap();
    sink.push(&some_records(1)[0], &[]).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"an earlier run");
    drop(sink);
    assert_eq!(std::fs::read(&path).unwrap(), b"an earlier run");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half written stays");
}

#[test]
fn metadata_names_versions_and_units() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.parquet");
    let mut sink = ParquetSink::create(&path, &metrics(), kernel_stamps()).unwrap();
    sink.add_metadata(keys::PROVENANCE_SHA256, "ab12".to_owned());
    sink.add_metadata(keys::TIMESTAMP_SOURCE, "user".to_owned());
    sink.finish().unwrap();
    let reader = RecordReader::open(&path).unwrap();
    let find = |key: &str| reader.metadata().iter().find(|(known, _)| known == key).unwrap().1.as_str();
    assert_eq!(find(keys::SCHEMA_VERSION), "1.0");
    assert_eq!(find(keys::METRIC_UNITS), r#"{"time_to_first_token":"ms","output_token_count":"tokens"}"#);
    assert_eq!(find(keys::PROVENANCE_SHA256), "ab12");
    assert_eq!(find(keys::TIMESTAMP_SOURCE), "user", "the later fact stands");
    assert_eq!(reader.metadata().iter().filter(|(key, _)| key == keys::TIMESTAMP_SOURCE).count(), 1);
    assert_eq!(reader.metrics(), metrics());
}

#[test]
fn values_must_match_the_metrics_declared() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = ParquetSink::create(&folder.path().join("r.parquet"), &metrics(), Vec::new()).unwrap();
    let error = sink.push(&some_records(1)[0], &[None]).unwrap_err();
    assert!(matches!(error, RecordError::MetricCount { given: 1, expected: 2 }));
}

#[test]
fn a_metric_the_record_already_holds_has_no_second_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.parquet");
    let metrics = [metric("usage_prompt_tokens", "tokens"), metric("request_latency", "ms")];
    let mut sink = ParquetSink::create(&path, &metrics, kernel_stamps()).unwrap();
    let record = some_records(1).remove(0);
    sink.push(&record, &[Some(7.0), Some(8.0)]).unwrap();
    sink.finish().unwrap();
    assert_eq!(read(&path), [(record, vec![Some(8.0)])]);
}

#[test]
fn chunk_lists_are_packed_and_row_groups_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.parquet");
    let mut sink = ParquetSink::create(&path, &[], Vec::new()).unwrap();
    let mut record = some_records(1).remove(0);
    // Noise cannot be packed, so that a row group fills quickly.
    let noise =
        |state: &i64| Some((state ^ (state << 13)).wrapping_mul(0x5851_F42D_4C95_7F2D).rotate_left(17));
    record.degraded = false;
    record.chunks.offset_ns = std::iter::successors(Some(1), noise).take(60_000).collect();
    record.chunks.uncertainty_ns = record.chunks.offset_ns.clone();
    record.chunks.read_lag_ns = record.chunks.offset_ns.clone();
    record.chunks.tokens = vec![1; 60_000];
    record.chunks.bytes = vec![180; 60_000];
    record.chunks.kind = vec![loadgen_core::ChunkKind::Text; 60_000];
    for _ in 0..15 {
        sink.push(&record, &[]).unwrap();
    }
    sink.finish().unwrap();
    let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    let groups = reader.metadata().row_groups();
    assert!(groups.len() >= 2, "{} row groups", groups.len());
    for group in groups {
        assert!(group.compressed_size() < 18 << 20, "{} bytes", group.compressed_size());
        for column in group.columns() {
            assert_eq!(column.compression(), Compression::SNAPPY);
            let name = column.column_path().string();
            if name.starts_with("chunk_") && !name.starts_with("chunk_kind") {
                let encodings: Vec<_> = column.encodings().collect();
                assert!(encodings.contains(&Encoding::DELTA_BINARY_PACKED), "{name}: {encodings:?}");
                assert_eq!(column.dictionary_page_offset(), None, "{name}");
            }
        }
    }
}

#[test]
fn rows_shaped_elsewhere_keep_their_order_among_those_pushed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.parquet");
    let rows: Vec<_> = some_records(30).into_iter().map(|record| (record, vec![Some(1.5), None])).collect();
    let mut sink = ParquetSink::create(&path, &metrics(), Vec::new()).unwrap();
    let shaper = sink.shaper();
    for (number, rows) in rows.chunks(4).enumerate() {
        if number % 2 == 0 {
            let borrowed = rows.iter().map(|(record, metrics)| (record, metrics.clone()));
            sink.write(&shaper.shape(borrowed).unwrap()).unwrap();
        } else {
            for (record, metrics) in rows {
                sink.push(record, metrics).unwrap();
            }
        }
    }
    sink.finish().unwrap();
    assert_eq!(read(&path), rows);
}

#[test]
fn chunk_lists_that_do_not_match_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.parquet");
    let mut record = some_records(1).remove(0);
    record.degraded = false;
    record.chunks.tokens.push(1);
    write(&path, &[(record, vec![None, None])]);
    let error = RecordReader::open(&path).unwrap().next().unwrap().unwrap_err().to_string();
    assert!(error.contains("lists of other lengths"), "{error}");
}

#[test]
fn a_file_of_something_else_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.parquet");
    std::fs::write(&path, b"not parquet at all").unwrap();
    let error = RecordReader::open(&path).unwrap_err().to_string();
    assert!(error.contains("other.parquet"), "{error}");
}
