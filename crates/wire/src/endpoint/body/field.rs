//! The fields of a body in order: what stands in each is known before anything is written.
//!
//! Invariant: a later layer replaces a value where it stands, as Python's `dict.update` does.

use bytes::Bytes;
use loadgen_core::{Media, Message, Rope};

use super::messages::{self, Dialect};
use super::writer::Writer;

/// A field's value before it is written.
#[derive(Debug, Clone)]
pub(super) enum Field<'a> {
    /// JSON as it stands.
    Json(Bytes),
    /// JSON that is always the same.
    Fixed(&'static str),
    /// Text that is not escaped yet.
    Name(&'a str),
    /// True or false.
    Flag(bool),
    /// A count.
    Count(u32),
    /// One string of these, with a space between.
    Text(Vec<Piece<'a>>),
    /// A list of such strings.
    Texts(Vec<Vec<Piece<'a>>>),
    /// A list of objects with a field `text`.
    Objects(&'a [Rope]),
    /// An array of messages.
    Messages(Dialect, &'a [Message]),
    /// Fields within.
    Object(Fields<'a>),
}

/// A part of a string.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'a> {
    /// Text.
    Text(&'a Rope),
    /// An image's URL, of its data where that is at hand.
    Image(&'a Media),
}

/// Fields in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields<'a>(Vec<(&'a str, Field<'a>)>);

impl<'a> Fields<'a> {
    /// Room for so many.
    pub(super) fn with_capacity(fields: usize) -> Self {
        Self(Vec::with_capacity(fields))
    }

    /// Puts a field last, or in the place of the one of its name.
    pub(super) fn set(&mut self, key: &'a str, field: Field<'a>) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = field,
            None => self.0.push((key, field)),
        }
    }

    /// The value of a field.
    pub(super) fn get(&self, key: &str) -> Option<&Field<'a>> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, field)| field)
    }

    /// Writes them as an object.
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.put(b"{");
        for (index, (key, field)) in self.0.iter().enumerate() {
            if index > 0 {
                writer.put(b",");
            }
            writer.string(key);
            writer.put(b":");
            field.write(writer);
        }
        writer.put(b"}");
    }
}

impl Field<'_> {
    /// Whether Python would take the value for true.
    pub(super) fn is_truthy(&self) -> bool {
        match self {
            Self::Flag(flag) => *flag,
            Self::Json(value) => {
                !matches!(&value[..], b"false" | b"null" | b"0" | b"0.0" | b"\"\"" | b"[]" | b"{}")
            }
            _ => true,
        }
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Json(value) => writer.share(value),
            Self::Fixed(value) => writer.put(value.as_bytes()),
            Self::Name(name) => writer.string(name),
            Self::Flag(flag) => writer.put(if *flag { b"true" } else { b"false" }),
            Self::Count(count) => writer.put(count.to_string().as_bytes()),
            Self::Text(pieces) => write_text(writer, pieces),
            Self::Texts(texts) => writer.list(texts, |writer, pieces| write_text(writer, pieces)),
            Self::Objects(texts) => writer.list(*texts, |writer, text| {
                writer.put(b"{\"text\":");
                writer.rope(text);
                writer.put(b"}");
            }),
            Self::Messages(dialect, said) => messages::write(writer, *dialect, said),
            Self::Object(fields) => fields.write(writer),
        }
    }
}

fn write_text(writer: &mut Writer, pieces: &[Piece<'_>]) {
    writer.put(b"\"");
    for (index, piece) in pieces.iter().enumerate() {
        if index > 0 {
            writer.put(b" ");
        }
        match piece {
            Piece::Text(text) => writer.inside(text),
            Piece::Image(media) => messages::write_url(writer, "image", media),
        }
    }
    writer.put(b"\"");
}
