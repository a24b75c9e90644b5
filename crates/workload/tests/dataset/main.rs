//! Datasets as a run sees them: files in, turns out.
#![allow(clippy::unwrap_used)]

mod custom;
mod faults;
mod sessions;
mod support;
mod synthetic;
mod trace;
