//! Waits for an instant, as exactly as the system can.
//!
//! On Linux a worker sleeps on a timerfd of its own, armed with absolute monotonic time: measured
//! 17 µs late in the median, where tokio's millisecond wheel is 0.6 to 1.3 ms late, and a pacer thread
//! that hands over takes 10 µs and half as much CPU more (`benches/pacing.rs`). A thread's timer slack
//! does not delay a timerfd, so it is left alone. Elsewhere tokio's timer has to do.
//!
//! Invariant: never returns early by the run's clock. It does not know what it waits for.

use loadgen_core::{Clock, Nanos, SystemClock};

/// Sleeps until instants of the run's timeline. One a worker; needs the worker's runtime.
#[derive(Debug)]
pub(crate) struct Pacer {
    clock: SystemClock,
    #[cfg(target_os = "linux")]
    timer: linux::Timer,
}

impl Pacer {
    /// A pacer for the calling thread.
    pub(crate) fn new(clock: SystemClock) -> std::io::Result<Self> {
        Ok(Self {
            clock,
            #[cfg(target_os = "linux")]
            timer: linux::Timer::new(&clock)?,
        })
    }

    /// Returns once the clock has reached `due`; never, without one.
    pub(crate) async fn wait_until(&self, due: Option<Nanos>) {
        let Some(due) = due else { return std::future::pending().await };
        while self.clock.now() < due {
            #[cfg(target_os = "linux")]
            self.timer.expiry(due).await;
            #[cfg(not(target_os = "linux"))]
            tokio::time::sleep_until(self.clock.instant_of(due).into()).await;
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::cell::Cell;
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};

    use loadgen_core::{Clock, Nanos, SystemClock};
    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// A timerfd in the worker's reactor.
    #[derive(Debug)]
    pub(super) struct Timer {
        fd: AsyncFd<Fd>,
        /// Monotonic time minus the run's timeline, ns.
        monotonic_offset: i64,
        /// What the timer is set to.
        armed: Cell<Option<Nanos>>,
    }

    /// Lets tokio see the descriptor.
    #[derive(Debug)]
    struct Fd(TimerFd);

    impl AsRawFd for Fd {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    impl Timer {
        pub(super) fn new(clock: &SystemClock) -> io::Result<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let fd = Fd(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?);
            #[expect(
                deprecated,
                reason = "its successor is unsafe, for types that may lie about owning the descriptor; `Fd` owns it"
            )]
            let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
            Ok(Self { fd, monotonic_offset: monotonic_offset(clock)?, armed: Cell::new(None) })
        }

        /// Returns when the timer set to `due` has fired, or sooner: the caller looks at its clock.
        pub(super) async fn expiry(&self, due: Nanos) {
            if self.armed.get() != Some(due) {
                self.arm(due);
            }
            // Setting the timer again takes back its expirations, so that they need not be read;
            // an expiry that was noted before is a false alarm.
            match self.fd.readable().await {
                Ok(mut ready) => ready.clear_ready(),
                // Only a runtime that is shutting down refuses.
                Err(_) => std::future::pending().await,
            }
        }

        fn arm(&self, due: Nanos) {
            let at = (due + self.monotonic_offset).0.max(1);
            let at = TimeSpec::new(at / 1_000_000_000, at % 1_000_000_000);
            self.fd
                .get_ref()
                .0
                .set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)
                .expect("an open timerfd takes any normalised time");
            self.armed.set(Some(due));
        }
    }

    /// The closest of a few readings: preemption between the two clocks only ever widens the bracket.
    fn monotonic_offset(clock: &SystemClock) -> io::Result<i64> {
        let mut best = (i64::MAX, 0);
        for _ in 0..5 {
            let before = clock.now();
            let monotonic = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
            let width = clock.now().since(before);
            let monotonic_ns = monotonic.tv_sec() * 1_000_000_000 + monotonic.tv_nsec();
            best = best.min((width, monotonic_ns - before.0));
        }
        Ok(best.1)
    }
}

/// CPU time of the calling thread so far, ns; `None` where the system does not tell.
pub(crate) fn thread_cpu_ns() -> Option<i64> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        let used = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).ok()?;
        Some(used.tv_sec() * 1_000_000_000 + used.tv_nsec())
    }
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_never_returns_early_and_can_be_set_back_and_forth() {
        let clock = SystemClock::start();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let pacer = Pacer::new(clock).unwrap();
            for step in [2_000_000, 100_000, 0, -5, 1] {
                let far = clock.now() + 60_000_000_000;
                let due = clock.now() + step;
                tokio::select! {
                    biased;
                    () = pacer.wait_until(Some(far)) => panic!("a minute has not passed"),
                    () = std::future::ready(()) => {}
                }
                pacer.wait_until(Some(due)).await;
                assert!(clock.now() >= due);
            }
        });
    }

    #[test]
    fn cpu_time_of_a_thread_grows() {
        let Some(before) = thread_cpu_ns() else { return };
        let work: u64 = (0..100_000_u64).fold(0, |sum, step| std::hint::black_box(sum ^ step));
        std::hint::black_box(work);
        assert!(thread_cpu_ns().unwrap() > before);
    }
}
