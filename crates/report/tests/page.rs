//! The page and the console of a made-up run.

#![allow(clippy::unwrap_used, missing_docs)]

mod sample;

use loadgen_core::ErrorDetail;
use loadgen_metrics::{
    Ceiling, CeilingCited, OutcomeCounts, PacketFacts, Reason, Remark, SloSet, Stamps, UncertainChunks,
};
use loadgen_report::{console, html};
use sample::Sample;

/// Every attribute and style that could make a browser ask another host.
const FETCHING: [&str; 9] =
    ["src=", "href=", "url(", "@import", "<script", "<iframe", "<img", "<link", "<object"];

#[test]
fn the_page_needs_nothing_but_itself_and_stays_small() {
    let page = html::page(&Sample::new().report());
    for fetching in FETCHING {
        assert!(!page.contains(fetching), "{fetching}");
    }
    assert!(page.len() < 300_000, "{}", page.len());
    assert!(page.starts_with("<!doctype html>"));
    for heading in
        ["Goodput", "Over time", "Distributions", "Figures", "Errors", "Measurement quality", "The run"]
    {
        assert!(page.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
    assert_eq!(page.matches("<svg").count(), 12);
    let ids: Vec<&str> =
        page.match_indices(" id=\"").map(|(at, _)| page[at + 5..].split('"').next().unwrap()).collect();
    let distinct: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "ids are distinct: {ids:?}");
}

#[test]
fn figures_in_pictures_are_those_of_the_tables() {
    let mut sample = Sample::new();
    // Curves are drawn through a few points; what stands beside them comes from all samples.
    sample.summary.goodput_curve.as_mut().unwrap().points = vec![(400.0, 0.5), (600.0, 0.9)];
    for distribution in &mut sample.summary.distributions {
        distribution.cdf = vec![distribution.cdf[0], (1e9, 1.0)];
    }
    let share = 100.0 * sample.summary.get("good_request_fraction").unwrap().avg.unwrap();
    let page = html::page(&sample.report());
    assert!(page.contains(&format!("this run: 500 ms, {share:.1}% good")));
    let with_figures =
        sample.summary.distributions.iter().filter(|d| sample.summary.get(d.metric.tag).is_some()).count();
    assert_eq!(with_figures, 3);
    let legends_over_time = 2;
    assert_eq!(page.matches(">p99</text>").count(), legends_over_time + with_figures);
}

#[test]
fn text_from_outside_stays_text() {
    const EVIL: &str = "</title></style><script>alert(1)</script><b onclick='x'>\"&";
    let mut sample = Sample::new();
    sample.info.cli_command = EVIL.to_owned();
    sample.info.benchmark_id = EVIL.to_owned();
    sample.info.loadgen_version = EVIL.to_owned();
    sample.info.incomplete_reason = Some(EVIL.to_owned());
    sample.info.facts = vec![(EVIL.to_owned(), EVIL.to_owned()), ("Model".to_owned(), EVIL.to_owned())];
    sample.info.input_config.insert(EVIL.to_owned(), EVIL.into());
    sample.files = vec![(EVIL.to_owned(), EVIL.into())];
    sample.quality.client_limited = true;
    sample.quality.reasons = vec![reason(EVIL, EVIL)];
    sample.quality.remarks = vec![Remark { code: EVIL.to_owned(), message: EVIL.to_owned() }];
    let error = ErrorDetail {
        code: None,
        error_type: EVIL.to_owned(),
        message: EVIL.to_owned(),
        cause: None,
        cause_chain: Vec::new(),
    };
    sample.summary.error_summary = vec![(error, 1)];
    let page = html::page(&sample.report());
    assert!(page.contains("&lt;script&gt;"));
    assert!(!page.contains("<script") && !page.contains("<b onclick"));
    assert_eq!(page.matches("</style>").count(), 1);
    assert_eq!(page.matches("</title>").count(), 1 + page.matches("<svg").count());
}

#[test]
fn a_run_without_anything_still_has_a_page_and_a_console() {
    let mut sample = Sample::new();
    sample.summary.metrics.clear();
    sample.summary.error_summary.clear();
    sample.summary.distributions.clear();
    sample.summary.goodput_curve = None;
    sample.timeline.buckets.clear();
    sample.slos = SloSet::default();
    sample.files.clear();
    let page = html::page(&sample.report());
    assert!(!page.contains("<svg") && page.contains("Requests: 4030 scheduled"));
    let text = console::render(&sample.report(), console::Options::file(false));
    assert!(text.contains("Measurement quality: the client kept up"));
}

#[test]
fn a_run_that_ended_before_any_request_did_claims_nothing() {
    let mut sample = Sample::new();
    sample.summary.metrics.clear();
    sample.summary.error_summary.clear();
    sample.summary.ungrouped_errors = 0;
    sample.summary.goodput_curve = None;
    sample.summary.counts = OutcomeCounts { aborted: 3, ..OutcomeCounts::default() };
    sample.quality.send_lag = None;
    sample.quality.read_lag = None;
    sample.quality.uncertain_chunks = UncertainChunks::default();
    sample.info.was_cancelled = true;
    sample.info.incomplete_reason = Some("Run cancelled before all records were processed.".to_owned());
    let page = html::page(&sample.report());
    let console = console::render(&sample.report(), console::Options::file(false));
    for text in [&page, &console] {
        assert!(text.contains("o response was received, so there was nothing to measure"), "{text}");
        assert!(text.contains("no request came to an end, so none met"), "{text}");
        assert!(!text.contains("kept up") && !text.contains("Measured well"), "{text}");
        assert!(!text.contains("Error Summary") && !text.contains("<h2>Errors"), "{text}");
        assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
    }
}

#[test]
fn the_console_of_a_run() {
    let sample = Sample::new();
    insta::assert_snapshot!(console::render(&sample.report(), console::Options::file(false)));
}

#[test]
fn many_kinds_of_error_stay_one_screen() {
    let mut sample = Sample::new();
    let kind = sample.summary.error_summary[0].clone();
    sample.summary.error_summary = vec![kind; 40];
    sample.summary.ungrouped_errors = 5;
    let text = console::blocks(&sample.report(), console::Options::file(false));
    assert_eq!(text.matches("Service Unavailable").count(), 25);
    let rest = text.lines().find(|line| line.contains("other errors, each kind rarer")).unwrap();
    assert!(rest.contains(&(15 * 19 + 5).to_string()), "{rest}");
}

#[test]
fn a_long_error_page_is_cut_on_the_console_and_on_the_page() {
    let mut sample = Sample::new();
    sample.summary.error_summary[0].0.message = "é".repeat(16 * 1024);
    let text = console::blocks(&sample.report(), console::Options::file(false));
    assert_eq!(text.matches('é').count(), 600);
    assert_eq!(text.matches('…').count(), 1);
    assert_eq!(html::page(&sample.report()).matches('é').count(), 600);
}

#[test]
fn a_narrow_terminal_wraps_labels_and_keeps_figures() {
    let sample = Sample::new();
    let text =
        console::blocks(&sample.report(), console::Options { width: 100, ansi: false, trace_timing: false });
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.contains("10,804.89"));
}

