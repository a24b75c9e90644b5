//! Request bodies: compact JSON around the prompt's shared pieces.
//!
//! A body is an ordered map. The endpoint's own fields come first (see the file of its family), then the
//! extra inputs, then the turn's own extra fields; a later layer replaces a value where it stands. At the
//! end, if the merged `stream` is true in Python's sense, chat and completions ask for usage, unless the
//! user said otherwise.
//!
//! Invariant: the prompt's pieces are passed on as they are, never copied and never unescaped (but for a
//! template, which is given the texts themselves).

mod anthropic;
mod chat;
mod completions;
mod embeddings;
mod field;
mod generate;
mod messages;
mod rankings;
mod responses;
mod template;
mod writer;

use bytes::Bytes;
use loadgen_core::{Message, Part, Prompt, Rope, Turn};
use serde_json::{Map, Value};

use super::{EndpointConfig, EndpointError, EndpointKind};
use crate::request::Body;
use field::{Field, Fields, Piece};
use messages::Dialect;
use template::PayloadTemplate;
pub(crate) use template::RESPONSE_FIELD;
use writer::Writer;

const MODEL: &str = "model";
const STREAM: &str = "stream";
const STREAM_OPTIONS: &str = "stream_options";

/// What the bodies of one endpoint share.
#[derive(Debug)]
pub(super) struct BodyPlan {
    kind: EndpointKind,
    streaming: bool,
    legacy_max_tokens: bool,
    per_chunk_usage: bool,
    server_token_count: bool,
    always_parts: bool,
    template: Option<PayloadTemplate>,
    /// Extra inputs, each already as JSON.
    extras: Vec<(String, Bytes)>,
}

impl BodyPlan {
    pub(super) fn new(config: &EndpointConfig) -> Result<Self, EndpointError> {
        let mut extras = config.extra_inputs.clone();
        let template = match config.kind {
            EndpointKind::Template => Some(PayloadTemplate::take(config.template.as_ref(), &mut extras)?),
            _ => None,
        };
        Ok(Self {
            kind: config.kind,
            streaming: config.streaming,
            legacy_max_tokens: config.use_legacy_max_tokens,
            per_chunk_usage: config.per_chunk_usage,
            server_token_count: config.use_server_token_count,
            always_parts: config.force_content_parts,
            template,
            extras: extras.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
        })
    }

    pub(super) fn render(&self, turn: &Turn) -> Result<Body, EndpointError> {
        if let Prompt::Payload(payload) = &turn.prompt {
            return Ok(Body::new(vec![payload.clone()]));
        }
        let turn_extras = turn_extras(turn)?;
        let mut fields = match self.kind {
            EndpointKind::Chat | EndpointKind::ChatEmbeddings => chat::fields(self, turn)?,
            EndpointKind::Completions => completions::fields(self, turn)?,
            EndpointKind::Responses => responses::fields(self, turn)?,
            EndpointKind::Messages => anthropic::fields(self, turn)?,
            EndpointKind::Embeddings | EndpointKind::NimEmbeddings => embeddings::fields(self.kind, turn)?,
            EndpointKind::NimRankings | EndpointKind::CohereRankings | EndpointKind::HfTeiRankings => {
                rankings::fields(self.kind, turn)?
            }
            EndpointKind::HuggingfaceGenerate => generate::inputs(self, turn)?,
            EndpointKind::SolidoRag => generate::query(turn)?,
            EndpointKind::Template => {
                let template = self.template.as_ref().expect("the template endpoint has its template");
                return template.render(self.streaming, turn, self.extras.iter().chain(&turn_extras));
            }
            EndpointKind::Raw => {
                return Err(EndpointError::NotReady { found: what_of(&turn.prompt) });
            }
        };
        // Its extra inputs are parameters of the generation.
        let extras: &[_] =
            if self.kind == EndpointKind::HuggingfaceGenerate { &[] } else { self.extras.as_slice() };
        for (key, value) in extras.iter().chain(&turn_extras) {
            fields.set(key, Field::Json(value.clone()));
        }
        self.ask_for_usage(&mut fields);
        let mut writer = Writer::default();
        fields.write(&mut writer);
        Ok(writer.finish())
    }

