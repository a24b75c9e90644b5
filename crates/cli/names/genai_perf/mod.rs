//! GenAI-Perf's command line in this program's grammar: a pure function of its words.
//!
//! The grammar is argparse's ([`argparse`]), what each option becomes stands in a table ([`table`]), and what is
//! behind `--` was perf_analyzer's ([`passthrough`]). What differs in GenAI-Perf without being said is said here:
//! its defaults, its run's folder, its evenly paced rate, `max_tokens`. No file is read and nothing is checked
//! that the plan checks anyway.

mod argparse;
mod config;
mod passthrough;
mod table;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use crate::words::Word;
use argparse::Given;
use passthrough::Passed;
pub(crate) use table::compat_section;
use table::{Becomes, ENDPOINT_TYPES, FLAGS, SUBCOMMANDS};

/// Requests that GenAI-Perf sends when nothing says how many: at least so many, and twice the concurrency.
const LEAST_REQUESTS: u64 = 10;
/// The seed without `--random-seed`.
const SEED: &str = "0";
/// Tokens of a prefix when only their number is given.
const PREFIX_TOKENS: &str = "100";

/// A command line of GenAI-Perf's, understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Translated {
    /// The words behind the program's name, in this program's grammar.
    pub(crate) words: Vec<String>,
    /// What the user should know.
    pub(crate) notes: Vec<String>,
    /// The configuration as GenAI-Perf's files echo it.
    pub(crate) config: Value,
    /// The words as they were typed, understood.
    pub(crate) typed: Vec<Word>,
}

/// What GenAI-Perf was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    /// To profile.
    Profile(Translated),
    /// Its version.
    Version,
    /// What it can do.
    Help,
}

/// What `genai-perf --help` prints.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "usage: genai-perf profile -m MODEL --endpoint-type TYPE [options] [-- perf_analyzer's options]\n\n\
         GenAI-Perf's command line, run by loadgen. What each option becomes:\n\n",
    );
    for flag in FLAGS {
        let here = match flag.becomes {
            Becomes::Same(_) => String::new(),
            Becomes::Read(how) => how.to_owned(),
            Becomes::NoEffect(why) => format!("without effect: {why}"),
            Becomes::Refused(why) => format!("refused: {why}"),
        };
        text.push_str(format!("  {:<44} {here}", flag.names.join(", ")).trim_end());
        text.push('\n');
    }
    text
}

/// Translates the words behind the program's name.
pub(crate) fn translate(words: &[String]) -> Result<Asked, String> {
    let typed = as_typed(words);
    let (words, passed) = apart(words);
    let words = match words.split_first() {
        // Early versions had no subcommands; and without any word there is nothing to do but to explain.
        None => return Ok(Asked::Help),
        Some((first, rest)) if first == "profile" => rest,
        Some((first, _)) if !first.starts_with('-') => {
            let known = SUBCOMMANDS.iter().find(|(name, _)| name == first);
            return Err(match known {
                Some((name, instead)) => format!("`genai-perf {name}` is not built: {instead}"),
                None => format!("{first:?} is no subcommand of genai-perf: expected profile"),
            });
        }
        Some(_) => words,
    };
    let given = argparse::parse(words, FLAGS)?;
    let is_given = |name: &str| given.iter().any(|(flag, _)| flag.names.contains(&name));
    if is_given("--version") {
        return Ok(Asked::Version);
    }
    if is_given("--help") {
        return Ok(Asked::Help);
    }
    let line = Line { given: &given, passed: passthrough::read(passed)? };
    // The server's kind first: whatever else there is follows from it.
    line.check_service()?;
    for (flag, values) in &given {
        if let Becomes::Refused(why) = flag.becomes {
            let value = values.first().map(|value| format!(" {value}")).unwrap_or_default();
            return Err(format!("{}{value}: {why}", flag.names[0]));
        }
    }
    line.translated(typed).map(Asked::Profile)
}

/// GenAI-Perf's words, and those behind `--`.
fn apart(words: &[String]) -> (&[String], &[String]) {
    match words.iter().position(|word| word == "--") {
        Some(end) => (&words[..end], &words[end + 1..]),
        None => (words, &[]),
    }
}

/// The words as they were typed, understood.
fn as_typed(words: &[String]) -> Vec<Word> {
    let (own, passed) = apart(words);
    let (subcommand, own_options) =
        own.split_at(own.iter().take_while(|word| *word == "profile").count().min(1));
    let mut typed: Vec<Word> = subcommand.iter().cloned().map(Word::Name).collect();
    typed.extend(argparse::words(own_options, FLAGS));
    if words.len() > own.len() {
        typed.push(Word::Name("--".to_owned()));
        typed.extend(passthrough::words(passed));
    }
    typed
}

