//! What the mock says: words of which each is one token.
//!
//! Every word begins with its space and is a single token of o200k_base, also next to any other of
//! the list, so an answer of n words is n tokens for the builtin tokenizer. A test holds that.

/// The words, in the order they are said.
const WORDS: [&str; 17] = [
    " the", " quick", " brown", " fox", " jumps", " over", " lazy", " dog", " while", " many", " small",
    " birds", " sing", " near", " old", " stone", " bridge",
];

/// The `index`-th word of an answer that starts at word `start`.
pub(crate) fn word(start: u64, index: u32) -> &'static str {
    let index = (start % WORDS.len() as u64) as usize + index as usize;
    WORDS[index % WORDS.len()]
}

/// Words `from..to` of such an answer, joined.
pub(crate) fn words(start: u64, from: u32, to: u32) -> String {
    (from..to).map(|index| word(start, index)).collect()
}

#[cfg(test)]
mod tests {
    use loadgen_core::CountTokens;
    use loadgen_tokens::Tokenizer;

    use super::*;

    #[test]
    fn as_many_tokens_as_words_from_any_start() {
        let tokenizer = Tokenizer::builtin();
        for start in 0..WORDS.len() as u64 {
            assert_eq!(tokenizer.count(&words(start, 0, 100)), 100);
        }
        for word in WORDS {
            assert_eq!(tokenizer.count(word), 1, "{word:?}");
        }
    }

    #[test]
    fn answers_go_round() {
        assert_eq!(words(0, 0, 3), " the quick brown");
        assert_eq!(words(16, 0, 2), " bridge the");
        assert_eq!(words(1, 2, 2), "");
    }
}
