//! Reading one segment, over any damage.
//!
//! At each place there either is a whole frame with the right checksum, or there is damage; then the
//! bytes that follow are searched one by one for the next whole frame. A damaged length is never
//! believed, so damage costs only the frames it touches.

use std::io::{self, Read};

use super::damage::{Damage, DamageReason};
use super::frame::{self, FRAME_HEAD, Frame, FrameHead, SEGMENT_HEAD, SegmentHead};
use super::window::Window;

/// The frames of one segment, in order.
#[derive(Debug)]
pub(crate) struct SegmentReader<R> {
    number: u32,
    window: Window<R>,
    is_begun: bool,
    damage: Vec<Damage>,
}

/// What is at the cursor.
enum Found {
    Whole(FrameHead),
    Nothing(DamageReason),
    End,
}

impl<R: Read> SegmentReader<R> {
    pub(crate) fn new(number: u32, source: R, length: u64) -> Self {
        Self { number, window: Window::new(source, length), is_begun: false, damage: Vec::new() }
    }

    /// What could not be read so far.
    pub(crate) fn into_damage(self) -> Vec<Damage> {
        self.damage
    }

    /// The next frame that can be decoded. After the end, and after an error of the file system,
    /// there is none.
    pub(crate) fn next_frame(&mut self) -> Option<Frame> {
        match self.advance() {
            Ok(frame) => frame,
            Err(error) => {
                let (offset, rest) = (self.window.position(), self.window.remaining());
                self.note(offset, rest, DamageReason::Unreadable(error.to_string()));
                self.window.skip_to_end();
                None
            }
        }
    }

    fn advance(&mut self) -> io::Result<Option<Frame>> {
        self.begin()?;
        loop {
            match self.look()? {
                Found::End => return Ok(None),
                Found::Nothing(reason) => self.search(reason)?,
                Found::Whole(head) => {
                    if let Some(frame) = self.take(head)? {
                        return Ok(Some(frame));
                    }
                }
            }
        }
    }

    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_begun, true) {
            return Ok(());
        }
        let rest = self.window.remaining();
        let Some(bytes) = self.window.peek(SEGMENT_HEAD)? else {
            self.note(0, rest, DamageReason::Truncated);
            self.window.skip_to_end();
            return Ok(());
        };
        match frame::check_segment_head(bytes) {
            SegmentHead::Good => self.window.advance(SEGMENT_HEAD)?,
            SegmentHead::OtherVersion(version) => {
                self.note(0, rest, DamageReason::OtherVersion(version));
                self.window.skip_to_end();
            }
            SegmentHead::Damaged => self.search(DamageReason::SegmentHead)?,
        }
        Ok(())
    }

    fn look(&mut self) -> io::Result<Found> {
        if self.window.remaining() == 0 {
            return Ok(Found::End);
        }
        let Some(bytes) = self.window.peek(FRAME_HEAD)? else {
            return Ok(Found::Nothing(DamageReason::Truncated));
        };
        let Some(head) = bytes.first_chunk().and_then(FrameHead::parse) else {
            return Ok(Found::Nothing(DamageReason::NoFrame));
        };
        let Some(bytes) = self.window.peek(FRAME_HEAD + head.length)? else {
            return Ok(Found::Nothing(DamageReason::Truncated));
        };
        if head.fits(&bytes[FRAME_HEAD - 1..]) {
            Ok(Found::Whole(head))
        } else {
            Ok(Found::Nothing(DamageReason::Checksum))
        }
    }

    /// Moves to the next whole frame, or to the end, and notes what was skipped.
    fn search(&mut self, reason: DamageReason) -> io::Result<()> {
        let offset = self.window.position();
        while let Found::Nothing(_) = self.look()? {
            self.window.advance(1)?;
        }
        self.note(offset, self.window.position() - offset, reason);
        Ok(())
    }

    fn take(&mut self, head: FrameHead) -> io::Result<Option<Frame>> {
        let length = FRAME_HEAD + head.length;
        let bytes = self.window.peek(length)?.unwrap_or_default();
        let decoded = frame::decode(head.kind, &bytes[FRAME_HEAD..]);
        if decoded.is_err() {
            self.note(self.window.position(), length as u64, DamageReason::Undecodable);
        }
        self.window.advance(length)?;
        Ok(decoded.ok())
    }

    fn note(&mut self, offset: u64, bytes_skipped: u64, reason: DamageReason) {
        self.damage.push(Damage { segment: self.number, offset, bytes_skipped, reason });
    }
}
