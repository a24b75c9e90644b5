//! Gathers a body: written bytes are collected, shared pieces are kept as they are.

use bytes::{BufMut, Bytes, BytesMut};
use loadgen_core::Rope;

use crate::request::Body;

/// A body on its way to being one.
#[derive(Debug, Default)]
pub(super) struct Writer {
    done: Vec<Bytes>,
    open: BytesMut,
}

impl Writer {
    /// Shared pieces shorter than this are cheaper to copy than to send as a piece of their own.
    const COPIED_BYTES: usize = 64;

    /// Writes bytes as they are.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.open.put_slice(bytes);
    }

    /// Writes `text` as a JSON string.
    pub(super) fn string(&mut self, text: &str) {
        serde_json::to_writer((&mut self.open).writer(), text).expect("writing to memory cannot fail");
    }

    /// Writes bytes as they are, without a copy where that pays.
    pub(super) fn share(&mut self, piece: &Bytes) {
        if piece.len() < Self::COPIED_BYTES {
            self.put(piece);
            return;
        }
        self.close();
        self.done.push(piece.clone());
    }

    /// Writes already escaped text into a JSON string that is open.
    pub(super) fn inside(&mut self, text: &Rope) {
        text.pieces().iter().for_each(|piece| self.share(piece));
    }

    /// Writes already escaped text as a JSON string.
    pub(super) fn rope(&mut self, text: &Rope) {
        self.put(b"\"");
        self.inside(text);
        self.put(b"\"");
    }

    /// Writes `items` as a JSON list, each with `write`.
    pub(super) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.put(b"[");
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.put(b",");
            }
            write(self, item);
        }
        self.put(b"]");
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.done.push(self.open.split().freeze());
        }
    }

    /// The body.
    pub(super) fn finish(mut self) -> Body {
        self.close();
        Body::new(self.done)
    }
}
