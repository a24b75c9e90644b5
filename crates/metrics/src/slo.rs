//! Service level objectives, as `--goodput` states them, and the verdict on one request.

use thiserror::Error;

use crate::config::MetricConfig;
use crate::metric::{Kind, Metric, MetricId};
use crate::registry::REGISTRY;
use crate::value::RequestMetrics;

/// A set of objectives; a request is good when it meets all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SloSet {
    slos: Vec<Slo>,
}

/// One objective on one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slo {
    id: MetricId,
    threshold: f64,
}

/// Why a `--goodput` value is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SloError {
    /// Nothing between the quotes.
    #[error(
        "--goodput is empty: give objectives as \"tag:value tag:value\", such as \"time_to_first_token:500\""
    )]
    Empty,
    /// Not `tag:value` with a finite number of at least 0.
    #[error(
        "--goodput item {item:?} is not tag:value with a number of at least 0 in the metric's unit, such as \
         time_to_first_token:500"
    )]
    Malformed {
        /// The item as written.
        item: String,
    },
    /// No metric of that name.
    #[error("--goodput names an unknown metric {tag:?}; {}", meant(.nearest))]
    Unknown {
        /// The tag as written.
        tag: String,
        /// The nearest tags, best first; empty when none is near.
        nearest: Vec<&'static str>,
    },
    /// The metric exists, but no request of this run has a value of it.
    #[error("--goodput metric {tag} does not apply: {reason}")]
    Inapplicable {
        /// The tag.
        tag: &'static str,
        /// Why, and what would mend it.
        reason: &'static str,
    },
    /// Two objectives on one metric.
    #[error("--goodput names {tag} twice: keep one objective for each metric")]
    Duplicate {
        /// The tag.
        tag: &'static str,
    },
}

impl Slo {
    /// The metric.
    pub fn metric(&self) -> &'static Metric {
        self.id.metric()
    }

    /// The bound in the metric's display unit, inclusive.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    fn is_met(&self, metrics: &RequestMetrics) -> bool {
        metrics.native(self.id).is_some_and(|native| self.is_met_by(native))
    }

    /// Whether a value in the metric's *native* unit meets the bound. The bound is converted, not the
    /// value, so that a latency of exactly 500 ms meets `500`.
    fn is_met_by(&self, native: f64) -> bool {
        let bound = self.threshold / self.metric().unit.factor();
        // A unit's factor is a rounded reciprocal: the quotient may miss the whole number that is meant.
        let bound = if (bound - bound.round()).abs() <= bound.abs() * 1e-15 { bound.round() } else { bound };
        if self.metric().larger_is_better { native >= bound } else { native <= bound }
    }
}

impl SloSet {
    /// Parses `tag:value tag:value`. Values are in display units (ms for latencies).
    pub fn parse(text: &str, config: &MetricConfig) -> Result<Self, SloError> {
        let mut slos: Vec<Slo> = Vec::new();
        for item in text.split_whitespace() {
            let slo = parse_item(item, config)?;
            if slos.iter().any(|other| other.id == slo.id) {
                return Err(SloError::Duplicate { tag: slo.metric().tag });
            }
            slos.push(slo);
        }
        if slos.is_empty() {
            return Err(SloError::Empty);
        }
        Ok(Self { slos })
    }

    /// Whether there is no objective.
    pub fn is_empty(&self) -> bool {
        self.slos.is_empty()
    }

    /// The objectives, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &Slo> {
        self.slos.iter()
    }

    /// Whether a successful request meets every objective. A metric it has no value of is not met.
    pub fn is_good(&self, metrics: &RequestMetrics) -> bool {
        self.iter().all(|slo| slo.is_met(metrics))
    }

    /// Whether a request meets every objective on other metrics than `left_out`.
    pub(crate) fn is_good_apart_from(&self, left_out: MetricId, metrics: &RequestMetrics) -> bool {
        self.iter().filter(|slo| slo.id != left_out).all(|slo| slo.is_met(metrics))
    }
}

