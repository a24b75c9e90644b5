//! Arrival processes: the laws by which arrivals follow one another.

use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{RateFunction, ScheduleError};

/// How arrivals follow one another. As in AIPerf, the first comes one interval after the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalProcess {
    /// Even spacing along the integral of the rate: arrival k (from 1) where Λ(t) = k. At a constant
    /// rate, every 1/rate seconds.
    Constant(RateFunction),
    /// The exact Poisson process of the rate: intervals in Λ are exponential with mean 1.
    Poisson(RateFunction),
    /// Intervals in Λ are gamma distributed with mean 1 and variance 1/smoothness.
    Gamma {
        /// The rate.
        rate: RateFunction,
        /// The shape of the distribution.
        smoothness: Smoothness,
    },
    /// Everything at once, at the start.
    Burst,
    /// Offsets known beforehand, such as a trace's.
    FixedSchedule(FixedOffsets),
}

impl ArrivalProcess {
    /// The rate function, where a rate drives the process.
    pub fn rate(&self) -> Option<&RateFunction> {
        match self {
            Self::Constant(rate) | Self::Poisson(rate) | Self::Gamma { rate, .. } => Some(rate),
            Self::Burst | Self::FixedSchedule(_) => None,
        }
    }
}

/// The shape of gamma intervals, from 0.001 to 1e9: 1 is Poisson, more is smoother, less is burstier.
/// Further out, intervals could no longer be told from 0 or from one another.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Smoothness(f64);

impl Smoothness {
    /// The shape `shape`.
    pub fn new(shape: f64) -> Result<Self, ScheduleError> {
        if (1e-3..=1e9).contains(&shape) {
            Ok(Self(shape))
        } else {
            Err(ScheduleError::Smoothness(shape.to_string()))
        }
    }

    /// The shape as a number.
    pub fn shape(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Smoothness {
    type Error = ScheduleError;
    fn try_from(shape: f64) -> Result<Self, ScheduleError> {
        Self::new(shape)
    }
}

impl From<Smoothness> for f64 {
    fn from(smoothness: Smoothness) -> Self {
        smoothness.0
    }
}

impl FromStr for Smoothness {
    type Err = ScheduleError;
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let number = text.trim().parse().map_err(|_| ScheduleError::Smoothness(text.to_owned()))?;
        Self::new(number).map_err(|_| ScheduleError::Smoothness(text.to_owned()))
    }
}

/// Offsets from the phase's start, in ns, that never go back in time. Cloning shares them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Arc<[i64]>", into = "Arc<[i64]>")]
pub struct FixedOffsets(Arc<[i64]>);

impl FixedOffsets {
    /// Takes offsets in ascending order; equal ones may repeat, negative ones are due at once.
    pub fn new(offsets_ns: impl Into<Arc<[i64]>>) -> Result<Self, ScheduleError> {
        let offsets: Arc<[i64]> = offsets_ns.into();
        let fall = offsets.windows(2).position(|pair| pair[1] < pair[0]);
        match fall {
            None => Ok(Self(offsets)),
            Some(at) => Err(ScheduleError::Unsorted {
                index: at + 1,
                offset_ns: offsets[at + 1],
                previous_ns: offsets[at],
            }),
        }
    }

    /// The offsets, ascending, in ns.
    pub fn as_slice(&self) -> &[i64] {
        &self.0
    }
}

impl TryFrom<Arc<[i64]>> for FixedOffsets {
    type Error = ScheduleError;
    fn try_from(offsets_ns: Arc<[i64]>) -> Result<Self, ScheduleError> {
        Self::new(offsets_ns)
    }
}

impl From<FixedOffsets> for Arc<[i64]> {
    fn from(offsets: FixedOffsets) -> Self {
        offsets.0
    }
}
