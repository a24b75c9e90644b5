//! From flags to requests from a file.

use std::path::Path;

use loadgen_wire::EndpointKind;
use loadgen_workload::{Batches, CommonConfig, TraceConfig, TraceFormat};

use super::super::Faults;
use super::{entries, osl, small};
use crate::args::ProfileArgs;
use crate::args::values::word;
use crate::compat;

/// Resolves them.
pub(super) fn file(
    args: &ProfileArgs,
    path: &Path,
    endpoint: EndpointKind,
    common: CommonConfig,
    faults: &mut Faults,
) -> Option<TraceConfig> {
    let format = format(args, path, faults)?;
    check_synthetic_own(args, format, faults);
    check_system(args, format, faults);
    check_traces_own(args, format, faults);
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
    let limit = |value: Option<u64>| value.map(|value| u32::try_from(value).unwrap_or(u32::MAX));
    let batch = |value: Option<u64>, flag, faults: &mut Faults| small(value.unwrap_or(1), flag, faults);
    Some(TraceConfig {
        block_size: match args.lengths.isl_block_size {
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
        delay_cap_ms: args.conversation.inter_turn_delay_cap_seconds.map(|seconds| seconds * 1e3),
        entries: small(entries(args), "--num-dataset-entries", faults)?,
        batches: Batches {
            text: batch(args.input.prompt_batch_size, "--prompt-batch-size", faults)?,
            image: batch(args.media.image_batch_size, "--image-batch-size", faults)?,
            audio: batch(args.media.audio_batch_size, "--audio-batch-size", faults)?,
        },
        hoists_system: endpoint.facts().takes_system,
        common,
        ..TraceConfig::new(path, format)
    })
}

/// The format that was named, else the one that the file shows.
fn format(args: &ProfileArgs, path: &Path, faults: &mut Faults) -> Option<TraceFormat> {
    let Some(named) = args.input.custom_dataset_type.as_deref() else {
        let found = TraceFormat::detect(path).map_err(|error| match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        });
        return faults.take("--input-file", found);
    };
    let wanted = word(named);
    let found = TraceFormat::ALL.into_iter().find(|format| format.name() == wanted);
    if found.is_none() {
        faults.add("--custom-dataset-type", compat::refuse_choice("--custom-dataset-type", named));
    }
    found
}

/// Options that make prompts up.
fn check_synthetic_own(args: &ProfileArgs, format: TraceFormat, faults: &mut Faults) {
    let (lengths, prefix, media) = (&args.lengths, &args.prefix, &args.media);
    let conversation = &args.conversation;
    let is_pool = format == TraceFormat::RandomPool;
    for (flag, given) in [
        ("--isl", lengths.isl.is_some()),
        ("--isl-stddev", lengths.isl_stddev.is_some()),
        ("--seq-dist", lengths.seq_dist.is_some()),
        ("--random-range-ratio", lengths.random_range_ratio.is_some()),
        ("--num-prefix-prompts", prefix.num_prefix_prompts.is_some()),
        ("--prefix-prompt-length", prefix.prefix_prompt_length.is_some()),
        ("--shared-system-prompt-length", prefix.shared_system_prompt_length.is_some()),
        ("--user-context-prompt-length", prefix.user_context_prompt_length.is_some()),
        ("--conversation-turn-mean", conversation.conversation_turn_mean.is_some()),
        ("--conversation-turn-stddev", conversation.conversation_turn_stddev.is_some()),
        ("--conversation-turn-delay-mean", conversation.conversation_turn_delay_mean.is_some()),
        ("--conversation-turn-delay-stddev", conversation.conversation_turn_delay_stddev.is_some()),
        ("--conversation-turn-delay-ratio", conversation.conversation_turn_delay_ratio.is_some()),
        ("--prompt-batch-size", args.input.prompt_batch_size.is_some() && !is_pool),
        ("--image-batch-size", media.image_batch_size.is_some() && !is_pool),
        ("--audio-batch-size", media.audio_batch_size.is_some() && !is_pool),
        ("--image-width-mean", media.image_width_mean.is_some()),
        ("--image-height-mean", media.image_height_mean.is_some()),
        ("--image-source", media.image_source.is_some()),
        ("--audio-length-mean", media.audio_length_mean.is_some()),
    ] {
        if given {
            faults
                .add(flag, "makes synthetic prompts, and --input-file brings its own: leave one of them out");
        }
    }
    if let Some(flag) = args.rankings.given() {
        faults.add(flag, "makes synthetic prompts, and --input-file brings its own: leave one of them out");
    }
}

/// A system message has no place in bodies that are sent as they stand.
fn check_system(args: &ProfileArgs, format: TraceFormat, faults: &mut Faults) {
    let given = [
        ("--system-prompt", args.prefix.system_prompt.is_some()),
        ("--system-prompt-file", args.prefix.system_prompt_file.is_some()),
    ];
    for (flag, _) in given.into_iter().filter(|(_, is_given)| *is_given && format.holds_bodies()) {
        let name = format.name();
        faults.add(flag, format!("the bodies of a {name} are sent as they stand: put it into them"));
    }
}

/// Options that change a trace.
fn check_traces_own(args: &ProfileArgs, format: TraceFormat, faults: &mut Faults) {
    if format.is_trace() {
        return;
    }
    for (flag, given) in [
        ("--synthesis-speedup-ratio", args.input.synthesis_speedup_ratio.is_some_and(|ratio| ratio != 1.0)),
        ("--synthesis-max-isl", args.input.synthesis_max_isl.is_some()),
        ("--synthesis-max-osl", args.input.synthesis_max_osl.is_some()),
        ("--isl-block-size", args.lengths.isl_block_size.is_some()),
    ] {
        if given {
            let name = format.name();
            faults.add(flag, format!("changes a mooncake_trace, and the input file is a {name}"));
        }
    }
}
