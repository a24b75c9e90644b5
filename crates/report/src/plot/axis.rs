//! Axes: where ticks stand, what they say, and how a value becomes a position.
//!
//! Ticks stand on round numbers (1, 2, 2.5 and 5 times a power of ten; whole seconds and minutes
//! on a time axis; decades on a logarithmic one). A scale never fails: an empty or flat domain is
//! widened until it has a length.

use std::fmt::Write as _;

/// How values spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Scale {
    /// Equal steps are equal distances.
    #[default]
    Linear,
    /// Equal ratios are equal distances; values that are not positive are left out.
    Log,
    /// Linear, in seconds, with ticks on whole seconds, minutes and hours.
    Time,
}

/// One axis of a plot.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Axis {
    /// What is measured, unit included: `time since start (s)`.
    pub(crate) label: String,
    /// How values spread.
    pub(crate) scale: Scale,
    /// Whether the axis must show zero. Without meaning on a logarithmic scale.
    pub(crate) from_zero: bool,
    /// Whether values are whole numbers, so that no tick stands between two of them.
    pub(crate) whole: bool,
    /// Fixed bounds instead of those of the data.
    pub(crate) bounds: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis that starts at zero.
    pub(crate) fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), from_zero: true, ..Self::default() }
    }

    /// A linear axis of whole numbers that starts at zero.
    pub(crate) fn count(label: impl Into<String>) -> Self {
        Self { whole: true, ..Self::linear(label) }
    }

    /// A logarithmic axis over its data.
    pub(crate) fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Log, ..Self::default() }
    }

    /// A time axis in seconds that starts at zero.
    pub(crate) fn time(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Time, from_zero: true, ..Self::default() }
    }

    /// The same axis between fixed bounds.
    pub(crate) fn between(mut self, low: f64, high: f64) -> Self {
        self.bounds = Some((low, high));
        self
    }

    /// Fits the axis to values: bounds rounded outwards to ticks where that costs little, and ticks.
    pub(super) fn fit(&self, values: impl Iterator<Item = f64>, wanted_ticks: usize) -> Fitted {
        let bounds = self.bounds.filter(|(low, high)| low.is_finite() && high.is_finite() && low < high);
        let (low, high) = bounds.unwrap_or_else(|| self.span(values));
        match self.scale {
            Scale::Linear => {
                let step = nice_step((high - low) / wanted_ticks.max(1) as f64);
                let step = if self.whole { step.max(1.0).round() } else { step };
                Fitted::linear(low, high, step, bounds.is_some())
            }
            Scale::Time => Fitted::time(low, high, wanted_ticks),
            Scale::Log => Fitted::log(low, high),
        }
    }

    fn span(&self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        let usable = values.filter(|v| v.is_finite() && (self.scale != Scale::Log || *v > 0.0));
        let (mut low, mut high) =
            usable.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            return if self.scale == Scale::Log { (1.0, 10.0) } else { (0.0, 1.0) };
        }
        if self.from_zero && self.scale != Scale::Log {
            low = low.min(0.0);
            high = high.max(0.0);
        }
        if low == high {
            return match self.scale {
                Scale::Log => (low / 2.0, high * 2.0),
                _ if low == 0.0 => (0.0, 1.0),
                _ => (low - low.abs() * 0.1, high + high.abs() * 0.1),
            };
        }
        (low, high)
    }
}

