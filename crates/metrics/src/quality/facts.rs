//! What the caller of the verdict knows, and no record says: the host, the schedule, the packet tap, and
//! what this host was measured to reach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All of it. The default knows nothing, as of a run that was killed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunFacts {
    /// The host during the run.
    pub host: HostFacts,
    /// What was due, and what became of it.
    pub schedule: ScheduleFacts,
    /// What the packet tap counted; `None` without one.
    pub packets: Option<PacketFacts>,
    /// This host's measured ceiling; `None` when it was never calibrated.
    pub ceiling: Option<CeilingCited>,
}

/// What the caller knows of the schedule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ScheduleFacts {
    /// Requests due before sending ended.
    pub due: u64,
    /// Of those, never sent for reasons of the client. The verdict adds the requests that found no
    /// connection because this host had no file descriptor, port or memory left.
    pub unsent_by_client: u64,
    /// Ticks of a rate that found the cap full, and were skipped as asked.
    pub skipped_ticks: u64,
    /// Arrivals that waited for a slot under a cap, as asked.
    pub delayed: u64,
    /// Requests sent again on a fresh connection because a kept one had been closed.
    pub retried_stale: u64,
    /// Requests that were overdue and left at once (`--catch-up burst`).
    pub caught_up: u64,
    /// Overdue arrivals that did not leave (`--catch-up skip`): part of `due` and never sent. Where
    /// arrivals are ticks of a rate, ticks that were lost; those are not part of `due`.
    pub skipped_late: u64,
    /// Requests held back by `--max-request-rate`, as asked.
    pub governed: u64,
    /// Whether requests wait for earlier replies: a closed load. (Conversations are seen in the records.)
    pub waits_for_replies: bool,
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

/// What the packet tap counted (`--timestamps packet`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PacketFacts {
    /// Packets seen.
    pub packets: u64,
    /// Packets that the kernel dropped because the tap was behind; their chunks keep the socket's stamp.
    pub dropped_by_kernel: u64,
    /// Connections followed.
    pub flows: u64,
    /// Connections whose place in the byte stream could not be told; their chunks keep the socket's stamp.
    pub unanchored_flows: u64,
    /// Records that were let through with the socket's stamps because the tap was behind.
    pub passed_by: u64,
    /// Chunks whose packet disagreed with the socket, which then kept the socket's stamp.
    pub contradicted: u64,
}

/// What `loadgen calibrate` measured on this host, as a later run cites it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CeilingCited {
    /// The file it stands in.
    pub file: String,
    /// When it was measured, RFC 3339.
    pub measured_at: String,
    /// By which version.
    pub loadgen_version: String,
    /// Most requests a second at which the p99 of send and read lag stayed under 1 ms.
    pub requests_per_second: Option<f64>,
    /// Most token events a second, likewise.
    pub token_events_per_second: Option<f64>,
    /// Most open streams, likewise.
    pub open_streams: Option<u64>,
    /// Error of the time to first token against the server's own log, p99, ms.
    pub ttft_error_p99_ms: Option<f64>,
    /// Error of the gaps between tokens against the server's own log, p99, ms.
    pub gap_error_p99_ms: Option<f64>,
    /// Share of arrivals that lie outside the server's write call.
    pub outside_write_share: Option<f64>,
}
