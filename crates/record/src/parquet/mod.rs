//! `profile_export.parquet`: written some rows at a time, read back.

mod columns;
mod partial;
mod reader;
mod sink;

pub use partial::PartialFile;
pub use reader::{RecordReader, StoredRecord};
pub use sink::{ParquetSink, RowShaper, ShapedRows};

#[cfg(test)]
mod tests;
