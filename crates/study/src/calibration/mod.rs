//! Calibration: what this host can offer as a client, and how far its figures are off.
//!
//! Along three axes (requests a second, token events a second, open streams) short runs against a mock
//! server find the greatest load at which the client still sends and reads in time; one more run under
//! a moderate load is held against the server's own log. Client and server share the host, so a ceiling
//! is a lower bound of what the client could do with a machine to itself.
//!
//! What a run is and how a server is started is the [`Rig`]'s; this module decides what to try, what
//! passed, and what it means together.

mod file;
mod search;
mod truth;

use std::time::{Duration, Instant};

use loadgen_run::RunResult;

pub use file::{Calibration, Ceiling, Circumstances, HostIdentity, Trial};
pub use search::Search;
pub use truth::{ErrorSpread, Seen, TimingError, TruthError, timing_error};

/// Greatest p99 of send lag and of read lag that passes, ms.
pub const LAG_LIMIT_MS: f64 = 1.0;
/// Least share of the load asked for that must have been there.
const REACHED_SHARE: f64 = 0.95;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Requests a second, one token each.
    Requests,
    /// Token events a second, over streams of many tokens.
    TokenEvents,
    /// Streams open at once, a few tokens a second each.
    OpenStreams,
}

/// What came of one short run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// The load that was there, in the axis's unit; `None` where it cannot be told.
    pub reached: Option<f64>,
    /// From when requests were due to their first byte written, p99, ms.
    pub send_lag_p99_ms: Option<f64>,
    /// From the arrival of a chunk to when it was read, p99, ms.
    pub read_lag_p99_ms: Option<f64>,
    /// Requests that did not succeed.
    pub unsuccessful: u64,
    /// Requests or token events that the run had, whichever the axis counts.
    pub events: u64,
    /// CPU time of this process meanwhile, s.
    pub cpu_seconds: Option<f64>,
}

impl Observed {
    /// What a run along `axis` tells.
    pub fn of(axis: Axis, result: &RunResult) -> Self {
        let (quality, counts) = (&result.quality, &result.summary.counts);
        let (reached, events) = match axis {
            Axis::Requests => (quality.achieved_rate, counts.ok),
            // While all streams are open, each has a token every so many ms.
            Axis::TokenEvents => {
                let gap_ms = result.summary.get("inter_token_latency").and_then(|gaps| gaps.avg);
                (gap_ms.map(|gap_ms| counts.ok as f64 * 1e3 / gap_ms), quality.uncertain_chunks.chunks)
            }
            Axis::OpenStreams => (Some(counts.ok as f64), counts.ok),
        };
        Self {
            reached,
            send_lag_p99_ms: quality.send_lag.map(|lag| lag.p99_ms),
            read_lag_p99_ms: quality.read_lag.map(|lag| lag.p99_ms),
            unsuccessful: counts.scheduled() - counts.ok,
            events,
            cpu_seconds: quality.host.process_cpu_seconds,
        }
    }

    /// Why `asked` was too much; `None` when it was not.
    pub fn fault(&self, asked: u64) -> Option<String> {
        if self.unsuccessful > 0 {
            return Some(format!("{} requests did not succeed", self.unsuccessful));
        }
        let late = |lag: Option<f64>| lag.filter(|lag| *lag >= LAG_LIMIT_MS);
        if let Some(lag) = late(self.send_lag_p99_ms) {
            return Some(format!("requests left {lag:.2} ms late at p99"));
        }
        if let Some(lag) = late(self.read_lag_p99_ms) {
            return Some(format!("tokens were read {lag:.2} ms late at p99"));
        }
        let share = self.reached.map_or(0.0, |reached| reached / asked as f64);
        (share < REACHED_SHARE).then(|| {
            format!("{:.0} % of the load was there: server and client share the host", share * 100.0)
        })
    }
}

/// Makes the runs that a calibration asks for.
pub trait Rig {
    /// Why a run could not be made.
    type Error;

    /// Runs this load along `axis` for some seconds.
    fn trial(&mut self, axis: Axis, load: u64) -> Result<Observed, Self::Error>;

    /// Runs a moderate load, and holds it against the server's log.
    fn timing_error(&mut self) -> Result<TimingError, Self::Error>;

