//! The byte stream under HTTP, plain or TLS, in the form hyper wants.
//!
//! Bytes pass through the thread's scratch space, so a connection owns no read buffer of its own and
//! no uninitialised memory is touched. Under TLS the stamps are those of the raw reads; since one raw
//! read at most is let through a turn, plaintext that comes out belongs to the last of them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use rustls::ProtocolVersion;
use tokio::io::{AsyncRead as _, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use crate::ledger::Ledger;
use crate::scratch::with_scratch;
use crate::stamped_io::StampedIo;

/// A plain or a TLS stream.
#[derive(Debug)]
pub(crate) enum Stream {
    /// As it comes.
    Plain(StampedIo),
    /// Through TLS.
    Tls(Box<TlsStream<StampedIo>>),
}

impl Stream {
    /// The version of TLS that was agreed on; `None` without TLS.
    pub(crate) fn tls_version(&self) -> Option<&'static str> {
        let Self::Tls(tls) = self else { return None };
        match tls.get_ref().1.protocol_version()? {
            ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
            ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
            _ => None,
        }
    }

    fn ledger(&self) -> &Ledger {
        match self {
            Self::Plain(io) => io.ledger(),
            Self::Tls(tls) => tls.get_ref().0.ledger(),
        }
    }

    fn writer(self: Pin<&mut Self>) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io),
            Self::Tls(tls) => Pin::new(tls.as_mut()),
        }
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        with_scratch(buf.remaining(), |room| {
            let stream = self.get_mut();
            let filled = match stream {
                Self::Plain(io) => {
                    let count = ready!(io.poll_recv(cx, room))?;
                    &room[..count]
                }
                Self::Tls(tls) => {
                    let mut plain = ReadBuf::new(room);
                    ready!(Pin::new(&mut **tls).poll_read(cx, &mut plain))?;
                    let count = plain.filled().len();
                    &room[..count]
                }
            };
            buf.put_slice(filled);
            if !filled.is_empty() {
                stream.ledger().note_handed_out();
            }
            Poll::Ready(Ok(()))
        })
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writer().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writer().poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(io) => io.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer().poll_shutdown(cx)
    }
}