/// An axis fitted to its data.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fitted {
    low: f64,
    high: f64,
    log: bool,
    /// Value and text of each tick, ascending.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Fitted {
    fn linear(low: f64, high: f64, step: f64, fixed: bool) -> Self {
        let (low, high) =
            if fixed { (low, high) } else { ((low / step).floor() * step, (high / step).ceil() * step) };
        let ticks = steps(low, high, step).map(|v| (v, tick_text(v, step))).collect();
        Self { low, high, log: false, ticks }
    }

    fn time(low: f64, high: f64, wanted: usize) -> Self {
        const STEPS: [f64; 17] = [
            1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
            14400.0, 21600.0, 43200.0,
        ];
        let rough = (high - low) / wanted.max(1) as f64;
        let step = if rough < 1.0 {
            nice_step(rough)
        } else {
            STEPS.into_iter().find(|s| *s >= rough).unwrap_or_else(|| (rough / 86400.0).ceil() * 86400.0)
        };
        let clock = high > 120.0 && step >= 5.0;
        let text = |v: f64| if clock { clock_text(v) } else { tick_text(v, step) };
        let ticks = steps(low, high, step).map(|v| (v, text(v))).collect();
        Self { low, high, log: false, ticks }
    }

    fn log(low: f64, high: f64) -> Self {
        let (low, high) = if low > 0.0 && high > low { (low, high) } else { (1.0, 10.0) };
        let decades = (high / low).log10();
        // Within a few decades the ticks at 2 and 5 help; over many they crowd.
        let marks: &[f64] = if decades <= 1.0 {
            &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0]
        } else if decades <= 3.0 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let first = low.log10().floor() as i32;
        let last = high.log10().ceil() as i32;
        let mut ticks: Vec<_> = (first..=last)
            .flat_map(|power| marks.iter().map(move |m| m * 10_f64.powi(power)))
            .filter(|v| *v >= low * (1.0 - 1e-9) && *v <= high * (1.0 + 1e-9))
            .map(|v| (v, tick_text(v, v)))
            .collect();
        // Between two marks lies no other: values within a few percent of each other get even steps.
        if ticks.len() < 2 {
            let step = nice_step((high - low) / 4.0);
            ticks = steps(low, high, step).map(|v| (v, tick_text(v, step))).collect();
        }
        Self { low, high, log: true, ticks }
    }

    /// Where `value` stands between the bounds: 0 at the low one, 1 at the high one, clamped; `None`
    /// where it has no place.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        if !value.is_finite() {
            return None;
        }
        let share = if self.log {
            if value <= 0.0 {
                return None;
            }
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.is_finite().then(|| share.clamp(0.0, 1.0))
    }

    /// Whether `value` lies within the bounds.
    pub(super) fn holds(&self, value: f64) -> bool {
        value >= self.low && value <= self.high
    }
}

