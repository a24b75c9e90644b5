//! Waking at an instant, to within tens of microseconds.
//!
//! Tokio's own timers tick in milliseconds, which would round every gap between tokens. On Linux this
//! is a timerfd on the runtime's epoll: an expiry ends the epoll wait itself. Elsewhere tokio's timer
//! has to do.

use loadgen_core::Nanos;

#[cfg(target_os = "linux")]
pub(crate) use linux::Timer;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::Timer;

#[cfg(target_os = "linux")]
mod linux {
    use std::cell::Cell;
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::time::Duration;

    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::Nanos;

    /// What tokio asks of a descriptor, and nix does not give.
    #[derive(Debug)]
    struct Pollable(TimerFd);

    impl AsRawFd for Pollable {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    /// One deadline, which can be moved at any time.
    #[derive(Debug)]
    pub(crate) struct Timer {
        fd: AsyncFd<Pollable>,
        due: Cell<Option<Nanos>>,
    }

    impl Timer {
        /// A timer without a deadline. Must be made inside a runtime.
        #[allow(
            deprecated,
            reason = "the function that replaces it is unsafe, since a type could change its descriptor; this one \
                owns the same one for life"
        )]
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let fd = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
            Ok(Self { fd: AsyncFd::with_interest(Pollable(fd), Interest::READABLE)?, due: Cell::new(None) })
        }

        /// Moves the deadline; `now` is the present on the deadline's timeline.
        pub(crate) fn set(&self, now: Nanos, due: Option<Nanos>) {
            if self.due.replace(due) == due {
                return;
            }
            let timer = &self.fd.get_ref().0;
            let armed = match due {
                // A duration of zero would disarm it.
                Some(due) => {
                    let ahead = Duration::from_nanos(u64::try_from(due.since(now)).unwrap_or(0).max(1));
                    let once = Expiration::OneShot(TimeSpec::from_duration(ahead));
                    timer.set(once, TimerSetTimeFlags::empty())
                }
                None => timer.unset(),
            };
            armed.expect("a timerfd takes every duration up to a day");
        }

        /// Waits for the deadline, which is then gone.
        pub(crate) async fn expired(&self) {
            let mut ready = self.fd.readable().await.expect("the runtime outlives its tasks");
            // Setting the timer again takes back an expiry that was not read, so reading is needless.
            ready.clear_ready();
            self.due.set(None);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::cell::Cell;
    use std::io;
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::time::{Instant, sleep_until};

    use super::Nanos;

    /// One deadline, which can be moved at any time.
    #[derive(Debug)]
    pub(crate) struct Timer {
        due: Cell<Option<(Nanos, Instant)>>,
        moved: Notify,
    }

    impl Timer {
        /// A timer without a deadline.
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self { due: Cell::new(None), moved: Notify::new() })
        }

        /// Moves the deadline; `now` is the present on the deadline's timeline.
        pub(crate) fn set(&self, now: Nanos, due: Option<Nanos>) {
            if self.due.get().map(|(due, _)| due) == due {
                return;
            }
            self.due.set(due.map(|due| {
                let ahead = Duration::from_nanos(u64::try_from(due.since(now)).unwrap_or(0));
                (due, Instant::now() + ahead)
            }));
            self.moved.notify_one();
        }

        /// Waits for the deadline, which is then gone.
        pub(crate) async fn expired(&self) {
            loop {
                let Some((_, instant)) = self.due.get() else {
                    self.moved.notified().await;
                    continue;
                };
                tokio::select! {
                    () = sleep_until(instant) => break self.due.set(None),
                    () = self.moved.notified() => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use loadgen_core::{Clock, SystemClock};

    use super::*;

    #[test]
    fn it_never_fires_early_and_follows_a_moved_deadline() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clock = SystemClock::start();
            let timer = Timer::new().unwrap();
            let now = clock.now();
            timer.set(now, Some(now + 3_600_000_000_000));
            timer.set(now, Some(now + 2_000_000));
            timer.expired().await;
            assert!(clock.now() >= now + 2_000_000);
            // In the past: at once.
            timer.set(clock.now(), Some(now));
            timer.expired().await;
        });
    }
}
