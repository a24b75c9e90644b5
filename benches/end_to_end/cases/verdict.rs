//! Whether the client knows when it was the limit: forced three times, and once not.

use anyhow::{Context, Result};

use super::{Case, Effort};
use crate::client::Client;
use crate::figure::{Figure, Samples};
use crate::host::BusyLoops;
use crate::lab::Bench;
use crate::mock::Mock;

pub(super) const VERDICT: Case = Case {
    name: "verdict",
    about: "client_limited in three forced cases and in a calm one",
    effort: Effort::Light,
    figures: &[
        Figure::holds("starved", "starved of CPU: limited"),
        Figure::holds("overload", "asked for more than the host can send: limited"),
        Figure::holds("files", "too few file descriptors: limited"),
        Figure::holds("calm", "calm: not limited"),
    ],
    run,
};

fn run(bench: &Bench) -> Result<Samples> {
    let mut samples = Samples::default();
    let mut put = |key, holds: bool| samples.put(key, f64::from(u8::from(holds)));

    let streams = "--streaming --request-rate 32 --arrival-pattern constant --request-count 96 --isl 64";
    // The server keeps the other cores: it is the client alone that starves.
    let loops = BusyLoops::start(6, Some(0));
    let starved =
        is_limited(bench, "fixed?ttft=50ms&itl=5ms&output=200", streams, |client| client.cores(&[0]));
    drop(loops);
    put("starved", starved?);

    let flood = "--streaming --request-rate 200000 --arrival-pattern constant --benchmark-duration 1 \
                 --benchmark-grace-period 5 --isl 64 --num-dataset-entries 16";
    put("overload", is_limited(bench, "fixed?ttft=1ms&itl=1us&output=2", flood, |client| client)?);

    // 200 requests in flight where there are descriptors for less than half of them.
    let wide = "--streaming --request-rate 100 --arrival-pattern constant --request-count 300 --isl 64";
    put("files", is_limited(bench, "fixed?ttft=2s&itl=1ms&output=4", wide, |client| client.open_files(100))?);

    let calm = "--streaming --request-rate 16 --arrival-pattern constant --request-count 48 --isl 64";
    put("calm", !is_limited(bench, "fixed?ttft=50ms&itl=20ms&output=50", calm, |client| client)?);
    Ok(samples)
}

fn is_limited(bench: &Bench, profile: &str, load: &str, set: impl FnOnce(Client) -> Client) -> Result<bool> {
    let folder = bench.folder()?;
    let mock = Mock::silent(bench, &folder, profile)?;
    let client = set(Client::new(bench, &folder, &mock, "verdict", load));
    // Whether requests failed is not the question.
    let usage = client.start()?.wait()?;
    let quality = client.ran(usage).quality()?;
    quality["client_limited"].as_bool().context("measurement_quality.json gives no verdict")
}
