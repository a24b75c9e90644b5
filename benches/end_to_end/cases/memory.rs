//! Memory: constant in the length of a run, small for each open stream.

use anyhow::{Context, Result};

use super::{Case, Effort};
use crate::client::Client;
use crate::figure::{Figure, Samples, Unit};
use crate::host::MemoryWatch;
use crate::lab::Bench;
use crate::mock::Mock;

const MIB: f64 = (1 << 20) as f64;

pub(super) const LONG: Case = Case {
    name: "memory_long",
    about: "1,000,000 and 10,000,000 token events in one run: the most memory resident",
    effort: Effort::Heavy,
    figures: &[
        Figure::at_most("peak", "peak memory at 10,000,000 token events", Unit::MiB, 200.0, 100.0),
        Figure::at_most("ratio", "against that at 1,000,000", Unit::Times, 1.5, 1.1),
        Figure::less("peak_short", "peak memory at 1,000,000 token events", Unit::MiB),
    ],
    run: |bench| {
        let folder = bench.folder()?;
        let mut peaks = [0.0; 2];
        for (requests, peak) in [1_000, 10_000].into_iter().zip(&mut peaks) {
            let mock = Mock::silent(bench, &folder, "fixed?ttft=1ms&itl=1us&output=1000")?;
            let load = format!(
                "--streaming --concurrency 64 --request-count {requests} --isl 64 --num-dataset-entries 16"
            );
            let ran = Client::new(bench, &folder, &mock, &format!("long-{requests}"), &load).run()?;
            *peak = ran.usage.peak_bytes as f64;
        }
        let [short, long] = peaks;
        let mut samples = Samples::default();
        samples.put("peak", long / MIB);
        samples.put("ratio", long / short);
        samples.put("peak_short", short / MIB);
        Ok(samples)
    },
};

/// Chunks that every stream has when its memory is looked at.
const CHUNKS: usize = 100;

pub(super) const STREAMS: Case = Case {
    name: "memory_streams",
    about: "10,000 open streams with 100 chunks each so far: memory of a stream",
    effort: Effort::Heavy,
    figures: &[
        Figure::at_most("stream", "memory of an open stream", Unit::KiB, 30.0, 15.0),
        Figure::less("resident", "memory resident with 10,000 of them", Unit::MiB),
        Figure::less("base", "memory resident with 10 of them", Unit::MiB),
    ],
    run: |bench| {
        let (few, many) = (10, 10_000);
        let base = resident_with(bench, few)?;
        let resident = resident_with(bench, many)?;
        let mut samples = Samples::default();
        samples.put("stream", (resident - base) / (many - few) as f64 / 1024.0);
        samples.put("resident", resident / MIB);
        samples.put("base", base / MIB);
        Ok(samples)
    },
};

/// The most memory resident between the hundredth chunk of the last stream and the end of the first, bytes.
fn resident_with(bench: &Bench, streams: usize) -> Result<f64> {
    let folder = bench.folder()?;
    // Slow enough that two cores keep up, and 2 s between the hundredth chunk and the end.
    let mock = Mock::silent(bench, &folder, "fixed?ttft=4s&itl=200ms&output=125")?;
    let load = format!(
        "--streaming --concurrency {streams} --request-count {streams} --isl 64 --num-dataset-entries 16"
    );
    let client = Client::new(bench, &folder, &mock, "streams", &load);
    let running = client.start()?;
    let watch = MemoryWatch::start(running.pid());
    let usage = running.succeed();
    let memory = watch.finish();
    let ran = client.ran(usage?);

    let (mut from, mut until) = (i64::MIN, i64::MAX);
    for record in ran.records()? {
        let record = record?;
        if record.degraded {
            // Its chunk lists were dropped at the end: it was open meanwhile all the same.
            continue;
        }
        let start = record.instants.request_start.context("a request never began")?.0;
        let hundredth = record.chunks.offset_ns.get(CHUNKS - 1).with_context(|| {
            let (outcome, error) = (record.outcome.name(), &record.error);
            format!("a stream has {} chunks: {outcome} {error:?}", record.chunks.len())
        })?;
        from = from.max(start + hundredth);
        until = until.min(record.instants.end.context("a request never ended")?.0);
    }
    let meanwhile = memory.iter().filter(|(at, _)| (from..until).contains(at));
    let most = meanwhile.map(|(_, bytes)| *bytes).max();
    Ok(most.context("the streams were never all open with a hundred chunks")? as f64)
}
