//! From the last response to the last file.

use anyhow::Context;

use super::{Case, Effort};
use crate::client::Client;
use crate::figure::{Figure, Samples, Unit};
use crate::mock::Mock;

const MILLION: f64 = 1e6;
/// The size that is run without --full.
const SMALL: u32 = 100_000;
/// What the load itself may take: the full size needs ten minutes on two cores.
const LIMIT_SECONDS: u64 = 1_800;

pub(super) const FINISH: Case = Case {
    name: "finish",
    about: "100,000 requests of 64 chunks (1,000,000 with --full): from the last response to the end",
    effort: Effort::Heavy,
    figures: &[
        Figure::at_most("million", "for 1,000,000 requests (in proportion)", Unit::Seconds, 15.0, 5.0),
        Figure::less("wall", "as measured", Unit::Seconds),
        Figure::less("event", "CPU per token event, whole run", Unit::CpuMicros),
        Figure::less("peak", "peak memory", Unit::MiB),
    ],
    run: |bench| {
        let folder = bench.folder()?;
        let requests = if bench.full { 1_000_000 } else { SMALL };
        let mock = Mock::silent(bench, &folder, "fixed?ttft=1ms&itl=1us&output=64")?;
        let load = format!(
            "--streaming --concurrency 64 --request-count {requests} --isl 64 --num-dataset-entries 16"
        );
        let ran = Client::new(bench, &folder, &mock, "finish", &load).at_most_seconds(LIMIT_SECONDS).run()?;
        let mut last = None;
        for record in ran.records()? {
            last = last.max(record?.instants.end.map(|at| at.0));
        }
        let last = last.context("no request ended")?;
        // The exit is later than the last file: whatever it takes to leave counts too.
        let wall = (ran.usage.ended_ns - last) as f64 / 1e9;
        let mut samples = Samples::default();
        samples.put("wall", wall);
        samples.put("million", wall * MILLION / f64::from(requests));
        samples.put("event", ran.usage.cpu_us_each(f64::from(requests) * 64.0));
        samples.put("peak", ran.usage.peak_bytes as f64 / f64::from(1 << 20));
        Ok(samples)
    },
};
