//! `messages, model, stream, [tools], [max_completion_tokens]`: OpenAI's chat, and embeddings of chats.
//!
//! With `--use-legacy-max-tokens` the limit is `max_tokens`.

use loadgen_core::Turn;

use super::field::{Field, Fields};
use super::messages::Dialect;
use super::{BodyPlan, MODEL, STREAM, Said, said};
use crate::endpoint::EndpointError;

pub(super) fn fields<'a>(plan: &'a BodyPlan, turn: &'a Turn) -> Result<Fields<'a>, EndpointError> {
    let dialect = Dialect::Chat { always_parts: plan.always_parts };
    // The system message stays where it is, among the others.
    let Said { messages, system: _, tools } = said(plan, dialect, turn)?;
    let mut fields = Fields::with_capacity(8 + plan.extras.len());
    fields.set("messages", messages);
    fields.set(MODEL, Field::Name(&turn.model));
    fields.set(STREAM, Field::Flag(plan.streaming));
    if let Some(tools) = tools {
        fields.set("tools", Field::Json(tools.clone()));
    }
    if let Some(limit) = turn.max_output_tokens {
        let name = if plan.legacy_max_tokens { "max_tokens" } else { "max_completion_tokens" };
        fields.set(name, Field::Count(limit));
    }
    Ok(fields)
}
