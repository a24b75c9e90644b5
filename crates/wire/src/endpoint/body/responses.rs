//! `input, model, stream, [instructions], [max_output_tokens], [tools]`: OpenAI's responses.
//!
//! The system message in front is `instructions`. A `previous_response_id` among the turn's own fields, which
//! stands for what was said before, comes behind `stream`.

use loadgen_core::Turn;

use super::field::{Field, Fields, Piece};
use super::messages::Dialect;
use super::{BodyPlan, MODEL, STREAM, Said, said};
use crate::endpoint::EndpointError;

/// The field that stands for what was said before.
const PREVIOUS: &str = "previous_response_id";

pub(super) fn fields<'a>(plan: &'a BodyPlan, turn: &'a Turn) -> Result<Fields<'a>, EndpointError> {
    let dialect = Dialect::Responses { always_parts: plan.always_parts };
    let Said { messages, system, tools } = said(plan, dialect, turn)?;
    let mut fields = Fields::with_capacity(8 + plan.extras.len());
    fields.set("input", messages);
    fields.set(MODEL, Field::Name(&turn.model));
    fields.set(STREAM, Field::Flag(plan.streaming));
    if turn.extra.as_deref().is_some_and(|extra| extra.contains(PREVIOUS)) {
        // Its place; the turn's own fields have the id.
        fields.set(PREVIOUS, Field::Fixed("null"));
    }
    if let Some(system) = system {
        fields.set("instructions", Field::Text(vec![Piece::Text(system)]));
    }
    if let Some(limit) = turn.max_output_tokens {
        fields.set("max_output_tokens", Field::Count(limit));
    }
    if let Some(tools) = tools {
        fields.set("tools", Field::Json(tools.clone()));
    }
    Ok(fields)
}
