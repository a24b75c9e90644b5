//! Records to and from storage, off the hot path.
//!
//! Two forms, each with one purpose:
//!
//! * the **journal** ([`Journal`], [`JournalSink`], [`JournalReader`]): what the workers saw, written
//!   as it happens, so that a run that dies can still be reported;
//! * the **record** ([`ParquetSink`], [`RecordReader`], [`RECORD_SCHEMA`]): `profile_export.parquet`,
//!   one row a request, for every tool that reads Parquet.
//!
//! What this crate does not know: HTTP, rates, tokenizers, and what a metric means. Metric columns
//! are names, units and numbers that the caller hands over.

mod error;
mod journal;
mod parquet;
#[cfg(test)]
mod samples;
mod schema;

pub use error::RecordError;
pub use journal::{
    Batch, BatchLimit, Damage, DamageReason, Entry, Journal, JournalHeader, JournalLimits, JournalReader,
    JournalSink, JournalStats, Written, lower_priority, read_bytes,
};
pub use parquet::{ParquetSink, PartialFile, RecordReader, RowShaper, ShapedRows, StoredRecord};
pub use schema::{MetricColumn, RECORD_SCHEMA, SCHEMA_VERSION, keys, record_schema, schema_listing};
