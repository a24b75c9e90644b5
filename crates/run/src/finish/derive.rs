//! What follows from a record alone: its tokens, its metrics, whether it is good, its line, its row.
//! The part of finishing that every core can share.

use loadgen_core::{Outcome, RequestRecord};
use loadgen_metrics::{MetricConfig, RequestMetrics, request_metrics};
use loadgen_record::{Batch, Damage, RecordError, RowShaper, ShapedRows};
use loadgen_report::RecordLines;
use loadgen_tokens::Tokenizer;

use crate::counting::{Counter, TokenPolicy};

/// Records with all that follows from them alone, in order.
#[derive(Default)]
pub(super) struct Derived {
    pub(super) records: Vec<(RequestRecord, RequestMetrics)>,
    /// Their lines of the per-request file, where one is wanted.
    pub(super) lines: Vec<u8>,
    /// Records that could not be decoded.
    pub(super) damage: Vec<Damage>,
}

/// Works records out.
pub(super) struct Derive {
    pub(super) config: MetricConfig,
    /// Counts tokens; `None` believes the server's counts.
    pub(super) tokenizer: Option<Tokenizer>,
    /// Renders lines, where they are wanted.
    pub(super) lines: Option<RecordLines>,
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
                Ok(raw) => self.push(counter.count(raw), &mut derived),
                Err(damage) => derived.damage.push(damage),
            }
        }
        derived
    }

    /// What follows from records whose tokens need no counting.
    pub(super) fn records(&self, records: impl Iterator<Item = RequestRecord>) -> Derived {
        let mut derived = Derived::default();
        records.for_each(|record| self.push(record, &mut derived));
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

    fn push(&self, mut record: RequestRecord, derived: &mut Derived) {
        let metrics = request_metrics(&record, &self.config);
        record.good = self.good(&record, &metrics);
        if let Some(lines) = &self.lines {
            lines.write(&record, &metrics, &mut derived.lines);
        }
        derived.records.push((record, metrics));
    }

    /// Whether a request met every objective; `None` without objectives.
    fn good(&self, record: &RequestRecord, metrics: &RequestMetrics) -> Option<bool> {
        if self.config.slos.is_empty() {
            return None;
        }
        Some(record.outcome == Outcome::Ok && metrics.get("good_request_count") == Some(1.0))
    }
}
