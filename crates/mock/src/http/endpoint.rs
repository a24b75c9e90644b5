//! The endpoints that answer, by the paths that they are asked at.

/// Which endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
    /// `/v1/responses`.
    Responses,
    /// `/v1/messages`.
    Messages,
    /// `/generate`, as Hugging Face TGI has it.
    Generate,
    /// `/generate_stream`.
    GenerateStream,
    /// `/rag/api/prompt`, as Solido has it.
    Solido,
    /// `/v1/embeddings`.
    Embeddings,
    /// `/v1/ranking`, as NIM has it.
    NimRanking,
    /// `/v2/rerank`, as Cohere has it.
    CohereRerank,
    /// `/rerank`, as Hugging Face TEI has it.
    TeiRerank,
}

impl Endpoint {
    /// The endpoint at a path; servers put a prefix before these, such as /openai.
    pub(crate) fn at(path: &str) -> Option<Self> {
        // The longer one of two that fit comes first.
        let known = [
            ("/chat/completions", Self::Chat),
            ("/completions", Self::Completions),
            ("/responses", Self::Responses),
            ("/messages", Self::Messages),
            ("/generate_stream", Self::GenerateStream),
            ("/generate", Self::Generate),
            ("/rag/api/prompt", Self::Solido),
            ("/embeddings", Self::Embeddings),
            ("/ranking", Self::NimRanking),
            ("/v2/rerank", Self::CohereRerank),
            ("/rerank", Self::TeiRerank),
        ];
        known.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, endpoint)| endpoint)
    }

    /// Whether it answers with tokens.
    pub(crate) fn generates(self) -> bool {
        !matches!(self, Self::Embeddings | Self::NimRanking | Self::CohereRerank | Self::TeiRerank)
    }

    /// Whether its answers can begin with reasoning.
    pub(super) fn reasons(self) -> bool {
        matches!(self, Self::Chat | Self::Responses | Self::Messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_for_the_endpoint_that_it_ends_with() {
        assert_eq!(Endpoint::at("/openai/v1/chat/completions"), Some(Endpoint::Chat));
        assert_eq!(Endpoint::at("/v1/completions"), Some(Endpoint::Completions));
        assert_eq!(
            (Endpoint::at("/v2/rerank"), Endpoint::at("/rerank")),
            (Some(Endpoint::CohereRerank), Some(Endpoint::TeiRerank))
        );
        assert_eq!(Endpoint::at("/generate_stream"), Some(Endpoint::GenerateStream));
        assert_eq!(Endpoint::at("/v1/models"), None);
    }
}
