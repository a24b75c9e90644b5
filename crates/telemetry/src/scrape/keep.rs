//! What becomes of an answer.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use loadgen_wire::Fetched;

use super::conductor::Lines;
use crate::exposition::{Dialect, Dropped, parse, readings};
use crate::gpu::{GpuField, gpu_lines};
use crate::tape::{ScrapeTimes, Tape};

/// Why an answer was of no use.
#[derive(Debug)]
pub(super) enum Useless {
    /// It is no exposition.
    Unreadable(String),
    /// It could not be kept.
    Unkept(io::Error),
}

impl From<io::Error> for Useless {
    fn from(error: io::Error) -> Self {
        Self::Unkept(error)
    }
}

/// Takes the answers of one endpoint.
#[derive(Debug)]
pub(super) enum Keeper {
    Server(KeepServer),
    Gpus(KeepGpus),
}

impl Keeper {
    /// Takes an answer; `is_duplicate` says that it is the one before, byte for byte.
    pub(super) fn take(
        &mut self,
        answer: &Fetched,
        url: &str,
        times: ScrapeTimes,
        is_duplicate: bool,
    ) -> Result<(), Useless> {
        match self {
            Self::Server(server) => server.take(answer, times, is_duplicate),
            // As AIPerf: a GPU that says the same as before says nothing.
            Self::Gpus(_) if is_duplicate => Ok(()),
            Self::Gpus(gpus) => gpus.take(answer, url, times),
        }
    }

    /// Notes that the endpoint turned out to be elsewhere.
    pub(super) fn moved(&mut self, url: &str) -> io::Result<()> {
        match self {
            Self::Server(server) => server.tape.borrow_mut().moved(server.endpoint, url),
            Self::Gpus(_) => Ok(()),
        }
    }

    /// Whether its endpoint may keep its metrics at the fallback's place.
    pub(super) fn has_fallback(&self) -> bool {
        matches!(self, Self::Server(_))
    }

    /// What was left out of the answers, each thing once.
    pub(super) fn dropped(&self) -> Dropped {
        match self {
            Self::Server(server) => server.dropped.clone(),
            Self::Gpus(_) => Dropped::default(),
        }
    }
}

/// Keeps a server's metrics.
#[derive(Debug)]
pub(super) struct KeepServer {
    endpoint: usize,
    tape: Rc<RefCell<Tape>>,
    dropped: Dropped,
}

impl KeepServer {
    pub(super) fn new(endpoint: usize, tape: Rc<RefCell<Tape>>) -> Self {
        Self { endpoint, tape, dropped: Dropped::default() }
    }

    fn take(&mut self, answer: &Fetched, times: ScrapeTimes, is_duplicate: bool) -> Result<(), Useless> {
        if is_duplicate {
            return Ok(self.tape.borrow_mut().repeat(self.endpoint, times)?);
        }
        let content_type = answer.header("content-type").unwrap_or_default();
        if content_type.starts_with("application/json") {
            return Err(Useless::Unreadable("it is JSON".to_owned()));
        }
        let text = String::from_utf8_lossy(&answer.body);
        let families = parse(&text, Dialect::of(content_type))
            // What is no OpenMetrics may still be the plain format.
            .or_else(|_| parse(&text, Dialect::Plain))
            .map_err(|error| Useless::Unreadable(error.to_string()))?;
        let told = readings(families);
        remember(&mut self.dropped.summaries, told.dropped.summaries);
        remember(&mut self.dropped.not_finite, told.dropped.not_finite);
        // A server that has nothing to say yet is asked again.
        if told.series.is_empty() {
            return Ok(());
        }
        Ok(self.tape.borrow_mut().readings(self.endpoint, times, told.series)?)
    }
}

/// Adds names that are not there yet.
fn remember(known: &mut Vec<String>, names: Vec<String>) {
    for name in names {
        if !known.contains(&name) {
            known.push(name);
        }
    }
}

/// Keeps the GPUs of an exporter.
#[derive(Debug)]
pub(super) struct KeepGpus {
    fields: Rc<[GpuField]>,
    lines: Rc<RefCell<Lines>>,
}

impl KeepGpus {
    pub(super) fn new(fields: Rc<[GpuField]>, lines: Rc<RefCell<Lines>>) -> Self {
        Self { fields, lines }
    }

    fn take(&self, answer: &Fetched, url: &str, times: ScrapeTimes) -> Result<(), Useless> {
        let text = String::from_utf8_lossy(&answer.body);
        let families =
            parse(&text, Dialect::Plain).map_err(|error| Useless::Unreadable(error.to_string()))?;
        let mut lines = self.lines.borrow_mut();
        for line in gpu_lines(&families, &self.fields, times.at, url) {
            lines.push(&line)?;
        }
        Ok(lines.flush()?)
    }
}