/// The options of a command line.
struct Line<'a> {
    given: &'a [Given],
    passed: Passed,
}

impl Line<'_> {
    /// The values of an option; of several times, the last one's.
    fn values(&self, name: &str) -> Option<&[String]> {
        let last = self.given.iter().rev().find(|(flag, _)| flag.names[0] == name)?;
        Some(&last.1)
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.values(name)?.first().map(String::as_str)
    }

    /// The values of an option that counts each time.
    fn each(&self, name: &str) -> impl Iterator<Item = &String> {
        self.given.iter().filter(move |(flag, _)| flag.names[0] == name).flat_map(|(_, values)| values)
    }

    fn translated(&self, typed: Vec<Word>) -> Result<Translated, String> {
        let mut words = vec!["profile".to_owned()];
        let mut add = |flag: &str, value: &str| {
            words.push(flag.to_owned());
            words.push(value.to_owned());
        };
        let models = self.values("--model").unwrap_or_default();
        if models.is_empty() {
            return Err("-m: is missing: give the model's name".to_owned());
        }
        for model in models {
            add("--model", model);
        }
        let kind = self.endpoint_type()?;
        add("--endpoint-type", kind.ours);
        if let Some(path) = self.one("--endpoint") {
            add("--endpoint", &format!("/{}", path.trim_start_matches([' ', '/'])));
        }
        for header in self.each("--header").chain(&self.passed.headers) {
            add("--header", &header_field(header)?);
        }
        for field in self.each("--extra-inputs") {
            add("--extra-inputs", &extra_field(field, kind.theirs)?);
        }
        if let Some(targets) = self.values("--goodput") {
            add("--goodput", &targets.join(" "));
        }
        for (name, flag) in
            [("--audio-depths", "--audio-depths"), ("--audio-sample-rates", "--audio-sample-rates")]
        {
            for value in self.values(name).unwrap_or_default() {
                add(flag, value);
            }
        }
        self.input(&mut add)?;
        let load = self.load(&mut add)?;
        let stem = self.stem()?;
        add("--profile-export-prefix", stem);
        add("--artifact-dir", &self.folder(models, kind.theirs, load.stimulus.as_deref()));
        if load.key == "fixed_schedule" {
            words.push("--fixed-schedule".to_owned());
        }
        self.same(&mut words);
        self.observation(&mut words);
        // GenAI-Perf asks for `max_tokens`, whatever the API calls it by now.
        words.push("--use-legacy-max-tokens".to_owned());
        if self.passed.verbose && self.values("--verbose").is_none() {
            words.push("--verbose".to_owned());
        }
        let config = config::dump(self, kind.theirs, &load);
        Ok(Translated { words, notes: self.notes(), config, typed })
    }

    /// Options that are called the same, or nearly so.
    fn same(&self, words: &mut Vec<String>) {
        let mut done: Vec<&str> = Vec::new();
        for (flag, _) in self.given {
            let Becomes::Same(ours) = flag.becomes else { continue };
            if done.contains(&ours) {
                continue;
            }
            done.push(ours);
            if flag.names[0] == "--warmup-request-count" && self.passed.warmup_requests.is_some() {
                continue;
            }
            words.push(ours.to_owned());
            words.extend(self.one(flag.names[0]).map(str::to_owned));
        }
        if let Some(requests) = &self.passed.warmup_requests {
            words.extend(["--warmup-request-count".to_owned(), requests.clone()]);
        }
    }

    /// GenAI-Perf looks at GPUs where it is told to, and never at a server's own metrics.
    fn observation(&self, words: &mut Vec<String>) {
        words.push("--no-server-metrics".to_owned());
        match self.values("--server-metrics-url") {
            Some(urls) => {
                words.push("--gpu-telemetry".to_owned());
                words.extend(urls.iter().cloned());
            }
            None => words.push("--no-gpu-telemetry".to_owned()),
        }
    }

    fn input(&self, add: &mut impl FnMut(&str, &str)) -> Result<(), String> {
        add("--random-seed", self.one("--random-seed").unwrap_or(SEED));
        let prefixes =
            self.one("--num-prefix-prompts").and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
        match self.one("--prefix-prompt-length") {
            // A length without prefixes has nothing to do, in GenAI-Perf as here.
            Some(length) if prefixes > 0 => add("--prefix-prompt-length", length),
            None if prefixes > 0 => add("--prefix-prompt-length", PREFIX_TOKENS),
            _ => {}
        }
        if self.one("--prompt-source") == Some("dataset") {
            return Err(
                "--prompt-source dataset: public datasets are not fetched: write the prompts to a file, and give --input-file"
                    .to_owned(),
            );
        }
        match self.one("--input-file") {
            None => {}
            Some(file) if file.starts_with("synthetic:") => {}
            Some(file) => {
                // Batches are drawn from the file's texts, as from a pool.
                let batches = self.one("--batch-size-text").is_some_and(|size| size != "1");
                let (path, format) = match file.strip_prefix("payload:") {
                    Some(path) => (path, "mooncake_trace"),
                    None if batches => (file, "random_pool"),
                    None => (file, "single_turn"),
                };
                add("--input-file", path);
                add("--custom-dataset-type", format);
            }
        }
        Ok(())
    }

    /// How requests are paced and how many there are.
    fn load(&self, add: &mut impl FnMut(&str, &str)) -> Result<Load, String> {
        let passed = self.passed.concurrency.as_deref();
        let stimuli = [
            ("--concurrency", self.one("--concurrency").or(passed)),
            ("--request-rate", self.one("--request-rate")),
            ("--fixed-schedule", self.one("--fixed-schedule")),
            ("--session-concurrency", self.one("--session-concurrency")),
        ];
        let given: Vec<&str> =
            stimuli.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name).collect();
        if given.len() > 1 {
            return Err(format!("{}: cannot stand beside {}: give one of them", given[0], given[1]));
        }
        if let Some(value) = stimuli[2].1
            && matches!(value.to_ascii_lowercase().as_str(), "false" | "0" | "no")
        {
            return Err(format!(
                "--fixed-schedule {value}: GenAI-Perf takes any text for yes: leave the option out for no"
            ));
        }
        let concurrency = passed.or(stimuli[0].1);
        let load = match (concurrency, stimuli[1].1, stimuli[2].1, stimuli[3].1) {
            (_, Some(rate), ..) => {
                add("--request-rate", rate);
                add("--arrival-pattern", "constant");
                let rate: f64 = rate.parse().map_err(|_| format!("--request-rate: {rate:?} is no number"))?;
                Load {
                    stimulus: Some(format!("request_rate{rate:?}")),
                    key: "request_rate",
                    value: json!(rate),
                }
            }
            (_, _, Some(_), _) => Load {
                stimulus: Some("fixed_schedule".to_owned()),
                key: "fixed_schedule",
                value: json!(true),
            },
            (.., Some(sessions)) => {
                add("--concurrency", sessions);
                let stimulus = format!("session_concurrency{sessions}");
                Load { stimulus: Some(stimulus), key: "session_concurrency", value: whole(sessions) }
            }
            (concurrency, ..) => {
                let concurrency = concurrency.unwrap_or("1");
                add("--concurrency", concurrency);
                // Payloads say themselves what is sent: their folder names no load.
                let payload = self.one("--input-file").is_some_and(|file| file.starts_with("payload:"));
                let stimulus = (!payload).then(|| format!("concurrency{concurrency}"));
                Load { stimulus, key: "concurrency", value: whole(concurrency) }
            }
        };
        self.amount(&load, add)?;
        Ok(load)
    }

    fn amount(&self, load: &Load, add: &mut impl FnMut(&str, &str)) -> Result<(), String> {
        let (count, interval) = (self.one("--request-count"), self.one("--measurement-interval"));
        if count.is_some() && interval.is_some() {
            return Err(
                "--request-count: cannot stand beside --measurement-interval: give one of them".to_owned()
            );
        }
        if let Some(sessions) = self.one("--num-sessions").filter(|sessions| *sessions != "0") {
            add("--num-conversations", sessions);
        }
        let is_bounded = load.key == "fixed_schedule"
            || self.one("--num-sessions").is_some_and(|sessions| sessions != "0")
            || self.one("--input-file").is_some_and(|file| file.starts_with("payload:"));
        // perf_analyzer's own words come last, and win; a count wins over a window.
        let count = self.passed.request_count.as_deref().or(count);
        let interval = self.passed.interval_ms.as_deref().or(interval);
        match (count, interval) {
            (Some(count), _) => add("--request-count", count),
            (None, Some(interval)) => {
                let ms: f64 = interval.parse().map_err(|_| {
                    format!("--measurement-interval: {interval:?} is no number of milliseconds")
                })?;
                add("--benchmark-duration", &(ms / 1e3).to_string());
            }
            (None, None) if is_bounded => {}
            (None, None) => {
                let concurrency = load.value.as_u64().filter(|_| load.key == "concurrency").unwrap_or(0);
                add("--request-count", &LEAST_REQUESTS.max(2 * concurrency).to_string());
            }
        }
        Ok(())
    }

    /// Whether the server is of a kind that loadgen speaks to.
    fn check_service(&self) -> Result<(), String> {
        if let Some(service) = self.one("--service-kind")
            && service != "openai"
        {
            return Err(format!(
                "--service-kind {service}: loadgen speaks HTTP, not gRPC: serve the model behind an OpenAI-compatible \
                 front end, and give --endpoint-type chat"
            ));
        }
        Ok(())
    }

    /// The type of endpoint, in GenAI-Perf's words and in ours.
    fn endpoint_type(&self) -> Result<Kind<'_>, String> {
        let Some(theirs) = self.one("--endpoint-type") else {
            return Err("--endpoint-type: is missing, and without it GenAI-Perf speaks gRPC to Triton, which loadgen \
                        does not: give --endpoint-type chat, or the type that the server speaks"
                .to_owned());
        };
        match ENDPOINT_TYPES.iter().find(|(name, _)| *name == theirs) {
            Some((_, Ok("nim_rankings"))) if self.ranks_for_tei() => {
                Ok(Kind { theirs, ours: "hf_tei_rankings" })
            }
            Some((_, Ok(ours))) => Ok(Kind { theirs, ours }),
            Some((_, Err(why))) => Err(format!("--endpoint-type {theirs}: {why}")),
            None => {
                let known: Vec<&str> = ENDPOINT_TYPES.iter().map(|(name, _)| *name).collect();
                Err(format!("--endpoint-type: {theirs:?} is not known: expected one of {}", known.join(", ")))
            }
        }
    }

    /// GenAI-Perf's way to ask for the rankings of text-embeddings-inference.
    fn ranks_for_tei(&self) -> bool {
        self.each("--extra-inputs").any(|field| field.as_str() == "rankings:tei")
    }

    /// The name of the run's files, without the suffix of the one that GenAI-Perf names.
    fn stem(&self) -> Result<&str, String> {
        let Some(file) = self.one("--profile-export-file") else { return Ok("profile_export") };
        if file.contains('/') {
            return Err(format!("--profile-export-file: {file:?}: folders belong to --artifact-dir"));
        }
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        if stem.is_empty() {
            return Err("--profile-export-file: expected the name of a file".to_owned());
        }
        Ok(stem)
    }

    /// The run's own folder, which GenAI-Perf makes even below a folder that the user names.
    fn folder(&self, models: &[String], kind: &str, stimulus: Option<&str>) -> String {
        let above = self.one("--artifact-dir").unwrap_or("artifacts").trim_end_matches('/');
        let mut name = models[0].clone();
        if models.len() > 1 {
            name.push_str("_multi");
        }
        let mut name = format!("{}-openai-{kind}", name.replace('/', "_"));
        if let Some(stimulus) = stimulus {
            name = format!("{name}-{stimulus}");
        }
        format!("{above}/{name}")
    }

    /// Options that do nothing here, each once, by their reasons.
    fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for (flag, _) in self.given {
            if let Becomes::NoEffect(why) = flag.becomes {
                let note = format!("note: without effect here: {} ({why})", flag.names[0]);
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        if !self.passed.idle.is_empty() {
            let names = self.passed.idle.join(", ");
            notes.push(format!("note: without effect here, behind --: {names} (perf_analyzer is not run)"));
        }
        notes
    }
}

