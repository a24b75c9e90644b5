//! Continuous batching with chunked prefill, a queue and a prefix cache.
//!
//! The engine works in steps. A step advances every decoding sequence by one token and spends what
//! is left of its token budget on prompts: first those already begun, then those that queue, first
//! come first served. Its duration follows from what it holds ([`StepCost`]); at its end every
//! decoding sequence gets a token, and a prompt that is through gets its first. So time to first
//! token grows with the prompt's length and with what is ahead in the queue, and the gap between
//! tokens grows with the batch.
//!
//! Steps follow each other on the virtual timeline without a gap while there is work, whatever the
//! lateness of the process that asks. Left out: memory for keys and values as a limit on admission,
//! preemption, and the quadratic part of attention.

use std::collections::VecDeque;

use loadgen_core::Nanos;

use super::limits::Limits;
use super::{Emission, EngineLoad, Jitter, PerfModel, Work};
use crate::prefix_cache::PrefixCache;
use crate::prompt::BLOCK_TOKENS;

/// How long a step takes, from what it holds.
pub(crate) trait StepCost {
    /// Nanoseconds of a step over so many prompt tokens and so many decoding sequences.
    fn step_ns(&self, prefill_tokens: u32, decoding: u32) -> f64;
}

/// The batching engine.
#[derive(Debug)]
pub(crate) struct BatchScheduler<C> {
    limits: Limits,
    cost: C,
    deviation: f64,
    jitter: Jitter,
    cache: PrefixCache,
    waiting: VecDeque<(Nanos, Work)>,
    running: Vec<Sequence>,
    /// When the step under way ends; `None` while the engine idles.
    step_ends: Option<Nanos>,
}

#[derive(Debug)]
struct Sequence {
    work: Work,
    prefill_left: u32,
    output_left: u32,
    share: Share,
}

/// What a sequence has of the step under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    Nothing,
    Prefill(u32),
    Decode,
}

impl<C: StepCost> BatchScheduler<C> {
    pub(crate) fn new(limits: Limits, cost: C, deviation: f64, jitter: Jitter) -> Self {
        let cache = PrefixCache::new((limits.cache_tokens / u64::from(BLOCK_TOKENS)) as usize);
        Self {
            limits,
            cost,
            deviation,
            jitter,
            cache,
            waiting: VecDeque::new(),
            running: Vec::new(),
            step_ends: None,
        }
    }

    /// Hands out what the step that just ended made.
    fn finish_step(&mut self, emit: &mut dyn FnMut(u64, Emission)) {
        let cache = &mut self.cache;
        self.running.retain_mut(|sequence| {
            match std::mem::replace(&mut sequence.share, Share::Nothing) {
                Share::Nothing => return true,
                Share::Prefill(tokens) => {
                    sequence.prefill_left -= tokens;
                    if sequence.prefill_left > 0 {
                        return true;
                    }
                    cache.insert(&sequence.work.blocks);
                }
                Share::Decode => {}
            }
            if sequence.output_left > 0 {
                sequence.output_left -= 1;
                emit(sequence.work.id, Emission::Token);
            }
            if sequence.output_left == 0 {
                emit(sequence.work.id, Emission::Finished);
            }
            sequence.output_left > 0
        });
    }

    /// Fills the next step, which begins at `at`, and sets its end.
    fn plan_step(&mut self, at: Nanos, emit: &mut dyn FnMut(u64, Emission)) {
        let mut budget = self.limits.budget_tokens;
        let (mut prefill_tokens, mut decoding) = (0, 0);
        for sequence in self.running.iter_mut().filter(|sequence| sequence.prefill_left == 0) {
            if budget == 0 {
                break;
            }
            budget -= 1;
            decoding += 1;
            sequence.share = Share::Decode;
        }
        let mut prefill = |sequence: &mut Sequence, budget: &mut u32| {
            let tokens = sequence.prefill_left.min(*budget);
            *budget -= tokens;
            prefill_tokens += tokens;
            if tokens > 0 {
                sequence.share = Share::Prefill(tokens);
            }
        };
        for sequence in self.running.iter_mut().filter(|sequence| sequence.prefill_left > 0) {
            prefill(sequence, &mut budget);
        }
        while budget > 0 && self.running.len() < self.limits.max_sequences as usize {
            // Where steps are made up for late, some have arrived since.
            let Some((_, work)) = self.waiting.pop_front_if(|(arrived, _)| *arrived <= at) else { break };
            let hit = self.cache.hit(&work.blocks) as u32;
            // The last prompt token is always computed: its output is the first new token.
            let prompt = work.prompt_tokens.max(1);
            let cached_tokens = hit.saturating_mul(work.block_tokens).min(prompt - 1);
            emit(work.id, Emission::Admitted { cached_tokens });
            let mut sequence = Sequence {
                prefill_left: prompt - cached_tokens,
                output_left: work.output_tokens,
                share: Share::Nothing,
                work,
            };
            prefill(&mut sequence, &mut budget);
            self.running.push(sequence);
        }
        self.step_ends = (prefill_tokens + decoding > 0).then(|| {
            let ns = self.jitter.spread(self.cost.step_ns(prefill_tokens, decoding), self.deviation);
            at + ns.max(1)
        });
    }
}

