//! The packet filter that the kernel runs: classic BPF, from typed instructions.
//!
//! It lets through what the servers' ports send by TCP and what matters of it: segments that bring
//! bytes, open a connection or end one. A server's bare acknowledgements, of which a large prompt
//! causes many, cost a comparison and no copy.
//!
//! The program works on the packet from its IP header on, as a `SOCK_DGRAM` packet socket sees it. It
//! errs on the side of letting through: whatever it cannot decide in a few steps (IPv6 extension
//! headers, lengths of 0) is left to the parser.

/// Beyond so many ports all are let through, and the tap tells them apart: each costs every packet a
/// comparison.
pub(super) const MOST_PORTS: usize = 64;
const TCP: u32 = 6;
const IPV6_HEADER_BYTES: u32 = 40;
/// The whole packet. Cutting a packet short makes the kernel copy its header, and a cut packet no
/// longer says how long it was; what is not read is not copied anyway.
const WHOLE: u32 = u32::MAX;
/// TCP flags FIN, SYN and RST.
const EVENTFUL: u32 = 0x07;

/// Which IP a packet socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// One instruction. `A` is the accumulator, `X` the index register; jumps name how many instructions
/// are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruction {
    /// A = the byte there.
    Byte(u32),
    /// A = the two bytes there.
    Half(u32),
    /// A = the byte at X and so much.
    ByteAtX(u32),
    /// A = the two bytes at X and so much.
    HalfAtX(u32),
    /// X = the length of the IPv4 header that begins there.
    HeaderLengthToX(u32),
    /// X = this.
    SetX(u32),
    /// A = A and this.
    And(u32),
    /// A = A shifted right by this.
    ShiftRight(u32),
    /// A = A + X.
    AddX,
    /// A = A - X.
    SubtractX,
    /// X = A.
    CopyToX,
    /// Skips `then` instructions if A is this, else `other`.
    IfEqual(u32, u8, u8),
    /// Skips `then` instructions if A and this have a bit in common, else `other`.
    IfAnyBit(u32, u8, u8),
    /// Lets so many bytes of the packet through; 0 drops it.
    Return(u32),
}

impl Instruction {
    /// As the kernel wants it: code, jumps, operand (linux/bpf_common.h).
    pub(super) fn encode(self) -> (u16, u8, u8, u32) {
        const LD: u16 = 0x00;
        const LDX: u16 = 0x01;
        const ALU: u16 = 0x04;
        const JMP: u16 = 0x05;
        const RET: u16 = 0x06;
        const MISC: u16 = 0x07;
        const HALF: u16 = 0x08;
        const BYTE: u16 = 0x10;
        const ABSOLUTE: u16 = 0x20;
        const INDEXED: u16 = 0x40;
        const MSH: u16 = 0xa0;
        const BY_X: u16 = 0x08;
        match self {
            Self::Byte(at) => (LD | BYTE | ABSOLUTE, 0, 0, at),
            Self::Half(at) => (LD | HALF | ABSOLUTE, 0, 0, at),
            Self::ByteAtX(at) => (LD | BYTE | INDEXED, 0, 0, at),
            Self::HalfAtX(at) => (LD | HALF | INDEXED, 0, 0, at),
            Self::HeaderLengthToX(at) => (LDX | BYTE | MSH, 0, 0, at),
            Self::SetX(value) => (LDX, 0, 0, value),
            Self::And(mask) => (ALU | 0x50, 0, 0, mask),
            Self::ShiftRight(bits) => (ALU | 0x70, 0, 0, bits),
            Self::AddX => (ALU | BY_X, 0, 0, 0),
            Self::SubtractX => (ALU | 0x10 | BY_X, 0, 0, 0),
            Self::CopyToX => (MISC, 0, 0, 0),
            Self::IfEqual(value, then, other) => (JMP | 0x10, then, other, value),
            Self::IfAnyBit(mask, then, other) => (JMP | 0x40, then, other, mask),
            Self::Return(bytes) => (RET, 0, 0, bytes),
        }
    }
}

