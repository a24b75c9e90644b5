//! Options that are understood and do nothing in this command: each is named once, with the reason.
//!
//! AIPerf takes them in silence. What it refuses is refused where the option is resolved; a value that is
//! AIPerf's own default asks for nothing, and is passed over here.

use loadgen_tokens::TokenizerSource;
use loadgen_wire::EndpointKind;
use loadgen_workload::WorkloadConfig;

use super::Notice;
use crate::args::ProfileArgs;
use crate::args::swept::Swept;
use crate::args::values::word;

/// The revision of a hub's tokenizer where none is named.
pub(super) const USUAL_REVISION: &str = "main";

/// An option, whether it stands there without effect, and why it has none.
type Idle = (&'static str, bool, &'static str);

/// What of the command does nothing.
pub(super) fn without_effect(
    args: &ProfileArgs,
    workload: Option<&WorkloadConfig>,
    tokenizer: Option<&TokenizerSource>,
) -> Vec<Notice> {
    let all = [
        load(args),
        conversations(args),
        lengths(args),
        files(args),
        bodies(args, workload),
        media(args),
        others(args, tokenizer),
    ];
    all.into_iter()
        .flatten()
        .filter(|(_, is_idle, _)| *is_idle)
        .map(|(flag, _, why)| Notice::Warning(format!("{flag} has no effect here: {why}")))
        .collect()
}

fn load(args: &ProfileArgs) -> Vec<Idle> {
    const NO_WARM_UP: &str = "there is no warm-up: --warmup-request-count asks for one";
    let (load, warmup) = (&args.load, &args.warmup);
    let paced = load.request_rate.is_some() || load.request_rate_sinusoid.is_some();
    let warms = warmup.is_wanted();
    let rated = warms && (warmup.warmup_request_rate.is_some() || paced);
    let burst = load.arrival_pattern.as_deref().map(word).as_deref() == Some("concurrency_burst");
    let shapes = "it shapes a --request-rate";
    vec![
        ("--arrival-pattern", load.arrival_pattern.is_some() && !paced && !burst, shapes),
        ("--arrival-pattern concurrency_burst", burst && paced, "beside a rate arrivals are poisson"),
        ("--warmup-concurrency", warmup.warmup_concurrency.is_some() && !warms, NO_WARM_UP),
        ("--warmup-prefill-concurrency", warmup.warmup_prefill_concurrency.is_some() && !warms, NO_WARM_UP),
        ("--warmup-request-rate", warmup.warmup_request_rate.is_some() && !warms, NO_WARM_UP),
        (
            "--warmup-arrival-pattern",
            warmup.warmup_arrival_pattern.is_some() && !rated,
            "there is no warm-up at a rate",
        ),
    ]
}

/// Pauses of made-up conversations; a file's are refused beside one.
fn conversations(args: &ProfileArgs) -> Vec<Idle> {
    const ONE_TURN: &str = "conversations have one turn: give --conversation-turn-mean";
    const NO_PAUSE: &str = "there is no pause: give --conversation-turn-delay-mean";
    let given = &args.conversation;
    let several =
        given.conversation_turn_mean.as_ref().is_some_and(|mean| mean.values().iter().any(|n| *n > 1))
            || given.conversation_turn_stddev.is_some_and(|stddev| stddev > 0);
    let is_set = |value: Option<f64>, usual: f64| value.is_some_and(|value| value != usual);
    let pauses = is_set(given.conversation_turn_delay_mean, 0.0);
    let why = if several { NO_PAUSE } else { ONE_TURN };
    let idle = args.input.input_file.is_none() && !(several && pauses);
    vec![
        ("--conversation-turn-delay-mean", idle && pauses, ONE_TURN),
        ("--conversation-turn-delay-stddev", idle && is_set(given.conversation_turn_delay_stddev, 0.0), why),
        ("--conversation-turn-delay-ratio", idle && is_set(given.conversation_turn_delay_ratio, 1.0), why),
    ]
}

fn lengths(args: &ProfileArgs) -> Vec<Idle> {
    const MIXED: &str = "--seq-dist says how long prompts and answers are";
    let given = &args.lengths;
    let mixed = given.seq_dist.is_some();
    let spreads = |stddev: &Option<Swept<f64>>| {
        stddev.as_ref().is_some_and(|stddev| stddev.values().iter().any(|stddev| *stddev > 0.0))
    };
    vec![
        ("--isl", mixed && given.isl.is_some(), MIXED),
        ("--isl-stddev", mixed && spreads(&given.isl_stddev), MIXED),
        ("--osl", mixed && given.osl.is_some(), MIXED),
        ("--osl-stddev", mixed && spreads(&given.osl_stddev), MIXED),
        (
            "--num-prefix-prompts",
            args.prefix.num_prefix_prompts.is_some_and(|pool| pool > 0)
                && args.prefix.prefix_prompt_length.is_none_or(|length| length == 0),
            "prefixes have no length: give --prefix-prompt-length",
        ),
        (
            "--random-corpus-style",
            given.random_corpus_style.is_some() && given.random_range_ratio.is_none(),
            "it says what a --random-range-ratio means",
        ),
    ]
}

