//! A whole line of GenAI-Perf's: its options together, with what it leaves unsaid.

use super::Translated;
use super::argparse::Given;
use super::config;
use super::fields::{extra_field, header_field};
use super::passthrough::Passed;
use super::table::{Becomes, ENDPOINT_TYPES};
use crate::words::Word;

/// The seed without `--random-seed`.
const SEED: &str = "0";
/// Tokens of a prefix when only their number is given.
const PREFIX_TOKENS: &str = "100";
/// GenAI-Perf's own format of images; AIPerf's is another.
const IMAGE_FORMAT: &str = "png";

/// The options of a command line.
pub(super) struct Line<'a> {
    pub(super) given: &'a [Given],
    pub(super) passed: Passed,
}

impl Line<'_> {
    /// The values of an option; of several times, the last one's.
    pub(super) fn values(&self, name: &str) -> Option<&[String]> {
        let last = self.given.iter().rev().find(|(flag, _)| flag.names[0] == name)?;
        Some(&last.1)
    }

    /// The first value of an option.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.values(name)?.first().map(String::as_str)
    }

    /// The values of an option that counts each time.
    pub(super) fn each(&self, name: &str) -> impl Iterator<Item = &String> {
        self.given.iter().filter(move |(flag, _)| flag.names[0] == name).flat_map(|(_, values)| values)
    }

    /// The line in this program's grammar. `typed` are its words as they were typed.
    pub(super) fn translated(&self, typed: Vec<Word>) -> Result<Translated, String> {
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
        let images = self.one("--image-width-mean").map(|_| IMAGE_FORMAT);
        if let Some(format) = self.one("--image-format").or(images) {
            add("--image-format", format);
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

    /// Whether the server is of a kind that loadgen speaks to.
    pub(super) fn check_service(&self) -> Result<(), String> {
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
        // As in Python's paths, `./` is no folder.
        let file = file.trim_start_matches("./");
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
