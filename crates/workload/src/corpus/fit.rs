//! What is left of the corpus for another tokenizer than the builtin one: the words that are one token
//! there too, verified where they stand.

use std::collections::{HashMap, HashSet};

use loadgen_core::CountTokens;
use loadgen_tokens::Tokenizer;

use super::TEXT;
use crate::error::WorkloadError;

/// Fewer distinct words than this make no corpus.
const MIN_WORDS: usize = 32;
/// Fewer heads than this leave blocks too alike.
const MIN_HEADS: usize = 8;
/// Words that are verified in one go.
const VERIFIED_AT_ONCE: usize = 4096;
/// Rounds of verifying before a vocabulary is given up.
const MAX_ROUNDS: u32 = 4;

/// The corpus for `tokenizer`, and the words that can open a text or follow the separator.
pub(super) fn fit(tokenizer: &Tokenizer, separator: &str) -> Result<(String, Vec<String>), WorkloadError> {
    let (text, words) = cut_down(tokenizer)?;
    let mut words: Vec<&str> = words.into_iter().collect();
    words.sort_unstable();
    // Some vocabularies know few words without the space before them.
    let heads = ["", " "]
        .iter()
        .map(|space| words.iter().map(move |word| format!("{space}{word}")))
        .map(|heads| heads.filter(|head| can_open(tokenizer, separator, head)).collect::<Vec<_>>())
        .find(|heads| heads.len() >= MIN_HEADS)
        .ok_or_else(|| too_few(tokenizer, words.len()))?;
    Ok((text, heads))
}

fn too_few(tokenizer: &Tokenizer, words: usize) -> WorkloadError {
    WorkloadError::Vocabulary { name: tokenizer.name().to_owned(), words }
}

/// The corpus without the words that are not one token of `tokenizer`, and the distinct words left.
fn cut_down(tokenizer: &Tokenizer) -> Result<(String, HashSet<&'static str>), WorkloadError> {
    // Words are judged between two others: some tokenizers put a mark of their own before a text.
    let without = tokenizer.count("of of");
    let mut known: HashMap<&str, bool> = HashMap::new();
    let all: Vec<&'static str> = TEXT.split_ascii_whitespace().collect();
    for word in &all {
        known.entry(word).or_insert_with(|| tokenizer.count(&format!("of {word} of")) == without + 1);
    }
    for _ in 0..MAX_ROUNDS {
        let words: Vec<&'static str> = all.iter().copied().filter(|word| known[word]).collect();
        let distinct: HashSet<&'static str> = words.iter().copied().collect();
        if distinct.len() < MIN_WORDS {
            return Err(too_few(tokenizer, distinct.len()));
        }
        let spoilers = spoilers(tokenizer, &words);
        if spoilers.is_empty() {
            let mut text = String::with_capacity(TEXT.len());
            for word in words {
                text.push(' ');
                text.push_str(word);
            }
            return Ok((text, distinct));
        }
        for word in spoilers {
            known.insert(word, false);
        }
    }
    Err(too_few(tokenizer, 0))
}

/// The words that are not exactly one token where they stand.
fn spoilers(tokenizer: &Tokenizer, words: &[&'static str]) -> HashSet<&'static str> {
    let mut spoilers = HashSet::new();
    for run in words.chunks(VERIFIED_AT_ONCE) {
        let text = run.join(" ");
        // Counting is the fast way; where tokens end is only of interest where the count is off.
        if tokenizer.count(&text) == run.len() {
            continue;
        }
        let mut ends = tokenizer.token_ends(&text).into_iter().peekable();
        let mut word_end = 0;
        // The first word of a run has no space before it, which is not how it will be used.
        for (at, word) in run.iter().enumerate() {
            word_end += word.len() + usize::from(at > 0);
            let mut tokens = 0;
            let mut last = 0;
            while let Some(end) = ends.next_if(|end| *end <= word_end) {
                tokens += 1;
                last = end;
            }
            if at > 0 && (tokens != 1 || last != word_end) {
                spoilers.insert(*word);
            }
        }
    }
    spoilers
}

/// Whether a head is one token where heads stand: at the start of a text, and after the separator.
fn can_open(tokenizer: &Tokenizer, separator: &str, head: &str) -> bool {
    // What stands before the separator may itself be more than one token at the start of a text.
    let after = || tokenizer.count(&format!("of{separator}{head} of"));
    let before = || tokenizer.count(&format!("of{separator}"));
    tokenizer.count(&format!("{head} of")) == 2 && (separator.is_empty() || after() == before() + 2)
}
