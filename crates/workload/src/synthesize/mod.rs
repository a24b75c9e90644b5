//! Making traces: workloads written to a file first, so that they can be read, kept and replayed.
//!
//! A generator is a configuration whose rows follow from it and a seed; it streams them to a writer
//! and says beforehand what they will amount to. It does not replay anything.

pub mod sinusoidal;
