//! The mock server, in a process of its own, and its truth log.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::lab::{Bench, Folder};
use crate::truth::Truth;

/// A mock server. Dropping it stops it.
pub(crate) struct Mock {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
    truth_log: Option<PathBuf>,
    /// Whether it speaks TLS, with a certificate that it signed itself.
    pub(crate) tls: bool,
}

/// How a mock server is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Its profile.
    pub(crate) profile: &'a str,
    /// Whether it notes what happens.
    pub(crate) log: bool,
    /// Whether it speaks TLS.
    pub(crate) tls: bool,
}

impl Mock {
    /// One that notes what happens.
    pub(crate) fn logging(bench: &Bench, folder: &Folder, profile: &str) -> Result<Self> {
        Self::start(bench, folder, Wanted { profile, log: true, tls: false })
    }

    /// One that does not.
    pub(crate) fn silent(bench: &Bench, folder: &Folder, profile: &str) -> Result<Self> {
        Self::start(bench, folder, Wanted { profile, log: false, tls: false })
    }

    /// Starts one.
    pub(crate) fn start(bench: &Bench, folder: &Folder, wanted: Wanted<'_>) -> Result<Self> {
        let mut command = Command::new(&bench.loadgen);
        command.args(["mock-server", "--port", "0", "--until-stdin-closes", "--profile", wanted.profile]);
        let truth_log = wanted.log.then(|| folder.file("truth.jsonl"));
        if let Some(path) = &truth_log {
            command.arg("--truth-log").arg(path);
        }
        if wanted.tls {
            command.arg("--tls");
        }
        let mut child = command
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the mock server")?;
        let stdout = child.stdout.as_mut().context("the mock server has no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            let _ = child.wait();
            bail!("the mock server did not start: its message is above");
        };
        Ok(Self { url: url.to_owned(), child, truth_log, tls: wanted.tls })
    }

    /// Stops it, and gives what it noted.
    pub(crate) fn truth(mut self) -> Result<Truth> {
        self.stop();
        let path = self.truth_log.as_ref().context("this mock server keeps no log")?;
        Truth::read(path)
    }

    fn stop(&mut self) {
        drop(self.child.stdin.take());
        if let Some(mut rest) = self.child.stdout.take() {
            let _ = rest.read_to_end(&mut Vec::new());
        }
        let _ = self.child.wait();
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.stop();
    }
}
