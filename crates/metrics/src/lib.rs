//! Records to numbers: per-request metrics, aggregates, goodput, quality.
