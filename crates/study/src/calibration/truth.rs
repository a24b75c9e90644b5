//! How far a client's instants are from a server's own log of them.
//!
//! Both run on one host and anchor their timelines to the same wall clock, so instants compare directly.
//! For each request that both have whole, in ns:
//!
//! * time to first token: the client's from the first byte written to the first token's arrival, less the
//!   server's from the body read to the begin of the first token's write;
//! * gap: the client's between two tokens' arrivals, less the server's between the begins of their writes;
//! * stamp: how far a token's arrival lies outside the write call that sent it. On loopback a segment
//!   arrives within that call.
//!
//! Errors are magnitudes: early is as wrong as late.

use std::collections::HashMap;

use loadgen_core::RequestRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Errors of a client's instants against a server's log.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimingError {
    /// Requests compared.
    pub requests: u64,
    /// Tokens compared.
    pub tokens: u64,
    /// Error of the time to first token.
    pub time_to_first_token: ErrorSpread,
    /// Error of the gaps between tokens.
    pub gap: ErrorSpread,
    /// Share of tokens whose stamp lies outside the write call that sent them, 0 to 1.
    pub outside_write_share: f64,
    /// By how much: 0 for a stamp within its call.
    pub outside_write: ErrorSpread,
}

/// Median and 99th percentile of magnitudes, ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorSpread {
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
}

/// A log and records that cannot be compared.
#[derive(Debug, Error)]
pub enum TruthError {
    /// A line of the log is not as expected.
    #[error("line {line} of the server's log cannot be read")]
    Line {
        /// Which, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// No request is whole on both sides.
    #[error("the server's log and the records have no complete request in common")]
    NothingInCommon,
}

/// A request as the server logged it.
#[derive(Debug, Deserialize)]
struct Truth {
    request_id: Option<String>,
    body_read_ns: Option<i64>,
    #[serde(default)]
    write_begin_ns: Vec<i64>,
    #[serde(default)]
    write_end_ns: Vec<i64>,
}

/// A request as the client saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The id that the server logged too.
    pub request_id: String,
    /// When its first byte was written, ns since the Unix epoch.
    pub sent_ns: i64,
    /// When each token arrived, likewise.
    pub arrivals_ns: Vec<i64>,
}

impl Seen {
    /// What a record tells; `None` when nothing was sent or no token came.
    pub fn of(record: &RequestRecord) -> Option<Self> {
        let start = record.instants.request_start?;
        let sent = record.instants.send_start?;
        let arrivals_ns: Vec<i64> = record.chunks.offset_ns.iter().map(|offset| start.0 + offset).collect();
        let request_id = record.identity.request_id.to_string();
        (!arrivals_ns.is_empty()).then_some(Self { request_id, sent_ns: sent.0, arrivals_ns })
    }
}

/// Compares what a client saw with the log of the mock server that it came from (JSON lines).
pub fn timing_error(seen: impl IntoIterator<Item = Seen>, log: &str) -> Result<TimingError, TruthError> {
    let truth = requests(log)?;
    let mut errors = Errors::default();
    for request in seen {
        if let Some(truth) = truth.get(&request.request_id) {
            errors.take(&request, truth);
        }
    }
    errors.finish().ok_or(TruthError::NothingInCommon)
}

fn requests(log: &str) -> Result<HashMap<String, Truth>, TruthError> {
    /// The lines differ by their kind; what is no request is passed over.
    #[derive(Deserialize)]
    struct Kind<'a> {
        kind: &'a str,
    }
    let mut requests = HashMap::new();
    for (number, line) in log.lines().enumerate() {
        let unreadable = |source| TruthError::Line { line: number + 1, source };
        let Kind { kind } = serde_json::from_str(line).map_err(unreadable)?;
        if kind != "request" {
            continue;
        }
        let mut truth: Truth = serde_json::from_str(line).map_err(unreadable)?;
        if let Some(id) = truth.request_id.take() {
            requests.insert(id, truth);
        }
    }
    Ok(requests)
}

/// Errors so far, ns.
#[derive(Debug, Default)]
struct Errors {
    requests: u64,
    first_token: Vec<i64>,
    gap: Vec<i64>,
    outside: Vec<i64>,
}

