//! A client that does not run at all for a fifth of the time: what packet stamps are for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Case, Effort};
use crate::client::Client;
use crate::figure::{Figure, Samples, Unit};
use crate::lab::Bench;
use crate::mock::{Mock, Wanted};
use crate::quantile::{p99_ms, percent};

/// Of each second it is stopped for so long.
const STOPPED: Duration = Duration::from_millis(200);
const RUNNING: Duration = Duration::from_millis(800);

/// Requests of 2 s begin at 32 a second: 64 streams.
const LOAD: &str = "--streaming --request-rate 32 --arrival-pattern constant --request-count 160 --isl 128 \
                    --osl 100 --extra-inputs ignore_eos:true --timestamps packet";

const FIGURES: &[Figure] = &[
    Figure::at_most("outside", "stamp outside the server's write call, p99", Unit::Ms, 0.5, 0.1),
    Figure::less("uncertain", "chunks marked as uncertain", Unit::Percent),
];

pub(super) const STOPPED_PLAIN: Case = Case {
    name: "stopped",
    about: "64 streams at 50 tokens/s, the client stopped 200 ms of every second, --timestamps packet",
    effort: Effort::Light,
    figures: FIGURES,
    run: |bench| run(bench, false),
};

pub(super) const STOPPED_TLS: Case = Case {
    name: "stopped_tls",
    about: "the same over TLS",
    effort: Effort::Light,
    figures: FIGURES,
    run: |bench| run(bench, true),
};

fn run(bench: &Bench, tls: bool) -> Result<Samples> {
    let folder = bench.folder()?;
    let mock = Mock::start(bench, &folder, Wanted { profile: super::calm::PROFILE, log: true, tls })?;
    let client = Client::new(bench, &folder, &mock, "stopped", LOAD);
    let running = client.start()?;
    let stops = Stops::start(running.pid());
    let usage = running.succeed();
    drop(stops);
    let errors = client.ran(usage?).errors_against(&mock.truth()?)?;
    let mut samples = Samples::default();
    samples.put_some("outside", p99_ms(&errors.outside));
    samples.put_some("uncertain", percent(errors.flagged, errors.outside.len() as u64));
    Ok(samples)
}

/// Stops a process and lets it go on, over and over. Dropping it ends that.
struct Stops {
    is_over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Stops {
    fn start(pid: Pid) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                thread::sleep(RUNNING);
                // The keeper reaps the process: at worst these find nobody.
                if seen.load(Ordering::Relaxed) || kill(pid, Signal::SIGSTOP).is_err() {
                    break;
                }
                thread::sleep(STOPPED);
                let _ = kill(pid, Signal::SIGCONT);
            }
        });
        Self { is_over, thread: Some(thread) }
    }
}

impl Drop for Stops {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
