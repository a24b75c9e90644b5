//! Measurement quality: what the client itself did to the numbers, and whether to believe them.
//!
//! [`QualityInput`] collects what each record tells; [`QualityInput::judge`] adds what the caller knows of
//! the host and the schedule ([`RunFacts`]) and gives a verdict. The thresholds, and why they are what they
//! are, stand in [`verdict`]; what is worth saying and limits nothing, in [`remarks`].
//! This module reads no clocks and no /proc: facts of the host are given.

mod facts;
mod input;
mod lag;
mod remarks;
mod starved;
#[cfg(test)]
mod tests;
mod verdict;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use facts::{CeilingCited, HostFacts, PacketFacts, RunFacts, ScheduleFacts};
pub use input::QualityInput;
pub use starved::Starved;

use crate::summary::OutcomeCounts;

/// The content of `measurement_quality.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quality {
    /// Version of this file's layout.
    pub schema_version: String,
    /// Whether the client, not the server, shaped the results.
    pub client_limited: bool,
    /// Why, the most telling first; empty when it did not.
    pub reasons: Vec<Reason>,
    /// What else a reader should know.
    pub remarks: Vec<Remark>,
    /// Who stamped the arrivals.
    pub timestamp_source: TimestampSource,
    /// How many content chunks each source stamped.
    pub stamps: Stamps,
    /// From when a request was due to its first byte written, time to connect not counted. Due is
    /// the intended instant, or the start of work where the plan makes requests wait (for a slot of a
    /// cap, for `--max-request-rate`).
    pub send_lag: Option<LagStats>,
    /// From the intended instant to when the pacer let the request go; where the plan makes requests
    /// wait, this includes the wait.
    pub release_lateness: Option<LagStats>,
    /// From the arrival of a chunk to when the client read it.
    pub read_lag: Option<LagStats>,
    /// The same of the last chunk of each response: whatever waits for the reply leaves that much later.
    pub reply_lag: Option<LagStats>,
    /// Chunks whose arrival is known only as an interval.
    pub uncertain_chunks: UncertainChunks,
    /// What became of the measured requests.
    pub requests: OutcomeCounts,
    /// What was due against what was sent.
    pub schedule: ScheduleFacts,
    /// Requests for which this host had no resources left.
    pub starved: Starved,
    /// Requests a second that were due, between the first and the last intended instant: those that the
    /// client left out counted, those that an interrupt left over not.
    pub requested_rate: Option<f64>,
    /// Requests a second that were sent: over the span in which they were due, or over that in which they
    /// were sent where that is longer.
    pub achieved_rate: Option<f64>,
    /// Content chunks a second, between the first and the last arrival.
    pub token_event_rate: Option<f64>,
    /// The host during the run.
    pub host: HostFacts,
    /// CPU seconds of this process per second of the run: how many cores it kept busy.
    pub process_cores_busy: Option<f64>,
    /// Records that lost their chunk lists because a buffer was full.
    pub degraded_records: u64,
    /// Requests, those of the warm-up among them, whose bodies the raw export lacks: they were too long to be kept,
    /// or storage could not keep up.
    pub bodies_dropped: u64,
    /// What the packet tap counted; null without `--timestamps packet`.
    pub packets: Option<PacketFacts>,
    /// What this host was measured to reach, and how near the run came; null without a calibration.
    pub ceiling: Option<Ceiling>,
}

/// One reason for `client_limited`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// A stable name: `schedule_not_sent`, `send_lag`, `uncertain_chunks`, `read_lag`,
    /// `records_degraded`, `workers_busy` or `steal`.
    pub code: String,
    /// What was seen, and what would have passed, for people.
    pub message: String,
    /// What would help.
    pub remedy: String,
    /// The measured figure: of a lag the 99th percentile, or of fewer than 200 samples the third
    /// greatest.
    pub measured: f64,
    /// The greatest figure that would have passed (for `schedule_not_sent` the least).
    pub threshold: f64,
}

/// Something worth knowing beside the reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remark {
    /// A stable name.
    pub code: String,
    /// A sentence without its full stop, for people.
    pub message: String,
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
    /// The percentiles are at most by this share too large, and never too small: 0 up to 65,536 samples.
    /// Count, mean and maximum are exact.
    pub percentile_error: f64,
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
    /// Uncertain ones that the client caused, by reading late: more than 1 ms after their arrival, or a
    /// tenth of the interval where that is less (but no less than 0.2 ms). The others came together: the
    /// server wrote several at a time, or the network joined them.
    pub late: u64,
    /// Late ones by all; 0 without chunks. Where this process stamps arrivals itself no lag can be seen.
    pub late_share: f64,
    /// Width of the intervals.
    pub width: Option<LagStats>,
}

/// How many content chunks each source stamped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stamps {
    /// The kernel, each segment for itself, seen by a packet socket: exact however late the reader is.
    pub packet: u64,
    /// The kernel, on the connection's own socket: exact while the reader is less than a gap late.
    pub kernel: u64,
    /// This process, when it read them.
    pub user: u64,
}

/// Who stamped the arrivals of a run's chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampSource {
    /// The kernel, segment by segment, for all of them.
    Packet,
    /// The kernel, on the connections' own sockets, for all of them.
    Kernel,
    /// This process, for all of them.
    User,
    /// Some the one, some the other.
    Mixed,
    /// No chunk came.
    None,
}

impl TimestampSource {
    /// The name in every file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Packet => "packet",
            Self::Kernel => "kernel",
            Self::User => "user",
            Self::Mixed => "mixed",
            Self::None => "none",
        }
    }
}

/// What this host was measured to reach, and the share of it that the run's means came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ceiling {
    /// The calibration.
    #[serde(flatten)]
    pub cited: CeilingCited,
    /// The run's achieved rate by the ceiling's.
    pub requests_share: Option<f64>,
    /// The run's token events a second by the ceiling's.
    pub token_events_share: Option<f64>,
    /// The most requests under way at once by the ceiling's open streams.
    pub open_streams_share: Option<f64>,
}
