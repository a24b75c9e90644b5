//! Step functions over the run: how many requests, tokens and tokens a second were under way at each
//! moment, and their statistics weighted by time.
//!
//! Every request contributes steps: at its start, at its first token, at each later chunk and at its
//! end. Walking all steps in order cuts the window into segments on which every curve is constant.
//! The walk holds one cursor for each request in flight, so its memory does not grow with the run.

mod curve;

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::metric::{MetricId, Unit};
use crate::registry::id;
use crate::stats::Stats;
use crate::summary::Window;
use curve::Curve;

/// What one request contributes. Instants in ns; the gaps between its chunks stand elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Life {
    pub(crate) start: i64,
    /// Arrival of the first token; `None` when the response was not a stream, or was an error.
    pub(crate) first_token: Option<i64>,
    pub(crate) end: i64,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    /// Position of its first gap among all gaps, and how many it has.
    pub(crate) gaps_at: usize,
    pub(crate) gaps: usize,
}

/// The figures of the walk, in no particular order.
pub(crate) type Figures = Vec<(MetricId, Stats)>;

/// Walks all lives within the window. `gaps_ns` holds the gaps of all requests.
pub(crate) fn sweep(lives: &[Life], gaps_ns: &[f64], window: Window) -> Figures {
    if window.nanoseconds() == 0 {
        return Vec::new();
    }
    let order = in_order(lives, gaps_ns);
    let mut arrivals = order.iter().copied().enumerate().peekable();
    let mut under_way = UnderWay::default();
    let mut levels = Levels::default();
    let mut curves = Curves::default();
    let mut from = window.start.0;
    let upto = window.end.0;

    loop {
        let starts = arrivals.peek().map(|&(_, index)| lives[index].start);
        let due = under_way.due();
        // Of a start and a step at one instant the step comes first: who leaves makes room.
        let start_comes_first = due.is_none_or(|due| starts.is_some_and(|starts| starts < due));
        let next = if start_comes_first { starts } else { due };
        let Some(at) = next else { break };
        let at = at.clamp(from, upto.max(from));
        curves.add(&levels, at - from);
        from = at;
        if !start_comes_first {
            under_way.step(&order, lives, gaps_ns, &mut levels);
        } else if let Some((rank, index)) = arrivals.next() {
            under_way.admit(rank, &lives[index], &mut levels);
        }
    }
    curves.add(&levels, upto - from);
    curves.figures()
}

/// The lives by their start; ties are broken by what they are, so that figures do not depend on the
/// order in which records came, down to the last bit.
fn in_order(lives: &[Life], gaps_ns: &[f64]) -> Vec<usize> {
    let key = |life: &Life| (life.start, life.end, life.first_token, life.input_tokens, life.output_tokens);
    let gaps = |life: &Life| &gaps_ns[life.gaps_at..life.gaps_at + life.gaps];
    let mut order: Vec<usize> = (0..lives.len()).collect();
    order.sort_by(|&left, &right| {
        let (left, right) = (&lives[left], &lives[right]);
        let by_gaps = || gaps(left).partial_cmp(gaps(right)).unwrap_or(Ordering::Equal);
        key(left).cmp(&key(right)).then_with(by_gaps)
    });
    order
}

/// The requests in flight, by the instant of their next step.
#[derive(Debug, Default)]
struct UnderWay {
    /// (instant, rank of the life, slot of its cursor), the earliest on top.
    steps: BinaryHeap<Reverse<(i64, usize, usize)>>,
    cursors: Vec<Cursor>,
    free: Vec<usize>,
}

impl UnderWay {
    fn due(&self) -> Option<i64> {
        self.steps.peek().map(|Reverse((at, ..))| *at)
    }

    fn admit(&mut self, rank: usize, life: &Life, levels: &mut Levels) {
        let cursor = Cursor::start(life, levels);
        let slot = if let Some(slot) = self.free.pop() {
            self.cursors[slot] = cursor;
            slot
        } else {
            self.cursors.push(cursor);
            self.cursors.len() - 1
        };
        let first_step = life.first_token.unwrap_or(life.end).max(life.start);
        self.steps.push(Reverse((first_step, rank, slot)));
    }

