//! A TCP socket that says of each read when its bytes reached the host.
//!
//! Reads go through `recvmsg`, which on Linux says beside the bytes when they came (`SO_TIMESTAMPNS`);
//! writes go out vectored. A short read clears the socket's readiness, which saves the read that would
//! only say "nothing yet".
//!
//! What it does not do: judge a stamp (see `arrivals`), or hold bytes.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd as _};
use std::task::{Context, Poll, ready};

use loadgen_core::{Clock as _, Nanos, SystemClock};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A connected TCP socket.
#[derive(Debug)]
pub(crate) struct Socket {
    tcp: TcpStream,
    clock: SystemClock,
    /// The next receive does not wait to be told that there is something.
    looks_again: Cell<bool>,
}

/// What one read brought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    /// When the read began.
    pub(crate) began: Nanos,
    /// Bytes; 0 is the end of the stream.
    pub(crate) bytes: usize,
    /// Whether there was room for more, so that the socket was empty afterwards.
    pub(crate) is_short: bool,
    /// The kernel's stamp of the last byte, ns by the wall clock.
    pub(crate) wall_ns: Option<i64>,
}

/// What waits on a socket that nobody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Nothing.
    Nothing,
    /// Bytes that no request asked for.
    Bytes,
    /// The end of the stream, or an error.
    End,
}

/// Asks the kernel to stamp what arrives. Where it cannot, reads come without a stamp and are
/// counted as such, so there is nothing to report here.
pub(crate) fn ask_for_stamps(socket: &impl AsFd) {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::ReceiveTimestampns, &true);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Keeps the host stamping from now on, as long as it lives.
///
/// The kernel stamps packets while any socket wants stamps. It begins some time after the first one said
/// so, and stops with the last; so without this, the first reads of the first connection, and of each that
/// is opened while no other is, may come without a stamp.
#[derive(Debug)]
pub(crate) struct StampingOn {
    /// Only to be there.
    #[allow(dead_code)]
    held: Option<socket2::Socket>,
}

impl StampingOn {
    pub(crate) fn begin() -> Self {
        // Bound to nothing, it receives nothing. Where it cannot be had, reads without a stamp are counted.
        let held = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).ok();
        if let Some(socket) = &held {
            ask_for_stamps(socket);
        }
        Self { held }
    }
}

impl Socket {
    pub(crate) fn new(tcp: TcpStream, clock: SystemClock) -> Self {
        Self { tcp, clock, looks_again: Cell::new(false) }
    }

    /// Now, on the run's timeline.
    pub(crate) fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// Our end and the other one.
    pub(crate) fn ends(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.tcp.local_addr()?, self.tcp.peer_addr()?))
    }

    /// Lets the next [`Self::poll_receive`] look at the socket itself.
    ///
    /// A read ends at an urgent byte, whatever stands behind it: such a short read does not mean that the
    /// socket is empty, and nobody will tell that it is not. So whoever has waited long looks again.
    pub(crate) fn look_again(&self) {
        self.looks_again.set(true);
    }

    /// Reads what is there into `room`.
    pub(crate) fn poll_receive(&self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<Received>> {
        if self.looks_again.take() {
            let began = self.clock.now();
            match receive(&self.tcp, room) {
                Ok((bytes, wall_ns)) => {
                    // There may be more yet.
                    self.looks_again.set(bytes > 0);
                    let is_short = bytes < room.len();
                    return Poll::Ready(Ok(Received { began, bytes, is_short, wall_ns }));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        loop {
            ready!(self.tcp.poll_read_ready(cx))?;
            let began = self.clock.now();
            let mut received = None;
            let outcome = self.tcp.try_io(Interest::READABLE, || {
                let (bytes, wall_ns) = receive(&self.tcp, room)?;
                let is_short = bytes < room.len();
                received = Some(Received { began, bytes, is_short, wall_ns });
                if bytes > 0 && is_short {
                    // The socket is empty now. Saying so clears the readiness; what came is kept.
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(())
            });
            match (received, outcome) {
                (Some(received), _) => return Poll::Ready(Ok(received)),
                (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                (None, Err(error)) => return Poll::Ready(Err(error)),
                (None, Ok(())) => unreachable!("a receive that succeeds leaves what it brought"),
            }
        }
    }

    /// Ready when bytes may be written.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_write_ready(cx)
    }

    /// Writes what the kernel takes now; `WouldBlock` when that is nothing.
    pub(crate) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.tcp.try_write_vectored(slices)
    }

    /// A look at what waits, without taking it.
    pub(crate) fn waiting(&self) -> Waiting {
        let mut one = [0_u8];
        match recv(self.tcp.as_raw_fd(), &mut one, MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
            Ok(0) => Waiting::End,
            Ok(_) => Waiting::Bytes,
            Err(Errno::EAGAIN | Errno::EINTR) => Waiting::Nothing,
            Err(_) => Waiting::End,
        }
    }

    /// The error that the other host left, if it did: bytes for a socket that is gone are answered
    /// with a reset. Takes it.
    pub(crate) fn pending_error(&self) -> Option<io::Error> {
        self.tcp.take_error().ok().flatten()
    }
}

/// Gives what TLS has ready to the kernel.
impl io::Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One `recvmsg`: how many bytes came, and the kernel's wall-clock stamp of the last of them, ns.
#[cfg(target_os = "linux")]
fn receive(socket: &TcpStream, room: &mut [u8]) -> io::Result<(usize, Option<i64>)> {
    use std::io::IoSliceMut;

    use nix::sys::socket::{ControlMessageOwned, recvmsg};

    /// Room for one stamp (a header of 16 bytes and a timespec of 16), and some to spare.
    const CONTROL_BYTES: usize = 64;
    let mut control = [0_u8; CONTROL_BYTES];
    let mut parts = [IoSliceMut::new(room)];
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty()) {
            Ok(message) => break message,
            Err(Errno::EINTR) => {}
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
    Ok((recv(socket.as_raw_fd(), room, MsgFlags::empty())?, None))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nix::sys::socket::{getsockopt, sockopt};

    use super::*;

    #[test]
    fn a_socket_that_wants_stamps_isheld_before_any_connection_does() {
        let stamping = StampingOn::begin();
        let held = stamping.held.as_ref().unwrap();
        assert!(getsockopt(held, sockopt::ReceiveTimestampns).unwrap());
    }
}
