//! The endpoints that are spoken, and what each of them can do.
//!
//! One table of facts; whoever needs to know whether an endpoint streams, or what its table is called,
//! asks here. What it does not know: bodies and responses (see `body` and `decode`).

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The endpoint that is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointKind {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's completions.
    Completions,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// OpenAI's embeddings.
    Embeddings,
    /// Embeddings of chat messages, as vLLM takes images.
    ChatEmbeddings,
    /// NIM's embeddings, of texts, of images, or of pairs.
    NimEmbeddings,
    /// NIM's ranking.
    NimRankings,
    /// Cohere's rerank.
    CohereRankings,
    /// Hugging Face TEI's rerank.
    HfTeiRankings,
    /// Hugging Face TGI's generate.
    HuggingfaceGenerate,
    /// Solido's retrieval-augmented generation.
    SolidoRag,
    /// A body rendered from the user's template.
    Template,
    /// Ready bodies, sent as they stand.
    Raw,
}

/// What an endpoint is, and what it can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointFacts {
    /// Its name in AIPerf's flags, files and folder names.
    pub name: &'static str,
    /// Where it is served by default; empty: at the target's own path.
    pub path: &'static str,
    /// Where its streams are served by default, if elsewhere.
    pub streaming_path: Option<&'static str>,
    /// Whether its responses can come as streams.
    pub streams: bool,
    /// Whether it answers with tokens.
    pub produces_tokens: bool,
    /// Whether its input is text that is counted in tokens.
    pub tokenizes_input: bool,
    /// Whether it takes images.
    pub takes_images: bool,
    /// Whether it takes sounds.
    pub takes_audio: bool,
    /// Whether it takes films.
    pub takes_video: bool,
    /// Whether a body has a place for a system message.
    pub takes_system: bool,
    /// Whether a body has a place for earlier messages, so that conversations can go on.
    pub takes_history: bool,
    /// The title of its metrics' table.
    pub title: &'static str,
    /// The name of its service in folder names.
    pub service: &'static str,
}

/// What most endpoints are.
const USUAL: EndpointFacts = EndpointFacts {
    name: "",
    path: "",
    streaming_path: None,
    streams: true,
    produces_tokens: true,
    tokenizes_input: true,
    takes_images: false,
    takes_audio: false,
    takes_video: false,
    takes_system: false,
    takes_history: false,
    title: "LLM Metrics",
    service: "openai",
};

/// What the endpoints are that answer with vectors or scores.
const NO_TOKENS: EndpointFacts = EndpointFacts { streams: false, produces_tokens: false, ..USUAL };

/// AIPerf's endpoint types that are not spoken here, and why.
const NOT_SPOKEN: [(&str, &str); 5] = [
    ("audio_transcription", "it uploads sounds as forms"),
    ("image_edit", "it uploads images as forms and answers with images"),
    ("image_generation", "it answers with images"),
    ("image_retrieval", "it answers with the places of things in images"),
    ("video_generation", "its films are made by jobs that are asked after"),
];

/// An endpoint type that is not spoken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EndpointKindError {
    /// One of AIPerf's that loadgen leaves out.
    #[error("{name} is not spoken by loadgen ({why}): expected one of {}", names())]
    NotSpoken {
        /// Its name.
        name: &'static str,
        /// Why.
        why: &'static str,
    },
    /// Nobody's.
    #[error("{given:?} is no endpoint type: expected one of {}", names())]
    Unknown {
        /// What was given.
        given: String,
    },
}

