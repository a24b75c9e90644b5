//! What vLLM says of its speculative decoding (`metrics.speculative_decoding`, with
//! `--per-request-spec-decode-metrics`): on the body, or on the last event beside the usage.
//!
//! Of several answers to one request (`n` above 1) each event that ends one has figures of its own; what is
//! made of that is [`Observation::take_drafts`](crate::observation::Observation::take_drafts)'s.

use loadgen_core::SpeculativeDecoding;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a server said of its drafts once; `None` where it is of another shape, or cannot be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drafts(pub(crate) Option<Box<SpeculativeDecoding>>);

#[derive(Deserialize)]
struct Metrics<'a> {
    #[serde(borrow)]
    speculative_decoding: Option<&'a RawValue>,
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
    /// Of the level `detailed` only: an entry for each step.
    per_step_accepted: Option<Vec<u32>>,
    per_step_drafted: Option<Vec<u32>>,
}

impl Counts {
    /// Whether the counts agree with each other: all are the same steps, counted in other ways, so that those
    /// that do not are no counts of steps.
    fn are_possible(&self) -> bool {
        let sum = |counts: &[u32]| counts.iter().map(|count| u64::from(*count)).sum::<u64>();
        let (steps, drafts) = (u64::from(self.num_spec_steps), u64::from(self.num_draft_tokens));
        let accepted = u64::from(self.num_accepted_draft_tokens);
        let histogram = &self.acceptance_histogram;
        let in_histogram: u64 = (0..).zip(histogram).map(|(drafts, steps)| drafts * u64::from(*steps)).sum();
        let by_step = |counts: &Option<Vec<u32>>, all| {
            counts.as_ref().is_none_or(|counts| counts.len() as u64 == steps && sum(counts) == all)
        };
        // More buckets than there can be: another server's idea of the same names.
        self.num_spec_tokens.is_none_or(|most| histogram.len() as u64 == u64::from(most) + 1)
            && sum(histogram) == steps
            && in_histogram == accepted
            && accepted <= drafts
            && by_step(&self.per_step_accepted, accepted)
            && by_step(&self.per_step_drafted, drafts)
    }
}

/// What `raw` says of drafts; `None` where it says nothing.
pub(super) fn decode(raw: &RawValue) -> Option<Drafts> {
    let said = serde_json::from_str::<Metrics<'_>>(raw.get()).ok()?.speculative_decoding?.get();
    let is_something = said.strip_prefix('{').is_some_and(|rest| !rest.trim_start().starts_with('}'));
    is_something.then(|| Drafts(figures(said)))
}

/// The figures; `None` where they are of another shape, or cannot be.
fn figures(said: &str) -> Option<Box<SpeculativeDecoding>> {
    let counts: Counts = serde_json::from_str(said).ok()?;
    if !counts.are_possible() {
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
        accepted_by_step: counts.per_step_accepted,
        drafted_by_step: counts.per_step_drafted,
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
        decode(serde_json::from_str::<&RawValue>(&json).unwrap()).unwrap().0
    }

    #[test]
    fn a_histogram_keeps_what_occurs() {
        let told = of("[1,0,3]", r#","num_spec_tokens":2"#).unwrap();
        assert_eq!(told.histogram, [(0, 1), (2, 3)]);
        assert_eq!((told.steps, told.draft_tokens, told.accepted_draft_tokens), (4, 8, 6));
        assert_eq!(of("[1,0,3]", "").unwrap().most_drafts, None);
    }

    #[test]
    fn steps_told_one_by_one_are_kept() {
        let told = of("[1,0,3]", r#","per_step_accepted":[2,0,2,2],"per_step_drafted":[2,2,2,2]"#).unwrap();
        assert_eq!(told.accepted_by_step, Some(vec![2, 0, 2, 2]));
        assert_eq!(told.drafted_by_step, Some(vec![2, 2, 2, 2]));
        assert_eq!(of("[1,0,3]", "").unwrap().accepted_by_step, None);
    }

    #[test]
    fn counts_that_contradict_each_other_are_passed_over() {
        for histogram in ["[0,0,3]", "[1,1,2]", "[4]"] {
            assert_eq!(of(histogram, ""), None, "{histogram}");
        }
        for steps in [
            r#","per_step_accepted":[2,2,2]"#,
            r#","per_step_accepted":[2,2,2,2]"#,
            r#","per_step_drafted":[2,2,2,1]"#,
        ] {
            assert_eq!(of("[1,0,3]", steps), None, "{steps}");
        }
    }

    #[test]
    fn what_cannot_be_is_passed_over() {
        assert_eq!(of("[1,0,3]", r#","num_spec_tokens":5"#), None);
        for histogram in ["[1,-1]", "[true]", "\"12\"", "{}", "[1.5]"] {
            assert_eq!(of(histogram, ""), None, "{histogram}");
        }
        let said = |json: &str| decode(serde_json::from_str::<&RawValue>(json).unwrap());
        for inner in ["null", "{}", "{ }", "[]", "0", r#""{}""#] {
            assert_eq!(said(&format!(r#"{{"speculative_decoding":{inner}}}"#)), None, "{inner}");
        }
        for json in ["{}", "null", "3"] {
            assert_eq!(said(json), None, "{json}");
        }
        assert_eq!(said(r#"{"speculative_decoding":{"other":1}}"#), Some(Drafts(None)), "said, and not read");
    }
}
