//! The mock server behind `--url mock://`: a process of its own on a free loopback port.
//!
//! A process, not a thread: the client's CPU and the server's must not be confused. It stops when
//! its standard input closes, so it cannot outlive this process, however that ends.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail};

/// The scheme that asks for the built-in mock server.
pub(crate) const SCHEME: &str = "mock://";

/// A running mock server. Dropping it stops it.
pub(crate) struct MockChild {
    child: Child,
    // Held open: closing it is the signal to stop.
    stdin: Option<ChildStdin>,
    url: String,
}

impl MockChild {
    /// Starts one with this profile (`PROFILE[?key=value&…]`; empty for the default). What it did is in
    /// `truth_log`, if wanted, once it has stopped.
    pub(crate) fn start(profile: &str, seed: u64, truth_log: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(this_program()?);
        command.arg0("loadgen");
        command.args(["mock-server", "--port", "0", "--until-stdin-closes", "--seed", &seed.to_string()]);
        if !profile.is_empty() {
            command.args(["--profile", profile]);
        }
        if let Some(truth_log) = truth_log {
            command.arg("--truth-log").arg(truth_log);
        }
        let mut child = command
            // A Ctrl-C at the terminal is for this process alone: the server must answer until the end.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the mock server")?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("the mock server has no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("cannot hear from the mock server")?;
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            // Its own message is on standard error already.
            let _ = child.wait();
            bail!("--url mock://{profile}: the mock server did not start");
        };
        Ok(Self { url: url.to_owned(), child, stdin })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// This very program, on Linux also when its file has been replaced since it started: client and server
/// are of one version.
fn this_program() -> Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().context("cannot find this program to start the mock server")
}

impl Drop for MockChild {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It ends by itself once its input closes; nothing is left to do with its exit code.
        let _ = self.child.wait();
    }
}
