//! What a request's prompt comes to: its tokens, and its blocks for the prefix cache.
//!
//! Works on the JSON text of the prompt as it stands, so that a long prompt is never copied. Server
//! and client often share a machine's cores, so the usual count is an estimate that costs about a
//! nanosecond a byte ([`estimate`](crate::estimate::estimate)); the exact one ([`ExactCounter`]) is there on request. Template
//! tokens of a chat model are not added.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use loadgen_core::CountTokens;
use loadgen_tokens::Tokenizer;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::estimate::estimate;
use crate::prefix_cache::BlockHash;

/// Bytes of prompt JSON that make a block of the prefix cache: some [`BLOCK_TOKENS`] tokens of text.
const BLOCK_BYTES: usize = 256;

/// Tokens that a block stands for when the prefix cache is sized.
pub(crate) const BLOCK_TOKENS: u32 = 48;

/// Where the prompt stands in a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PromptJson<'a> {
    /// The `messages` array of a chat request.
    Messages(&'a RawValue),
    /// The `prompt` of a completion request.
    Text(&'a RawValue),
}

/// The pieces of a prompt that hold tokens.
#[derive(Debug, Default)]
struct Pieces<'a> {
    /// JSON strings, quotes included.
    texts: Vec<&'a str>,
    /// Tokens that were given as numbers.
    ids: usize,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
}

impl<'a> PromptJson<'a> {
    fn json(self) -> &'a str {
        match self {
            Self::Messages(json) | Self::Text(json) => json.get(),
        }
    }

    /// Bytes of the prompt's JSON.
    pub(crate) fn len(self) -> usize {
        self.json().len()
    }

    /// Hashes of the prompt's whole blocks, each over everything before it as well.
    pub(crate) fn blocks(self) -> Vec<BlockHash> {
        let mut hasher = DefaultHasher::new();
        let whole = self.json().as_bytes().chunks_exact(BLOCK_BYTES);
        whole
            .map(|block| {
                hasher.write(block);
                hasher.finish()
            })
            .collect()
    }

    /// Tokens that a block of this prompt stands for, when the whole has so many.
    pub(crate) fn block_tokens(self, tokens: u32) -> u32 {
        (f64::from(tokens) * BLOCK_BYTES as f64 / self.len().max(1) as f64) as u32
    }

    fn pieces(self) -> Result<Pieces<'a>, serde_json::Error> {
        let mut pieces = Pieces::default();
        match self {
            Self::Messages(messages) => {
                for message in serde_json::from_str::<Vec<Message<'_>>>(messages.get())? {
                    match message.content.map(RawValue::get) {
                        Some(parts) if parts.starts_with('[') => {
                            let parts = serde_json::from_str::<Vec<Part<'_>>>(parts)?;
                            pieces.texts.extend(parts.iter().filter_map(|part| part.text).map(RawValue::get));
                        }
                        Some(text) => pieces.texts.push(text),
                        None => {}
                    }
                }
            }
            Self::Text(prompt) if prompt.get().starts_with('[') => {
                for item in serde_json::from_str::<Vec<&RawValue>>(prompt.get())? {
                    match item.get() {
                        ids if ids.starts_with('[') => {
                            pieces.ids += serde_json::from_str::<Vec<&RawValue>>(ids)?.len();
                        }
                        text if text.starts_with('"') => pieces.texts.push(text),
                        part if part.starts_with('{') => {
                            let part = serde_json::from_str::<Part<'_>>(part)?;
                            pieces.texts.extend(part.text.map(RawValue::get));
                        }
                        _ => pieces.ids += 1,
                    }
                }
            }
            Self::Text(prompt) => pieces.texts.push(prompt.get()),
        }
        pieces.texts.retain(|text| text.starts_with('"'));
        Ok(pieces)
    }

    /// Tokens of the prompt, as `counter` counts them; at least 1.
    pub(crate) fn tokens(self, counter: &mut Counter) -> Result<u32, serde_json::Error> {
        let pieces = self.pieces()?;
        let mut tokens = pieces.ids;
        for text in pieces.texts {
            tokens += match counter {
                Counter::Estimate => estimate(&text[1..text.len() - 1]),
                Counter::Exact(exact) => exact.count(&unescape(text)?),
                Counter::Words => unescape(text)?.split_whitespace().count(),
            };
        }
        Ok(u32::try_from(tokens).unwrap_or(u32::MAX).max(1))
    }
}

