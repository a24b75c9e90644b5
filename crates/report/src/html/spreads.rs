//! Pictures of how latencies are spread, and of goodput against a bound on one of them.

use loadgen_metrics::{Distribution, GoodputCurve, Slo, Stats};

use super::charts::{HALF, WIDE, figures};
use crate::info::Report;
use crate::plot::{Axis, Colour, Mark, Plot};

/// A last bin this many times as wide as the first one holds a tail: drawn, it would squeeze the rest.
const TAIL: f64 = 2.0;

/// All latencies in one picture, then each one's histogram.
pub(super) fn distributions(report: &Report<'_>) -> String {
    let distributions = &report.summary.distributions;
    let all = (cumulative(distributions).size(WIDE.0, WIDE.1), true);
    let each = distributions.iter().map(|distribution| {
        let tag = distribution.metric.tag;
        let bound = report.slos.iter().find(|slo| slo.metric().tag == tag);
        (histogram(distribution, report.summary.get(tag), bound).size(HALF.0, HALF.1), false)
    });
    figures(std::iter::once(all).chain(each).filter(|(plot, _)| !plot.is_empty()))
}

fn cumulative(distributions: &[Distribution]) -> Plot {
    let mut plot = Plot::new(
        "Latencies, cumulative",
        Axis::log("ms"),
        Axis::linear("samples at or below (%)").between(0.0, 100.0),
    );
    for (index, distribution) in distributions.iter().enumerate() {
        let line = distribution.cdf.iter().map(|(value, share)| (*value, share * 100.0)).collect();
        plot = plot.layer(distribution.metric.header, Colour::of_series(index), Mark::Line(line));
    }
    plot
}

/// The percentiles marked are the exact ones: the curve's points are too few to tell them from their
/// neighbours.
fn histogram(distribution: &Distribution, stats: Option<&Stats>, bound: Option<&Slo>) -> Plot {
    let metric = distribution.metric;
    let mut bins = distribution.bins.clone();
    let mut subtitle = String::new();
    if let [first, .., last] = bins[..]
        && last.1 - last.0 > TAIL * (first.1 - first.0)
    {
        bins.pop();
        let all: u64 = distribution.bins.iter().map(|bin| bin.2).sum();
        if last.2 > 0 {
            subtitle = format!("{} of {all} samples lie further right, up to {:.1}", last.2, last.1);
        }
    }
    let bars: Vec<(f64, f64, f64)> = bins.into_iter().map(bar).collect();
    let edge = bars.last().map_or(0.0, |bar| bar.1);
    let axis = Axis { from_zero: false, ..Axis::linear(metric.unit.label()) };
    let mut plot = Plot::new(metric.header, axis, Axis::count("samples")).subtitle(subtitle).layer(
        "",
        Colour::Blue,
        Mark::Bars(bars),
    );
    for (percent, colour) in [(50_u8, Colour::Grey), (99, Colour::Orange)] {
        if let Some(value) = stats.and_then(|stats| stats.percentile(percent)).filter(|v| *v <= edge) {
            plot = plot.layer("", colour, Mark::At(value, format!("p{percent}")));
        }
    }
    // An objective far from every sample would squeeze them too.
    if let Some(slo) = bound.filter(|slo| slo.threshold() <= edge * 1.5) {
        plot = plot.layer("", Colour::Red, Mark::At(slo.threshold(), "objective".to_owned()));
    }
    plot
}

/// A bin as a bar; one without width gets a little, or it could not be seen.
fn bar((from, to, count): (f64, f64, u64)) -> (f64, f64, f64) {
    let spare = if to > from { 0.0 } else { (from.abs() * 0.02).max(1e-3) };
    (from - spare, to + spare, count as f64)
}

/// The share of good requests against the bound on the time to first token. `good`: the run's own
/// share, under its own bound.
pub(super) fn goodput_curve(curve: &GoodputCurve, good: Option<f64>) -> String {
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
    .layer("", Colour::Green, Mark::Line(line));
    if let (Some(bound), Some(good)) = (curve.bound_ms, good) {
        let share = good * 100.0;
        plot = plot
            .layer("", Colour::Red, Mark::At(bound, format!("this run: {bound} ms, {share:.1}% good")))
            .description(format!("under the run's bound of {bound} ms {share:.1} % of requests are good"));
    }
    figures(std::iter::once((plot.size(WIDE.0, WIDE.1), true)))
}
