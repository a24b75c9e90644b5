//! What a plot draws: lines, bands, bars, dots and rules, and the arithmetic that turns samples
//! into them.
//!
//! Nothing here knows pixels or colours' values; a point with a value that is not finite breaks a
//! line rather than being drawn.

/// A role for a colour. The style sheet gives each a value for light and for dark pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// First series.
    Blue,
    /// Second series.
    Orange,
    /// What is good.
    Green,
    /// Third series.
    Violet,
    /// What is bad.
    Red,
    /// What is context.
    Grey,
}

impl Colour {
    /// Series colours in order, repeating.
    pub fn of_series(index: usize) -> Self {
        [Self::Blue, Self::Orange, Self::Violet, Self::Green, Self::Red, Self::Grey][index % 6]
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Blue => "c-blue",
            Self::Orange => "c-orange",
            Self::Green => "c-green",
            Self::Violet => "c-violet",
            Self::Red => "c-red",
            Self::Grey => "c-grey",
        }
    }
}

/// One thing drawn, with its name for the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Name in the legend; empty keeps it out.
    pub name: String,
    /// Colour.
    pub colour: Colour,
    /// What is drawn.
    pub mark: Mark,
}

/// The forms a layer can take.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A line through points in order; a value that is not finite breaks it.
    Line(Vec<(f64, f64)>),
    /// A thin dashed line.
    Dashed(Vec<(f64, f64)>),
    /// The area between two values at each x: `(x, low, high)`.
    Band(Vec<(f64, f64, f64)>),
    /// The area from zero to the value.
    Area(Vec<(f64, f64)>),
    /// Bars: `(from, to, height)`.
    Bars(Vec<(f64, f64, f64)>),
    /// One dot a point.
    Dots(Vec<(f64, f64)>),
    /// A vertical line with a label.
    At(f64, String),
    /// A horizontal line with a label.
    Level(f64, String),
}

impl Mark {
    pub(super) fn xs(&self) -> Vec<f64> {
        match self {
            Self::Line(p) | Self::Dashed(p) | Self::Area(p) | Self::Dots(p) => {
                p.iter().map(|p| p.0).collect()
            }
            Self::Band(p) => p.iter().map(|p| p.0).collect(),
            Self::Bars(b) => b.iter().flat_map(|b| [b.0, b.1]).collect(),
            Self::At(x, _) => vec![*x],
            Self::Level(..) => Vec::new(),
        }
    }

    pub(super) fn ys(&self) -> Vec<f64> {
        match self {
            Self::Line(p) | Self::Dashed(p) | Self::Area(p) | Self::Dots(p) => {
                p.iter().map(|p| p.1).collect()
            }
            Self::Band(p) => p.iter().flat_map(|p| [p.1, p.2]).collect(),
            Self::Bars(b) => b.iter().map(|b| b.2).collect(),
            Self::At(..) => Vec::new(),
            Self::Level(y, _) => vec![*y],
        }
    }
}

/// Bars of a histogram over `bins` bins of equal width, or of equal ratio with `log`. Samples that
/// are not finite (or not positive, with `log`) are left out. Heights are counts.
pub fn histogram(samples: &[f64], bins: usize, log: bool) -> Vec<(f64, f64, f64)> {
    let usable: Vec<f64> = samples.iter().copied().filter(|v| v.is_finite() && (!log || *v > 0.0)).collect();
    let Some(low) = usable.iter().copied().reduce(f64::min) else { return Vec::new() };
    let high = usable.iter().copied().fold(low, f64::max);
    let bins = if low == high { 1 } else { bins.max(1) };
    let (low, high) = if low == high { (low * 0.95, high * 1.05 + f64::MIN_POSITIVE) } else { (low, high) };
    let edge = |i: usize| {
        let share = i as f64 / bins as f64;
        if log { low * (high / low).powf(share) } else { low + (high - low) * share }
    };
    let index = |v: f64| {
        let share = if log { (v / low).ln() / (high / low).ln() } else { (v - low) / (high - low) };
        ((share * bins as f64) as usize).min(bins - 1)
    };
    let mut counts = vec![0_u64; bins];
    for v in usable {
        counts[index(v)] += 1;
    }
    counts.into_iter().enumerate().map(|(i, n)| (edge(i), edge(i + 1), n as f64)).collect()
}