impl<C: StepCost> PerfModel for BatchScheduler<C> {
    fn submit(&mut self, now: Nanos, work: Work) {
        self.waiting.push_back((now, work));
    }

    fn cancel(&mut self, id: u64) {
        // The step under way keeps its length: what it holds cannot be taken out of it.
        self.waiting.retain(|(_, work)| work.id != id);
        self.running.retain(|sequence| sequence.work.id != id);
    }

    fn next_due(&self) -> Option<Nanos> {
        self.step_ends.or_else(|| self.waiting.front().map(|(arrived, _)| *arrived))
    }

    fn advance(&mut self, now: Nanos, emit: &mut dyn FnMut(u64, Emission)) {
        while let Some(at) = self.next_due().filter(|at| *at <= now) {
            if self.step_ends.take().is_some() {
                self.finish_step(emit);
            }
            self.plan_step(at, emit);
        }
    }

    fn load(&self) -> EngineLoad {
        EngineLoad { running: self.running.len(), waiting: self.waiting.len() }
    }

    fn forget_prefixes(&mut self) {
        self.cache.clear();
    }
}

#[cfg(test)]
mod tests {
    use loadgen_core::Seed;
    use proptest::prelude::*;

    use super::super::linear::LinearCost;
    use super::super::sim::{Simulated, simulate, work};
    use super::*;

    /// 10 ns a step, 1 ns a prompt token, 2 ns a decoding sequence, nothing random.
    const COST: LinearCost = LinearCost::new(10.0, 1.0, 2.0);

    fn limits(budget_tokens: u32, max_sequences: u32) -> Limits {
        Limits { budget_tokens, max_sequences, cache_tokens: 1_000_000 }
    }

    fn scheduler(limits: Limits) -> BatchScheduler<LinearCost> {
        BatchScheduler::new(limits, COST, 0.0, Jitter::new(Seed(1), "test"))
    }

    fn run(limits: Limits, arrivals: Vec<(i64, Work)>) -> Vec<Simulated> {
        simulate(&mut scheduler(limits), arrivals)
    }

    #[test]
    fn one_request_by_hand() {
        // Prefill in steps of 64, 64 and 22 tokens: 74 + 74 + 32 ns; then a token every 12 ns.
        let seen = run(limits(64, 8), vec![(100, work(0, 150, 3))]);
        assert_eq!(seen[0].admitted, Some(100));
        assert_eq!(seen[0].tokens, [280, 292, 304]);
        assert_eq!(seen[0].finished, Some(304));
    }

    #[test]
    fn first_token_grows_with_prompt_length() {
        let ttft = |tokens| run(limits(64, 8), vec![(0, work(0, tokens, 1))])[0].ttft();
        assert!(ttft(1000) > ttft(500) && ttft(500) > ttft(100));
    }

    #[test]
    fn first_token_and_gaps_grow_with_load() {
        let mean = |requests: u64, of: fn(&Simulated) -> i64| {
            let seen = run(limits(64, 64), (0..requests).map(|id| (0, work(id, 100, 50))).collect());
            seen.iter().map(of).sum::<i64>() / requests as i64
        };
        assert!(mean(20, Simulated::ttft) > mean(5, Simulated::ttft));
        assert!(mean(5, Simulated::ttft) > mean(1, Simulated::ttft));
        assert!(mean(20, Simulated::itl) > mean(1, Simulated::itl));
    }

    #[test]
    fn a_full_batch_queues_first_come_first_served() {
        let seen = run(limits(64, 2), (0..4).map(|id| (id, work(id as u64, 10, 5))).collect());
        let admitted: Vec<_> = seen.iter().map(|answer| answer.admitted).collect();
        assert!(admitted.is_sorted());
        assert!(admitted[2] >= seen[0].finished.min(seen[1].finished));
    }

    #[test]
    fn a_known_prefix_is_not_computed_again() {
        let with_blocks = |id, blocks: std::ops::Range<u64>| Work {
            blocks: blocks.collect(),
            block_tokens: 100,
            ..work(id, 1000, 1)
        };
        let seen = run(
            limits(4096, 8),
            vec![(0, with_blocks(0, 0..10)), (5000, with_blocks(1, 0..5)), (9000, with_blocks(2, 50..60))],
        );
        assert_eq!(seen[0].cached_tokens, 0);
        assert_eq!(seen[1].cached_tokens, 500);
        assert_eq!(seen[1].ttft(), 510);
        assert_eq!(seen[2].ttft(), seen[0].ttft());
        // The whole prompt is known: the last token is computed all the same.
        let again = run(limits(4096, 8), vec![(0, with_blocks(0, 0..10)), (5000, with_blocks(1, 0..10))]);
        assert_eq!((again[1].cached_tokens, again[1].ttft()), (999, 11));
    }

