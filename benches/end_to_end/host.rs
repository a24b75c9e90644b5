//! The machine under the bench: what it is, how much of it was stolen, and how to keep it busy.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// Ticks of the machine since it started, over all cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticks {
    total: u64,
    idle: u64,
    steal: u64,
}

impl Ticks {
    /// Now; `None` where /proc does not say.
    pub(crate) fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// The `cpu` line of /proc/stat: user nice system idle iowait irq softirq steal (guest is in user).
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().find(|line| line.starts_with("cpu "))?;
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
        let [_, _, _, idle, waiting, _, _, steal] = ticks[..] else { return None };
        Some(Self { total: ticks.iter().sum(), idle: idle + waiting, steal })
    }

    /// Shares of the time since `earlier`, in percent: (stolen, busy).
    pub(crate) fn since(self, earlier: Self) -> Option<(f64, f64)> {
        let total = self.total.checked_sub(earlier.total).filter(|total| *total > 0)? as f64;
        let steal = self.steal.saturating_sub(earlier.steal) as f64;
        let idle = self.idle.saturating_sub(earlier.idle) as f64;
        Some((100.0 * steal / total, 100.0 * (total - idle) / total))
    }
}

/// What the machine is, in a line.
pub(crate) fn describe() -> String {
    let cores = thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let model = model.map_or("unknown processor", |(_, model)| model);
    format!("{cores} cores of {model}, Linux {}", kernel.trim())
}

/// Processes that wanted to run in the last minute, mean.
pub(crate) fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// How many cores this process may use.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Threads that do nothing but take time from others. Dropping them ends them.
pub(crate) struct BusyLoops {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl BusyLoops {
    /// Starts `count` of them, on `core` alone where one is given.
    pub(crate) fn start(count: usize, core: Option<usize>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..count)
            .map(|_| {
                let stop = Arc::clone(&stop);
                thread::spawn(move || {
                    if let Some(core) = core {
                        let mut set = nix::sched::CpuSet::new();
                        // A loop that may run anywhere still takes time, if less from whom it is meant for.
                        let _ = set.set(core);
                        let _ = nix::sched::sched_setaffinity(Pid::from_raw(0), &set);
                    }
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                })
            })
            .collect();
        Self { stop, threads }
    }
}

impl Drop for BusyLoops {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Memory of a process over its life, sampled.
pub(crate) struct MemoryWatch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(i64, u64)>>,
}

impl MemoryWatch {
    /// Looks at the resident memory of `pid` twenty times a second.
    pub(crate) fn start(pid: Pid) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let path = format!("/proc/{pid}/status");
            let begun = Instant::now();
            let mut samples = Vec::new();
            while !is_over.load(Ordering::Relaxed) && begun.elapsed() < Duration::from_mins(10) {
                let Ok(status) = fs::read_to_string(&path) else { break };
                if let (Some(bytes), Ok(at)) =
                    (resident_bytes(&status), std::time::SystemTime::UNIX_EPOCH.elapsed())
                {
                    samples.push((at.as_nanos() as i64, bytes));
                }
                thread::sleep(Duration::from_millis(50));
            }
            samples
        });
        Self { stop, thread }
    }

    /// The samples: ns since the Unix epoch, and bytes.
    pub(crate) fn finish(self) -> Vec<(i64, u64)> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// `VmRSS` of a /proc/PID/status; a process that has ended and was not waited for yet has none.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
#[allow(dead_code, unused_imports, reason = "a bench is built with cfg(test) and without its tests")]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_from_the_ticks() {
        let then = Ticks::parse("cpu  10 0 10 70 0 0 0 10 0 0\n").expect("a line of eight");
        let now = Ticks::parse("cpu  30 0 20 120 10 0 0 20 0 0\n").expect("a line of eight");
        let (stolen, busy) = now.since(then).expect("time has passed");
        assert!((stolen - 10.0).abs() < 1e-9);
        assert!((busy - 40.0).abs() < 1e-9);
        assert_eq!(now.since(now), None);
        assert_eq!(Ticks::parse("intr 5\n"), None);
    }

    #[test]
    fn resident_memory_is_read_in_kibibytes() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t  12 kB\n"), Some(12 * 1024));
        assert_eq!(resident_bytes("Name:\tx\nState:\tZ (zombie)\n"), None);
    }
}
