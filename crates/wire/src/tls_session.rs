//! TLS between a socket's bytes and HTTP's, driven by hand.
//!
//! Records are given to the TLS library one at a time, so what comes out was in the record just given,
//! and became readable with that record's last byte. What is written goes through the library's own
//! buffer, from which whole flights of records leave in vectored writes.
//!
//! What it does not do: read or write a socket on its own; verify certificates (see `connector::tls`).

use std::io::{self, BufRead as _, IoSlice, Write as _};

use rustls::{ClientConnection, ProtocolVersion};

use crate::packet::tls_records::next_record_len;
use crate::socket::Socket;

/// Type, version and length, in front of every record.
const HEADER_BYTES: usize = 5;

/// One TLS connection's state.
#[derive(Debug)]
pub(crate) struct TlsSession {
    tls: ClientConnection,
    /// The part of a record's header that came, while it is incomplete.
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    /// Bytes of the record under way that are still to come.
    left: usize,
    /// Position of the last byte that was taken.
    position: u64,
}

impl TlsSession {
    /// A session about to begin, on a connection whose server has sent `position` bytes so far.
    pub(crate) fn new(tls: ClientConnection, position: u64) -> Self {
        Self { tls, header: [0; HEADER_BYTES], header_bytes: 0, left: 0, position }
    }

    /// The version that was agreed on, such as `TLSv1.3`.
    pub(crate) fn version(&self) -> Option<&'static str> {
        match self.tls.protocol_version()? {
            ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
            ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
            _ => None,
        }
    }

    /// Whether the two sides are still getting to know each other.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// Takes bytes as they came, and hands over what becomes readable, with the position at which it
    /// did. Gives whether the server has said that nothing more will follow.
    pub(crate) fn take(
        &mut self,
        mut bytes: &[u8],
        mut readable: impl FnMut(&[u8], u64),
    ) -> io::Result<bool> {
        let mut is_over = false;
        while !bytes.is_empty() {
            let (here, completes) = self.next_piece(bytes)?;
            let (mut piece, behind) = bytes.split_at(here);
            bytes = behind;
            self.position += here as u64;
            while !piece.is_empty() {
                if self.tls.read_tls(&mut piece)? == 0 {
                    // It takes nothing after the other side's goodbye.
                    return Ok(true);
                }
            }
            if completes {
                is_over = self.take_record(&mut readable)?;
                if is_over {
                    // What stands behind the other side's goodbye is nobody's.
                    break;
                }
            }
        }
        Ok(is_over)
    }

    /// How many of `bytes` to give to the library next, and whether they complete a record.
    fn next_piece(&mut self, bytes: &[u8]) -> io::Result<(usize, bool)> {
        let not_tls = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        if self.left == 0
            && self.header_bytes == 0
            && let Some(length) = next_record_len(bytes).map_err(not_tls)?
        {
            self.left = length;
        }
        if self.left == 0 {
            let here = bytes.len().min(HEADER_BYTES - self.header_bytes);
            self.header[self.header_bytes..self.header_bytes + here].copy_from_slice(&bytes[..here]);
            self.header_bytes += here;
            let Some(length) = next_record_len(&self.header[..self.header_bytes]).map_err(not_tls)? else {
                return Ok((here, false));
            };
            self.header_bytes = 0;
            self.left = length - HEADER_BYTES;
            return Ok((here, self.left == 0));
        }
        let here = bytes.len().min(self.left);
        self.left -= here;
        Ok((here, self.left == 0))
    }

    /// Lets the library work on the record it was just given.
    fn take_record(&mut self, readable: &mut impl FnMut(&[u8], u64)) -> io::Result<bool> {
        let state = self
            .tls
            .process_new_packets()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut left = state.plaintext_bytes_to_read();
        while left > 0 {
            let mut reader = self.tls.reader();
            let plain = reader.fill_buf()?;
            let count = plain.len();
            readable(plain, self.position);
            reader.consume(count);
            left = left.saturating_sub(count.max(1));
        }
        Ok(state.peer_has_closed())
    }

    /// Encrypts what fits of `slices`: how many bytes that was.
    pub(crate) fn encrypt(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.tls.writer().write_vectored(slices)
    }

    /// Whether there is something for the socket.
    pub(crate) fn wants_write(&self) -> bool {
        self.tls.wants_write()
    }

    /// Tells the other side that nothing more will come, unless something is still to be written first.
    pub(crate) fn say_goodbye(&mut self, socket: &Socket) {
        if !self.is_handshaking() && !self.wants_write() {
            self.tls.send_close_notify();
            // Whoever hears no goodbye learns of the end all the same.
            let _ = self.write_to(socket);
        }
    }

    /// Gives the socket what it takes now; `WouldBlock` when that is nothing.
    pub(crate) fn write_to(&mut self, socket: &Socket) -> io::Result<usize> {
        let mut socket = socket;
        self.tls.write_tls(&mut socket)
    }
}
