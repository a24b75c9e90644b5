//! What a token event and a request cost in CPU time, and how many of them fit.
//!
//! loadgen's CPU time is all of it, from process start to exit: threads that write the journal and the files,
//! counting of tokens and statistics included; `while loading` is the process's own figure for the time in
//! which load was made, background threads included. wrk keeps nothing and writes nothing.

use anyhow::{Context, Result, ensure};

use super::{Case, Effort};
use crate::aiperf;
use crate::client::{Client, Run};
use crate::figure::{Figure, Samples, Unit, Who};
use crate::lab::Bench;
use crate::mock::Mock;
use crate::wrk::Wrk;

const SECONDS: u64 = 6;
/// Answers of 100 tokens at 50 tokens/s.
const STREAM_PROFILE: &str = "fixed?ttft=50ms&itl=20ms&output=100";
const STREAM_LOAD: &str = "--streaming --concurrency 512 --benchmark-duration 6 --benchmark-grace-period 0 \
                           --isl 128 --num-dataset-entries 16";

pub(super) const STREAMS: Case = Case {
    name: "cpu_streams",
    about: "512 streams at 50 tokens/s: CPU time of a token event",
    effort: Effort::Light,
    figures: &[
        Figure::at_most("ratio", "CPU per token event, whole run, against wrk", Unit::Times, 2.0, 1.3),
        Figure::less("loading_ratio", "CPU per token event, while loading, against wrk", Unit::Times),
        Figure::less("event", "CPU per token event, whole run", Unit::CpuMicros),
        Figure::less("loading_event", "CPU per token event, while loading", Unit::CpuMicros),
    ],
    run: streams,
};

fn streams(bench: &Bench) -> Result<Samples> {
    let folder = bench.folder()?;
    let mut samples = Samples::default();
    let mock = Mock::logging(bench, &folder, STREAM_PROFILE)?;
    let ran = Client::new(bench, &folder, &mock, "streams", STREAM_LOAD).run()?;
    let events = mock.truth()?.tokens as f64;
    ensure!(events > 0.0, "the server wrote nothing");
    let (whole, loading) = (ran.usage.cpu_us_each(events), ran.cpu_while_loading_ns()? / events / 1e3);
    samples.put("event", whole);
    samples.put("loading_event", loading);

    let body = ran.first_body()?;
    let mock = Mock::logging(bench, &folder, STREAM_PROFILE)?;
    let wrk = Wrk { body: &body, connections: 512, seconds: SECONDS };
    if let Some(usage) = wrk.run(bench, &folder, &mock)? {
        let events = mock.truth()?.tokens as f64;
        ensure!(events > 0.0, "wrk got no tokens");
        let peer = usage.cpu_us_each(events);
        samples.put_peer("event", Who::Wrk, peer);
        samples.put_peer("loading_event", Who::Wrk, peer);
        samples.put("ratio", whole / peer);
        samples.put("loading_ratio", loading / peer);
    }
    let mock = Mock::logging(bench, &folder, STREAM_PROFILE)?;
    if let Some(peer) = aiperf::run(bench, &folder, &mock, STREAM_LOAD)? {
        let events = mock.truth()?.tokens as f64;
        samples.put_peer("event", Who::Aiperf, peer.usage.cpu_us_each(events));
    }
    Ok(samples)
}

pub(super) const PACKET: Case = Case {
    name: "cpu_packet",
    about: "256 streams at 50 tokens/s with --timestamps packet and with the socket's stamps",
    effort: Effort::Light,
    figures: &[
        Figure::at_most("ratio", "CPU per token event, packet against socket", Unit::Times, 1.5, 1.15),
        Figure::less("event", "CPU per token event with packet stamps", Unit::CpuMicros),
        Figure::less("socket_event", "CPU per token event with the socket's", Unit::CpuMicros),
    ],
    run: |bench| {
        let folder = bench.folder()?;
        let mut each = [0.0; 2];
        for (source, cpu) in ["socket", "packet"].into_iter().zip(&mut each) {
            let mock = Mock::silent(bench, &folder, STREAM_PROFILE)?;
            let load = format!(
                "--streaming --concurrency 256 --request-count 768 --isl 128 --num-dataset-entries 16 \
                 --timestamps {source}"
            );
            let ran = Client::new(bench, &folder, &mock, source, &load).run()?;
            *cpu = ran.usage.cpu_us_each(ran.token_events()?);
        }
        let [socket, packet] = each;
        let mut samples = Samples::default();
        samples.put("ratio", packet / socket);
        samples.put("event", packet);
        samples.put("socket_event", socket);
        Ok(samples)
    },
};

