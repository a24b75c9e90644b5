//! CPU of one worker per request and per token event, and memory per open stream: the engine and the wire
//! alone, with a sink that drops records.
//!
//! ```text
//! loadgen mock-server --port 8000 --profile 'fixed?ttft=0ms&itl=0ms' &
//! cargo bench -p loadgen-engine --bench worker -- http://127.0.0.1:8000 64 50000 1
//! ```
//!
//! Arguments: URL, requests in flight, requests in all, tokens of each answer. CPU is the worker thread's
//! own (user and system), so that a busy machine does not change it much; the rate is what it was.

#![allow(clippy::unwrap_used, missing_docs)]

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use loadgen_core::{
    InputTokens, Message, Phase, Prompt, RawRecord, RecordSink, Reply, RequestSource, Role, Rope, Seed,
    Session, Started, SystemClock, Turn, TurnTiming,
};
use loadgen_engine::{EngineConfig, Load, PhasePlan, Policy, RunStats, StopSignal, run};
use loadgen_schedule::StopCondition;
use loadgen_wire::{ConnectorConfig, Endpoint, EndpointConfig, EndpointKind, Target};

/// Sessions of one short request.
struct Source {
    prompt: Prompt,
    model: Arc<str>,
    tokens: u32,
}

struct OneTurn(Option<Turn>);

impl RequestSource for Source {
    fn session(&self, ordinal: u64) -> Option<Box<dyn Session>> {
        Some(Box::new(OneTurn(Some(Turn {
            prompt: self.prompt.clone(),
            input_tokens: InputTokens::Exact(8),
            max_output_tokens: Some(self.tokens),
            model: Arc::clone(&self.model),
            session_id: format!("session_{ordinal:06}").into(),
            turn_index: 0,
            is_last: true,
            timing: TurnTiming::Immediately,
            extra: None,
            holds_secrets: false,
            source_row: None,
            hash_ids: None,
            labels: Vec::new(),
        }))))
    }

    fn is_single_turn(&self) -> bool {
        true
    }
}

impl Session for OneTurn {
    fn next_turn(&mut self, _reply: Option<&Reply>) -> Option<Turn> {
        self.0.take()
    }
}

/// Drops records, and keeps of each chunk how late it was read.
struct Dropping(Arc<Mutex<Lags>>);

#[derive(Default)]
struct Lags {
    read_lag_ns: Vec<i64>,
    /// Chunks whose arrival is known as an interval only.
    merged: usize,
}

impl RecordSink for Dropping {
    fn started(&mut self, _started: &Started) {}

    fn finished(&mut self, record: RawRecord) {
        let mut lags = self.0.lock().unwrap();
        lags.merged += record.chunks.uncertainty_ns.iter().filter(|width| **width > 0).count();
        lags.read_lag_ns.extend_from_slice(&record.chunks.read_lag_ns);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [url, in_flight, requests, tokens] = &arguments[..] else {
        eprintln!("worker: give URL IN_FLIGHT REQUESTS TOKENS, of a running `loadgen mock-server`");
        return;
    };
    let (in_flight, requests, tokens): (u32, u64, u32) =
        (in_flight.parse().unwrap(), requests.parse().unwrap(), tokens.parse().unwrap());
    let text = Rope::from(Bytes::from_static(b"the quick brown fox jumps over it"));
    let source = Source {
        prompt: Prompt::Messages(vec![Message::new(Role::User, text)]),
        model: "mock-model".into(),
        tokens,
    };
    let load = Load::Closed {
        concurrency: NonZeroU32::new(in_flight).unwrap(),
        stop: StopCondition::after_requests(requests),
    };
    let phase = PhasePlan {
        phase: Phase::Profiling,
        index: 0,
        load,
        first_session: None,
        prefill: None,
        cancellation: None,
    };
    let config = EngineConfig {
        workers: NonZeroUsize::MIN,
        targets: vec![Target::parse(url).unwrap()],
        endpoint: Arc::new(Endpoint::new(EndpointConfig::new(EndpointKind::Chat, true)).unwrap()),
        connector: ConnectorConfig::default(),
        request_timeout_ns: Some(21_600_000_000_000),
        capture: loadgen_core::CaptureScope::default(),
        drain_on_interrupt_ns: 0,
        policy: Policy::default(),
        seed: Seed(1),
        ids: Seed(2),
    };
    for warning in loadgen_engine::limits::prepare(&config, std::slice::from_ref(&phase)).unwrap() {
        eprintln!("worker: {warning}");
    }
    let stats = Arc::new(RunStats::new(1, 1));
    let watched = Arc::clone(&stats);
    // What memory is when the streams are open, and how it grows with their chunks.
    std::thread::spawn(move || {
        let before = resident_kib();
        loop {
            std::thread::sleep(std::time::Duration::from_millis(500));
            let counts = watched.phase(0);
            let open = counts.in_flight();
            if open > 0 {
                let kib = resident_kib().saturating_sub(before);
                eprintln!(
                    "{open} open, {kib} KiB more than at first, {:.1} KiB a stream",
                    kib as f64 / open as f64
                );
            }
        }
    });
    let lags = Arc::new(Mutex::new(Lags::default()));
    let clock = SystemClock::start();
    let stop = StopSignal::new();
    let report = run(
        config,
        &[phase],
        Arc::new(source),
        vec![Box::new(Dropping(Arc::clone(&lags)))],
        clock,
        Arc::clone(&stats),
        &stop,
    )
    .unwrap();
    let (counts, worker) = (stats.phase(0), report.workers[0]);
    let busy_ns = worker.busy_ns.unwrap_or(0) as f64;
    println!(
        "{} requests ({} failed), {} chunks, {:.0}/s, {} connections; worker {:.2} µs a request, {:.3} µs a chunk, busy {:.0} %",
        counts.finished(),
        counts.failed,
        counts.chunks,
        counts.finished() as f64 / (worker.wall_ns as f64 / 1e9),
        counts.connections_opened,
        busy_ns / 1e3 / counts.finished() as f64,
        busy_ns / 1e3 / counts.chunks.max(1) as f64,
        busy_ns / worker.wall_ns as f64 * 100.0,
    );
    let mut lags = lags.lock().unwrap();
    lags.read_lag_ns.sort_unstable();
    let all = lags.read_lag_ns.len().max(1);
    let at =
        |share: f64| lags.read_lag_ns.get((all as f64 * share) as usize).map_or(0.0, |lag| *lag as f64 / 1e3);
    println!(
        "read lag p50 {:.0} µs, p99 {:.0} µs, max {:.0} µs; {:.2} % of chunks merged",
        at(0.5),
        at(0.99),
        lags.read_lag_ns.last().map_or(0.0, |lag| *lag as f64 / 1e3),
        lags.merged as f64 / all as f64 * 100.0
    );
}

/// Memory of this process that is in RAM, KiB; 0 where the system does not tell.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
