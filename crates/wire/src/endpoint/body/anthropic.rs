//! `model, messages, max_tokens, [stream], [system], [tools]`: Anthropic's messages.
//!
//! The system message in front is `system`. A limit must be there: 1024 where none was asked for, as
//! AIPerf has it. `stream` is there only for a stream.

use loadgen_core::Turn;

use super::field::{Field, Fields, Piece};
use super::messages::Dialect;
use super::{BodyPlan, MODEL, STREAM, Said, said};
use crate::endpoint::EndpointError;

/// The limit where none was asked for, tokens.
const USUAL_MAX_TOKENS: u32 = 1024;

pub(super) fn fields<'a>(plan: &'a BodyPlan, turn: &'a Turn) -> Result<Fields<'a>, EndpointError> {
    let dialect = Dialect::Messages { always_parts: plan.always_parts };
    let Said { messages, system, tools } = said(plan, dialect, turn)?;
    let mut fields = Fields::with_capacity(8 + plan.extras.len());
    fields.set(MODEL, Field::Name(&turn.model));
    fields.set("messages", messages);
    fields.set("max_tokens", Field::Count(turn.max_output_tokens.unwrap_or(USUAL_MAX_TOKENS)));
    if plan.streaming {
        fields.set(STREAM, Field::Flag(true));
    }
    if let Some(system) = system {
        fields.set("system", Field::Text(vec![Piece::Text(system)]));
    }
    if let Some(tools) = tools {
        fields.set("tools", Field::Json(tools.clone()));
    }
    Ok(fields)
}
