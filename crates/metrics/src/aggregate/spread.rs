//! How latencies are spread, as points to draw.

use crate::column::{Column, Order, SpillError, quantile_ranks};
use crate::metric::MetricId;
use crate::registry::id;
use crate::slo::SloSet;
use crate::summary::OutcomeCounts;
use crate::timeline::{Distribution, GoodputCurve};

/// The metrics whose distribution is drawn.
const DRAWN: [MetricId; 4] = [
    id!("time_to_first_token"),
    id!("inter_token_latency"),
    id!("inter_chunk_latency"),
    id!("request_latency"),
];
/// Bins of a histogram, the last one for all that lies above the 99.5th percentile included.
const BINS: usize = 60;
/// Points of a curve, at most.
const POINTS: u64 = 200;
/// The share of samples below the last bin.
const TOP: f64 = 0.995;

/// The ranks that [`distribution`] needs of `count` samples of a metric.
pub(super) fn ranks(id: MetricId, count: u64) -> Vec<u64> {
    if !DRAWN.contains(&id) || count == 0 {
        return Vec::new();
    }
    step_ranks(count).chain(quantile_ranks(count, TOP)).collect()
}

/// How a metric is spread; `None` where it is not drawn or has no samples.
pub(super) fn distribution(
    id: MetricId,
    column: &Column,
    order: &Order,
) -> Result<Option<Distribution>, SpillError> {
    if !DRAWN.contains(&id) || column.is_empty() {
        return Ok(None);
    }
    let metric = id.metric();
    let show = |native| metric.unit.display(native);
    let bins = bins(column, order)?;
    Ok(Some(Distribution {
        metric,
        bins: bins.into_iter().map(|(from, to, count)| (show(from), show(to), count)).collect(),
        cdf: steps(order, column.len(), column.len()).into_iter().map(|(x, y)| (show(x), y)).collect(),
    }))
}

/// A distribution's place among those that are drawn.
pub(super) fn place(distribution: &Distribution) -> usize {
    let is_this = |id: &MetricId| std::ptr::eq(id.metric(), distribution.metric);
    DRAWN.iter().position(is_this).unwrap_or(DRAWN.len())
}

/// Good requests against the bound on TTFT. `otherwise_good`: TTFTs of the requests that meet all
/// other objectives.
pub(super) fn goodput_curve(
    otherwise_good: &Column,
    counts: &OutcomeCounts,
    slos: &SloSet,
) -> Result<Option<GoodputCurve>, SpillError> {
    const TTFT: MetricId = id!("time_to_first_token");
    let good = otherwise_good.len();
    let order = otherwise_good.order(step_ranks(good).collect())?;
    let points = steps(&order, good, counts.ok + counts.errors());
    Ok((!points.is_empty()).then(|| GoodputCurve {
        points: points.into_iter().map(|(ttft, share)| (TTFT.metric().unit.display(ttft), share)).collect(),
        bound_ms: slos.iter().find(|slo| slo.metric().tag == TTFT.metric().tag).map(crate::Slo::threshold),
    }))
}

/// Equal bins from the least sample to the 99.5th percentile, and one up to the greatest.
fn bins(column: &Column, order: &Order) -> Result<Vec<(f64, f64, u64)>, SpillError> {
    let (Some(min), Some(max), Some(top)) = (column.least(), column.greatest(), order.quantile(TOP)) else {
        return Ok(Vec::new());
    };
    if min >= top {
        return Ok(vec![(min, max, column.len())]);
    }
    let edge =
        |bin: usize| if bin == BINS { max } else { min + (top - min) * bin as f64 / (BINS - 1) as f64 };
    let edges: Vec<f64> = (0..=BINS).map(edge).collect();
    let counts = column.histogram(&edges)?;
    Ok(counts.into_iter().enumerate().map(|(bin, count)| (edges[bin], edges[bin + 1], count)).collect())
}

/// The ranks of at most [`POINTS`] of `count` samples, evenly spread, the last one included.
fn step_ranks(count: u64) -> impl Iterator<Item = u64> {
    let points = count.min(POINTS);
    (1..=points).map(move |point| point * count / points - 1)
}

/// (sample, share of `total` that is not above it) for the samples at [`step_ranks`]; of equal samples
/// only one.
fn steps(order: &Order, count: u64, total: u64) -> Vec<(f64, f64)> {
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for ranked in step_ranks(count).filter(|_| total > 0).filter_map(|rank| order.at(rank)) {
        if steps.last().is_none_or(|&(last, _)| last != ranked.sample) {
            steps.push((ranked.sample, ranked.not_above as f64 / total as f64));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn column(samples: impl IntoIterator<Item = f64>) -> Column {
        let mut column = Column::default();
        for sample in samples {
            column.push(sample);
        }
        column
    }

    fn bins_of(samples: impl IntoIterator<Item = f64>) -> Vec<(f64, f64, u64)> {
        let column = column(samples);
        bins(&column, &column.order(quantile_ranks(column.len(), TOP).to_vec()).unwrap()).unwrap()
    }

    fn steps_of(samples: impl IntoIterator<Item = f64>, total: u64) -> Vec<(f64, f64)> {
        let column = column(samples);
        steps(&column.order(step_ranks(column.len()).collect()).unwrap(), column.len(), total)
    }

    #[test]
    fn bins_hold_every_sample_once() {
        let bins = bins_of((0..1000).map(f64::from).chain([1e6]));
        assert_eq!(bins.iter().map(|bin| bin.2).sum::<u64>(), 1001);
        assert_eq!((bins[0].0, bins[BINS - 1].1), (0.0, 1e6));
        assert!(bins.windows(2).all(|pair| pair[0].1 == pair[1].0));
        assert_eq!(bins_of([3.0, 3.0]), [(3.0, 3.0, 2)]);
    }

    #[test]
    fn steps_end_at_the_share_of_all() {
        assert_eq!(steps_of([4.0, 2.0, 1.0, 2.0], 8), [(1.0, 0.125), (2.0, 0.375), (4.0, 0.5)]);
        let steps = steps_of((0..5000).map(f64::from), 5000);
        assert_eq!((steps.len() as u64, steps[steps.len() - 1]), (POINTS, (4999.0, 1.0)));
    }

    #[test]
    fn failures_keep_the_goodput_curve_below_one() {
        let counts = OutcomeCounts { ok: 3, http_error: 1, aborted: 9, ..OutcomeCounts::default() };
        let curve = |samples: &[f64]| {
            goodput_curve(&column(samples.iter().copied()), &counts, &SloSet::default()).unwrap()
        };
        let points = curve(&[3e6, 1e6]).unwrap();
        assert_eq!(points.points, [(1.0, 0.25), (3.0, 0.5)]);
        assert_eq!(points.bound_ms, None);
        assert_eq!(curve(&[]), None);
    }
}
