//! What the records of a run tell about the client.

use loadgen_core::{Nanos, Outcome, Phase, RequestRecord};

use super::lag::{Lags, Tail};
use super::{
    Ceiling, CeilingCited, Quality, RunFacts, ScheduleFacts, Stamps, Starved, TimestampSource,
    UncertainChunks, remarks, verdict,
};
use crate::summary::{OutcomeCounts, Summary};

/// Version of the file's layout: fields were added since 1.0.
const SCHEMA_VERSION: &str = "1.2";

/// Collects what the measured records of a run tell about the client, in constant memory: four or five
/// distributions of half a megabyte each at most. Several may collect parts of a run and be merged.
#[derive(Debug, Clone, Default)]
pub struct QualityInput {
    waits_by_plan: bool,
    send_lag: Lags,
    release_lateness: Lags,
    /// Of chunks that a late read can merge: those that are not all stamped by packets.
    socket_read_lag: Lags,
    /// Of records whose chunks were all stamped by packets.
    packet_read_lag: Lags,
    reply_lag: Lags,
    width: Lags,
    chunks: u64,
    uncertain: u64,
    late: u64,
    stamps: Stamps,
    counts: OutcomeCounts,
    degraded: u64,
    bodies_dropped: u64,
    starved: Starved,
    has_later_turns: bool,
    /// When requests were due that were let go, and when those that never were.
    due: Span,
    due_unsent: Span,
    sent: Span,
    arrived: Span,
}

/// From this many ns after a chunk's arrival on, the client was late to read it. A client that waits
/// for a socket reads within some tens of microseconds, a busy one within a timer's tick or two; what
/// shares a prompt read was sent together, and more CPU would not tell it apart.
const LATE_READ_NS: i64 = 1_000_000;
/// Where tokens come fast, less is late: the kernel keeps the last segment's stamp, so that the lag of a
/// merged read is at most a gap however late the reader was. A share of the interval, then, one part in:
const LATE_READ_OF_WIDTH: i64 = 10;
/// But waking up takes this long at times without anything being merged by it.
const LEAST_LATE_READ_NS: i64 = 200_000;

/// First and last of a number of instants.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    count: u64,
    first: Option<Nanos>,
    last: Option<Nanos>,
}

/// What the verdict is given of the lags.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tails {
    pub(super) send: Option<Tail>,
    /// Read lag of the chunks whose arrival a late read can bend.
    pub(super) socket_read: Option<Tail>,
    pub(super) reply: Option<Tail>,
    /// Whether requests waited for replies.
    pub(super) replies_awaited: bool,
}

impl QualityInput {
    /// An empty one. `waits_by_plan`: the plan lets requests wait (for a slot of a cap under a fixed
    /// schedule, for the ceiling of a rate), so that their waiting is not the client's doing.
    pub fn new(waits_by_plan: bool) -> Self {
        Self { waits_by_plan, ..Self::default() }
    }

    /// Takes a record; those of the warm-up are passed over.
    pub fn push(&mut self, record: &RequestRecord) {
        if record.identity.phase != Phase::Profiling {
            return;
        }
        self.counts.add(record.outcome);
        self.counts.in_band_errors += u64::from(record.in_band_error().is_some());
        self.degraded += u64::from(record.degraded);
        self.starved.push(record);
        self.has_later_turns |= record.identity.turn_index > 0;
        self.push_instants(record);
        self.push_chunks(record);
    }

    /// Takes the number of requests, of any phase, whose bodies were to be exported and could not be kept.
    pub fn push_dropped_bodies(&mut self, requests: u64) {
        self.bodies_dropped += requests;
    }

    /// Takes what another one has collected of the same run.
    pub fn merge(&mut self, other: &Self) {
        self.waits_by_plan |= other.waits_by_plan;
        self.send_lag.merge(&other.send_lag);
        self.release_lateness.merge(&other.release_lateness);
        self.socket_read_lag.merge(&other.socket_read_lag);
        self.packet_read_lag.merge(&other.packet_read_lag);
        self.reply_lag.merge(&other.reply_lag);
        self.width.merge(&other.width);
        self.chunks += other.chunks;
        self.uncertain += other.uncertain;
        self.late += other.late;
        self.stamps.packet += other.stamps.packet;
        self.stamps.kernel += other.stamps.kernel;
        self.stamps.user += other.stamps.user;
        self.counts = sum(&self.counts, &other.counts);
        self.degraded += other.degraded;
        self.bodies_dropped += other.bodies_dropped;
        self.starved.merge(other.starved);
        self.has_later_turns |= other.has_later_turns;
        self.due.merge(other.due);
        self.due_unsent.merge(other.due_unsent);
        self.sent.merge(other.sent);
        self.arrived.merge(other.arrived);
    }

