//! The page of a run beside which a server and GPUs were read, and which was cut into slices.

#![allow(clippy::unwrap_used, missing_docs)]

mod sample;

use loadgen_report::html;
use sample::Sample;

fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let at = page.find(&format!("<section id=\"{id}\">")).unwrap_or_else(|| panic!("no section {id}"));
    page[at..].split("</section>").next().unwrap()
}

#[test]
fn what_a_run_does_not_have_has_no_section() {
    let page = html::page(&Sample::new().report());
    for heading in ["GPUs", "Server metrics", "Time slices"] {
        assert!(!page.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
}

#[test]
fn slices_stand_in_rows_with_the_columns_that_they_have() {
    let page = html::page(&Sample::with_telemetry().report());
    let slices = section(&page, "slices");
    assert_eq!(slices.matches("<tr>").count(), 1 + 8);
    assert!(
        slices.contains("32.0 – 64.0") && slices.contains("224.0 – 256.0 <span class=\"unit\">cut short")
    );
    assert!(slices.contains("<th>TTFT p99</th>") && slices.contains("<th>requests/s</th>"));
    assert!(!slices.contains("ITL p50") && !slices.contains("good/s"), "no slice has these");
}

#[test]
fn a_long_run_shows_its_first_slices_and_says_where_the_others_are() {
    let mut sample = Sample::with_telemetry();
    let mut table = html::SliceTable::default();
    let slice = |index: i64| loadgen_metrics::SliceSummary {
        window: loadgen_metrics::Window {
            start: loadgen_core::Nanos(index * 1_000_000_000),
            end: loadgen_core::Nanos((index + 1) * 1_000_000_000),
        },
        is_complete: true,
        metrics: vec![loadgen_metrics::MetricSummary {
            metric: loadgen_metrics::Metric::of("request_count").unwrap(),
            stats: loadgen_metrics::Stats::scalar(1.0),
        }],
    };
    (0..1000).for_each(|index| table.push(&slice(index)));
    sample.slices = Some(table);
    let page = html::page(&sample.report());
    let slices = section(&page, "slices");
    assert_eq!(slices.matches("<tr>").count(), 1 + 240);
    assert!(slices.contains("<details><summary>240 slices</summary>"));
    assert!(slices.contains("<p>760 more slices are in the files of time slices.</p>"));
}

#[test]
fn a_servers_series_are_shown_by_kind_and_those_that_say_nothing_are_counted() {
    let page = html::page(&Sample::with_telemetry().report());
    let servers = section(&page, "servers");
    assert!(servers.contains("10.0.0.7:8000 was read 727 times, 3.42 ms for each; 701 readings"));
    for (kind, rows) in [("Gauges", 2), ("Counters", 1), ("Histograms", 1)] {
        assert!(servers.contains(&format!("<summary>{kind} ({rows})</summary>")), "{kind}");
    }
    let name = "vllm:time_to_first_token_seconds{model_name=&quot;demo&quot;,engine=&quot;0&quot;}";
    assert!(servers.contains(name), "{servers}");
    // Mean 812 s of 4000 observations; medians and the last percentile as estimated.
    assert!(
        servers.contains("<td>4,000</td><td>16.7</td><td>0.203</td><td>0.19</td><td>1.10</td>"),
        "{servers}"
    );
    assert!(servers.contains("<td>2,048,000</td><td>8,533</td>"));
    assert!(!servers.contains("num_preemptions") && !servers.contains("num_requests_swapped"));
    assert!(servers.contains("<p>2 series that stayed at nothing are left out here.</p>"));
}

#[test]
fn gpus_have_a_table_each_and_their_power_one_together() {
    let page = html::page(&Sample::with_telemetry().report());
    let gpus = section(&page, "gpus");
    assert!(gpus.contains("<p>2 GPUs; 1 of 2 telemetry sources answered.</p>"));
    assert!(
        gpus.contains("Energy per Output Token <span class=\"unit\">mJ/token</span></th><td>341.50</td>")
    );
    assert!(gpus.contains("<summary>GPU 1 of node-7: Example GPU X100</summary>"));
    assert!(gpus.contains("<td>512.00</td><td>372.00</td><td>652.00</td>"));
    // Two decimals would leave nothing of it.
    assert!(gpus.contains("<td>0.0045</td>"), "{gpus}");
    let counter = "NVIDIA XID Errors <span class=\"unit\">count</span></th><td>0.00</td><td class=\"none\">";
    assert_eq!(gpus.matches(counter).count(), 2);
}

#[test]
fn what_servers_and_exporters_say_stays_text() {
    const EVIL: &str = "<script>alert(1)</script>";
    let mut sample = Sample::with_telemetry();
    let servers = sample.servers.as_mut().unwrap();
    servers.endpoints[0].url = EVIL.to_owned();
    for series in &mut servers.metrics {
        series.name.name = EVIL.to_owned();
        series.name.labels = vec![(EVIL.to_owned(), EVIL.to_owned())];
    }
    let gpu = &mut sample.info.gpu.as_mut().unwrap().gpus[0];
    (gpu.name, gpu.hostname) = (Some(EVIL.to_owned()), Some(EVIL.to_owned()));
    (gpu.metrics[0].header, gpu.metrics[0].unit) = (EVIL.to_owned(), EVIL.to_owned());
    assert!(!html::page(&sample.report()).contains("<script"));
}
