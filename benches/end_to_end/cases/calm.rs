//! Streams in peace: how far what the client says is from what the server did.

use anyhow::Result;

use super::{Case, Effort};
use crate::aiperf;
use crate::client::Client;
use crate::figure::{Figure, Samples, Unit, Who};
use crate::lab::Bench;
use crate::mock::Mock;
use crate::quantile::p99_ms;

/// Requests of 2 s begin at 64 a second, evenly: 128 streams at 50 tokens/s, out of step with each other.
const LOAD: &str = "--streaming --request-rate 64 --arrival-pattern constant --request-count 384 --isl 128 \
                    --osl 100 --extra-inputs ignore_eos:true";
pub(super) const PROFILE: &str = "fixed?ttft=50ms&itl=20ms";

pub(super) const CALM: Case = Case {
    name: "calm",
    about: "128 streams at 50 tokens/s on an otherwise idle machine",
    effort: Effort::Light,
    figures: &[
        Figure::at_most("ttft_error", "TTFT error, p99", Unit::Ms, 1.0, 0.2),
        Figure::at_most("gap_error", "gap error, p99", Unit::Ms, 1.0, 0.2),
        Figure::at_most("outside", "stamp outside the server's write call, p99", Unit::Ms, 0.5, 0.1),
    ],
    run,
};

fn run(bench: &Bench) -> Result<Samples> {
    let folder = bench.folder()?;
    let mut samples = Samples::default();
    let mock = Mock::logging(bench, &folder, PROFILE)?;
    let ran = Client::new(bench, &folder, &mock, "calm", LOAD).run()?;
    let errors = ran.errors_against(&mock.truth()?)?;
    samples.put_some("ttft_error", p99_ms(&errors.ttft));
    samples.put_some("gap_error", p99_ms(&errors.gap));
    samples.put_some("outside", p99_ms(&errors.outside));

    let mock = Mock::logging(bench, &folder, PROFILE)?;
    if let Some(peer) = aiperf::run(bench, &folder, &mock, LOAD)? {
        let errors = peer.errors_against(&mock.truth()?)?;
        let figures =
            [("ttft_error", &errors.ttft), ("gap_error", &errors.gap), ("outside", &errors.outside)];
        for (key, errors) in figures {
            if let Some(p99) = p99_ms(errors) {
                samples.put_peer(key, Who::Aiperf, p99);
            }
        }
    }
    Ok(samples)
}
