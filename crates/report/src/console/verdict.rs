//! Our own lines: what became of the requests, how many were good, and whether to believe it.

use super::paint::{Paint, Style};
use super::quality;
use super::table::wrap;
use crate::info::Report;

/// The block below the tables.
pub(super) fn block(report: &Report<'_>, width: usize, paint: Paint) -> String {
    let mut lines = vec![(Style::Plain, outcome_statement(report))];
    if let Some(statement) = goodput_statement(report) {
        lines.push((Style::Plain, format!("Goodput: {statement}")));
    }
    let painted = lines.iter().flat_map(|(style, text)| {
        let wrapped = wrap(text, width).into_iter();
        wrapped.map(|line| paint.apply(*style, &line) + "\n")
    });
    let quality = report.quality.map(|quality| quality::block(quality, width, paint));
    painted.chain(quality).collect()
}

/// What became of every request of the measured phase: the parts add up to the whole.
pub(crate) fn outcome_statement(report: &Report<'_>) -> String {
    let counts = &report.summary.counts;
    let parts = [
        ("ok", counts.flawless()),
        ("ok but for an error told inside the response", counts.ok - counts.flawless()),
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
