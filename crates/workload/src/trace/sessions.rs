//! What is kept of a trace: rows, filtered and grouped into sessions.
//!
//! Order of the filters: the time window (inclusive, in the trace's own time, before any speed-up),
//! `max_isl`, grouping, the speed-up, `max_osl`. Rows without a timestamp are in every window.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use loadgen_core::Seed;

use super::custom;
use super::fault::LineFault;
use super::line::Input;
use super::mooncake;
use super::read::FileFacts;
use super::times::Zero;
use crate::config::{LengthDistribution, TraceConfig, TraceFormat};
use crate::draw::{Purpose, PythonRandom, length};
use crate::error::WorkloadError;

/// A trace, ready to be replayed. Has at least one row.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) facts: FileFacts,
    /// All rows, session by session, in the order of the file within each.
    pub(crate) rows: Vec<Row>,
    /// In the order in which they first appear.
    pub(crate) sessions: Vec<TraceSession>,
    pub(crate) warnings: Vec<String>,
    /// Tokens behind one hash id.
    pub(crate) block_size: u32,
    pub(super) zero: Zero,
}

/// One session: a run of rows.
#[derive(Debug)]
pub(crate) struct TraceSession {
    pub(crate) name: SessionName,
    /// Where its rows begin.
    pub(crate) first: u32,
    /// How many rows it has; at least 1.
    pub(crate) turns: u32,
    /// Whether a turn is sent with what was said before it.
    pub(crate) remembers: bool,
    /// Its own system message, JSON-escaped.
    pub(crate) system: Option<Bytes>,
}

/// Which session a row belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum SessionKey {
    /// One of its own, without a name.
    Own,
    /// The one of this name.
    Given(Arc<str>),
    /// One without a name, together with the rows that say the same.
    Together(u64),
}

/// What a session is called.
#[derive(Debug, Clone)]
pub(crate) enum SessionName {
    /// As the file says.
    Given(Arc<str>),
    /// A row without a session's name: the n-th of them, from 0.
    Numbered(u32),
}

/// One request.
#[derive(Debug)]
pub(crate) struct Row {
    /// Position among the requests of the file, from 0.
    pub(crate) index: i64,
    /// Its line, from 1.
    pub(crate) line: u64,
    /// When, in ms after the speed-up.
    pub(crate) timestamp_ms: Option<f64>,
    /// How long after the previous answer, in ms.
    pub(crate) delay_ms: Option<f64>,
    pub(crate) input: Input,
    /// Tokens to ask for, as far as the row says; at least 1.
    pub(crate) output_length: Option<u32>,
    pub(crate) extra: Option<Arc<str>>,
}

impl Trace {
    /// Reads and checks a file. Lengths that it leaves open are drawn.
    pub(crate) fn load(config: &TraceConfig, seed: Seed) -> Result<Self, WorkloadError> {
        check_options(config)?;
        let mut trace = if config.format == TraceFormat::Mooncake {
            Self::mooncake(config)?
        } else {
            Self::custom(config, seed)?
        };
        for row in &mut trace.rows {
            let cap = config.delay_cap_ms.unwrap_or(f64::INFINITY);
            row.delay_ms = row.delay_ms.map(|delay| delay.min(cap));
        }
        trace.warn_of_long_pauses(config);
        if let Some(osl) = config.osl.filter(|osl| osl.mean >= 1.0) {
            let osl = LengthDistribution { mean: osl.mean.trunc(), stddev: osl.stddev.trunc() };
            let mut random = PythonRandom::derive(seed, Purpose::OutputLength.name());
            for row in trace.rows.iter_mut().filter(|row| row.output_length.is_none()) {
                // A body that is sent as it stands takes no limit, but AIPerf draws one for it all the same.
                let drawn = length(osl, &mut random);
                row.output_length = (!matches!(row.input, Input::Payload(_))).then_some(drawn);
            }
        }
        Ok(trace)
    }

    /// A pause that nobody may have meant keeps a session, and perhaps the run, waiting.
    fn warn_of_long_pauses(&mut self, config: &TraceConfig) {
        /// One minute.
        const LONG_MS: f64 = 60_000.0;
        let pauses = self.rows.iter().filter_map(|row| Some((row.delay_ms?, row.line)));
        let long: Vec<(f64, u64)> = pauses.filter(|(pause, _)| *pause > LONG_MS).collect();
        if let Some((pause, line)) = long.first() {
            self.warnings.push(format!(
                "{}: pauses of more than a minute between turns, {} of them (first in line {line}: {} s); \
                 --inter-turn-delay-cap-seconds cuts them",
                config.path.display(),
                long.len(),
                pause / 1e3
            ));
        }
    }

    fn custom(config: &TraceConfig, seed: Seed) -> Result<Self, WorkloadError> {
        let custom::Loaded { mut facts, mut rows, systems } = custom::load(config, seed)?;
        let in_window = |row: &Row| is_in_window(config, row.timestamp_ms);
        rows.retain(|(row, _)| in_window(row));
        if rows.is_empty() {
            return Err(WorkloadError::Empty { path: facts.path, left_out: facts.rows });
        }
        if config.format != TraceFormat::RandomPool {
            facts.rows_left_out = facts.rows.saturating_sub(rows.len() as u64);
        }
        let keys: Vec<SessionKey> = rows.iter().map(|(_, key)| key.clone()).collect();
        let (rows, mut sessions) = group(rows).map_err(|fault| fault.in_file(&config.path))?;
        // Rows of one session that stand each for itself are sent in turn, and know nothing of one another.
        let remembers = config.format == TraceFormat::MultiTurn;
        for session in &mut sessions {
            session.remembers = remembers;
        }
        if !systems.is_empty() {
            let mut distinct = Vec::with_capacity(sessions.len());
            let mut seen = HashSet::new();
            for key in keys {
                if key == SessionKey::Own || seen.insert(key.clone()) {
                    distinct.push(key);
                }
            }
            for (session, key) in sessions.iter_mut().zip(distinct) {
                session.system = systems.get(&key).cloned();
            }
        }
        Ok(Self {
            facts,
            rows,
            sessions,
            warnings: Vec::new(),
            block_size: config.block_size,
            zero: Zero::new(config),
        })
    }