#[test]
fn colours_change_nothing_but_looks() {
    let sample = Sample::new();
    let plain =
        console::render(&sample.report(), console::Options { width: 140, ansi: false, trace_timing: true });
    let ansi =
        console::render(&sample.report(), console::Options { width: 140, ansi: true, trace_timing: true });
    let mut stripped = String::new();
    let mut rest = ansi.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        stripped.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain);
    assert_ne!(ansi, plain);
}

/// The console as one line of words, since its lines are wrapped.
fn words(sample: &Sample) -> String {
    let text = console::render(&sample.report(), console::Options::file(false));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn reason(message: &str, remedy: &str) -> Reason {
    let (code, message, remedy) = ("steal".to_owned(), message.to_owned(), remedy.to_owned());
    Reason { code, message, remedy, measured: 0.02, threshold: 0.01 }
}

#[test]
fn what_the_verdict_rests_on_stands_on_the_console_and_on_the_page() {
    let mut sample = Sample::new();
    let says = |sample: &Sample, text: &str| {
        let (console, page) = (words(sample), html::page(&sample.report()));
        assert!(console.contains(text), "{text}: {console}");
        assert!(page.contains(text), "{text}: on the page");
    };
    says(&sample, "stamped by the kernel, on the socket (760,000 chunks)");
    says(
        &sample,
        "1,212 of 760,000 (0.16%), 76 of them because the client read late (0.01%); within 0.180 ms at p99",
    );
    says(&sample, "16.8 requests/s sent, 16.8/s due");
    says(&sample, "client 0.13 of 8 cores, busiest worker 2.30%, machine 14.00% busy, 0.00% stolen from it");

    sample.quality.stamps = Stamps { packet: 759_000, kernel: 1000, user: 0 };
    sample.quality.packets = Some(PacketFacts { packets: 1_520_000, flows: 40, ..PacketFacts::default() });
    let schedule = &mut sample.quality.schedule;
    (schedule.retried_stale, schedule.caught_up, schedule.governed) = (1234, 5, 6);
    let cited = CeilingCited {
        file: "calibration.json".to_owned(),
        measured_at: "2026-11-22T05:00:00Z".to_owned(),
        loadgen_version: "0.1.0".to_owned(),
        requests_per_second: Some(41_000.0),
        token_events_per_second: Some(410_000.0),
        open_streams: None,
        ttft_error_p99_ms: None,
        gap_error_p99_ms: None,
        outside_write_share: None,
    };
    sample.quality.ceiling = Some(Ceiling {
        cited,
        requests_share: Some(0.0004),
        token_events_share: None,
        open_streams_share: None,
    });
    sample.quality.remarks = vec![Remark { code: "c".to_owned(), message: "mind the gap".to_owned() }];
    says(&sample, "759,000 by the kernel, packet by packet, 1,000 by the kernel, on the socket");
    says(&sample, "1,520,000 seen, 0 dropped by the kernel, 40 connections followed");
    says(&sample, "6 held back by the ceiling of the rate, 5 overdue and sent at once");
    says(&sample, "41,000 requests/s (0.04% used), 410,000 token events/s; measured 2026-11-22T05:00:00Z");
    assert!(words(&sample).contains("Note: mind the gap"));
    let page = html::page(&sample.report());
    assert!(page.contains("<li>Mind the gap.</li>"));
    assert!(page.contains("<dt>Sent again because a kept connection had been closed</dt><dd>1,234</dd>"));
}

#[test]
fn latencies_stand_beside_each_other_by_where_they_count_from() {
    let mut sample = Sample::new();
    let rows = ["Start of work (AIPerf)", "First byte written", "Intended time"];
    let console = words(&sample);
    let page = html::page(&sample.report());
    for row in rows {
        assert!(console.contains(row) && page.contains(row), "{row}");
    }
    // The main table has AIPerf's rows alone.
    assert_eq!(console.matches("from Intended Time").count(), 0);
    // Without streaming there is no first token, and the table has no column of it.
    sample.summary.metrics.retain(|m| !m.metric.tag.starts_with("time_to_first_token"));
    assert!(!words(&sample).contains("TTFT p50") && words(&sample).contains("Request Latency p50"));
    // Figures read from a file of AIPerf's have one origin, which needs no table.
    sample.summary.metrics.retain(|m| !m.metric.own);
    assert!(
        !words(&sample).contains("Counted from") && !html::page(&sample.report()).contains("Counted from")
    );
}

#[test]
fn a_client_that_limited_the_run_says_why() {
    let mut sample = Sample::new();
    sample.quality.client_limited = true;
    sample.quality.reasons = vec![reason("the first reason", "mend it"), reason("the second reason", "wait")];
    sample.info.was_cancelled = true;
    sample.info.incomplete_reason = Some("Run cancelled before all records were processed.".to_owned());
    let text = console::render(&sample.report(), console::Options::file(false));
    assert!(
        text.contains("loadgen | INCOMPLETE RESULTS\nRun cancelled before all records were processed.\n")
    );
    assert!(text.contains("Measurement quality: CLIENT LIMITED: the figures above say as much"));
    assert!(text.contains("\n  1. the first reason\n     → mend it\n  2. the second reason\n     → wait\n"));
    assert!(text.contains("Benchmark Duration: 239.60 sec (cancelled early)\n"));
    let page = html::page(&sample.report());
    assert!(
        page.contains("Client limited")
            && page.contains("<li>The second reason.<br><span class=\"remedy\">Wait.")
    );
}
