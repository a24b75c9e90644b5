//! A ceiling on how often something may happen, over all workers.
//!
//! `governor`'s generic cell rate algorithm on the run's clock, one atomic for each passage: in the long
//! run never more than the rate. Whoever wakes late for a passage may make up for it within
//! [`SLACK_NS`], so that timers that are a little late do not lower the rate.
//!
//! It tells when to come back, and does not wait; nor does it queue those who must.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos as GovernorNanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use loadgen_core::{Clock, Nanos, SystemClock};
use loadgen_schedule::Rate;

/// How late a passage may be and still not cost the ones after it, ns. Any second holds at most this
/// share of a second, and one, more passages than the rate.
const SLACK_NS: f64 = 1e6;
/// The longest interval there is: some 30 years. The sums of instants stay within their type.
const LONGEST_INTERVAL_NS: f64 = 1e18;

/// A ceiling in passages a second.
pub(crate) struct Ceiling<C: Clock = SystemClock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, RunClock<C>, NoOpMiddleware<GovernorNanos>>,
}

/// The run's clock, as governor reads it.
#[derive(Debug, Clone)]
struct RunClock<C>(C);

impl<C: Clock> GovernorClock for RunClock<C> {
    type Instant = GovernorNanos;

    fn now(&self) -> GovernorNanos {
        GovernorNanos::new(u64::try_from(self.0.now().0).unwrap_or(0))
    }
}

impl<C: Clock> Ceiling<C> {
    /// A ceiling of `rate`; its first passage is free at once.
    pub(crate) fn new(rate: Rate, clock: C) -> Self {
        let interval_ns = (1e9 / rate.per_second()).ceil().min(LONGEST_INTERVAL_NS);
        let slack = (SLACK_NS / interval_ns).ceil().max(1.0);
        let burst = NonZeroU32::MIN.saturating_add(slack as u32);
        let quota = Quota::with_period(Duration::from_nanos(interval_ns as u64))
            .expect("a rate has an interval of a nanosecond at least")
            .allow_burst(burst);
        Self { limiter: RateLimiter::direct_with_clock(quota, RunClock(clock)) }
    }

    /// Passes, or says when to try again. Others may have passed by then.
    pub(crate) fn pass(&self) -> Result<(), Nanos> {
        self.limiter.check().map_err(|refused| {
            let since_epoch = refused.earliest_possible().duration_since(GovernorNanos::new(0));
            Nanos(i64::try_from(since_epoch.as_u64()).unwrap_or(i64::MAX))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use loadgen_core::ManualClock;
    use proptest::prelude::*;

    fn ceiling(per_second: f64) -> (Ceiling<ManualClock>, ManualClock) {
        let clock = ManualClock::at(Nanos(1_700_000_000_000_000_000));
        (Ceiling::new(Rate::new(per_second).unwrap(), clock.clone()), clock)
    }

    #[test]
    fn a_passage_is_refused_until_the_instant_it_names() {
        let (ceiling, clock) = ceiling(10.0);
        let start = clock.now();
        // The slack is one passage.
        assert_eq!([ceiling.pass(), ceiling.pass()], [Ok(()), Ok(())]);
        assert_eq!(ceiling.pass(), Err(start + 100_000_000));
        clock.advance(99_999_999);
        assert_eq!(ceiling.pass(), Err(start + 100_000_000));
        clock.advance(1);
        assert_eq!(ceiling.pass(), Ok(()));
        assert_eq!(ceiling.pass(), Err(start + 200_000_000));
    }

    /// Whoever is refused sleeps until the instant that is named: one that had passed would be a spin.
    #[test]
    fn a_rate_of_once_in_an_age_lets_the_first_pass_and_names_an_instant_ahead() {
        for per_second in [1e-3, 1e-9, 1e-12, 1e-300, f64::MIN_POSITIVE] {
            let (ceiling, clock) = ceiling(per_second);
            assert_eq!([ceiling.pass(), ceiling.pass()], [Ok(()), Ok(())]);
            let until = ceiling.pass().unwrap_err();
            assert!(until > clock.now(), "{per_second}: {until:?}");
            clock.advance(until.since(clock.now()));
            assert_eq!(ceiling.pass(), Ok(()), "{per_second}");
            assert!(ceiling.pass().unwrap_err() > clock.now(), "{per_second}");
        }
    }

    #[test]
    fn waking_a_little_late_does_not_lower_the_rate() {
        let (ceiling, clock) = ceiling(2_000.0);
        let start = clock.now();
        let mut passed = 0;
        while clock.now().since(start) < 1_000_000_000 {
            match ceiling.pass() {
                Ok(()) => passed += 1,
                // 80 µs late, as a timer is.
                Err(at) => clock.advance(at.since(clock.now()) + 80_000),
            }
        }
        assert!((1_998..=2_003).contains(&passed), "{passed}");
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_rate_and_the_slack(
            per_second in 0.5_f64..50_000.0,
            steps in proptest::collection::vec(0_i64..3_000_000, 1..300),
        ) {
            let (ceiling, clock) = ceiling(per_second);
            let mut passages = Vec::new();
            for step in steps {
                clock.advance(step);
                while ceiling.pass().is_ok() {
                    passages.push(clock.now());
                }
            }
            let slack = (per_second / 1_000.0).ceil().max(1.0) + 1.0;
            // From passage i to passage j there are j − i + 1, and rate·(tⱼ − tᵢ) of them may be: so
            // xⱼ − xᵢ + 1 ≤ slack for x = index − rate·t, whatever i ≤ j is.
            let excess = passages.iter().enumerate().map(|(index, at)| {
                index as f64 - per_second * at.since(passages[0]) as f64 / 1e9
            });
            let mut least = f64::INFINITY;
            for excess in excess {
                least = least.min(excess);
                prop_assert!(excess - least + 1.0 <= slack + 1e-6);
            }
        }
    }
}
