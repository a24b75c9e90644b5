//! What the log says of a phase, in AIPerf's words.

use std::fmt::Write as _;

use loadgen_report::console::grouped;

use crate::progress::{Live, PhaseOutline};

/// Whether nothing more is sent in the phase, as far as its plan tells.
pub(super) fn all_is_sent(live: &Live) -> bool {
    let outline = &live.outline;
    live.stopping
        || outline.requests.is_some_and(|requests| live.counts.sent >= requests)
        || outline.duration_ns.is_some_and(|duration| live.elapsed_ns >= duration)
}

/// `profiling (profiling)`: a phase's name and kind.
fn whom(outline: &PhaseOutline) -> String {
    format!("Phase {0} ({0})", outline.phase.name())
}

/// That a phase begins, and what ends it.
pub(super) fn started(outline: &PhaseOutline) -> String {
    let mut parts = vec![format!("{} started", whom(outline)), format!("phase_index={}", outline.index)];
    parts.extend(outline.profiling_index.map(|index| format!("profiling_index={index}")));
    let targets: Vec<String> = [
        outline.requests.map(|requests| format!("{} requests", shown(requests))),
        outline.duration_ns.map(|ns| format!("{:.1}s duration", ns as f64 / 1e9)),
        outline.sessions.map(|sessions| format!("{} sessions", shown(sessions))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !targets.is_empty() {
        parts.push(format!("target: {}", targets.join(", ")));
    }
    parts.join(" | ")
}

/// That all is sent.
pub(super) fn sent(live: &Live) -> String {
    let counts = &live.counts;
    let (sent, returned) = (counts.sent, returned(live));
    // What was cut off by now was in flight when the sending ended.
    let in_flight = sent.saturating_sub(returned);
    let mut line = format!(
        "{} sending complete | sent={}, completed={}, in_flight={}",
        whom(&live.outline),
        shown(sent),
        shown(returned),
        shown(in_flight)
    );
    if counts.sessions_sent > 0 {
        let [sent, completed] = [counts.sessions_sent, counts.sessions_completed].map(shown);
        // Writing to a string cannot fail.
        let _ = write!(line, " | sessions: sent={sent}, completed={completed}");
    }
    if is_timed_out(live) {
        line.push_str(" | timeout_triggered=True");
    }
    line
}

/// That a phase is over.
pub(super) fn complete(live: &Live) -> String {
    let counts = &live.counts;
    let sessions = if counts.sessions_sent > 0 {
        let [completed, cancelled] = [counts.sessions_completed, counts.sessions_cancelled].map(shown);
        format!(" | sessions: completed={completed}, cancelled={cancelled}")
    } else {
        String::new()
    };
    format!(
        "{} complete | completed={}, cancelled={}, errors={}{sessions} | elapsed={:.2}s{}",
        whom(&live.outline),
        shown(returned(live)),
        shown(counts.aborted),
        shown(counts.failed + counts.cancelled),
        live.elapsed_ns as f64 / 1e9,
        match (live.stopping, is_timed_out(live) && counts.aborted > 0) {
            (true, _) => " | was_cancelled=True",
            (false, true) => " | grace_period_timeout=True",
            (false, false) => "",
        }
    )
}

/// Whether its time ended the sending.
fn is_timed_out(live: &Live) -> bool {
    live.outline.duration_ns.is_some_and(|duration| live.elapsed_ns >= duration) && !live.stopping
}

/// Requests that came back, well or not. What the end of the run cut off did not.
fn returned(live: &Live) -> u64 {
    live.counts.ok + live.counts.failed + live.counts.cancelled
}

/// `12,345`.
fn shown(number: u64) -> String {
    grouped(&number.to_string())
}

#[cfg(test)]
pub(super) mod samples {
    use loadgen_core::Phase;
    use loadgen_engine::PhaseCounts;

    use super::*;

    pub(in crate::log) const OUTLINE: PhaseOutline = PhaseOutline {
        phase: Phase::Profiling,
        index: 1,
        profiling_index: Some(0),
        requests: Some(1200),
        duration_ns: None,
        sessions: None,
    };

    pub(in crate::log) fn live(sent: u64, ok: u64, failed: u64, aborted: u64) -> Live {
        let sessions = (sent, ok + failed, aborted);
        let counts = PhaseCounts {
            sent,
            ok,
            failed,
            aborted,
            sessions_sent: sessions.0,
            sessions_completed: sessions.1,
            sessions_cancelled: sessions.2,
            ..PhaseCounts::default()
        };
        Live { outline: OUTLINE, elapsed_ns: 3_004_000_000, counts, stopping: false }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{OUTLINE, live};
    use super::*;

    #[test]
    fn phases_are_told_in_aiperfs_words() {
        assert_eq!(
            started(&OUTLINE),
            "Phase profiling (profiling) started | phase_index=1 | profiling_index=0 | target: 1,200 requests"
        );
        assert_eq!(
            sent(&live(1200, 1190, 4, 0)),
            "Phase profiling (profiling) sending complete | sent=1,200, completed=1,194, in_flight=6 | \
             sessions: sent=1,200, completed=1,194"
        );
        assert_eq!(
            complete(&live(1200, 1190, 4, 6)),
            "Phase profiling (profiling) complete | completed=1,194, cancelled=6, errors=4 | \
             sessions: completed=1,194, cancelled=6 | elapsed=3.00s"
        );
        let stopped = Live { stopping: true, ..live(3, 1, 0, 2) };
        assert!(complete(&stopped).ends_with(" | was_cancelled=True"));
        let timed = PhaseOutline { requests: None, duration_ns: Some(3_000_000_000), ..OUTLINE };
        assert!(started(&timed).ends_with("target: 3.0s duration"));
        let over = Live { outline: timed, ..live(6, 4, 0, 2) };
        assert!(
            sent(&over).ends_with("in_flight=2 | sessions: sent=6, completed=4 | timeout_triggered=True")
        );
        assert!(complete(&over).ends_with("elapsed=3.00s | grace_period_timeout=True"));
    }
}
