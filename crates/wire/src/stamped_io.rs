//! A TCP stream that notes when its bytes moved.
//!
//! Reads go through `recvmsg`, which on Linux says beside the bytes when they reached the host
//! (`SO_TIMESTAMPNS`); writes go out vectored. A short read clears the socket's readiness, which
//! saves the read that would only say "nothing yet".
//!
//! Invariant: a read is passed on only while the ledger permits one, and every read that brings
//! bytes is in the ledger before its bytes are seen above. A denied read is `Pending` without a
//! waker: whoever grants permits polls again.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

use crate::connector::Timestamps;
use crate::ledger::Ledger;

/// A TCP stream whose reads and writes are noted in a ledger.
#[derive(Debug)]
pub(crate) struct StampedIo {
    socket: Rc<TcpStream>,
    ledger: Rc<Ledger>,
    wants_stamps: bool,
}

/// Asks the kernel to stamp what arrives. Where it cannot, reads come without a stamp and are
/// counted as such, so there is nothing to report here.
pub(crate) fn ask_for_stamps(socket: &TcpSocket) {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::ReceiveTimestampns, &true);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

impl StampedIo {
    pub(crate) fn new(socket: TcpStream, ledger: Rc<Ledger>, timestamps: Timestamps) -> Self {
        let wants_stamps = timestamps.are_the_kernels();
        Self { socket: Rc::new(socket), ledger, wants_stamps }
    }

    /// The socket itself, for looking at without reading.
    pub(crate) fn socket(&self) -> Rc<TcpStream> {
        Rc::clone(&self.socket)
    }

    /// The ledger it notes in.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Reads what is there into `room`; 0 is the end of the stream.
    pub(crate) fn poll_recv(&self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.ledger.may_read() {
            return Poll::Pending;
        }
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            let began = self.ledger.now();
            let mut received = None;
            let outcome = self.socket.try_io(tokio::io::Interest::READABLE, || {
                let (count, stamp) = receive(&self.socket, room)?;
                received = Some((count, stamp));
                if 0 < count && count < room.len() {
                    // The socket is empty now. Saying so clears the readiness, and the bytes are kept.
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(())
            });
            match (received, outcome) {
                (Some((count, stamp)), _) => {
                    self.ledger.note_read(began, count, count < room.len(), stamp, self.wants_stamps);
                    return Poll::Ready(Ok(count));
                }
                (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                (None, Err(error)) => return Poll::Ready(Err(error)),
                (None, Ok(())) => unreachable!("a receive that succeeds leaves its count"),
            }
        }
    }

    fn poll_send(&self, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_write_ready(cx))?;
            let began = self.ledger.now();
            match self.socket.try_write_vectored(bytes) {
                Ok(count) => {
                    if count > 0 {
                        self.ledger.note_write(began);
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// One `recvmsg`: how many bytes came, and the kernel's wall-clock stamp of the last of them, ns.
#[cfg(target_os = "linux")]
fn receive(socket: &TcpStream, room: &mut [u8]) -> io::Result<(usize, Option<i64>)> {
    use std::io::IoSliceMut;
    use std::os::fd::AsRawFd as _;

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

    /// Room for one stamp (a header of 16 bytes and a timespec of 16), and some to spare.
    const CONTROL_BYTES: usize = 64;
    let mut control = [0_u8; CONTROL_BYTES];
    let mut parts = [IoSliceMut::new(room)];
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty()) {
            Ok(message) => break message,
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    let stamp = message.cmsgs().ok().and_then(|mut messages| {
        messages.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(at) => Some(at.tv_sec() * 1_000_000_000 + at.tv_nsec()),
            _ => None,
        })
    });
    Ok((message.bytes, stamp))
}

/// One read, without a stamp: this system has none for us.
#[cfg(not(target_os = "linux"))]
fn receive(socket: &TcpStream, room: &mut [u8]) -> io::Result<(usize, Option<i64>)> {
    use std::os::fd::AsRawFd as _;

    use nix::sys::socket::{MsgFlags, recv};

    Ok((recv(socket.as_raw_fd(), room, MsgFlags::empty())?, None))
}

impl AsyncRead for StampedIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = ready!(self.poll_recv(cx, buf.initialize_unfilled()))?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for StampedIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ledger.note_flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(socket2::SockRef::from(&*self.socket).shutdown(std::net::Shutdown::Write))
    }
}
