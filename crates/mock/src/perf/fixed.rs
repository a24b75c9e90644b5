//! Given times, whatever the load: the ruler that a client's timing is held against.
//!
//! Every instant of a request is fixed when it arrives relative to its arrival, so lateness of the
//! process never adds up: token k is due at arrival + ttft + k · itl (each with its jitter).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use loadgen_core::Nanos;

use super::{Emission, EngineLoad, Jitter, PerfModel, Work};
use crate::units::{parse_duration, parse_ratio, show_duration};

/// Times of the `fixed` profile.
#[derive(Debug, Clone, PartialEq)]
pub struct FixedConfig {
    /// From the request's arrival to its first token, ns.
    pub ttft_ns: i64,
    /// From one token to the next, ns.
    pub itl_ns: i64,
    /// From the request's arrival to the chunk that only names the role, ns; never after the first
    /// token.
    pub role_ns: i64,
    /// Standard deviation of the first token's time and of each gap, as a share of it (normal, cut at
    /// three deviations).
    pub jitter: f64,
}

impl Default for FixedConfig {
    fn default() -> Self {
        Self { ttft_ns: 50_000_000, itl_ns: 20_000_000, role_ns: 0, jitter: 0.0 }
    }
}

impl FixedConfig {
    pub(crate) const KEYS: &[&str] = &["ttft", "itl", "role", "jitter"];

    /// The times of the `golden` profile: those of the server that AIPerf's reference runs were made
    /// against.
    pub(crate) fn golden() -> Self {
        Self { ttft_ns: 30_000_000, itl_ns: 5_000_000, role_ns: 15_000_000, jitter: 0.0 }
    }

    /// Sets an option; `Ok(false)` when it is not one of [`Self::KEYS`].
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let duration = || parse_duration(value).ok_or_else(|| "expected a duration such as 20ms".to_owned());
        match key {
            "ttft" => self.ttft_ns = duration()?,
            "itl" => self.itl_ns = duration()?,
            "role" => self.role_ns = duration()?,
            "jitter" => self.jitter = parse_ratio(value).ok_or("expected a share such as 0.1 or 10%")?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The options, as they parse.
    pub(crate) fn show(&self) -> Vec<String> {
        let mut options = vec![
            format!("ttft={}", show_duration(self.ttft_ns)),
            format!("itl={}", show_duration(self.itl_ns)),
        ];
        if self.role_ns > 0 {
            options.push(format!("role={}", show_duration(self.role_ns)));
        }
        if self.jitter > 0.0 {
            options.push(format!("jitter={}", self.jitter));
        }
        options
    }
}

/// Times of one request, in place of its profile's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "the unit is part of each name")]
pub(crate) struct Timing {
    /// From arrival to the first token, ns.
    pub(crate) ttft_ns: i64,
    /// From token to token, ns.
    pub(crate) itl_ns: i64,
    /// From arrival to the role chunk, ns.
    pub(crate) role_ns: i64,
}

/// Gives every request the same times.
#[derive(Debug)]
pub(crate) struct FixedModel {
    config: FixedConfig,
    jitter: Jitter,
    answers: HashMap<u64, Answer>,
    /// What is due next for each answer. Entries of cancelled answers are skipped when they come up.
    due: BinaryHeap<Reverse<(Nanos, u64)>>,
}

#[derive(Debug)]
struct Answer {
    next: Next,
    /// Due time of the first token, before any role chunk is out.
    first_token: Nanos,
    itl_ns: i64,
    left: u32,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Admit,
    Token,
}

impl FixedModel {
    pub(crate) fn new(config: FixedConfig, jitter: Jitter) -> Self {
        Self { config, jitter, answers: HashMap::new(), due: BinaryHeap::new() }
    }
}

impl PerfModel for FixedModel {
    fn submit(&mut self, now: Nanos, work: Work) {
        let usual =
            Timing { ttft_ns: self.config.ttft_ns, itl_ns: self.config.itl_ns, role_ns: self.config.role_ns };
        let timing = work.timing.unwrap_or(usual);
        let ttft_ns = self.jitter.spread(timing.ttft_ns as f64, self.config.jitter);
        let first_token = now + ttft_ns;
        self.due.push(Reverse((now + timing.role_ns.min(ttft_ns), work.id)));
        let answer =
            Answer { next: Next::Admit, first_token, itl_ns: timing.itl_ns, left: work.output_tokens };
        self.answers.insert(work.id, answer);
    }

    fn cancel(&mut self, id: u64) {
        self.answers.remove(&id);
    }

    fn next_due(&self) -> Option<Nanos> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    fn advance(&mut self, now: Nanos, emit: &mut dyn FnMut(u64, Emission)) {
        while let Some(Reverse((at, id))) = self.due.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.due.pop();
            let Some(answer) = self.answers.get_mut(&id) else { continue };
            let next = match answer.next {
                Next::Admit => {
                    emit(id, Emission::Admitted { cached_tokens: 0 });
                    answer.next = Next::Token;
                    Some(answer.first_token)
                }
                Next::Token => {
                    if answer.left > 0 {
                        answer.left -= 1;
                        emit(id, Emission::Token);
                    }
                    (answer.left > 0)
                        .then(|| at + self.jitter.spread(answer.itl_ns as f64, self.config.jitter))
                }
            };
            if let Some(next) = next {
                self.due.push(Reverse((next, id)));
            } else {
                self.answers.remove(&id);
                emit(id, Emission::Finished);
            }
        }
    }

    fn load(&self) -> EngineLoad {
        EngineLoad { running: self.answers.len(), waiting: 0 }
    }
}

#[cfg(test)]
mod tests {
    use loadgen_core::Seed;

    use super::super::sim::{Simulated, simulate, work};
    use super::*;

    fn run(config: FixedConfig, arrivals: Vec<(i64, Work)>) -> Vec<Simulated> {
        simulate(&mut FixedModel::new(config, Jitter::new(Seed(1), "test")), arrivals)
    }

    #[test]
    fn tokens_come_at_their_times_whatever_the_load() {
        let config = FixedConfig { ttft_ns: 50, itl_ns: 20, role_ns: 5, jitter: 0.0 };
        let seen = run(config, (0..100).map(|id| (3, work(id, 1000, 4))).collect());
        assert_eq!(seen.len(), 100);
        for answer in seen {
            assert_eq!(answer.admitted, Some(8));
            assert_eq!(answer.tokens, [53, 73, 93, 113]);
            assert_eq!(answer.finished, Some(113));
        }
    }

    #[test]
    fn an_empty_answer_still_ends() {
        let seen = run(FixedConfig { ttft_ns: 50, ..FixedConfig::default() }, vec![(0, work(0, 10, 0))]);
        assert_eq!((seen[0].tokens.len(), seen[0].finished), (0, Some(50)));
    }

    #[test]
    fn a_request_can_bring_its_own_times() {
        let own = Timing { ttft_ns: 9, itl_ns: 2, role_ns: 100 };
        let seen = run(FixedConfig::default(), vec![(0, Work { timing: Some(own), ..work(0, 1, 2) })]);
        assert_eq!((seen[0].admitted, seen[0].tokens.as_slice()), (Some(9), [9, 11].as_slice()));
    }

    #[test]
    fn the_cancelled_emit_nothing_more() {
        let mut model = FixedModel::new(FixedConfig::default(), Jitter::new(Seed(1), "test"));
        model.submit(Nanos(0), work(7, 1, 5));
        model.cancel(7);
        model.advance(Nanos(i64::MAX), &mut |id, emission| panic!("{id} {emission:?}"));
        assert_eq!((model.next_due(), model.load().running), (None, 0));
    }
}
