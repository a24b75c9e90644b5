//! GenAI-Perf's options, and what becomes of each: one table for the translation and for docs/compat.md.
//!
//! Those of its last version, 0.0.16, and those of earlier ones that scripts still use.

/// How an option takes values, in argparse's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// None.
    Nothing,
    /// One; the last one given counts.
    One,
    /// One each time it is given, and all count.
    Each,
    /// One or more after it, up to the next option; the last list counts.
    Many,
    /// Any number after it; the last list counts.
    Any,
}

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Becomes {
    /// This option, with the same values.
    Same(&'static str),
    /// Something else that depends on the rest, as described.
    Read(&'static str),
    /// Nothing, for this reason; said once.
    NoEffect(&'static str),
    /// It is refused for this reason, with what to do instead.
    Refused(&'static str),
}

/// An option.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    /// Its spellings, the first its name.
    pub(super) names: &'static [&'static str],
    pub(super) takes: Takes,
    pub(super) becomes: Becomes,
}

const fn same(names: &'static [&'static str], takes: Takes, flag: &'static str) -> Flag {
    Flag { names, takes, becomes: Becomes::Same(flag) }
}

const fn read(names: &'static [&'static str], takes: Takes, how: &'static str) -> Flag {
    Flag { names, takes, becomes: Becomes::Read(how) }
}

const fn no_effect(names: &'static [&'static str], takes: Takes, why: &'static str) -> Flag {
    Flag { names, takes, becomes: Becomes::NoEffect(why) }
}

const fn refused(names: &'static [&'static str], takes: Takes, why: &'static str) -> Flag {
    Flag { names, takes, becomes: Becomes::Refused(why) }
}

use Takes::{Any, Each, Many, Nothing, One};

const WINDOWS: &str = "a run is one window: it is not repeated until its figures are stable";
const ANALYSIS: &str = "it keeps the state of `analyze`, which is not built";
const GRPC: &str = "loadgen speaks HTTP, not gRPC: serve the model behind an OpenAI-compatible front end";

/// Every option of `profile`.
pub(super) const FLAGS: &[Flag] = &[
    // Endpoint.
    read(&["--model", "-m"], Many, "--model for each name"),
    same(&["--model-selection-strategy"], One, "--model-selection-strategy"),
    refused(&["--backend"], One, GRPC),
    read(&["--endpoint"], One, "--endpoint, with a slash before it"),
    read(&["--endpoint-type"], One, "--endpoint-type, as the table of types says"),
    read(
        &["--server-metrics-url", "--server-metrics-urls"],
        Many,
        "--gpu-telemetry: they are DCGM's metrics",
    ),
    same(&["--streaming"], Nothing, "--streaming"),
    same(&["--url", "-u"], One, "--url"),
    read(&["--service-kind"], One, "openai is what loadgen speaks; every other kind is refused"),
    // Input.
    same(&["--batch-size-audio"], One, "--batch-size-audio"),
    same(&["--batch-size-image"], One, "--batch-size-image"),
    same(&["--batch-size-text", "--batch-size", "-b"], One, "--batch-size-text"),
    read(&["--extra-inputs"], Each, "--extra-inputs, one field or JSON object each time"),
    read(&["--goodput", "-g"], Many, "--goodput, as one text"),
    read(&["--header", "-H"], Each, "--header, one each time"),
    read(
        &["--input-file"],
        One,
        "--input-file; `payload:FILE` is a mooncake_trace, another FILE single_turn (in batches random_pool), `synthetic:` makes prompts up",
    ),
    same(&["--num-dataset-entries", "--num-prompts"], One, "--num-dataset-entries"),
    same(&["--num-prefix-prompts"], One, "--num-prefix-prompts"),
    read(
        &["--prefix-prompt-length"],
        One,
        "--prefix-prompt-length; 100 where prefixes are asked for without it",
    ),
    same(&["--output-tokens-mean", "--osl"], One, "--output-tokens-mean"),
    same(&["--output-tokens-stddev"], One, "--output-tokens-stddev"),
    refused(
        &["--output-tokens-mean-deterministic"],
        Nothing,
        "it is for Triton's own protocols: give --extra-inputs min_tokens:N and --extra-inputs ignore_eos:true",
    ),
    read(&["--random-seed"], One, "--random-seed; 0 without it"),
    refused(&["--grpc-method"], One, GRPC),
    same(&["--synthetic-input-tokens-mean", "--isl"], One, "--synthetic-input-tokens-mean"),
    same(&["--synthetic-input-tokens-stddev"], One, "--synthetic-input-tokens-stddev"),
    same(&["--warmup-request-count", "--num-warmup-requests"], One, "--warmup-request-count"),
    read(&["--prompt-source"], One, "synthetic and file are told apart by --input-file; dataset is refused"),
    refused(
        &["--input-dataset"],
        One,
        "public datasets are not fetched: write the prompts to a file, and give --input-file",
    ),
    // Media.
    same(&["--image-width-mean"], One, "--image-width-mean"),
    same(&["--image-width-stddev"], One, "--image-width-stddev"),
    same(&["--image-height-mean"], One, "--image-height-mean"),
    same(&["--image-height-stddev"], One, "--image-height-stddev"),
    read(&["--image-format"], One, "--image-format; png without it"),
    same(&["--audio-length-mean"], One, "--audio-length-mean"),
    same(&["--audio-length-stddev"], One, "--audio-length-stddev"),
    same(&["--audio-format"], One, "--audio-format"),
    read(&["--audio-depths"], Any, "--audio-depths for each value"),
    read(&["--audio-sample-rates"], Any, "--audio-sample-rates for each value"),
    same(&["--audio-num-channels"], One, "--audio-num-channels"),
    // Load.
    read(&["--concurrency"], One, "--concurrency; 1 without any load option"),
    read(&["--measurement-interval", "-p"], One, "--benchmark-duration: milliseconds, one window"),
    read(&["--request-count", "--num-requests"], One, "--request-count; without it max(10, 2 x concurrency)"),
    read(&["--request-rate"], One, "--request-rate with --arrival-pattern constant, as perf_analyzer paces"),
    read(&["--fixed-schedule"], One, "--fixed-schedule"),
    no_effect(&["--stability-percentage", "-s"], One, WINDOWS),
    // Sessions.
    read(&["--num-sessions"], One, "--num-conversations"),
    read(&["--session-concurrency"], One, "--concurrency: sessions at once"),
    same(&["--session-delay-ratio"], One, "--session-delay-ratio"),
    same(&["--session-turn-delay-mean"], One, "--session-turn-delay-mean"),
    same(&["--session-turn-delay-stddev"], One, "--session-turn-delay-stddev"),
    same(&["--session-turns-mean"], One, "--session-turns-mean"),
    same(&["--session-turns-stddev"], One, "--session-turns-stddev"),
    // Tokenizer.
    same(&["--tokenizer"], One, "--tokenizer"),
    same(&["--tokenizer-revision"], One, "--tokenizer-revision"),
    same(&["--tokenizer-trust-remote-code"], Nothing, "--tokenizer-trust-remote-code"),
    // Output.
    read(&["--artifact-dir"], One, "--artifact-dir, with the run's own folder below it"),
    no_effect(&["--checkpoint-dir"], One, ANALYSIS),
    no_effect(&["--enable-checkpointing"], Nothing, ANALYSIS),
    no_effect(&["--generate-plots"], Nothing, "every run has its plots, in report.html"),
    read(&["--profile-export-file"], One, "--profile-export-prefix, without the suffix"),
    same(&["--verbose", "-v"], Nothing, "--verbose"),
    same(&["--dry-run"], Nothing, "--dry-run"),
    read(&["--help", "-h"], Nothing, "what there is"),
    read(&["--version"], Nothing, "GenAI-Perf's version, 0.0.16"),
];

