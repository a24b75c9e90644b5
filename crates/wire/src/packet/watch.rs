//! The tap's thread: drains the packet sockets, resolves the records that wait, passes them on.
//!
//! A record waits until the sockets were drained a whole round after it was taken. A kernel may serve
//! the connection's own socket some microseconds before the packet socket; by the next round
//! everything that the record could need is known.
//!
//! It sleeps between two rounds and gives way to the workers: how late it runs makes no difference to
//! any instant, as long as the kernel's buffer holds.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use loadgen_core::{Clock, Nanos, SystemClock};

use super::PacketStats;
use super::capture::{Capture, Packet, Spare};
use super::header::{FlowKey, parse};
use super::resolve::resolve;
use super::sink::{Shared, Waiting};
use super::table::FlowTable;
use crate::drift::WallDrift;

/// The pause between two rounds when the kernel holds enough for many of them.
const PAUSE: Duration = Duration::from_millis(25);
/// The pause when it holds little, and before the last round.
const SHORT_PAUSE: Duration = Duration::from_millis(2);
/// A buffer of this many bytes is enough for many rounds.
const LARGE_BUFFER_BYTES: usize = 8 << 20;
/// How often what nobody needs is looked for, ns.
const SWEEP_EVERY_NS: i64 = 1_000_000_000;
/// What an arrival may be older than the request it belongs to, ns: stamps are placed within this.
const SLACK_NS: i64 = 2_000_000;

/// The tap's state, on its thread.
pub(super) struct Watch {
    pub(super) captures: Vec<Capture>,
    pub(super) ports: HashSet<u16>,
    pub(super) clock: SystemClock,
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Receiver<Waiting>,
    /// Before the sockets were opened.
    pub(super) since: Nanos,
}

/// What the packets have told so far.
struct Knowledge {
    table: FlowTable,
    drift: WallDrift,
    stats: PacketStats,
    /// Chunks of connections that were watched, whose packets were not seen.
    missed: u64,
    /// Whatever comes came after this.
    drained_at: Nanos,
    swept_at: Nanos,
}

impl Watch {
    /// Watches until the tap is closed and everything handed over before that is passed on.
    pub(super) fn run(mut self) -> PacketStats {
        let now = self.clock.now();
        let mut known = Knowledge {
            table: FlowTable::default(),
            drift: WallDrift::new(self.clock),
            stats: PacketStats::default(),
            missed: 0,
            drained_at: self.since,
            swept_at: now,
        };
        let is_roomy = self.captures.iter().all(|capture| capture.buffer_bytes() >= LARGE_BUFFER_BYTES);
        let pause = if is_roomy { PAUSE } else { SHORT_PAUSE };
        let mut waiting: Vec<Waiting> = Vec::new();
        let mut spare = Spare::default();
        let mut is_closing = false;
        loop {
            let is_last = is_closing;
            is_closing = self.shared.is_closing();
            // Asked before the queue is emptied: a record is open until it is in the queue. Those taken
            // in the last round are resolved before anything is forgotten.
            let oldest_open = self.shared.oldest_open();
            let taken: Vec<Waiting> = self.queue.try_iter().collect();
            let oldest = taken.iter().filter_map(|waiting| waiting.record.instants.request_start).min();
            self.drain(&mut known, &mut spare);
            let mut due = std::mem::replace(&mut waiting, taken);
            if is_last {
                // What was handed over after the close does not wait for a round that will not come.
                due.append(&mut waiting);
            }
            for Waiting { mut record, held, onward } in due {
                if let Some(trail) = record.trail.take() {
                    known.resolve(&mut record, &trail);
                }
                onward.finished(*record);
                self.shared.release(held);
            }
            known.sweep([oldest_open, oldest].into_iter().flatten().min(), self.clock.now());
            if is_last {
                break;
            }
            let pause = if is_closing { SHORT_PAUSE } else { pause };
            std::thread::park_timeout(pause);
        }
        PacketStats {
            dropped_by_kernel: self
                .captures
                .iter()
                .filter_map(Capture::dropped)
                .sum::<u64>()
                .max(known.missed),
            flows: known.table.seen,
            passed_by: self.shared.passed_by(),
            ..known.stats
        }
    }

    /// Takes every packet that had come when the drain began.
    fn drain(&mut self, known: &mut Knowledge, spare: &mut Spare) {
        let began = self.clock.now();
        for capture in &mut self.captures {
            loop {
                // A socket that fails tells no more; what it did not tell, the readers' sockets do.
                let is_more = capture.read(spare).unwrap_or(false);
                let now = self.clock.now();
                let mut latest = None;
                for packet in capture.packets() {
                    latest = known.take(&packet, &self.ports, now).max(latest);
                }
                if !is_more || latest > Some(began) {
                    break;
                }
            }
        }
        known.drained_at = began;
    }
}

impl Knowledge {
    /// Takes a packet that had come by `now`. The answer: its place on the timeline.
    fn take(&mut self, packet: &Packet<'_>, ports: &HashSet<u16>, now: Nanos) -> Option<Nanos> {
        let segment = parse(packet.head, packet.bytes)?;
        if !ports.contains(&segment.flow.remote.port()) {
            return None;
        }
        self.stats.packets += 1;
        let wall_ns = packet.wall_ns?;
        let placed = self.drift.place(wall_ns, self.drained_at, now);
        let at = placed.map(|placed| placed.at);
        self.table.take(&segment, wall_ns, at, now);
        at
    }

    fn resolve(&mut self, record: &mut loadgen_core::RawRecord, trail: &loadgen_core::StreamTrail) {
        let key = FlowKey { local: unmapped(trail.local), remote: unmapped(trail.remote) };
        let seen_by = record.instants.end.unwrap_or(self.drained_at) + SLACK_NS;
        let mut flow = self.table.flow(&key, seen_by);
        let was_missed = flow.as_ref().is_none_or(|flow| flow.is_missed);
        let resolved = resolve(record, trail, flow.as_deref_mut());
        let is_told = !resolved.is_contradicted && flow.as_ref().is_some_and(|flow| flow.is_anchored());
        self.missed += if is_told { resolved.by_socket } else { 0 };
        self.stats.unanchored_flows += u64::from(!was_missed && flow.is_some_and(|flow| flow.is_missed));
        self.stats.stamped_by_packet += resolved.by_packet;
        self.stats.stamped_by_socket += resolved.by_socket;
        self.stats.contradicted += u64::from(resolved.is_contradicted);
    }

    fn sweep(&mut self, oldest_open: Option<Nanos>, now: Nanos) {
        if now.since(self.swept_at) < SWEEP_EVERY_NS {
            return;
        }
        // With no request open, whatever a request yet to begin needs is yet to come.
        let horizon = oldest_open.unwrap_or(self.swept_at).min(self.swept_at) - SLACK_NS;
        self.table.sweep(horizon, now);
        self.swept_at = now;
    }
}

/// An IPv4 address in IPv6's clothes is an IPv4 packet.
fn unmapped(address: std::net::SocketAddr) -> std::net::SocketAddr {
    std::net::SocketAddr::new(address.ip().to_canonical(), address.port())
}