/// A type of endpoint.
struct Kind<'a> {
    theirs: &'a str,
    ours: &'static str,
}

/// How requests are paced, in the words of GenAI-Perf's folders and files.
struct Load {
    stimulus: Option<String>,
    key: &'static str,
    value: Value,
}

fn whole(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from)
}

/// A header as JSON, so that commas in its value stay.
fn header_field(header: &str) -> Result<String, String> {
    let (name, value) = header.split_once(':').ok_or("--header: a header is not of the form Name:value")?;
    Ok(json!({ name.trim(): value.trim() }).to_string())
}

/// An extra input as JSON: a value of GenAI-Perf's types, commas and all.
fn extra_field(field: &str, kind: &str) -> Result<String, String> {
    if field.starts_with('{') {
        return Ok(field.to_owned());
    }
    let (name, value) = match field.split_once(':') {
        Some((name, value)) => (name, Some(value)),
        None => (field, None),
    };
    if name.is_empty() || value.is_some_and(str::is_empty) {
        return Err(format!("--extra-inputs: {name:?} is not of the form name:value"));
    }
    if kind == "rankings" && field == "rankings:tei" {
        return Ok("{}".to_owned());
    }
    Ok(json!({ name: value.map_or(Value::Null, typed) }).to_string())
}

/// A value with the type that it spells.
pub(super) fn typed(text: &str) -> Value {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    if !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(whole) = text.parse::<u64>()
    {
        return Value::from(whole);
    }
    let digits = text.replacen('.', "", 1);
    if text.contains('.')
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(number) = text.parse::<f64>()
    {
        return Value::from(number);
    }
    Value::from(text)
}