/// The round step next above `rough`.
fn nice_step(rough: f64) -> f64 {
    if !(rough.is_finite() && rough > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|f| f * power >= rough * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

fn steps(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    // The bound keeps a degenerate domain from asking for millions of ticks.
    (first..=last.min(first.saturating_add(50))).map(move |i| i as f64 * step)
}

/// A tick's text: as many decimals as its step needs, thousands shortened (`12.5k`, `3M`).
fn tick_text(value: f64, step: f64) -> String {
    let (scaled, step, suffix) = match value.abs().max(step.abs()) {
        a if a >= 1e9 => (value / 1e9, step / 1e9, "G"),
        a if a >= 1e6 => (value / 1e6, step / 1e6, "M"),
        a if a >= 1e4 => (value / 1e3, step / 1e3, "k"),
        _ => (value, step, ""),
    };
    let decimals = (0..9).find(|d| {
        let shifted = step.abs() * 10_f64.powi(*d);
        (shifted - shifted.round()).abs() < 1e-6 * shifted.max(1.0)
    });
    let mut text = format!("{scaled:.*}", decimals.unwrap_or(9) as usize);
    if text.starts_with('-') && text.trim_start_matches(['-', '0', '.']).is_empty() {
        text.remove(0);
    }
    if scaled != 0.0 {
        text.push_str(suffix);
    }
    text
}

/// Seconds as `m:ss` or `h:mm:ss`.
fn clock_text(seconds: f64) -> String {
    let total = seconds.round() as i64;
    let (h, m, s) = (total / 3600, total / 60 % 60, total % 60);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = if h > 0 { write!(text, "{h}:{m:02}:{s:02}") } else { write!(text, "{m}:{s:02}") };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis, values: &[f64], wanted: usize) -> Vec<String> {
        axis.fit(values.iter().copied(), wanted).ticks.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_cover_the_data() {
        assert_eq!(texts(&Axis::linear("ms"), &[3.0, 97.0], 5), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(texts(&Axis::linear("s"), &[0.0, 0.83], 4), ["0.00", "0.25", "0.50", "0.75", "1.00"]);
        assert_eq!(texts(&Axis::linear("t"), &[0.0, 31_000.0], 4), ["0", "10k", "20k", "30k", "40k"]);
    }

    #[test]
    fn ticks_of_counts_are_whole() {
        assert_eq!(texts(&Axis::count("errors"), &[2.0], 5), ["0", "1", "2"]);
    }

    #[test]
    fn time_ticks_are_seconds_then_clock_times() {
        assert_eq!(texts(&Axis::time("t"), &[0.0, 58.0], 6), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(
            texts(&Axis::time("t"), &[0.0, 600.0], 5),
            ["0:00", "2:00", "4:00", "6:00", "8:00", "10:00"]
        );
        assert_eq!(texts(&Axis::time("t"), &[0.0, 7200.0], 2), ["0:00", "1:00:00", "2:00:00"]);
    }

    #[test]
    fn log_ticks_thin_out_with_the_number_of_decades() {
        assert_eq!(texts(&Axis::log("ms"), &[9.0, 210.0], 5), ["10", "20", "50", "100", "200"]);
        assert_eq!(texts(&Axis::log("ms"), &[0.1, 10_000.0], 5), ["0.1", "1", "10", "100", "1000", "10k"]);
    }

    #[test]
    fn a_log_axis_over_close_values_still_has_ticks() {
        assert_eq!(texts(&Axis::log("ms"), &[101.0, 104.0], 5), ["101", "102", "103", "104"]);
        assert_eq!(texts(&Axis::log("ms"), &[41.2, 43.9], 5), ["42", "43"]);
    }

    #[test]
    fn bounds_without_a_length_give_way_to_the_data() {
        for bounds in [(0.0, 0.0), (3.0, 1.0), (0.0, f64::INFINITY), (f64::NAN, 1.0)] {
            for axis in [Axis::linear("x"), Axis::log("x"), Axis::time("x")] {
                let fitted = axis.between(bounds.0, bounds.1).fit([2.0, 5.0].into_iter(), 5);
                assert!(fitted.low < fitted.high && !fitted.ticks.is_empty(), "{bounds:?}: {fitted:?}");
                assert!(fitted.place(4.0).is_some_and(|place| place > 0.0 && place < 1.0));
            }
        }
        let huge = Axis::linear("x").fit([f64::MIN, f64::MAX].into_iter(), 5);
        assert!(huge.place(0.0).is_none_or(f64::is_finite));
    }

    #[test]
    fn no_data_still_gives_an_axis() {
        for axis in [Axis::linear("x"), Axis::log("x"), Axis::time("x")] {
            for values in [&[][..], &[0.0], &[5.0, 5.0], &[f64::NAN], &[-3.0, -3.0]] {
                let fitted = axis.fit(values.iter().copied(), 5);
                assert!(fitted.low < fitted.high, "{axis:?} over {values:?}: {fitted:?}");
                assert!(fitted.ticks.len() < 60);
            }
        }
    }

    #[test]
    fn places_are_clamped_and_refuse_what_has_no_place() {
        let axis = Axis::log("x").between(1.0, 100.0).fit(std::iter::empty(), 5);
        assert_eq!(axis.place(10.0), Some(0.5));
        assert_eq!(axis.place(1e9), Some(1.0));
        assert_eq!(axis.place(0.0), None);
        assert_eq!(axis.place(f64::NAN), None);
    }
}
