//! Durations and ratios as people write them in a profile: `50ms`, `1.5s`, `0.1`, `10%`.
//!
//! What is printed parses back to the same value. Not a general units library: only what profiles use.

/// Parses a duration to nanoseconds. Units `ns`, `us`, `ms`, `s`; a bare number is milliseconds.
/// `None` when it is not a finite number ≥ 0 with a known unit, or longer than a day.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic() || c == 'µ').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale: i64 = match unit.trim() {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" | "" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    };
    let number = number.trim();
    let day = 86_400_000_000_000_i64;
    // Whole numbers stay exact; fractions go through f64.
    if let Ok(whole) = number.parse::<i64>() {
        return whole.checked_mul(scale).filter(|ns| (0..=day).contains(ns));
    }
    let value = number.parse::<f64>().ok().filter(|value| value.is_finite())? * scale as f64;
    (0.0..=day as f64).contains(&value).then(|| value.round() as i64)
}

/// Prints nanoseconds in the largest unit that keeps them whole.
pub(crate) fn show_duration(ns: i64) -> String {
    for (scale, unit) in [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")] {
        if ns % scale == 0 {
            return format!("{}{unit}", ns / scale);
        }
    }
    format!("{ns}ns")
}

/// Parses a share of one: `0.25` or `25%`. `None` outside 0..=1.
pub(crate) fn parse_ratio(text: &str) -> Option<f64> {
    let value = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
        None => text.parse::<f64>().ok()?,
    };
    (0.0..=1.0).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_in_every_unit() {
        assert_eq!(parse_duration("50ms"), Some(50_000_000));
        assert_eq!(parse_duration("50"), Some(50_000_000));
        assert_eq!(parse_duration("1.5s"), Some(1_500_000_000));
        assert_eq!(parse_duration("20 µs"), Some(20_000));
        assert_eq!(parse_duration("7ns"), Some(7));
        for wrong in ["", "ms", "-1ms", "NaN", "inf", "1h", "1e30s", "2 days"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ratios_as_numbers_and_percent() {
        assert_eq!(parse_ratio("0.25"), Some(0.25));
        assert_eq!(parse_ratio("25%"), Some(0.25));
        for wrong in ["", "-0.1", "101%", "1.5", "NaN"] {
            assert_eq!(parse_ratio(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_shown_duration_parses_back(ns in 0_i64..86_400_000_000_000) {
            prop_assert_eq!(parse_duration(&show_duration(ns)), Some(ns));
        }
    }
}
