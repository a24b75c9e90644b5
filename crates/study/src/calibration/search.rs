//! The greatest load that still passes: doubled until one fails, then bisected.
//!
//! It decides what to try next from what was tried, and nothing else: no clock, no run. It assumes that
//! whatever is above a load that failed would fail too; on a noisy host that is almost so, and the
//! answer is as good as the last trials.

/// A search over whole loads.
#[derive(Debug, Clone)]
pub struct Search {
    start: u64,
    most: u64,
    resolution: f64,
    passed: Option<u64>,
    failed: Option<u64>,
}

/// A search gives up once a load this many times smaller than its first one fails.
const SMALLEST_OF_START: u64 = 16;

impl Search {
    /// Begins at `start` and tries nothing above `most`. It is over once the least load that failed is
    /// at most `resolution` times the greatest that passed (1.1: the answer is at most 10 % low).
    pub fn new(start: u64, most: u64, resolution: f64) -> Self {
        Self { start: start.clamp(1, most.max(1)), most: most.max(1), resolution, passed: None, failed: None }
    }

    /// What to try next; `None` when the search is over.
    pub fn trial(&self) -> Option<u64> {
        match (self.passed, self.failed) {
            (None, None) => Some(self.start),
            (Some(passed), None) => (passed < self.most).then(|| passed.saturating_mul(2).min(self.most)),
            (None, Some(failed)) => {
                let half = failed / 2;
                (half > 0 && half >= self.start / SMALLEST_OF_START).then_some(half)
            }
            (Some(passed), Some(failed)) => {
                // The geometric mean: the answer's error is a ratio.
                let middle = (passed as f64 * failed as f64).sqrt().round() as u64;
                let is_open = failed as f64 > passed as f64 * self.resolution;
                (is_open && passed < middle && middle < failed).then_some(middle)
            }
        }
    }

    /// Notes what came of a trial.
    pub fn tell(&mut self, load: u64, has_passed: bool) {
        if has_passed {
            self.passed = Some(self.passed.map_or(load, |passed| passed.max(load)));
        } else {
            self.failed = Some(self.failed.map_or(load, |failed| failed.min(load)));
        }
    }

    /// The greatest load that passed.
    pub fn ceiling(&self) -> Option<u64> {
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is tried on a host that can do `limit`, in order, and the answer.
    fn trials(mut search: Search, limit: u64) -> (Vec<u64>, Option<u64>) {
        let mut tried = Vec::new();
        while let Some(load) = search.trial() {
            tried.push(load);
            search.tell(load, load <= limit);
            assert!(tried.len() < 200, "a search ends: {tried:?}");
        }
        (tried, search.ceiling())
    }

    #[test]
    fn loads_double_until_one_fails_and_are_bisected_then() {
        let (tried, ceiling) = trials(Search::new(1000, 1_000_000, 1.2), 5000);
        assert_eq!(tried, [1000, 2000, 4000, 8000, 5657, 4757]);
        assert_eq!(ceiling, Some(4757));
    }

    #[test]
    fn a_host_that_can_do_everything_is_asked_for_no_more() {
        assert_eq!(trials(Search::new(1000, 3000, 1.1), u64::MAX), (vec![1000, 2000, 3000], Some(3000)));
    }

    #[test]
    fn a_host_that_can_do_nothing_is_left_alone() {
        let (tried, ceiling) = trials(Search::new(1000, 3000, 1.1), 0);
        assert_eq!(tried, [1000, 500, 250, 125, 62]);
        assert_eq!(ceiling, None);
    }

    proptest! {
        #[test]
        fn the_answer_is_within_the_resolution(
            start in 1_u64..10_000, most in 1_u64..1_000_000, limit in 0_u64..2_000_000, percent in 1_u64..50,
        ) {
            let resolution = 1.0 + percent as f64 / 100.0;
            let (_, ceiling) = trials(Search::new(start, most, resolution), limit);
            let reachable = limit.min(most);
            if let Some(ceiling) = ceiling {
                prop_assert!(ceiling <= reachable);
                // Neighbouring whole numbers cannot be told apart further.
                prop_assert!(ceiling as f64 * resolution >= reachable as f64 || ceiling + 1 >= reachable);
            } else {
                prop_assert!(limit < start.min(most).max(16) / 16 || limit == 0 || start.min(most) / 2 > limit);
            }
        }
    }
}
