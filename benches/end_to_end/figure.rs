//! What a case measures: figures, each with a floor that must hold and an aim where there is one.
//!
//! A figure knows in which direction it is better and how it prints; it does not know how it came about.

use std::fmt::Write;

use serde_json::{Value, json};

/// One figure of a case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    /// Its name in the JSON file: stable, unique within its case.
    pub(crate) key: &'static str,
    /// What it is, for the table.
    pub(crate) label: &'static str,
    /// What it is counted in.
    pub(crate) unit: Unit,
    /// What it should be.
    pub(crate) goal: Goal,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// Nothing is asked of it, and less of it is better.
    Less,
    /// Nothing is asked of it, and more of it is better.
    More,
    /// At most this much.
    AtMost {
        /// What must hold.
        floor: f64,
        /// What is hoped for.
        aim: f64,
    },
    /// At least this much.
    AtLeast {
        /// What must hold.
        floor: f64,
        /// What is hoped for.
        aim: f64,
    },
}

/// How a figure is counted, and printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Milliseconds.
    Ms,
    /// Microseconds of CPU time.
    CpuMicros,
    /// Seconds.
    Seconds,
    /// A ratio of two figures.
    Times,
    /// A share, in percent.
    Percent,
    /// 2^20 bytes.
    MiB,
    /// 2^10 bytes.
    KiB,
    /// Events a second.
    PerSecond,
    /// Yes (1) or no (0).
    Holds,
}

impl Figure {
    /// A figure that nothing is asked of, of which less is better.
    pub(crate) const fn less(key: &'static str, label: &'static str, unit: Unit) -> Self {
        Self { key, label, unit, goal: Goal::Less }
    }

    /// A figure that nothing is asked of, of which more is better.
    pub(crate) const fn more(key: &'static str, label: &'static str, unit: Unit) -> Self {
        Self { key, label, unit, goal: Goal::More }
    }

    /// A figure that must not exceed `floor` and should not exceed `aim`.
    pub(crate) const fn at_most(
        key: &'static str,
        label: &'static str,
        unit: Unit,
        floor: f64,
        aim: f64,
    ) -> Self {
        Self { key, label, unit, goal: Goal::AtMost { floor, aim } }
    }

    /// A figure that must reach `floor` and should reach `aim`.
    pub(crate) const fn at_least(
        key: &'static str,
        label: &'static str,
        unit: Unit,
        floor: f64,
        aim: f64,
    ) -> Self {
        Self { key, label, unit, goal: Goal::AtLeast { floor, aim } }
    }

    /// A statement that must hold in every run.
    pub(crate) const fn holds(key: &'static str, label: &'static str) -> Self {
        Self::at_least(key, label, Unit::Holds, 1.0, 1.0)
    }
}

impl Goal {
    /// Whether less is better.
    pub(crate) fn wants_less(self) -> bool {
        matches!(self, Self::Less | Self::AtMost { .. })
    }

    /// What must hold.
    pub(crate) fn floor(self) -> Option<f64> {
        match self {
            Self::AtMost { floor, .. } | Self::AtLeast { floor, .. } => Some(floor),
            Self::Less | Self::More => None,
        }
    }

    /// What is hoped for.
    pub(crate) fn aim(self) -> Option<f64> {
        match self {
            Self::AtMost { aim, .. } | Self::AtLeast { aim, .. } => Some(aim),
            Self::Less | Self::More => None,
        }
    }

    fn is_met(self, value: f64, bound: f64) -> bool {
        if self.wants_less() { value <= bound } else { value >= bound }
    }
}

impl Unit {
    /// A value with its unit.
    pub(crate) fn show(self, value: f64) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Ms => write!(text, "{value:.3} ms"),
            Self::CpuMicros => write!(text, "{value:.2} µs"),
            Self::Seconds => write!(text, "{value:.3} s"),
            Self::Times => write!(text, "{value:.2} ×"),
            Self::Percent if !(1.0..=99.0).contains(&value) => write!(text, "{value:.3} %"),
            Self::Percent => write!(text, "{value:.1} %"),
            Self::MiB => write!(text, "{value:.1} MiB"),
            Self::KiB => write!(text, "{value:.1} KiB"),
            Self::PerSecond => write!(text, "{value:.0} /s"),
            Self::Holds => write!(text, "{}", if value >= 1.0 { "yes" } else { "no" }),
        };
        text
    }
}

/// Who measured a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// loadgen.
    Loadgen,
    /// wrk, under the same load in the same run.
    Wrk,
    /// AIPerf, under the same load in the same run.
    Aiperf,
}

/// A value of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// [`Figure::key`].
    pub(crate) key: &'static str,
    /// Who.
    pub(crate) who: Who,
    /// In the figure's unit.
    pub(crate) value: f64,
}

/// The values of one run of a case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(pub(crate) Vec<Sample>);

impl Samples {
    /// Notes a value of loadgen's.
    pub(crate) fn put(&mut self, key: &'static str, value: f64) {
        self.0.push(Sample { key, who: Who::Loadgen, value });
    }

    /// Notes a value of a peer's.
    pub(crate) fn put_peer(&mut self, key: &'static str, who: Who, value: f64) {
        self.0.push(Sample { key, who, value });
    }

    /// Notes a value of loadgen's where there is one: a quantile of nothing is none.
    pub(crate) fn put_some(&mut self, key: &'static str, value: Option<f64>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }
}

/// All runs of a figure.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Which.
    pub(crate) figure: Figure,
    /// loadgen's values, one a run, in the order of the runs.
    pub(crate) ours: Vec<f64>,
    /// Median of wrk's.
    pub(crate) wrk: Option<f64>,
    /// Median of AIPerf's.
    pub(crate) aiperf: Option<f64>,
}

