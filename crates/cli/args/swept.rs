//! Options whose comma-separated list of values asks for a sweep.
//!
//! AIPerf has twelve of them. One value is a run; several are runs side by side, which the study of the
//! command enumerates: a plan takes one value of each. Values are kept as given: `1,1` asks for two runs.

use serde_json::Value;

use super::ProfileArgs;

/// The value of an option, or the values that it is to take in turn. Never empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Swept<T>(Vec<T>);

impl<T: Copy> Swept<T> {
    /// The first value: the only one, where nothing is swept.
    pub(crate) fn first(&self) -> T {
        *self.0.first().expect("a swept option has a value")
    }

    /// All values, in the order given.
    pub(crate) fn values(&self) -> &[T] {
        &self.0
    }

    /// Whether there are several values.
    pub(crate) fn is_sweep(&self) -> bool {
        self.0.len() > 1
    }
}

impl<T> From<T> for Swept<T> {
    fn from(value: T) -> Self {
        Self(vec![value])
    }
}

/// Parses `1`, `1,2`, ` 1 , 2 ` and `1,` (one value, as AIPerf reads it), each value with `one`.
pub(crate) fn list<T>(text: &str, one: impl Fn(&str) -> Result<T, String>) -> Result<Swept<T>, String> {
    let items: Vec<&str> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    if items.is_empty() {
        return one(text).map(Swept::from);
    }
    items.into_iter().map(one).collect::<Result<_, _>>().map(Swept)
}

/// An option that takes several values in turn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SweptOption {
    /// Its place in AIPerf's configuration.
    pub(crate) path: &'static str,
    /// Its flag.
    pub(crate) flag: &'static str,
    /// The values: whole numbers as integers, others as floats.
    pub(crate) values: Vec<Value>,
}

impl ProfileArgs {
    /// The options that take several values in turn.
    pub(crate) fn axes(&self) -> Vec<SweptOption> {
        let seconds = self.load.benchmark_duration.as_ref();
        let seconds =
            seconds.map(|swept| Swept(swept.values().iter().map(std::time::Duration::as_secs_f64).collect()));
        let axes = [
            axis("--concurrency", "phases.profiling.concurrency", self.load.concurrency.as_ref()),
            axis(
                "--prefill-concurrency",
                "phases.profiling.prefill_concurrency",
                self.load.prefill_concurrency.as_ref(),
            ),
            axis("--request-rate", "phases.profiling.rate", self.load.request_rate.as_ref()),
            axis("--request-count", "phases.profiling.requests", self.load.request_count.as_ref()),
            axis("--benchmark-duration", "phases.profiling.duration", seconds.as_ref()),
            axis("--num-conversations", "phases.profiling.sessions", self.input.num_conversations.as_ref()),
            axis(
                "--conversation-turn-mean",
                "datasets.main.turns.mean",
                self.conversation.conversation_turn_mean.as_ref(),
            ),
            axis("--isl", "datasets.main.prompts.isl.mean", self.lengths.isl.as_ref()),
            axis("--isl-stddev", "datasets.main.prompts.isl.stddev", self.lengths.isl_stddev.as_ref()),
            axis("--osl", "datasets.main.prompts.osl.mean", self.lengths.osl.as_ref()),
            axis("--osl-stddev", "datasets.main.prompts.osl.stddev", self.lengths.osl_stddev.as_ref()),
        ];
        axes.into_iter().flatten().collect()
    }
}

/// An option's axis, if it has several values.
fn axis<T: Copy + Into<Value>>(
    flag: &'static str,
    path: &'static str,
    swept: Option<&Swept<T>>,
) -> Option<SweptOption> {
    let swept = swept.filter(|swept| swept.is_sweep())?;
    Some(SweptOption { path, flag, values: swept.values().iter().map(|value| (*value).into()).collect() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::args::values::strict_integer;

    #[test]
    fn a_list_is_swept_and_a_trailing_comma_is_not() {
        let values = |text| list(text, strict_integer).map(|swept| swept.values().to_vec());
        assert_eq!(values("1"), Ok(vec![1]));
        assert_eq!(values(" 1 , 2 "), Ok(vec![1, 2]));
        assert_eq!(values("1,1"), Ok(vec![1, 1]));
        assert_eq!(values("1,"), Ok(vec![1]));
        assert_eq!(values("1_000,2"), Ok(vec![1000, 2]));
        for wrong in ["", ",", "[1,2]", "1e3", "128.", "1;2"] {
            assert!(values(wrong).is_err(), "{wrong}");
        }
    }
}
