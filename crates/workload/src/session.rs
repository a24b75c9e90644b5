//! A conversation under way: each turn's own part, after what was said before it.
//!
//! Turns of text and media accumulate: turn k is sent with all parts before it and the live answers to them,
//! where the conversation is of that kind. Turns of ready messages and ready bodies are sent as they stand.
//! Where the server keeps a conversation, a turn names its latest answer in place of what was said before.

use std::sync::Arc;

use bytes::Bytes;
use loadgen_core::{InputTokens, Message, Part, Prompt, Reply, Role, Rope, Session, Turn};

use crate::library::{Asked, Library, Opening};

/// One session of a conversation.
pub(crate) struct Conversation {
    library: Arc<Library>,
    /// Its number in the dataset.
    number: u32,
    session_id: Arc<str>,
    /// The zero of the schedule, when the trace's times count.
    zero_ms: Option<f64>,
    next: u32,
    /// What was said so far; shared bytes.
    said: Opening,
}

impl Conversation {
    pub(crate) fn new(library: Arc<Library>, number: u32, zero_ms: Option<f64>) -> Self {
        let session_id = library.session_id(number);
        let said = library.opening(number);
        Self { library, number, session_id, zero_ms, next: 0, said }
    }

    /// The prompt of a part after what was said, and its tokens: exact where all text was made to measure,
    /// else left to be counted.
    pub(crate) fn assemble(said: &Opening, asked: Asked, in_chat_template: bool) -> (Prompt, InputTokens) {
        match asked {
            Asked::Messages { messages, tools, shown_tools, system } => {
                let counted = match (&shown_tools, &system) {
                    (None, None) => messages.clone(),
                    (tools, system) => counted_body(&messages, tools.as_ref(), system.as_ref()),
                };
                (Prompt::RawMessages { messages, tools, system }, InputTokens::CountJson(counted))
            }
            // What is counted is kept until it was.
            Asked::Payload { body, shown } => (Prompt::Payload(body), InputTokens::CountJson(shown)),
            Asked::Ranking { query, passages, tokens } => {
                let tokens = match tokens {
                    Some(tokens) => InputTokens::Exact(tokens),
                    None => InputTokens::Count([&query].into_iter().chain(&passages).cloned().collect()),
                };
                (Prompt::Ranking { query, passages }, tokens)
            }
            Asked::Message { message, tokens } => {
                // Texts are joined by a space, which the head word of the next one takes in.
                let exact = said.tokens.zip(tokens).map(|(said, asked)| said.saturating_add(asked));
                let messages: Vec<Message> = said.messages.iter().cloned().chain([message]).collect();
                let tokens = match exact {
                    _ if in_chat_template => InputTokens::Chat(spoken(&messages)),
                    // A body without text has no tokens, rather than none at all.
                    Some(0) => InputTokens::Unknown,
                    Some(tokens) => InputTokens::Exact(tokens),
                    None => count(&messages),
                };
                (Prompt::Messages(messages), tokens)
            }
        }
    }
}

/// The part of a body whose texts count: a server puts what tools are called, and what they take, before the
/// messages, and the system message in front.
fn counted_body(messages: &[u8], tools: Option<&Bytes>, system: Option<&Rope>) -> Bytes {
    let mut body = [&b"{\"messages\":"[..], messages].concat();
    if let Some(tools) = tools {
        body.extend([&b",\"tools\":"[..], tools].concat());
    }
    if let Some(system) = system {
        body.extend_from_slice(b",\"system\":\"");
        system.pieces().iter().for_each(|piece| body.extend_from_slice(piece));
        body.push(b'"');
    }
    body.push(b'}');
    body.into()
}

/// What the model said, as a message of the conversation; nothing if it said nothing.
fn answer(reply: &Reply) -> Option<Message> {
    let Some(ready) = &reply.message else {
        let text = Rope::from(reply.text.clone());
        return (!text.is_empty()).then(|| Message::new(Role::Assistant, text));
    };
    let parts = ready.texts.iter().map(|text| Part::Text(Rope::from(text.clone()))).collect();
    let ready = Some(ready.json.clone());
    Some(Message { parts, ready, ..Message::new(Role::Assistant, Rope::new()) })
}

/// The fields of a turn that follows the answer of this id.
fn with_previous(extra: Option<&str>, id: &str) -> Arc<str> {
    let previous = format!("\"previous_response_id\":{}", serde_json::Value::from(id));
    match extra.filter(|extra| !extra.trim().is_empty()) {
        Some(extra) => format!("{extra},{previous}").into(),
        None => previous.into(),
    }
}

/// Who says what, to be counted in a chat template. Several texts of a message follow one another.
fn spoken(messages: &[Message]) -> Vec<(Role, Rope)> {
    messages
        .iter()
        .map(|message| {
            let mut text = message.text.clone();
            for part in &message.parts {
                if let Part::Text(further) = part {
                    text.extend(further);
                }
            }
            (message.role, text)
        })
        .collect()
}

/// The texts of all messages, to be counted.
fn count(messages: &[Message]) -> InputTokens {
    let texts: Vec<Rope> = messages
        .iter()
        .flat_map(|message| {
            let further = message.parts.iter().filter_map(|part| match part {
                Part::Text(text) => Some(text),
                Part::Image(_) | Part::Audio(_) | Part::Video(_) => None,
            });
            [&message.text].into_iter().chain(further)
        })
        .filter(|text| !text.is_empty())
        .cloned()
        .collect();
    if texts.is_empty() { InputTokens::Unknown } else { InputTokens::Count(texts) }
}

impl Session for Conversation {
    fn next_turn(&mut self, reply: Option<&Reply>) -> Option<Turn> {
        let turns = self.library.turns(self.number);
        if self.next >= turns {
            return None;
        }
        let turn = self.next;
        self.next += 1;
        let remembers = self.library.remembers(self.number);
        if let Some(answer) = reply.filter(|_| remembers && turn > 0).and_then(answer) {
            self.said.push(answer, None);
        }
        let mut asked = self.library.asked(self.number, turn);
        let begins = turn == 0 || !remembers;
        let joined = if begins { self.library.join_system(&self.said, &mut asked) } else { None };
        if remembers && let Some(left) = &joined {
            self.said = left.clone();
        }
        let own = match &asked {
            Asked::Message { message, tokens } if remembers && self.next < turns => {
                Some((message.clone(), *tokens))
            }
            _ => None,
        };
        let kept = reply.and_then(|reply| reply.response_id.clone()).filter(|_| remembers && turn > 0);
        let opening = match (&kept, &joined) {
            (Some(_), _) => &self.said.kept_by_server(),
            (None, Some(left)) => left,
            (None, None) => &self.said,
        };
        let prompt = Self::assemble(opening, asked, self.library.counts_in_chat_template());
        if let Some((message, tokens)) = own {
            self.said.push(message, tokens);
        }
        let mut turn = self.library.turn(self.number, turn, &self.session_id, prompt, self.zero_ms);
        if let Some(id) = kept {
            turn.extra = Some(with_previous(turn.extra.as_deref(), &id));
        }
        Some(turn)
    }
}
