//! `inputs, parameters: {[max_new_tokens], extras}`: Hugging Face TGI's generate, whose texts are joined by
//! a space; and `query, filters, inference_model`: Solido's, whose texts are a list.

use loadgen_core::{Prompt, Turn};

use super::field::{Field, Fields};
use super::{BodyPlan, only_message, only_texts, what_of};
use crate::endpoint::{EndpointError, EndpointKind};

/// The fields of TGI.
pub(super) fn inputs<'a>(plan: &'a BodyPlan, turn: &'a Turn) -> Result<Fields<'a>, EndpointError> {
    let texts = only_texts(plan.kind, only_message(plan.kind, turn)?)?;
    let mut parameters = Fields::with_capacity(1 + plan.extras.len());
    if let Some(limit) = turn.max_output_tokens {
        parameters.set("max_new_tokens", Field::Count(limit));
    }
    for (key, value) in &plan.extras {
        parameters.set(key, Field::Json(value.clone()));
    }
    let mut fields = Fields::with_capacity(2);
    fields.set("inputs", Field::Text(texts.into_iter().flatten().collect()));
    fields.set("parameters", Field::Object(parameters));
    Ok(fields)
}

/// The fields of Solido. Its query is the newest message.
pub(super) fn query(turn: &Turn) -> Result<Fields<'_>, EndpointError> {
    let kind = EndpointKind::SolidoRag;
    let newest = match &turn.prompt {
        Prompt::Messages(said) => said.last(),
        _ => None,
    };
    let newest = newest.ok_or(EndpointError::NotOnePrompt {
        kind: kind.facts().name,
        found: what_of(&turn.prompt).to_owned(),
    })?;
    let mut fields = Fields::with_capacity(3);
    fields.set("query", Field::Texts(only_texts(kind, newest)?));
    fields.set("filters", Field::Fixed(r#"{"family":"Solido","tool":"SDE"}"#));
    fields.set("inference_model", Field::Name(&turn.model));
    Ok(fields)
}