    /// Told after each trial.
    fn tried(&mut self, axis: Axis, trial: &Trial);
}

/// How far a search along one axis goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The first load tried.
    pub start: u64,
    /// The greatest load tried.
    pub most: u64,
    /// The answer is at most this much too low: 1.1 for 10 %.
    pub resolution: f64,
    /// A trial that failed is repeated so often before it counts as failed: other tenants of the host
    /// spoil a trial now and then.
    pub repeats: u32,
    /// No trial is begun once this long has passed.
    pub budget: Duration,
}

/// Makes a calibration.
pub fn calibrate<R: Rig>(
    rig: &mut R,
    circumstances: Circumstances,
    bounds: impl Fn(Axis) -> Bounds,
) -> Result<Calibration, R::Error> {
    // First, while the host is calm: what follows drives it to its limit.
    let mut calibration = Calibration::of(circumstances, LAG_LIMIT_MS, rig.timing_error()?);
    calibration.requests_per_second = ceiling(rig, Axis::Requests, bounds(Axis::Requests))?;
    calibration.token_events_per_second = ceiling(rig, Axis::TokenEvents, bounds(Axis::TokenEvents))?;
    calibration.open_streams = ceiling(rig, Axis::OpenStreams, bounds(Axis::OpenStreams))?;
    Ok(calibration)
}

/// Searches along one axis.
fn ceiling<R: Rig>(rig: &mut R, axis: Axis, bounds: Bounds) -> Result<Ceiling, R::Error> {
    let begun = Instant::now();
    let mut search = Search::new(bounds.start, bounds.most, bounds.resolution);
    let mut ceiling = Ceiling::default();
    while let Some(load) = search.trial() {
        let mut has_passed = false;
        for _ in 0..=bounds.repeats {
            if begun.elapsed() >= bounds.budget {
                return Ok(ceiling);
            }
            let observed = rig.trial(axis, load)?;
            let trial = trial(load, &observed);
            rig.tried(axis, &trial);
            has_passed = trial.failed_by.is_none();
            if has_passed {
                ceiling.reached = trial.reached;
                ceiling.cpu_us_each = cpu_us_each(axis, &observed);
            } else {
                ceiling.limited_by.clone_from(&trial.failed_by);
            }
            ceiling.trials.push(trial);
            if has_passed {
                break;
            }
        }
        search.tell(load, has_passed);
    }
    if search.ceiling() == Some(bounds.most) {
        ceiling.limited_by = None;
    }
    Ok(ceiling)
}

fn trial(asked: u64, observed: &Observed) -> Trial {
    Trial {
        asked,
        reached: observed.reached,
        send_lag_p99_ms: observed.send_lag_p99_ms,
        read_lag_p99_ms: observed.read_lag_p99_ms,
        failed_by: observed.fault(asked),
    }
}