impl EndpointKind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Chat,
        Self::Completions,
        Self::Responses,
        Self::Messages,
        Self::Embeddings,
        Self::ChatEmbeddings,
        Self::NimEmbeddings,
        Self::NimRankings,
        Self::CohereRankings,
        Self::HfTeiRankings,
        Self::HuggingfaceGenerate,
        Self::SolidoRag,
        Self::Template,
        Self::Raw,
    ];

    /// What it is and can do.
    pub const fn facts(self) -> EndpointFacts {
        match self {
            Self::Chat => EndpointFacts {
                name: "chat",
                path: "/v1/chat/completions",
                takes_images: true,
                takes_audio: true,
                takes_video: true,
                takes_system: true,
                takes_history: true,
                ..USUAL
            },
            Self::Completions => EndpointFacts { name: "completions", path: "/v1/completions", ..USUAL },
            Self::Responses => EndpointFacts {
                name: "responses",
                path: "/v1/responses",
                takes_images: true,
                takes_audio: true,
                takes_system: true,
                takes_history: true,
                ..USUAL
            },
            Self::Messages => EndpointFacts {
                name: "messages",
                path: "/v1/messages",
                takes_images: true,
                takes_system: true,
                takes_history: true,
                ..USUAL
            },
            Self::Embeddings => EndpointFacts {
                name: "embeddings",
                path: "/v1/embeddings",
                title: "Embeddings Metrics",
                ..NO_TOKENS
            },
            Self::ChatEmbeddings => EndpointFacts {
                name: "chat_embeddings",
                path: "/v1/embeddings",
                takes_images: true,
                takes_audio: true,
                takes_video: true,
                takes_system: true,
                takes_history: true,
                title: "Embeddings Metrics",
                ..NO_TOKENS
            },
            Self::NimEmbeddings => EndpointFacts {
                name: "nim_embeddings",
                path: "/v1/embeddings",
                takes_images: true,
                title: "NIM Embeddings Metrics",
                ..NO_TOKENS
            },
            Self::NimRankings => EndpointFacts {
                name: "nim_rankings",
                path: "/v1/ranking",
                title: "Rankings Metrics",
                ..NO_TOKENS
            },
            Self::CohereRankings => EndpointFacts {
                name: "cohere_rankings",
                path: "/v2/rerank",
                title: "Ranking Metrics",
                ..NO_TOKENS
            },
            Self::HfTeiRankings => EndpointFacts {
                name: "hf_tei_rankings",
                path: "/rerank",
                title: "Ranking Metrics",
                ..NO_TOKENS
            },
            Self::HuggingfaceGenerate => EndpointFacts {
                name: "huggingface_generate",
                path: "/generate",
                streaming_path: Some("/generate_stream"),
                ..USUAL
            },
            Self::SolidoRag => EndpointFacts {
                name: "solido_rag",
                path: "/rag/api/prompt",
                title: "SOLIDO RAG Metrics",
                ..USUAL
            },
            Self::Template => EndpointFacts {
                name: "template",
                takes_images: true,
                takes_audio: true,
                takes_video: true,
                takes_history: true,
                ..USUAL
            },
            Self::Raw => EndpointFacts {
                name: "raw",
                takes_images: true,
                takes_audio: true,
                takes_video: true,
                ..USUAL
            },
        }
    }

    /// The endpoint of this name, in any case and with `-` or `_`.
    pub fn named(given: &str) -> Result<Self, EndpointKindError> {
        let name = given.trim().to_ascii_lowercase().replace('-', "_");
        if let Some(kind) = Self::ALL.into_iter().find(|kind| kind.facts().name == name) {
            return Ok(kind);
        }
        match NOT_SPOKEN.into_iter().find(|(known, _)| *known == name) {
            Some((name, why)) => Err(EndpointKindError::NotSpoken { name, why }),
            None => Err(EndpointKindError::Unknown { given: given.to_owned() }),
        }
    }

    /// Where it is served by default.
    pub fn default_path(self, streaming: bool) -> &'static str {
        let facts = self.facts();
        facts.streaming_path.filter(|_| streaming).unwrap_or(facts.path)
    }
}

/// The names of all that are spoken.
fn names() -> String {
    EndpointKind::ALL.map(|kind| kind.facts().name).join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_endpoint_is_found_by_its_name_and_keeps_it_in_files() {
        for kind in EndpointKind::ALL {
            let name = kind.facts().name;
            assert_eq!(EndpointKind::named(name), Ok(kind));
            assert_eq!(EndpointKind::named(&name.to_uppercase().replace('_', "-")), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
    }

    #[test]
    fn the_others_of_aiperf_are_refused_with_a_reason() {
        let said = EndpointKind::named("image-edit").unwrap_err().to_string();
        assert!(said.starts_with("image_edit is not spoken by loadgen (it uploads images"), "{said}");
        assert!(said.ends_with("template, raw"), "{said}");
        let said = EndpointKind::named("chatt").unwrap_err().to_string();
        assert!(said.starts_with("\"chatt\" is no endpoint type: expected one of chat, "), "{said}");
        // With those that are spoken, AIPerf's nineteen.
        assert_eq!(NOT_SPOKEN.len() + EndpointKind::ALL.len(), 19);
    }

    #[test]
    fn only_what_streams_produces_tokens() {
        for kind in EndpointKind::ALL {
            let facts = kind.facts();
            assert_eq!(facts.streams, facts.produces_tokens, "{kind:?}");
            assert!(
                facts.path.starts_with('/') != matches!(kind, EndpointKind::Template | EndpointKind::Raw)
            );
        }
        assert_eq!(EndpointKind::HuggingfaceGenerate.default_path(true), "/generate_stream");
        assert_eq!(EndpointKind::HuggingfaceGenerate.default_path(false), "/generate");
        assert_eq!(EndpointKind::Chat.default_path(true), "/v1/chat/completions");
    }
}
