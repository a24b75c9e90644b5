//! Bodies of responses: one piece, a torn one, or events paced by the engine.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::stream::StreamBody;
use crate::connection::Watch;
use crate::truth_log::Finished;

/// The body ends here, without its end.
#[derive(Debug, thiserror::Error)]
#[error("cut in the middle of the body, as planned")]
pub(crate) struct Cut;

/// A response's body.
pub(crate) enum ReplyBody {
    /// In one piece.
    Whole {
        /// What there is to send; `None` once it is sent.
        bytes: Option<Bytes>,
        /// Told when it has been sent, where that is logged.
        watch: Option<Rc<Watch>>,
    },
    /// The first part of a piece, then the end of the connection.
    Torn {
        /// The part; `None` once it is sent.
        part: Option<Bytes>,
        /// Length of the whole, as the head promises it.
        promised: u64,
        /// Whether what was yielded has not been flushed yet.
        unflushed: bool,
    },
    /// Events, as the engine makes tokens.
    Stream(StreamBody),
}

impl ReplyBody {
    /// A body in one piece, of which nothing is logged.
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole { bytes: Some(bytes), watch: None }
    }

    /// The first `share` of a piece, then the end of the connection.
    pub(super) fn torn(whole: &Bytes, share: f64) -> Self {
        let part = whole.slice(..(whole.len() as f64 * share.clamp(0.0, 1.0)) as usize);
        // One byte more than there is, so that even a whole part is too short; the head goes out first.
        Self::Torn { part: Some(part), promised: whole.len() as u64 + 1, unflushed: true }
    }
}

pub(super) type Polled = Poll<Option<Result<Frame<Bytes>, Cut>>>;

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        match self.get_mut() {
            Self::Whole { bytes, watch } => {
                if let Some(watch) = watch.take() {
                    watch.end(Finished::Complete);
                }
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Torn { part, unflushed, .. } => {
                if std::mem::take(unflushed) {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                match part.take().filter(|part| !part.is_empty()) {
                    Some(part) => {
                        *unflushed = true;
                        Poll::Ready(Some(Ok(Frame::data(part))))
                    }
                    None => Poll::Ready(Some(Err(Cut))),
                }
            }
            Self::Stream(stream) => stream.poll_event(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { bytes, .. } => bytes.is_none(),
            Self::Torn { .. } => false,
            Self::Stream(stream) => stream.has_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { bytes, .. } => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Torn { promised, .. } => SizeHint::with_exact(*promised),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
