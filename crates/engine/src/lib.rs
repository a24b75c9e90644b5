//! Pace, dispatch, pool, cancel, drain, emit records.