/// CPU time for each request or token event, µs.
fn cpu_us_each(axis: Axis, observed: &Observed) -> Option<f64> {
    let counts = matches!(axis, Axis::Requests | Axis::TokenEvents) && observed.events > 0;
    observed.cpu_seconds.filter(|_| counts).map(|seconds| seconds * 1e6 / observed.events as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::convert::Infallible;

    use super::*;

    const FINE: Observed = Observed {
        reached: Some(100.0),
        send_lag_p99_ms: Some(0.1),
        read_lag_p99_ms: Some(0.2),
        unsuccessful: 0,
        events: 100,
        cpu_seconds: Some(0.002),
    };

    /// A host with this much of everything, on which the first of every two trials is spoiled.
    struct Host {
        limit: u64,
        is_noisy: bool,
        told: Vec<(Axis, u64, bool)>,
    }

    impl Rig for Host {
        type Error = Infallible;

        fn trial(&mut self, _: Axis, load: u64) -> Result<Observed, Infallible> {
            let is_spoiled = self.is_noisy && self.told.len().is_multiple_of(2);
            let lag = if load > self.limit || is_spoiled { 2.5 } else { 0.3 };
            Ok(Observed {
                reached: Some(load as f64),
                events: load,
                send_lag_p99_ms: Some(lag),
                cpu_seconds: Some(load as f64 * 1e-5),
                ..FINE
            })
        }

        fn timing_error(&mut self) -> Result<TimingError, Infallible> {
            let spread = ErrorSpread { p50_ms: 0.01, p99_ms: 0.05 };
            Ok(TimingError {
                requests: 1,
                tokens: 2,
                time_to_first_token: spread,
                gap: spread,
                outside_write_share: 0.0,
                outside_write: ErrorSpread::default(),
            })
        }

        fn tried(&mut self, axis: Axis, trial: &Trial) {
            self.told.push((axis, trial.asked, trial.failed_by.is_none()));
        }
    }

    fn circumstances() -> Circumstances {
        Circumstances {
            measured_at: "2026-01-02T03:04:05Z".to_owned(),
            loadgen_version: "1".to_owned(),
            host: HostIdentity { cpu: Some("c".to_owned()), cores: Some(2), kernel: None },
            timestamps: "socket".to_owned(),
            quick: false,
        }
    }

    fn calibrated(host: &mut Host, repeats: u32, budget: Duration) -> Calibration {
        let bounds = Bounds { start: 100, most: 1600, resolution: 1.2, repeats, budget };
        let Ok(calibration) = calibrate(host, circumstances(), |_| bounds);
        calibration
    }

    #[test]
    fn a_ceiling_says_what_was_reached_and_why_no_more() {
        let mut host = Host { limit: 500, is_noisy: false, told: Vec::new() };
        let calibration = calibrated(&mut host, 0, Duration::MAX);
        let requests = &calibration.requests_per_second;
        let asked: Vec<_> = requests.trials.iter().map(|trial| trial.asked).collect();
        assert_eq!(asked, [100, 200, 400, 800, 566, 476]);
        assert_eq!(requests.reached, Some(476.0));
        assert_eq!(requests.limited_by.as_deref(), Some("requests left 2.50 ms late at p99"));
        assert!((requests.cpu_us_each.unwrap() - 10.0).abs() < 1e-9);
        assert_eq!(calibration.open_streams.cpu_us_each, None);
        assert_eq!(host.told.len(), 18, "three searches, each trial told");
    }

    #[test]
    fn a_host_that_passes_everything_is_limited_by_nothing() {
        let mut host = Host { limit: u64::MAX, is_noisy: true, told: Vec::new() };
        let calibration = calibrated(&mut host, 1, Duration::MAX);
        assert_eq!(calibration.token_events_per_second.reached, Some(1600.0));
        assert_eq!(calibration.token_events_per_second.limited_by, None);
    }

    #[test]
    fn a_search_without_time_left_begins_no_trial() {
        let mut host = Host { limit: 500, is_noisy: false, told: Vec::new() };
        let calibration = calibrated(&mut host, 0, Duration::ZERO);
        assert_eq!(calibration.requests_per_second, Ceiling::default());
        assert!(host.told.is_empty());
    }

    #[test]
    fn each_way_to_fail_is_said() {
        let fault = |observed: Observed| observed.fault(100).unwrap_or_default();
        assert_eq!(fault(FINE), "");
        assert!(fault(Observed { unsuccessful: 3, ..FINE }).contains("3 requests"));
        assert!(fault(Observed { send_lag_p99_ms: Some(1.0), ..FINE }).contains("left 1.00 ms late"));
        assert!(fault(Observed { read_lag_p99_ms: Some(9.9), ..FINE }).contains("read 9.90 ms late"));
        assert!(fault(Observed { reached: Some(94.0), ..FINE }).contains("94 %"));
        assert!(fault(Observed { reached: None, ..FINE }).contains("0 %"));
    }

    #[test]
    fn a_calibration_is_of_one_host_and_one_version() {
        let mut host = Host { limit: 500, is_noisy: false, told: Vec::new() };
        let calibration = calibrated(&mut host, 0, Duration::MAX);
        let identity = calibration.host.clone();
        assert!(calibration.is_of(&identity, "1"));
        assert!(!calibration.is_of(&identity, "2"));
        assert!(!calibration.is_of(&HostIdentity { cores: Some(4), ..identity }, "1"));
        let text = serde_json::to_string(&calibration).unwrap();
        assert_eq!(serde_json::from_str::<Calibration>(&text).unwrap(), calibration);
        let cited = calibration.cited("f".to_owned());
        assert_eq!((cited.open_streams, cited.requests_per_second), (Some(476), Some(476.0)));
    }
}
