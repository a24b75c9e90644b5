//! `prompt, model, stream, [max_tokens]`: OpenAI's completions.
//!
//! One text is a string, which every server takes; several, or none, are a list. There is no place for
//! earlier messages.

use loadgen_core::Turn;

use super::field::{Field, Fields};
use super::{BodyPlan, MODEL, STREAM, only_message, only_texts};
use crate::endpoint::EndpointError;

pub(super) fn fields<'a>(plan: &'a BodyPlan, turn: &'a Turn) -> Result<Fields<'a>, EndpointError> {
    let mut texts = only_texts(plan.kind, only_message(plan.kind, turn)?)?;
    let prompt = match texts.as_mut_slice() {
        [one] => Field::Text(std::mem::take(one)),
        _ => Field::Texts(texts),
    };
    let mut fields = Fields::with_capacity(6 + plan.extras.len());
    fields.set("prompt", prompt);
    fields.set(MODEL, Field::Name(&turn.model));
    fields.set(STREAM, Field::Flag(plan.streaming));
    if let Some(limit) = turn.max_output_tokens {
        fields.set("max_tokens", Field::Count(limit));
    }
    Ok(fields)
}
