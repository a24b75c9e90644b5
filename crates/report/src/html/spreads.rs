//! Pictures of how latencies are spread, and of goodput against a bound on one of them.

use loadgen_metrics::{Distribution, GoodputCurve, Slo};

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
        let bound = report.slos.iter().find(|slo| slo.metric().tag == distribution.metric.tag);
        (histogram(distribution, bound).size(HALF.0, HALF.1), false)
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

fn histogram(distribution: &Distribution, bound: Option<&Slo>) -> Plot {
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
        if let Some(value) = quantile(distribution, f64::from(percent) / 100.0).filter(|v| *v <= edge) {
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

/// The least sample of the curve that at least `share` of all are not above.
fn quantile(distribution: &Distribution, share: f64) -> Option<f64> {
    distribution.cdf.iter().find(|(_, reached)| *reached >= share).map(|(value, _)| *value)
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
