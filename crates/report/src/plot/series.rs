//! What a plot draws: lines, bands, bars and rules.
//!
//! Nothing here knows pixels or colours' values; a point with a value that is not finite breaks a
//! line rather than being drawn.

/// A role for a colour. The style sheet gives each a value for light and for dark pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
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
    pub(crate) fn of_series(index: usize) -> Self {
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
pub(crate) struct Layer {
    /// Name in the legend; empty keeps it out.
    pub(crate) name: String,
    /// Colour.
    pub(crate) colour: Colour,
    /// What is drawn.
    pub(crate) mark: Mark,
}

/// The forms a layer can take.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mark {
    /// A line through points in order; a value that is not finite breaks it.
    Line(Vec<(f64, f64)>),
    /// The area between two values at each x: `(x, low, high)`.
    Band(Vec<(f64, f64, f64)>),
    /// The area from zero to the value.
    Area(Vec<(f64, f64)>),
    /// Bars: `(from, to, height)`.
    Bars(Vec<(f64, f64, f64)>),
    /// A vertical line with a label.
    At(f64, String),
    /// A horizontal line with a label.
    Level(f64, String),
}

impl Mark {
    pub(super) fn xs(&self) -> Vec<f64> {
        match self {
            Self::Line(p) | Self::Area(p) => p.iter().map(|p| p.0).collect(),
            Self::Band(p) => p.iter().map(|p| p.0).collect(),
            Self::Bars(b) => b.iter().flat_map(|b| [b.0, b.1]).collect(),
            Self::At(x, _) => vec![*x],
            Self::Level(..) => Vec::new(),
        }
    }

    pub(super) fn ys(&self) -> Vec<f64> {
        match self {
            Self::Line(p) | Self::Area(p) => p.iter().map(|p| p.1).collect(),
            Self::Band(p) => p.iter().flat_map(|p| [p.1, p.2]).collect(),
            Self::Bars(b) => b.iter().map(|b| b.2).collect(),
            Self::At(..) => Vec::new(),
            Self::Level(y, _) => vec![*y],
        }
    }
}

/// Thins a line to what `columns` pixel columns can show: first, lowest, highest and last point of
/// each column, so that a spike never disappears, and where the line breaks. Order is kept.
pub(super) fn thin(points: &[(f64, f64)], columns: usize) -> Vec<(f64, f64)> {
    if points.len() <= columns * 4 || columns == 0 {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(columns * 4);
    for bucket in points.chunks(points.len().div_ceil(columns)) {
        // What is not finite would pass for the highest.
        let finite = || bucket.iter().enumerate().filter(|(_, point)| point.1.is_finite());
        let by_height = |a: &(usize, &(f64, f64)), b: &(usize, &(f64, f64))| a.1.1.total_cmp(&b.1.1);
        let mut chosen = vec![0, bucket.len() - 1];
        chosen.extend(finite().min_by(by_height).map(|(index, _)| index));
        chosen.extend(finite().max_by(by_height).map(|(index, _)| index));
        chosen.extend(bucket.iter().position(|point| !point.1.is_finite()));
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
    fn thinning_keeps_the_spike() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        points[54_321].1 = 99.0;
        let thinned = thin(&points, 500);
        assert!(thinned.len() <= 2000);
        assert!(thinned.contains(&(54_321.0, 99.0)));
        assert!(thinned.windows(2).all(|w| w[0].0 < w[1].0));
        assert_eq!(thinned.last(), points.last());

        points[54_322].1 = f64::NAN;
        let thinned = thin(&points, 500);
        assert!(thinned.contains(&(54_321.0, 99.0)), "a break beside it does not hide the spike");
        assert_eq!(thinned.iter().filter(|point| point.1.is_nan()).count(), 1);
    }
}
