//! From the start of the process to work.

use anyhow::Context;

use super::{Case, Effort};
use crate::aiperf;
use crate::client::Client;
use crate::figure::{Figure, Samples, Unit, Who};
use crate::mock::Mock;

const PROFILE: &str = "fixed?ttft=0ms&itl=0ms&output=1";
const ONE: &str = "--streaming --request-count 1 --concurrency 1 --isl 64 --num-dataset-entries 1";

pub(super) const ONE_REQUEST: Case = Case {
    name: "startup",
    about: "one request to a server that answers at once",
    effort: Effort::Light,
    figures: &[
        Figure::at_most("wall", "process start to exit", Unit::Seconds, 0.5, 0.1),
        Figure::less("cpu", "CPU time", Unit::Seconds),
        Figure::less("peak", "peak memory", Unit::MiB),
    ],
    run: |bench| {
        let folder = bench.folder()?;
        let mock = Mock::silent(bench, &folder, PROFILE)?;
        let ran = Client::new(bench, &folder, &mock, "one", ONE).run()?;
        let mut samples = Samples::default();
        samples.put("wall", ran.usage.wall_seconds());
        samples.put("cpu", ran.usage.cpu_ns() / 1e9);
        samples.put("peak", ran.usage.peak_bytes as f64 / f64::from(1 << 20));
        if let Some(peer) = aiperf::run(bench, &folder, &mock, ONE)? {
            samples.put_peer("wall", Who::Aiperf, peer.usage.wall_seconds());
            samples.put_peer("cpu", Who::Aiperf, peer.usage.cpu_ns() / 1e9);
        }
        Ok(samples)
    },
};

pub(super) const TRACE: Case = Case {
    name: "trace",
    about: "the Mooncake conversation trace, 12,031 rows and 145 million prompt tokens",
    effort: Effort::Light,
    figures: &[
        Figure::at_most("first", "process start to first request", Unit::Seconds, 1.0, 0.3),
        Figure::at_most("peak", "peak memory", Unit::MiB, 300.0, 100.0),
        Figure::less("cpu", "CPU time in all", Unit::Seconds),
    ],
    run: |bench| {
        let folder = bench.folder()?;
        let mock = Mock::silent(bench, &folder, "fixed?ttft=5ms&itl=1ms")?;
        let trace = bench.repository.join("traces/mooncake_conversation.jsonl");
        // All of it is planned, three seconds of it are sent.
        let load = format!(
            "--streaming --input-file {} --custom-dataset-type mooncake_trace --fixed-schedule \
             --benchmark-duration 3 --benchmark-grace-period 0",
            trace.display()
        );
        let ran = Client::new(bench, &folder, &mock, "trace", &load).run()?;
        let mut first = None;
        for record in ran.records()? {
            let sent = record?.instants.send_start.map(|at| at.0);
            first = [first, sent].into_iter().flatten().min();
        }
        let first = first.context("nothing was sent")?;
        let mut samples = Samples::default();
        samples.put("first", (first - ran.usage.started_ns) as f64 / 1e9);
        samples.put("peak", ran.usage.peak_bytes as f64 / f64::from(1 << 20));
        samples.put("cpu", ran.usage.cpu_ns() / 1e9);
        Ok(samples)
    },
};
