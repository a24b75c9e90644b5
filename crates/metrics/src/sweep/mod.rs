//! Step functions over the run: how many requests, tokens and tokens a second were under way at each
//! moment, and their statistics weighted by time.
//!
//! Every request contributes steps: at its start, at its first token, at each later chunk and at its
//! end. Walking all steps in order cuts the window into segments on which every curve is constant.
//! The walk holds one cursor for each request in flight, and reads lives and gaps as it comes to them,
//! so its memory does not grow with the run.

mod curve;
mod lives;
mod slices;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::column::{Column, Lookup, SpillError};
use crate::metric::{MetricId, Unit};
use crate::registry::id;
use crate::stats::Stats;
use crate::summary::Window;
use curve::Curve;
pub(crate) use lives::{Life, Lives};
pub(crate) use slices::{Grid, sweep_slices};

/// Gaps that a cursor reads at a time.
const GAPS_READ: usize = 64;
/// Segments handed from the walk to the curves at a time: 56 KiB,
const HANDED_OVER: usize = 1024;
/// and how many times that may wait.
const QUEUED: usize = 4;

/// The figures of the walk, in no particular order.
pub(crate) type Figures = Vec<(MetricId, Stats)>;

/// Walks all lives within the window. `gaps_ns` holds the gaps of all requests. The curves are summed up
/// beside the walk, which takes about as long.
pub(crate) fn sweep(lives: Lives, gaps_ns: &Column, window: Window) -> Result<Figures, SpillError> {
    if window.nanoseconds() == 0 {
        return Ok(Vec::new());
    }
    std::thread::scope(|scope| {
        let (queue, segments) = sync_channel(QUEUED);
        let summing = scope.spawn(move || Curves::of(&segments).figures());
        // The queue goes with the walk, whatever becomes of it: its end is the end of the curves.
        let walked = walk(lives, gaps_ns, window, Segments { queue, some: Vec::with_capacity(HANDED_OVER) });
        let figures = summing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        walked.map(|()| figures)
    })
}

fn walk(lives: Lives, gaps_ns: &Column, window: Window, mut segments: Segments) -> Result<(), SpillError> {
    let mut arrivals = lives.in_order()?;
    let mut under_way = UnderWay::over(gaps_ns);
    let mut levels = Levels::default();
    let mut from = window.start.0;
    let upto = window.end.0;

    loop {
        let starts = arrivals.next_start();
        let due = under_way.due();
        // Of a start and a step at one instant the step comes first: who leaves makes room.
        let start_comes_first = due.is_none_or(|due| starts.is_some_and(|starts| starts < due));
        let next = if start_comes_first { starts } else { due };
        let Some(at) = next else { break };
        let at = at.clamp(from, upto.max(from));
        segments.push(&levels, at - from);
        from = at;
        if !start_comes_first {
            under_way.step(&mut levels)?;
        } else if let Some(life) = arrivals.next()? {
            under_way.admit(life, &mut levels);
        }
    }
    segments.push(&levels, upto - from);
    segments.hand_over();
    Ok(())
}

/// Segments of the window on their way to the curves: the levels on each, and its width in ns.
struct Segments {
    queue: SyncSender<Vec<(Levels, i64)>>,
    some: Vec<(Levels, i64)>,
}

impl Segments {
    fn push(&mut self, levels: &Levels, width: i64) {
        if width <= 0 {
            return;
        }
        self.some.push((*levels, width));
        if self.some.len() == HANDED_OVER {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let some = std::mem::replace(&mut self.some, Vec::with_capacity(HANDED_OVER));
        // Only a panic ends the other side early, and the join tells it.
        let _ = self.queue.send(some);
    }
}

/// The requests in flight, by the instant of their next step.
#[derive(Debug)]
struct UnderWay<'a> {
    /// (instant, slot of its cursor), the earliest on top.
    steps: BinaryHeap<Reverse<(i64, u32)>>,
    cursors: Vec<Cursor>,
    free: Vec<u32>,
    gaps_ns: Lookup<'a>,
}

impl<'a> UnderWay<'a> {
    fn over(gaps_ns: &'a Column) -> Self {
        let (steps, cursors, free) = (BinaryHeap::new(), Vec::new(), Vec::new());
        Self { steps, cursors, free, gaps_ns: Lookup::new(gaps_ns) }
    }

    fn due(&self) -> Option<i64> {
        self.steps.peek().map(|Reverse((at, _))| *at)
    }

