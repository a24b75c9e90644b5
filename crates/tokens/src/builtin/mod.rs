//! The builtin tokenizer: `o200k_base`, embedded in the binary, so that it never needs a network.
//!
//! Same tokens as tiktoken's, which tests hold it to; written here because the libraries build their
//! vocabulary in memory when they start (tiktoken-rs 58 MiB and 0.1 to 0.3 s, bpe-openai 67 MiB and 0.09 s),
//! more than all the rest of a short run. Here it lies in the binary as tables that are searched in place.
//!
//! * [`split`] cuts text into pieces, by the vocabulary's pattern;
//! * [`merge`] encodes a piece;
//! * [`vocabulary`] knows the tokens; [`layout`] is how they lie in the binary.

mod layout;
mod merge;
mod split;
mod vocabulary;

use memchr::memmem;

/// Its name at every surface.
pub(crate) const NAME: &str = "builtin";
/// The name of its encoding, which stands for it as well.
pub(crate) const ENCODING: &str = "o200k_base";

/// SHA-256 of `o200k_base.tiktoken`, the vocabulary as OpenAI publishes it.
pub(crate) const FINGERPRINT: &str = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d";

/// It has no token for the beginning of a text; this one marks the end.
pub(crate) const SEPARATOR: &str = SPECIAL[0].0;

/// The tokens that text can only name.
const SPECIAL: [(&str, u32); 2] = [("<|endoftext|>", 199_999), ("<|endofprompt|>", 200_018)];
/// How all of them begin.
const SPECIAL_START: &[u8] = b"<|endof";

pub(crate) fn encode_into(text: &str, ids: &mut Vec<u32>) {
    for_each(text, &mut |id, _| ids.push(id));
}

pub(crate) fn count(text: &str) -> usize {
    let mut count = 0;
    for_each(text, &mut |_, _| count += 1);
    count
}

/// Tokens are byte strings that join up to the text, so the ends are the sums of their lengths.
pub(crate) fn token_ends_into(text: &str, ends: &mut Vec<usize>) {
    let mut end = 0;
    for_each(text, &mut |_, length| {
        end += length;
        ends.push(end);
    });
}

pub(crate) fn decode(tokens: &[u32]) -> String {
    let mut bytes = Vec::with_capacity(tokens.len() * 4);
    for token in tokens {
        let special = || SPECIAL.iter().find(|(_, id)| id == token).map(|(text, _)| text.as_bytes());
        bytes.extend_from_slice(vocabulary::bytes_of(*token).or_else(special).unwrap_or_default());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Calls `token` with the id and the length in bytes of each token of `text`.
fn for_each(text: &str, token: &mut impl FnMut(u32, usize)) {
    let mut plain = 0;
    for at in memmem::find_iter(text.as_bytes(), SPECIAL_START) {
        let rest = &text[at..];
        if let Some((name, id)) = SPECIAL.iter().find(|(name, _)| rest.starts_with(name)) {
            pieces(&text[plain..at], token);
            token(*id, name.len());
            plain = at + name.len();
        }
    }
    pieces(&text[plain..], token);
}

/// The tokens of a text without special ones.
fn pieces(text: &str, token: &mut impl FnMut(u32, usize)) {
    let mut start = 0;
    while start < text.len() {
        let end = split::piece_end(text, start);
        merge::tokens(&text.as_bytes()[start..end], token);
        start = end;
    }
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

    fn encode(text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        encode_into(text, &mut ids);
        ids
    }

    #[test]
    fn the_fingerprint_is_that_of_the_embedded_vocabulary() {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for rank in 0..layout::TOKENS as u32 {
            let bytes = vocabulary::bytes_of(rank).expect("ranks are dense");
            hash.update(format!("{} {rank}\n", base64(bytes)));
        }
        assert_eq!(format!("{:x}", hash.finalize()), FINGERPRINT);
    }

    #[test]
    fn the_text_of_a_special_token_is_one_token() {
        assert_eq!(encode(SEPARATOR), [199_999]);
        assert_eq!(encode("<|endofprompt|><|endoftext|>"), [200_018, 199_999]);
        assert_eq!(encode("a<|endoftext|> b").len(), 3);
        assert_eq!(decode(&[199_999, 200_018, 200_000]), "<|endoftext|><|endofprompt|>");
    }

    #[test]
    fn endless_blanks_are_counted_too() {
        let text = " ".repeat(1_000_000) + "x";
        // The longest token of blanks has 128 of them, and the last blank goes with the x.
        assert_eq!(count(&text), 999_999_usize.div_ceil(128) + 1);
    }

    proptest! {
        #[test]
        fn ends_ascend_to_the_length_of_the_text(text in "(\\PC|<\\|endoftext\\|>){0,40}") {
            let mut ends = Vec::new();
            token_ends_into(&text, &mut ends);
            prop_assert_eq!(ends.len(), encode(&text).len());
            prop_assert_eq!(ends.len(), count(&text));
            prop_assert!(ends.is_sorted());
            prop_assert_eq!(ends.last().copied().unwrap_or(0), text.len());
            prop_assert_eq!(decode(&encode(&text)), text);
        }
    }
}
