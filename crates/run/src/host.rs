//! What the host is and how busy it was: facts for the provenance and the verdict on the client.
//!
//! Everything is read from the operating system; what cannot be read is `None`, never a guess.

use std::fs;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeVal;

/// Facts of the host that do not change during a run; `None` where they cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: Option<String>,
    /// The system and its release.
    pub kernel: Option<String>,
    /// The processor's model.
    pub cpu: Option<String>,
    /// Cores that this process may use: affinity and cgroup quota counted.
    pub cores: Option<usize>,
    /// How many files this process may have open.
    pub open_files_limit: Option<u64>,
    /// How far it may raise that limit by itself.
    pub open_files_hard_limit: Option<u64>,
    /// Where the kernel takes its time from.
    pub clock_source: Option<String>,
}

impl Host {
    /// Reads them.
    pub fn read() -> Self {
        let open_files = getrlimit(Resource::RLIMIT_NOFILE).ok();
        Self {
            name: nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()),
            kernel: first_line("/proc/sys/kernel/osrelease").map(|release| format!("Linux {release}")),
            cpu: cpu_model(),
            cores: std::thread::available_parallelism().ok().map(std::num::NonZero::get),
            open_files_limit: open_files.map(|(soft, _)| soft),
            open_files_hard_limit: open_files.map(|(_, hard)| hard),
            clock_source: first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        }
    }
}

fn cpu_model() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn first_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.lines().next()?.trim().to_owned())
}

/// CPU time so far, of this process and of the whole machine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CpuTimes {
    /// This process, user and system, ns.
    pub(crate) process_ns: Option<i64>,
    /// The machine: all ticks, busy ticks and stolen ticks.
    pub(crate) machine: Option<MachineTicks>,
}

/// Ticks of the machine since it started, over all cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MachineTicks {
    pub(crate) total: u64,
    pub(crate) idle: u64,
    pub(crate) steal: u64,
}

impl CpuTimes {
    /// Reads them now.
    pub(crate) fn read() -> Self {
        Self {
            process_ns: getrusage(UsageWho::RUSAGE_SELF)
                .ok()
                .map(|usage| nanoseconds(usage.user_time()) + nanoseconds(usage.system_time())),
            machine: fs::read_to_string("/proc/stat").ok().and_then(|stat| machine_ticks(&stat)),
        }
    }

    /// CPU time this process used since `earlier`, ns.
    pub(crate) fn process_since(&self, earlier: &Self) -> Option<i64> {
        Some(self.process_ns? - earlier.process_ns?)
    }

    /// Shares of the machine's time since `earlier`: (busy, stolen), from 0 to 1.
    pub(crate) fn machine_since(&self, earlier: &Self) -> Option<(f64, f64)> {
        let (now, then) = (self.machine?, earlier.machine?);
        let total = now.total.checked_sub(then.total).filter(|total| *total > 0)? as f64;
        let idle = now.idle.saturating_sub(then.idle) as f64;
        let steal = now.steal.saturating_sub(then.steal) as f64;
        Some(((total - idle) / total, steal / total))
    }
}

/// A time value as ns. Its fields are as wide as the system makes them.
fn nanoseconds(time: TimeVal) -> i64 {
    let (seconds, microseconds) = (time.tv_sec(), time.tv_usec());
    #[allow(clippy::useless_conversion, reason = "microseconds have 32 bits on some systems")]
    let microseconds = i64::from(microseconds);
    seconds * 1_000_000_000 + microseconds * 1_000
}

/// The `cpu` line of /proc/stat: user nice system idle iowait irq softirq steal (guest is in user).
fn machine_ticks(stat: &str) -> Option<MachineTicks> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let [_, _, _, idle, waiting, _, _, steal] = ticks[..] else { return None };
    Some(MachineTicks { total: ticks.iter().sum(), idle: idle + waiting, steal })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn machine_shares_follow_from_the_ticks() {
        let then = CpuTimes { process_ns: Some(5), machine: machine_ticks("cpu  10 0 10 70 0 0 0 10 0 0\n") };
        let now =
            CpuTimes { process_ns: Some(9), machine: machine_ticks("cpu  30 0 20 120 10 0 0 20 0 0\n") };
        assert_eq!(now.process_since(&then), Some(4));
        let (busy, stolen) = now.machine_since(&then).unwrap();
        assert!((busy - 0.4).abs() < 1e-12);
        assert!((stolen - 0.1).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_read_is_absent() {
        assert_eq!(machine_ticks("cpu 1 2\n"), None);
        assert_eq!(CpuTimes::default().machine_since(&CpuTimes::default()), None);
    }
}
