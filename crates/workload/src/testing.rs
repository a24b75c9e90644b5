//! What the tests of several modules need.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::LazyLock;

use loadgen_core::Rope;
use loadgen_tokens::{Tokenizer, TokenizerSource};

use crate::corpus::Corpus;

/// The text behind a rope.
pub(crate) fn unescape(rope: &Rope) -> String {
    let mut json = vec![b'"'];
    rope.pieces().iter().for_each(|piece| json.extend_from_slice(piece));
    json.push(b'"');
    serde_json::from_slice(&json).unwrap()
}

/// A small byte-level tokenizer from a file (see `tests/data/README.md`), and the corpus for it.
pub(crate) fn fixture_tokenizer() -> &'static (Tokenizer, Corpus) {
    static FIXTURE: LazyLock<(Tokenizer, Corpus)> = LazyLock::new(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizer/tokenizer.json");
        let tokenizer = Tokenizer::load(&TokenizerSource::File(path)).unwrap();
        let corpus = Corpus::new(&tokenizer).unwrap();
        (tokenizer, corpus)
    });
    &FIXTURE
}
