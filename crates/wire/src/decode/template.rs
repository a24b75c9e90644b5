//! The shape that the events of one stream share, so that most of them need no parsing.
//!
//! A server writes the events of a stream alike: only the text changes. Once an event was parsed, the
//! bytes before and after its text are remembered. JSON is such that another valid inside of that very
//! string changes the string and nothing else, so an event that begins and ends with the same bytes, with
//! a valid inside of a string between, means what the first one did, with the other text.
//!
//! Invariant: what comes out is what parsing would have given, on any input; whatever is not surely so
//! is left to the parser. What it does not do: parse.

use loadgen_core::ChunkKind;

/// Learning is given up when so many events in a row were not of the shape learned last.
const MOST_MISSES: u8 = 32;
/// Longer events than this are not remembered: they would cost memory, and are no tokens.
const MOST_BYTES: usize = 4096;

/// What the text of an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// Text of the answer.
    Output,
    /// Reasoning.
    Reasoning,
}

impl Slot {
    /// The kind of chunk that such an event is.
    pub(super) fn kind(self) -> ChunkKind {
        match self {
            Self::Output => ChunkKind::Text,
            Self::Reasoning => ChunkKind::Reasoning,
        }
    }
}

/// An event that says nothing but a text: the text, a part of the event's JSON.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain<'a> {
    pub(super) slot: Slot,
    pub(super) text: &'a str,
}

/// The shape of the latest event that was parsed, if there was one to remember.
#[derive(Debug, Default)]
pub(super) struct Template {
    slot: Option<Slot>,
    /// What stands before the text, and after it.
    around: Vec<u8>,
    before: usize,
    misses: u8,
}

impl Template {
    /// The text in an event of the remembered shape.
    pub(super) fn text_in<'a>(&mut self, event: &'a [u8]) -> Option<(Slot, &'a [u8])> {
        let slot = self.slot?;
        let (before, after) = self.around.split_at(self.before);
        let text = event.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let text = text.filter(|text| !text.is_empty() && is_inside_of_string(text));
        self.misses = if text.is_some() { 0 } else { self.misses.saturating_add(1) };
        text.map(|text| (slot, text))
    }

    /// Remembers the shape of an event that was parsed.
    pub(super) fn learn(&mut self, json: &str, plain: Plain<'_>) {
        if self.misses >= MOST_MISSES || json.len() > MOST_BYTES {
            return;
        }
        // The text is a slice of the JSON; this says where it begins.
        let begins = (plain.text.as_ptr() as usize).wrapping_sub(json.as_ptr() as usize);
        let Some(after) = begins.checked_add(plain.text.len()).and_then(|end| json.get(end..)) else {
            return;
        };
        let Some(before) = json.get(..begins) else { return };
        self.around.clear();
        self.around.reserve_exact(before.len() + after.len());
        self.around.extend_from_slice(before.as_bytes());
        self.around.extend_from_slice(after.as_bytes());
        self.before = before.len();
        self.slot = Some(plain.slot);
    }

    /// One that never learns.
    #[cfg(test)]
    pub(super) fn without_memory() -> Self {
        Self { misses: MOST_MISSES, ..Self::default() }
    }
}

/// Whether these bytes may stand between the quotes of a JSON string (RFC 8259, 7). As the parser has it
/// for a string that it does not decode, half of a surrogate pair may.
fn is_inside_of_string(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20)) {
        if rest[at] != b'\\' {
            return false;
        }
        let escape = &rest[at + 1..];
        let length = match escape {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 1,
            [b'u', hex @ ..] if hex.len() >= 4 && hex[..4].iter().all(u8::is_ascii_hexdigit) => 5,
            _ => return false,
        };
        rest = &escape[length..];
    }
    std::str::from_utf8(text).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    const EVENT: &str = r#"{"a":1,"t":"x","z":[]}"#;

    fn learned() -> Template {
        let mut template = Template::default();
        let begins = EVENT.find('x').unwrap();
        template.learn(EVENT, Plain { slot: Slot::Output, text: &EVENT[begins..=begins] });
        template
    }

    #[test]
    fn an_event_of_the_same_shape_gives_its_text() {
        let mut template = learned();
        let mut text = |event: &str| template.text_in(event.as_bytes()).map(|(_, text)| text.to_vec());
        assert_eq!(text(r#"{"a":1,"t":"hello \"you\"","z":[]}"#).unwrap(), br#"hello \"you\""#);
        assert_eq!(text(r#"{"a":1,"t":"","z":[]}"#), None, "nothing is no text");
        assert_eq!(text(r#"{"a":2,"t":"y","z":[]}"#), None);
        assert_eq!(text(r#"{"a":1,"t":"y","t":"q","z":[]}"#), None, "a quote ends the string");
        assert_eq!(text(r#"{"a":1,"t":"y\","z":[]}"#), None);
        assert_eq!(text(&EVENT[..EVENT.len() - 1]), None);
    }

    #[test]
    fn a_stream_that_never_repeats_is_not_learned_for_ever() {
        let mut template = learned();
        for _ in 0..MOST_MISSES {
            assert!(template.text_in(b"{}").is_none());
        }
        template.learn("[\"y\"]", Plain { slot: Slot::Output, text: "" });
        assert!(template.text_in(EVENT.as_bytes()).is_some(), "what was learned still holds");
    }

    proptest! {
        #[test]
        fn the_inside_of_a_string_is_what_the_parser_takes_for_one(
            pieces in prop::collection::vec(prop::sample::select(vec![
                &b"a"[..], b"\\", b"\"", b"\\n", b"\\u00e9", b"\\ud800", b"u", b"\xc3\xa9", b"\xc3", b"\n", b"\x1f", b"\x7f",
                b"00", b"/",
            ]), 0..12),
        ) {
            let text = pieces.concat();
            let string = [b"\"", &text[..], b"\""].concat();
            let is_one = serde_json::from_slice::<&RawValue>(&string)
                .is_ok_and(|value| value.get().len() == string.len());
            prop_assert_eq!(is_inside_of_string(&text), is_one, "{:?}", String::from_utf8_lossy(&text));
        }
    }
}
