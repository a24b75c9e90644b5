//! The files of time slices, written slice by slice.

use std::io::BufWriter;
use std::path::Path;

use loadgen_metrics::SliceSummary;
use loadgen_record::PartialFile;
use loadgen_report::html::SliceTable;
use loadgen_report::{TimeslicesCsv, TimeslicesJson};
use serde_json::{Map, Value};

use super::files::{Failures, Growing};
use super::pass::complete;
use crate::artifacts::Artifacts;
use crate::error::RunError;

type File = BufWriter<PartialFile>;

/// Both files, as far as they are wanted.
pub(super) struct SliceFiles {
    json: Growing<TimeslicesJson<File>>,
    csv: Growing<TimeslicesCsv<File>>,
    /// What the page shows of them.
    pub(super) table: SliceTable,
}

impl SliceFiles {
    /// Begins them, where they are wanted.
    pub(super) fn begin(artifacts: &Artifacts, are_wanted: bool) -> Self {
        let json = |path: &Path| TimeslicesJson::new(begun(path)?).map_err(RunError::write(path));
        let csv = |path: &Path| TimeslicesCsv::new(begun(path)?).map_err(RunError::write(path));
        Self {
            json: Growing::begin(artifacts.timeslices_json(), are_wanted, json),
            csv: Growing::begin(artifacts.timeslices_csv(), are_wanted, csv),
            table: SliceTable::default(),
        }
    }

    /// Whether a failure has ended either.
    pub(super) fn has_given_up(&self) -> bool {
        self.json.is_given_up() || self.csv.is_given_up()
    }

    /// Adds a slice.
    pub(super) fn slice(&mut self, slice: &SliceSummary) {
        let path = self.json.path().to_owned();
        self.json.write(|file| file.slice(slice).map_err(RunError::write(path)));
        let path = self.csv.path().to_owned();
        self.csv.write(|file| file.slice(slice).map_err(RunError::write(path)));
        self.table.push(slice);
    }

    /// Gives the files their names. Dropped before, they leave nothing behind.
    pub(super) fn end(self, failures: &mut Failures, input_config: &Map<String, Value>) {
        let path = self.json.path().to_owned();
        failures.end(self.json, |file| complete(file.finish(input_config).map_err(RunError::write(path))?));
        failures.end(self.csv, |file| complete(file.finish()));
    }
}

fn begun(path: &Path) -> Result<File, RunError> {
    Ok(BufWriter::new(PartialFile::create(path)?))
}
