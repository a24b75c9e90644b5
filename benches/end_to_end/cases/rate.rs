//! A constant rate: whether it is kept, and how late requests are at the server.

use anyhow::{Context, Result};

use super::{Case, Effort};
use crate::aiperf;
use crate::client::Client;
use crate::figure::{Figure, Samples, Unit, Who};
use crate::lab::Bench;
use crate::mock::Mock;
use crate::quantile::p99_ms;
use crate::truth::Truth;

const RATE: f64 = 2000.0;
const LOAD: &str = "--streaming --request-rate 2000 --arrival-pattern constant --request-count 10000 --isl 64 \
                    --osl 2 --extra-inputs ignore_eos:true";
const PROFILE: &str = "fixed?ttft=10ms&itl=5ms";

pub(super) const RATE_CASE: Case = Case {
    name: "rate",
    about: "2,000 requests/s at constant intervals for 5 s",
    effort: Effort::Light,
    figures: &[
        Figure::at_most("rate_error", "rate achieved at the server, off by", Unit::Percent, 0.5, 0.01),
        Figure::at_most("lag", "request read by the server after its intended time, p99", Unit::Ms, 2.0, 0.5),
        Figure::less("send_lag", "first byte written after its intended time, p99", Unit::Ms),
    ],
    run,
};

fn run(bench: &Bench) -> Result<Samples> {
    let folder = bench.folder()?;
    let mut samples = Samples::default();
    let mock = Mock::logging(bench, &folder, PROFILE)?;
    let ran = Client::new(bench, &folder, &mock, "rate", LOAD).run()?;
    let truth = mock.truth()?;
    samples.put("rate_error", rate_error(&truth)?);
    let (mut at_server, mut at_socket) = (Vec::new(), Vec::new());
    for record in ran.records()? {
        let record = record?;
        let scheduled = record.instants.scheduled.context("a request has no intended time")?.0;
        if let Some(written) = truth.by_id.get(&record.identity.request_id.to_string()) {
            at_server.push(written.body_read - scheduled);
        }
        at_socket.extend(record.instants.send_start.map(|at| at.0 - scheduled));
    }
    samples.put_some("lag", p99_ms(&at_server));
    samples.put_some("send_lag", p99_ms(&at_socket));

    let mock = Mock::logging(bench, &folder, PROFILE)?;
    if aiperf::run(bench, &folder, &mock, LOAD)?.is_some() {
        samples.put_peer("rate_error", Who::Aiperf, rate_error(&mock.truth()?)?);
    }
    Ok(samples)
}

/// How far the rate at which the server read requests was from what was asked, in percent.
fn rate_error(truth: &Truth) -> Result<f64> {
    let rate = truth.arrival_rate().context("the server read no two requests")?;
    Ok(100.0 * (rate / RATE - 1.0).abs())
}
