//! Mooncake's traces as rows: those that the filters leave, checked against each other.
//!
//! Invariant: a hash id stands for one text, hence for one size, in the whole file.

use std::collections::HashMap;
use std::path::Path;

use super::fault::LineFault;
use super::line::{Input, Line, block_sizes};
use super::read::{FileFacts, read};
use super::sessions::{Misfit, Row, SessionKey, is_in_window};
use super::times::speed_up;
use crate::config::TraceConfig;
use crate::error::WorkloadError;

/// What was read.
pub(super) struct Loaded {
    pub(super) facts: FileFacts,
    /// At least one.
    pub(super) rows: Vec<(Row, SessionKey)>,
    pub(super) warnings: Vec<String>,
}

/// Reads and checks a trace.
pub(super) fn load(config: &TraceConfig) -> Result<Loaded, WorkloadError> {
    let mut rows: Vec<(Row, SessionKey)> = Vec::new();
    let mut warnings = Warnings::default();
    let mut index = 0;
    let mut facts = read(&config.path, config.block_size, |line, parsed| {
        if is_kept(config, &parsed) {
            rows.push(keep(config, index, line, parsed, &mut warnings));
        }
        index += 1;
    })?;
    facts.rows_left_out = facts.rows - rows.len() as u64;
    if rows.is_empty() {
        return Err(WorkloadError::Empty { path: facts.path, left_out: facts.rows_left_out });
    }
    check_sizes(&rows, config.block_size).map_err(|fault| fault.in_file(&config.path))?;
    Ok(Loaded { facts, rows, warnings: warnings.finish(&config.path) })
}

fn is_kept(config: &TraceConfig, line: &Line) -> bool {
    let fits = match (&line.input, config.max_isl) {
        (Input::Length { tokens, .. }, Some(max)) => *tokens <= max,
        _ => true,
    };
    is_in_window(config, line.timestamp_ms) && fits
}

fn keep(
    config: &TraceConfig,
    index: i64,
    line_number: u64,
    line: Line,
    warnings: &mut Warnings,
) -> (Row, SessionKey) {
    let output_length = output_length(config, line_number, &line, warnings);
    let row = Row {
        index,
        line: line_number,
        timestamp_ms: line.timestamp_ms.map(|at| speed_up(at, config.speedup)),
        delay_ms: line.delay_ms,
        // A body that is sent as it stands takes no further fields.
        extra: line.extra.filter(|_| !matches!(line.input, Input::Payload(_))),
        input: line.input,
        output_length: output_length.map(|length| length.min(config.max_osl.unwrap_or(u32::MAX))),
    };
    (row, line.session_id.map_or(SessionKey::Own, SessionKey::Given))
}

/// Tokens to ask for, as far as the line settles them.
fn output_length(
    config: &TraceConfig,
    line_number: u64,
    line: &Line,
    warnings: &mut Warnings,
) -> Option<u32> {
    match (&line.input, line.output_length) {
        // A body that is sent as it stands says itself how much it asks for.
        (Input::Payload(_), _) => None,
        (_, Some(length)) if length <= 0 => {
            warnings.not_positive.note(line_number);
            Some(1)
        }
        (_, Some(length)) => Some(u32::try_from(length).unwrap_or(u32::MAX)),
        // What nobody limits, the server ends, as with AIPerf. Whoever gives sizes may have meant to limit it.
        (Input::Length { .. }, None) if config.osl.is_none() => {
            warnings.absent.note(line_number);
            None
        }
        (_, None) => None,
    }
}

/// The tokens and the blocks of a row that gives sizes.
fn blocks(row: &Row) -> Option<(u32, &[i64])> {
    match &row.input {
        Input::Length { tokens, hash_ids } => Some((*tokens, hash_ids)),
        _ => None,
    }
}

/// An id stands for one text, hence for one size. Only last blocks can be short, so the short ones are
/// few, and every other use is looked up among them.
fn check_sizes(rows: &[(Row, SessionKey)], block_size: u32) -> Result<(), Misfit> {
    let mut short: HashMap<i64, (u32, u64)> = HashMap::new();
    let conflict = |line, id, tokens, (other_tokens, other_line)| {
        Misfit(line, LineFault::TwoSizes { id, tokens, other_tokens, other_line, block_size })
    };
    for (row, _) in rows {
        let Some((tokens, ids)) = blocks(row) else { continue };
        let last = block_sizes(tokens, ids.len(), block_size).last();
        let (Some(size), Some(id)) = (last.filter(|size| *size < block_size), ids.last()) else { continue };
        let seen = *short.entry(*id).or_insert((size, row.line));
        if seen.0 != size {
            return Err(conflict(row.line, *id, size, seen));
        }
    }
    if short.is_empty() {
        return Ok(());
    }
    for (row, _) in rows {
        let Some((tokens, ids)) = blocks(row) else { continue };
        for (id, size) in ids.iter().zip(block_sizes(tokens, ids.len(), block_size)) {
            if size == block_size
                && let Some(seen) = short.get(id)
            {
                // Told from whichever of the two comes later.
                return Err(if seen.1 > row.line {
                    conflict(seen.1, *id, seen.0, (size, row.line))
                } else {
                    conflict(row.line, *id, size, *seen)
                });
            }
        }
    }
    Ok(())
}

/// Rows that were accepted, but not quite as they stand.
#[derive(Default)]
struct Warnings {
    not_positive: Tally,
    absent: Tally,
}

#[derive(Default)]
struct Tally {
    count: u64,
    first_line: u64,
}

impl Tally {
    fn note(&mut self, line: u64) {
        if self.count == 0 {
            self.first_line = line;
        }
        self.count += 1;
    }
}

impl Warnings {
    fn finish(&self, path: &Path) -> Vec<String> {
        let say = |tally: &Tally, what: &str, then: &str| {
            (tally.count > 0).then(|| {
                let rows = if tally.count == 1 { "row" } else { "rows" };
                format!(
                    "{}: {} {rows} with {what} (first in line {}): {then}",
                    path.display(),
                    tally.count,
                    tally.first_line
                )
            })
        };
        let not_positive =
            say(&self.not_positive, "an output_length of 0 or less", "1 output token is asked for");
        let absent = say(
            &self.absent,
            "an input_length and no output_length",
            "no limit is sent, and the server decides how long it answers; --osl fills it in",
        );
        not_positive.into_iter().chain(absent).collect()
    }
}
