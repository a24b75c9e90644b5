//! Records to and from storage: the journal and Parquet.
