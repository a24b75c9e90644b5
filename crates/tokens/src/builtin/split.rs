//! Cuts text into the pieces that `o200k_base` encodes one by one.
//!
//! This is the vocabulary's published pattern, written out by hand; tests hold it against the pattern
//! itself, run by a regex engine that can look ahead:
//!
//! ```text
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! |[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! |\p{N}{1,3}
//! | ?[^\s\p{L}\p{N}]+[\r\n/]*
//! |\s*[\r\n]+
//! |\s+(?!\S)
//! |\s+
//! ```
//!
//! Each character is looked at a bounded number of times, whatever the text: nothing backtracks.

use super::layout::BLOCK;

/// What the pattern tells apart in a character. The values are the letters of `data/characters.txt`.
mod class {
    /// `\p{Lu}`, `\p{Lt}`: capitals.
    pub(super) const UPPER: u8 = b'U';
    /// `\p{Ll}`.
    pub(super) const LOWER: u8 = b'l';
    /// `\p{Lm}`, `\p{Lo}`: letters without case.
    pub(super) const CASELESS: u8 = b'o';
    /// `\p{M}`: marks, which are no letters, but part of words.
    pub(super) const MARK: u8 = b'm';
    /// `\p{N}`.
    pub(super) const NUMBER: u8 = b'n';
    /// `[\r\n]`.
    pub(super) const NEWLINE: u8 = b'r';
    /// The rest of `\s`.
    pub(super) const SPACE: u8 = b's';
    /// All the others: punctuation, symbols, controls.
    pub(super) const OTHER: u8 = b'.';
    /// The end of the text.
    pub(super) const END: u8 = 0;
}

static BLOCKS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/blocks"));
static CLASSES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/classes"));

fn class_of(character: char) -> u8 {
    let code = character as usize;
    CLASSES[usize::from(BLOCKS[code / BLOCK]) * BLOCK + code % BLOCK]
}

/// Where the piece that starts at `start` ends. `start` is a character's start, and not the text's end.
pub(super) fn piece_end(text: &str, start: usize) -> usize {
    let (first, second) = at(text, start);
    let found = match first {
        class::UPPER | class::LOWER | class::CASELESS => word(text, start),
        // A mark begins a word if it cannot be what stands before one.
        class::MARK => word(text, second).filter(|word| word.is_lower).or_else(|| word(text, start)),
        class::SPACE | class::OTHER => word(text, second),
        _ => None,
    };
    if let Some(word) = found {
        return word.end + contraction(&text.as_bytes()[word.end..]);
    }
    match first {
        class::NUMBER => number(text, second),
        class::OTHER => punctuation(text, second),
        _ => match at(text, second) {
            (class::OTHER, third) if text.as_bytes()[start] == b' ' => punctuation(text, third),
            _ => space(text, start),
        },
    }
}

/// The class of the character at `at`, and where the next one starts.
fn at(text: &str, at: usize) -> (u8, usize) {
    match text.as_bytes().get(at) {
        None => (class::END, at),
        // The table begins with the first block.
        Some(byte) if byte.is_ascii() => (CLASSES[usize::from(*byte)], at + 1),
        Some(_) => text[at..]
            .chars()
            .next()
            .map_or((class::END, at), |character| (class_of(character), at + character.len_utf8())),
    }
}

/// A word, without what may stand before it and after it.
struct Word {
    end: usize,
    /// Whether it is one of the pattern's first alternative, which ends in something else than capitals.
    is_lower: bool,
}

/// The word that starts at `start`: capitals, then small letters; letters without case and marks go as
/// either. Where no small letter follows, the first alternative gives back the capitals at the end, and
/// the second one, for want of anything else, takes them.
fn word(text: &str, start: usize) -> Option<Word> {
    let mut end = start;
    let mut end_of_either = None;
    let (mut class, mut next) = at(text, end);
    while matches!(class, class::UPPER | class::CASELESS | class::MARK) {
        end = next;
        if class != class::UPPER {
            end_of_either = Some(end);
        }
        (class, next) = at(text, end);
    }
    if class == class::LOWER {
        while matches!(class, class::LOWER | class::CASELESS | class::MARK) {
            end = next;
            (class, next) = at(text, end);
        }
        return Some(Word { end, is_lower: true });
    }
    match end_of_either {
        Some(end) => Some(Word { end, is_lower: true }),
        None => (end > start).then_some(Word { end, is_lower: false }),
    }
}

/// Bytes of the contraction at the start of `rest`: `(?i:'s|'t|'re|'ve|'m|'ll|'d)?`.
fn contraction(rest: &[u8]) -> usize {
    if rest.first() != Some(&b'\'') {
        return 0;
    }
    match &rest[1..] {
        [b's' | b'S' | b't' | b'T' | b'm' | b'M' | b'd' | b'D', ..] => 2,
        // The last is the long s (U+017F), which is an s to who does not mind case.
        [b'r' | b'R' | b'v' | b'V', b'e' | b'E', ..] | [b'l' | b'L', b'l' | b'L', ..] | [0xC5, 0xBF, ..] => 3,
        _ => 0,
    }
}

/// `\p{N}{1,3}`, of which the first ends at `end`.
fn number(text: &str, mut end: usize) -> usize {
    for _ in 1..3 {
        let (class::NUMBER, next) = at(text, end) else { break };
        end = next;
    }
    end
}

/// `[^\s\p{L}\p{N}]+[\r\n/]*`, of which the first character ends at `end`.
fn punctuation(text: &str, mut end: usize) -> usize {
    while let (class::OTHER | class::MARK, next) = at(text, end) {
        end = next;
    }
    let rest = &text.as_bytes()[end..];
    end + rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n' | b'/')).count()
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+`: up to the last line's end; else without the last character, which goes
/// before what follows; else, all there is.
fn space(text: &str, start: usize) -> usize {
    let mut end = start;
    let mut last = start;
    let mut end_of_lines = None;
    loop {
        match at(text, end) {
            (class::NEWLINE, next) => {
                end_of_lines = Some(next);
                (last, end) = (end, next);
            }
            (class::SPACE, next) => (last, end) = (end, next),
            (class::END, _) => return end_of_lines.unwrap_or(end),
            _ if last > start => return end_of_lines.unwrap_or(last),
            _ => return end_of_lines.unwrap_or(end),
        }
    }
}