const SHORT_PROFILE: &str = "fixed?ttft=0ms&itl=0ms&output=1";

pub(super) const REQUESTS: Case = Case {
    name: "cpu_requests",
    about: "short requests that are not streamed, 64 in flight: as many as fit",
    effort: Effort::Light,
    figures: &[
        Figure::less("ratio", "CPU per request, whole run, against wrk", Unit::Times),
        Figure::less("request", "CPU per request, whole run", Unit::CpuMicros),
        Figure::less("loading_request", "CPU per request, while loading", Unit::CpuMicros),
        Figure::more("rate", "requests/s beside the server", Unit::PerSecond),
    ],
    run: requests,
};

fn requests(bench: &Bench) -> Result<Samples> {
    const COUNT: f64 = 50_000.0;
    let folder = bench.folder()?;
    let mut samples = Samples::default();
    let load = format!("--concurrency 64 --request-count {COUNT} --isl 64 --num-dataset-entries 16");
    let mock = Mock::silent(bench, &folder, SHORT_PROFILE)?;
    let ran = Client::new(bench, &folder, &mock, "requests", &load).run()?;
    let whole = ran.usage.cpu_us_each(COUNT);
    samples.put("request", whole);
    samples.put("loading_request", ran.cpu_while_loading_ns()? / COUNT / 1e3);
    samples.put("rate", COUNT / loading_seconds(&ran)?);

    let body = ran.first_body()?;
    let mock = Mock::logging(bench, &folder, SHORT_PROFILE)?;
    let wrk = Wrk { body: &body, connections: 64, seconds: 4 };
    if let Some(usage) = wrk.run(bench, &folder, &mock)? {
        let truth = mock.truth()?;
        ensure!(truth.complete > 0, "wrk got no answers");
        let peer = usage.cpu_us_each(truth.complete as f64);
        samples.put_peer("request", Who::Wrk, peer);
        samples.put_peer("loading_request", Who::Wrk, peer);
        samples.put("ratio", whole / peer);
        if let Some(rate) = truth.arrival_rate() {
            samples.put_peer("rate", Who::Wrk, rate);
        }
    }
    Ok(samples)
}

pub(super) const SATURATION: Case = Case {
    name: "saturation",
    about: "64 streams as fast as the server writes: token events that fit beside it",
    effort: Effort::Light,
    figures: &[
        Figure::more("rate", "token events/s beside the server", Unit::PerSecond),
        Figure::less("event", "CPU per token event, whole run", Unit::CpuMicros),
    ],
    run: |bench| {
        let folder = bench.folder()?;
        let mock = Mock::silent(bench, &folder, "fixed?ttft=1ms&itl=1us&output=1000")?;
        let load = "--streaming --concurrency 64 --request-count 800 --isl 64 --num-dataset-entries 16";
        let ran = Client::new(bench, &folder, &mock, "saturation", load).run()?;
        let events = ran.token_events()?;
        let mut samples = Samples::default();
        samples.put("rate", events / loading_seconds(&ran)?);
        samples.put("event", ran.usage.cpu_us_each(events));
        Ok(samples)
    },
};

/// How long load was made, s.
fn loading_seconds(ran: &Run) -> Result<f64> {
    let seconds = ran.quality()?["host"]["wall_seconds"].as_f64();
    seconds.filter(|seconds| *seconds > 0.0).context("measurement_quality.json has no wall time")
}
