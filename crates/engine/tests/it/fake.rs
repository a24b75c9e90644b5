//! A source of numbered sessions, a sink that keeps everything, and a run around both.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use loadgen_core::{
    InputTokens, Message, Phase, Prompt, RawRecord, RecordSink, Reply, RequestSource, Role, Rope, Seed,
    Session, Started, SystemClock, Turn, TurnTiming,
};
use loadgen_engine::{
    Attendant, Company, EngineConfig, EngineError, EngineReport, Load, PhasePlan, PhaseReport, Policy,
    RunStats, StopSignal, run_attended,
};
use loadgen_schedule::{ArrivalProcess, FixedOffsets, Rate, Schedule, StopCondition};
use loadgen_wire::{ConnectorConfig, Endpoint, EndpointConfig, EndpointKind, Target};

/// Sessions of `turns` turns each, whose text names the seed, the session and the turn, and is
/// followed by `padding` more bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub(crate) seed: u64,
    pub(crate) turns: i32,
    pub(crate) timing: TurnTiming,
    pub(crate) sessions: u64,
    pub(crate) padding: usize,
}

impl Default for Source {
    fn default() -> Self {
        Self { seed: 1, turns: 1, timing: TurnTiming::Immediately, sessions: u64::MAX, padding: 0 }
    }
}

struct Conversation {
    source: Source,
    ordinal: u64,
    next: i32,
}

impl RequestSource for Source {
    fn session(&self, ordinal: u64) -> Option<Box<dyn Session>> {
        (ordinal < self.sessions)
            .then(|| Box::new(Conversation { source: *self, ordinal, next: 0 }) as Box<dyn Session>)
    }

    fn is_single_turn(&self) -> bool {
        self.turns == 1
    }
}

impl Session for Conversation {
    fn next_turn(&mut self, reply: Option<&Reply>) -> Option<Turn> {
        let turn_index = self.next;
        if turn_index == self.source.turns {
            return None;
        }
        self.next += 1;
        let heard = reply.map_or("nothing".into(), |reply| String::from_utf8_lossy(&reply.text));
        let mut text = format!("{}/{}/{turn_index} after {heard}", self.source.seed, self.ordinal);
        text.push_str(&"x".repeat(self.source.padding));
        Some(Turn {
            prompt: Prompt::Messages(vec![Message::new(Role::User, Rope::from(Bytes::from(text)))]),
            input_tokens: InputTokens::Exact(3),
            max_output_tokens: Some(2),
            model: "model".into(),
            session_id: format!("session-{}", self.ordinal).into(),
            turn_index,
            is_last: turn_index + 1 == self.source.turns,
            timing: self.source.timing,
            extra: None,
            holds_secrets: false,
            source_row: i64::try_from(self.ordinal).ok(),
            hash_ids: None,
            labels: Vec::new(),
        })
    }
}

/// Everything a run handed to its sinks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    pub(crate) started: Arc<Mutex<Vec<Started>>>,
    pub(crate) records: Arc<Mutex<Vec<RawRecord>>>,
}

struct KeepingSink {
    kept: Kept,
    /// Panics when it is handed its first record.
    is_broken: bool,
    /// Holds its worker up so long when the first request starts.
    stall: Option<Duration>,
}

impl RecordSink for KeepingSink {
    fn started(&mut self, started: &Started) {
        if let Some(stall) = self.stall.take() {
            std::thread::sleep(stall);
        }
        self.kept.started.lock().unwrap().push(started.clone());
    }

    fn finished(&mut self, record: RawRecord) {
        assert!(!self.is_broken, "this sink is broken");
        self.kept.records.lock().unwrap().push(record);
    }
}

/// A run to be made.
pub(crate) struct Bench {
    pub(crate) workers: usize,
    pub(crate) urls: Vec<String>,
    pub(crate) source: Source,
    pub(crate) phases: Vec<PhasePlan>,
    pub(crate) timeout_ns: Option<i64>,
    pub(crate) drain_ns: i64,
    pub(crate) stop: StopSignal,
    pub(crate) policy: Policy,
    pub(crate) broken_sink: Option<usize>,
    pub(crate) stall_ms: Option<u64>,
    pub(crate) ids: u64,
    /// Interrupts once a phase is over.
    pub(crate) late_interrupt: bool,
}

