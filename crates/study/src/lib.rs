//! Experiments over runs.
