//! What the records of a run tell about the client.

use loadgen_core::{FailureKind, Nanos, Outcome, Phase, RequestRecord};

use super::lag::Lags;
use super::{HostFacts, Quality, ScheduleFacts, TimestampSource, UncertainChunks, verdict};
use crate::summary::{OutcomeCounts, Summary};

/// Collects what the measured records of a run tell about the client.
#[derive(Debug, Clone, Default)]
pub struct QualityInput {
    waits_for_slots: bool,
    send_lag: Lags,
    release_lateness: Lags,
    read_lag: Lags,
    width: Lags,
    chunks: u64,
    uncertain: u64,
    late: u64,
    kernel: bool,
    user: bool,
    counts: OutcomeCounts,
    degraded: u64,
    starved: u64,
    due: Span,
    sent: Span,
}

/// What the operating system says when this host, and not the server, is why a connection cannot be
/// made: no file descriptor left, in the process or on the machine, or no port.
const STARVED: [&str; 2] = ["Too many open files", "Cannot assign requested address"];

/// From this many ns after a chunk's arrival on, the client was late to read it. A client that waits
/// for a socket reads within some tens of microseconds, a busy one within a timer's tick or two; what
/// shares a prompt read was sent together, and more CPU would not tell it apart.
const LATE_READ_NS: i64 = 1_000_000;

/// First and last of a number of instants.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    count: u64,
    first: Option<Nanos>,
    last: Option<Nanos>,
}

impl QualityInput {
    /// An empty one. `waits_for_slots`: the plan lets arrivals wait for a free slot (a cap under a
    /// fixed schedule), so that waiting for one is the plan's doing and not the client's.
    pub fn new(waits_for_slots: bool) -> Self {
        Self { waits_for_slots, ..Self::default() }
    }

    /// Takes a record; those of the warm-up are passed over.
    pub fn push(&mut self, record: &RequestRecord) {
        if record.identity.phase != Phase::Profiling {
            return;
        }
        self.counts.add(record.outcome);
        self.degraded += u64::from(record.degraded);
        self.starved += u64::from(is_starved(record));
        self.push_instants(record);
        self.push_chunks(record);
    }

    fn push_instants(&mut self, record: &RequestRecord) {
        let instants = &record.instants;
        if record.outcome != Outcome::NotSent {
            self.due.push(instants.scheduled);
            self.sent.push(instants.send_start);
        }
        if let (Some(scheduled), Some(released)) = (instants.scheduled, instants.released) {
            self.release_lateness.push(released.since(scheduled));
        }
        let due = if self.waits_for_slots { instants.request_start } else { instants.scheduled };
        if let (Some(due), Some(sent)) = (due, instants.send_start) {
            // Connecting takes the network's and the server's time, not the client's.
            let connection = &record.connection;
            let connecting: i64 =
                [connection.dns_ns, connection.connect_ns, connection.tls_ns].iter().flatten().sum();
            self.send_lag.push(sent.since(due) - connecting);
        }
    }

    fn push_chunks(&mut self, record: &RequestRecord) {
        let chunks = &record.chunks;
        if chunks.is_empty() {
            return;
        }
        self.kernel |= record.stamps.packet > 0 || record.stamps.kernel > 0;
        self.user |= record.stamps.user > 0;
        self.chunks += chunks.len() as u64;
        for &lag in &chunks.read_lag_ns {
            self.read_lag.push(lag);
        }
        for (&width, &lag) in chunks.uncertainty_ns.iter().zip(&chunks.read_lag_ns) {
            if width > 0 {
                self.uncertain += 1;
                self.late += u64::from(lag > LATE_READ_NS);
                self.width.push(width);
            }
        }
    }

    /// The verdict. `summary` gives the latencies that lags are held against.
    pub fn finish(self, mut host: HostFacts, schedule: ScheduleFacts, summary: &Summary) -> Quality {
        host.worker_busy_shares = plausible(&host.worker_busy_shares);
        let process_cores_busy = host
            .process_cpu_seconds
            .filter(|_| host.wall_seconds > 0.0)
            .map(|seconds| seconds / host.wall_seconds);
        let share = |part: u64| if self.chunks == 0 { 0.0 } else { part as f64 / self.chunks as f64 };
        let mut quality = Quality {
            schema_version: "1.0".to_owned(),
            client_limited: false,
            reasons: Vec::new(),
            timestamp_source: match (self.kernel, self.user) {
                (true, true) => TimestampSource::Mixed,
                (true, false) => TimestampSource::Kernel,
                (false, true) => TimestampSource::User,
                (false, false) => TimestampSource::None,
            },
            send_lag: self.send_lag.stats(),
            release_lateness: self.release_lateness.stats(),
            read_lag: self.read_lag.stats(),
            uncertain_chunks: UncertainChunks {
                chunks: self.chunks,
                uncertain: self.uncertain,
                share: share(self.uncertain),
                late: self.late,
                late_share: share(self.late),
                width: self.width.stats(),
            },
            requests: self.counts,
            schedule: ScheduleFacts {
                unsent_by_client: schedule.unsent_by_client + self.starved,
                ..schedule
            },
            requested_rate: self.due.rate(),
            achieved_rate: self.sent.rate(),
            host,
            process_cores_busy,
            degraded_records: self.degraded,
        };
        quality.reasons = verdict::reasons(&quality, summary);
        quality.client_limited = !quality.reasons.is_empty();
        quality
    }
}

/// The shares that a thread can have. One without wall time, or with next to none, gives any number;
/// one that was always busy a little more than 1, since two clocks are read one after the other.
fn plausible(busy_shares: &[f64]) -> Vec<f64> {
    /// What the reading of two clocks explains.
    const MOST: f64 = 1.1;
    let shares = busy_shares.iter().copied().filter(|share| (0.0..=MOST).contains(share));
    shares.map(|share| share.min(1.0)).collect()
}

fn is_starved(record: &RequestRecord) -> bool {
    let (Outcome::Failed(FailureKind::ConnectError), Some(error)) = (record.outcome, &record.error) else {
        return false;
    };
    let says = |text: &String| STARVED.iter().any(|phrase| text.contains(phrase));
    says(&error.message) || error.cause_chain.iter().any(says)
}

impl Span {
    fn push(&mut self, instant: Option<Nanos>) {
        let Some(instant) = instant else { return };
        self.count += 1;
        self.first = Some(self.first.map_or(instant, |first| first.min(instant)));
        self.last = Some(self.last.map_or(instant, |last| last.max(instant)));
    }

    /// Intervals a second; `None` for fewer than two instants, or for all at once.
    fn rate(self) -> Option<f64> {
        let span_ns = self.last?.since(self.first?);
        (span_ns > 0).then(|| (self.count - 1) as f64 / (span_ns as f64 / 1e9))
    }
}
