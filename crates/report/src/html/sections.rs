//! The page's text: head, verdict, figures, errors, quality, and what was run.

use std::fmt::Write as _;

use loadgen_metrics::{ConsoleGroup, LagStats, MetricSummary, Quality};

use super::spreads;
use crate::console::{
    MISSING, console_rows, excerpt, figure, figures as row_figures, goodput_statement, grouped,
    is_unmeasured, outcome_statement, quality_statement,
};
use crate::escape::Escaped;
use crate::info::Report;

/// What the page is about: the model, or whatever fact comes first.
pub(super) fn subject(report: &Report<'_>) -> String {
    let facts = &report.info.facts;
    let named = facts.iter().find(|(name, _)| name.eq_ignore_ascii_case("model"));
    named.or(facts.first()).map_or_else(|| "load test".to_owned(), |(_, value)| value.clone())
}

pub(super) fn head(report: &Report<'_>) -> String {
    let (info, window) = (report.info, report.summary.window);
    let mut out = format!(
        "<header><div class=\"eyebrow\">loadgen · {} · {:.1} s</div>\n<h1>{}</h1>\n<dl class=\"facts\">",
        Escaped(&info.readable_time(window.start)),
        window.seconds(),
        Escaped(&subject(report))
    );
    let subject = subject(report);
    for (name, value) in info.facts.iter().filter(|(_, value)| *value != subject) {
        let _ = write!(out, "<div><dt>{}</dt><dd>{}</dd></div>", Escaped(name), Escaped(value));
    }
    out.push_str("</dl></header>");
    out
}

pub(super) fn verdict(report: &Report<'_>) -> String {
    let mut out = String::new();
    if let Some(reason) = &report.info.incomplete_reason {
        let _ = write!(
            out,
            "<div class=\"verdict bad\"><b>Incomplete</b><span>{} These figures are of a part of the run.</span></div>",
            Escaped(reason)
        );
    }
    let Some(quality) = report.quality else { return out };
    if is_unmeasured(quality) {
        let statement = capitalized(&quality_statement(quality));
        let _ = write!(out, "<p>{}.</p>", Escaped(&statement));
        return out;
    }
    if !quality.client_limited {
        let statement = quality_statement(quality);
        let _ = write!(
            out,
            "<div class=\"verdict good\"><b>Measured well</b><span>{}</span></div>",
            Escaped(&capitalized(&statement))
        );
        return out;
    }
    out.push_str("<div class=\"verdict bad\"><b>Client limited</b><ul>");
    for reason in &quality.reasons {
        let _ = write!(out, "<li>{}</li>", Escaped(&capitalized(&reason.message)));
    }
    out.push_str("</ul></div>");
    out
}

/// The handful of figures that everyone asks for first.
pub(super) fn key_figures(report: &Report<'_>) -> String {
    let summary = report.summary;
    let avg = |tag| report.figure(tag);
    let latency = |tag| summary.get(tag).and_then(|s| Some((s.percentile(50)?, s.percentile(99)?)));
    let mut out = String::from("<div class=\"cards\">");
    if let Some(share) = avg("good_request_fraction") {
        let rate = avg("goodput").unwrap_or(0.0);
        card(&mut out, "Good requests", &brief(100.0 * share), "%", &format!("{} requests/s", brief(rate)));
    }
    for (name, tag) in [
        ("Time to first token", "time_to_first_token"),
        ("Inter-token latency", "inter_token_latency"),
        ("Request latency", "request_latency"),
    ] {
        if let Some((median, p99)) = latency(tag) {
            card(&mut out, name, &brief(median), "ms p50", &format!("{} ms p99", brief(p99)));
        }
    }
    if let Some(rate) = avg("output_token_throughput") {
        let total =
            avg("total_osl").map_or_else(String::new, |n| format!("{} tokens", grouped(&format!("{n:.0}"))));
        card(&mut out, "Output throughput", &brief(rate), "tokens/s", &total);
    }
    if let Some(rate) = avg("request_throughput") {
        let percent = avg("request_error_rate").unwrap_or(0.0);
        card(&mut out, "Request throughput", &brief(rate), "/s", &format!("{}% errors", brief(percent)));
    }
    out.push_str("</div>");
    out
}

