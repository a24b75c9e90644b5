//! Makes `data/corpus.txt` and `data/heads.txt` from plain text on stdin: keeps the words that are one
//! token of the builtin tokenizer each when written after a space. See `data/README.md`.
//!
//! `cargo run -p loadgen-workload --example build_corpus -- crates/workload/data < book.txt`

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use loadgen_core::CountTokens;
use loadgen_tokens::Tokenizer;

/// Bytes of corpus text to stop after.
const MAX_BYTES: usize = 1_400_000;

/// Words that may open a text, at most.
const MAX_HEADS: usize = 4096;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let tokenizer = Tokenizer::builtin();

    let mut kept: BTreeMap<&str, bool> = BTreeMap::new();
    let mut corpus = String::new();
    let is_part = |letter: char| letter.is_alphabetic() || letter == '\'' || letter == '\u{2019}';
    for word in text.split(|letter: char| !is_part(letter)).filter(|word| is_plain(word)) {
        let keep = kept.entry(word).or_insert_with(|| tokenizer.count(&format!(" {word}")) == 1);
        if *keep {
            corpus.push(' ');
            corpus.push_str(word);
        }
        if corpus.len() >= MAX_BYTES {
            break;
        }
    }
    let words: BTreeSet<&str> = corpus.split_ascii_whitespace().collect();
    let heads: Vec<&str> =
        words.into_iter().filter(|word| tokenizer.count(word) == 1).take(MAX_HEADS).collect();
    std::fs::write(folder.join("heads.txt"), heads.join("\n") + "\n")?;
    std::fs::write(folder.join("corpus.txt"), corpus)
}

/// Lower case, or a capital and lower case: forms that no tokenizer's word pattern splits.
fn is_plain(word: &str) -> bool {
    let mut letters = word.bytes();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_lowercase())
}
