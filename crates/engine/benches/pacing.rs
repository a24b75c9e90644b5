//! Who wakes a worker for an arrival best: a timerfd of its own, a pacer thread that hands arrivals over,
//! or tokio's own timers. Prints how late each is and what it costs.
//!
//! ```text
//! cargo bench -p loadgen-engine --bench pacing -- 2000 3
//! ```
//!
//! Arguments: arrivals a second, seconds. Each way runs three times, in turn, with one worker that is a
//! current-thread runtime as in the engine. Lateness is from the intended instant to the worker's code
//! running; CPU is that of all threads involved, user and system. A machine that is busy with other
//! things shows it in the greatest lateness; run it on a calm one.

#![allow(clippy::unwrap_used, missing_docs)]

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::thread;

use loadgen_core::{Clock, Nanos, Seed, SystemClock};
use loadgen_schedule::{ArrivalProcess, Rate, Schedule, StopCondition};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::unbounded_channel;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let rate: f64 = arguments.next().map_or(2_000.0, |rate| rate.parse().unwrap());
    let seconds: f64 = arguments.next().map_or(3.0, |seconds| seconds.parse().unwrap());
    let process = ArrivalProcess::Constant(Rate::new(rate).unwrap().into());
    let stop = StopCondition::after_duration((seconds * 1e9) as i64);
    let offsets: Vec<i64> =
        Schedule::new(process, stop, Seed(0)).arrivals().map(|arrival| arrival.offset_ns).collect();

    println!("{} arrivals at {rate}/s, lateness in µs, CPU in µs an arrival", offsets.len());
    println!("{:<34} {:>8} {:>8} {:>8} {:>10} {:>8}", "", "p50", "p90", "p99", "max", "CPU");
    for _ in 0..3 {
        let ways: [(&str, Pace); 4] = [
            ("own timerfd, slack 1 ns", own_timerfd),
            ("own timerfd, slack 50 µs", own_timerfd_with_slack),
            ("pacer thread and channel", pacer_thread),
            ("tokio's sleep", tokio_sleep),
        ];
        for (name, pace) in ways {
            measure(name, pace, &offsets);
        }
    }
}

/// Carries out a schedule from `start` and gives each arrival's lateness, ns.
type Pace = fn(clock: SystemClock, start: Nanos, offsets: &[i64]) -> Vec<i64>;

fn measure(name: &str, pace: Pace, offsets: &[i64]) {
    let clock = SystemClock::start();
    let start = clock.now() + 10_000_000;
    let before = process_cpu_ns();
    // Threads begin with the slack of their maker, so each way gets one of its own.
    let mut lateness = thread::scope(|scope| scope.spawn(|| pace(clock, start, offsets)).join().unwrap());
    let cpu_ns = process_cpu_ns() - before;
    assert_eq!(lateness.len(), offsets.len());
    lateness.sort_unstable();
    let at = |share: f64| lateness[((lateness.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    println!(
        "{name:<34} {:>8.1} {:>8.1} {:>8.1} {:>10.1} {:>8.1}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
        cpu_ns as f64 / 1e3 / lateness.len() as f64
    );
}

fn on_worker<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// As the engine does it.
fn own_timerfd(clock: SystemClock, start: Nanos, offsets: &[i64]) -> Vec<i64> {
    nix::sys::prctl::set_timerslack(1).unwrap();
    on_worker(wait_on_timerfd(clock, start, offsets))
}

/// The same, with the slack that threads have by default.
fn own_timerfd_with_slack(clock: SystemClock, start: Nanos, offsets: &[i64]) -> Vec<i64> {
    on_worker(wait_on_timerfd(clock, start, offsets))
}

/// Lets tokio see the descriptor.
struct Fd(TimerFd);

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

async fn wait_on_timerfd(clock: SystemClock, start: Nanos, offsets: &[i64]) -> Vec<i64> {
    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
    #[expect(deprecated, reason = "its successor is unsafe")]
    let timer = AsyncFd::with_interest(
        Fd(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).unwrap()),
        Interest::READABLE,
    )
    .unwrap();
    let offset = monotonic_offset(&clock);
    let mut lateness = Vec::with_capacity(offsets.len());
    for due in offsets.iter().map(|offset| start + *offset) {
        while clock.now() < due {
            let at = TimeSpec::nanoseconds((due + offset).0);
            timer.get_ref().0.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME).unwrap();
            timer.readable().await.unwrap().clear_ready();
        }
        lateness.push(clock.now().since(due));
    }
    lateness
}

/// A thread that does nothing but sleep and hand over.
fn pacer_thread(clock: SystemClock, start: Nanos, offsets: &[i64]) -> Vec<i64> {
    let (give, mut take) = unbounded_channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            nix::sys::prctl::set_timerslack(1).unwrap();
            let offset = monotonic_offset(&clock);
            for due in offsets.iter().map(|offset| start + *offset) {
                while clock.now() < due {
                    let at = TimeSpec::nanoseconds((due + offset).0);
                    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
                    let _ = clock_nanosleep(clock, ClockNanosleepFlags::TIMER_ABSTIME, &at);
                }
                give.send(due).unwrap();
            }
        });
        on_worker(async {
            let mut lateness = Vec::with_capacity(offsets.len());
            while let Some(due) = take.recv().await {
                lateness.push(clock.now().since(due));
            }
            lateness
        })
    })
}

fn tokio_sleep(clock: SystemClock, start: Nanos, offsets: &[i64]) -> Vec<i64> {
    nix::sys::prctl::set_timerslack(1).unwrap();
    on_worker(async {
        let mut lateness = Vec::with_capacity(offsets.len());
        for due in offsets.iter().map(|offset| start + *offset) {
            while clock.now() < due {
                tokio::time::sleep_until(clock.instant_of(due).into()).await;
            }
            lateness.push(clock.now().since(due));
        }
        lateness
    })
}

/// Monotonic time minus the run's timeline, ns: the closest of a few readings.
fn monotonic_offset(clock: &SystemClock) -> i64 {
    let reading = || {
        let before = clock.now();
        let monotonic = clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
        (clock.now().since(before), monotonic.num_nanoseconds() - before.0)
    };
    (0..5).map(|_| reading()).min().unwrap().1
}

fn process_cpu_ns() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) * 1_000
}
