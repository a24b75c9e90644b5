//! wrk as the measure of cheapness: C, epoll, no stamps, no records.
//!
//! It posts the same body to the same server over the same number of connections. What it reports about
//! itself is not used: its CPU time comes from the kernel, the tokens it received from the server's log.

use std::fs;

use anyhow::{Result, ensure};

use crate::lab::{Bench, Folder};
use crate::mock::Mock;
use crate::process::{Job, Running, Usage};

/// A closed load of wrk's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrk<'a> {
    /// The JSON body of every request.
    pub(crate) body: &'a str,
    /// Connections, each with one request in flight.
    pub(crate) connections: usize,
    /// How long it goes on, s.
    pub(crate) seconds: u64,
}

impl Wrk<'_> {
    /// Runs it on `mock`; `None` where wrk is not installed.
    pub(crate) fn run(&self, bench: &Bench, folder: &Folder, mock: &Mock) -> Result<Option<Usage>> {
        let Some(program) = &bench.wrk else { return Ok(None) };
        let script = folder.file("post.lua");
        fs::write(&script, script_for(self.body)?)?;
        let threads = crate::host::cores().min(self.connections);
        let arguments = [
            "--threads".to_owned(),
            threads.to_string(),
            "--connections".to_owned(),
            self.connections.to_string(),
            "--duration".to_owned(),
            format!("{}s", self.seconds),
            "--timeout".to_owned(),
            "60s".to_owned(),
            "--script".to_owned(),
            script.to_string_lossy().into_owned(),
            format!("{}/v1/chat/completions", mock.url),
        ];
        let job = Job {
            program: program.clone(),
            arguments: arguments.to_vec(),
            folder: folder.path().to_owned(),
            output: folder.file("wrk.out"),
            open_files: None,
            cores: Vec::new(),
            limit_seconds: self.seconds + 60,
        };
        Ok(Some(Running::start(&job)?.succeed()?))
    }
}

/// A script that posts `body`. A Lua long string takes it as it is, unless it holds the closing bracket.
fn script_for(body: &str) -> Result<String> {
    ensure!(!body.contains("]==]"), "the body cannot be said in a wrk script");
    Ok(format!(
        "wrk.method = \"POST\"\nwrk.headers[\"Content-Type\"] = \"application/json\"\nwrk.body = [==[{body}]==]\n"
    ))
}

#[cfg(test)]
#[allow(dead_code, unused_imports, reason = "a bench is built with cfg(test) and without its tests")]
mod tests {
    use super::*;

    #[test]
    fn a_body_stands_in_the_script_as_it_is() {
        let script = script_for("{\"a\":\"]]\\n\"}").expect("a body that can be said");
        assert!(script.ends_with("wrk.body = [==[{\"a\":\"]]\\n\"}]==]\n"));
        assert!(script_for("]==]").is_err());
    }
}