fn parse_item(item: &str, config: &MetricConfig) -> Result<Slo, SloError> {
    let malformed = || SloError::Malformed { item: item.to_owned() };
    let (tag, value) = item.split_once(':').ok_or_else(malformed)?;
    let threshold: f64 = value.parse().map_err(|_| malformed())?;
    if tag.is_empty() || !threshold.is_finite() || threshold < 0.0 {
        return Err(malformed());
    }
    let id = MetricId::of(tag)
        .ok_or_else(|| SloError::Unknown { tag: tag.to_owned(), nearest: nearest(tag, config) })?;
    match inapplicable(id.metric(), config) {
        Some(reason) => Err(SloError::Inapplicable { tag: id.metric().tag, reason }),
        None => Ok(Slo { id, threshold }),
    }
}

impl Metric {
    /// Which metrics may be meant by what is none's tag, in words.
    pub fn meant_by(typed: &str) -> String {
        meant(&nearest_of(typed, REGISTRY.iter()))
    }
}

/// Why no request of this run can meet an objective on `metric`, if so.
fn inapplicable(metric: &Metric, config: &MetricConfig) -> Option<&'static str> {
    if metric.kind == Kind::RecordList {
        return Some("it is a list of values for each request; name one with a single value");
    }
    if metric.kind != Kind::Record {
        return Some("it is a figure of the whole run, and objectives are judged request by request");
    }
    if metric.error_only {
        return Some("only failed requests have it");
    }
    if metric.streaming_only && !config.streaming {
        return Some("it needs streamed responses; add --streaming");
    }
    if metric.needs_output_tokens && !config.produces_tokens {
        return Some("this endpoint produces no tokens");
    }
    if metric.needs_input_tokens && !config.tokenizes_input {
        return Some("this endpoint's input is not tokenized");
    }
    if metric.usage_diff && config.server_token_counts {
        return Some("the server's token counts are used as ours, so there is nothing to compare");
    }
    None
}

/// The three tags nearest to `tag` among those that could be meant, if any could: a tag that shares
/// little with what was typed helps nobody.
fn nearest(tag: &str, config: &MetricConfig) -> Vec<&'static str> {
    nearest_of(tag, REGISTRY.iter().filter(|metric| inapplicable(metric, config).is_none()))
}

