//! From flags to what is written of a run, and where.

use std::path::PathBuf;
use std::time::Duration;

use loadgen_run::{Artifacts, Outputs};
use loadgen_wire::EndpointKind;

use super::Faults;
use super::load::Load;
use crate::args::ProfileArgs;
use crate::args::output::OutputArgs;
use crate::args::values::word;

/// The shortest slices of time that are summed up on their own.
const SHORTEST_SLICE: Duration = Duration::from_millis(1);

/// How much is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExportLevel {
    /// The summaries alone.
    Summary,
    /// A line for each request, too.
    Records,
    /// And what was sent and what came.
    Raw,
}

impl ExportLevel {
    /// The one that was asked for.
    pub(super) fn of(output: &OutputArgs) -> Result<Self, &'static str> {
        match output.export_level.as_deref().map(word).as_deref() {
            Some("summary") => Ok(Self::Summary),
            None | Some("records") => Ok(Self::Records),
            Some("raw") => Ok(Self::Raw),
            Some(_) => Err("is not known: expected summary, records or raw"),
        }
    }
}

/// What is written, and shown, of a run.
pub(super) fn outputs(args: &ProfileArgs, faults: &mut Faults) -> Outputs {
    let given = &args.output;
    if given.failed_request_threshold.is_some_and(|share| share > 1.0) {
        faults.add("--failed-request-threshold", "expected a share from 0 to 1");
    }
    let level = faults.take("--export-level", ExportLevel::of(given)).unwrap_or(ExportLevel::Records);
    if given.slice_duration.is_some_and(|width| width < SHORTEST_SLICE) {
        faults.add(
            "--slice-duration",
            "expected at least 0.001 s: shorter slices than a millisecond tell nothing",
        );
    }
    Outputs {
        records: level != ExportLevel::Summary,
        raw: level == ExportLevel::Raw,
        http_trace: given.export_http_trace,
        answers: given.export_outputs_json,
        trace_timing: given.show_trace_timing,
        parquet: !given.no_parquet,
        html: !given.no_html,
        gpu_sections: !args.telemetry.no_gpu_telemetry,
    }
}

/// Where it is written: in the folder that is given, else in one that is named by what was run.
pub(super) fn artifacts(
    args: &ProfileArgs,
    kind: EndpointKind,
    load: &Load,
    faults: &mut Faults,
) -> Artifacts {
    let dir = args.output.artifact_dir.clone().unwrap_or_else(|| {
        let name =
            loadgen_run::run_name(&args.endpoint.models, super::endpoint::name(kind), &load.stimulus());
        PathBuf::from("artifacts").join(name)
    });
    let dir = std::path::absolute(&dir).unwrap_or(dir);
    let given = args.output.profile_export_prefix.as_deref();
    let artifacts = Artifacts::new(dir, given);
    if given.is_some() && artifacts.prefix.as_ref().is_none_or(|prefix| prefix.ends_with('/')) {
        faults.add(
            "--profile-export-prefix",
            "expected the beginning of a file's name, behind its folders if any",
        );
    }
    if args.output.export_outputs_json && artifacts.summary_json() == artifacts.outputs_json() {
        faults.add(
            "--profile-export-prefix",
            "with the prefix `outputs` the summary would take the name of --export-outputs-json's file, \
             outputs.json: give another",
        );
    }
    artifacts
}
