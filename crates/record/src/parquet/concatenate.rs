//! Putting parts together without decoding them.
//!
//! The parts' column chunks are copied as they are; only the file's footer is written anew. So the
//! cost is that of copying bytes, however many rows there are.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::writer::SerializedFileWriter;

use super::partial::PartialFile;
use super::sink::properties;
use crate::error::RecordError;

/// Writes the rows of `parts`, in that order, to `path`. The parts must have the same columns. The
/// metadata is the first part's, with `metadata` added or put in place of what it had.
pub fn concatenate(parts: &[PathBuf], path: &Path, metadata: &[(String, String)]) -> Result<(), RecordError> {
    let [first, ..] = parts else { return Err(RecordError::NoParts { path: path.to_owned() }) };
    let (_, footer) = open(first)?;
    let schema = footer.file_metadata().schema_descr().root_schema_ptr();
    let output = BufWriter::new(PartialFile::create(path)?);
    let mut writer = SerializedFileWriter::new(output, schema, Arc::new(properties()))
        .map_err(RecordError::parquet("begin", path))?;
    for fact in merged_metadata(&footer, metadata) {
        writer.append_key_value_metadata(fact);
    }
    for part in parts {
        append(part, &footer, &mut writer)?;
    }
    let buffer = writer.into_inner().map_err(RecordError::parquet("complete", path))?;
    buffer.into_inner().map_err(|error| RecordError::io("write", path)(error.into_error()))?.commit()
}

fn append(
    part: &Path,
    first: &ParquetMetaData,
    writer: &mut SerializedFileWriter<BufWriter<PartialFile>>,
) -> Result<(), RecordError> {
    let (file, footer) = open(part)?;
    if footer.file_metadata().schema() != first.file_metadata().schema() {
        return Err(RecordError::PartsDiffer { path: part.to_owned() });
    }
    for (index, group) in footer.row_groups().iter().enumerate() {
        let mut output = writer.next_row_group().map_err(RecordError::parquet("extend with", part))?;
        for (number, column) in group.columns().iter().enumerate() {
            let page_index = footer.page_index();
            let chunk = ColumnCloseResult {
                bytes_written: column.compressed_size() as u64,
                rows_written: group.num_rows() as u64,
                metadata: column.clone(),
                bloom_filter: None,
                column_index: page_index.and_then(|pages| pages.column_index(index, number)).cloned(),
                offset_index: page_index.and_then(|pages| pages.offset_index(index, number)).cloned(),
            };
            output.append_column(&file, chunk).map_err(RecordError::parquet("copy", part))?;
        }
        output.close().map_err(RecordError::parquet("copy", part))?;
    }
    Ok(())
}

fn open(part: &Path) -> Result<(File, ParquetMetaData), RecordError> {
    let file = File::open(part).map_err(RecordError::io("open", part))?;
    let footer = ParquetMetaDataReader::new()
        .with_page_index_policy(parquet::file::metadata::PageIndexPolicy::Optional)
        .parse_and_finish(&file)
        .map_err(RecordError::parquet("read", part))?;
    Ok((file, footer))
}

fn merged_metadata(footer: &ParquetMetaData, added: &[(String, String)]) -> Vec<KeyValue> {
    let kept = footer.file_metadata().key_value_metadata().into_iter().flatten();
    kept.filter(|fact| added.iter().all(|(key, _)| *key != fact.key))
        .cloned()
        .chain(added.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())))
        .collect()
}