/// What became of it.
pub(crate) struct Done {
    pub(crate) report: EngineReport,
    pub(crate) records: Vec<RawRecord>,
    pub(crate) started: Vec<Started>,
}

impl Bench {
    pub(crate) fn new(url: String, load: Load) -> Self {
        Self {
            workers: 2,
            urls: vec![url],
            source: Source::default(),
            phases: vec![profiling(load)],
            timeout_ns: Some(60_000_000_000),
            drain_ns: 0,
            stop: StopSignal::new(),
            policy: Policy::default(),
            broken_sink: None,
            stall_ms: None,
            ids: 1,
            late_interrupt: false,
        }
    }

    pub(crate) fn run(&self) -> Done {
        let (result, kept) = self.try_run();
        let report = result.unwrap();
        let mut records = kept.records.lock().unwrap().clone();
        records.sort_by_key(|record| (record.identity.phase_index, record.identity.session_num));
        let started = kept.started.lock().unwrap().clone();
        Done { report, records, started }
    }

    pub(crate) fn try_run(&self) -> (Result<EngineReport, EngineError>, Kept) {
        let kept = Kept::default();
        let config = EngineConfig {
            workers: NonZeroUsize::new(self.workers).unwrap(),
            targets: self.urls.iter().map(|url| Target::parse(url).unwrap()).collect(),
            endpoint: Arc::new(Endpoint::new(EndpointConfig::new(EndpointKind::Chat, true)).unwrap()),
            connector: ConnectorConfig::default(),
            request_timeout_ns: self.timeout_ns,
            capture: loadgen_core::CaptureScope::default(),
            drain_on_interrupt_ns: self.drain_ns,
            policy: self.policy,
            seed: Seed(self.source.seed),
            ids: Seed(self.ids),
        };
        let sinks = (0..self.workers)
            .map(|worker| {
                let is_broken = self.broken_sink == Some(worker);
                let stall = self.stall_ms.map(Duration::from_millis);
                Box::new(KeepingSink { kept: kept.clone(), is_broken, stall }) as Box<dyn RecordSink>
            })
            .collect();
        let stats = Arc::new(RunStats::new(self.phases.len(), self.workers));
        let source = Arc::new(self.source);
        let clock = SystemClock::start();
        let company = Company { stats, stop: &self.stop, attendant: self };
        (run_attended(config, &self.phases, source, sinks, clock, company), kept)
    }
}

impl Attendant for Bench {
    fn after(&self, _report: &PhaseReport) {
        if self.late_interrupt {
            self.stop.interrupt();
        }
    }
}

pub(crate) fn profiling(load: Load) -> PhasePlan {
    PhasePlan {
        phase: Phase::Profiling,
        index: 0,
        load,
        first_session: None,
        prefill: None,
        cancellation: None,
    }
}

pub(crate) fn poisson(per_second: f64, stop: StopCondition, seed: u64) -> Load {
    let process = ArrivalProcess::Poisson(Rate::new(per_second).unwrap().into());
    Load::Open { schedule: Schedule::new(process, stop, Seed(seed)), cap: None }
}

pub(crate) fn constant(per_second: f64, stop: StopCondition) -> Load {
    let process = ArrivalProcess::Constant(Rate::new(per_second).unwrap().into());
    Load::Open { schedule: Schedule::new(process, stop, Seed(0)), cap: None }
}

pub(crate) fn fixed(offsets_ms: &[i64]) -> Load {
    let offsets: Vec<i64> = offsets_ms.iter().map(|ms| ms * 1_000_000).collect();
    let process = ArrivalProcess::FixedSchedule(FixedOffsets::new(offsets).unwrap());
    Load::Open { schedule: Schedule::new(process, StopCondition::default(), Seed(0)), cap: None }
}

pub(crate) fn closed(concurrency: u32, stop: StopCondition) -> Load {
    Load::Closed { concurrency: NonZeroU32::new(concurrency).unwrap(), stop }
}

pub(crate) fn milliseconds(ms: i64) -> i64 {
    ms * 1_000_000
}
