//! Pictures of the run over time, and how pictures stand on the page.

use loadgen_metrics::{Slo, TimelineBucket, TimelineData};

use crate::info::Report;
use crate::plot::{Axis, Colour, Mark, Plot};

/// A line bridges at most this many buckets without data; a longer silence shows as a gap.
const BRIDGED: usize = 4;

/// Size of a plot as wide as the page.
pub(super) const WIDE: (u32, u32) = (1040, 300);
/// Size of a plot half as wide as the page.
pub(super) const HALF: (u32, u32) = (500, 270);

/// Latencies, load and throughput over the run.
pub(super) fn over_time(report: &Report<'_>) -> String {
    let Some(timeline) = report.timeline.filter(|t| !t.buckets.is_empty()) else { return String::new() };
    let bound = |tag: &str| report.slos.iter().find(|slo| slo.metric().tag == tag);
    let plots = [
        (
            latency_over_time(
                timeline,
                "Time to first token",
                bound("time_to_first_token"),
                "objective",
                |b| b.time_to_first_token_ms,
            )
            .subtitle("of the requests that started at each moment"),
            WIDE,
        ),
        (
            // Gaps between chunks, not their mean over a request: a stall shows when it happens.
            latency_over_time(
                timeline,
                "Gap between chunks",
                bound("inter_token_latency"),
                "objective (mean of a request)",
                |b| b.inter_chunk_latency_ms,
            )
            .subtitle("of the chunks that arrived at each moment"),
            WIDE,
        ),
        (in_flight(timeline), HALF),
        (requests(timeline), HALF),
        (tokens(timeline), HALF),
        (failures(timeline), HALF),
    ];
    let shown = plots.into_iter().filter(|(plot, _)| !plot.is_empty());
    figures(shown.map(|(plot, (w, h))| (plot.size(w, h), w > HALF.0)))
}

/// Plots side by side; those marked are as wide as the page.
pub(super) fn figures(plots: impl Iterator<Item = (Plot, bool)>) -> String {
    let mut drawn = String::new();
    for (plot, wide) in plots {
        drawn.push_str(if wide { "<figure class=\"wide\">" } else { "<figure>" });
        drawn.push_str(&plot.to_inline());
        drawn.push_str("</figure>\n");
    }
    if drawn.is_empty() { drawn } else { format!("<div class=\"plots\">\n{drawn}</div>\n") }
}

fn latency_over_time(
    timeline: &TimelineData,
    title: &str,
    bound: Option<&Slo>,
    bound_name: &str,
    quantiles: impl Fn(&TimelineBucket) -> Option<(f64, f64)>,
) -> Plot {
    let points: Vec<(f64, Option<(f64, f64)>)> =
        timeline.buckets.iter().map(|b| (middle(timeline, b), quantiles(b))).collect();
    let (median, p99, band) = bridged(&points);
    let worst = p99.iter().map(|p| p.1).filter(|v| v.is_finite()).fold(0.0, f64::max);
    let typical = median.iter().map(|p| p.1).filter(|v| v.is_finite()).fold(0.0, f64::max);
    let mut plot = Plot::new(title, time_axis(timeline), Axis::linear("ms"))
        .description(format!("the median stays at or below {typical:.1} ms, p99 at or below {worst:.1} ms"))
        .layer("", Colour::Blue, Mark::Band(band))
        .layer("p99", Colour::Orange, Mark::Line(p99))
        .layer("p50", Colour::Blue, Mark::Line(median));
    // A bound far above everything would flatten the picture; then it need not be in it.
    if let Some(slo) = bound.filter(|slo| slo.threshold() <= worst * 2.0) {
        let label = format!("{bound_name}: {} ms", slo.threshold());
        plot = plot.layer("", Colour::Red, Mark::Level(slo.threshold(), label));
    }
    plot
}

type Lines = (Vec<(f64, f64)>, Vec<(f64, f64)>, Vec<(f64, f64, f64)>);

/// Median, p99 and the band between, with short silences bridged and long ones left as gaps.
fn bridged(points: &[(f64, Option<(f64, f64)>)]) -> Lines {
    let (mut median, mut p99, mut band) = (Vec::new(), Vec::new(), Vec::new());
    let mut silent = 0;
    for (x, value) in points {
        let Some((low, high)) = value else {
            silent += 1;
            if silent == BRIDGED + 1 {
                median.push((*x, f64::NAN));
                p99.push((*x, f64::NAN));
                band.push((*x, f64::NAN, f64::NAN));
            }
            continue;
        };
        silent = 0;
        median.push((*x, *low));
        p99.push((*x, *high));
        band.push((*x, *low, *high));
    }
    (median, p99, band)
}

fn in_flight(timeline: &TimelineData) -> Plot {
    let line = line(timeline, |b| b.in_flight);
    Plot::new("Requests in flight", time_axis(timeline), Axis::linear("requests"))
        .layer("", Colour::Violet, Mark::Area(line.clone()))
        .layer("", Colour::Violet, Mark::Line(line))
}

fn requests(timeline: &TimelineData) -> Plot {
    let started = line(timeline, |b| b.started as f64 / timeline.bucket_seconds);
    let completed = line(timeline, |b| b.requests_per_second);
    Plot::new("Requests started and completed", time_axis(timeline), Axis::linear("requests/s"))
        .layer("started", Colour::Grey, Mark::Line(started))
        .layer("completed", Colour::Blue, Mark::Line(completed))
}

fn tokens(timeline: &TimelineData) -> Plot {
    let line = line(timeline, |b| b.tokens_per_second);
    Plot::new("Output tokens", time_axis(timeline), Axis::linear("tokens/s"))
        .layer("", Colour::Green, Mark::Area(line.clone()))
        .layer("", Colour::Green, Mark::Line(line))
}

/// Empty when nothing failed.
fn failures(timeline: &TimelineData) -> Plot {
    let width = timeline.bucket_seconds;
    let bars: Vec<(f64, f64, f64)> = timeline
        .buckets
        .iter()
        .filter(|b| b.failed > 0)
        .map(|b| (b.at_seconds, b.at_seconds + width, b.failed as f64))
        .collect();
    let x = Axis::time("time since start").between(0.0, end(timeline));
    Plot::new("Errors", x, Axis::count(format!("errors in {width} s"))).layer(
        "",
        Colour::Red,
        Mark::Bars(bars),
    )
}

fn line(timeline: &TimelineData, value: impl Fn(&TimelineBucket) -> f64) -> Vec<(f64, f64)> {
    timeline.buckets.iter().map(|b| (middle(timeline, b), value(b))).collect()
}

fn time_axis(timeline: &TimelineData) -> Axis {
    Axis::time("time since start").between(0.0, end(timeline))
}

fn middle(timeline: &TimelineData, bucket: &TimelineBucket) -> f64 {
    bucket.at_seconds + timeline.bucket_seconds / 2.0
}

fn end(timeline: &TimelineData) -> f64 {
    timeline.buckets.last().map_or(1.0, |b| b.at_seconds + timeline.bucket_seconds)
}
