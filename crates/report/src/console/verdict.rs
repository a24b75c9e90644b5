//! Our own lines: what became of the requests, how many were good, and whether to believe it.

use loadgen_metrics::{Quality, UncertainChunks};

use super::paint::{Paint, Style};
use super::table::wrap;
use crate::info::Report;

/// Above this share of uncertain chunks, of which hardly any was read late, it is worth saying why.
const MANY_UNCERTAIN: f64 = 0.01;

/// The block below the tables.
pub(super) fn block(report: &Report<'_>, width: usize, paint: Paint) -> String {
    let mut lines = vec![(Style::Plain, outcome_statement(report))];
    if let Some(statement) = goodput_statement(report) {
        lines.push((Style::Plain, format!("Goodput: {statement}")));
    }
    if let Some(quality) = report.quality {
        let style = if quality.client_limited {
            Style::Bad
        } else if is_unmeasured(quality) {
            Style::Plain
        } else {
            Style::Good
        };
        lines.push((style, format!("Measurement quality: {}", quality_statement(quality))));
    }
    let painted = lines.iter().flat_map(|(style, text)| {
        let wrapped = wrap(text, width).into_iter();
        wrapped.map(|line| paint.apply(*style, &line) + "\n")
    });
    painted.collect()
}

/// What became of every request of the measured phase: the parts add up to the whole.
pub(crate) fn outcome_statement(report: &Report<'_>) -> String {
    let counts = &report.summary.counts;
    let parts = [
        ("ok", counts.ok),
        ("failed", counts.failed()),
        ("cancelled", counts.cancelled),
        ("aborted", counts.aborted),
        ("not sent", counts.not_sent),
    ];
    let shown: Vec<String> = parts
        .iter()
        .filter(|(name, count)| *count > 0 || matches!(*name, "ok" | "failed"))
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    format!("Requests: {} scheduled = {}", counts.scheduled(), shown.join(" + "))
}

/// Goodput in a sentence; `None` without objectives.
pub(crate) fn goodput_statement(report: &Report<'_>) -> Option<String> {
    if report.slos.is_empty() {
        return None;
    }
    let figure = |tag| report.figure(tag).unwrap_or(0.0);
    let (good, share, rate) =
        (figure("good_request_count"), figure("good_request_fraction"), figure("goodput"));
    let completed = report.summary.counts.ok + report.summary.counts.errors();
    if completed == 0 {
        return Some(format!("no request came to an end, so none met {}", objectives(report)));
    }
    Some(format!(
        "{:.1}% of requests ({good:.0} of {completed}, {rate:.2} requests/sec) met {}",
        100.0 * share,
        objectives(report)
    ))
}

/// The objectives as a reader would write them.
pub(crate) fn objectives(report: &Report<'_>) -> String {
    let texts: Vec<String> = report
        .slos
        .iter()
        .map(|slo| {
            let metric = slo.metric();
            let sign = if metric.larger_is_better { "≥" } else { "≤" };
            format!("{} {sign} {} {}", metric.tag, slo.threshold(), metric.unit.label())
        })
        .collect();
    texts.join(" and ")
}

/// How many arrivals are only known as an interval, and whose doing that is where it is many.
fn uncertain_statement(chunks: &UncertainChunks) -> String {
    let share = 100.0 * chunks.share;
    if chunks.share > MANY_UNCERTAIN {
        return format!("{share:.2}% of chunks share a read: the server writes several at a time");
    }
    format!("{share:.2}% of chunks uncertain")
}

/// Whether there is nothing that the client could have measured well or badly.
pub(crate) fn is_unmeasured(quality: &Quality) -> bool {
    !quality.client_limited && quality.send_lag.is_none() && quality.read_lag.is_none()
}

/// The verdict on the client in a sentence or two.
pub(crate) fn quality_statement(quality: &Quality) -> String {
    if quality.client_limited {
        let reasons: Vec<&str> = quality.reasons.iter().map(|reason| reason.message.as_str()).collect();
        return format!("CLIENT LIMITED: {}", reasons.join("; "));
    }
    if is_unmeasured(quality) {
        return "no request was sent, so there was nothing to measure".to_owned();
    }
    let mut facts = Vec::new();
    if let Some(lag) = &quality.send_lag {
        facts.push(format!("sent {:.3} ms late at p99", lag.p99_ms));
    }
    if let Some(lag) = &quality.read_lag {
        facts.push(format!("read {:.3} ms late at p99", lag.p99_ms));
    }
    if quality.uncertain_chunks.chunks > 0 {
        facts.push(uncertain_statement(&quality.uncertain_chunks));
    }
    if facts.is_empty() {
        return "the client kept up".to_owned();
    }
    format!("the client kept up ({})", facts.join(", "))
}
