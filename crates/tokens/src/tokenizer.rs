//! One tokenizer, whatever it came from.
//!
//! Cloning shares the vocabulary. Nothing here adds special tokens to a text; their literal text in
//! the input is recognised as the one token it stands for.

use std::sync::Arc;

use loadgen_core::CountTokens;

use crate::builtin;
use crate::error::TokenizerError;
use crate::file::FileTokenizer;
use crate::resolve::TokenizerSource;

/// A tokenizer, cheap to clone.
#[derive(Clone)]
pub struct Tokenizer(Kind);

#[derive(Clone)]
enum Kind {
    /// `o200k_base`. The vocabulary lies in the binary.
    Builtin,
    /// A `tokenizer.json`.
    File(Arc<FileTokenizer>),
}

impl Tokenizer {
    /// Loads a source. For the builtin tokenizer this is free: it is searched where it lies, in the
    /// binary.
    pub fn load(source: &TokenizerSource) -> Result<Self, TokenizerError> {
        Ok(Self(match source {
            TokenizerSource::Builtin => Kind::Builtin,
            TokenizerSource::File(path) => Kind::File(Arc::new(FileTokenizer::read(path)?)),
        }))
    }

    /// Loads a source with its chat template, if it has one, so that messages are counted in it.
    pub fn load_with_template(source: &TokenizerSource) -> Result<Self, TokenizerError> {
        Ok(Self(match source {
            TokenizerSource::Builtin => Kind::Builtin,
            TokenizerSource::File(path) => {
                Kind::File(Arc::new(FileTokenizer::read(path)?.with_template(path)?))
            }
        }))
    }

    /// Whether messages are counted in a chat template.
    pub fn has_template(&self) -> bool {
        match &self.0 {
            Kind::Builtin => false,
            Kind::File(file) => file.has_template(),
        }
    }

    /// What a chat template puts around a conversation: tokens once a request (the beginning of the answer),
    /// and tokens around each message. Measured on a few messages, as AIPerf does; none without a template.
    pub fn chat_overhead(&self) -> (u32, u32) {
        const SAMPLES: [&str; 3] = [
            "Hello, how are you today?",
            "Could you write a Python function to reverse a string?",
            "What's the difference between TCP and UDP in networking?",
        ];
        let measured: Option<Vec<(f64, f64)>> = SAMPLES
            .iter()
            .map(|sample| {
                let says = |role: &str| format!("{{\"role\":\"{role}\",\"content\":{sample:?}}}");
                let single = self.count_chat(format!("[{}]", says("user")).as_bytes())? as f64;
                let triple = [says("user"), says("assistant"), says("user")].join(",");
                let triple = self.count_chat(format!("[{triple}]").as_bytes())? as f64;
                let bare = self.count(sample) as f64;
                let around = (triple - single - 2.0 * bare) / 2.0;
                let once = single - bare - around - f64::from(self.special_tokens_added());
                (around >= 0.0 && once >= 0.0).then_some((once, around))
            })
            .collect();
        let Some(measured) = measured else { return (0, 0) };
        let mean = |of: fn(&(f64, f64)) -> f64| {
            (measured.iter().map(of).sum::<f64>() / measured.len() as f64).round_ties_even() as u32
        };
        (mean(|(once, _)| *once), mean(|(_, around)| *around))
    }

    /// The builtin tokenizer.
    pub fn builtin() -> Self {
        Self(Kind::Builtin)
    }

    /// Whether this is the builtin tokenizer.
    pub fn is_builtin(&self) -> bool {
        matches!(self.0, Kind::Builtin)
    }

    /// `builtin`, or the path of the file.
    pub fn name(&self) -> &str {
        match &self.0 {
            Kind::Builtin => builtin::NAME,
            Kind::File(file) => file.name(),
        }
    }

    /// SHA-256 in hex of the file that defines the vocabulary.
    pub fn fingerprint(&self) -> String {
        match &self.0 {
            Kind::Builtin => builtin::FINGERPRINT.to_owned(),
            Kind::File(file) => file.fingerprint().to_owned(),
        }
    }

    /// The tokens of `text`, none added.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        match &self.0 {
            Kind::Builtin => {
                let mut ids = Vec::new();
                builtin::encode_into(text, &mut ids);
                ids
            }
            Kind::File(file) => file.encode(text),
        }
    }

    /// Appends the tokens of `text` to `ids`, whose memory is used again.
    pub fn encode_into(&self, text: &str, ids: &mut Vec<u32>) {
        match &self.0 {
            Kind::Builtin => builtin::encode_into(text, ids),
            Kind::File(file) => ids.extend(file.encode(text)),
        }
    }

    /// The text of `tokens`, special tokens included; bytes that are no UTF-8 are replaced, unknown
    /// ids left out.
    pub fn decode(&self, tokens: &[u32]) -> String {
        match &self.0 {
            Kind::Builtin => builtin::decode(tokens),
            Kind::File(file) => file.decode(tokens),
        }
    }

    /// The literal text of the token that marks the beginning of a text, else of the one that marks
    /// its end; `None` when the tokenizer declares neither.
    pub fn separator(&self) -> Option<Arc<str>> {
        match &self.0 {
            Kind::Builtin => Some(Arc::from(builtin::SEPARATOR)),
            Kind::File(file) => file.separator(),
        }
    }

    /// How many tokens a server adds around a text of its own accord (a BOS, usually).
    pub fn special_tokens_added(&self) -> u32 {
        match &self.0 {
            Kind::Builtin => 0,
            Kind::File(file) => file.special_tokens_added(),
        }
    }
}

impl CountTokens for Tokenizer {
    fn count(&self, text: &str) -> usize {
        match &self.0 {
            Kind::Builtin => builtin::count(text),
            Kind::File(file) => file.count(text),
        }
    }

    fn count_chat(&self, messages: &[u8]) -> Option<usize> {
        match &self.0 {
            Kind::Builtin => None,
            Kind::File(file) => file.count_chat(messages),
        }
    }

    fn token_ends(&self, text: &str) -> Vec<usize> {
        match &self.0 {
            Kind::Builtin => {
                let mut ends = Vec::new();
                builtin::token_ends_into(text, &mut ends);
                ends
            }
            Kind::File(file) => file.token_ends(text),
        }
    }

    fn token_ends_into(&self, text: &str, ends: &mut Vec<usize>) {
        match &self.0 {
            Kind::Builtin => builtin::token_ends_into(text, ends),
            Kind::File(file) => ends.extend(file.token_ends(text)),
        }
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tokenizer").field(&self.name()).finish()
    }
}
