//! The calibration file: what this host can offer, and how far figures taken on it are off.

use loadgen_metrics::CeilingCited;
use loadgen_run::Host;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::truth::TimingError;

/// Version of the file's layout.
const SCHEMA_VERSION: u32 = 1;

/// `calibration.json`: made by `loadgen calibrate`, cited by later runs on the same host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    /// Version of this file's layout.
    pub schema_version: u32,
    /// When it was measured, RFC 3339, UTC.
    pub measured_at: String,
    /// The program that measured.
    pub loadgen_version: String,
    /// Where it measured.
    pub host: HostIdentity,
    /// Who stamped arrivals: `packet`, `socket` or `user`.
    pub timestamps: String,
    /// Whether it was the quick form: shorter trials, a coarser answer.
    pub quick: bool,
    /// Greatest p99 of send lag and of read lag in a trial that passed, ms.
    pub lag_limit_ms: f64,
    /// The most requests a second.
    pub requests_per_second: Ceiling,
    /// The most token events a second.
    pub token_events_per_second: Ceiling,
    /// The most streams open at once.
    pub open_streams: Ceiling,
    /// How far its instants are from the server's own log, under a moderate load.
    pub timing_error: TimingError,
}

/// What tells one host from another, as far as its speed goes. Unknown facts are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostIdentity {
    /// The processor's model.
    pub cpu: Option<String>,
    /// Cores that this process may use.
    pub cores: Option<u64>,
    /// The system and its release.
    pub kernel: Option<String>,
}

/// The greatest load along one axis that passed, and every trial on the way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ceiling {
    /// What was reached in the greatest trial that passed; absent when none did.
    pub reached: Option<f64>,
    /// Why the next greater trial failed; absent when the greatest load that is tried passed.
    pub limited_by: Option<String>,
    /// CPU time of this process for each request or token event of the greatest trial that passed,
    /// user and system, µs; absent for open streams.
    pub cpu_us_each: Option<f64>,
    /// The trials, in order.
    pub trials: Vec<Trial>,
}

/// One short run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// The load asked for.
    pub asked: u64,
    /// The load that was there.
    pub reached: Option<f64>,
    /// From when requests were due to their first byte written, p99, ms.
    pub send_lag_p99_ms: Option<f64>,
    /// From the arrival of a chunk to when it was read, p99, ms.
    pub read_lag_p99_ms: Option<f64>,
    /// Why it failed; absent when it passed.
    pub failed_by: Option<String>,
}

impl From<&Host> for HostIdentity {
    fn from(host: &Host) -> Self {
        Self {
            cpu: host.cpu.clone(),
            cores: host.cores.map(|cores| cores as u64),
            kernel: host.kernel.clone(),
        }
    }
}

impl Calibration {
    /// An empty one for these circumstances.
    pub(super) fn of(circumstances: Circumstances, lag_limit_ms: f64, timing_error: TimingError) -> Self {
        let Circumstances { measured_at, loadgen_version, host, timestamps, quick } = circumstances;
        Self {
            schema_version: SCHEMA_VERSION,
            measured_at,
            loadgen_version,
            host,
            timestamps,
            quick,
            lag_limit_ms,
            requests_per_second: Ceiling::default(),
            token_events_per_second: Ceiling::default(),
            open_streams: Ceiling::default(),
            timing_error,
        }
    }

    /// Whether it says something about runs of `version` on `host`: another processor, kernel or
    /// program has other ceilings.
    pub fn is_of(&self, host: &HostIdentity, version: &str) -> bool {
        self.schema_version == SCHEMA_VERSION && self.host == *host && self.loadgen_version == version
    }

    /// What a run cites of it; `file` is where it lies.
    pub fn cited(&self, file: String) -> CeilingCited {
        CeilingCited {
            file,
            measured_at: self.measured_at.clone(),
            loadgen_version: self.loadgen_version.clone(),
            requests_per_second: self.requests_per_second.reached,
            token_events_per_second: self.token_events_per_second.reached,
            open_streams: self.open_streams.reached.map(|streams| streams as u64),
            ttft_error_p99_ms: Some(self.timing_error.time_to_first_token.p99_ms),
            gap_error_p99_ms: Some(self.timing_error.gap.p99_ms),
            outside_write_share: Some(self.timing_error.outside_write_share),
        }
    }
}

/// What a calibration is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circumstances {
    /// When, RFC 3339.
    pub measured_at: String,
    /// The program.
    pub loadgen_version: String,
    /// The host.
    pub host: HostIdentity,
    /// Who stamps arrivals.
    pub timestamps: String,
    /// Whether the quick form was asked for.
    pub quick: bool,
}