/// A type of endpoint, and the one that stands for it here.
pub(super) const ENDPOINT_TYPES: &[(&str, Result<&str, &str>)] = &[
    ("chat", Ok("chat")),
    ("completions", Ok("completions")),
    ("embeddings", Ok("embeddings")),
    ("huggingface_generate", Ok("huggingface_generate")),
    ("multimodal", Ok("chat")),
    ("rankings", Ok("nim_rankings")),
    ("template", Ok("template")),
    ("vision", Ok("chat")),
    ("image_retrieval", Ok("image_retrieval")),
    ("nvclip", Err("embeddings of images are not built: use chat with images, or embeddings of text")),
    (
        "generate",
        Err("Triton's generate extension is not spoken: use template, or its OpenAI-compatible front end"),
    ),
    ("kserve", Err(GRPC)),
    ("dynamic_grpc", Err(GRPC)),
    (
        "tensorrtllm_engine",
        Err("an engine in GenAI-Perf's own process is no server: serve it, and give --url"),
    ),
];

/// Subcommands other than `profile`, with what to do instead.
pub(super) const SUBCOMMANDS: &[(&str, &str)] = &[
    ("analyze", "give the values as a list: aiperf profile --concurrency 1,2,4"),
    (
        "config",
        "GenAI-Perf's YAML is not read: give its settings as options, or write AIPerf's (aiperf config init)",
    ),
    ("template", "write AIPerf's configuration instead: aiperf config init --template minimal"),
    (
        "process-export-files",
        "rebuild a run's files with `loadgen report DIR`, or read profile_export.parquet of each",
    ),
    ("compare", "read the runs' JSON files, or open each run's report.html"),
];

/// The table as Markdown, for docs/compat.md.
pub(crate) fn compat_section() -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "## GenAI-Perf\n\nCalled through a link named `genai-perf`, loadgen takes GenAI-Perf's command line and writes its \
         files. Unique prefixes of options are accepted, the last of several values counts, and behind `--` \
         `--request-count`, `--measurement-interval`, `--concurrency-range`, `--warmup-request-count`, `-H` and `-v` \
         take effect, as far as perf_analyzer's meaning goes.\n\n| Option | Here |\n|---|---|\n",
    );
    for flag in FLAGS {
        let names: Vec<String> = flag.names.iter().map(|name| format!("`{name}`")).collect();
        let here = match flag.becomes {
            Becomes::Same(_) => "works".to_owned(),
            Becomes::Read(how) => format!("works: {how}"),
            Becomes::NoEffect(why) => format!("no effect: {why}"),
            Becomes::Refused(why) => format!("refused: {why}"),
        };
        let _ = writeln!(text, "| {} | {here} |", names.join(", "));
    }
    text.push_str("\n| Endpoint type | Here |\n|---|---|\n");
    for (name, here) in ENDPOINT_TYPES {
        let here = match here {
            Ok(kind) => format!("`{kind}`"),
            Err(why) => format!("refused: {why}"),
        };
        let _ = writeln!(text, "| `{name}` | {here} |");
    }
    text.push_str("\n| Subcommand | Here |\n|---|---|\n| `profile`, or none | works |\n");
    for (name, instead) in SUBCOMMANDS {
        let _ = writeln!(text, "| `{name}` | refused: {instead} |");
    }
    text
}
