//! Options of `calibrate`.

use std::path::PathBuf;

use clap::Args;

/// How to calibrate.
#[derive(Debug, Args)]
pub(crate) struct CalibrateArgs {
    /// Shorter trials and a coarser answer, in some 20 seconds
    #[arg(long)]
    pub(crate) quick: bool,

    /// Where to keep the result [default: calibration.json in the user's cache folder, where runs look]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Where to stamp arrivals: socket, packet or user, as in `profile`
    #[arg(long, value_name = "SOURCE", default_value = "socket")]
    pub(crate) timestamps: String,
}
