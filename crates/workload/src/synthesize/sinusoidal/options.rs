//! The options of Dynamo's sin_synth, and what can be wrong with them.

use std::fmt;

use loadgen_schedule::Sinusoid;
use serde::{Deserialize, Serialize};

use super::{Lengths, RateMode, Sinusoidal};

/// The options as given, named as the flags are; `None` takes Dynamo's default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// `--block-size`: tokens in a block (512).
    pub block_size: Option<u32>,
    /// `--total-blocks`: block contents are drawn from 0 to this, both included (10000).
    pub total_blocks: Option<u64>,
    /// `--time-duration`: seconds (100).
    pub time_duration_s: Option<u32>,
    /// `--process-interval`: seconds over which [`RateMode::Step`] holds the rate (1).
    pub process_interval_s: Option<u32>,
    /// `--request-rate-min`: requests per second (5).
    pub request_rate_min: Option<f64>,
    /// `--request-rate-max`: requests per second (10).
    pub request_rate_max: Option<f64>,
    /// `--request-rate-period`: seconds (10).
    pub request_rate_period_s: Option<f64>,
    /// `--isl1`: input tokens of class 1 (100).
    pub isl1: Option<u32>,
    /// `--osl1`: output tokens of class 1 (2000).
    pub osl1: Option<u32>,
    /// `--isl2`: input tokens of class 2 (5000).
    pub isl2: Option<u32>,
    /// `--osl2`: output tokens of class 2 (100).
    pub osl2: Option<u32>,
    /// `--isl-osl-ratio-min`: the least probability of class 1 (0.2).
    pub isl_osl_ratio_min: Option<f64>,
    /// `--isl-osl-ratio-max`: the greatest probability of class 1 (0.8).
    pub isl_osl_ratio_max: Option<f64>,
    /// `--isl-osl-ratio-period`: seconds (10).
    pub isl_osl_ratio_period_s: Option<f64>,
    /// `--rate-mode`.
    pub rate_mode: RateMode,
    /// `--seed`.
    pub seed: u64,
}

impl Options {
    /// Checks every value; all faults are reported together.
    pub fn resolve(self) -> Result<Sinusoidal, Faults> {
        let mut faults = Vec::new();
        let mut at_least_one = |flag, value: u32| {
            if value == 0 {
                faults.push(Fault { flag, problem: "0 is too few; give at least 1".into() });
            }
            value
        };
        at_least_one("--block-size", self.block_size());
        at_least_one("--time-duration", self.time_duration_s());
        at_least_one("--process-interval", self.process_interval_s());
        let classes = [
            Lengths {
                input_tokens: at_least_one("--isl1", self.isl1()),
                output_tokens: at_least_one("--osl1", self.osl1()),
            },
            Lengths {
                input_tokens: at_least_one("--isl2", self.isl2()),
                output_tokens: at_least_one("--osl2", self.osl2()),
            },
        ];
        let rate = self.resolve_rate(&mut faults);
        let share = self.resolve_share(&mut faults);
        match rate {
            Some(rate) if faults.is_empty() => Ok(Sinusoidal { rate, share, classes, options: self }),
            _ => Err(Faults(faults)),
        }
    }

    /// The request rate, where its three values make one.
    fn resolve_rate(&self, faults: &mut Vec<Fault>) -> Option<Sinusoid> {
        let (min, max) = (self.request_rate_min(), self.request_rate_max());
        let period = self.request_rate_period_s();
        if !(min >= 0.0 && min.is_finite()) {
            faults.push(Fault::new(
                "--request-rate-min",
                min,
                "is no rate; give 0 or more requests per second",
            ));
        } else if !(max > 0.0 && max <= 1e9) {
            let problem = "is no peak rate; give more than 0 and at most 1e9 requests per second";
            faults.push(Fault::new("--request-rate-max", max, problem));
        } else if max < min {
            let problem = format!("is below --request-rate-min {min}; raise it or lower that");
            faults.push(Fault::new("--request-rate-max", max, problem));
        }
        check_period("--request-rate-period", period, faults);
        Sinusoid::new(min, max, period, 0.0).ok()
    }

    /// The probability of class 1; `None` for one that is 0 throughout, and where a fault was found.
    fn resolve_share(&self, faults: &mut Vec<Fault>) -> Option<Sinusoid> {
        let (min, max) = (self.isl_osl_ratio_min(), self.isl_osl_ratio_max());
        let period = self.isl_osl_ratio_period_s();
        for (flag, value) in [("--isl-osl-ratio-min", min), ("--isl-osl-ratio-max", max)] {
            if !(0.0..=1.0).contains(&value) {
                faults.push(Fault::new(flag, value, "is no probability (of class 1); give 0 to 1"));
            }
        }
        if max < min {
            let problem = format!("is below --isl-osl-ratio-min {min}; raise it or lower that");
            faults.push(Fault::new("--isl-osl-ratio-max", max, problem));
        }
        check_period("--isl-osl-ratio-period", period, faults);
        Sinusoid::new(min, max, period, 0.0).ok()
    }

    /// The file name that Dynamo's script takes when it is given none. Floats appear as Python prints
    /// them, and its float defaults as the integers that its source has, so that a rate of 5 reads `5`
    /// when it is the default and `5.0` when it was asked for.
    pub fn default_file_name(&self) -> String {
        let float = |given: Option<f64>, default: &str| {
            given.map_or_else(|| default.to_owned(), |value| format!("{value:?}"))
        };
        format!(
            "sin_b{}_t{}_rr{}-{}-{}_io{}{}-{}{}-{}-{}-{}.jsonl",
            self.block_size(),
            self.time_duration_s(),
            float(self.request_rate_min, "5"),
            float(self.request_rate_max, "10"),
            float(self.request_rate_period_s, "10"),
            self.isl1(),
            self.osl1(),
            self.isl2(),
            self.osl2(),
            float(self.isl_osl_ratio_min, "0.2"),
            float(self.isl_osl_ratio_max, "0.8"),
            float(self.isl_osl_ratio_period_s, "10"),
        )
    }
}

/// Each option's value, given or by default.
macro_rules! values {
    ($($name:ident: $type:ty = $default:expr;)*) => {
        impl Options {
            $(pub(super) fn $name(&self) -> $type {
                self.$name.unwrap_or($default)
            })*
        }
    };
}

values! {
    block_size: u32 = 512;
    total_blocks: u64 = 10_000;
    time_duration_s: u32 = 100;
    process_interval_s: u32 = 1;
    request_rate_min: f64 = 5.0;
    request_rate_max: f64 = 10.0;
    request_rate_period_s: f64 = 10.0;
    isl1: u32 = 100;
    osl1: u32 = 2000;
    isl2: u32 = 5000;
    osl2: u32 = 100;
    isl_osl_ratio_min: f64 = 0.2;
    isl_osl_ratio_max: f64 = 0.8;
    isl_osl_ratio_period_s: f64 = 10.0;
}

fn check_period(flag: &'static str, period_s: f64, faults: &mut Vec<Fault>) {
    if !(1e-3..=1e9).contains(&period_s) {
        faults.push(Fault::new(flag, period_s, "is no period; give from 0.001 to 1e9 seconds"));
    }
}

/// One option that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The flag.
    pub flag: &'static str,
    /// What is wrong with its value, and what to give instead.
    pub problem: String,
}

impl Fault {
    fn new(flag: &'static str, value: f64, problem: impl fmt::Display) -> Self {
        Self { flag, problem: format!("{value} {problem}") }
    }
}

/// Every option that is wrong, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Fault { flag, problem }) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{flag}: {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