fn card(out: &mut String, name: &str, value: &str, unit: &str, more: &str) {
    let _ = write!(
        out,
        "<div class=\"card\"><div class=\"name\">{name}</div><div class=\"value\">{value}<small>{unit}</small></div>\
         <div class=\"more\">{more}</div></div>"
    );
}

pub(super) fn goodput(report: &Report<'_>) -> String {
    let Some(statement) = goodput_statement(report) else { return String::new() };
    let good = report.figure("good_request_fraction");
    let curve = report.summary.goodput_curve.as_ref();
    let curve = curve.map(|curve| spreads::goodput_curve(curve, good)).unwrap_or_default();
    format!("<p>{}.</p>\n{curve}", Escaped(&statement))
}

/// The main table, and the others folded away.
pub(super) fn figures(report: &Report<'_>) -> String {
    let mut out = format!("<p>{}.</p>", Escaped(&outcome_statement(report)));
    out.push_str(&table(&console_rows(report.summary, ConsoleGroup::Main)));
    for (group, name) in [
        (ConsoleGroup::Usage, "Token usage as the server reports it"),
        (ConsoleGroup::Effective, "Time-weighted figures"),
        (ConsoleGroup::Active, "Time-weighted figures, busy time only"),
        (ConsoleGroup::HttpTrace, "HTTP timings"),
    ] {
        let rows = console_rows(report.summary, group);
        if !rows.is_empty() {
            let _ = write!(out, "<details><summary>{name}</summary>{}</details>", table(&rows));
        }
    }
    out
}

fn table(rows: &[&MetricSummary]) -> String {
    let mut out = String::from("<div class=\"sheet\"><table><thead><tr><th>Metric</th>");
    for name in ["avg", "min", "max", "p99", "p90", "p50", "std"] {
        let _ = write!(out, "<th>{name}</th>");
    }
    out.push_str("</tr></thead><tbody>");
    for m in rows {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{} <span class=\"unit\">{}</span></th>",
            Escaped(m.metric.header),
            Escaped(m.metric.unit.label())
        );
        for text in row_figures(&m.stats).map(figure) {
            if text == MISSING {
                out.push_str("<td class=\"none\">–</td>");
            } else {
                let _ = write!(out, "<td>{text}</td>");
            }
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}

pub(super) fn errors(report: &Report<'_>) -> String {
    /// Rows beyond this make a page nobody reads.
    const MOST: usize = 50;
    let errors = &report.summary.error_summary;
    if errors.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<div class=\"sheet\"><table><thead><tr><th>Count</th><th>Code</th><th style=\"text-align:left\">Type</th>\
         <th style=\"text-align:left\">Message</th></tr></thead><tbody>",
    );
    for (error, count) in errors.iter().take(MOST) {
        let code = error.code.map_or_else(|| "–".to_owned(), |code| code.to_string());
        let _ = write!(
            out,
            "<tr><td>{count}</td><td>{code}</td><td class=\"text\">{}</td><td class=\"text\">{}</td></tr>",
            Escaped(&error.error_type),
            Escaped(&excerpt(&error.message))
        );
    }
    out.push_str("</tbody></table></div>");
    let left =
        errors.iter().skip(MOST).map(|(_, count)| count).sum::<u64>() + report.summary.ungrouped_errors;
    if left > 0 {
        let _ = write!(out, "<p>{left} more errors, each kind rarer.</p>");
    }
    out
}

pub(super) fn quality(report: &Report<'_>) -> String {
    let Some(quality) = report.quality else { return String::new() };
    let mut out = String::from(
        "<p>How late the client itself was. Latencies count from when work on a request began; how \
         arrivals were stamped stands below.</p>\n<div class=\"sheet\"><table><thead><tr><th>Lag of the client</th>\
         <th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th></tr></thead><tbody>",
    );
    lag(&mut out, "Due to first byte written", quality.send_lag.as_ref());
    lag(&mut out, "Due to released by the pacer", quality.release_lateness.as_ref());
    lag(&mut out, "Chunk arrived to chunk read", quality.read_lag.as_ref());
    lag(&mut out, "Width of uncertain arrivals", quality.uncertain_chunks.width.as_ref());
    out.push_str("</tbody></table></div>\n<dl class=\"facts\" style=\"margin-top:14px\">");
    for (name, value) in quality_facts(quality) {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", Escaped(&value));
    }
    out.push_str("</dl>");
    out
}

