//! An estimate of how many tokens a text has, for the price of looking at its bytes.

/// Estimates the tokens of text from the inside of its JSON string.
///
/// It counts where a byte-pair tokenizer cuts before it merges: a run of letters with the space before
/// it, up to three digits, a run of punctuation; letters beyond fifteen of a run, and each character of a
/// script without spaces, count extra. Text made of words that are one token each comes out exact.
///
/// Plain words, of which most prompts consist, are counted a block at a time.
pub(crate) fn estimate(json: &str) -> usize {
    let bytes = json.as_bytes();
    let (mut tokens, mut at) = (0, 0);
    while at < bytes.len() {
        while let Some((words, length)) = bytes[at..].first_chunk().and_then(plain_words) {
            tokens += words;
            at += length;
        }
        // Where one block was not plain, trying the next one right away is mostly in vain.
        let until = bytes.len().min(at + BLOCK);
        while at < until {
            let (counted, length) = estimate_run(&bytes[at..]);
            tokens += counted;
            at += length;
        }
    }
    tokens
}

/// Bytes that [`plain_words`] looks at.
const BLOCK: usize = 32;

/// Words in a block of nothing but letters and blanks, up to its last blank, and the bytes before that.
/// `None` where there is something else in it, or a word that may be more than one token.
fn plain_words(block: &[u8; BLOCK]) -> Option<(usize, usize)> {
    let (mut letters, mut blanks) = (0_u32, 0_u32);
    for (at, byte) in block.iter().enumerate() {
        letters |= u32::from(byte.is_ascii_alphabetic()) << at;
        blanks |= u32::from(*byte == b' ') << at;
    }
    let length = blanks.checked_ilog2().filter(|last| *last > 0 && letters | blanks == u32::MAX)?;
    // Each step keeps the starts of runs twice as long.
    let pairs = letters & (letters >> 1);
    let fours = pairs & (pairs >> 2);
    let eights = fours & (fours >> 4);
    let is_long = eights & (eights >> 8) != 0;
    let starts = letters & !(letters << 1) & ((1 << length) - 1);
    (!is_long).then_some((starts.count_ones() as usize, length as usize))
}

/// What a byte is to the estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blank,
    Escape,
    /// ASCII letters, and the two-byte characters: accented Latin, Greek, Cyrillic.
    Letter,
    Digit,
    Punctuation,
    /// The first byte of a character of three bytes or four.
    Wide,
    /// Nothing else is in a JSON string.
    Other,
}

/// [`Kind`] of each byte. A table, since a chain of comparisons is guessed wrong at most words' ends.
static KINDS: [Kind; 256] = kinds();

const fn kinds() -> [Kind; 256] {
    let mut kinds = [Kind::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b' ' => Kind::Blank,
            b'\\' => Kind::Escape,
            b'A'..=b'Z' | b'a'..=b'z' | 0x80..0xE0 => Kind::Letter,
            b'0'..=b'9' => Kind::Digit,
            0xE0.. => Kind::Wide,
            other if other.is_ascii_punctuation() => Kind::Punctuation,
            _ => Kind::Other,
        };
        byte += 1;
    }
    kinds
}

/// Tokens of the run at the start of `bytes`, which are not empty, and its length.
fn estimate_run(bytes: &[u8]) -> (usize, usize) {
    let kind = KINDS[usize::from(bytes[0])];
    let run = || bytes.iter().take_while(|byte| KINDS[usize::from(**byte)] == kind).count();
    let (tokens, length) = match kind {
        Kind::Blank => (0, 1),
        Kind::Escape => {
            // White space mostly, or one character.
            let is_space = matches!(bytes.get(1), Some(b'n' | b'r' | b't'));
            (usize::from(!is_space), if bytes.get(1) == Some(&b'u') { 6 } else { 2 })
        }
        Kind::Letter => {
            let length = run();
            (1 + (length - 1) / 15, length)
        }
        Kind::Digit => {
            let length = run();
            (length.div_ceil(3), length)
        }
        Kind::Punctuation => (1, run()),
        Kind::Wide => (1, if bytes[0] < 0xF0 { 3 } else { 4 }),
        Kind::Other => (1, 1),
    };
    (tokens, length.min(bytes.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use loadgen_core::CountTokens;
    use loadgen_tokens::Tokenizer;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_estimate_is_exact_for_words_of_one_token() {
        let text = crate::text::words(0, 0, 500);
        assert_eq!(estimate(&text), 500);
    }

    #[test]
    fn the_estimate_is_near_for_prose() {
        let text = "Whenever the morning train from Kingsbridge arrives late, the stationmaster (a man of some \
            sixty years) writes it down: 08:47 instead of 08:30, say, and the reason, if there's one. Nobody \
            ever asked him to; he's simply convinced that unmeasured delays can't be improved upon.";
        let exact = Tokenizer::builtin().count(text) as f64;
        let error = (estimate(text) as f64 - exact) / exact;
        assert!(error.abs() < 0.10, "{error}");
    }

    proptest! {
        #[test]
        fn the_estimate_takes_anything(text in "\\PC{0,200}") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert!(estimate(&json[1..json.len() - 1]) <= json.len());
        }

        /// Counting by blocks changes nothing.
        #[test]
        fn the_estimate_is_the_sum_of_its_runs(text in "([a-zA-Z]{0,18} ?|[ -~]{0,12}|\u{e9}{1,3}|\u{4e2d}|\n){0,60}") {
            let json = serde_json::to_string(&text).unwrap();
            let bytes = &json.as_bytes()[1..json.len() - 1];
            let (mut tokens, mut at) = (0, 0);
            while at < bytes.len() {
                let (counted, length) = estimate_run(&bytes[at..]);
                (tokens, at) = (tokens + counted, at + length);
            }
            prop_assert_eq!(estimate(&json[1..json.len() - 1]), tokens);
        }
    }
}
