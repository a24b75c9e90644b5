//! What an IP packet with a TCP segment says: whose it is, and which bytes of the stream it brings.
//!
//! Invariant: any bytes give a [`Segment`] or `None`; nothing is read outside the slice. Only the
//! headers are looked at, so a packet may be cut anywhere behind them. Lengths come from the IP
//! header, since a frame may be padded; a super-segment too long for that header's field says 0
//! there, and then the length the packet socket tells is the packet's own.
//!
//! What it does not do: checksums (the host has dropped what was damaged), reassembly of fragments.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const TCP: u8 = 6;
const TCP_HEADER_BYTES: usize = 20;
/// Of it, up to the flags: all that is looked at.
const TCP_LOOKED_AT_BYTES: usize = 14;
const IPV4_HEADER_BYTES: usize = 20;
const IPV6_HEADER_BYTES: usize = 40;
/// The most IPv6 extension headers that are stepped over.
const MOST_EXTENSIONS: usize = 8;

/// A connection as its packets name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FlowKey {
    /// Our end.
    pub(super) local: SocketAddr,
    /// The server's, or the proxy's.
    pub(super) remote: SocketAddr,
}

/// One TCP segment on its way to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) flow: FlowKey,
    /// The sequence number of its first byte (of the SYN, where it carries one).
    pub(super) sequence: u32,
    /// Bytes of the stream it brings.
    pub(super) payload: u32,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) ack: bool,
}

impl Segment {
    /// The sequence number of the first byte of the stream it brings: the SYN takes a number itself.
    pub(super) fn first_byte(&self) -> u32 {
        self.sequence.wrapping_add(u32::from(self.syn))
    }
}

/// Reads the headers of an IP packet of `packet_bytes` bytes, of which `bytes` is the beginning.
/// `None`: not TCP, a fragment, or not to be made sense of.
pub(super) fn parse(bytes: &[u8], packet_bytes: usize) -> Option<Segment> {
    match bytes.first()? >> 4 {
        4 => parse_v4(bytes, packet_bytes),
        6 => parse_v6(bytes, packet_bytes),
        _ => None,
    }
}

fn parse_v4(bytes: &[u8], packet_bytes: usize) -> Option<Segment> {
    let header = bytes.first_chunk::<IPV4_HEADER_BYTES>()?;
    let header_bytes = usize::from(header[0] & 0x0f) * 4;
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    // "More fragments" or an offset: a piece of a segment has no sequence number of its own.
    let is_fragment = fragment & 0x3fff != 0;
    if header_bytes < IPV4_HEADER_BYTES || header[9] != TCP || is_fragment {
        return None;
    }
    let total = match usize::from(u16::from_be_bytes([header[2], header[3]])) {
        0 => packet_bytes,
        total => total,
    };
    let source = Ipv4Addr::from(*header[12..].first_chunk::<4>()?);
    let destination = Ipv4Addr::from(*header[16..].first_chunk::<4>()?);
    parse_tcp(bytes, header_bytes, total, IpAddr::V4(source), IpAddr::V4(destination))
}

fn parse_v6(bytes: &[u8], packet_bytes: usize) -> Option<Segment> {
    let header = bytes.first_chunk::<IPV6_HEADER_BYTES>()?;
    let total = match usize::from(u16::from_be_bytes([header[4], header[5]])) {
        0 => packet_bytes,
        payload => IPV6_HEADER_BYTES + payload,
    };
    let mut next = header[6];
    let mut at = IPV6_HEADER_BYTES;
    for _ in 0..MOST_EXTENSIONS {
        match next {
            TCP => {
                let source = Ipv6Addr::from(*header[8..].first_chunk::<16>()?);
                let destination = Ipv6Addr::from(*header[24..].first_chunk::<16>()?);
                return parse_tcp(bytes, at, total, IpAddr::V6(source), IpAddr::V6(destination));
            }
            // Hop-by-hop options, routing, destination options: each says what follows, and its length
            // in units of 8 bytes beyond the first.
            0 | 43 | 60 => {
                let &[following, units] = bytes.get(at..)?.first_chunk::<2>()?;
                next = following;
                at += 8 + usize::from(units) * 8;
            }
            _ => return None,
        }
    }
    None
}

