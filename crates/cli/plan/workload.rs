//! From flags to what is sent.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use loadgen_workload::{
    CommonConfig, LengthDistribution, ModelSelection, SyntheticConfig, TraceConfig, TraceFormat,
    WorkloadConfig,
};

use super::Faults;
use super::load::Load;
use crate::args::ProfileArgs;
use crate::args::swept::Swept;
use crate::args::values::word;
use crate::compat;

/// Resolves the workload.
pub(super) fn workload(args: &ProfileArgs, load: &Load, faults: &mut Faults) -> Option<WorkloadConfig> {
    match &args.input.input_file {
        Some(path) => trace(args, path, faults).map(WorkloadConfig::Trace),
        None => synthetic(args, load, faults).map(WorkloadConfig::Synthetic),
    }
}

fn synthetic(args: &ProfileArgs, load: &Load, faults: &mut Faults) -> Option<SyntheticConfig> {
    if args.input.custom_dataset_type.is_some() {
        faults.add("--custom-dataset-type", "is the format of a file: give --input-file too");
    }
    let lengths = &args.lengths;
    let isl = LengthDistribution {
        mean: lengths.isl.as_ref().map_or(SyntheticConfig::DEFAULT_ISL, |mean| mean.first() as f64),
        stddev: lengths.isl_stddev.as_ref().map_or(0.0, Swept::first),
    };
    if lengths.isl.as_ref().is_some_and(|mean| mean.first() == 0) {
        faults.add("--isl", "a prompt needs at least 1 token");
    }
    let (pool, length) =
        (args.prefix.num_prefix_prompts.unwrap_or(0), args.prefix.prefix_prompt_length.unwrap_or(0));
    if args.prefix.shared_system_prompt_length.is_some() && (pool > 0 || length > 0) {
        faults.add(
            "--shared-system-prompt-length",
            "and --num-prefix-prompts with --prefix-prompt-length exclude one another: give one of the two",
        );
    }
    if length > 0 && pool == 0 {
        faults.add("--prefix-prompt-length", "needs a pool to draw from: give --num-prefix-prompts");
    }
    if pool > 0 && length == 0 {
        faults.add("--num-prefix-prompts", "prefixes need a length: give --prefix-prompt-length");
    }
    for (flag, given) in [
        ("--synthesis-speedup-ratio", args.input.synthesis_speedup_ratio.is_some()),
        ("--synthesis-max-isl", args.input.synthesis_max_isl.is_some()),
        ("--synthesis-max-osl", args.input.synthesis_max_osl.is_some()),
    ] {
        if given {
            faults.add(flag, "changes a trace: give --input-file");
        }
    }
    let entries = args
        .input
        .num_dataset_entries
        .or(args.input.num_conversations.as_ref().map(Swept::first))
        .or(load.profiling.stop.requests.filter(|_| args.load.request_count.is_some()))
        .unwrap_or(u64::from(SyntheticConfig::DEFAULT_ENTRIES));
    Some(SyntheticConfig {
        isl,
        osl: osl(args, faults),
        entries: small(entries, "--num-dataset-entries", faults)?,
        prefix_prompts: small(pool, "--num-prefix-prompts", faults)?,
        prefix_length: small(length, "--prefix-prompt-length", faults)?,
        shared_system_prompt_length: match args.prefix.shared_system_prompt_length {
            Some(length) => Some(small(length, "--shared-system-prompt-length", faults)?),
            None => None,
        },
        common: CommonConfig { model_selection: model_selection(args, faults), ..CommonConfig::default() },
        ..SyntheticConfig::default()
    })
}

