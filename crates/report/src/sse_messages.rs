//! The messages of an event stream as AIPerf's raw export shows them: the stream cut at blank lines, and
//! each message into its fields, blanks around their values taken off.
//!
//! This follows AIPerf's reader, not the standard: what it shows is what AIPerf would have shown. What a
//! message means is decided elsewhere, while the stream comes.

use loadgen_core::{BodyRead, Nanos};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Arrival of the read that completed it.
    pub(crate) at: Nanos,
    /// Its fields in order: `data`, `event`, `id`, `retry`, `comment` or whatever the server sent.
    pub(crate) fields: Vec<Field>,
}

/// A field's name, and its value if it has one.
pub(crate) type Field = (String, Option<String>);

impl Message {
    /// Whether it tells of an error, which ends a stream.
    fn is_error(&self) -> bool {
        self.fields.iter().any(|(name, value)| {
            let says_error = value.as_deref().is_some_and(|value| value.eq_ignore_ascii_case("error"));
            says_error && name.eq_ignore_ascii_case("event")
        })
    }
}

/// The messages of `body` up to an error event, which is not among them. `reads` say when its bytes came.
pub(crate) fn messages(body: &[u8], reads: &[BodyRead]) -> Vec<Message> {
    let mut found = Vec::new();
    let mut read = 0;
    let mut begin = 0;
    while begin < body.len() {
        let (end, next) = message_end(body, begin);
        while read + 1 < reads.len() && (reads[read].body_end as usize) < next {
            read += 1;
        }
        let text = String::from_utf8_lossy(&body[begin..end]);
        begin = next;
        let Some(fields) = Some(fields(text.trim())).filter(|fields| !fields.is_empty()) else { continue };
        let at = reads.get(read).map_or(Nanos::default(), |read| read.at);
        let message = Message { at, fields };
        if message.is_error() {
            break;
        }
        found.push(message);
    }
    found
}

/// Where the message that begins at `begin` ends, and where the next one begins.
fn message_end(body: &[u8], begin: usize) -> (usize, usize) {
    let mut from = begin;
    while let Some(step) = body[from..].iter().position(|byte| *byte == b'\n') {
        let newline = from + step;
        let behind = &body[newline + 1..];
        if behind.starts_with(b"\n") {
            return (newline, newline + 2);
        }
        if behind.starts_with(b"\r\n") {
            return (newline, newline + 3);
        }
        from = newline + 1;
    }
    (body.len(), body.len())
}

/// The fields of one message.
fn fields(text: &str) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for line in text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()) {
        // A line break that stood raw inside a JSON string: what follows is the rest of the value.
        if let Some((_, Some(value))) = fields.last_mut()
            && value.starts_with('{')
            && !value.ends_with('}')
            && !line.starts_with("data:")
        {
            value.push_str("\\n");
            value.push_str(line);
            continue;
        }
        fields.push(match line.split_once(':') {
            None => (line.to_owned(), None),
            Some(("", comment)) => ("comment".to_owned(), Some(comment.trim().to_owned())),
            Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
        });
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(ends: &[u32]) -> Vec<BodyRead> {
        let read = |(index, end): (usize, &u32)| BodyRead {
            at: Nanos(index as i64 + 1),
            body_end: *end,
            ..BodyRead::default()
        };
        ends.iter().enumerate().map(read).collect()
    }

    /// When each message came, and the value of its first field.
    fn data(messages: &[Message]) -> Vec<(i64, &str)> {
        fn value(message: &Message) -> &str {
            message.fields[0].1.as_deref().unwrap_or_default()
        }
        messages.iter().map(|message| (message.at.0, value(message))).collect()
    }

    #[test]
    fn a_message_has_the_arrival_of_the_read_that_completed_it() {
        let body = b"data: a\n\ndata: b\n\ndata: c\n\ndata: [DONE]";
        // The first read has a message and a half, the second the rest of it and the start of the third.
        let found = messages(body, &reads(&[14, 21, 27, body.len() as u32]));
        assert_eq!(data(&found), [(1, "a"), (2, "b"), (3, "c"), (4, "[DONE]")]);
        let at_once = messages(body, &reads(&[body.len() as u32]));
        assert_eq!(data(&at_once), [(1, "a"), (1, "b"), (1, "c"), (1, "[DONE]")]);
    }

    #[test]
    fn fields_are_told_apart_and_carriage_returns_make_no_difference() {
        let body = b": hello\r\nid : 7\r\nretry\r\ndata:{\"a\": \"x\r\ny\"}\r\n\r\n\r\n\r\ndata: b\r\n\r\n";
        let found = messages(body, &reads(&[body.len() as u32]));
        let expected = [
            ("comment", Some("hello")),
            ("id", Some("7")),
            ("retry", None),
            ("data", Some("{\"a\": \"x\\ny\"}")),
        ];
        let expected: Vec<Field> =
            expected.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect();
        assert_eq!(found[0].fields, expected);
        assert_eq!(found.len(), 2, "blank lines alone are no message");
    }

    #[test]
    fn an_error_event_ends_the_stream_and_is_left_out() {
        let body = b"data: a\n\nEvent: ERROR\ndata: x\n\ndata: b\n\n";
        assert_eq!(data(&messages(body, &reads(&[body.len() as u32]))), [(1, "a")]);
        assert!(messages(b"", &[]).is_empty());
    }
}