fn parse_tcp(bytes: &[u8], at: usize, total: usize, source: IpAddr, destination: IpAddr) -> Option<Segment> {
    let header = bytes.get(at..)?.first_chunk::<TCP_LOOKED_AT_BYTES>()?;
    let header_bytes = usize::from(header[12] >> 4) * 4;
    if header_bytes < TCP_HEADER_BYTES {
        return None;
    }
    let payload = total.checked_sub(at + header_bytes)?;
    let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let flags = header[13];
    Some(Segment {
        flow: FlowKey {
            local: SocketAddr::new(destination, port(2)),
            remote: SocketAddr::new(source, port(0)),
        },
        sequence: u32::from_be_bytes(*header[4..].first_chunk::<4>()?),
        payload: u32::try_from(payload).ok()?,
        fin: flags & 0x01 != 0,
        syn: flags & 0x02 != 0,
        rst: flags & 0x04 != 0,
        ack: flags & 0x10 != 0,
    })
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// A TCP packet as it is seen without its link header. `options` are 4-byte words in front of
    /// TCP: options of IPv4, or 8-byte extension headers of IPv6.
    pub(in crate::packet) fn packet(segment: &Segment, options: usize) -> Vec<u8> {
        let mut tcp = vec![0_u8; TCP_HEADER_BYTES];
        tcp[..2].copy_from_slice(&segment.flow.remote.port().to_be_bytes());
        tcp[2..4].copy_from_slice(&segment.flow.local.port().to_be_bytes());
        tcp[4..8].copy_from_slice(&segment.sequence.to_be_bytes());
        tcp[12] = 5 << 4;
        let flags = [(segment.fin, 0x01), (segment.syn, 0x02), (segment.rst, 0x04), (segment.ack, 0x10)];
        tcp[13] = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, bit)| bit).sum();
        tcp.resize(TCP_HEADER_BYTES + segment.payload as usize, b'x');
        let length = |bytes: usize| u16::try_from(bytes).unwrap_or(0).to_be_bytes();
        match (segment.flow.remote.ip(), segment.flow.local.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut ip = vec![1_u8; IPV4_HEADER_BYTES + 4 * options];
                ip[0] = 0x40 | u8::try_from(5 + options).unwrap();
                ip[2..4].copy_from_slice(&length(IPV4_HEADER_BYTES + 4 * options + tcp.len()));
                ip[6..8].copy_from_slice(&[0x40, 0]);
                ip[9] = TCP;
                ip[12..16].copy_from_slice(&source.octets());
                ip[16..20].copy_from_slice(&destination.octets());
                [ip, tcp].concat()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut ip = vec![0_u8; IPV6_HEADER_BYTES];
                ip[0] = 0x60;
                ip[4..6].copy_from_slice(&length(8 * options + tcp.len()));
                ip[8..24].copy_from_slice(&source.octets());
                ip[24..40].copy_from_slice(&destination.octets());
                ip[6] = if options == 0 { TCP } else { 0 };
                for index in 0..options {
                    let next = if index + 1 == options { TCP } else { 60 };
                    ip.extend([next, 0, 1, 4, 0, 0, 0, 0]);
                }
                [ip, tcp].concat()
            }
            _ => panic!("both ends speak one protocol"),
        }
    }

    pub(in crate::packet) fn segment(is_v6: bool) -> Segment {
        let ends =
            if is_v6 { ("[::1]:40000", "[2001:db8::2]:8000") } else { ("10.0.0.1:40000", "10.0.0.2:8000") };
        Segment {
            flow: FlowKey { local: ends.0.parse().unwrap(), remote: ends.1.parse().unwrap() },
            sequence: 0xfedc_ba98,
            payload: 321,
            syn: false,
            fin: false,
            rst: false,
            ack: true,
        }
    }

    fn any_segment() -> impl Strategy<Value = Segment> {
        (any::<(bool, u32, bool, bool, bool, bool)>(), 0_u32..60_000).prop_map(|(say, payload)| {
            let (is_v6, sequence, syn, fin, rst, ack) = say;
            Segment { sequence, payload, syn, fin, rst, ack, ..segment(is_v6) }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(segment in any_segment(), options in 0_usize..4, padding in 0_usize..20) {
            let mut bytes = packet(&segment, options);
            bytes.resize(bytes.len() + padding, 0);
            prop_assert_eq!(parse(&bytes, bytes.len()), Some(segment));
        }

        #[test]
        fn headers_alone_are_enough(segment in any_segment(), options in 0_usize..4) {
            let bytes = packet(&segment, options);
            let enough = bytes.len() - segment.payload as usize - TCP_HEADER_BYTES + TCP_LOOKED_AT_BYTES;
            prop_assert_eq!(parse(&bytes[..enough], bytes.len()), Some(segment));
            prop_assert_eq!(parse(&bytes[..enough - 1], bytes.len()), None);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), length in any::<usize>()) {
            let _ = parse(&bytes, length);
        }

        #[test]
        fn a_damaged_packet_is_survived(segment in any_segment(), at in 0_usize..60, to in any::<u8>()) {
            let mut bytes = packet(&segment, 1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            let _ = parse(&bytes, bytes.len());
        }
    }

    #[test]
    fn a_super_segment_without_a_length_takes_the_packets_own() {
        for is_v6 in [false, true] {
            let giant = Segment { payload: 150_000, ..segment(is_v6) };
            let bytes = packet(&giant, 0);
            assert_eq!(parse(&bytes[..64], bytes.len()), Some(giant));
        }
    }

    #[test]
    fn fragments_other_protocols_and_nonsense_are_none() {
        let good = packet(&Segment { payload: 20, ..segment(false) }, 0);
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            parse(&bytes, bytes.len())
        };
        assert_eq!(with(6, 0x20), None, "more fragments follow");
        assert_eq!(with(7, 1), None, "a later fragment");
        assert_eq!(with(9, 17), None, "UDP");
        assert_eq!(with(0, 0x44), None, "a header shorter than itself");
        assert_eq!(with(0, 0x55), None, "IP version 5");
        assert_eq!(with(32, 4 << 4), None, "a TCP header shorter than itself");
        assert_eq!(with(3, 30), None, "a packet shorter than its headers");
        let endless = packet(&segment(true), 9);
        assert_eq!(parse(&endless, endless.len()), None, "more extension headers than anybody sends");
    }
}
