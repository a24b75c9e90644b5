//! The same command given to loadgen and to AIPerf: what each says, and what the server's log says.

use anyhow::{Context, Result};

use super::calm::PROFILE;
use super::{Case, Effort};
use crate::aiperf;
use crate::client::Client;
use crate::figure::{Figure, Samples, Unit, Who};
use crate::lab::Bench;
use crate::mock::Mock;
use crate::reported::{Latencies, Reported};

/// A closed loop, as most scripts have it: 64 streams at 50 tokens/s.
const LOAD: &str =
    "--streaming --concurrency 64 --request-count 384 --isl 128 --osl 50 --extra-inputs ignore_eos:true";
/// Keys of what [`Latencies::off`] gives, in its order.
const OFF: [&str; 4] = ["ttft_mean", "ttft_p99", "itl_mean", "itl_p99"];

pub(super) const BESIDE: Case = Case {
    name: "beside",
    about: "one command for loadgen and AIPerf, each against the server's log (with --aiperf)",
    effort: Effort::Light,
    figures: &[
        Figure::less("ttft_mean", "TTFT mean, off the server's", Unit::Ms),
        Figure::less("ttft_p99", "TTFT p99, off the server's", Unit::Ms),
        Figure::less("itl_mean", "ITL mean, off the server's", Unit::Ms),
        Figure::less("itl_p99", "ITL p99, off the server's", Unit::Ms),
        Figure::less("said_ttft", "TTFT mean, as reported", Unit::Ms),
        Figure::less("true_ttft", "TTFT mean, by the server's log of that run", Unit::Ms),
        Figure::more("nearer", "each of the four nearer to the server's than AIPerf's", Unit::Holds),
        Figure::more("tokens", "token counts as AIPerf's, request by request", Unit::Holds),
    ],
    run,
};

fn run(bench: &Bench) -> Result<Samples> {
    let folder = bench.folder()?;
    let mut samples = Samples::default();
    let mock = Mock::logging(bench, &folder, PROFILE)?;
    let ran = Client::new(bench, &folder, &mock, "beside", LOAD).run()?;
    let ours = Reported::read(&ran.lines())?;
    let (said, true_) = both(&ours, mock)?;
    let off = said.off(&true_);
    OFF.into_iter().zip(off).for_each(|(key, off)| samples.put(key, off));
    samples.put("said_ttft", said.ttft.mean);
    samples.put("true_ttft", true_.ttft.mean);

    let mock = Mock::logging(bench, &folder, PROFILE)?;
    let Some(peer) = aiperf::run(bench, &folder, &mock, LOAD)? else { return Ok(samples) };
    let theirs = Reported::read(&peer.lines())?;
    let (said, true_) = both(&theirs, mock)?;
    let their_off = said.off(&true_);
    OFF.into_iter().zip(their_off).for_each(|(key, off)| samples.put_peer(key, Who::Aiperf, off));
    samples.put_peer("said_ttft", Who::Aiperf, said.ttft.mean);
    samples.put_peer("true_ttft", Who::Aiperf, true_.ttft.mean);
    let is_nearer = off.iter().zip(their_off).all(|(ours, theirs)| *ours <= theirs);
    samples.put("nearer", f64::from(u8::from(is_nearer)));
    samples.put("tokens", f64::from(u8::from(ours.tokens() == theirs.tokens())));
    Ok(samples)
}

/// What a tool says, and what the log of its server says.
fn both(reported: &Reported, mock: Mock) -> Result<(Latencies, Latencies)> {
    let said = reported.latencies().context("no request was good")?;
    let true_ = reported.truth(&mock.truth()?).context("the server knows none of the requests")?;
    Ok((said, true_))
}
