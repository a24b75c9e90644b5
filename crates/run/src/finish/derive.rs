//! What follows from a record alone: its tokens, its metrics, whether it is good, its line, its row.
//! The part of finishing that every core can share.

use loadgen_core::{Exchange, Outcome, Phase, RawRecord, RequestRecord};
use loadgen_metrics::{MetricConfig, RequestMetrics, request_metrics};
use loadgen_record::{Batch, Damage, RecordError, RowShaper, ShapedRows};
use loadgen_report::{RawLines, RecordLines, outputs_json};
use loadgen_tokens::Tokenizer;

use super::sorted::Key;
use crate::counting::{Counter, TokenPolicy, answer};

/// Records with all that follows from them alone, in order.
#[derive(Default)]
pub(super) struct Derived {
    pub(super) records: Vec<(RequestRecord, RequestMetrics)>,
    /// Their lines of the per-request file, where one is wanted.
    pub(super) lines: Vec<u8>,
    /// Their lines of the raw file, where one is wanted.
    pub(super) raw: Vec<u8>,
    /// Their entries of the file of answers, where one is wanted.
    pub(super) answers: Vec<(Key, Vec<u8>)>,
    /// How many of them had bodies that were to be exported and could not be kept.
    pub(super) bodies_dropped: u64,
    /// Records that could not be decoded.
    pub(super) damage: Vec<Damage>,
}

/// What is known of a record beside what it keeps.
#[derive(Default)]
struct Seen<'a> {
    exchange: Option<&'a Exchange>,
    answer: Option<&'a str>,
}

/// Works records out.
pub(super) struct Derive {
    pub(super) config: MetricConfig,
    /// Counts tokens; `None` believes the server's counts.
    pub(super) tokenizer: Option<Tokenizer>,
    /// Renders lines, where they are wanted.
    pub(super) lines: Option<RecordLines>,
    /// Whether lines tell what was seen of the connections.
    pub(super) traces: bool,
    /// Renders raw lines, where they are wanted.
    pub(super) raw: Option<RawLines>,
    /// Whether answers are wanted.
    pub(super) answers: bool,
    /// Shapes rows, where they are wanted.
    pub(super) shaper: Option<RowShaper>,
}

impl Derive {
    /// What follows from each record of a batch.
    pub(super) fn batch(&self, batch: &Batch) -> Derived {
        let mut derived = Derived::default();
        derived.records.reserve_exact(batch.len());
        let mut counter = Counter::new(match &self.tokenizer {
            Some(tokenizer) => TokenPolicy::Client(tokenizer),
            None => TokenPolicy::Server,
        });
        for record in batch.records() {
            match record {
                Ok(raw) => self.take(raw, &mut counter, &mut derived),
                Err(damage) => derived.damage.push(damage),
            }
        }
        derived
    }

    /// What follows from records whose tokens need no counting.
    pub(super) fn records(&self, records: impl Iterator<Item = RequestRecord>) -> Derived {
        let mut derived = Derived::default();
        records.for_each(|record| self.push(record, &Seen::default(), &mut derived));
        derived
    }

    /// The rows of derived records; `None` where they are not wanted.
    pub(super) fn rows(&self, derived: &Derived) -> Result<Option<ShapedRows>, RecordError> {
        let Some(shaper) = self.shaper.as_ref().filter(|_| !derived.records.is_empty()) else {
            return Ok(None);
        };
        let rows = derived.records.iter().map(|(record, metrics)| (record, metrics.columns()));
        shaper.shape(rows).map(Some)
    }

    fn take(&self, mut raw: RawRecord, counter: &mut Counter<'_>, derived: &mut Derived) {
        let wants_answer = self.answers && raw.outcome == Outcome::Ok;
        let answer = if wants_answer { answer(&raw.chunks) } else { None };
        let exchange = raw.exchange.take();
        derived.bodies_dropped += u64::from(exchange.as_ref().is_some_and(|seen| seen.bodies_dropped));
        self.push(
            counter.count(raw),
            &Seen { exchange: exchange.as_deref(), answer: answer.as_deref() },
            derived,
        );
    }

    fn push(&self, mut record: RequestRecord, seen: &Seen<'_>, derived: &mut Derived) {
        let metrics = request_metrics(&record, &self.config);
        record.good = self.good(&record, &metrics);
        if let Some(lines) = &self.lines {
            lines.write_traced(&record, &metrics, seen.exchange.filter(|_| self.traces), &mut derived.lines);
        }
        if let Some(raw) = &self.raw {
            let nothing = Exchange::default();
            raw.write(&record, seen.exchange.unwrap_or(&nothing), &mut derived.raw);
        }
        if self.answers && record.identity.phase == Phase::Profiling {
            let mut entry = Vec::new();
            if outputs_json::entry(&record, &metrics, seen.answer, &mut entry) {
                derived.answers.push(((record.identity.session_num, record.identity.turn_index), entry));
            }
        }
        derived.records.push((record, metrics));
    }

    /// Whether a request met every objective; `None` without objectives.
    fn good(&self, record: &RequestRecord, metrics: &RequestMetrics) -> Option<bool> {
        if self.config.slos.is_empty() {
            return None;
        }
        let is_flawless = record.outcome == Outcome::Ok && record.in_band_error().is_none();
        Some(is_flawless && metrics.get("good_request_count") == Some(1.0))
    }
}
