//! The packet sockets: what reaches this host from the servers' ports, stamped by the kernel.
//!
//! Each socket is opened for one protocol (`ETH_P_IP`, `ETH_P_IPV6`), not for all: such a socket sees
//! what is received and not what is sent, so on the loopback a segment shows once. A packet socket is
//! served before the protocol is, so by the time a reader has bytes their packet waits here.
//!
//! `SO_RXQ_OVFL`, which would tell dropped packets beside the next one, is not asked for: with hardened
//! copying, Linux (6.18 and before) takes the count from memory that it does not let out of the kernel, and
//! stops the thread with an oops. They are asked for at the end instead (`drops`).
//!
//! What it does not do: keep anything.

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd as _;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, recvmmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::filter::{Family, program};

/// Packets a system call.
const BATCH: usize = 64;
/// The most bytes of a packet that are looked at.
const SNAP_BYTES: usize = 72;
/// What the kernel may hold for us, in bytes as it counts them: a packet with a token weighs about
/// 1.5 KiB, so that is some twenty thousand of them.
const BUFFER_BYTES: usize = 32 << 20;
/// As in linux/if_ether.h.
const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;

/// A packet as the kernel tells of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    /// The beginning of it, from the IP header on.
    pub(super) head: &'a [u8],
    /// Its length.
    pub(super) bytes: usize,
    /// When it came: wall clock, ns.
    pub(super) wall_ns: Option<i64>,
}

/// One packet socket, and the packets that were read last.
#[derive(Debug)]
pub(super) struct Capture {
    socket: Socket,
    /// Bytes of a packet that are taken: the headers of IP and TCP with the options that every segment
    /// has. Payload lies elsewhere in memory, and touching it would cost more than all else.
    snap: usize,
    room: Box<[[u8; SNAP_BYTES]; BATCH]>,
    beside: Box<[Beside; BATCH]>,
    count: usize,
}

/// Message headers that were made and not used. Used ones are not used again: the kernel writes back how
/// much of each it needed, and nothing sets that right for the next call.
#[derive(Default)]
pub(super) struct Spare(Option<MultiHeaders<()>>);

/// What the kernel says beside a packet.
#[derive(Debug, Clone, Copy, Default)]
struct Beside {
    bytes: usize,
    wall_ns: Option<i64>,
}

impl Capture {
    /// Opens a socket that sees TCP from these ports.
    pub(super) fn open(family: Family, ports: &[u16]) -> io::Result<Self> {
        let (protocol, snap) = match family {
            Family::V4 => (ETH_P_IP, SNAP_BYTES - 20),
            Family::V6 => (ETH_P_IPV6, SNAP_BYTES),
        };
        let protocol = Protocol::from(i32::from(protocol.to_be()));
        // It is open to all packets until the filter is in place. The tap knows whose are wanted.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol))?;
        let program: Vec<_> = program(family, ports)
            .into_iter()
            .map(|instruction| {
                let (code, then, other, value) = instruction.encode();
                SockFilter::new(code, then, other, value)
            })
            .collect();
        socket.attach_filter(&program)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        // Beyond the system's limit where we may (CAP_NET_ADMIN), up to it elsewhere.
        if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER_BYTES).is_err() {
            let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
        }
        Ok(Self {
            socket,
            snap,
            room: Box::new([[0; SNAP_BYTES]; BATCH]),
            beside: Box::new([Beside::default(); BATCH]),
            count: 0,
        })
    }

    /// Packets that the kernel had no room for; `None` where it does not say.
    pub(super) fn dropped(&self) -> Option<u64> {
        let inode = nix::sys::stat::fstat(&self.socket).ok()?.st_ino;
        super::drops::of_socket(u32::try_from(inode).ok()?)
    }

    /// What the kernel may hold, in bytes as it counts them.
    pub(super) fn buffer_bytes(&self) -> usize {
        self.socket.recv_buffer_size().unwrap_or(0)
    }

    /// Reads the packets that wait, a batch at most. False: none is left.
    pub(super) fn read(&mut self, spare: &mut Spare) -> io::Result<bool> {
        self.count = 0;
        match self.receive(spare) {
            Ok(()) => Ok(self.count == BATCH),
            Err(Errno::EAGAIN) => Ok(false),
            Err(Errno::EINTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// The packets that were read.
    pub(super) fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        self.room.iter().zip(self.beside.iter()).take(self.count).map(|(room, beside)| Packet {
            head: &room[..beside.bytes.min(self.snap)],
            bytes: beside.bytes,
            wall_ns: beside.wall_ns,
        })
    }

    fn receive(&mut self, spare: &mut Spare) -> nix::Result<()> {
        let snap = self.snap;
        let mut parts = self.room.each_mut().map(|room| [IoSliceMut::new(&mut room[..snap])]);
        let mut headers =
            spare.0.take().unwrap_or_else(|| MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec))));
        // MSG_TRUNC: the length told is the packet's, however much of it was taken.
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        let messages = match recvmmsg(self.socket.as_raw_fd(), &mut headers, parts.iter_mut(), flags, None) {
            Ok(messages) => messages,
            Err(error) => {
                *spare = Spare(Some(headers));
                return Err(error);
            }
        };
        for (message, beside) in messages.zip(self.beside.iter_mut()) {
            *beside = Beside { bytes: message.bytes, wall_ns: None };
            for control in message.cmsgs()? {
                if let ControlMessageOwned::ScmTimestampns(at) = control {
                    beside.wall_ns = Some(at.tv_sec() * 1_000_000_000 + at.tv_nsec());
                }
            }
            self.count += 1;
        }
        Ok(())
    }
}