/// What changes a file, where there is none.
fn files(args: &ProfileArgs) -> Vec<Idle> {
    const NO_FILE: &str = "it changes what a file says: give --input-file";
    let given = &args.input;
    let idle = given.input_file.is_none();
    let cap = args.conversation.inter_turn_delay_cap_seconds;
    vec![
        (
            "--isl-block-size",
            idle && args.lengths.isl_block_size.is_some(),
            "it is the size of a trace's blocks: give --input-file",
        ),
        (
            "--synthesis-speedup-ratio",
            idle && given.synthesis_speedup_ratio.is_some_and(|ratio| ratio != 1.0),
            NO_FILE,
        ),
        ("--synthesis-max-isl", idle && given.synthesis_max_isl.is_some(), NO_FILE),
        ("--synthesis-max-osl", idle && given.synthesis_max_osl.is_some(), NO_FILE),
        ("--inter-turn-delay-cap-seconds", idle && cap.is_some(), NO_FILE),
    ]
}

/// What goes into bodies, where they are sent as a file has them. A template's extra inputs tell of the answer too.
fn bodies(args: &ProfileArgs, workload: Option<&WorkloadConfig>) -> Vec<Idle> {
    const READY: &str = "the input file's bodies are sent as they stand";
    let is_ready = workload.is_some_and(super::workload::is_ready);
    let is_template = word(&args.endpoint.endpoint_type) == "template";
    let has_extras = !args.endpoint.extra_inputs.is_empty() && !is_template;
    vec![
        ("--extra-inputs", is_ready && has_extras, READY),
        ("--use-legacy-max-tokens", is_ready && args.endpoint.use_legacy_max_tokens, READY),
        ("--osl", is_ready && args.lengths.osl.is_some(), READY),
    ]
}

/// Images and sounds. How many of them a file's requests hold is the business of `--input-file`.
fn media(args: &ProfileArgs) -> Vec<Idle> {
    const NO_IMAGE: &str = "no images are made: give --image-width-mean and --image-height-mean";
    const NO_SOUND: &str = "no sounds are made: give --audio-length-mean";
    let given = &args.media;
    let has_file = args.input.input_file.is_some();
    let is_set = |value: Option<f64>| value.is_some_and(|value| value > 0.0);
    let several = |batch: Option<u64>| batch.is_some_and(|batch| batch > 1) && !has_file;
    let images = given.image_batch_size != Some(0)
        && is_set(given.image_width_mean)
        && is_set(given.image_height_mean);
    let sounds = given.audio_batch_size != Some(0) && is_set(given.audio_length_mean);
    let noise = matches!(given.image_source.as_deref(), None | Some("noise"));
    vec![
        ("--image-width-stddev", !images && is_set(given.image_width_stddev), NO_IMAGE),
        ("--image-height-stddev", !images && is_set(given.image_height_stddev), NO_IMAGE),
        ("--image-batch-size", !images && several(given.image_batch_size), NO_IMAGE),
        ("--image-format", !images && given.image_format.is_some(), NO_IMAGE),
        ("--image-source", !images && given.image_source.is_some(), NO_IMAGE),
        ("--image-source-sampling", !images && given.image_source_sampling.is_some(), NO_IMAGE),
        (
            "--image-source-sampling",
            images && noise && given.image_source_sampling.is_some(),
            "images are noise: give --image-source",
        ),
        ("--audio-length-stddev", !sounds && is_set(given.audio_length_stddev), NO_SOUND),
        ("--audio-batch-size", !sounds && several(given.audio_batch_size), NO_SOUND),
        ("--audio-format", !sounds && given.audio_format.is_some(), NO_SOUND),
        ("--audio-depths", !sounds && !given.audio_depths.is_empty(), NO_SOUND),
        ("--audio-sample-rates", !sounds && !given.audio_sample_rates.is_empty(), NO_SOUND),
        ("--audio-num-channels", !sounds && given.audio_num_channels.is_some_and(|n| n != 1), NO_SOUND),
    ]
}

