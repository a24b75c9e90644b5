//! Measurement quality: what the client itself did to the numbers, and whether to believe them.
//!
//! [`QualityInput`] collects what each record tells; [`QualityInput::finish`] adds what the caller
//! knows of the host and the schedule and gives a verdict. The thresholds stand in [`verdict`].
//! This module reads no clocks and no /proc: facts of the host are given.

mod input;
mod lag;
#[cfg(test)]
mod tests;
mod verdict;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use input::QualityInput;

use crate::summary::OutcomeCounts;

/// The content of `measurement_quality.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quality {
    /// Version of this file's layout.
    pub schema_version: String,
    /// Whether the client, not the server, shaped the results.
    pub client_limited: bool,
    /// Why; empty when it did not.
    pub reasons: Vec<Reason>,
    /// Who stamped the arrivals.
    pub timestamp_source: TimestampSource,
    /// From when a request was due to its first byte written, time to connect not counted. Due is
    /// the intended instant, or the start of work where a cap made requests wait.
    pub send_lag: Option<LagStats>,
    /// From the intended instant to when the pacer let the request go; under a cap that makes requests
    /// wait, this includes the wait.
    pub release_lateness: Option<LagStats>,
    /// From the arrival of a chunk to when the client read it.
    pub read_lag: Option<LagStats>,
    /// Chunks whose arrival is known only as an interval.
    pub uncertain_chunks: UncertainChunks,
    /// What became of the measured requests.
    pub requests: OutcomeCounts,
    /// What was due against what was sent.
    pub schedule: ScheduleFacts,
    /// Requests a second that were due, between the first and the last intended instant.
    pub requested_rate: Option<f64>,
    /// Requests a second that were sent, between the first and the last first byte written.
    pub achieved_rate: Option<f64>,
    /// The host during the run.
    pub host: HostFacts,
    /// CPU seconds of this process per second of the run: how many cores it kept busy.
    pub process_cores_busy: Option<f64>,
    /// Records that lost their chunk lists because a buffer was full.
    pub degraded_records: u64,
}

/// One reason for `client_limited`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// A stable name: `uncertain_chunks`, `send_lag`, `read_lag`, `schedule_not_sent`,
    /// `records_degraded`, `workers_busy` or `steal`.
    pub code: String,
    /// What happened and what would help, for people.
    pub message: String,
    /// The measured figure.
    pub measured: f64,
    /// The greatest figure that would have passed (for `schedule_not_sent` the least).
    pub threshold: f64,
}

/// A distribution of lags, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LagStats {
    /// Number of samples.
    pub count: u64,
    /// Mean.
    pub avg_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// Greatest.
    pub max_ms: f64,
}

/// Chunks whose arrival is known only as an interval, because they shared a read with an earlier one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UncertainChunks {
    /// All content chunks.
    pub chunks: u64,
    /// Those that are uncertain.
    pub uncertain: u64,
    /// Uncertain ones by all; 0 without chunks.
    pub share: f64,
    /// Uncertain ones that the client read more than 1 ms after they arrived. The others came together:
    /// the server wrote several at a time, or the network joined them.
    pub late: u64,
    /// Late ones by all; 0 without chunks. Where this process stamps arrivals itself no lag can be seen.
    pub late_share: f64,
    /// Width of the intervals.
    pub width: Option<LagStats>,
}

/// Who stamped the arrivals of a run's chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampSource {
    /// The kernel, for all of them.
    Kernel,
    /// This process, for all of them.
    User,
    /// Some the one, some the other.
    Mixed,
    /// No chunk came.
    None,
}

/// What the caller knows of the schedule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduleFacts {
    /// Requests due before sending ended.
    pub due: u64,
    /// Of those, never sent for reasons of the client. The verdict adds the requests that found no
    /// connection because this host had no file descriptor or port left.
    pub unsent_by_client: u64,
    /// Ticks of a rate that found the cap full, and were skipped as asked.
    pub skipped_ticks: u64,
    /// Arrivals that waited for a slot under a cap, as asked.
    pub delayed: u64,
    /// Requests sent again on a fresh connection because a kept one had been closed.
    pub retried_stale: u64,
}

/// What the caller knows of the host during the run. Shares are of 1; `None` is unknown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostFacts {
    /// Length of the run, s.
    pub wall_seconds: f64,
    /// Cores this process may use.
    pub cores: u32,
    /// CPU time of this process, user and system, s.
    pub process_cpu_seconds: Option<f64>,
    /// Share of the machine's CPU time that was not idle.
    pub machine_busy_share: Option<f64>,
    /// Share of the machine's CPU time that a hypervisor gave to others.
    pub steal_share: Option<f64>,
    /// For each worker that had work, its thread's CPU time by the run's length. The verdict leaves out
    /// what no thread can have.
    pub worker_busy_shares: Vec<f64>,
    /// Reads whose kernel timestamp was missing.
    pub missing_stamps: u64,
    /// Steps of the wall clock during the run.
    pub clock_steps: u64,
}
