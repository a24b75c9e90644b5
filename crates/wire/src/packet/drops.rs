//! How many packets a packet socket had no room for, by the kernel's own count.
//!
//! Asked over netlink (`NETLINK_SOCK_DIAG`, as `ss` does): a dump of the packet sockets of this network
//! namespace with their memory figures, in which ours is found by its inode. Messages are built and read as
//! bytes; any answer that does not fit is no answer.
//!
//! What it does not do: ask often. It is for the end of a run.

use std::io::Read as _;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// As in linux/netlink.h, linux/sock_diag.h and linux/packet_diag.h.
const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLMSG_DONE: u16 = 3;
const AF_PACKET: u8 = 17;
const PACKET_SHOW_MEMINFO: u32 = 0x20;
const PACKET_DIAG_MEMINFO: u16 = 5;
/// The place of the drops among the memory figures (`SK_MEMINFO_DROPS`).
const DROPS: usize = 8;

/// A netlink message's header, and the fixed part of one packet socket's.
const HEADER_BYTES: usize = 16;
const FIXED_BYTES: usize = 16;
/// The most messages that are waited for.
const MOST_ANSWERS: usize = 64;

/// The drops of the packet socket with this inode; `None` where the kernel does not say.
pub(super) fn of_socket(inode: u32) -> Option<u64> {
    let mut socket =
        Socket::new(Domain::from(AF_NETLINK), Type::DGRAM, Some(Protocol::from(NETLINK_SOCK_DIAG))).ok()?;
    socket.set_read_timeout(Some(Duration::from_millis(100))).ok()?;
    socket.send(&question()).ok()?;
    let mut room = vec![0; 32 << 10];
    for _ in 0..MOST_ANSWERS {
        let count = socket.read(&mut room).ok()?;
        match find(&room[..count], inode) {
            Found::Drops(drops) => return Some(drops),
            Found::NotHere => {}
            Found::End => return None,
        }
    }
    None
}

fn question() -> Vec<u8> {
    let mut message = Vec::new();
    message.extend(u32::to_ne_bytes(HEADER_BYTES as u32 + 20));
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    // Sequence number and port: the answers need not be told apart.
    message.extend([0; 8]);
    // Family, protocol and padding; any inode; what to show; no cookie.
    message.extend([AF_PACKET, 0, 0, 0]);
    message.extend([0; 4]);
    message.extend(PACKET_SHOW_MEMINFO.to_ne_bytes());
    message.extend([0; 8]);
    message
}

/// What a datagram of answers says of one socket.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Drops(u64),
    NotHere,
    End,
}

fn find(mut answers: &[u8], inode: u32) -> Found {
    while let Some(header) = answers.get(..HEADER_BYTES) {
        let length = word(header, 0) as usize;
        let kind = half(header, 4);
        let Some(message) = answers.get(HEADER_BYTES..length) else { return Found::End };
        if kind == NLMSG_DONE || kind != SOCK_DIAG_BY_FAMILY {
            return Found::End;
        }
        // Family, type, number; then the inode.
        if message.len() >= FIXED_BYTES && word(message, 4) == inode {
            return drops_among(&message[FIXED_BYTES..]).map_or(Found::End, Found::Drops);
        }
        answers = answers.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Found::NotHere
}

/// The drops among a socket's attributes: each has a length, a kind and a value.
fn drops_among(mut attributes: &[u8]) -> Option<u64> {
    while attributes.len() >= 4 {
        let length = usize::from(half(attributes, 0));
        let value = attributes.get(4..length)?;
        if half(attributes, 2) == PACKET_DIAG_MEMINFO {
            return (value.len() >= 4 * (DROPS + 1)).then(|| u64::from(word(value, 4 * DROPS)));
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// The native number of 4 bytes at `at`; 0 beyond the end.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |four| u32::from_ne_bytes(*four))
}

/// The native number of 2 bytes at `at`; 0 beyond the end.
fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |two| u16::from_ne_bytes(*two))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(kind: u16, inode: u32, drops: u32) -> Vec<u8> {
        let mut attribute = Vec::new();
        attribute.extend(u16::to_ne_bytes(4 + 36));
        attribute.extend(PACKET_DIAG_MEMINFO.to_ne_bytes());
        attribute.extend([7; 32]);
        attribute.extend(drops.to_ne_bytes());
        let other = [6, 0, 9, 0, 1, 1, 0, 0];
        let mut message = Vec::new();
        message.extend(u32::to_ne_bytes((HEADER_BYTES + FIXED_BYTES + 8 + attribute.len()) as u32));
        message.extend(kind.to_ne_bytes());
        message.extend([0; 10]);
        message.extend([AF_PACKET, 2, 8, 0]);
        message.extend(inode.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(other);
        message.extend(attribute);
        message
    }

    #[test]
    fn a_sockets_drops_are_found_among_others() {
        let answers = [
            answer(SOCK_DIAG_BY_FAMILY, 5, 50),
            answer(SOCK_DIAG_BY_FAMILY, 6, 60),
            answer(NLMSG_DONE, 0, 0),
        ]
        .concat();
        assert_eq!(find(&answers, 6), Found::Drops(60));
        assert_eq!(find(&answers, 7), Found::End);
        assert_eq!(find(&answers[..60], 7), Found::End, "cut short");
        assert_eq!(find(&answer(SOCK_DIAG_BY_FAMILY, 5, 50), 7), Found::NotHere);
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), inode in any::<u32>()) {
            let _ = find(&bytes, inode);
        }

        #[test]
        fn a_damaged_answer_is_survived(at in 0_usize..76, to in any::<u8>()) {
            let mut bytes = answer(SOCK_DIAG_BY_FAMILY, 5, 50);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            let _ = find(&bytes, 5);
        }
    }
}
