//! The choices of options that work for some of their values only.

use super::Standing::{self, NotYet, Refused, Works};
use crate::nearest::did_you_mean;

/// A choice of an option, and what becomes of it.
pub(super) struct Choice {
    /// As AIPerf lists it.
    pub(super) value: &'static str,
    pub(super) standing: Standing,
}

const fn works(value: &'static str) -> Choice {
    Choice { value, standing: Works }
}

const fn not_yet(value: &'static str, instead: &'static str) -> Choice {
    Choice { value, standing: NotYet { instead } }
}

const fn refused(value: &'static str, why: &'static str, instead: &'static str) -> Choice {
    Choice { value, standing: Refused { why, instead } }
}

const PICTURES: &str = "loadgen measures servers of language models, and these take or make media";
const TEXT: &str = "ask a chat, completions, embeddings or rankings endpoint";
const CONVERT: &str = "convert the file to mooncake_trace lines";

/// Options whose choices differ, with all choices that AIPerf has.
pub(super) const CHOICES: &[(&str, &[Choice])] =
    &[("--endpoint-type", ENDPOINT_TYPES), ("--custom-dataset-type", DATASET_TYPES)];

const ENDPOINT_TYPES: &[Choice] = &[
    refused("audio_transcription", PICTURES, TEXT),
    works("chat"),
    works("cohere_rankings"),
    works("completions"),
    works("responses"),
    works("messages"),
    works("chat_embeddings"),
    works("embeddings"),
    works("hf_tei_rankings"),
    works("huggingface_generate"),
    refused("image_generation", PICTURES, TEXT),
    refused("image_edit", PICTURES, TEXT),
    refused("video_generation", PICTURES, TEXT),
    refused("image_retrieval", PICTURES, TEXT),
    works("nim_embeddings"),
    works("nim_rankings"),
    works("solido_rag"),
    works("raw"),
    works("template"),
];

const DATASET_TYPES: &[Choice] = &[
    not_yet("burst_gpt_trace", CONVERT),
    not_yet("bailian_trace", CONVERT),
    not_yet("baseten_trace", CONVERT),
    works("mooncake_trace"),
    works("raw_payload"),
    works("inputs_json"),
    not_yet("dag_jsonl", CONVERT),
    not_yet("sagemaker_data_capture", CONVERT),
    works("multi_turn"),
    works("random_pool"),
    works("single_turn"),
    not_yet("speed_bench_*", CONVERT),
    not_yet("tracelab", CONVERT),
    not_yet("weka_trace", CONVERT),
];

/// Why a choice of an option cannot be had: it is refused, not built yet, or no choice at all.
pub(crate) fn refuse_choice(option: &str, value: &str) -> String {
    let choices = CHOICES.iter().find(|(name, _)| *name == option).map_or(&[][..], |(_, choices)| choices);
    let value = crate::args::values::word(value);
    if let Some(choice) = choices.iter().find(|choice| choice.stands_for(&value)) {
        return format!("{value}: {}", choice.standing.in_words());
    }
    let works = choices.iter().filter(|choice| choice.standing == Works);
    let works: Vec<_> = works.map(|choice| choice.value).collect();
    let hint = did_you_mean(&value, works.iter().copied());
    format!("{value:?} is not known: expected {}{hint}", works.join(", "))
}

impl Choice {
    /// Whether this entry is about a value. A name that ends in `*` stands for all that begin so.
    pub(super) fn stands_for(&self, value: &str) -> bool {
        match self.value.strip_suffix('*') {
            Some(stem) => value.starts_with(stem),
            None => self.value == value,
        }
    }
}
