//! Quantiles of a few million values, exact.

/// The quantile `q` (0 to 1) by linear interpolation between closest ranks, as numpy and AIPerf have it;
/// `None` of nothing. Sorts `values`.
pub(crate) fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    values.sort_unstable_by(f64::total_cmp);
    let rank = q.clamp(0.0, 1.0) * last as f64;
    let below = values[rank.floor() as usize];
    let above = values[rank.ceil() as usize];
    Some(below + (above - below) * rank.fract())
}

/// The 99th percentile of the magnitudes of durations in ns, in ms.
pub(crate) fn p99_ms(durations_ns: &[i64]) -> Option<f64> {
    let mut magnitudes: Vec<f64> = durations_ns.iter().map(|ns| ns.unsigned_abs() as f64 / 1e6).collect();
    quantile(&mut magnitudes, 0.99)
}

/// `part` of `whole` in percent; `None` of nothing.
pub(crate) fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

#[cfg(test)]
#[allow(dead_code, unused_imports, reason = "a bench is built with cfg(test) and without its tests")]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_between_ranks() {
        assert_eq!(quantile(&mut [], 0.5), None);
        assert_eq!(quantile(&mut [3.0], 0.99), Some(3.0));
        assert_eq!(quantile(&mut [4.0, 1.0, 2.0, 3.0], 0.5), Some(2.5));
        assert_eq!(quantile(&mut [2.0, 1.0], 1.0), Some(2.0));
    }

    #[test]
    fn magnitudes_count_in_both_directions() {
        assert_eq!(p99_ms(&[-2_000_000, 2_000_000]), Some(2.0));
        assert_eq!(percent(1, 4), Some(25.0));
        assert_eq!(percent(0, 0), None);
    }
}
