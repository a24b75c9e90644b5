//! The samples of several runs as if they were of one: one population a metric.
//!
//! Memory is bounded: beyond some thousands of samples a column lies on disk.

use std::path::Path;
use std::sync::Arc;

use crate::column::{Column, Scratch, SpillError, quantile_ranks};

/// Samples of one metric, pooled over runs.
#[derive(Debug, Default)]
pub struct Pool {
    column: Column,
}

/// What pooled samples come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PooledFigures {
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation (divided by n - 1); 0 for a single sample.
    pub std: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Number of samples.
    pub count: u64,
}

impl Pool {
    /// As many empty pools as are taken from the iterator; what does not fit in memory shares one file
    /// without a name in `folder`, which must exist.
    pub fn in_folder(folder: &Path) -> impl Iterator<Item = Self> + use<> {
        let scratch = Arc::new(Scratch::new(folder));
        std::iter::repeat_with(move || Self { column: Column::new(Some(Arc::clone(&scratch))) })
    }

    /// Adds a sample.
    pub fn push(&mut self, sample: f64) {
        self.column.push(sample);
    }

    /// Number of samples.
    pub fn count(&self) -> u64 {
        self.column.len()
    }

    /// Sum of the samples.
    pub fn sum(&self) -> f64 {
        self.column.sum()
    }

    /// What the samples come to; `None` without any.
    pub fn figures(&self) -> Result<Option<PooledFigures>, SpillError> {
        let count = self.column.len();
        let Some(population) = self.column.deviation()? else { return Ok(None) };
        let shares = [0.5, 0.9, 0.95, 0.99];
        let order =
            self.column.order(shares.iter().flat_map(|share| quantile_ranks(count, *share)).collect())?;
        let [p50, p90, p95, p99] =
            shares.map(|share| order.quantile(share).expect("both ranks of each share were asked for"));
        let correction = if count > 1 { (count as f64 / (count - 1) as f64).sqrt() } else { 1.0 };
        let mean = self.column.sum() / count as f64;
        Ok(Some(PooledFigures { mean, std: population * correction, p50, p90, p95, p99, count }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pooled_figures_are_those_of_one_population() {
        let folder = tempfile::tempdir().unwrap();
        let mut pool = Pool::in_folder(folder.path()).next().unwrap();
        assert_eq!(pool.figures().unwrap(), None);
        for sample in [4.0, 1.0, 3.0, 2.0] {
            pool.push(sample);
        }
        let figures = pool.figures().unwrap().unwrap();
        assert_eq!((figures.mean, figures.p50, figures.count), (2.5, 2.5, 4));
        assert!((figures.std - (5.0_f64 / 3.0).sqrt()).abs() < 1e-12, "divided by n - 1");
        assert!((figures.p90 - 3.7).abs() < 1e-12);
        assert!((figures.p99 - 3.97).abs() < 1e-12);
    }
}
