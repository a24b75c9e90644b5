//! A query and the passages to rank for it, in the words of three servers.
//!
//! | | fields |
//! |---|---|
//! | NIM | `model, query: {text}, passages: [{text}]` |
//! | Cohere | `model, query, documents` |
//! | Hugging Face TEI | `query, texts` |

use loadgen_core::{Prompt, Rope, Turn};

use super::field::{Field, Fields, Piece};
use super::{MODEL, what_of};
use crate::endpoint::{EndpointError, EndpointKind};

pub(super) fn fields(kind: EndpointKind, turn: &Turn) -> Result<Fields<'_>, EndpointError> {
    let Prompt::Ranking { query, passages } = &turn.prompt else {
        return Err(EndpointError::NotRanking { kind: kind.facts().name, found: what_of(&turn.prompt) });
    };
    let mut fields = Fields::with_capacity(4);
    if kind == EndpointKind::NimRankings {
        fields.set(MODEL, Field::Name(&turn.model));
        let mut text = Fields::default();
        text.set("text", one(query));
        fields.set("query", Field::Object(text));
        fields.set("passages", Field::Objects(passages));
        return Ok(fields);
    }
    let passages = Field::Texts(passages.iter().map(|text| vec![Piece::Text(text)]).collect());
    if kind == EndpointKind::CohereRankings {
        fields.set(MODEL, Field::Name(&turn.model));
        fields.set("query", one(query));
        fields.set("documents", passages);
    } else {
        fields.set("query", one(query));
        fields.set("texts", passages);
    }
    Ok(fields)
}

fn one(text: &Rope) -> Field<'_> {
    Field::Text(vec![Piece::Text(text)])
}
