//! Server-sent events from bytes, without I/O: whatever way the stream is cut into pieces, the same
//! events come out.
//!
//! Lines end with LF, CR or CRLF; a blank line ends an event; a byte order mark at the start of the
//! stream is skipped; several `data` lines are joined by a newline. [`SseParser::finish`] gives an
//! event that lacks its blank line. An event that lies whole in the pushed bytes is not copied.
//!
//! As AIPerf does, a line of no `data` is taken as the rest of a `data` line that was broken inside a JSON
//! string: it is joined by an escaped newline, whatever it looks like. What this does not do: look at the data.

use memchr::memchr2;
use thiserror::Error;

/// The most bytes an event may have by default: far beyond any response that is streamed.
const MOST_EVENT_BYTES: usize = 16 * 1024 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event` field; empty without.
    pub name: &'a [u8],
    /// The `data` lines, joined by newlines; empty without.
    pub data: &'a [u8],
    /// The first comment with anything in it; empty without.
    pub comment: &'a [u8],
    /// Bytes on the wire, from the end of the event before it through the line end that closes it.
    /// The LF of a closing CRLF counts with the event that follows.
    pub wire_bytes: usize,
    /// How many of the pushed bytes were taken when it was complete: it ends with the last of them. What
    /// [`SseParser::finish`] hands over ended before: 0.
    pub taken: usize,
}

/// An event larger than this client takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the server sent an event of more than {limit} bytes")]
pub struct EventTooLong {
    /// The limit.
    pub limit: usize,
}

/// Splits a byte stream into events.
#[derive(Debug, Clone)]
pub struct SseParser {
    limit: usize,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    event: Pending,
    /// The last line ended with CR: an LF that follows belongs to it.
    skips_lf: bool,
    /// No line has been read yet: a byte order mark may stand here.
    at_start: bool,
}

/// The fields of the event under way.
#[derive(Debug, Clone, Default)]
struct Pending {
    name: Vec<u8>,
    data: Vec<u8>,
    comment: Vec<u8>,
    has_data: bool,
    wire_bytes: usize,
}

impl Default for SseParser {
    fn default() -> Self {
        Self::with_limit(MOST_EVENT_BYTES)
    }
}

impl SseParser {
    /// A parser that refuses events of more than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, line: Vec::new(), event: Pending::default(), skips_lf: false, at_start: true }
    }

    /// Takes the next bytes of the stream and hands over the events they complete, in order.
    pub fn push(&mut self, bytes: &[u8], mut on_event: impl FnMut(Event<'_>)) -> Result<(), EventTooLong> {
        let mut rest = bytes;
        // The event's only data line so far, if it lies whole in `bytes`.
        let mut direct: Option<&[u8]> = None;
        loop {
            if self.skips_lf && !rest.is_empty() {
                self.skips_lf = false;
                if rest[0] == b'\n' {
                    rest = &rest[1..];
                    self.event.wire_bytes += 1;
                }
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else { break };
            self.skips_lf = rest[end] == b'\r';
            self.event.wire_bytes += end + 1;
            self.check(self.event.wire_bytes)?;
            let (head, tail) = (&rest[..end], &rest[end + 1..]);
            rest = tail;
            let taken = bytes.len() - rest.len();
            if self.line.is_empty() {
                let line = self.without_mark(head);
                if line.is_empty() {
                    self.event.hand_over(direct.take(), taken, &mut on_event);
                } else {
                    direct = self.event.take_line(line, direct, true);
                }
            } else {
                self.line.extend_from_slice(head);
                let whole = std::mem::take(&mut self.line);
                let line = self.without_mark(&whole);
                if line.is_empty() {
                    self.event.hand_over(direct.take(), taken, &mut on_event);
                } else {
                    self.event.take_line(line, direct.take(), false);
                }
                self.line = whole;
                self.line.clear();
            }
        }
        if let Some(data) = direct {
            self.event.data.extend_from_slice(data);
        }
        self.line.extend_from_slice(rest);
        self.event.wire_bytes += rest.len();
        self.check(self.event.wire_bytes)
    }

    /// Whether bytes of an event came that is not complete.
    pub fn is_within_event(&self) -> bool {
        self.event.wire_bytes > 0
    }

    /// The end of the stream: hands over what came without its blank line.
    pub fn finish(&mut self, mut on_event: impl FnMut(Event<'_>)) {
        let whole = std::mem::take(&mut self.line);
        let line = self.without_mark(&whole);
        if !line.is_empty() {
            self.event.take_line(line, None, false);
        }
        self.event.hand_over(None, 0, &mut on_event);
    }

    fn check(&self, event_bytes: usize) -> Result<(), EventTooLong> {
        if event_bytes > self.limit { Err(EventTooLong { limit: self.limit }) } else { Ok(()) }
    }

    fn without_mark<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        let is_first = std::mem::take(&mut self.at_start);
        if is_first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line }
    }
}

impl Pending {
    /// Takes one line that is not blank. `direct` is the data so far if it was not copied; what is
    /// given back is the same for after the line. A line that `may_stay` outlives the call.
    fn take_line<'a>(
        &mut self,
        line: &'a [u8],
        direct: Option<&'a [u8]>,
        may_stay: bool,
    ) -> Option<&'a [u8]> {
        let (field, value) = split_field(line);
        if field != b"data" && self.has_data && is_broken_json(direct.unwrap_or(&self.data)) {
            self.keep(direct);
            self.data.extend_from_slice(b"\\n");
            self.data.extend_from_slice(line.trim_ascii());
            return None;
        }
        match field {
            b"data" if !self.has_data && may_stay => {
                self.has_data = true;
                return Some(value);
            }
            b"data" => {
                self.keep(direct);
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
                return None;
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            b"" if self.comment.is_empty() => self.comment.extend_from_slice(value),
            _ => {}
        }
        direct
    }

    fn keep(&mut self, direct: Option<&[u8]>) {
        if let Some(data) = direct {
            self.data.extend_from_slice(data);
        }
    }

    /// A blank line: hands over the event, if any field came, and begins the next.
    fn hand_over(&mut self, direct: Option<&[u8]>, taken: usize, on_event: &mut impl FnMut(Event<'_>)) {
        if self.has_data || !self.name.is_empty() || !self.comment.is_empty() {
            on_event(Event {
                name: &self.name,
                data: direct.unwrap_or(&self.data),
                comment: &self.comment,
                wire_bytes: self.wire_bytes,
                taken,
            });
            self.wire_bytes = 0;
        }
        self.name.clear();
        self.data.clear();
        self.comment.clear();
        self.has_data = false;
    }
}

/// Field name and value of a line, without the blanks around either: more than the standard takes off, and what
/// AIPerf takes off.
fn split_field(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b':', line) {
        Some(colon) => (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()),
        None => (line.trim_ascii(), &[]),
    }
}

/// Whether `data` begins a JSON object that it does not end.
fn is_broken_json(data: &[u8]) -> bool {
    let data = data.trim_ascii();
    data.starts_with(b"{") && !data.ends_with(b"}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    type Owned = (String, String, String, usize);

    fn owned(event: Event<'_>) -> Owned {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(event.name), text(event.data), text(event.comment), event.wire_bytes)
    }

    fn events_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
        let mut parser = SseParser::default();
        let mut events = Vec::new();
        for piece in pieces {
            parser.push(piece, |event| events.push(owned(event))).unwrap();
        }
        parser.finish(|event| events.push(owned(event)));
        events
    }

    fn data_of(stream: &str) -> Vec<String> {
        events_of([stream.as_bytes()]).into_iter().map(|(_, data, _, _)| data).collect()
    }

    #[test]
    fn data_comes_out_whatever_the_line_ends() {
        for end in ["\n", "\r\n", "\r"] {
            let stream = format!("data: a{end}{end}data:b{end}data: c{end}{end}{end}data: last");
            assert_eq!(data_of(&stream), ["a", "b\nc", "last"], "{end:?}");
        }
    }

    #[test]
    fn names_comments_marks_and_unknown_fields_are_told_apart() {
        let stream = "\u{feff}: hello\nevent: error\ndata: x\nid: 1\nretry: 2\nnonsense\n\n:\n\ndata\n\n";
        let events = events_of([stream.as_bytes()]);
        assert_eq!(events.len(), 2, "a bare comment is no event: {events:?}");
        let (name, data, comment, wire_bytes) = &events[0];
        assert_eq!((name.as_str(), data.as_str(), comment.as_str()), ("error", "x", "hello"));
        assert_eq!(*wire_bytes, stream.find(":\n\ndata").unwrap());
        assert_eq!(events[1].1, "");
    }

    #[test]
    fn blanks_around_a_fields_name_and_value_are_no_part_of_them() {
        assert_eq!(data_of(" data :  x \n\tdata\t: y\n\n"), ["x\ny"]);
    }

    #[test]
    fn json_broken_over_lines_is_mended() {
        assert_eq!(data_of("data: {\"a\":\"x\ny\"}\nfoo: bar\n\n"), ["{\"a\":\"x\\ny\"}"]);
        // Text may look like a field.
        let lines = "data: {\"a\":\"x\n  id: 5\n:b\nevent: \"}\n\n";
        assert_eq!(data_of(lines), ["{\"a\":\"x\\nid: 5\\n:b\\nevent: \"}"]);
    }

    #[test]
    fn an_absurd_event_is_refused_before_it_is_kept() {
        let mut parser = SseParser::with_limit(10);
        assert!(parser.push(b"data: 1\n\n", |_| ()).is_ok());
        assert_eq!(parser.push(b"data: 1234567890", |_| ()), Err(EventTooLong { limit: 10 }));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            parts in prop::collection::vec(prop_oneof![
                Just("data: "), Just("data:"), Just("event: error"), Just(":"), Just("{\"a\":1}"), Just("{"),
                Just("\n"), Just("\r"), Just("\r\n"), Just("\n\n"), Just("é"), Just("\u{feff}"), Just("id: 4"),
                Just("[DONE]"), Just(" "), Just("x"),
            ], 0..60),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let stream = parts.concat();
            let bytes = stream.as_bytes();
            let whole = events_of([bytes]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            prop_assert_eq!(&events_of(cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]])), &whole);
            prop_assert_eq!(&events_of(bytes.chunks(1)), &whole);
        }
    }
}