    fn push_instants(&mut self, record: &RequestRecord) {
        let instants = &record.instants;
        if record.outcome == Outcome::NotSent {
            self.due_unsent.push(instants.scheduled);
        } else {
            self.due.push(instants.scheduled);
            self.sent.push(instants.send_start);
        }
        if let (Some(scheduled), Some(released)) = (instants.scheduled, instants.released) {
            self.release_lateness.push(released.since(scheduled));
        }
        let due = if self.waits_by_plan { instants.request_start } else { instants.scheduled };
        if let (Some(due), Some(sent)) = (due, instants.send_start) {
            // Connecting takes the network's and the server's time, not the client's.
            let connection = &record.connection;
            let connecting: i64 =
                [connection.dns_ns, connection.connect_ns, connection.tls_ns].iter().flatten().sum();
            self.send_lag.push(sent.since(due) - connecting);
        }
    }

    fn push_chunks(&mut self, record: &RequestRecord) {
        let (chunks, stamps) = (&record.chunks, &record.stamps);
        let Some(&reply_lag) = chunks.read_lag_ns.last() else { return };
        self.chunks += chunks.len() as u64;
        self.stamps.packet += u64::from(stamps.packet);
        self.stamps.kernel += u64::from(stamps.kernel);
        self.stamps.user += u64::from(stamps.user);
        self.arrived.push(record.instants.first_token);
        self.arrived.push(record.instants.last_token);
        self.reply_lag.push(reply_lag);
        let is_all_packets = stamps.packet as usize == chunks.len();
        let read_lag = if is_all_packets { &mut self.packet_read_lag } else { &mut self.socket_read_lag };
        read_lag.extend(&chunks.read_lag_ns);
        // Most records have no uncertain chunk, which a plain look over the list tells fastest.
        if chunks.uncertainty_ns.iter().all(|&width| width == 0) {
            return;
        }
        for (&width, &lag) in chunks.uncertainty_ns.iter().zip(&chunks.read_lag_ns) {
            if width > 0 {
                self.uncertain += 1;
                self.late += u64::from(lag > late_after(width));
                self.width.push(width);
            }
        }
    }

    /// The verdict. `summary` gives the latencies that lags are held against.
    pub fn judge(mut self, facts: RunFacts, summary: &Summary) -> Quality {
        let RunFacts { mut host, schedule, packets, ceiling } = facts;
        host.worker_busy_shares = plausible(&host.worker_busy_shares);
        let process_cores_busy = host
            .process_cpu_seconds
            .filter(|_| host.wall_seconds > 0.0)
            .map(|seconds| seconds / host.wall_seconds);
        let replies_awaited = self.has_later_turns || schedule.waits_for_replies;
        let tails = Tails {
            send: self.send_lag.tail(),
            socket_read: self.socket_read_lag.tail(),
            reply: self.reply_lag.tail(),
            replies_awaited,
        };
        let mut read_lag = std::mem::take(&mut self.socket_read_lag);
        read_lag.merge(&self.packet_read_lag);
        let due = self.all_due(&schedule);
        let unsent_by_client = schedule.unsent_by_client + self.starved.total();
        let (achieved_rate, token_event_rate) = (self.sent.rate_of(due), self.token_event_rate());
        let mut quality = Quality {
            schema_version: SCHEMA_VERSION.to_owned(),
            client_limited: false,
            reasons: Vec::new(),
            remarks: Vec::new(),
            timestamp_source: source(self.stamps),
            stamps: self.stamps,
            uncertain_chunks: self.uncertain_chunks(),
            send_lag: self.send_lag.stats(),
            release_lateness: self.release_lateness.stats(),
            read_lag: read_lag.stats(),
            reply_lag: self.reply_lag.stats(),
            requests: self.counts,
            schedule: ScheduleFacts { unsent_by_client, ..schedule },
            starved: self.starved,
            requested_rate: due.rate(),
            achieved_rate,
            token_event_rate,
            host,
            process_cores_busy,
            degraded_records: self.degraded,
            bodies_dropped: self.bodies_dropped,
            packets,
            ceiling: ceiling.map(|cited| measured_against(cited, achieved_rate, token_event_rate, summary)),
        };
        quality.reasons = verdict::reasons(&quality, tails, summary);
        quality.client_limited = !quality.reasons.is_empty();
        quality.remarks = remarks::remarks(&quality, summary);
        quality
    }

