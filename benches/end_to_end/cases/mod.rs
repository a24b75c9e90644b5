//! The cases. Each makes one load, or a few to be compared, and gives its figures.
//!
//! To add a case: write a function from a [`Bench`] to [`Samples`], name its figures, list it in [`CASES`].

mod beside;
mod busy;
mod calm;
mod cpu;
mod finish;
mod memory;
mod rate;
mod startup;
mod stopped;
mod verdict;

use anyhow::Result;

use crate::figure::{Figure, Samples};
use crate::lab::Bench;

/// A case.
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does, in a line.
    pub(crate) about: &'static str,
    /// Whether it is repeated.
    pub(crate) effort: Effort,
    /// What it measures.
    pub(crate) figures: &'static [Figure],
    /// One run.
    pub(crate) run: fn(&Bench) -> Result<Samples>,
}

/// What a case costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Seconds.
    Light,
    /// A good part of a minute, or of the memory; what it measures varies little.
    Heavy,
}

/// All of them, in the order of the table.
pub(crate) const CASES: &[Case] = &[
    calm::CALM,
    beside::BESIDE,
    busy::BUSY,
    busy::BUSY_FAST,
    stopped::STOPPED_PLAIN,
    stopped::STOPPED_TLS,
    cpu::PACKET,
    rate::RATE_CASE,
    cpu::STREAMS,
    cpu::REQUESTS,
    cpu::SATURATION,
    memory::LONG,
    memory::STREAMS,
    startup::ONE_REQUEST,
    startup::TRACE,
    finish::FINISH,
    verdict::VERDICT,
];

/// What `--list` prints.
pub(crate) fn listing() -> String {
    let case = |case: &Case| {
        let once = if case.effort == Effort::Heavy { " (heavy: once unless --full)" } else { "" };
        let figures = case.figures.iter().map(|figure| format!("    {}\n", figure.label));
        format!("{}: {}{once}\n{}", case.name, case.about, figures.collect::<String>())
    };
    CASES.iter().map(case).collect()
}
