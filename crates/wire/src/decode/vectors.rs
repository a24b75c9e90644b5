//! Answers without text: embeddings and rankings. Each is one content chunk of no tokens.
//!
//! What must be there: embeddings have a `data` list whose items all are `embedding` objects; those of chats
//! may also be `embeddings` or `embedding` alone; NIM ranks in `rankings`, Cohere in `results`, TEI in a list.
//! An empty list is no answer. The figures themselves are skipped, not parsed.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::event::{in_band_error, text_of};
use super::said::Said;
use crate::endpoint::EndpointKind;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    embeddings: Option<&'a RawValue>,
    #[serde(borrow, default)]
    embedding: Option<&'a RawValue>,
    #[serde(borrow, default)]
    rankings: Option<&'a RawValue>,
    #[serde(borrow, default)]
    results: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    embedding: Option<&'a RawValue>,
}

/// An object of such an endpoint.
pub(super) fn take(kind: EndpointKind, json: &str, said: &mut Said<'_>) {
    if kind == EndpointKind::HfTeiRankings && is_filled_list(json) {
        said.wordless();
        return;
    }
    let Ok(answer) = serde_json::from_str::<Answer<'_>>(json) else { return };
    said.error(in_band_error(answer.error));
    let is_list = |raw: Option<&RawValue>| raw.is_some_and(|raw| is_filled_list(raw.get()));
    let has_answer = match kind {
        EndpointKind::NimRankings => is_list(answer.rankings),
        EndpointKind::CohereRankings | EndpointKind::HfTeiRankings => is_list(answer.results),
        EndpointKind::ChatEmbeddings => {
            is_embeddings(answer.data, false) || is_list(answer.embeddings) || is_list(answer.embedding)
        }
        _ => is_embeddings(answer.data, true),
    };
    if has_answer {
        said.wordless();
    }
}

/// Whether a list holds at least one embedding; `strictly`: and nothing else.
fn is_embeddings(data: Option<&RawValue>, strictly: bool) -> bool {
    let items = data.and_then(|data| serde_json::from_str::<Vec<Item<'_>>>(data.get()).ok());
    let Some(items) = items else { return false };
    let is_one = |item: &Item<'_>| item.object.and_then(text_of) == Some("embedding");
    let is_meant = if strictly { items.iter().all(is_one) } else { items.first().is_some_and(is_one) };
    is_meant && items.iter().any(|item| item.embedding.is_some())
}

fn is_filled_list(json: &str) -> bool {
    serde_json::from_str::<Vec<IgnoredAny>>(json).is_ok_and(|items| !items.is_empty())
}