/// The cumulative distribution of samples as at most `points` points `(value, share ≤ value)`,
/// always with the smallest and the largest one.
pub fn cumulative(samples: &[f64], points: usize) -> Vec<(f64, f64)> {
    let mut sorted: Vec<f64> = samples.iter().copied().filter(|v| v.is_finite()).collect();
    if sorted.is_empty() {
        return Vec::new();
    }
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let wanted = points.clamp(2, n.max(2));
    let mut curve: Vec<(f64, f64)> = (0..wanted)
        .map(|i| sorted[i * (n - 1) / (wanted - 1)])
        .map(|value| (value, sorted.partition_point(|v| *v <= value) as f64 / n as f64))
        .collect();
    curve.dedup_by_key(|point| point.0);
    curve
}

/// Thins a line to what `columns` pixel columns can show: first, lowest, highest and last point of
/// each column, so that a spike never disappears. Order is kept.
pub(super) fn thin(points: &[(f64, f64)], columns: usize) -> Vec<(f64, f64)> {
    if points.len() <= columns * 4 || columns == 0 {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(columns * 4);
    for bucket in points.chunks(points.len().div_ceil(columns)) {
        let by = |a: &&(usize, (f64, f64)), b: &&(usize, (f64, f64))| a.1.1.total_cmp(&b.1.1);
        let indexed: Vec<(usize, (f64, f64))> = bucket.iter().copied().enumerate().collect();
        let mut chosen = vec![0, bucket.len() - 1];
        chosen.extend(indexed.iter().min_by(by).map(|p| p.0));
        chosen.extend(indexed.iter().max_by(by).map(|p| p.0));
        chosen.sort_unstable();
        chosen.dedup();
        kept.extend(chosen.into_iter().map(|i| bucket[i]));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_every_usable_sample_once() {
        let samples: Vec<f64> =
            (0..1000).map(|i| 1.0 + f64::from(i)).chain([f64::NAN, f64::INFINITY]).collect();
        for log in [false, true] {
            let bars = histogram(&samples, 20, log);
            assert_eq!(bars.len(), 20);
            assert_eq!(bars.iter().map(|b| b.2).sum::<f64>(), 1000.0);
            assert!(bars.windows(2).all(|w| w[0].1 == w[1].0 && w[0].0 < w[0].1));
        }
        assert_eq!(histogram(&[5.0; 3], 10, true).len(), 1);
        assert!(histogram(&[], 10, true).is_empty());
        assert!(histogram(&[0.0, -1.0], 10, true).is_empty());
    }

    #[test]
    fn a_cumulative_curve_rises_from_the_smallest_to_one() {
        let samples: Vec<f64> = (0..5000).map(|i| f64::from(i % 97)).collect();
        let curve = cumulative(&samples, 100);
        assert!(curve.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 < w[1].1));
        assert_eq!(curve.last(), Some(&(96.0, 1.0)));
        assert_eq!(cumulative(&[7.0], 100), [(7.0, 1.0)]);
        assert!(cumulative(&[], 100).is_empty());
    }

    #[test]
    fn thinning_keeps_the_spike() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        points[54_321].1 = 99.0;
        let thinned = thin(&points, 500);
        assert!(thinned.len() <= 2000);
        assert!(thinned.contains(&(54_321.0, 99.0)));
        assert!(thinned.windows(2).all(|w| w[0].0 < w[1].0));
        assert_eq!(thinned.last(), points.last());
    }
}
