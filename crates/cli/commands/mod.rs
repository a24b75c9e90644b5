//! One file per subcommand.

pub(crate) mod calibrate;
pub(crate) mod config;
pub(crate) mod docs;
pub(crate) mod mock_server;
pub(crate) mod profile;
pub(crate) mod report;
pub(crate) mod schemas;
pub(crate) mod study;
pub(crate) mod synthesize;

use std::io::{ErrorKind, Write};

use anyhow::{Error, Result};

/// Prints a result. A closed pipe is no failure of what made it.
pub(crate) fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::new(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}
