//! Reading one segment, over any damage.
//!
//! At each place there either is a whole frame with the right checksum, or there is damage; then the
//! bytes that follow are searched for the next mark that begins a whole frame. A damaged length is
//! never believed, so damage costs only the frames it touches.

use std::io::{self, Read};

use super::damage::{Damage, DamageReason};
use super::frame::{self, FRAME_HEAD, FrameHead, Kind, MARK, SEGMENT_HEAD, SegmentHead};
use super::window::Window;

/// The frames of one segment, in order.
#[derive(Debug)]
pub(crate) struct SegmentReader<R> {
    number: u32,
    window: Window<R>,
    is_begun: bool,
    damage: Vec<Damage>,
}

/// Where a frame lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    segment: u32,
    offset: u64,
    length: u64,
}

impl Place {
    /// The damage that a frame is whose payload makes no sense.
    pub(crate) fn undecodable(self) -> Damage {
        let Self { segment, offset, length } = self;
        Damage { segment, offset, bytes_skipped: length, reason: DamageReason::Undecodable }
    }
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

    /// The segment's number.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Lets it see more of what has been written.
    pub(crate) fn extend_to(&mut self, length: u64) {
        self.window.extend_to(length);
    }

    /// Counts a whole frame among the damage after all: its payload makes no sense.
    pub(crate) fn cannot_decode(&mut self, place: Place) {
        self.damage.push(place.undecodable());
    }

    /// The next whole frame: its kind, where it lies, and its payload, which is appended to `into`.
    /// After the end, and after an error of the file system, there is none.
    pub(crate) fn next_frame(&mut self, into: &mut Vec<u8>) -> Option<(Kind, Place)> {
        match self.advance(into) {
            Ok(frame) => frame,
            Err(error) => {
                let (offset, rest) = (self.window.position(), self.window.remaining());
                self.note(offset, rest, DamageReason::Unreadable(error.to_string()));
                self.window.skip_to_end();
                None
            }
        }
    }

    fn advance(&mut self, into: &mut Vec<u8>) -> io::Result<Option<(Kind, Place)>> {
        self.begin()?;
        loop {
            match self.look()? {
                Found::End => return Ok(None),
                Found::Nothing(reason) => self.search(reason)?,
                Found::Whole(head) => return self.take(head, into).map(Some),
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
        if head.fits(bytes) { Ok(Found::Whole(head)) } else { Ok(Found::Nothing(DamageReason::Checksum)) }
    }

    /// Moves to the next whole frame, or to the end, and notes what was skipped.
    fn search(&mut self, reason: DamageReason) -> io::Result<()> {
        let offset = self.window.position();
        loop {
            self.window.advance(1)?;
            self.window.skip_to(&MARK)?;
            if !matches!(self.look()?, Found::Nothing(_)) {
                break;
            }
        }
        self.note(offset, self.window.position() - offset, reason);
        Ok(())
    }

    fn take(&mut self, head: FrameHead, into: &mut Vec<u8>) -> io::Result<(Kind, Place)> {
        let length = FRAME_HEAD + head.length;
        let place = Place { segment: self.number, offset: self.window.position(), length: length as u64 };
        let bytes = self.window.peek(length)?.unwrap_or_default();
        into.extend_from_slice(&bytes[FRAME_HEAD..]);
        self.window.advance(length)?;
        Ok((head.kind, place))
    }

    fn note(&mut self, offset: u64, bytes_skipped: u64, reason: DamageReason) {
        self.damage.push(Damage { segment: self.number, offset, bytes_skipped, reason });
    }
}
