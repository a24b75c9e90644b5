//! The builtin tokenizer: `o200k_base`, embedded in the binary, so that it never needs a network.

use std::collections::HashSet;

use tiktoken_rs::{CoreBPE, o200k_base_singleton};

/// Its name at every surface.
pub(crate) const NAME: &str = "builtin";

/// SHA-256 of `o200k_base.tiktoken`, the vocabulary as OpenAI publishes it.
pub(crate) const FINGERPRINT: &str = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d";

/// It has no token for the beginning of a text; this one marks the end.
pub(crate) const SEPARATOR: &str = "<|endoftext|>";

/// Built at its first use (0.3 s, 58 MiB), once in the process.
fn vocabulary() -> &'static CoreBPE {
    o200k_base_singleton()
}

pub(crate) fn encode(text: &str) -> Vec<u32> {
    let vocabulary = vocabulary();
    let mut tokens = Vec::new();
    encode_into(&mut tokens, vocabulary, &vocabulary.special_tokens(), text);
    tokens
}

/// The word pattern gives up on runs of some hundred thousand blanks, which a broken server may well
/// send. Such a text is cut in half until it fits, at the price of a token or so at each cut.
fn encode_into(tokens: &mut Vec<u32>, vocabulary: &CoreBPE, special: &HashSet<&str>, text: &str) {
    match vocabulary.encode(text, special) {
        Ok((encoded, _)) if tokens.is_empty() => *tokens = encoded,
        Ok((encoded, _)) => tokens.extend(encoded),
        Err(_) => {
            let (left, right) = text.split_at(text.floor_char_boundary(text.len() / 2));
            if !left.is_empty() {
                encode_into(tokens, vocabulary, special, left);
                encode_into(tokens, vocabulary, special, right);
            }
        }
    }
}

pub(crate) fn decode(tokens: &[u32]) -> String {
    let vocabulary = vocabulary();
    let mut bytes = Vec::with_capacity(tokens.len() * 4);
    for token in tokens {
        if let Ok(piece) = vocabulary.decode_bytes(&[*token]) {
            bytes.extend_from_slice(&piece);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Tokens are byte strings that join up to the text, so the ends are the sums of their lengths.
pub(crate) fn token_ends(text: &str) -> Vec<usize> {
    let vocabulary = vocabulary();
    let mut end = 0;
    vocabulary
        ._decode_native_and_split(encode(text))
        .map(|piece| {
            end += piece.len();
            end
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Counts the bytes of standard base64 without a crate for it.
    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for group in bytes.chunks(3) {
            let word = group.iter().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte))
                << (8 * (3 - group.len()));
            for digit in 0..4 {
                if digit > group.len() {
                    out.push('=');
                } else {
                    out.push(char::from(DIGITS[(word >> (18 - 6 * digit)) as usize & 63]));
                }
            }
        }
        out
    }

    #[test]
    fn the_fingerprint_is_that_of_the_embedded_vocabulary() {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for rank in 0..199_998_u32 {
            let bytes = vocabulary().decode_bytes(&[rank]).expect("ranks are dense");
            hash.update(format!("{} {rank}\n", base64(&bytes)));
        }
        assert_eq!(format!("{:x}", hash.finalize()), FINGERPRINT);
    }

    #[test]
    fn the_text_of_a_special_token_is_one_token() {
        assert_eq!(encode(SEPARATOR), [199_999]);
        assert_eq!(encode("a<|endoftext|> b").len(), 3);
    }

    #[test]
    fn endless_blanks_are_counted_too() {
        let text = " ".repeat(1_000_000) + "x";
        let ends = token_ends(&text);
        assert_eq!(ends.last(), Some(&text.len()));
        // The longest token of blanks has 128 of them.
        assert!((7_812..7_900).contains(&ends.len()), "{}", ends.len());
    }

    proptest! {
        #[test]
        fn ends_ascend_to_the_length_of_the_text(text in "(\\PC|<\\|endoftext\\|>){0,40}") {
            let ends = token_ends(&text);
            prop_assert_eq!(ends.len(), encode(&text).len());
            prop_assert!(ends.is_sorted());
            prop_assert_eq!(ends.last().copied().unwrap_or(0), text.len());
            prop_assert_eq!(decode(&encode(&text)), text);
        }
    }
}
