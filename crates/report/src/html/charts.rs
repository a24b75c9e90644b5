//! The page's pictures.

use loadgen_metrics::{Distribution, GoodputCurve, Slo, TimelineBucket, TimelineData};

use crate::info::Report;
use crate::plot::{Axis, Colour, Mark, Plot};

/// A line bridges at most this many buckets without data; a longer silence shows as a gap.
const BRIDGED: usize = 4;

/// A share of samples that may lie beyond a distribution's right edge, so that its tail does not
/// squeeze the rest.
const TAIL: f64 = 0.002;

const WIDE: (u32, u32) = (1040, 300);
const HALF: (u32, u32) = (500, 270);

/// Latencies, load and throughput over the run.
pub(super) fn over_time(report: &Report<'_>) -> String {
    let Some(timeline) = report.timeline.filter(|t| !t.buckets.is_empty()) else { return String::new() };
    let bound = |tag: &str| report.slos.iter().find(|slo| slo.metric().tag == tag);
    let plots = [
        (
            latency_over_time(timeline, "Time to first token", bound("time_to_first_token"), "objective", |b| b.time_to_first_token_ms)
                .subtitle("of the requests that started at each moment"),
            WIDE,
        ),
        (
            // Gaps between chunks, not their mean over a request: a stall shows when it happens.
            latency_over_time(timeline, "Gap between chunks", bound("inter_token_latency"), "objective for a request's mean", |b| b.inter_chunk_latency_ms)
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

/// How the run's metrics are spread.
pub(super) fn distributions(report: &Report<'_>) -> String {
    let plots = report.summary.distributions.iter().map(|d| {
        let bound = report.slos.iter().find(|slo| slo.metric().tag == d.metric.tag);
        (spread(d, bound).size(HALF.0, HALF.1), false)
    });
    figures(plots.filter(|(plot, _)| !plot.is_empty()))
}

/// The share of good requests against the bound on the time to first token.
pub(super) fn goodput_curve(curve: &GoodputCurve) -> String {
    if curve.points.len() < 2 {
        return String::new();
    }
    let line: Vec<(f64, f64)> = curve.points.iter().map(|(bound, share)| (*bound, share * 100.0)).collect();
    let mut plot = Plot::new(
        "What another bound on the time to first token would have given",
        Axis::log("bound on the time to first token (ms)"),
        Axis::linear("good requests (%)").between(0.0, 100.0),
    )
    .subtitle("every other objective kept; failed requests are never good")
    .layer("", Colour::Green, Mark::Area(line.clone()))
    .layer("", Colour::Green, Mark::Line(line.clone()));
    if let Some(bound) = curve.bound_ms {
        let share = share_at(&line, bound);
        plot = plot
            .layer("", Colour::Red, Mark::At(bound, format!("this run: {bound} ms, {share:.1}% good")))
            .description(format!("under the run's bound of {bound} ms {share:.1} % of requests are good"));
    }
    figures(std::iter::once((plot.size(WIDE.0, WIDE.1), true)))
}

/// The height of a rising curve at `x`: that of its last point not beyond it.
fn share_at(line: &[(f64, f64)], x: f64) -> f64 {
    let after = line.partition_point(|point| point.0 <= x);
    after.checked_sub(1).map_or(0.0, |at| line[at].1)
}

fn figures(plots: impl Iterator<Item = (Plot, bool)>) -> String {
    let drawn: String = plots
        .map(|(plot, wide)| {
            let class = if wide { " class=\"wide\"" } else { "" };
            format!("<figure{class}>{}</figure>\n", plot.to_inline())
        })
        .collect();
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
    Plot::new("Errors", x, Axis::count(format!("errors in {width} s"))).layer("", Colour::Red, Mark::Bars(bars))
}

fn spread(distribution: &Distribution, bound: Option<&Slo>) -> Plot {
    let metric = distribution.metric;
    // The edge beyond which only the tail lies.
    let beyond = distribution.cdf.iter().find(|(_, share)| *share >= 1.0 - TAIL).map_or(f64::INFINITY, |p| p.0);
    let bars: Vec<(f64, f64, f64)> = distribution
        .bins
        .iter()
        .filter(|(from, to, _)| from.is_finite() && to.is_finite() && *from <= beyond)
        .map(|(from, to, count)| (*from, *to, *count as f64))
        .collect();
    let shown: f64 = bars.iter().map(|b| b.2).sum();
    let all: f64 = distribution.bins.iter().map(|b| b.2 as f64).sum();
    let axis = Axis { from_zero: false, ..Axis::linear(metric.unit.label()) };
    let mut plot = Plot::new(metric.header, axis, Axis::count("samples")).layer("", Colour::Blue, Mark::Bars(bars));
    if shown < all {
        plot = plot.subtitle(format!("{:.0} of {all:.0} samples lie further right", all - shown));
    }
    for (percent, colour) in [(50, Colour::Grey), (99, Colour::Orange)] {
        if let Some(value) = quantile(distribution, f64::from(percent) / 100.0).filter(|v| *v <= beyond) {
            plot = plot.layer("", colour, Mark::At(value, format!("p{percent}")));
        }
    }
    if let Some(slo) = bound {
        plot = plot.layer("", Colour::Red, Mark::At(slo.threshold(), "objective".to_owned()));
    }
    plot
}

fn quantile(distribution: &Distribution, share: f64) -> Option<f64> {
    distribution.cdf.iter().find(|(_, reached)| *reached >= share).map(|(value, _)| *value)
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
