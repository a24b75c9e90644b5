//! GenAI-Perf's files of a run that was asked for under its name, in place of AIPerf's summaries.

use std::io::{BufWriter, Write};

use loadgen_core::RequestRecord;
use loadgen_metrics::Summary;
use loadgen_record::PartialFile;
use loadgen_report::RunInfo;
use loadgen_report::genai_perf::{GenaiPerfView, ProfileExport, genai_perf_csv, genai_perf_json};
use serde_json::Value;

use super::files::{Failures, Growing};
use super::pass::complete;
use crate::artifacts::Artifacts;
use crate::error::RunError;
use crate::plan::ReportPlan;

/// The export of every request, as it is written.
pub(super) type Export = ProfileExport<BufWriter<PartialFile>>;

/// Begins the export, where it is wanted.
pub(super) fn begin(plan: &ReportPlan, artifacts: &Artifacts) -> Growing<Export> {
    let wanted = plan.genai_perf.is_some();
    Growing::begin(artifacts.genai_perf_export(), wanted, |path| {
        let config = plan.genai_perf.as_ref().unwrap_or(&Value::Null);
        let stimulus =
            config["perf_analyzer"]["stimulus"].as_object().and_then(|stimulus| stimulus.iter().next());
        let (mode, value) = stimulus.map_or(("", &Value::Null), |(mode, value)| (mode.as_str(), value));
        let usual = plan.endpoint.facts().path.trim_start_matches('/');
        let endpoint = config["endpoint"]["custom"].as_str().unwrap_or(usual);
        let file = BufWriter::new(PartialFile::create(path)?);
        ProfileExport::new(file, endpoint, mode, value).map_err(RunError::write(path))
    })
}

/// Adds a request to the export.
pub(super) fn push(export: &mut Growing<Export>, record: &RequestRecord) {
    if export.file().is_none() {
        return;
    }
    let path = export.path().to_owned();
    export.write(|export| export.push(record).map_err(RunError::write(path)));
}

/// Ends the export.
pub(super) fn end(export: Growing<Export>, artifacts: &Artifacts, failures: &mut Failures) {
    let path = artifacts.genai_perf_export();
    failures.end(export, |export| {
        let mut file = export.finish().map_err(RunError::write(&path))?;
        file.flush().map_err(RunError::write(&path))?;
        complete(file)
    });
}

/// Writes the summaries.
pub(super) fn write(
    plan: &ReportPlan,
    config: &Value,
    summary: &Summary,
    info: &RunInfo,
    artifacts: &Artifacts,
    failures: &mut Failures,
) {
    let produces_tokens = plan.endpoint.facts().produces_tokens;
    let view = GenaiPerfView { streaming: plan.streaming, produces_tokens, gpu: info.gpu.as_ref() };
    failures.put(&artifacts.genai_perf_json(), &genai_perf_json(summary, view, config));
    failures.put(&artifacts.genai_perf_csv(), &genai_perf_csv(summary, view));
}
