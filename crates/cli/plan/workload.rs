//! From flags to what is sent.

mod file;
mod media;
mod synthetic;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use loadgen_wire::EndpointKind;
use loadgen_workload::{
    CommonConfig, LengthDistribution, ModelSelection, PairedLengths, Sampling, SyntheticConfig,
    WorkloadConfig,
};

use super::Faults;
use super::load::Load;
use crate::args::ProfileArgs;
use crate::args::swept::Swept;
use crate::args::values::word;

/// Resolves the workload for `endpoint`.
pub(super) fn workload(
    args: &ProfileArgs,
    load: &Load,
    endpoint: EndpointKind,
    faults: &mut Faults,
) -> Option<WorkloadConfig> {
    let common = common(args, endpoint, faults);
    match &args.input.input_file {
        Some(path) => file::file(args, path, endpoint, common, faults).map(WorkloadConfig::Trace),
        None => synthetic::synthetic(args, load, endpoint, common, faults).map(WorkloadConfig::Synthetic),
    }
}

/// Refuses an input file that can be read but once, before anything reads it: planning looks into the file, and
/// the run reads it again, with nothing left of a pipe then.
pub(super) fn check_file(args: &ProfileArgs, faults: &mut Faults) {
    let Some(path) = &args.input.input_file else { return };
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        faults.add(
            "--input-file",
            format!(
                "{} is a pipe or a device, and is read more than once: copy it to a file first",
                path.display()
            ),
        );
    }
}

/// Whether bodies are sent as a file has them.
pub(super) fn is_ready(workload: &WorkloadConfig) -> bool {
    matches!(workload, WorkloadConfig::Trace(file) if file.format.holds_bodies())
}

/// What holds for made-up prompts and for files.
fn common(args: &ProfileArgs, endpoint: EndpointKind, faults: &mut Faults) -> CommonConfig {
    CommonConfig {
        sampling: sampling(args, faults),
        model_selection: model_selection(args, faults),
        system_prompt: system_prompt(args, endpoint, faults),
        joins_system: matches!(endpoint, EndpointKind::Chat | EndpointKind::ChatEmbeddings),
        ranks: ranks(endpoint),
        in_chat_template: args.tokenizer.apply_chat_template,
    }
}

/// Whether an endpoint ranks passages.
fn ranks(endpoint: EndpointKind) -> bool {
    matches!(endpoint, EndpointKind::NimRankings | EndpointKind::CohereRankings | EndpointKind::HfTeiRankings)
}

/// Which conversation a session takes.
fn sampling(args: &ProfileArgs, faults: &mut Faults) -> Sampling {
    let known =
        [("sequential", Sampling::Sequential), ("random", Sampling::Random), ("shuffle", Sampling::Shuffle)];
    one_of("--dataset-sampling-strategy", args.input.dataset_sampling_strategy.as_deref(), &known, faults)
        .unwrap_or_default()
}

/// The value that a word stands for; `None` without a word, and for one that is not known.
fn one_of<T: Copy>(
    flag: &'static str,
    text: Option<&str>,
    known: &[(&str, T)],
    faults: &mut Faults,
) -> Option<T> {
    let text = text?;
    let word = word(text);
    let found = known.iter().find(|(name, _)| *name == word);
    if found.is_none() {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        faults.add(flag, format!("{text:?} is not known: expected {}", names.join(", ")));
    }
    found.map(|(_, value)| *value)
}

/// The system message, as it was given or as its file has it.
fn system_prompt(args: &ProfileArgs, endpoint: EndpointKind, faults: &mut Faults) -> Option<String> {
    let prefix = &args.prefix;
    let (flag, text) = match (&prefix.system_prompt, &prefix.system_prompt_file) {
        (None, None) => return None,
        (Some(_), Some(_)) => {
            faults.exclude("--system-prompt", "--system-prompt-file");
            return None;
        }
        (Some(text), None) => ("--system-prompt", text.clone()),
        (None, Some(path)) => {
            ("--system-prompt-file", faults.take("--system-prompt-file", text_of(&at_home(path)))?)
        }
    };
    if text.trim().is_empty() {
        faults.add(flag, "holds no text");
    }
    for (other, given) in [
        ("--shared-system-prompt-length", prefix.shared_system_prompt_length.is_some()),
        ("--num-prefix-prompts", prefix.num_prefix_prompts.is_some_and(|count| count > 0)),
        ("--prefix-prompt-length", prefix.prefix_prompt_length.is_some_and(|length| length > 0)),
    ] {
        if given {
            faults.exclude(flag, other);
        }
    }
    needs_system(flag, endpoint, faults);
    Some(text)
}

