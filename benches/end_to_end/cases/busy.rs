//! Streams while others fight for the cores: what the kernel's stamps are for.

use anyhow::Result;

use super::{Case, Effort};
use crate::client::Client;
use crate::figure::{Figure, Samples, Unit};
use crate::host::BusyLoops;
use crate::lab::Bench;
use crate::mock::Mock;
use crate::quantile::{p99_ms, percent};
use crate::timing::Errors;

/// Loops that take what they can get.
const LOOPS: usize = 4;

pub(super) const BUSY: Case = Case {
    name: "busy",
    about: "64 streams at 50 tokens/s while four busy loops fight for the cores",
    effort: Effort::Light,
    figures: &[
        Figure::at_most("gap_error", "gap error, p99", Unit::Ms, 1.0, 0.1),
        Figure::less("outside", "stamp outside the server's write call, p99", Unit::Ms),
        Figure::less("uncertain", "chunks marked as uncertain", Unit::Percent),
    ],
    run: |bench| {
        // Requests of 2 s begin at 32 a second: 64 streams.
        let errors = fight(bench, "fixed?ttft=50ms&itl=20ms", 100)?;
        let mut samples = Samples::default();
        samples.put_some("gap_error", p99_ms(&errors.gap));
        samples.put_some("outside", p99_ms(&errors.outside));
        samples.put_some("uncertain", percent(errors.flagged, errors.outside.len() as u64));
        Ok(samples)
    },
};

pub(super) const BUSY_FAST: Case = Case {
    name: "busy_fast",
    about: "64 streams at 200 tokens/s while four busy loops fight for the cores",
    effort: Effort::Light,
    figures: &[
        Figure::at_most("gap_error", "gap error of exact chunks, p99", Unit::Ms, 1.0, 0.1),
        Figure::at_least("flagged", "merged chunks that are marked", Unit::Percent, 100.0, 100.0),
        Figure::at_least("inside", "marked chunks with the truth inside", Unit::Percent, 99.9, 100.0),
        Figure::less("uncertain", "chunks marked as uncertain", Unit::Percent),
    ],
    run: |bench| {
        let errors = fight(bench, "fixed?ttft=50ms&itl=5ms", 400)?;
        let mut samples = Samples::default();
        samples.put_some("gap_error", p99_ms(&errors.exact_gap));
        samples.put_some("flagged", percent(errors.merged_and_flagged, errors.merged));
        samples.put_some("inside", percent(errors.flagged_and_inside, errors.flagged));
        samples.put_some("uncertain", percent(errors.flagged, errors.outside.len() as u64));
        Ok(samples)
    },
};

fn fight(bench: &Bench, profile: &str, tokens: u32) -> Result<Errors> {
    let folder = bench.folder()?;
    let mock = Mock::logging(bench, &folder, profile)?;
    let load = format!(
        "--streaming --request-rate 32 --arrival-pattern constant --request-count 160 --isl 128 --osl {tokens} \
         --extra-inputs ignore_eos:true"
    );
    let loops = BusyLoops::start(LOOPS, None);
    let ran = Client::new(bench, &folder, &mock, "busy", &load).run()?;
    drop(loops);
    ran.errors_against(&mock.truth()?)
}