    /// Takes the step that is due first.
    fn step(&mut self, order: &[usize], lives: &[Life], gaps_ns: &[f64], levels: &mut Levels) {
        let Some(mut due) = self.steps.peek_mut() else { return };
        let Reverse((_, rank, slot)) = *due;
        if let Some(at) = self.cursors[slot].step(&lives[order[rank]], gaps_ns, levels) {
            // Changed in its place: the heap sifts once, where a pop and a push would sift twice.
            *due = Reverse((at, rank, slot));
        } else {
            PeekMut::pop(due);
            self.free.push(slot);
        }
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
#[derive(Debug, Clone, Copy)]
struct Cursor {
    stage: Stage,
    at: i64,
    /// Contributions to take back, so that what was added is what is removed.
    rate: f64,
    total: f64,
    tokens: f64,
    /// Output tokens after the first one, for each gap, and for each gap that took time.
    tokens_per_gap: f64,
    tokens_per_long_gap: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// Before the first token; for what is not a stream, until the end.
    Waiting,
    /// In the gap of this number.
    Gap(usize),
    /// After the last chunk.
    Tail,
}

impl Cursor {
    fn start(life: &Life, levels: &mut Levels) -> Self {
        let mut cursor = Self {
            stage: Stage::Waiting,
            at: life.start,
            rate: 0.0,
            total: 0.0,
            tokens: 0.0,
            tokens_per_gap: 0.0,
            tokens_per_long_gap: 0.0,
        };
        levels.requests += 1;
        if let Some(first) = life.first_token {
            cursor.rate = rate(life.input_tokens as f64, first - life.start);
            cursor.total = cursor.rate;
            cursor.tokens = life.input_tokens as f64;
            levels.prefilling += 1;
            levels.prefill += cursor.rate;
            levels.total += cursor.total;
            levels.tokens += cursor.tokens;
        }
        cursor
    }

    /// Takes the step that is due now; gives the next one's instant.
    fn step(&mut self, life: &Life, gaps_ns: &[f64], levels: &mut Levels) -> Option<i64> {
        let gaps = &gaps_ns[life.gaps_at..life.gaps_at + life.gaps];
        match (self.stage, life.first_token) {
            (Stage::Waiting, Some(first)) => {
                self.begin_decoding(life, first, gaps, levels);
                Some(self.enter_gap(0, life, gaps, levels))
            }
            (Stage::Gap(number), _) => {
                self.leave_gap(gaps[number], levels);
                self.hold(self.tokens_per_gap, levels);
                Some(self.enter_gap(number + 1, life, gaps, levels))
            }
            (Stage::Waiting | Stage::Tail, _) => {
                self.finish(life, levels);
                None
            }
        }
    }

    fn begin_decoding(&mut self, life: &Life, first: i64, gaps: &[f64], levels: &mut Levels) {
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
        self.total = rate(later_tokens, life.end - self.at);
        levels.total += self.total;
        self.hold(1.0, levels);
        let long_gaps = gaps.iter().filter(|&&gap| gap > 0.0).count();
        self.tokens_per_gap = if gaps.is_empty() { 0.0 } else { later_tokens / gaps.len() as f64 };
        self.tokens_per_long_gap = if long_gaps == 0 { 0.0 } else { later_tokens / long_gaps as f64 };
    }

    /// Enters gap `number`, or the tail when there is none; gives the instant at which it ends.
    fn enter_gap(&mut self, number: usize, life: &Life, gaps: &[f64], levels: &mut Levels) -> i64 {
        let Some(&gap) = gaps.get(number) else {
            self.stage = Stage::Tail;
            return life.end.max(self.at);
        };
        self.stage = Stage::Gap(number);
        self.at += gap as i64;
        if gap > 0.0 {
            self.rate = rate(self.tokens_per_long_gap, gap as i64);
            levels.gaps += 1;
            levels.decode += self.rate;
        }
        self.at
    }

    fn leave_gap(&mut self, gap: f64, levels: &mut Levels) {
        if gap > 0.0 {
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

    fn finish(&mut self, life: &Life, levels: &mut Levels) {
        levels.requests -= 1;
        if life.first_token.is_some() {
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
    /// Adds a segment of `width` ns on which every curve is constant.
    fn add(&mut self, levels: &Levels, width: i64) {
        if width <= 0 {
            return;
        }
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