/// The text of a file. A link is refused, as AIPerf does: what it leads to may not be what was meant.
fn text_of(path: &Path) -> Result<String, String> {
    if path.is_symlink() {
        return Err(format!("{} is a symbolic link: name the file itself", path.display()));
    }
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A path whose leading `~` is the user's home.
fn at_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// Refuses what is a system message where the endpoint has no place for one.
fn needs_system(flag: &'static str, endpoint: EndpointKind, faults: &mut Faults) {
    if !endpoint.facts().takes_system {
        let name = endpoint.facts().name;
        faults.add(flag, format!("a body of --endpoint-type {name} has no place for a system message"));
    }
}

/// Refuses conversations where the endpoint takes one message at a time.
fn needs_history(flag: &'static str, endpoint: EndpointKind, faults: &mut Faults) {
    if !endpoint.facts().takes_history {
        let name = endpoint.facts().name;
        faults.add(flag, format!("--endpoint-type {name} takes one message at a time, and no conversation"));
    }
}

/// Which of several models a request asks.
fn model_selection(args: &ProfileArgs, faults: &mut Faults) -> ModelSelection {
    let strategy = args.endpoint.model_selection_strategy.as_deref();
    if strategy.map(word).as_deref() == Some("weighted") {
        faults.add("--model-selection-strategy", "weighted needs weights, which no option gives");
        return ModelSelection::default();
    }
    let known = [("round_robin", ModelSelection::RoundRobin), ("random", ModelSelection::Random)];
    one_of("--model-selection-strategy", strategy, &known, faults).unwrap_or_default()
}

/// Conversations of a dataset: as many as `--num-dataset-entries` says, else as will be asked for.
fn entries(args: &ProfileArgs) -> u64 {
    args.input
        .num_dataset_entries
        .or(args.input.num_conversations.as_ref().map(Swept::first))
        .or(args.load.request_count.as_ref().map(Swept::first))
        .unwrap_or(u64::from(SyntheticConfig::DEFAULT_ENTRIES))
}

/// What is sent, for people.
pub(super) fn in_words(workload: &WorkloadConfig) -> String {
    match workload {
        WorkloadConfig::Synthetic(synthetic) => synthetic_in_words(synthetic),
        WorkloadConfig::Trace(trace) => {
            let name = trace.path.file_name().unwrap_or(trace.path.as_os_str()).to_string_lossy();
            match trace.speedup {
                1.0 => name.into_owned(),
                speedup => format!("{name}, {speedup} times as fast"),
            }
        }
    }
}

fn synthetic_in_words(synthetic: &SyntheticConfig) -> String {
    let spread = |length: &LengthDistribution| match length.stddev {
        0.0 => length.mean.to_string(),
        stddev => format!("{} ± {stddev}", length.mean),
    };
    if let Some(rankings) = &synthetic.rankings {
        return format!(
            "a query of {} tokens and {} passages of {}, {} times over",
            spread(&rankings.query_tokens),
            spread(&rankings.passages),
            spread(&rankings.passage_tokens),
            synthetic.entries
        );
    }
    let output = synthetic.osl.as_ref().map_or_else(|| "any number of".to_owned(), spread);
    let lengths = match &synthetic.pairs {
        Some(PairedLengths::Mix(mix)) => format!("a mix of lengths ({mix})"),
        Some(PairedLengths::Range(range)) => {
            let (input, output_ratio) = (range.input, range.output);
            format!(
                "{} (± {input}) tokens in, {output} (± {output_ratio}) tokens out",
                spread(&synthetic.isl)
            )
        }
        None => format!("{} tokens in, {output} tokens out", spread(&synthetic.isl)),
    };
    let turns = match &synthetic.turns {
        LengthDistribution { mean: 1.0, stddev: 0.0 } => "prompts".to_owned(),
        turns => format!("conversations of {} turns", spread(turns)),
    };
    let images = synthetic.images.as_ref().map(|images| {
        format!(", {} images of {} × {}", images.batch, spread(&images.width), spread(&images.height))
    });
    let audio = synthetic.audio.as_ref();
    let audio = audio.map(|audio| format!(", {} sounds of {} s", audio.batch, spread(&audio.length_s)));
    format!(
        "{lengths}{}{}, {} {turns}",
        images.unwrap_or_default(),
        audio.unwrap_or_default(),
        synthetic.entries
    )
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
    let first = rows(path).next().unwrap_or_default();
    let row: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&first).ok();
    row.is_some_and(|row| row.get("timestamp").is_some_and(|timestamp| !timestamp.is_null()))
}

/// How many rows a file has, or the JSONL files of a folder.
pub(super) fn rows_of(path: &Path) -> usize {
    let Ok(folder) = std::fs::read_dir(path) else { return rows(path).count() };
    let files = folder.flatten().map(|entry| entry.path());
    let is_jsonl = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "jsonl");
    files.filter(is_jsonl).map(|file| rows(&file).count()).sum()
}

/// The lines of a file that are not blank; none of one that cannot be read.
fn rows(path: &Path) -> impl Iterator<Item = String> {
    let reader: Box<dyn Read> = match std::fs::File::open(path) {
        Ok(file) if path.extension().is_some_and(|extension| extension == "gz") => {
            Box::new(flate2::read::MultiGzDecoder::new(file))
        }
        Ok(file) => Box::new(file),
        Err(_) => Box::new(std::io::empty()),
    };
    BufReader::new(reader).lines().map_while(Result::ok).filter(|line| !line.trim().is_empty())
}
