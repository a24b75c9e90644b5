//! Packet truth: arrivals that stay exact however late the reader is.
//!
//! A socket's receive stamp is that of the last segment of a read, so chunks that pile up while the
//! reader is late share one stamp. A packet socket sees every segment by itself: its sequence number
//! says which bytes of the stream it brings, and the kernel's stamp when it reached the host. A
//! connection notes where in its stream each part of a response ended ([`StreamTrail`]); a
//! [`PacketTap`] finds the segments that brought those positions and puts their stamps into the
//! record, on a thread of its own, after the response is over.
//!
//! The parts need no socket and are tested without one: `header` reads packets, `flow` orders one
//! connection's bytes, `table` tells connections apart, `resolve` rewrites a record, `filter` is what
//! the kernel runs, `tls_records` finds where records end.
//!
//! What it does not do: slow down a worker. A full ring, a missed opening, a tap that is behind: the
//! record keeps what its own socket said, and the statistics say so. It needs Linux and the right to
//! open a packet socket (CAP_NET_RAW).
//!
//! [`StreamTrail`]: loadgen_core::StreamTrail

// Elsewhere the parts are compiled, so that they stay sound, and not used.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

mod filter;
mod flow;
mod header;
mod resolve;
mod sink;
mod table;
#[cfg(test)]
mod testing;
pub(crate) mod tls_records;

#[cfg(target_os = "linux")]
mod capture;
#[cfg(target_os = "linux")]
mod drops;
#[cfg(target_os = "linux")]
mod watch;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use loadgen_core::{RecordSink, SystemClock};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use sink::{Shared, TapSink, Waiting};

/// The kernel begins to stamp some time after the first socket asks for it. A packet without a stamp of
/// its own would get that of its reading.
#[cfg(target_os = "linux")]
const STAMPS_COME_ON: std::time::Duration = std::time::Duration::from_millis(3);
/// Bytes of records that may wait for their packets.
const MOST_WAITING_BYTES: usize = 32 << 20;
/// The tap gives way to the workers (nice 0) but not to the journal's thread and other work behind them.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 2;

/// What is watched.
#[derive(Debug, Clone)]
pub struct TapConfig {
    /// The ports that servers, or proxies, send from. Packets from other ports are not looked at.
    pub ports: Vec<u16>,
    /// The timeline that records are on.
    pub clock: SystemClock,
}

/// Packets that cannot be watched.
#[derive(Debug, Error)]
pub enum PacketError {
    /// The process may not open a packet socket.
    #[error(
        "--timestamps packet needs the right to open a packet socket (CAP_NET_RAW). Give it to the binary \
         once with `sudo setcap cap_net_raw+ep {binary}`, run as root, or use --timestamps socket"
    )]
    Permission {
        /// The path of this binary.
        binary: String,
    },
    /// This system has no packet sockets.
    #[error("--timestamps packet needs Linux; use --timestamps socket")]
    Unsupported,
    /// The packet socket cannot be set up.
    #[error("--timestamps packet: the packet socket cannot be set up: {0}; use --timestamps socket")]
    Socket(#[source] io::Error),
}

/// What a tap has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PacketStats {
    /// Packets from the watched ports that brought bytes, opened a connection or ended one.
    pub packets: u64,
    /// Packets that the kernel dropped because its buffer was full: by its own count where it tells
    /// (`CONFIG_PACKET_DIAG`), and no fewer than the content chunks whose packets were missed.
    pub dropped_by_kernel: u64,
    /// Content chunks whose arrival a packet told.
    pub stamped_by_packet: u64,
    /// Content chunks whose arrival is what their own socket, or the reader, said.
    pub stamped_by_socket: u64,
    /// Connections that were seen, those of other processes to the same ports included.
    pub flows: u64,
    /// Connections of ours whose positions could not be told, as their opening was missed and no stamp
    /// matched.
    pub unanchored_flows: u64,
    /// Records that went on unresolved because too many waited.
    pub passed_by: u64,
    /// Records in which packets and the connection's own socket told things that cannot both be.
    pub contradicted: u64,
}