    /// What was due while requests were sent. Those that the client left out were due as well; those that an
    /// interrupt left over lie behind the end of sending.
    fn all_due(&self, schedule: &ScheduleFacts) -> Span {
        let mut due = self.due;
        if schedule.unsent_by_client == self.due_unsent.count {
            due.merge(self.due_unsent);
        } else if due.count > 0 {
            due.count += schedule.unsent_by_client;
        }
        due
    }

    fn uncertain_chunks(&mut self) -> UncertainChunks {
        let share = |part: u64| if self.chunks == 0 { 0.0 } else { part as f64 / self.chunks as f64 };
        UncertainChunks {
            chunks: self.chunks,
            uncertain: self.uncertain,
            share: share(self.uncertain),
            late: self.late,
            late_share: share(self.late),
            width: std::mem::take(&mut self.width).stats(),
        }
    }

    fn token_event_rate(&self) -> Option<f64> {
        let seconds = self.arrived.seconds()?;
        Some(self.chunks as f64 / seconds)
    }
}

/// From which lag on the client caused that a chunk's arrival is known only as an interval this wide.
fn late_after(width_ns: i64) -> i64 {
    (width_ns / LATE_READ_OF_WIDTH).clamp(LEAST_LATE_READ_NS, LATE_READ_NS)
}

fn sum(left: &OutcomeCounts, right: &OutcomeCounts) -> OutcomeCounts {
    OutcomeCounts {
        ok: left.ok + right.ok,
        in_band_errors: left.in_band_errors + right.in_band_errors,
        http_error: left.http_error + right.http_error,
        connect_error: left.connect_error + right.connect_error,
        timeout: left.timeout + right.timeout,
        stream_error: left.stream_error + right.stream_error,
        invalid_response: left.invalid_response + right.invalid_response,
        cancelled: left.cancelled + right.cancelled,
        aborted: left.aborted + right.aborted,
        not_sent: left.not_sent + right.not_sent,
    }
}

fn source(stamps: Stamps) -> TimestampSource {
    match (stamps.packet > 0, stamps.kernel > 0, stamps.user > 0) {
        (false, false, false) => TimestampSource::None,
        (true, false, false) => TimestampSource::Packet,
        (false, true, false) => TimestampSource::Kernel,
        (false, false, true) => TimestampSource::User,
        _ => TimestampSource::Mixed,
    }
}

fn measured_against(
    cited: CeilingCited,
    requests: Option<f64>,
    token_events: Option<f64>,
    summary: &Summary,
) -> Ceiling {
    let share = |run: Option<f64>, ceiling: Option<f64>| Some(run? / ceiling.filter(|most| *most > 0.0)?);
    let streams = summary.get("effective_concurrency").and_then(|stats| stats.max);
    Ceiling {
        requests_share: share(requests, cited.requests_per_second),
        token_events_share: share(token_events, cited.token_events_per_second),
        open_streams_share: share(streams, cited.open_streams.map(|most| most as f64)),
        cited,
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

impl Span {
    fn push(&mut self, instant: Option<Nanos>) {
        self.merge(Self { count: u64::from(instant.is_some()), first: instant, last: instant });
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.max(other.last);
    }

    /// Its length; `None` for fewer than two instants, or for all at once.
    fn seconds(self) -> Option<f64> {
        let span_ns = self.last?.since(self.first?);
        (span_ns > 0).then(|| span_ns as f64 / 1e9)
    }

    /// Intervals a second.
    fn rate(self) -> Option<f64> {
        let seconds = self.seconds()?;
        Some((self.count - 1) as f64 / seconds)
    }

    /// Events a second of this span, each of them one of the events of `due`. Both count over one window, as
    /// long as the longer of the two: whoever stops early was not faster for it.
    fn rate_of(self, due: Self) -> Option<f64> {
        if due.count == 0 {
            return self.rate();
        }
        let seconds = self.seconds().into_iter().chain(due.seconds()).reduce(f64::max)?;
        Some((due.count - 1) as f64 / seconds * (self.count as f64 / due.count as f64))
    }
}