fn trace(args: &ProfileArgs, path: &Path, faults: &mut Faults) -> Option<TraceConfig> {
    let lengths = &args.lengths;
    for (flag, given) in [
        ("--isl", lengths.isl.is_some()),
        ("--isl-stddev", lengths.isl_stddev.is_some()),
        ("--num-prefix-prompts", args.prefix.num_prefix_prompts.is_some()),
        ("--prefix-prompt-length", args.prefix.prefix_prompt_length.is_some()),
        ("--shared-system-prompt-length", args.prefix.shared_system_prompt_length.is_some()),
    ] {
        if given {
            faults
                .add(flag, "makes synthetic prompts, and --input-file brings its own: leave one of them out");
        }
    }
    let format = match args.input.custom_dataset_type.as_deref().map(word).as_deref() {
        None | Some("mooncake_trace") => TraceFormat::Mooncake,
        Some(other) => {
            faults.add("--custom-dataset-type", compat::refuse_choice("--custom-dataset-type", other));
            return None;
        }
    };
    let schedule = &args.schedule;
    let (start, end) = (schedule.fixed_schedule_start_offset, schedule.fixed_schedule_end_offset);
    if let (Some(start), Some(end)) = (start, end)
        && start > end
    {
        faults.add(
            "--fixed-schedule-start-offset",
            format!("{start} is after --fixed-schedule-end-offset {end}"),
        );
    }
    if start.is_some() && schedule.fixed_schedule_auto_offset {
        faults.add(
            "--fixed-schedule-auto-offset",
            "begins at the first request, and --fixed-schedule-start-offset elsewhere: give one of the two",
        );
    }
    let model_selection = model_selection(args, faults);
    let limit = |value: Option<u64>| value.map(|value| u32::try_from(value).unwrap_or(u32::MAX));
    Some(TraceConfig {
        block_size: match lengths.isl_block_size {
            Some(size) => small(size, "--isl-block-size", faults)?,
            None => format.default_block_size(),
        },
        start_offset_ms: start.map(|ms| ms as f64),
        end_offset_ms: end.map(|ms| ms as f64),
        auto_offset: start.is_none(),
        speedup: args.input.synthesis_speedup_ratio.unwrap_or(1.0),
        max_isl: limit(args.input.synthesis_max_isl),
        max_osl: limit(args.input.synthesis_max_osl),
        osl: osl(args, faults),
        common: CommonConfig { model_selection, ..CommonConfig::default() },
        ..TraceConfig::mooncake(path)
    })
}

/// Which of several models a request asks.
fn model_selection(args: &ProfileArgs, faults: &mut Faults) -> ModelSelection {
    match args.endpoint.model_selection_strategy.as_deref().map(word).as_deref() {
        None | Some("round_robin") => ModelSelection::RoundRobin,
        Some("random") => ModelSelection::Random,
        Some("weighted") => {
            faults.add("--model-selection-strategy", "weighted needs weights, which no option gives");
            ModelSelection::default()
        }
        Some(other) => {
            faults.add(
                "--model-selection-strategy",
                format!("{other:?} is not known: expected round_robin or random"),
            );
            ModelSelection::default()
        }
    }
}

/// What is sent, for people.
pub(super) fn in_words(workload: &WorkloadConfig) -> String {
    match workload {
        WorkloadConfig::Synthetic(synthetic) => {
            let spread = |length: &LengthDistribution| match length.stddev {
                0.0 => length.mean.to_string(),
                stddev => format!("{} ± {stddev}", length.mean),
            };
            let output = synthetic.osl.as_ref().map_or_else(|| "any number of".to_owned(), spread);
            format!(
                "{} tokens in, {output} tokens out, {} prompts",
                spread(&synthetic.isl),
                synthetic.entries
            )
        }
        WorkloadConfig::Trace(trace) => {
            let name = trace.path.file_name().unwrap_or(trace.path.as_os_str()).to_string_lossy();
            match trace.speedup {
                1.0 => name.into_owned(),
                speedup => format!("{name}, {speedup} times as fast"),
            }
        }
    }
}

fn osl(args: &ProfileArgs, faults: &mut Faults) -> Option<LengthDistribution> {
    let lengths = &args.lengths;
    let stddev = lengths.osl_stddev.as_ref().map_or(0.0, Swept::first);
    if lengths.osl.is_none() && stddev > 0.0 {
        faults.add("--osl-stddev", "spreads around a mean: give --osl too");
    }
    let mean = lengths.osl.as_ref()?.first() as f64;
    Some(LengthDistribution { mean, stddev })
}

fn small(value: u64, flag: &str, faults: &mut Faults) -> Option<u32> {
    faults.take(flag, u32::try_from(value).map_err(|_| format!("{value} is too large")))
}

/// Whether the first row of a trace has a time. A file that cannot be read has none: loading it says
/// why.
pub(super) fn first_row_has_timestamp(path: &Path) -> bool {
    let Ok(file) = std::fs::File::open(path) else { return false };
    let reader: Box<dyn Read> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(flate2::read::MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
    let first = lines.find(|line| !line.trim().is_empty()).unwrap_or_default();
    let row: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&first).ok();
    row.is_some_and(|row| row.get("timestamp").is_some_and(|timestamp| !timestamp.is_null()))
}