fn nearest_of(tag: &str, metrics: impl Iterator<Item = &'static Metric>) -> Vec<&'static str> {
    /// One edit, and one more for each so many characters typed.
    const CHARACTERS_AN_EDIT: usize = 3;
    let furthest = 1 + tag.chars().count() / CHARACTERS_AN_EDIT;
    let mut candidates: Vec<_> = metrics
        .map(|metric| (distance(tag, metric), metric.tag))
        .filter(|(distance, _)| *distance <= furthest)
        .collect();
    candidates.sort_unstable();
    candidates.into_iter().take(3).map(|(_, tag)| tag).collect()
}

/// How far what was typed is from a metric: to its tag, or to its initials (`ttft`) or a part of it.
fn distance(typed: &str, metric: &Metric) -> usize {
    /// Fewer characters are a part of too many tags to say which was meant.
    const LEAST_PART: usize = 3;
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    let initials: String = metric.tag.split('_').filter_map(|word| word.chars().next()).collect();
    if typed == initials || (typed.len() >= LEAST_PART && metric.tag.contains(&typed)) {
        return 0;
    }
    strsim::levenshtein(&typed, metric.tag)
}

fn meant(nearest: &[&str]) -> String {
    if nearest.is_empty() {
        return "take a tag as profile_export_aiperf.json writes it, such as request_latency".to_owned();
    }
    format!("did you mean {}", nearest.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::fixture;
    use crate::request::request_metrics;

    fn parse(text: &str) -> Result<SloSet, SloError> {
        SloSet::parse(text, &MetricConfig::default())
    }

    #[test]
    fn objectives_are_read_in_order() {
        let set = parse(" time_to_first_token:500   inter_token_latency:50.5 ").unwrap();
        let read: Vec<_> = set.iter().map(|slo| (slo.metric().tag, slo.threshold())).collect();
        assert_eq!(read, [("time_to_first_token", 500.0), ("inter_token_latency", 50.5)]);
    }

    #[test]
    fn every_refusal_says_what_is_wrong() {
        let says = |text: &str| parse(text).unwrap_err().to_string();
        for (text, part) in [
            ("", "--goodput is empty"),
            ("   ", "--goodput is empty"),
            ("time_to_first_token", "\"time_to_first_token\" is not tag:value"),
            ("time_to_first_token:fast", "\"time_to_first_token:fast\" is not tag:value"),
            ("time_to_first_token:inf", "is not tag:value"),
            ("time_to_first_token:NaN", "is not tag:value"),
            (":5", "\":5\" is not tag:value"),
            ("time_to_first_token:-5", "a number of at least 0"),
            ("foo:5", "unknown metric \"foo\"; take a tag as profile_export_aiperf.json writes it"),
            ("time_to_first_tokens:5", "did you mean time_to_first_token,"),
            ("ttft:5", "did you mean time_to_first_token"),
            ("TTFT:5", "did you mean time_to_first_token"),
            ("latency:5", "request_latency"),
            ("inter_chunk_latency:5", "it is a list"),
            ("request_throughput:5", "a figure of the whole run"),
            ("request_count:5", "a figure of the whole run"),
            ("error_isl:5", "only failed requests have it"),
            ("request_latency:5 request_latency:6", "names request_latency twice"),
        ] {
            assert!(says(text).contains(part), "{text:?}: {}", says(text));
        }
    }

    #[test]
    fn only_tags_that_are_near_are_offered() {
        let near = |tag: &str| nearest(tag, &MetricConfig::default());
        for far in ["foo", "e", "x_y_z", "throughput_of_the_whole_thing", "ünïcödé"] {
            assert_eq!(near(far), [""; 0], "{far}");
        }
        assert_eq!(near("time_to_fist_tokn"), ["time_to_first_token"]);
        assert_eq!(near("itl"), ["inter_token_latency"]);
    }

    #[test]
    fn an_objective_that_no_request_can_meet_is_refused() {
        let says = |text: &str, config: MetricConfig| SloSet::parse(text, &config).unwrap_err().to_string();
        let plain = MetricConfig { streaming: false, ..MetricConfig::default() };
        assert!(says("time_to_first_token:5", plain.clone()).contains("add --streaming"));
        assert!(SloSet::parse("request_latency:5", &plain).is_ok());
        let silent = MetricConfig { produces_tokens: false, ..plain.clone() };
        assert!(says("output_sequence_length:5", silent).contains("produces no tokens"));
        let blind = MetricConfig { tokenizes_input: false, ..plain.clone() };
        assert!(says("input_sequence_length:5", blind).contains("not tokenized"));
        let trusting = MetricConfig { server_token_counts: true, ..plain };
        assert!(says("usage_prompt_tokens_diff_pct:5", trusting).contains("nothing to compare"));
    }

    #[test]
    fn bounds_are_inclusive_and_face_the_better_way() {
        let metrics = request_metrics(&fixture::ok(&[500, 557]), &MetricConfig::default());
        let good = |text: &str| parse(text).unwrap().is_good(&metrics);
        assert!(good("time_to_first_token:500"));
        assert!(!good("time_to_first_token:499.999999"));
        assert!(good("request_latency:557 input_sequence_length:32"));
        assert!(!good("request_latency:557 input_sequence_length:33"));
        assert!(!good("usage_prompt_tokens:1"), "a metric without a value is not met");
        let set = parse("time_to_first_token:1 request_latency:557").unwrap();
        assert!(!set.is_good(&metrics));
        assert!(set.is_good_apart_from(MetricId::of("time_to_first_token").unwrap(), &metrics));
    }

    proptest! {
        #[test]
        fn a_value_of_exactly_the_bound_meets_it(ms in 1_i64..1_000_000) {
            let metrics = request_metrics(&fixture::ok(&[ms]), &MetricConfig::default());
            let good = |bound: f64| parse(&format!("time_to_first_token:{bound}")).unwrap().is_good(&metrics);
            prop_assert!(good(ms as f64));
            prop_assert!(!good(ms as f64 - 1e-5));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn edit_distance_is_a_metric(left in "[a-c_]{0,8}", right in "[a-c_]{0,8}") {
            prop_assert_eq!(strsim::levenshtein(&left, &right), strsim::levenshtein(&right, &left));
            prop_assert_eq!(strsim::levenshtein(&left, &right) == 0, left == right);
            prop_assert!(strsim::levenshtein(&left, &right) <= left.len().max(right.len()));
        }
    }
}