    fn admit(&mut self, life: Life, levels: &mut Levels) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.cursors.push(Cursor::default());
            self.cursors.len() as u32 - 1
        });
        self.cursors[slot as usize].start(life, levels);
        let first_step = life.first_token.unwrap_or(life.end).max(life.start);
        self.steps.push(Reverse((first_step, slot)));
    }

    /// Takes the step that is due first.
    fn step(&mut self, levels: &mut Levels) -> Result<(), SpillError> {
        let Some(mut due) = self.steps.peek_mut() else { return Ok(()) };
        let Reverse((_, slot)) = *due;
        if let Some(at) = self.cursors[slot as usize].step(&mut self.gaps_ns, levels)? {
            // Changed in its place: the heap sifts once, where a pop and a push would sift twice.
            *due = Reverse((at, slot));
        } else {
            PeekMut::pop(due);
            self.free.push(slot);
        }
        Ok(())
    }
}

/// The values of all curves at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Levels {
    requests: u32,
    prefilling: u32,
    decoding: u32,
    /// Gaps between chunks under way.
    gaps: u32,
    /// Tokens a second.
    prefill: f64,
    decode: f64,
    total: f64,
    tokens: f64,
}

/// Where a request stands in its steps.
#[derive(Debug, Default)]
struct Cursor {
    life: Life,
    stage: Stage,
    at: i64,
    /// Contributions to take back, so that what was added is what is removed.
    rate: f64,
    total: f64,
    tokens: f64,
    /// Output tokens after the first one, for each gap, and for each gap that took time.
    tokens_per_gap: f64,
    tokens_per_long_gap: f64,
    /// The gap under way.
    gap: f64,
    /// Gaps read and not entered yet, the next one last; and how many were read.
    ahead: Vec<f64>,
    read: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Stage {
    /// Before the first token; for what is not a stream, until the end.
    #[default]
    Waiting,
    /// In a gap between two chunks.
    Gap,
    /// After the last chunk.
    Tail,
}

impl Cursor {
    /// Begins a life. The room of the one before it is used again.
    fn start(&mut self, life: Life, levels: &mut Levels) {
        let ahead = std::mem::take(&mut self.ahead);
        *self = Self { life, at: life.start, ahead, ..Self::default() };
        self.ahead.clear();
        levels.requests += 1;
        if let Some(first) = life.first_token {
            self.rate = rate(life.input_tokens as f64, first - life.start);
            self.total = self.rate;
            self.tokens = life.input_tokens as f64;
            levels.prefilling += 1;
            levels.prefill += self.rate;
            levels.total += self.total;
            levels.tokens += self.tokens;
        }
    }

    /// Takes the step that is due now; gives the next one's instant.
    fn step(&mut self, gaps_ns: &mut Lookup<'_>, levels: &mut Levels) -> Result<Option<i64>, SpillError> {
        match (self.stage, self.life.first_token) {
            (Stage::Waiting, Some(first)) => self.begin_decoding(first, levels),
            (Stage::Gap, _) => {
                self.leave_gap(levels);
                self.hold(self.tokens_per_gap, levels);
            }
            (Stage::Waiting | Stage::Tail, _) => {
                self.finish(levels);
                return Ok(None);
            }
        }
        Ok(Some(self.enter_gap(gaps_ns, levels)?))
    }

    fn begin_decoding(&mut self, first: i64, levels: &mut Levels) {
        let life = &self.life;
        levels.prefilling -= 1;
        levels.decoding += 1;
        levels.prefill -= self.rate;
        levels.total -= self.total;
        if levels.prefilling == 0 {
            levels.prefill = 0.0;
        }
        self.rate = 0.0;
        self.at = first.max(life.start);
        let later_tokens = (life.output_tokens - 1).max(0) as f64;
        let share = |gaps: u32| if gaps == 0 { 0.0 } else { later_tokens / f64::from(gaps) };
        self.tokens_per_gap = share(life.gaps);
        self.tokens_per_long_gap = share(life.long_gaps);
        self.total = rate(later_tokens, life.end - self.at);
        levels.total += self.total;
        self.hold(1.0, levels);
    }

    /// Enters the next gap, or the tail when there is none; gives the instant at which it ends.
    fn enter_gap(&mut self, gaps_ns: &mut Lookup<'_>, levels: &mut Levels) -> Result<i64, SpillError> {
        let Some(gap) = self.next_gap(gaps_ns)? else {
            self.stage = Stage::Tail;
            return Ok(self.life.end.max(self.at));
        };
        self.stage = Stage::Gap;
        self.gap = gap;
        self.at += gap as i64;
        if gap > 0.0 {
            self.rate = rate(self.tokens_per_long_gap, gap as i64);
            levels.gaps += 1;
            levels.decode += self.rate;
        }
        Ok(self.at)
    }

    fn next_gap(&mut self, gaps_ns: &mut Lookup<'_>) -> Result<Option<f64>, SpillError> {
        if self.ahead.is_empty() && self.read < self.life.gaps {
            let count = (self.life.gaps - self.read).min(GAPS_READ as u32);
            gaps_ns.read(self.life.gaps_at + u64::from(self.read), count as usize, &mut self.ahead)?;
            self.ahead.reverse();
            self.read += count;
        }
        Ok(self.ahead.pop())
    }