/// Watches packets for the length of a run.
///
/// Open it before the first connection, put a [sink](Self::sink) around each worker's, and
/// [close](Self::close) it when the workers are done.
#[derive(Debug)]
pub struct PacketTap {
    shared: Arc<Shared>,
    queue: Sender<Waiting>,
    /// `None` once it is closed.
    thread: Option<JoinHandle<PacketStats>>,
}

impl PacketTap {
    /// Begins to watch.
    #[cfg(target_os = "linux")]
    pub fn open(config: TapConfig) -> Result<Self, PacketError> {
        use filter::Family;
        use loadgen_core::Clock as _;

        let TapConfig { mut ports, clock } = config;
        let since = clock.now();
        ports.sort_unstable();
        ports.dedup();
        let open = |family| capture::Capture::open(family, &ports).map_err(refused);
        let captures = vec![open(Family::V4)?, open(Family::V6)?];
        std::thread::sleep(STAMPS_COME_ON);
        let (queue, waiting) = channel();
        let shared = Arc::new(Shared::new(MOST_WAITING_BYTES));
        let watch = watch::Watch {
            captures,
            ports: ports.into_iter().collect(),
            clock,
            shared: Arc::clone(&shared),
            queue: waiting,
            since,
        };
        let run = move || {
            // The priority of the calling thread alone. A refusal is no reason to stop.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            watch.run()
        };
        let thread =
            std::thread::Builder::new().name("packets".to_owned()).spawn(run).map_err(PacketError::Socket)?;
        Ok(Self { shared, queue, thread: Some(thread) })
    }

    /// Says that this system has nothing to watch with.
    #[cfg(not(target_os = "linux"))]
    pub fn open(_config: TapConfig) -> Result<Self, PacketError> {
        Err(PacketError::Unsupported)
    }

    /// Puts the tap in front of a worker's sink. `started` goes straight on; finished records follow
    /// with their arrivals from the packets, in the order they were handed over, within some tens of
    /// milliseconds. Only a record for which there is no room overtakes the others.
    pub fn sink(&self, inner: Box<dyn RecordSink>) -> Box<dyn RecordSink> {
        let thread = self.thread.as_ref().expect("an open tap has its thread").thread().clone();
        Box::new(TapSink::new(inner, self.queue.clone(), &self.shared, thread))
    }

    /// Ends the watch. Every record handed over before this is passed on before it returns; one handed
    /// over later goes straight on.
    pub fn close(mut self) -> PacketStats {
        match self.stop() {
            Some(Ok(stats)) => stats,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => PacketStats::default(),
        }
    }

    fn stop(&mut self) -> Option<std::thread::Result<PacketStats>> {
        let thread = self.thread.take()?;
        self.shared.close();
        thread.thread().unpark();
        Some(thread.join())
    }
}

/// A tap that is dropped passes its records on as well.
impl Drop for PacketTap {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

#[cfg(target_os = "linux")]
fn refused(error: io::Error) -> PacketError {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return PacketError::Socket(error);
    }
    let binary = std::env::current_exe()
        .map_or_else(|_| "/path/to/loadgen".to_owned(), |path| path.display().to_string());
    PacketError::Permission { binary }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_refusal_says_what_to_do() {
        let message = refused(io::ErrorKind::PermissionDenied.into()).to_string();
        assert!(message.contains("CAP_NET_RAW") && message.contains("--timestamps socket"), "{message}");
        let binary = std::env::current_exe().unwrap_or_default();
        assert!(message.contains(&format!("sudo setcap cap_net_raw+ep {}", binary.display())), "{message}");
    }

    #[test]
    fn statistics_of_an_older_run_can_be_read() {
        let stats: PacketStats = serde_json::from_str(r#"{"packets": 3}"#).unwrap_or_default();
        assert_eq!(stats.packets, 3);
    }
}
