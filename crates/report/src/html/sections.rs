//! The page's text: head, verdict, figures, errors, quality, and what was run.

use std::fmt::Write as _;

use loadgen_metrics::{ConsoleGroup, MetricSummary};

use super::sheet::Sheet;
use super::spreads;
use crate::console::{
    console_rows, excerpt, figure, figures as row_figures, goodput_statement, grouped, outcome_statement,
};
use crate::escape::Escaped;
use crate::info::Report;
use crate::origins::Origins;
use crate::quality_words::{brief, facts, headline, is_unmeasured, lags};

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
        let _ = write!(out, "<p>{}.</p>", Escaped(&capitalized(headline(quality))));
        return out;
    }
    if quality.client_limited {
        out.push_str("<div class=\"verdict bad\"><b>Client limited</b><ul>");
        for reason in &quality.reasons {
            let _ = write!(
                out,
                "<li>{}.<br><span class=\"remedy\">{}.</span></li>",
                Escaped(&capitalized(&reason.message)),
                Escaped(&capitalized(&reason.remedy))
            );
        }
        out.push_str("</ul></div>");
        return out;
    }
    let p99: Vec<String> = [(quality.send_lag, "sent"), (quality.read_lag, "read")]
        .into_iter()
        .filter_map(|(lag, what)| Some(format!("{what} {:.3} ms late at p99", lag?.p99_ms)))
        .collect();
    let _ = write!(
        out,
        "<div class=\"verdict good\"><b>Measured well</b><span>{}: {}.</span></div>",
        Escaped(&capitalized(headline(quality))),
        p99.join(", ")
    );
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
    out.push_str(&origins(report));
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

/// Latencies by where they count from.
fn origins(report: &Report<'_>) -> String {
    let Some(Origins { columns, rows }) = Origins::of(report.summary) else { return String::new() };
    let mut out = String::from(
        "<h3>Latency by where it counts from</h3>\n<p>AIPerf counts from the start of work on a request. From \
         its first byte written, connecting and the client's own lag are left out; from the intended time, \
         whatever made the request late is in.</p>\n",
    );
    let mut sheet = Sheet::new("Counted from", "ms", columns);
    for (origin, figures) in rows {
        sheet.row(origin, "", figures.into_iter().map(figure));
    }
    out.push_str(&sheet.end());
    out
}

fn table(rows: &[&MetricSummary]) -> String {
    let mut sheet = Sheet::new("Metric", "", ["avg", "min", "max", "p99", "p90", "p50", "std"]);
    for m in rows {
        sheet.row(m.metric.header, m.metric.unit.label(), row_figures(&m.stats).map(figure));
    }
    sheet.end()
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
            Escaped(&excerpt(&error.in_words()))
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
        "<p>How late the client itself was, and what else tells whether to believe the figures.</p>\n",
    );
    let mut sheet = Sheet::new("Lag of the client", "", ["p50", "p90", "p99", "p99.9", "max"]);
    for (name, lag) in lags(quality) {
        let figures = [lag.p50_ms, lag.p90_ms, lag.p99_ms, lag.p999_ms, lag.max_ms];
        sheet.row(name, "ms", figures.map(|value| format!("{value:.3}")));
    }
    out.push_str(&sheet.end());
    out.push_str("<dl class=\"facts rows\">");
    for (name, value) in facts(quality) {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", Escaped(&value));
    }
    out.push_str("</dl>");
    if !quality.remarks.is_empty() {
        out.push_str("<ul class=\"remarks\">");
        for remark in &quality.remarks {
            let _ = write!(out, "<li>{}.</li>", Escaped(&capitalized(&remark.message)));
        }
        out.push_str("</ul>");
    }
    out
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

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
