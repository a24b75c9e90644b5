//! A conversation under way: each turn's own part, after what was said before it.
//!
//! Text turns accumulate: turn k is sent with all parts before it and the live answers to them. Turns
//! of ready messages and ready bodies are sent as they stand.

use std::sync::Arc;

use loadgen_core::{InputTokens, Message, Prompt, Reply, Role, Rope, Session, Turn};

use crate::library::{Library, Part};

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
    history: Vec<Message>,
}

impl Conversation {
    pub(crate) fn new(library: Arc<Library>, number: u32, zero_ms: Option<f64>) -> Self {
        let session_id = library.session_id(number);
        Self { library, number, session_id, zero_ms, next: 0, history: Vec::new() }
    }

    /// The prompt of a part after its history, and its tokens: exact where all text was made to
    /// measure, else left to be counted.
    pub(crate) fn assemble(history: &[Message], part: Part) -> (Prompt, InputTokens) {
        match part {
            Part::Messages { messages, tools } => {
                let tokens = InputTokens::CountJson(messages.clone());
                (Prompt::RawMessages { messages, tools }, tokens)
            }
            Part::Payload(payload) => (Prompt::Payload(payload.clone()), InputTokens::CountJson(payload)),
            Part::Text { system, text, tokens } => {
                // The system message is joined by a space that its successor's first word takes in.
                let exact = tokens
                    .filter(|_| history.is_empty())
                    .map(|tokens| tokens.saturating_add(system.as_ref().map_or(0, |(_, tokens)| *tokens)));
                let system = system.map(|(text, _)| Message::new(Role::System, text));
                let messages: Vec<Message> =
                    history.iter().cloned().chain(system).chain([Message::new(Role::User, text)]).collect();
                let tokens = match exact {
                    Some(tokens) => InputTokens::Exact(tokens),
                    None => InputTokens::Count(messages.iter().map(|message| message.text.clone()).collect()),
                };
                (Prompt::Messages(messages), tokens)
            }
        }
    }
}

impl Session for Conversation {
    fn next_turn(&mut self, reply: Option<&Reply>) -> Option<Turn> {
        let turns = self.library.turns(self.number);
        if self.next >= turns {
            return None;
        }
        let turn = self.next;
        self.next += 1;
        if let Some(reply) = reply.filter(|reply| !reply.text.is_empty() && !self.history.is_empty()) {
            self.history.push(Message::new(Role::Assistant, Rope::from(reply.text.clone())));
        }
        let part = self.library.part(self.number, turn);
        let prompt = Self::assemble(&self.history, part);
        if let Prompt::Messages(messages) = &prompt.0
            && self.next < turns
        {
            self.history.clone_from(messages);
        }
        Some(self.library.turn(self.number, turn, &self.session_id, prompt, self.zero_ms))
    }
}
