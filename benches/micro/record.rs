//! The journal and the Parquet file, with 64 chunks a record.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput};
use loadgen_core::{Nanos, RecordSink};
use loadgen_record::{Journal, JournalHeader, ParquetSink, RecordReader, read_bytes};

use crate::samples::{self, CHUNKS};

const RECORDS: usize = 500;

pub(crate) fn benches(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let raw: Vec<_> = (0..RECORDS as i64).map(samples::raw).collect();
    let counted: Vec<_> = (0..RECORDS as i64).map(samples::counted).collect();

    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements((RECORDS * CHUNKS) as u64));
    group.bench_function("write the journal", |bencher| {
        let journal = folder.path().join("journal");
        bencher.iter_batched(
            || raw.clone(),
            |records| write_journal(&journal, records),
            BatchSize::LargeInput,
        );
    });
    let journal = folder.path().join("to-read");
    write_journal(&journal, raw);
    let bytes = first_segment(&journal);
    group.bench_function("read the journal", |bencher| {
        bencher.iter(|| {
            let (entries, damage) = read_bytes(black_box(&bytes));
            assert!(damage.is_empty());
            entries.len()
        });
    });
    let path = folder.path().join("records.parquet");
    group.bench_function("write Parquet", |bencher| {
        bencher.iter(|| {
            let mut sink = ParquetSink::create(&path, &[], Vec::new()).expect("a file can be made");
            for record in &counted {
                sink.push(black_box(record), &[]).expect("a record fits");
            }
            sink.finish().expect("the disk has room");
        });
    });
    group.bench_function("read Parquet", |bencher| {
        bencher.iter(|| {
            let rows = RecordReader::open(&path).expect("the file is there");
            let counted = rows.map(|row| row.expect("what was written can be read")).map(black_box).count();
            assert_eq!(counted, RECORDS);
        });
    });
    group.finish();
}

fn write_journal(folder: &Path, records: Vec<loadgen_core::RawRecord>) {
    let header = JournalHeader {
        schema_version: 1,
        loadgen_version: "0".to_owned(),
        clock_anchor: Nanos(0),
        plan: "{}".to_owned(),
    };
    let (journal, mut sinks) = Journal::create(folder, &header, 1).expect("a journal can be made");
    for record in records {
        sinks[0].finished(record);
    }
    drop(sinks);
    journal.close().expect("the disk has room");
}

/// The bytes of the only segment of a small journal.
fn first_segment(folder: &Path) -> Vec<u8> {
    let entries = fs::read_dir(folder).expect("the journal is there");
    let segments: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    assert_eq!(segments.len(), 1, "{segments:?}");
    fs::read(&segments[0]).expect("the segment can be read")
}