impl Errors {
    /// Takes a request that the server wrote as many tokens for as the client saw.
    fn take(&mut self, Seen { sent_ns, arrivals_ns, .. }: &Seen, truth: &Truth) {
        let Truth { body_read_ns: Some(body_read_ns), write_begin_ns, write_end_ns, .. } = truth else {
            return;
        };
        let (Some(arrival), Some(written)) = (arrivals_ns.first(), write_begin_ns.first()) else { return };
        if [write_begin_ns.len(), write_end_ns.len()] != [arrivals_ns.len(); 2] {
            return;
        }
        self.requests += 1;
        self.first_token.push(((arrival - sent_ns) - (written - body_read_ns)).abs());
        for (ours, theirs) in arrivals_ns.windows(2).zip(write_begin_ns.windows(2)) {
            self.gap.push(((ours[1] - ours[0]) - (theirs[1] - theirs[0])).abs());
        }
        for (at, (begin, end)) in arrivals_ns.iter().zip(write_begin_ns.iter().zip(write_end_ns)) {
            self.outside.push((begin - at).max(at - end).max(0));
        }
    }

    fn finish(mut self) -> Option<TimingError> {
        let outside = self.outside.iter().filter(|distance| **distance > 0).count();
        (self.requests > 0).then(|| TimingError {
            requests: self.requests,
            tokens: self.outside.len() as u64,
            outside_write_share: outside as f64 / self.outside.len() as f64,
            time_to_first_token: spread(&mut self.first_token),
            gap: spread(&mut self.gap),
            outside_write: spread(&mut self.outside),
        })
    }
}

/// Percentiles by nearest rank, which are samples; 0 without any.
fn spread(errors_ns: &mut [i64]) -> ErrorSpread {
    errors_ns.sort_unstable();
    let at = |share: f64| {
        let rank = (share * errors_ns.len() as f64).ceil() as usize;
        errors_ns.get(rank.saturating_sub(1)).map_or(0.0, |ns| *ns as f64 / 1e6)
    };
    ErrorSpread { p50_ms: at(0.50), p99_ms: at(0.99) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn seen(request_id: &str, sent_ns: i64, arrivals_ns: &[i64]) -> Seen {
        Seen { request_id: request_id.to_owned(), sent_ns, arrivals_ns: arrivals_ns.to_vec() }
    }

    /// A log of one request, `a`: read at 1 ms, its tokens written in these calls (ms).
    fn log(writes: &[(i64, i64)]) -> String {
        let ns = |ms: &i64| ms * 1_000_000;
        let begin: Vec<i64> = writes.iter().map(|(begin, _)| ns(begin)).collect();
        let end: Vec<i64> = writes.iter().map(|(_, end)| ns(end)).collect();
        format!(
            "{{\"kind\":\"server\",\"format\":1}}\n\
             {{\"kind\":\"request\",\"request_id\":\"a\",\"body_read_ns\":1000000,\
             \"write_begin_ns\":{begin:?},\"write_end_ns\":{end:?}}}\n"
        )
    }

    #[test]
    fn errors_are_what_the_log_says_they_are() {
        // Sent at 0.5 ms, read by the server at 1 ms. Tokens at 11.5, 22 and 31 ms.
        let request = seen("a", 500_000, &[11_500_000, 22_000_000, 31_000_000]);
        let error = timing_error([request], &log(&[(10, 11), (20, 21), (30, 32)])).unwrap();
        assert_eq!((error.requests, error.tokens), (1, 3));
        // Client 11 ms, server 9 ms.
        assert_eq!(error.time_to_first_token, ErrorSpread { p50_ms: 2.0, p99_ms: 2.0 });
        // 10.5 and 9 ms against 10 and 10 ms.
        assert_eq!(error.gap, ErrorSpread { p50_ms: 0.5, p99_ms: 1.0 });
        // 0.5 and 1 ms late, and one within its call.
        assert_eq!(error.outside_write, ErrorSpread { p50_ms: 0.5, p99_ms: 1.0 });
        assert!((error.outside_write_share - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn early_is_as_wrong_as_late() {
        let error = timing_error([seen("a", 0, &[9_000_000])], &log(&[(10, 11)])).unwrap();
        assert_eq!(error.outside_write.p99_ms, 1.0);
        assert_eq!(error.gap, ErrorSpread::default(), "one token has no gap");
    }

    #[test]
    fn what_is_not_whole_on_both_sides_is_passed_over() {
        let short = seen("a", 0, &[9_000_000]);
        let log = log(&[(10, 11), (20, 21)]);
        assert!(matches!(timing_error([short], &log), Err(TruthError::NothingInCommon)));
        assert!(matches!(timing_error([seen("b", 0, &[1, 2])], &log), Err(TruthError::NothingInCommon)));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let error = timing_error([], "{\"kind\":\"server\"}\n{").unwrap_err();
        assert_eq!(error.to_string(), "line 2 of the server's log cannot be read");
    }
}
