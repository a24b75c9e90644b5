//! What the system must allow before a run: open files and ports.
//!
//! A run that finds no file descriptor or port half-way has measured its own host. So what it surely needs
//! is settled before it begins: the limit is raised as far as the system lets it, and a run that cannot
//! have what it needs is refused with the command that mends it. What it may need at most only warns.
//! An open load without a cap has no bound; when it runs dry, its requests fail as
//! `starved`, and the run is client-limited.
//!
//! The arithmetic is pure; [`prepare`] reads the system and raises the limit.

mod files;
mod need;
mod ports;

use std::io;

use loadgen_core::ErrorDetail;
use nix::errno::Errno;
use thiserror::Error;

pub use files::{OpenFiles, ensure_open_files, required_files};
pub use need::Need;
pub use ports::{PortBudget, check_ports};

use crate::config::EngineConfig;
use crate::plan::PhasePlan;

/// Why a run would not get what it needs from this host.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LimitError {
    /// The hard limit of open files is too low.
    #[error(
        "this run needs at least {needed} open files ({connections} of them connections that are open at \
         once), but the hard limit is {hard}: raise it (as root `ulimit -Hn {needed}`; systemd `LimitNOFILE={needed}`; docker \
         `--ulimit nofile={needed}:{needed}`), or lower --concurrency"
    )]
    OpenFiles {
        /// Connections open at once.
        connections: u64,
        /// Files that would do.
        needed: u64,
        /// The hard limit.
        hard: u64,
    },
    /// The system does not let the soft limit be raised.
    #[error(
        "this run needs at least {needed} open files, and the limit of {soft} could not be raised: {reason}; run \
         `ulimit -n {needed}` first"
    )]
    NotRaised {
        /// Files that would do.
        needed: u64,
        /// The soft limit as it is.
        soft: u64,
        /// Why not.
        reason: String,
    },
    /// There are not enough ports.
    #[error(
        "this run opens {connections} connections at once, and this host has ports for {available} ({ports} \
         for each pair of source address and target): give more addresses of this host with \
         --source-addresses, or widen net.ipv4.ip_local_port_range"
    )]
    Ports {
        /// Connections open at once.
        connections: u64,
        /// Connections that there are ports for.
        available: u64,
        /// Ports for one pair of source address and target.
        ports: u64,
    },
}

/// What the run may run into, although it need not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Warning {
    /// The hard limit of open files is lower than the most that the run may need.
    #[error(
        "at its fullest this run may need {needed} open files, and the hard limit is {hard}: requests \
         beyond it will fail for want of a file descriptor (raise it with `ulimit -Hn {needed}` as root)"
    )]
    OpenFiles {
        /// Files for all connections that there may be.
        needed: u64,
        /// The hard limit.
        hard: u64,
    },
    /// There are fewer ports than the connections that the run may have.
    #[error(
        "at its fullest this run may open {connections} connections at once, and this host has ports for \
         {available}: give more addresses of this host with --source-addresses"
    )]
    Ports {
        /// Connections that there may be.
        connections: u64,
        /// Connections that there are ports for.
        available: u64,
    },
    /// Connections are closed after each request, and their ports rest for a minute.
    #[error(
        "this run opens a new connection for each request{}, and a port that was used rests for up to 60 s: \
         above {per_second} requests a second this host runs out of its {available} ports; give more addresses \
         of this host with --source-addresses, or reuse connections",
        connections.map(|connections| format!(", up to {connections} of them within a minute")).unwrap_or_default()
    )]
    RestingPorts {
        /// Connections that are opened while a port rests, as far as the plan says.
        connections: Option<u64>,
        /// Connections that there are ports for.
        available: u64,
        /// Connections a second for which they are enough.
        per_second: u64,
    },
}

/// Makes the host ready for a run: raises the limit of open files to what it needs, and checks that there
/// are ports. To be called before anything is sent.
pub fn prepare(config: &EngineConfig, phases: &[PhasePlan]) -> Result<Vec<Warning>, LimitError> {
    let need = Need::of(phases, &config.policy, config.targets.len());
    let files = ensure_open_files(&need, config.workers.get())?;
    let ports = match PortBudget::read() {
        Some(budget) => check_ports(&need, &config.targets, &config.connector.source_addresses, &budget)?,
        // Not a Linux: its limits are its own.
        None => None,
    };
    Ok(files.into_iter().chain(ports).collect())
}

/// Whether a connection could not be opened for want of something on this host, not on the server: a file
/// descriptor, of the process or of the machine, or a port.
pub(crate) fn is_starved(error: &ErrorDetail) -> bool {
    let wants: [String; 3] = [Errno::EMFILE, Errno::ENFILE, Errno::EADDRNOTAVAIL].map(|errno| {
        let text = io::Error::from_raw_os_error(errno as i32).to_string();
        // The system's own words, without Rust's number behind them.
        text.split(" (os error").next().unwrap_or_default().to_owned()
    });
    let says = |text: &String| wants.iter().any(|want| text.contains(want));
    says(&error.message) || error.cause.iter().any(says) || error.cause_chain.iter().any(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_host_lacks_is_told_from_what_the_server_refuses() {
        let error = |errno: Errno| ErrorDetail {
            code: None,
            error_type: "ClientConnectorError".to_owned(),
            message: format!("cannot connect to h port 1: {}", io::Error::from_raw_os_error(errno as i32)),
            cause: None,
            cause_chain: Vec::new(),
        };
        for errno in [Errno::EMFILE, Errno::ENFILE, Errno::EADDRNOTAVAIL] {
            assert!(is_starved(&error(errno)), "{errno}");
        }
        assert!(!is_starved(&error(Errno::ECONNREFUSED)));
        assert!(!is_starved(&error(Errno::ETIMEDOUT)));
    }

    #[test]
    fn refusals_name_what_mends_them() {
        let files = LimitError::OpenFiles { connections: 9_000, needed: 9_100, hard: 4_096 }.to_string();
        assert!(files.contains("ulimit -Hn 9100") && files.contains("LimitNOFILE=9100"), "{files}");
        assert!(files.contains("--ulimit nofile=9100:9100"), "{files}");
        let ports = LimitError::Ports { connections: 60_000, available: 28_232, ports: 28_232 }.to_string();
        assert!(ports.contains("--source-addresses"), "{ports}");
    }
}
