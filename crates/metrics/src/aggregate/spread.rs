//! How latencies are spread, as points to draw.

use crate::metric::MetricId;
use crate::registry::id;
use crate::slo::SloSet;
use crate::stats::quantile;
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
const POINTS: usize = 200;

/// The distributions of sorted columns, by registry position.
pub(super) fn distributions(columns: &[Vec<f64>]) -> Vec<Distribution> {
    DRAWN
        .iter()
        .filter(|id| !columns[id.index()].is_empty())
        .map(|id| {
            let (metric, column) = (id.metric(), &columns[id.index()]);
            let show = |native| metric.unit.display(native);
            let bins =
                bins(column).into_iter().map(|(from, to, count)| (show(from), show(to), count)).collect();
            let cdf = steps(column, column.len() as u64).into_iter().map(|(x, y)| (show(x), y)).collect();
            Distribution { metric, bins, cdf }
        })
        .collect()
}

/// Good requests against the bound on TTFT. `otherwise_good`: TTFTs of the requests that meet all
/// other objectives.
pub(super) fn goodput_curve(
    otherwise_good: &mut [f64],
    counts: &OutcomeCounts,
    slos: &SloSet,
) -> Option<GoodputCurve> {
    const TTFT: MetricId = id!("time_to_first_token");
    otherwise_good.sort_unstable_by(f64::total_cmp);
    let points = steps(otherwise_good, counts.ok + counts.errors());
    (!points.is_empty()).then(|| GoodputCurve {
        points: points.into_iter().map(|(ttft, share)| (TTFT.metric().unit.display(ttft), share)).collect(),
        bound_ms: slos.iter().find(|slo| slo.metric().tag == TTFT.metric().tag).map(crate::Slo::threshold),
    })
}

/// Equal bins from the least sample to the 99.5th percentile, and one up to the greatest.
fn bins(sorted: &[f64]) -> Vec<(f64, f64, u64)> {
    let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
    let top = quantile(sorted, 0.995);
    if min >= top {
        return vec![(min, max, sorted.len() as u64)];
    }
    let edge =
        |bin: usize| if bin == BINS { max } else { min + (top - min) * bin as f64 / (BINS - 1) as f64 };
    let mut below = 0;
    (0..BINS)
        .map(|bin| {
            let upto = if bin + 1 == BINS {
                sorted.len()
            } else {
                sorted.partition_point(|&sample| sample < edge(bin + 1))
            };
            let count = (upto - below) as u64;
            below = upto;
            (edge(bin), edge(bin + 1), count)
        })
        .collect()
}

/// (sample, share of `total` that is not above it) for at most [`POINTS`] samples, evenly spread, the
/// last one included; of equal samples only the last.
fn steps(sorted: &[f64], total: u64) -> Vec<(f64, f64)> {
    if sorted.is_empty() || total == 0 {
        return Vec::new();
    }
    let points = sorted.len().min(POINTS);
    let mut steps: Vec<(f64, f64)> = Vec::with_capacity(points);
    for point in 1..=points {
        let sample = sorted[point * sorted.len() / points - 1];
        if steps.last().is_some_and(|&(last, _)| last == sample) {
            continue;
        }
        let not_above = sorted.partition_point(|&other| other <= sample);
        steps.push((sample, not_above as f64 / total as f64));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_every_sample_once() {
        let sorted: Vec<f64> = (0..1000).map(f64::from).chain([1e6]).collect();
        let bins = bins(&sorted);
        assert_eq!(bins.iter().map(|bin| bin.2).sum::<u64>(), 1001);
        assert_eq!((bins[0].0, bins[BINS - 1].1), (0.0, 1e6));
        assert!(bins.windows(2).all(|pair| pair[0].1 == pair[1].0));
        assert_eq!(super::bins(&[3.0, 3.0]), [(3.0, 3.0, 2)]);
    }

    #[test]
    fn steps_end_at_the_share_of_all() {
        assert_eq!(steps(&[1.0, 2.0, 2.0, 4.0], 8), [(1.0, 0.125), (2.0, 0.375), (4.0, 0.5)]);
        let sorted: Vec<f64> = (0..5000).map(f64::from).collect();
        let steps = steps(&sorted, 5000);
        assert_eq!((steps.len(), steps[POINTS - 1]), (POINTS, (4999.0, 1.0)));
    }

    #[test]
    fn failures_keep_the_goodput_curve_below_one() {
        let counts = OutcomeCounts { ok: 3, http_error: 1, aborted: 9, ..OutcomeCounts::default() };
        let curve = goodput_curve(&mut [3e6, 1e6], &counts, &SloSet::default());
        let curve = curve.expect("there are points");
        assert_eq!(curve.points, [(1.0, 0.25), (3.0, 0.5)]);
        assert_eq!(curve.bound_ms, None);
        assert_eq!(goodput_curve(&mut [], &counts, &SloSet::default()), None);
    }
}
