//! Writes the journal of a long run, as if it had happened, so that finishing one can be measured:
//!
//! ```text
//! cargo run --release -p loadgen-record --example long_journal -- RUN OUT REQUESTS CHUNKS
//! /usr/bin/time -v loadgen report OUT
//! ```
//!
//! `RUN` is the folder of any finished run, whose plan is taken over; `OUT` gets a journal of so many
//! streamed requests of so many chunks, one token or so a chunk, some thousand in flight at a time.
//! It prints what writing them cost.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use loadgen_core::{
    ChunkKind, ConnectionFacts, Identity, InputTokens, Instants, Nanos, Outcome, Phase, RawChunks, RawRecord,
    RecordSink, StampCounts, Started,
};
use loadgen_record::{Journal, JournalLimits, JournalReader};
use uuid::Uuid;

/// Requests start this far apart, ns.
const APART_NS: i64 = 1_000_000;
/// From the start to the first chunk, and from a chunk to the next, ns; both vary by a quarter.
const FIRST_NS: i64 = 50_000_000;
const GAP_NS: i64 = 20_000_000;

const WORDS: &str = " the of and to in a is that for it was on with as be by at this from are not have \
                     which or an they you were her all she there would their we him been has when who \
                     throughput latency schedule percentile tokenizer kernel timestamp unmistakably \
                     aggregation journalling benchmark concurrency 2048 (see below). However, it's; \
                     quasi-periodic Beobachtung naïve façade";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [run, out, requests, chunks] = &arguments[..] else {
        return Err("usage: long_journal RUN OUT REQUESTS CHUNKS".into());
    };
    let (requests, chunks): (u64, usize) = (requests.parse()?, chunks.parse()?);
    let reader = JournalReader::open(&Path::new(run).join("journal"))?;
    let header = reader.header().ok_or("the run's journal has no header")?;
    let words: Vec<&str> = WORDS.split_inclusive(' ').collect();
    // Nothing is to be dropped, however fast records come.
    let limits = JournalLimits { buffer_bytes: usize::MAX, ..JournalLimits::default() };
    let (journal, mut sinks) = Journal::with_limits(&Path::new(out).join("journal"), header, 1, limits)?;
    let begun = Instant::now();
    let mut dice = 0x9E37_79B9_7F4A_7C15;
    for number in 0..requests {
        let (started, record) = request(number, header.clock_anchor, chunks, &words, &mut dice);
        sinks[0].started(&started);
        sinks[0].finished(record);
    }
    let stats = journal.close()?;
    println!(
        "{stats:?} in {:?}, {} bytes an event",
        begun.elapsed(),
        stats.bytes / (requests * chunks as u64)
    );
    Ok(())
}

fn request(
    number: u64,
    anchor: Nanos,
    chunks: usize,
    words: &[&str],
    dice: &mut u64,
) -> (Started, RawRecord) {
    let mut varied = |mean: i64| {
        *dice ^= *dice << 13;
        *dice ^= *dice >> 7;
        *dice ^= *dice << 17;
        mean * 3 / 4 + (*dice % (mean as u64 / 2)) as i64
    };
    let scheduled = anchor + number as i64 * APART_NS;
    let start = scheduled + varied(40_000);
    let mut offset = varied(FIRST_NS);
    let mut lists = RawChunks::default();
    for chunk in 0..chunks {
        if chunk > 0 {
            offset += varied(GAP_NS);
        }
        let word = words[varied(10_000) as usize % words.len()];
        lists.offset_ns.push(offset);
        lists.uncertainty_ns.push(0);
        lists.read_lag_ns.push(varied(20_000));
        lists.kind.push(ChunkKind::Text);
        lists.bytes.push(170 + word.len() as i32);
        lists.output.extend_from_slice(word.as_bytes());
        lists.output_end.push(lists.output.len() as u32);
        lists.reasoning_end.push(0);
    }
    let (first, last) = (lists.offset_ns.first().copied(), lists.offset_ns.last().copied());
    let identity = Identity {
        request_id: Uuid::from_u128(u128::from(number) << 64 | 0x8000_0000_0000_0000),
        correlation_id: Uuid::from_u128(u128::from(number)).to_string().into(),
        session_id: format!("session_{number:06}").into(),
        model: "demo".into(),
        url_index: 0,
        worker_id: 0,
        source_row: Some(number as i64),
        session_num: number as i64,
        turn_index: 0,
        phase: Phase::Profiling,
        phase_index: 0,
        hash_ids: None,
        labels: Vec::new(),
    };
    let record = RawRecord {
        identity: identity.clone(),
        instants: Instants {
            scheduled: Some(scheduled),
            released: Some(scheduled + 20_000),
            request_start: Some(start),
            send_start: Some(start + 30_000),
            send_end: Some(start + 40_000),
            first_byte: first.map(|first| start + first),
            headers: first.map(|first| start + first),
            first_token: first.map(|first| start + first),
            first_output_token: first.map(|first| start + first),
            last_token: last.map(|last| start + last),
            end: last.map(|last| start + last + 10_000),
        },
        connection: ConnectionFacts {
            connection_id: Some(number as i64 % 1000),
            reused: number >= 1000,
            request_bytes: 900,
            response_bytes: chunks as i64 * 180,
            reads: chunks as i32,
            ..ConnectionFacts::default()
        },
        status: Some(200),
        outcome: Outcome::Ok,
        error: None,
        finish_reason: Some("stop".to_owned()),
        requested_output_tokens: Some(chunks as u32),
        input_tokens: InputTokens::Exact(512),
        usage: None,
        stamps: StampCounts { kernel: chunks as u32, ..StampCounts::default() },
        chunks: lists,
        degraded: false,
        cancelled_at: None,
        images: 0,
        audio_ns: None,
        trail: None,
        exchange: None,
    };
    (Started { identity, scheduled, request_start: start }, record)
}
