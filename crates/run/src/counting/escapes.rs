//! Text as it stands inside JSON, made plain, with places in it that follow.
//!
//! Invariant: no bytes make it panic, however broken the escapes in them are.

use std::borrow::Cow;

/// Undoes JSON's escapes, and moves `ends` (offsets into the escaped text) to the plain text.
///
/// An end within an escape, or between the halves of a surrogate pair, moves to before that
/// character: the piece that brings the rest brings the character. A lone surrogate becomes U+FFFD.
pub(super) fn unescape<'a>(escaped: &'a [u8], ends: &'a [u32]) -> (Cow<'a, str>, Cow<'a, [u32]>) {
    if !escaped.contains(&b'\\') && ends.last().is_none_or(|end| *end as usize <= escaped.len()) {
        return (String::from_utf8_lossy(escaped), Cow::Borrowed(ends));
    }
    let mut plain = Vec::with_capacity(escaped.len());
    let mut moved = Vec::with_capacity(ends.len());
    let mut at = 0;
    while at < escaped.len() {
        let (character, next) = step(escaped, at);
        while moved.len() < ends.len() && (ends[moved.len()] as usize) < next {
            moved.push(plain.len() as u32);
        }
        match character {
            Step::Plain => plain.push(escaped[at]),
            Step::Character(character) => {
                plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        at = next;
    }
    moved.resize(ends.len(), plain.len() as u32);
    let text = String::from_utf8(plain)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    (text.into(), moved.into())
}

enum Step {
    Plain,
    Character(char),
}

/// The character that begins at `at`, and where the next one begins.
fn step(escaped: &[u8], at: usize) -> (Step, usize) {
    if escaped[at] != b'\\' {
        return (Step::Plain, at + 1);
    }
    let Some(letter) = escaped.get(at + 1) else { return (Step::Plain, at + 1) };
    let character = match letter {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return unicode(escaped, at),
        other => char::from(*other),
    };
    (Step::Character(character), at + 2)
}

fn unicode(escaped: &[u8], at: usize) -> (Step, usize) {
    let Some(unit) = code_unit(escaped, at) else { return (Step::Plain, at + 1) };
    let after = at + 6;
    if (0xD800..0xDC00).contains(&unit)
        && let Some(low @ 0xDC00..0xE000) = code_unit(escaped, after)
    {
        let scalar = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        return (Step::Character(char::from_u32(scalar).unwrap_or('\u{FFFD}')), after + 6);
    }
    (Step::Character(char::from_u32(unit).unwrap_or('\u{FFFD}')), after)
}

/// The UTF-16 code unit of a `\uXXXX` escape at `at`.
fn code_unit(escaped: &[u8], at: usize) -> Option<u32> {
    let digits = escaped.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_ends_follow() {
        let (text, ends) = unescape(br#"a\n\"b\u00e9"#, &[1, 3, 12]);
        assert_eq!(text, "a\n\"b\u{e9}");
        assert_eq!(*ends, [1, 2, 6]);
    }

    #[test]
    fn a_text_without_escapes_is_taken_as_it_is() {
        let (text, ends) = unescape("naïve".as_bytes(), &[2, 6]);
        assert_eq!((&*text, &*ends), ("naïve", &[2, 6][..]));
        assert!(matches!((text, ends), (Cow::Borrowed(_), Cow::Borrowed(_))));
    }

    #[test]
    fn a_surrogate_pair_split_over_two_chunks_belongs_to_the_second() {
        let (text, ends) = unescape(br"x\ud83d\ude00", &[7, 13]);
        assert_eq!(text, "x\u{1F600}");
        assert_eq!(*ends, [1, 5]);
    }

    #[test]
    fn broken_escapes_never_panic() {
        for broken in [&br"\"[..], br"\u12", br"\ud83d", br"\uZZZZ", b"\xff\\"] {
            let (text, _) = unescape(broken, &[1]);
            assert!(!text.is_empty());
        }
    }
}
