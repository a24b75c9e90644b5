//! A discrete-event run of a model in virtual time, for tests: no clock, no sockets.

use std::collections::BTreeMap;

use loadgen_core::Nanos;

use super::{Emission, PerfModel, Work};

/// What became of a request, in ns of virtual time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Simulated {
    pub(crate) arrived: i64,
    pub(crate) admitted: Option<i64>,
    pub(crate) cached_tokens: u32,
    pub(crate) tokens: Vec<i64>,
    pub(crate) finished: Option<i64>,
}

impl Simulated {
    /// Arrival to first token.
    pub(crate) fn ttft(&self) -> i64 {
        self.tokens[0] - self.arrived
    }

    /// Mean gap between tokens; 0 for a single one.
    pub(crate) fn itl(&self) -> i64 {
        let gaps = self.tokens.len() as i64 - 1;
        if gaps == 0 { 0 } else { (self.tokens[self.tokens.len() - 1] - self.tokens[0]) / gaps }
    }
}

/// A request without a cacheable prefix.
pub(crate) fn work(id: u64, prompt_tokens: u32, output_tokens: u32) -> Work {
    Work { id, prompt_tokens, output_tokens, blocks: Vec::new(), block_tokens: 0, timing: None }
}

/// Runs the arrivals (in order of time) to the end, and gives the answers in order of their ids.
pub(crate) fn simulate(model: &mut dyn PerfModel, arrivals: Vec<(i64, Work)>) -> Vec<Simulated> {
    let mut seen: BTreeMap<u64, Simulated> = BTreeMap::new();
    let mut arrivals = arrivals.into_iter().peekable();
    loop {
        let arrival = arrivals.peek().map(|(at, _)| Nanos(*at));
        let now = match (arrival, model.next_due()) {
            (None, None) => break,
            (Some(arrival), Some(due)) => arrival.min(due),
            (Some(at), None) | (None, Some(at)) => at,
        };
        while let Some((at, work)) = arrivals.next_if(|(at, _)| *at <= now.0) {
            seen.insert(work.id, Simulated { arrived: at, ..Simulated::default() });
            model.submit(now, work);
        }
        model.advance(now, &mut |id, emission| {
            let answer = seen.get_mut(&id).expect("only submitted requests are emitted");
            assert!(answer.finished.is_none(), "nothing after the end");
            match emission {
                Emission::Admitted { cached_tokens } => {
                    assert!(answer.admitted.is_none(), "admitted once");
                    answer.admitted = Some(now.0);
                    answer.cached_tokens = cached_tokens;
                }
                Emission::Token => answer.tokens.push(now.0),
                Emission::Finished => answer.finished = Some(now.0),
            }
        });
    }
    seen.into_values().collect()
}