fn unescape(json: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    /// `Cow` itself would always be owned: serde borrows only where it is told to.
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(json).map(|text| text.0)
}

/// How tokens are counted.
pub(crate) enum Counter {
    /// By [`estimate`](crate::estimate::estimate).
    Estimate,
    /// By the builtin tokenizer.
    Exact(Box<ExactCounter>),
    /// Words between white space, as the server of AIPerf's reference runs has it.
    Words,
}

/// Counts with the builtin tokenizer, and remembers the counts of text seen before.
///
/// Text is cut after every [`Self::PIECE_BYTES`] at the next space between two letters: there the
/// tokenizer cuts as well, so the counts of the pieces add up. Prompts that share a prefix share its
/// pieces.
pub(crate) struct ExactCounter {
    tokenizer: Tokenizer,
    known: HashMap<u64, usize>,
}

impl ExactCounter {
    const PIECE_BYTES: usize = 2048;
    /// Pieces remembered; all are forgotten when there are more.
    const KNOWN: usize = 65_536;

    pub(crate) fn new(tokenizer: Tokenizer) -> Self {
        Self { tokenizer, known: HashMap::new() }
    }

    fn count(&mut self, mut text: &str) -> usize {
        let mut tokens = 0;
        while !text.is_empty() {
            let (piece, rest) = text.split_at(Self::cut(text));
            tokens += self.count_piece(piece);
            text = rest;
        }
        tokens
    }

    /// Where the first piece of `text` ends.
    fn cut(text: &str) -> usize {
        let bytes = text.as_bytes();
        let is_cut = |at: &usize| {
            bytes[*at] == b' ' && bytes[at - 1].is_ascii_alphabetic() && bytes[at + 1].is_ascii_alphabetic()
        };
        (Self::PIECE_BYTES..bytes.len().saturating_sub(1)).find(is_cut).unwrap_or(bytes.len())
    }

    fn count_piece(&mut self, piece: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        hasher.write(piece.as_bytes());
        if self.known.len() >= Self::KNOWN {
            self.known.clear();
        }
        let tokenizer = &self.tokenizer;
        *self.known.entry(hasher.finish()).or_insert_with(|| tokenizer.count(piece))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn exact() -> Counter {
        Counter::Exact(Box::new(ExactCounter::new(Tokenizer::builtin())))
    }

    #[test]
    fn every_form_of_prompt_is_counted() {
        let messages = |json: &str| PromptJson::Messages(&raw(json)).tokens(&mut Counter::Words).unwrap();
        assert_eq!(
            messages(r#"[{"role":"system","content":"be brief"},{"role":"user","content":"a b c"}]"#),
            5
        );
        assert_eq!(
            messages(r#"[{"role":"user","content":[{"type":"text","text":"a\nb"},{"type":"image_url"}]}]"#),
            2
        );
        assert_eq!(messages(r#"[{"role":"assistant","content":null}]"#), 1, "at least one");
        let prompt = |json: &str| PromptJson::Text(&raw(json)).tokens(&mut Counter::Words).unwrap();
        assert_eq!(prompt(r#""one two three""#), 3);
        assert_eq!(prompt(r#"["one two","three"]"#), 3);
        assert_eq!(prompt("[1, 2, 3]"), 3);
        assert_eq!(prompt("[[1, 2], [3]]"), 3);
        assert!(PromptJson::Messages(&raw("[1]")).tokens(&mut Counter::Words).is_err());
    }

    #[test]
    fn equal_prefixes_have_equal_blocks_and_nothing_else_has() {
        let text = |middle: &str| {
            let json = format!("\"{}{middle}{}\"", "same ".repeat(200), "tail ".repeat(100));
            PromptJson::Text(&raw(&json)).blocks()
        };
        let (one, two) = (text("x"), text("y"));
        assert_eq!(one.len(), 1503 / BLOCK_BYTES);
        assert_eq!(one[..3], two[..3]);
        assert!(one[3..].iter().zip(&two[3..]).all(|(one, two)| one != two));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn pieces_add_up_to_the_whole(words in proptest::collection::vec("[a-zA-Z]{1,9}|[0-9]{1,5}|[.,;'<|>-]|\n| ", 0..900)) {
            let text = words.join(" ");
            let json = serde_json::to_string(&text).unwrap();
            let counted = PromptJson::Text(&raw(&json)).tokens(&mut exact()).unwrap() as usize;
            prop_assert_eq!(counted, Tokenizer::builtin().count(&text).max(1));
        }
    }
}
