//! What a schedule's configuration can have wrong, each with what to write instead.

use thiserror::Error;

/// A schedule that cannot be: the value at fault, and the mend.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ScheduleError {
    /// A rate that is no number, not above zero, or beyond one arrival a nanosecond.
    #[error("a rate is requests per second, above 0 and at most 1e9, such as 10 or 0.5; got `{0}`")]
    Rate(String),

    /// A smoothness that is no number or out of its range.
    #[error(
        "arrival smoothness is a number from 0.001 to 1e9 (1 is Poisson, more is smoother, less is burstier); \
         got `{0}`"
    )]
    Smoothness(String),

    /// A part of a sinusoid's specification that is not `key=number`.
    #[error(
        "`{0}` is not `key=number`; write a sinusoid as min=5,max=45,period=600, with phase=RADIANS if wanted"
    )]
    SinusoidPart(String),

    /// A key that a sinusoid does not have.
    #[error("a sinusoid has no key `{0}`; its keys are min, max, period and phase")]
    SinusoidKey(String),

    /// A key given twice.
    #[error("`{0}` is given twice; write each of min, max, period and phase once")]
    SinusoidRepeated(&'static str),

    /// A key that must be there and is not.
    #[error("a sinusoid needs `{0}`; write it as min=5,max=45,period=600")]
    SinusoidMissing(&'static str),

    /// A value out of its range.
    #[error("`{key}={value}`: {rule}")]
    SinusoidValue {
        /// The key.
        key: &'static str,
        /// Its value as given.
        value: f64,
        /// The range it must keep to, in words.
        rule: &'static str,
    },

    /// A fixed schedule whose offsets go back in time.
    #[error(
        "fixed schedule: offset {offset_ns} ns at position {index} comes before its predecessor's \
         {previous_ns} ns; sort the rows by time"
    )]
    Unsorted {
        /// Position of the offset, from 0.
        index: usize,
        /// The offset, in ns.
        offset_ns: i64,
        /// The one before it, in ns.
        previous_ns: i64,
    },
}