fn lag(out: &mut String, name: &str, stats: Option<&LagStats>) {
    let Some(stats) = stats else { return };
    let _ = write!(out, "<tr><th scope=\"row\">{name} <span class=\"unit\">ms</span></th>");
    for value in [stats.p50_ms, stats.p90_ms, stats.p99_ms, stats.p999_ms, stats.max_ms] {
        let _ = write!(out, "<td>{value:.3}</td>");
    }
    out.push_str("</tr>");
}

fn quality_facts(quality: &Quality) -> Vec<(&'static str, String)> {
    let percent = |share: f64| format!("{:.2}%", 100.0 * share);
    let rate = |rate: f64| format!("{}/s", brief(rate));
    let chunks = &quality.uncertain_chunks;
    let source = serde_json::to_value(quality.timestamp_source).ok();
    let source = source.as_ref().and_then(|v| v.as_str()).unwrap_or("unknown").to_owned();
    let mut facts = vec![
        ("Arrivals stamped by", source),
        (
            "Uncertain chunks",
            format!(
                "{} of {} ({}), {} of them read late ({})",
                grouped_count(chunks.uncertain),
                grouped_count(chunks.chunks),
                percent(chunks.share),
                grouped_count(chunks.late),
                percent(chunks.late_share)
            ),
        ),
    ];
    facts.extend(quality.requested_rate.map(|r| ("Due", rate(r))));
    facts.extend(quality.achieved_rate.map(|r| ("Sent", rate(r))));
    let schedule = &quality.schedule;
    if schedule.skipped_ticks > 0 {
        facts.push(("Ticks skipped at the cap", schedule.skipped_ticks.to_string()));
    }
    if schedule.delayed > 0 {
        facts.push(("Arrivals delayed at the cap", schedule.delayed.to_string()));
    }
    if schedule.retried_stale > 0 {
        let times = grouped_count(schedule.retried_stale);
        facts.push(("Sent again because a kept connection had been closed", times));
    }
    if quality.degraded_records > 0 {
        facts.push(("Records without chunk lists", quality.degraded_records.to_string()));
    }
    if let Some(busy) = quality.process_cores_busy {
        facts.push(("Client CPU", format!("{busy:.2} of {} cores", quality.host.cores)));
    }
    let busiest = quality.host.worker_busy_shares.iter().copied().reduce(f64::max);
    facts.extend(busiest.map(|share| ("Busiest worker", percent(share))));
    facts.extend(quality.host.steal_share.map(|share| ("CPU stolen from this machine", percent(share))));
    facts
}

pub(super) fn run(report: &Report<'_>) -> String {
    let info = report.info;
    let mut out = format!("<pre>{}</pre>", Escaped(&info.cli_command));
    out.push_str("<dl class=\"facts\">");
    let _ = write!(out, "<div><dt>Run</dt><dd><code>{}</code></dd></div>", Escaped(&info.benchmark_id));
    if let Some(seed) = info.random_seed {
        let _ = write!(out, "<div><dt>Seed</dt><dd>{seed}</dd></div>");
    }
    out.push_str("</dl>");
    if !report.files.is_empty() {
        out.push_str("<h3>Files</h3><div class=\"sheet\"><table><tbody>");
        for (label, path) in report.files {
            let _ = write!(
                out,
                "<tr><th scope=\"row\">{}</th><td class=\"text\"><code>{}</code></td></tr>",
                Escaped(label),
                Escaped(&path.display().to_string())
            );
        }
        out.push_str("</tbody></table></div>");
    }
    if let Ok(config) = serde_json::to_string_pretty(&info.input_config)
        && !info.input_config.is_empty()
    {
        let _ =
            write!(out, "<details><summary>Configuration</summary><pre>{}</pre></details>", Escaped(&config));
    }
    out
}

pub(super) fn foot(report: &Report<'_>) -> String {
    format!(
        "<footer>loadgen {} · exact percentiles, linear interpolation; curves over time are approximate quantiles · \
         this page needs no network</footer>",
        Escaped(&report.info.loadgen_version)
    )
}

/// A figure for a glance: three significant digits, thousands parted.
fn brief(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => MISSING.to_owned(),
        a if a >= 1000.0 => grouped(&format!("{value:.0}")),
        a if a >= 99.95 => format!("{value:.0}"),
        a if a >= 9.995 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}

fn grouped_count(count: u64) -> String {
    grouped(&count.to_string())
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
