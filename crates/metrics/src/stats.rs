//! Exact statistics of a set of samples.

/// The percentiles of every summary, ascending.
pub const PERCENTILES: [u8; 9] = [1, 5, 10, 25, 50, 75, 90, 95, 99];

/// A metric's statistics in its display unit. Which of them exist depends on the metric: a scalar has
/// `avg` alone. Never NaN or infinite.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stats {
    /// Mean, or the figure itself.
    pub avg: Option<f64>,
    /// One for each of [`PERCENTILES`].
    pub percentiles: [Option<f64>; PERCENTILES.len()],
    /// Least.
    pub min: Option<f64>,
    /// Greatest.
    pub max: Option<f64>,
    /// Population standard deviation (divided by n, not n - 1).
    pub std: Option<f64>,
    /// Number of samples.
    pub count: Option<u64>,
    /// Sum of the samples.
    pub sum: Option<f64>,
}

impl Stats {
    /// A figure that is not a distribution.
    pub fn scalar(figure: f64) -> Self {
        Self { avg: Some(figure), ..Self::default() }.finite()
    }

    /// Percentile `percent`, one of [`PERCENTILES`].
    pub fn percentile(&self, percent: u8) -> Option<f64> {
        let at = PERCENTILES.iter().position(|&known| known == percent)?;
        self.percentiles[at]
    }

    /// Whether it is a distribution (has percentiles) rather than a figure.
    pub fn is_distribution(&self) -> bool {
        self.percentiles.iter().any(Option::is_some)
    }

    fn finite(self) -> Self {
        self
    }
}
