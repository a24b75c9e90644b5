//! `<stem>.json`: every measured request with the instants of its response, as perf_analyzer exports them.
//!
//! Written request by request. Requests and responses themselves are not in it: their lists are there and
//! empty, because keeping every text of a run is asked for separately.

use std::fmt::Write as _;
use std::io::{self, Write};

use loadgen_core::{Outcome, Phase, RequestRecord};
use serde_json::Value;

/// Writes the file request by request.
#[derive(Debug)]
pub struct ProfileExport<W: Write> {
    out: W,
    is_first: bool,
    entry: String,
}

impl<W: Write> ProfileExport<W> {
    /// Begins the file of a load of this kind (`concurrency`, `request_rate`, …) and this much of it.
    pub fn new(mut out: W, endpoint: &str, mode: &str, value: &Value) -> io::Result<Self> {
        let endpoint = Value::from(endpoint);
        let mode = Value::from(mode);
        write!(
            out,
            "{{\"service_kind\":\"openai\",\"endpoint\":{endpoint},\"experiments\":[{{\"experiment\":{{\"mode\":\
             {mode},\"value\":{value}}},\"requests\":["
        )?;
        Ok(Self { out, is_first: true, entry: String::new() })
    }

    /// Adds a request, if it was measured and answered.
    pub fn push(&mut self, record: &RequestRecord) -> io::Result<()> {
        let Some(start) = record.instants.request_start else { return Ok(()) };
        if record.identity.phase != Phase::Profiling || record.outcome != Outcome::Ok {
            return Ok(());
        }
        self.entry.clear();
        let comma = if std::mem::take(&mut self.is_first) { "" } else { "," };
        let _ = write!(
            self.entry,
            "{comma}{{\"timestamp\":{},\"request_inputs\":{{}},\"response_timestamps\":[",
            start.0
        );
        let mut between = "";
        for offset in &record.chunks.offset_ns {
            let _ = write!(self.entry, "{between}{}", start.0 + offset);
            between = ",";
        }
        // A response that came in one piece has one instant: its end.
        if let (true, Some(end)) = (between.is_empty(), record.instants.end) {
            let _ = write!(self.entry, "{}", end.0);
        }
        self.entry.push_str("],\"response_outputs\":[]}");
        self.out.write_all(self.entry.as_bytes())
    }

    /// Ends the file and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"],\"window_boundaries\":[]}],\"version\":\"\"}")?;
        Ok(self.out)
    }
}