/// A filter for TCP segments of this family that come from one of these ports; from any port, where
/// there are more than [`MOST_PORTS`].
pub(super) fn program(family: Family, ports: &[u16]) -> Vec<Instruction> {
    use Instruction::{
        AddX, And, Byte, ByteAtX, CopyToX, Half, HalfAtX, HeaderLengthToX, IfAnyBit, IfEqual, Return, SetX,
        ShiftRight, SubtractX,
    };
    // X = where the TCP header begins.
    let mut program = match family {
        Family::V4 => vec![
            Byte(9),
            IfEqual(TCP, 1, 0),
            Return(0),
            // "More fragments", or an offset.
            Half(6),
            IfAnyBit(0x3fff, 0, 1),
            Return(0),
            HeaderLengthToX(0),
        ],
        Family::V6 => vec![
            Byte(6),
            IfEqual(TCP, 5, 0),
            // Extension headers are stepped over by the parser: hop-by-hop, routing, destination.
            IfEqual(0, 3, 0),
            IfEqual(43, 2, 0),
            IfEqual(60, 1, 0),
            Return(0),
            Return(WHOLE),
            SetX(IPV6_HEADER_BYTES),
        ],
    };
    if ports.len() <= MOST_PORTS {
        program.push(HalfAtX(0));
        // A hit skips the other ports and the refusal behind them.
        program.extend(
            (1..=ports.len() as u8).rev().zip(ports).map(|(over, port)| IfEqual(u32::from(*port), over, 0)),
        );
        program.push(Return(0));
    }
    // A segment without bytes is one whose length is that of its headers. IPv6's length does not count
    // the IP header; either is 0 in a super-segment that is too long for the field.
    let (own_header, length_at) = match family {
        Family::V4 => (Some(AddX), 2),
        Family::V6 => (None, 4),
    };
    program.extend([ByteAtX(13), IfAnyBit(EVENTFUL, 8 + u8::from(own_header.is_some()), 0)]);
    program.extend([ByteAtX(12), And(0xf0), ShiftRight(2)]);
    program.extend(own_header);
    program.extend([
        CopyToX,
        Half(length_at),
        IfEqual(0, 2, 0),
        SubtractX,
        IfEqual(0, 1, 0),
        Return(WHOLE),
        Return(0),
    ]);
    program
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::packet::header::Segment;
    use crate::packet::header::tests::{packet, segment};

    /// What the kernel would do: the bytes let through. A load outside the packet drops it.
    fn interpret(program: &[Instruction], packet: &[u8]) -> u32 {
        run(program, packet).unwrap_or(0)
    }

    fn run(program: &[Instruction], packet: &[u8]) -> Option<u32> {
        let (mut a, mut x, mut next) = (0_u32, 0_u32, 0_usize);
        let byte = |at: u32| packet.get(at as usize).map(|byte| u32::from(*byte));
        let half = |at: u32| Some(byte(at)? << 8 | byte(at + 1)?);
        loop {
            let instruction = program[next];
            next += 1;
            let mut skip =
                |hit: bool, then: u8, other: u8| next += usize::from(if hit { then } else { other });
            match instruction {
                Instruction::Byte(at) => a = byte(at)?,
                Instruction::Half(at) => a = half(at)?,
                Instruction::ByteAtX(at) => a = byte(x + at)?,
                Instruction::HalfAtX(at) => a = half(x + at)?,
                Instruction::HeaderLengthToX(at) => x = (byte(at)? & 0x0f) * 4,
                Instruction::SetX(value) => x = value,
                Instruction::And(mask) => a &= mask,
                Instruction::ShiftRight(bits) => a >>= bits,
                Instruction::AddX => a = a.wrapping_add(x),
                Instruction::SubtractX => a = a.wrapping_sub(x),
                Instruction::CopyToX => x = a,
                Instruction::IfEqual(value, then, other) => skip(a == value, then, other),
                Instruction::IfAnyBit(mask, then, other) => skip(a & mask != 0, then, other),
                Instruction::Return(bytes) => return Some(bytes),
            }
        }
    }

    fn family(is_v6: bool) -> Family {
        if is_v6 { Family::V6 } else { Family::V4 }
    }

    fn is_let_through(ports: &[u16], segment: &Segment, options: usize) -> bool {
        let program = program(family(segment.flow.remote.is_ipv6()), ports);
        let bytes = packet(segment, options);
        let kept = interpret(&program, &bytes);
        assert!(kept == 0 || kept as usize >= bytes.len(), "never cut");
        kept > 0
    }

    proptest! {
        #[test]
        fn a_segment_that_matters_passes_and_no_other_port_does(
            is_v6 in any::<bool>(),
            payload in 0_u32..70_000,
            ports in prop::collection::btree_set(any::<u16>(), 1..=MOST_PORTS),
            which in any::<prop::sample::Index>(),
            flags in any::<(bool, bool, bool)>(),
            options in 0_usize..4,
        ) {
            let ports: Vec<u16> = ports.into_iter().collect();
            let mut segment = Segment { payload, syn: flags.0, fin: flags.1, rst: flags.2, ..segment(is_v6) };
            segment.flow.remote.set_port(ports[which.index(ports.len())]);
            let has_extensions = is_v6 && options > 0;
            let matters = payload > 0 || flags.0 || flags.1 || flags.2;
            prop_assert_eq!(is_let_through(&ports, &segment, options), matters || has_extensions);

            let others: Vec<u16> =
                ports.iter().copied().filter(|port| *port != segment.flow.remote.port()).collect();
            prop_assert_eq!(is_let_through(&others, &segment, options), has_extensions);
        }

        #[test]
        fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..100), is_v6 in any::<bool>()) {
            let kept = interpret(&program(family(is_v6), &[80, 443]), &bytes);
            prop_assert!(kept == 0 || kept == WHOLE);
        }
    }

    #[test]
    fn jumps_stay_inside_and_the_last_word_is_a_return() {
        for family in [Family::V4, Family::V6] {
            for count in [0, 1, 2, MOST_PORTS, MOST_PORTS + 1] {
                let ports: Vec<u16> = (1..).take(count).collect();
                let program = program(family, &ports);
                assert_eq!(program.last(), Some(&Instruction::Return(0)));
                for (at, instruction) in program.iter().enumerate().take(program.len() - 1) {
                    let (_, then, other, _) = instruction.encode();
                    assert!(at + 1 + usize::from(then.max(other)) < program.len(), "{at}: {instruction:?}");
                }
            }
        }
    }

    #[test]
    fn more_ports_than_fit_are_all_ports() {
        let ports: Vec<u16> = (1..).take(MOST_PORTS + 1).collect();
        assert!(is_let_through(&ports, &segment(false), 0) && is_let_through(&ports, &segment(true), 0));
        assert!(!is_let_through(&[], &segment(false), 0), "no port is no port");
    }

    #[test]
    fn instructions_are_encoded_as_the_kernel_reads_them() {
        // As `tcpdump -dd` prints them.
        let expected = [
            (Instruction::Byte(9), (0x30, 0, 0, 9)),
            (Instruction::Half(6), (0x28, 0, 0, 6)),
            (Instruction::ByteAtX(13), (0x50, 0, 0, 13)),
            (Instruction::HalfAtX(0), (0x48, 0, 0, 0)),
            (Instruction::HeaderLengthToX(0), (0xb1, 0, 0, 0)),
            (Instruction::SetX(40), (0x01, 0, 0, 40)),
            (Instruction::And(0xf0), (0x54, 0, 0, 0xf0)),
            (Instruction::ShiftRight(2), (0x74, 0, 0, 2)),
            (Instruction::AddX, (0x0c, 0, 0, 0)),
            (Instruction::SubtractX, (0x1c, 0, 0, 0)),
            (Instruction::CopyToX, (0x07, 0, 0, 0)),
            (Instruction::IfEqual(6, 1, 2), (0x15, 1, 2, 6)),
            (Instruction::IfAnyBit(7, 3, 0), (0x45, 3, 0, 7)),
            (Instruction::Return(64), (0x06, 0, 0, 64)),
        ];
        for (instruction, code) in expected {
            assert_eq!(instruction.encode(), code, "{instruction:?}");
        }
    }
}
