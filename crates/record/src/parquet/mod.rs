//! `profile_export.parquet`: written a row at a time, put together from parts, read back.

mod columns;
mod concatenate;
mod partial;
mod reader;
mod sink;

pub use concatenate::concatenate;
pub use reader::{RecordReader, StoredRecord};
pub use sink::ParquetSink;

#[cfg(test)]
mod tests;