    /// Streams are asked to end with their usage; what the user said about it stands.
    fn ask_for_usage(&self, fields: &mut Fields<'_>) {
        let is_asked = match self.kind {
            EndpointKind::Chat | EndpointKind::ChatEmbeddings | EndpointKind::Completions => {
                fields.get(STREAM).is_some_and(Field::is_truthy)
            }
            // Its stream ends with the usage anyway; AIPerf asks where it needs it.
            EndpointKind::Responses => self.streaming && self.server_token_count,
            _ => false,
        };
        if !is_asked {
            return;
        }
        let mut options = match fields.get(STREAM_OPTIONS) {
            Some(Field::Json(given)) => match serde_json::from_slice(given) {
                Ok(Value::Object(options)) => options,
                // Not an object: whatever it is meant to be, the server shall see it.
                Ok(other) if !other.is_null() && self.kind != EndpointKind::Responses => return,
                _ => Map::new(),
            },
            _ => Map::new(),
        };
        options.entry("include_usage").or_insert(Value::Bool(true));
        if self.per_chunk_usage && self.kind == EndpointKind::Chat {
            options.entry("continuous_usage_stats").or_insert(Value::Bool(true));
        }
        fields.set(STREAM_OPTIONS, Field::Json(json(&Value::Object(options))));
    }
}

/// What a turn says to an endpoint that takes conversations.
struct Said<'a> {
    /// The array of messages.
    messages: Field<'a>,
    /// The conversation's system message, where the dialect has a field of its own for it; no longer in `messages`.
    system: Option<&'a Rope>,
    /// Tools, as JSON.
    tools: Option<&'a Bytes>,
}

/// What the turn says, in a dialect that has a shape for all of it.
fn said<'a>(plan: &BodyPlan, dialect: Dialect, turn: &'a Turn) -> Result<Said<'a>, EndpointError> {
    match &turn.prompt {
        Prompt::Messages(said) => {
            let (system, said) = match said.split_first() {
                Some((first, rest)) if first.leads && dialect.parts_system() => (Some(&first.text), rest),
                _ => (None, said.as_slice()),
            };
            messages::check(dialect, said)?;
            Ok(Said { messages: Field::Messages(dialect, said), system, tools: None })
        }
        Prompt::RawMessages { messages, tools, system } => Ok(Said {
            messages: Field::Json(messages.clone()),
            system: system.as_ref(),
            tools: tools.as_ref(),
        }),
        other => Err(EndpointError::NoMessages { kind: plan.kind.facts().name, found: what_of(other) }),
    }
}

/// The one message that an endpoint without conversations can express.
fn only_message(kind: EndpointKind, turn: &Turn) -> Result<&Message, EndpointError> {
    let not_one = |found| Err(EndpointError::NotOnePrompt { kind: kind.facts().name, found });
    match &turn.prompt {
        Prompt::Messages(messages) => match messages.as_slice() {
            [message] => Ok(message),
            _ => not_one(format!("{} messages", messages.len())),
        },
        other => not_one(what_of(other).to_owned()),
    }
}

/// The texts of a message that are not empty, one string each; media are refused.
fn only_texts(kind: EndpointKind, message: &Message) -> Result<Vec<Vec<Piece<'_>>>, EndpointError> {
    let mut texts = Vec::with_capacity(1 + message.parts.len());
    if !message.text.is_empty() {
        texts.push(vec![Piece::Text(&message.text)]);
    }
    for part in &message.parts {
        let what = match part {
            Part::Text(text) => {
                if !text.is_empty() {
                    texts.push(vec![Piece::Text(text)]);
                }
                continue;
            }
            Part::Image(_) => "images",
            Part::Audio(_) => "audio",
            Part::Video(_) => "video",
        };
        return Err(EndpointError::Media { kind: kind.facts().name, what });
    }
    Ok(texts)
}

/// What a prompt is, for people.
fn what_of(prompt: &Prompt) -> &'static str {
    match prompt {
        Prompt::Messages(_) => "text to be put into a body",
        Prompt::RawMessages { .. } => "a ready messages array",
        Prompt::Ranking { .. } => "a query and passages to rank",
        Prompt::Payload(_) => "a ready body",
    }
}

fn json(value: &Value) -> Bytes {
    value.to_string().into()
}

fn turn_extras(turn: &Turn) -> Result<Vec<(String, Bytes)>, EndpointError> {
    let Some(extra) = turn.extra.as_deref().filter(|extra| !extra.trim().is_empty()) else {
        return Ok(Vec::new());
    };
    let fields: Map<String, Value> = serde_json::from_str(&format!("{{{extra}}}")).map_err(|error| {
        EndpointError::Extra { session_id: turn.session_id.to_string(), reason: error.to_string() }
    })?;
    Ok(fields.into_iter().map(|(key, value)| (key, json(&value))).collect())
}

#[cfg(test)]
mod tests;
