//! `messages, model, stream, [tools], [max_completion_tokens]`: OpenAI's chat, and embeddings of chats.
//!
//! With `--use-legacy-max-tokens` the limit is `max_tokens`.

use loadgen_core::{Prompt, Turn};

use super::field::{Field, Fields};
use super::messages::{self, Dialect};
use super::{BodyPlan, MODEL, STREAM, what_of};
use crate::endpoint::EndpointError;

pub(super) fn fields<'a>(plan: &'a BodyPlan, turn: &'a Turn) -> Result<Fields<'a>, EndpointError> {
    let dialect = Dialect::Chat { always_parts: plan.always_parts };
    let (said, tools) = match &turn.prompt {
        Prompt::Messages(said) => {
            messages::check(dialect, said)?;
            (Field::Messages(dialect, said), None)
        }
        Prompt::RawMessages { messages, tools } => (Field::Json(messages.clone()), tools.as_ref()),
        other => {
            return Err(EndpointError::NoMessages { kind: plan.kind.facts().name, found: what_of(other) });
        }
    };
    let mut fields = Fields::with_capacity(8 + plan.extras.len());
    fields.set("messages", said);
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
