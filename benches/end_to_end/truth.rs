//! The mock server's log: when each request had been read and each token was written.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::timing::Written;

/// What the server noted of a bench's requests.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// By the client's X-Request-ID.
    pub(crate) by_id: HashMap<String, Written>,
    /// When each request had been read, those without an id as well, in order.
    pub(crate) body_reads: Vec<i64>,
    /// Tokens written, to requests that were broken off as well.
    pub(crate) tokens: u64,
    /// Requests answered to their end.
    pub(crate) complete: u64,
}

#[derive(Debug, Deserialize)]
struct Line {
    kind: String,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    finished: Option<String>,
    #[serde(default)]
    body_read_ns: Option<i64>,
    #[serde(default)]
    write_begin_ns: Vec<i64>,
    #[serde(default)]
    write_end_ns: Vec<i64>,
}

impl Truth {
    /// Reads a log whose server has stopped.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(BufReader::new(file))
    }

    fn parse(lines: impl BufRead) -> Result<Self> {
        let mut truth = Self::default();
        for line in lines.lines() {
            let line: Line = serde_json::from_str(&line?).context("not a line of a truth log")?;
            if line.kind == "request" {
                truth.note(line);
            }
        }
        truth.body_reads.sort_unstable();
        Ok(truth)
    }

    fn note(&mut self, line: Line) {
        self.tokens += line.write_begin_ns.len() as u64;
        self.complete += u64::from(line.finished.as_deref() == Some("complete"));
        let Some(body_read) = line.body_read_ns else { return };
        self.body_reads.push(body_read);
        if let Some(id) = line.request_id {
            self.by_id.insert(id, Written { body_read, begin: line.write_begin_ns, end: line.write_end_ns });
        }
    }

    /// Requests a second, from the first to the last that was read.
    pub(crate) fn arrival_rate(&self) -> Option<f64> {
        let (first, last) = (self.body_reads.first()?, self.body_reads.last()?);
        let gaps = self.body_reads.len() - 1;
        (last > first).then(|| gaps as f64 * 1e9 / (last - first) as f64)
    }
}

#[cfg(test)]
#[allow(dead_code, unused_imports, reason = "a bench is built with cfg(test) and without its tests")]
mod tests {
    use super::*;

    #[test]
    fn requests_are_kept_by_id_and_all_tokens_counted() {
        let log = concat!(
            r#"{"kind":"server","format":1}"#,
            "\n",
            r#"{"kind":"request","request_id":"a","finished":"complete","body_read_ns":1000000000,"write_begin_ns":[1,2],"write_end_ns":[2,3]}"#,
            "\n",
            r#"{"kind":"request","request_id":null,"finished":"client_closed","body_read_ns":1500000000,"write_begin_ns":[7],"write_end_ns":[8]}"#,
            "\n",
            r#"{"kind":"request","request_id":"c","finished":"client_closed","body_read_ns":null,"write_begin_ns":[],"write_end_ns":[]}"#,
            "\n",
            r#"{"kind":"summary"}"#,
            "\n"
        );
        let truth = Truth::parse(log.as_bytes()).expect("a log");
        assert_eq!((truth.tokens, truth.complete, truth.by_id.len()), (3, 1, 1));
        assert_eq!(truth.by_id["a"].end, [2, 3]);
        assert_eq!(truth.arrival_rate(), Some(2.0));
        assert!(Truth::parse("garbage\n".as_bytes()).is_err());
    }
}
