//! The prompt corpus: words of which each is exactly one token, so that any n of them are n tokens.
//!
//! The text in the binary is a run of words from public-domain novels (`data/README.md`), each written
//! as a space and the word, each one token of the builtin tokenizer in that form. No token spans two of
//! them, so prompts have exact lengths by construction and building one needs no tokenizer. For another
//! tokenizer the corpus is cut down, at load, to the words that are one token there, and the whole of
//! what is left is verified with it.
//!
//! A text opens with a *head*, a word that is one token also without the space before it, because chat
//! templates trim what they are given. A prompt is therefore one head and a slice of the corpus: it
//! shares the corpus's memory, and costs as much for 100,000 tokens as for ten.

mod fit;

use bytes::Bytes;
use loadgen_core::{Rope, Seed};
use loadgen_tokens::Tokenizer;
use rand::Rng;

use crate::draw::{index, scale};
use crate::error::WorkloadError;

const TEXT: &str = include_str!("../data/corpus.txt");
const HEADS: &str = include_str!("../data/heads.txt");

/// The corpus, as one tokenizer sees it.
pub(crate) struct Corpus {
    /// Words, each after a space. Plain ASCII letters: nothing in it needs escaping in JSON.
    text: Bytes,
    /// Where each word starts (at its space), and where the last one ends.
    bounds: Vec<u32>,
    /// Separator and head, one after the other, JSON-escaped.
    openings: Bytes,
    /// Where each opening starts, and where the last one ends.
    opening_bounds: Vec<u32>,
    /// Bytes of the separator at the start of each opening; 0 without one.
    separator_len: usize,
}

impl Corpus {
    /// The corpus for `tokenizer`. Takes milliseconds for the builtin one, and for another one the
    /// time to encode a megabyte.
    pub(crate) fn new(tokenizer: &Tokenizer) -> Result<Self, WorkloadError> {
        let separator = tokenizer.separator();
        let separator = separator.as_deref().unwrap_or_default();
        if tokenizer.is_builtin() {
            let heads: Vec<&str> = HEADS.lines().collect();
            return Ok(Self::assemble(Bytes::from_static(TEXT.as_bytes()), &heads, separator));
        }
        let (text, heads) = fit::fit(tokenizer, separator)?;
        Ok(Self::assemble(Bytes::from(text), &heads, separator))
    }

    fn assemble(text: Bytes, heads: &[impl AsRef<str>], separator: &str) -> Self {
        let mut bounds: Vec<u32> = spaces(&text).collect();
        bounds.push(text.len() as u32);
        let separator = escape(separator);
        let mut openings = Vec::with_capacity(heads.len() * (separator.len() + 8));
        let mut opening_bounds = Vec::with_capacity(heads.len() + 1);
        for head in heads {
            opening_bounds.push(openings.len() as u32);
            openings.extend_from_slice(&separator);
            openings.extend_from_slice(head.as_ref().as_bytes());
        }
        opening_bounds.push(openings.len() as u32);
        Self { text, bounds, openings: openings.into(), opening_bounds, separator_len: separator.len() }
    }

    /// Words in the corpus: a longer run of them repeats itself.
    pub(crate) fn len(&self) -> usize {
        self.bounds.len() - 1
    }

    fn heads(&self) -> usize {
        self.opening_bounds.len() - 1
    }

    /// A text of exactly `tokens` tokens, at a place drawn from `rng`.
    pub(crate) fn text(&self, tokens: u32, rng: &mut impl Rng) -> Rope {
        let mut rope = Rope::new();
        if tokens > 0 {
            rope.push(self.opening(index(rng, self.heads())).slice(self.separator_len..));
            self.extend(&mut rope, index(rng, self.len()), tokens as usize - 1);
        }
        rope
    }

    /// Lengthens a text by exactly `tokens` tokens, from a place drawn from `rng`.
    pub(crate) fn continue_text(&self, rope: &mut Rope, tokens: u32, rng: &mut impl Rng) {
        self.extend(rope, index(rng, self.len()), tokens as usize);
    }

    /// Appends the block that `key` stands for: the separator and `tokens - 1` corpus tokens, the first
    /// of them a head drawn apart from the rest, so that two keys hardly ever give the same text. Without
    /// a separator, and where there is no room for one beside a word, corpus tokens alone.
    pub(crate) fn block(&self, rope: &mut Rope, key: BlockKey, tokens: u32) {
        let BlockKey { start, head } = key;
        let start = scale(start, self.len());
        if self.separator_len == 0 || tokens < 2 {
            // In the middle of a text a head needs its space; a corpus word has it.
            self.extend(rope, scale(head, self.len()), tokens.min(1) as usize);
            self.extend(rope, start, tokens.saturating_sub(1) as usize);
            return;
        }
        rope.push(self.opening(scale(head, self.heads())));
        self.extend(rope, start, tokens as usize - 2);
    }

    fn opening(&self, head: usize) -> Bytes {
        self.openings.slice(self.opening_bounds[head] as usize..self.opening_bounds[head + 1] as usize)
    }