/// Whether a figure is what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is asked of it.
    Free,
    /// It could not be measured.
    Missing,
    /// Not even the median of the runs keeps to the floor.
    Broken,
    /// The median keeps to the floor, the worst run does not.
    MedianHolds,
    /// Every run keeps to the floor.
    Holds,
    /// Every run keeps to the floor and the median to the aim.
    Aimed,
}

impl Measured {
    /// Gathers a figure from the runs of its case.
    pub(crate) fn gather(figure: Figure, runs: &[Samples]) -> Self {
        let values = |who| -> Vec<f64> {
            let samples = runs.iter().flat_map(|run| &run.0);
            samples
                .filter(|sample| sample.key == figure.key && sample.who == who)
                .map(|sample| sample.value)
                .collect()
        };
        Self {
            figure,
            ours: values(Who::Loadgen),
            wrk: median(&values(Who::Wrk)),
            aiperf: median(&values(Who::Aiperf)),
        }
    }

    /// The median of the runs.
    pub(crate) fn median(&self) -> Option<f64> {
        median(&self.ours)
    }

    /// The worst of the runs.
    pub(crate) fn worst(&self) -> Option<f64> {
        let values = self.ours.iter().copied();
        if self.figure.goal.wants_less() { values.reduce(f64::max) } else { values.reduce(f64::min) }
    }

    /// Whether it is what it must be.
    pub(crate) fn standing(&self) -> Standing {
        let goal = self.figure.goal;
        let (Some(floor), Some(aim)) = (goal.floor(), goal.aim()) else { return Standing::Free };
        let (Some(median), Some(worst)) = (self.median(), self.worst()) else { return Standing::Missing };
        if !goal.is_met(median, floor) {
            Standing::Broken
        } else if !goal.is_met(worst, floor) {
            Standing::MedianHolds
        } else if goal.is_met(median, aim) {
            Standing::Aimed
        } else {
            Standing::Holds
        }
    }

    /// For the JSON file.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "figure": self.figure.key,
            "label": self.figure.label,
            "unit": format!("{:?}", self.figure.unit),
            "runs": self.ours,
            "median": self.median(),
            "worst": self.worst(),
            "floor": self.figure.goal.floor(),
            "aim": self.figure.goal.aim(),
            "standing": format!("{:?}", self.standing()),
            "wrk": self.wrk,
            "aiperf": self.aiperf,
        })
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    crate::quantile::quantile(&mut values, 0.5)
}

#[cfg(test)]
#[allow(dead_code, unused_imports, reason = "a bench is built with cfg(test) and without its tests")]
mod tests {
    use super::*;

    fn measured(figure: Figure, values: &[f64]) -> Measured {
        let runs: Vec<Samples> = values
            .iter()
            .map(|value| {
                let mut samples = Samples::default();
                samples.put(figure.key, *value);
                samples
            })
            .collect();
        Measured::gather(figure, &runs)
    }

    #[test]
    fn the_worst_run_decides_whether_the_floor_holds_and_the_median_whether_the_aim_does() {
        let lag = Figure::at_most("lag", "lag", Unit::Ms, 1.0, 0.2);
        assert_eq!(measured(lag, &[0.1, 0.2, 0.9]).standing(), Standing::Aimed);
        assert_eq!(measured(lag, &[0.1, 0.3, 0.9]).standing(), Standing::Holds);
        assert_eq!(measured(lag, &[0.1, 0.3, 1.1]).standing(), Standing::MedianHolds);
        assert_eq!(measured(lag, &[0.1, 1.3, 1.1]).standing(), Standing::Broken);
        assert_eq!(measured(lag, &[]).standing(), Standing::Missing);
        assert_eq!(measured(lag, &[0.1, 0.3, 1.1]).worst(), Some(1.1));
    }

    #[test]
    fn where_more_is_better_the_worst_run_is_the_least() {
        let flagged = Figure::at_least("flagged", "flagged", Unit::Percent, 99.9, 100.0);
        assert_eq!(measured(flagged, &[100.0, 99.95, 100.0]).standing(), Standing::Aimed);
        assert_eq!(measured(flagged, &[100.0, 99.0, 100.0]).standing(), Standing::MedianHolds);
        assert_eq!(measured(Figure::more("rate", "rate", Unit::PerSecond), &[3.0, 2.0]).worst(), Some(2.0));
    }

    #[test]
    fn a_peer_stands_beside_and_decides_nothing() {
        let cpu = Figure::less("cpu", "cpu", Unit::CpuMicros);
        let mut samples = Samples::default();
        samples.put("cpu", 7.0);
        samples.put_peer("cpu", Who::Wrk, 6.0);
        samples.put_peer("other", Who::Aiperf, 5.0);
        let measured = Measured::gather(cpu, &[samples]);
        assert_eq!((measured.wrk, measured.aiperf), (Some(6.0), None));
        assert_eq!(measured.standing(), Standing::Free);
    }

    #[test]
    fn values_print_with_their_unit() {
        assert_eq!(Unit::Percent.show(99.95), "99.950 %");
        assert_eq!(Unit::Percent.show(42.0), "42.0 %");
        assert_eq!(Unit::Holds.show(1.0), "yes");
        assert_eq!(Unit::Times.show(1.333), "1.33 ×");
    }
}
