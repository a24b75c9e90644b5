//! Ctrl-C and its kin, before a run and while it goes on.
//!
//! Until a run listens the system's own way, to end the process at once, is right, but for one thing: a user who
//! waits for a server to say which models it has is told that the load did not begin. A run ends in order at the
//! first press, and the process at once at the second. What this does not do: end anything in order itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use loadgen_engine::StopSignal;
use loadgen_run::{Level, Progress};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::INTERRUPTED;
use crate::ui::say;

/// A process makes one run at a time, and its signals are its own: so there is one of these.
static RUN_LISTENS: AtomicBool = AtomicBool::new(false);

/// Its number on every Unix that loadgen runs on.
const SIGXFSZ: i32 = 25;

/// From now on an interrupt says that nothing has begun, and leaves; until a run listens.
pub(crate) fn leave_on_interrupt() {
    // Where one cannot listen the system's own way stands.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let listened = {
        let _within = runtime.enter();
        Interrupts::listen()
    };
    let Ok(mut interrupts) = listened else { return };
    let _ = std::thread::Builder::new().name("early-signals".to_owned()).spawn(move || {
        runtime.block_on(interrupts.next());
        if !RUN_LISTENS.load(Ordering::SeqCst) {
            say!("error: interrupted before the load began: none of its requests was sent");
            std::process::exit(INTERRUPTED);
        }
    });
}

/// The first Ctrl-C ends the run in order; the second leaves at once.
pub(crate) fn listen_for_interrupts(stop: &StopSignal, progress: &Arc<dyn Progress>) -> Result<()> {
    let stop = stop.clone();
    let progress = Arc::clone(progress);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot listen for Ctrl-C; if open files are too few, raise their limit with `ulimit -n`")?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            // A file that outgrows `ulimit -f` is to be a write that fails, not the end of the process.
            let _ = signal(SignalKind::from_raw(SIGXFSZ));
            let Ok(mut interrupts) = Interrupts::listen() else {
                progress.note(Level::Warning, "cannot listen for Ctrl-C: it will end the run at once");
                return;
            };
            RUN_LISTENS.store(true, Ordering::SeqCst);
            let mut presses = Presses::default();
            loop {
                interrupts.next().await;
                match presses.press(Instant::now()) {
                    Some(Press::First) => {
                        progress.note(Level::Warning, "interrupted: stopping; once more to leave at once");
                        stop.interrupt();
                    }
                    // What is in the journal stays: `loadgen report` makes the rest of it.
                    Some(Press::Second) => std::process::exit(INTERRUPTED),
                    None => {}
                }
            }
        });
    })?;
    Ok(())
}

/// The signals that ask a process to end.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Interrupts {
    /// Listens for them, within a runtime.
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for any of them.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Signals this close together are one: `timeout` and some supervisors send theirs to the process and
/// again to its group.
const ONE_PRESS: Duration = Duration::from_millis(250);

/// The presses of Ctrl-C among the signals that come.
#[derive(Debug, Default)]
struct Presses {
    first: Option<Instant>,
}

impl Presses {
    /// Which press a signal at this instant is: the first or a second one, or `None` for an echo of the
    /// first.
    fn press(&mut self, at: Instant) -> Option<Press> {
        let Some(first) = self.first else {
            self.first = Some(at);
            return Some(Press::First);
        };
        (at.saturating_duration_since(first) >= ONE_PRESS).then_some(Press::Second)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Press {
    First,
    Second,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_comes_twice_at_once_is_one_press() {
        let start = Instant::now();
        let mut presses = Presses::default();
        assert_eq!(presses.press(start), Some(Press::First));
        assert_eq!(presses.press(start), None, "sent to the process and to its group");
        assert_eq!(presses.press(start + ONE_PRESS / 2), None);
        assert_eq!(presses.press(start + ONE_PRESS), Some(Press::Second));
    }
}