    fn extend(&self, rope: &mut Rope, mut start: usize, mut words: usize) {
        while words > 0 {
            let end = (start + words).min(self.len());
            rope.push(self.text.slice(self.bounds[start] as usize..self.bounds[end] as usize));
            words -= end - start;
            start = 0;
        }
    }
}

/// What a block's text is made from: 128 uniform bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockKey {
    start: u64,
    head: u64,
}

impl BlockKey {
    /// The key of a hash id in one file: SHA-256 of `"{corpus seed}:{trace id}:{hash id}"`. Its first
    /// eight bytes are the seed that AIPerf gives that block.
    pub(crate) fn new(corpus_seed: Seed, trace_id: &str, hash_id: i64) -> Self {
        let key = corpus_seed.stream(&format!("{trace_id}:{hash_id}"));
        let bits = |at: usize| key[at..at + 8].iter().fold(0, |bits, byte| (bits << 8) | u64::from(*byte));
        Self { start: bits(0), head: bits(8) }
    }
}

/// The inside of the JSON string of `text`.
pub(crate) fn escape(text: &str) -> Vec<u8> {
    let quoted = serde_json::to_vec(text).expect("text is JSON");
    quoted[1..quoted.len() - 1].to_vec()
}

fn spaces(text: &[u8]) -> impl Iterator<Item = u32> + '_ {
    text.iter().enumerate().filter(|(_, byte)| **byte == b' ').map(|(at, _)| at as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::{HashMap, HashSet};

    use loadgen_core::CountTokens;

    use super::*;
    use crate::draw::{Purpose, Streams};
    use crate::testing::{fixture_tokenizer, unescape};
    use proptest::prelude::*;

    fn exact(tokenizer: &Tokenizer, corpus: &Corpus, tokens: u32, seed: u64) {
        let mut rng = Streams::new(Seed(seed), Purpose::PromptLength).at(0);
        let mut rope = corpus.text(tokens, &mut rng);
        assert_eq!(tokenizer.count(&unescape(&rope)), tokens as usize);
        corpus.continue_text(&mut rope, tokens, &mut rng);
        assert_eq!(tokenizer.count(&unescape(&rope)), 2 * tokens as usize);
    }

    fn exact_blocks(tokenizer: &Tokenizer, corpus: &Corpus, blocks: &[(i64, u32)]) {
        let mut rope = Rope::new();
        for (id, tokens) in blocks {
            corpus.block(&mut rope, BlockKey::new(Seed(1), "file", *id), *tokens);
        }
        let wanted: u32 = blocks.iter().map(|(_, tokens)| tokens).sum();
        assert_eq!(tokenizer.count(&unescape(&rope)), wanted as usize, "{}", unescape(&rope));
    }

    #[test]
    fn every_word_is_one_token_of_the_builtin_tokenizer() {
        let tokenizer = Tokenizer::builtin();
        let words: HashSet<&str> = TEXT.split_ascii_whitespace().collect();
        for word in &words {
            assert_eq!(tokenizer.count(&format!(" {word}")), 1, "{word}");
        }
        for head in HEADS.lines() {
            assert_eq!(tokenizer.count(head), 1, "{head}");
            assert!(words.contains(head), "{head} is one token after a space as well");
        }
        assert_eq!(tokenizer.count(TEXT), Corpus::new(&tokenizer).unwrap().len());
    }

    #[test]
    fn the_corpus_is_plain_letters_between_single_spaces() {
        assert!(TEXT.starts_with(' '));
        assert!(TEXT.bytes().all(|byte| byte == b' ' || byte.is_ascii_alphabetic()));
        assert!(!TEXT.contains("  ") && !TEXT.ends_with(' '));
    }

    #[test]
    fn a_text_longer_than_the_corpus_repeats_and_keeps_its_length() {
        let tokenizer = Tokenizer::builtin();
        let corpus = Corpus::new(&tokenizer).unwrap();
        exact(&tokenizer, &corpus, corpus.len() as u32 * 2 + 3, 5);
    }

    #[test]
    fn block_keys_begin_with_aiperfs_seeds() {
        let corpus = crate::draw::corpus_seed(Seed(42));
        let starts: Vec<u64> = (0..4).map(|id| BlockKey::new(corpus, "b8cbb061a85206d7", id).start).collect();
        assert_eq!(
            starts,
            [
                4_929_909_305_579_287_564,
                2_387_903_273_454_866_562,
                5_175_037_230_580_335_746,
                17_803_233_081_451_419_710
            ]
        );
    }

    #[test]
    fn blocks_without_a_separator_are_corpus_words_alone() {
        let tokenizer = Tokenizer::builtin();
        let corpus = Corpus::assemble(Bytes::from_static(TEXT.as_bytes()), &["I"], "");
        exact_blocks(&tokenizer, &corpus, &[(1, 512), (2, 16), (3, 2), (4, 1)]);
        let block = |id| {
            let mut rope = Rope::new();
            corpus.block(&mut rope, BlockKey::new(Seed(1), "file", id), 16);
            unescape(&rope)
        };
        assert!(block(1).starts_with(' '), "the same wherever it stands");
        assert_ne!(block(1), block(2));
    }

    /// A tokenizer file of these parts, with `<s>` declared as BOS.
    fn tokenizer_of(parts: &str) -> Tokenizer {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        let special = r#"{"id":0,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}"#;
        let json = format!(
            r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{special}],"post_processor":null,"decoder":null,{parts}}}"#
        );
        std::fs::write(&path, json).unwrap();
        std::fs::write(folder.path().join("tokenizer_config.json"), r#"{"bos_token":"<s>"}"#).unwrap();
        Tokenizer::load(&loadgen_tokens::TokenizerSource::File(path)).unwrap()
    }

    fn common_words() -> Vec<&'static str> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        TEXT.split_ascii_whitespace().for_each(|word| *counts.entry(word).or_default() += 1);
        let mut words: Vec<_> = counts.into_iter().collect();
        words.sort_by_key(|(word, count)| (std::cmp::Reverse(*count), *word));
        words.into_iter().map(|(word, _)| word).take(300).collect()
    }

    /// In the manner of SentencePiece: spaces are part of the word after them, written as a mark.
    fn marked_spaces(scheme: &str) -> Tokenizer {
        let letters =
            ('a'..='z').chain('A'..='Z').chain(['\u{2581}']).map(|letter| (letter.to_string(), -12.0));
        let words = common_words().into_iter().map(|word| (format!("\u{2581}{word}"), -5.0));
        let vocabulary: Vec<(String, f64)> = [("<s>".to_owned(), 0.0), ("<unk>".to_owned(), -20.0)]
            .into_iter()
            .chain(letters)
            .chain(words)
            .collect();
        let vocabulary = serde_json::to_string(&vocabulary).unwrap();
        tokenizer_of(&format!(
            r#""normalizer":null,"pre_tokenizer":{{"type":"Metaspace","replacement":"\u2581","prepend_scheme":"{scheme}","split":true}},"model":{{"type":"Unigram","unk_id":1,"vocab":{vocabulary},"byte_fallback":false}}"#
        ))
    }

    #[test]
    fn lengths_hold_where_spaces_are_marks_and_words_need_them() {
        for scheme in ["always", "first", "never"] {
            let tokenizer = marked_spaces(scheme);
            let corpus = Corpus::new(&tokenizer).unwrap();
            for (tokens, seed) in [(1, 1), (2, 2), (77, 3), (5000, 4)] {
                exact(&tokenizer, &corpus, tokens, seed);
            }
            exact_blocks(&tokenizer, &corpus, &[(1, 512), (2, 16), (3, 2), (4, 1)]);
        }
    }

    #[test]
    fn a_vocabulary_without_words_is_refused() {
        let letters: HashMap<String, usize> = ["<s>", "<unk>"]
            .into_iter()
            .map(str::to_owned)
            .chain(('a'..='z').map(String::from))
            .zip(0..)
            .collect();
        let letters = serde_json::to_string(&letters).unwrap();
        let tokenizer = tokenizer_of(&format!(
            r#""normalizer":null,"pre_tokenizer":{{"type":"Split","pattern":{{"Regex":"."}},"behavior":"Isolated","invert":false}},"model":{{"type":"WordLevel","vocab":{letters},"unk_token":"<unk>"}}"#
        ));
        let error = Corpus::new(&tokenizer).err().unwrap().to_string();
        assert!(error.contains("--tokenizer builtin"), "{error}");
    }

    #[test]
    fn a_separator_is_escaped() {
        let corpus = Corpus::assemble(Bytes::from_static(b" one two"), &["one"], "<\"bos\">");
        let mut rope = Rope::new();
        corpus.block(&mut rope, BlockKey { start: 0, head: 0 }, 4);
        assert_eq!(unescape(&rope), "<\"bos\">one one two");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn texts_have_their_exact_length(tokens in 1_u32..3000, seed: u64) {
            let tokenizer = Tokenizer::builtin();
            exact(&tokenizer, &Corpus::new(&tokenizer).unwrap(), tokens, seed);
        }

        #[test]
        fn texts_have_their_exact_length_with_a_tokenizer_file(tokens in 1_u32..3000, seed: u64) {
            let (tokenizer, corpus) = fixture_tokenizer();
            exact(tokenizer, corpus, tokens, seed);
        }

        #[test]
        fn blocks_have_their_exact_length(blocks in prop::collection::vec((any::<i64>(), 1_u32..600), 1..12)) {
            let tokenizer = Tokenizer::builtin();
            exact_blocks(&tokenizer, &Corpus::new(&tokenizer).unwrap(), &blocks);
            let (tokenizer, corpus) = fixture_tokenizer();
            exact_blocks(tokenizer, corpus, &blocks);
        }
    }
}
