//! `loadgen profile` under measurement, and what it left behind.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use loadgen_core::{Outcome, RequestRecord};
use loadgen_record::RecordReader;
use serde_json::Value;

use crate::lab::{Bench, Folder};
use crate::mock::Mock;
use crate::process::{Job, Running, Usage};
use crate::timing::{Errors, Seen};
use crate::truth::Truth;

/// A load to be made.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    job: Job,
    results: PathBuf,
}

impl Client {
    /// A load on `mock`, `flags` as on a command line, with results in a folder called `name`.
    pub(crate) fn new(bench: &Bench, folder: &Folder, mock: &Mock, name: &str, flags: &str) -> Self {
        let results = folder.file(name);
        let fixed = "profile --model demo --endpoint-type chat --ui none --tokenizer builtin --random-seed 1";
        let mut arguments: Vec<String> =
            fixed.split_whitespace().chain(flags.split_whitespace()).map(str::to_owned).collect();
        arguments.extend(["--url".to_owned(), mock.url.clone()]);
        arguments.extend(["--artifact-dir".to_owned(), results.to_string_lossy().into_owned()]);
        if mock.tls {
            arguments.push("--insecure".to_owned());
        }
        let job = Job {
            program: bench.loadgen.clone(),
            arguments,
            folder: folder.path().to_owned(),
            output: folder.file(&format!("{name}.out")),
            open_files: None,
            cores: Vec::new(),
            limit_seconds: 300,
        };
        Self { job, results }
    }

    /// With at most this many files open.
    pub(crate) fn open_files(mut self, files: u64) -> Self {
        self.job.open_files = Some(files);
        self
    }

    /// For at most so many seconds.
    pub(crate) fn at_most_seconds(mut self, seconds: u64) -> Self {
        self.job.limit_seconds = seconds;
        self
    }

    /// On these cores alone.
    pub(crate) fn cores(mut self, cores: &[usize]) -> Self {
        self.job.cores = cores.to_vec();
        self
    }

    /// Starts it.
    pub(crate) fn start(&self) -> Result<Running> {
        Running::start(&self.job)
    }

    /// Runs it to its end, which must be a success.
    pub(crate) fn run(self) -> Result<Run> {
        let usage = self.start()?.succeed()?;
        Ok(self.ran(usage))
    }

    /// What a run that has ended left behind.
    pub(crate) fn ran(self, usage: Usage) -> Run {
        Run { usage, results: self.results, output: self.job.output }
    }
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    /// What it took.
    pub(crate) usage: Usage,
    results: PathBuf,
    /// What it said.
    pub(crate) output: PathBuf,
}

impl Run {
    /// The per-request file.
    pub(crate) fn lines(&self) -> PathBuf {
        self.results.join("profile_export.jsonl")
    }

    /// `measurement_quality.json`.
    pub(crate) fn quality(&self) -> Result<Value> {
        self.json("measurement_quality.json")
    }

    /// Content chunks that came, of measured requests.
    pub(crate) fn token_events(&self) -> Result<f64> {
        let quality = self.quality()?;
        let chunks = quality["uncertain_chunks"]["chunks"].as_f64();
        chunks.filter(|chunks| *chunks > 0.0).context("measurement_quality.json counts no chunks")
    }

    /// CPU time of the process while load was made, ns.
    pub(crate) fn cpu_while_loading_ns(&self) -> Result<f64> {
        let seconds = self.quality()?["host"]["process_cpu_seconds"].as_f64();
        Ok(1e9 * seconds.context("measurement_quality.json has no CPU time")?)
    }

    /// The body of the first request, as it was sent.
    pub(crate) fn first_body(&self) -> Result<String> {
        let inputs = self.json("inputs.json")?;
        let body = &inputs["data"][0]["payloads"][0];
        anyhow::ensure!(body.is_object(), "inputs.json has no first payload");
        Ok(body.to_string())
    }

    fn json(&self, name: &str) -> Result<Value> {
        let path = self.results.join(name);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("no {}: {}", path.display(), crate::process::tail_of(&self.output)))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The rows of its Parquet file.
    pub(crate) fn records(&self) -> Result<impl Iterator<Item = Result<RequestRecord>>> {
        let path = self.results.join("profile_export.parquet");
        let reader = RecordReader::open(&path).with_context(|| crate::process::tail_of(&self.output))?;
        Ok(reader.map(|row| Ok(row?.record)))
    }

    /// Holds every good response against the server's log.
    pub(crate) fn errors_against(&self, truth: &Truth) -> Result<Errors> {
        let mut errors = Errors::default();
        for record in self.records()? {
            let record = record?;
            if record.outcome != Outcome::Ok {
                continue;
            }
            let id = record.identity.request_id.to_string();
            let written =
                truth.by_id.get(&id).with_context(|| format!("the server knows no request {id}"))?;
            let seen = seen(&record).with_context(|| format!("request {id} is ok and has no start"))?;
            if let Err(differ) = errors.add(&seen, written) {
                bail!("request {id}: {} chunks seen, {} tokens written", differ.seen, differ.written);
            }
        }
        anyhow::ensure!(
            !errors.outside.is_empty(),
            "no response came: {}",
            crate::process::tail_of(&self.output)
        );
        Ok(errors)
    }
}

fn seen(record: &RequestRecord) -> Option<Seen> {
    let request_start = record.instants.request_start?.0;
    let arrivals = record.chunks.offset_ns.iter().map(|offset| request_start + offset).collect();
    Some(Seen { request_start, arrivals, uncertainty: record.chunks.uncertainty_ns.clone() })
}
