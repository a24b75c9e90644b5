//! `loadgen calibrate`: what this host can offer, and how far its figures are off.
//!
//! What is tried, and what passes, is `loadgen-study`'s; here are the runs, the mock server they go to,
//! and the words.

mod bench;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use loadgen_engine::StopSignal;
use loadgen_run::{Host, Progress};
use loadgen_study::calibration::{Axis, Bounds, Circumstances, HostIdentity, calibrate};

use crate::args::CalibrateArgs;
use crate::args::values::word;
use crate::ceiling;
use crate::exit::ExitStatus;
use crate::plan::Faults;
use crate::ui::{Talk, Ui, say};
use bench::Bench;

/// Runs it.
pub(crate) fn run(args: &CalibrateArgs) -> Result<ExitStatus> {
    let path = destination(args)?;
    ceiling::check_writable(&path)?;
    let stop = StopSignal::new();
    let progress: Arc<dyn Progress> = Ui::None.progress(Talk::default());
    crate::interrupts::listen_for_interrupts(&stop, &progress)?;
    let host = Host::read();
    let circumstances = Circumstances {
        measured_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        loadgen_version: env!("CARGO_PKG_VERSION").to_owned(),
        host: HostIdentity::from(&host),
        timestamps: word(&args.timestamps),
        quick: args.quick,
    };
    let mut bench = Bench::new(args, stop)?;
    let calibration = calibrate(&mut bench, circumstances, |axis| bounds(axis, args.quick, &host))?;
    ceiling::write(&path, &calibration)?;
    super::print(&table::render(&calibration))?;
    if ceiling::default_path().as_ref() == Some(&path) {
        say!("kept in {}: runs on this host cite it", path.display());
    } else {
        say!("kept in {0}: runs cite it with --calibration {0}", path.display());
    }
    Ok(ExitStatus::Success)
}

/// Where the result goes: known before minutes are spent on it.
fn destination(args: &CalibrateArgs) -> Result<PathBuf> {
    let mut faults = Faults::default();
    if !matches!(word(&args.timestamps).as_str(), "packet" | "socket" | "user") {
        faults.add(
            "--timestamps",
            format!("{:?} is not known: expected packet, socket or user", args.timestamps),
        );
    }
    faults.into_result(())?;
    let path = args.output.clone().or_else(ceiling::default_path);
    path.context("--output: neither HOME nor XDG_CACHE_HOME says where to keep the result: give a file")
}

/// Files that are open beside the streams' connections.
const OTHER_FILES: u64 = 256;
/// Ports that one address has for connections to one server, less those that others may hold.
const PORTS: u64 = 24_000;

/// How far each search goes, so that the whole takes about a minute, or 20 seconds in the quick form.
fn bounds(axis: Axis, quick: bool, host: &Host) -> Bounds {
    let files = host.open_files_hard_limit.map_or(PORTS, |most| most.saturating_sub(OTHER_FILES));
    let (start, most) = match axis {
        Axis::Requests => (4_000, 1_000_000),
        Axis::TokenEvents => (20_000, 10_000_000),
        Axis::OpenStreams => (2_000, files.clamp(1, PORTS)),
    };
    let (resolution, repeats, seconds) = if quick { (1.5, 0, 6) } else { (1.15, 1, 24) };
    Bounds { start, most, resolution, repeats, budget: Duration::from_secs(seconds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_no_more_than_the_host_has_files_and_ports_for() {
        let most = |hard| {
            let host = Host { open_files_hard_limit: hard, ..Host::default() };
            bounds(Axis::OpenStreams, true, &host).most
        };
        assert_eq!((most(Some(1024)), most(Some(1 << 20)), most(None)), (768, PORTS, PORTS));
        assert_eq!(most(Some(10)), 1);
    }
}