    fn leave_gap(&mut self, levels: &mut Levels) {
        if self.gap > 0.0 {
            levels.gaps -= 1;
            levels.decode -= self.rate;
        }
        // A rounding error must not outlive the rates that it came from.
        if levels.gaps == 0 {
            levels.decode = 0.0;
        }
        self.rate = 0.0;
    }

    fn hold(&mut self, tokens: f64, levels: &mut Levels) {
        self.tokens += tokens;
        levels.tokens += tokens;
    }

    fn finish(&mut self, levels: &mut Levels) {
        levels.requests -= 1;
        if self.life.first_token.is_some() {
            levels.decoding -= 1;
            levels.total -= self.total;
            levels.tokens -= self.tokens;
        }
        if levels.prefilling == 0 && levels.decoding == 0 {
            levels.total = 0.0;
            levels.tokens = 0.0;
        }
    }
}

/// Tokens a second; nothing for no time.
fn rate(tokens: f64, nanoseconds: i64) -> f64 {
    if nanoseconds > 0 { tokens / (nanoseconds as f64 / 1e9) } else { 0.0 }
}

/// All curves of the walk.
#[derive(Debug, Default)]
struct Curves {
    concurrency: Curve,
    decode_concurrency: Curve,
    prefill_concurrency: Curve,
    decode: Curve,
    prefill: Curve,
    total: Curve,
    decode_per_user: Curve,
    prefill_per_user: Curve,
    tokens: Curve,
    active_decode: Curve,
    active_prefill: Curve,
    active_decode_per_user: Curve,
    active_prefill_per_user: Curve,
    active_total: Curve,
}

impl Curves {
    /// The curves of all segments that come.
    fn of(segments: &Receiver<Vec<(Levels, i64)>>) -> Self {
        let mut curves = Self::default();
        for (levels, width) in segments.iter().flatten() {
            curves.add(&levels, width);
        }
        curves
    }

    /// Adds a segment of `width` ns on which every curve is constant.
    fn add(&mut self, levels: &Levels, width: i64) {
        let (decode, prefill, total) =
            (levels.decode.max(0.0), levels.prefill.max(0.0), levels.total.max(0.0));
        let decode_per_user = per_user(decode, levels.decoding);
        let prefill_per_user = per_user(prefill, levels.prefilling);
        self.concurrency.add(f64::from(levels.requests), width);
        self.decode_concurrency.add(f64::from(levels.decoding), width);
        self.prefill_concurrency.add(f64::from(levels.prefilling), width);
        self.decode.add(decode, width);
        self.prefill.add(prefill, width);
        self.total.add(total, width);
        self.decode_per_user.add(decode_per_user, width);
        self.prefill_per_user.add(prefill_per_user, width);
        self.tokens.add(levels.tokens.max(0.0), width);
        if levels.decoding > 0 {
            self.active_decode.add(decode, width);
            self.active_decode_per_user.add(decode_per_user, width);
        }
        if levels.prefilling > 0 {
            self.active_prefill.add(prefill, width);
            self.active_prefill_per_user.add(prefill_per_user, width);
        }
        if levels.decoding + levels.prefilling > 0 {
            self.active_total.add(total, width);
        }
    }

    fn figures(self) -> Figures {
        [
            (id!("effective_concurrency"), self.concurrency),
            (id!("effective_decode_concurrency"), self.decode_concurrency),
            (id!("effective_prefill_concurrency"), self.prefill_concurrency),
            (id!("effective_decode_throughput"), self.decode),
            (id!("effective_prefill_throughput"), self.prefill),
            (id!("effective_total_throughput"), self.total),
            (id!("effective_decode_throughput_per_user"), self.decode_per_user),
            (id!("effective_prefill_throughput_per_user"), self.prefill_per_user),
            (id!("tokens_in_flight"), self.tokens),
            (id!("active_decode_throughput"), self.active_decode),
            (id!("active_prefill_throughput"), self.active_prefill),
            (id!("active_decode_throughput_per_user"), self.active_decode_per_user),
            (id!("active_prefill_throughput_per_user"), self.active_prefill_per_user),
            (id!("active_total_throughput"), self.active_total),
        ]
        .into_iter()
        .map(|(id, curve)| {
            debug_assert!(id.metric().unit.factor() == Unit::Count.factor(), "curves are in display units");
            (id, curve.stats())
        })
        .collect()
    }
}

fn per_user(rate: f64, users: u32) -> f64 {
    if users == 0 { 0.0 } else { rate / f64::from(users) }
}

#[cfg(test)]
mod tests;