    fn mooncake(config: &TraceConfig) -> Result<Self, WorkloadError> {
        let mooncake::Loaded { facts, rows, warnings } = mooncake::load(config)?;
        let (rows, sessions) = group(rows).map_err(|fault| fault.in_file(&config.path))?;
        Ok(Self { facts, rows, sessions, warnings, block_size: config.block_size, zero: Zero::new(config) })
    }
}

/// A fault, and its line, from 1.
pub(super) struct Misfit(pub(super) u64, pub(super) LineFault);

impl Misfit {
    /// As a fault of the whole file.
    pub(super) fn in_file(self, path: &Path) -> WorkloadError {
        WorkloadError::Line { path: path.to_owned(), line: self.0, fault: self.1 }
    }
}

fn check_options(config: &TraceConfig) -> Result<(), WorkloadError> {
    let option = |flag, value: String, reason| Err(WorkloadError::Option { flag, value, reason });
    if config.block_size == 0 {
        return option("--isl-block-size", "0".to_owned(), "a block has at least one token");
    }
    if !(config.speedup.is_finite() && config.speedup > 0.0) {
        return option(
            "--synthesis-speedup-ratio",
            config.speedup.to_string(),
            "must be a number above 0; 2 sends twice as fast as recorded",
        );
    }
    if let (Some(start), Some(end)) = (config.start_offset_ms, config.end_offset_ms)
        && start > end
    {
        return option(
            "--fixed-schedule-start-offset",
            start.to_string(),
            "must not be after --fixed-schedule-end-offset",
        );
    }
    if config.max_osl == Some(0) {
        return option("--synthesis-max-osl", "0".to_owned(), "a request asks for at least one token");
    }
    Ok(())
}

pub(super) fn is_in_window(config: &TraceConfig, timestamp_ms: Option<f64>) -> bool {
    timestamp_ms.is_none_or(|at| {
        config.start_offset_ms.is_none_or(|start| at >= start)
            && config.end_offset_ms.is_none_or(|end| at <= end)
    })
}

/// Brings the rows of a session together, whether or not they stand together in the file.
fn group(rows: Vec<(Row, SessionKey)>) -> Result<(Vec<Row>, Vec<TraceSession>), Misfit> {
    let mut sessions: Vec<TraceSession> = Vec::with_capacity(rows.len());
    let mut of_row: Vec<u32> = Vec::with_capacity(rows.len());
    let mut known: HashMap<SessionKey, (u32, usize)> = HashMap::new();
    let mut unnamed = 0;
    for (at, (row, key)) in rows.iter().enumerate() {
        let new = sessions.len() as u32;
        let session = match key {
            SessionKey::Own => new,
            SessionKey::Given(_) | SessionKey::Together(_) => {
                let (session, first) = *known.entry(key.clone()).or_insert((new, at));
                let before = &rows[first].0;
                if Context::of(&before.input) != Context::of(&row.input) {
                    let name = if let SessionKey::Given(name) = key { name } else { "" };
                    let (session, before_line) = (name.to_owned(), before.line);
                    let (here, before) = (row.input.mode(), before.input.mode());
                    return Err(Misfit(
                        row.line,
                        LineFault::MixedSession { session, here, before, before_line },
                    ));
                }
                session
            }
        };
        if session == new {
            let name = if let SessionKey::Given(name) = key {
                SessionName::Given(name.clone())
            } else {
                unnamed += 1;
                SessionName::Numbered(unnamed - 1)
            };
            sessions.push(TraceSession { name, first: 0, turns: 0, remembers: true, system: None });
        }
        sessions[session as usize].turns += 1;
        of_row.push(session);
    }
    let mut first = 0;
    for session in &mut sessions {
        session.first = first;
        first += session.turns;
    }
    // A stable sort by session keeps the order of the file within each.
    let mut order: Vec<(u32, Row)> = of_row.into_iter().zip(rows.into_iter().map(|(row, _)| row)).collect();
    order.sort_by_key(|(session, _)| *session);
    Ok((order.into_iter().map(|(_, row)| row).collect(), sessions))
}

/// How the turns of a session add up. All of them must do so alike.
#[derive(PartialEq, Eq)]
enum Context {
    /// Each turn is sent after all text before it.
    Accumulates,
    /// Each turn brings its whole list of messages.
    InMessages,
    /// Each turn is a whole body.
    InBody,
}

impl Context {
    fn of(input: &Input) -> Self {
        match input {
            Input::Length { .. } | Input::Text(_) | Input::Message(_) | Input::Ranking { .. } => {
                Self::Accumulates
            }
            Input::Messages { .. } => Self::InMessages,
            Input::Payload(_) => Self::InBody,
        }
    }
}
