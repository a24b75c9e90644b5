//! Which reader takes the objects of a response, and what it must remember from one to the next.

use super::anthropic::Messages;
use super::format::{ResponseField, ResponseFormat};
use super::responses::Responses;
use super::said::Said;
use super::template::Plain;
use super::{free, generate, openai, vectors};
use crate::endpoint::EndpointKind;

/// The reader of one response.
#[derive(Debug)]
pub(super) enum Reader {
    /// Chat and completions.
    OpenAi(EndpointKind),
    /// OpenAI's responses.
    Responses(Responses),
    /// Anthropic's messages.
    Messages(Messages),
    /// TGI's generate, and Solido's answers.
    Generate(EndpointKind),
    /// Embeddings and rankings.
    Vectors(EndpointKind),
    /// Whatever comes.
    Free(Option<ResponseField>),
}

/// Whether an object is one of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// An event of a stream.
    Event,
    /// The whole answer.
    Whole,
}

impl Reader {
    pub(super) fn new(format: &ResponseFormat) -> Self {
        match format.kind {
            kind @ (EndpointKind::Chat | EndpointKind::Completions) => Self::OpenAi(kind),
            EndpointKind::Responses => Self::Responses(Responses::new(format.keeps_response_id)),
            EndpointKind::Messages => Self::Messages(Messages::default()),
            kind @ (EndpointKind::HuggingfaceGenerate | EndpointKind::SolidoRag) => Self::Generate(kind),
            kind @ (EndpointKind::Embeddings
            | EndpointKind::ChatEmbeddings
            | EndpointKind::NimEmbeddings
            | EndpointKind::NimRankings
            | EndpointKind::CohereRankings
            | EndpointKind::HfTeiRankings) => Self::Vectors(kind),
            EndpointKind::Template | EndpointKind::Raw => Self::Free(format.field.clone()),
        }
    }

    /// Whether data may be something other than JSON, so that the mark of a stream's end is data too.
    pub(super) fn takes_any_text(&self) -> bool {
        matches!(self, Self::Free(_))
    }

    /// Whether a conversation goes on with reasoning that came without text beside it.
    pub(super) fn recalls_reasoning(&self) -> bool {
        matches!(self, Self::OpenAi(_))
    }

    /// Reads one object. Gives its text if that is all it says.
    pub(super) fn take<'a>(&mut self, text: &'a str, shape: Shape, said: &mut Said<'_>) -> Option<Plain<'a>> {
        match self {
            Self::OpenAi(kind) => openai::take(*kind, text, said),
            Self::Responses(state) => {
                state.take(text, said);
                None
            }
            Self::Messages(state) => state.take(text, said),
            Self::Generate(EndpointKind::SolidoRag) => generate::solido(text, said),
            Self::Generate(_) => generate::tgi(text, shape, said),
            Self::Vectors(kind) => {
                vectors::take(*kind, text, said);
                None
            }
            Self::Free(field) => {
                free::take(field.as_ref(), text, said);
                None
            }
        }
    }
}
