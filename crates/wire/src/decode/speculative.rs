//! What vLLM says of its speculative decoding (`metrics.speculative_decoding`, with
//! `--per-request-spec-decode-metrics`): on the body, or on the last event beside the usage.

use loadgen_core::SpeculativeDecoding;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Metrics {
    speculative_decoding: Option<Counts>,
}

#[derive(Deserialize)]
struct Counts {
    mean_acceptance_length: f64,
    draft_acceptance_rate: f64,
    /// Steps by how many drafts they accepted: one entry for each number, from none on.
    acceptance_histogram: Vec<u32>,
    num_accepted_draft_tokens: u32,
    num_draft_tokens: u32,
    num_spec_steps: u32,
    num_spec_tokens: Option<u32>,
}

/// The figures in `raw`; `None` where they are of another shape, or cannot be.
pub(super) fn decode(raw: &RawValue) -> Option<Box<SpeculativeDecoding>> {
    let counts = serde_json::from_str::<Metrics>(raw.get()).ok()?.speculative_decoding?;
    let buckets = counts.acceptance_histogram.len();
    // More drafts accepted than there can be: another server's idea of the same names.
    if counts.num_spec_tokens.is_some_and(|most| buckets != most as usize + 1) {
        return None;
    }
    let histogram = (0..).zip(counts.acceptance_histogram).filter(|(_, steps)| *steps > 0).collect();
    Some(Box::new(SpeculativeDecoding {
        mean_acceptance_length: counts.mean_acceptance_length,
        draft_acceptance_rate: counts.draft_acceptance_rate,
        histogram,
        accepted_draft_tokens: counts.num_accepted_draft_tokens,
        draft_tokens: counts.num_draft_tokens,
        steps: counts.num_spec_steps,
        most_drafts: counts.num_spec_tokens,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(histogram: &str, most: &str) -> Option<Box<SpeculativeDecoding>> {
        let json = format!(
            r#"{{"other":1,"speculative_decoding":{{"mean_acceptance_length":2.5,"draft_acceptance_rate":0.75,
                "acceptance_histogram":{histogram},"num_accepted_draft_tokens":6,"num_draft_tokens":8,
                "num_spec_steps":4{most}}}}}"#
        );
        decode(serde_json::from_str::<&RawValue>(&json).unwrap())
    }

    #[test]
    fn a_histogram_keeps_what_occurs() {
        let told = of("[1,0,3]", r#","num_spec_tokens":2"#).unwrap();
        assert_eq!(told.histogram, [(0, 1), (2, 3)]);
        assert_eq!((told.steps, told.draft_tokens, told.accepted_draft_tokens), (4, 8, 6));
        assert_eq!(of("[1,0,3]", "").unwrap().most_drafts, None);
    }

    #[test]
    fn what_cannot_be_is_passed_over() {
        assert_eq!(of("[1,0,3]", r#","num_spec_tokens":5"#), None);
        for histogram in ["[1,-1]", "[true]", "\"12\"", "{}", "[1.5]"] {
            assert_eq!(of(histogram, ""), None, "{histogram}");
        }
        for json in ["{}", "null", "3", r#"{"speculative_decoding":null}"#, r#"{"speculative_decoding":{}}"#]
        {
            assert_eq!(decode(serde_json::from_str::<&RawValue>(json).unwrap()), None, "{json}");
        }
    }
}