fn others(args: &ProfileArgs, tokenizer: Option<&TokenizerSource>) -> Vec<Idle> {
    let builtin = matches!(tokenizer, Some(TokenizerSource::Builtin));
    let formats = args.telemetry.server_metrics_formats.is_some();
    let has_streams =
        EndpointKind::named(&args.endpoint.endpoint_type).is_ok_and(|kind| kind.facts().streams);
    vec![
        ("--streaming", args.endpoint.streaming && !has_streams, "this --endpoint-type answers in one piece"),
        (
            "--tokenizer-revision",
            builtin && args.tokenizer.tokenizer_revision != USUAL_REVISION,
            "the builtin tokenizer has one revision",
        ),
        (
            "--server-metrics-formats",
            formats && args.telemetry.no_server_metrics,
            "with --no-server-metrics no server is read",
        ),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ffi::OsString;

    use super::super::{Environment, Servers, resolve};
    use crate::args::parse_profile;

    #[test]
    fn what_goes_into_bodies_does_nothing_where_they_are_ready() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.jsonl");
        std::fs::write(&path, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}\n").unwrap();
        let file = format!("--input-file {} --custom-dataset-type raw_payload", path.display());
        for option in ["--extra-inputs top_k:1", "--use-legacy-max-tokens", "--osl 5"] {
            let said = said(&format!("{file} {option}"));
            let [text] = said.as_slice() else { panic!("{option}: {said:?}") };
            let flag = option.split(' ').next().unwrap();
            assert!(text.starts_with(flag) && text.ends_with("are sent as they stand"), "{text}");
        }
        let planned = |options: &str| {
            let argv = format!("loadgen profile -m m --tokenizer builtin {options}");
            let argv: Vec<OsString> = argv.split(' ').map(OsString::from).collect();
            let args = parse_profile(&argv, &[]).map_err(|error| error.to_string()).unwrap();
            let servers = Servers { urls: args.endpoint.urls.clone(), mock: false };
            resolve(&args, &argv, &Environment::default(), &servers).map_err(|faults| faults.to_string())
        };
        let notices = planned(&format!("{file} --osl 5")).unwrap().notices;
        let warned = notices.iter().any(|notice| notice.remark().1.starts_with("Using --osl without"));
        assert!(!warned, "no limit is sent that a server could pass");
        let refused = planned(&format!("{file} --system-prompt be")).unwrap_err();
        assert!(refused.starts_with("--system-prompt: the bodies of a raw_payload are sent as"), "{refused}");
    }

    /// What is said of a command, and nothing but what is said here.
    fn said(options: &str) -> Vec<String> {
        let head = if options.contains("--streaming") {
            "loadgen profile -m m --tokenizer builtin"
        } else {
            "loadgen profile -m m --tokenizer builtin --streaming"
        };
        let argv: Vec<OsString> =
            head.split(' ').chain(options.split_whitespace()).map(OsString::from).collect();
        let args = parse_profile(&argv, &[]).map_err(|error| error.to_string()).unwrap();
        let servers = Servers { urls: args.endpoint.urls.clone(), mock: false };
        let planned = resolve(&args, &argv, &Environment::default(), &servers).unwrap();
        let texts = planned.notices.iter().map(|notice| notice.remark().1);
        texts.filter(|text| text.contains("has no effect here")).collect()
    }

    #[test]
    fn what_does_nothing_is_named_once_with_the_reason() {
        for (options, why) in [
            ("--arrival-pattern gamma", "it shapes a --request-rate"),
            ("--warmup-prefill-concurrency 3", "there is no warm-up"),
            ("--conversation-turn-delay-mean 50", "conversations have one turn"),
            ("--conversation-turn-mean 3 --conversation-turn-delay-ratio 2", "there is no pause"),
            ("--image-format png", "no images are made"),
            ("--image-width-stddev 5", "no images are made"),
            ("--audio-sample-rates 16", "no sounds are made"),
            ("--tokenizer-revision abc", "one revision"),
            ("--isl-block-size 16", "give --input-file"),
            ("--server-metrics-formats json --no-server-metrics", "no server is read"),
            ("--seq-dist 64,8:100 --isl 5", "--seq-dist says"),
            ("--num-prefix-prompts 3", "give --prefix-prompt-length"),
            ("--synthesis-max-isl 64", "give --input-file"),
            ("--inter-turn-delay-cap-seconds 2", "give --input-file"),
            ("--random-corpus-style vllm", "what a --random-range-ratio means"),
            ("--streaming --endpoint-type embeddings", "answers in one piece"),
        ] {
            let said = said(options);
            let [text] = said.as_slice() else { panic!("{options}: {said:?}") };
            let flag = text.split(' ').next().unwrap();
            assert!(options.contains(flag) && text.contains(why), "{options}: {text}");
        }
    }

    #[test]
    fn what_has_an_effect_or_asks_for_nothing_is_passed_over() {
        for options in [
            "--arrival-pattern gamma --request-rate 5",
            "--warmup-prefill-concurrency 1 --warmup-request-count 2",
            "--conversation-turn-mean 3 --conversation-turn-delay-mean 50 --conversation-turn-delay-ratio 2",
            "--conversation-turn-delay-mean 0 --conversation-turn-delay-ratio 1",
            "--image-width-mean 64 --image-height-mean 64 --image-format png --image-width-stddev 5",
            "--image-batch-size 1 --audio-batch-size 1 --audio-num-channels 1",
            "--audio-length-mean 1 --audio-sample-rates 16",
            "--tokenizer-revision main",
            "--server-metrics-formats json",
            "--isl 5 --osl 3",
            "--synthesis-speedup-ratio 1",
            "--endpoint-type completions",
        ] {
            assert_eq!(said(options), [""; 0], "{options}");
        }
    }
}