    #[test]
    fn forgotten_prefixes_are_computed_again() {
        let mut scheduler = scheduler(limits(4096, 8));
        let prompt = |id| Work { blocks: vec![1, 2], block_tokens: 50, ..work(id, 100, 1) };
        simulate(&mut scheduler, vec![(0, prompt(0))]);
        scheduler.forget_prefixes();
        assert_eq!(simulate(&mut scheduler, vec![(9000, prompt(1))])[0].cached_tokens, 0);
    }

    #[test]
    fn being_asked_late_changes_no_instant() {
        let mut late = scheduler(limits(64, 8));
        late.submit(Nanos(0), work(0, 100, 5));
        late.submit(Nanos(0), work(1, 100, 5));
        let mut steps = Vec::new();
        let mut punctual = scheduler(limits(64, 8));
        punctual.submit(Nanos(0), work(0, 100, 5));
        punctual.submit(Nanos(0), work(1, 100, 5));
        let mut wanted = Vec::new();
        while let Some(due) = punctual.next_due() {
            punctual.advance(due, &mut |id, emission| wanted.push((id, emission)));
        }
        late.advance(Nanos(1_000_000), &mut |id, emission| steps.push((id, emission)));
        assert_eq!(steps, wanted);
    }

    #[test]
    fn being_asked_late_lets_nothing_into_a_step_that_began_before_it_arrived() {
        let mut late = scheduler(limits(64, 8));
        late.submit(Nanos(0), work(0, 100, 5));
        // By now the first one's last token is due, and nothing has been asked for yet.
        late.submit(Nanos(1000), work(1, 100, 5));
        let mut order = Vec::new();
        late.advance(Nanos(1000), &mut |id, _| order.push(id));
        assert_eq!(order, [0, 0, 0, 0, 0, 0, 0, 1], "an admission, five tokens and an end; an admission");
    }

    /// Records what each step holds.
    #[derive(Debug, Default)]
    struct Ledger(std::rc::Rc<std::cell::RefCell<Vec<(u32, u32)>>>);

    impl StepCost for Ledger {
        fn step_ns(&self, prefill_tokens: u32, decoding: u32) -> f64 {
            self.0.borrow_mut().push((prefill_tokens, decoding));
            COST.step_ns(prefill_tokens, decoding)
        }
    }

    proptest! {
        #[test]
        fn every_request_gets_its_tokens_within_budget_and_batch(
            budget in 1_u32..200,
            sequences in 1_u32..8,
            requests in proptest::collection::vec((0_i64..2000, 1_u32..500, 0_u32..20, 0_u64..4), 1..30),
        ) {
            let mut arrivals: Vec<(i64, Work)> = requests
                .iter()
                .zip(0..)
                .map(|((at, prompt, output, family), id)| {
                    let blocks = (0..u64::from(prompt / 50)).map(|block| family * 1000 + block).collect();
                    (*at, Work { blocks, block_tokens: 50, ..work(id, *prompt, *output) })
                })
                .collect();
            arrivals.sort_by_key(|(at, _)| *at);
            let ledger = Ledger::default();
            let steps = ledger.0.clone();
            let mut scheduler =
                BatchScheduler::new(limits(budget, sequences), ledger, 0.0, Jitter::new(Seed(1), "test"));
            let seen = simulate(&mut scheduler, arrivals);
            prop_assert_eq!(scheduler.load(), EngineLoad::default());
            for (answer, (at, prompt, output, _)) in seen.iter().zip(&requests) {
                prop_assert_eq!(answer.tokens.len(), *output as usize);
                prop_assert!(answer.tokens.is_sorted());
                prop_assert!(answer.admitted >= Some(*at));
                prop_assert!(answer.finished > answer.admitted);
                prop_assert!(answer.cached_tokens < *prompt);
            }
            for (prefill, decoding) in steps.borrow().iter() {
                prop_assert!(prefill + decoding <= budget);
                prop_assert!(*decoding <= sequences);
            }
            let prefilled: u32 = steps.borrow().iter().map(|(prefill, _)| prefill).sum();
            let wanted: u32 =
                seen.iter().zip(&requests).map(|(answer, (_, prompt, ..))| prompt - answer.cached_tokens).sum();
            prop_assert_eq!(prefilled, wanted);
        }

        #[test]
        fn cancelling_frees_the_engine(victim in 0_u64..6, when in 0_i64..600) {
            let mut scheduler = scheduler(limits(32, 3));
            for id in 0..6 {
                scheduler.submit(Nanos(0), work(id, 60, 8));
            }
            let mut ends = 0;
            scheduler.advance(Nanos(when), &mut |_, emission| ends += u32::from(emission == Emission::Finished));
            let was_done = scheduler.running.iter().all(|sequence| sequence.work.id != victim)
                && scheduler.waiting.iter().all(|(_, work)| work.id != victim);
            scheduler.cancel(victim);
            while let Some(due) = scheduler.next_due() {
                scheduler.advance(due, &mut |id, emission| {
                    assert_ne!(id, victim);
                    ends += u32::from(emission == Emission::Finished);
                });
            }
            prop_assert_eq!(ends, if was_done { 6 } else { 5 });
            prop_assert_eq!(scheduler.load(), EngineLoad::default());
        }
    }
}
