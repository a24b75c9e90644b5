//! The single requests of an experiment's runs, metric by metric, from the files that the runs left.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use loadgen_metrics::Pool;
use loadgen_report::aggregate::{Collated, CollatedMetric, CollatedRun, Repeats};
use loadgen_run::Artifacts;
use loadgen_study::{Made, run_label};
use serde_json::Value;

use super::Results;

impl Results<'_> {
    /// The requests of all runs, metric by metric; `None` where no run exported them.
    pub(super) fn collated(&self, repeats: &Repeats) -> Result<Option<Collated>> {
        let mut pools = Pool::in_folder(self.dir);
        let mut metrics: Vec<(String, Pool, Vec<CollatedRun>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for run in self.made.iter().filter(|run| run.outcome.is_ok()) {
            let mut of_run: HashMap<usize, (f64, u64)> = HashMap::new();
            read_samples(&self.records(run), |tag, sample| {
                let place = *places.entry(tag.to_owned()).or_insert_with(|| {
                    metrics.push((tag.to_owned(), pools.next().unwrap_or_default(), Vec::new()));
                    metrics.len() - 1
                });
                metrics[place].1.push(sample);
                let (sum, count) = of_run.entry(place).or_default();
                *sum += sample;
                *count += 1;
            })?;
            for (place, (sum, count)) in of_run {
                let label = run_label(run.cell.trial);
                metrics[place].2.push(CollatedRun { label, mean: sum / count as f64, count });
            }
        }
        let mut collated = Vec::new();
        for (tag, pool, runs) in metrics {
            if let Some(combined) = pool.figures()? {
                collated.push(CollatedMetric { tag, combined, runs });
            }
        }
        Ok((!collated.is_empty()).then(|| Collated { repeats: repeats.clone(), metrics: collated }))
    }

    fn records(&self, run: &Made) -> PathBuf {
        let folder = self.dir.join(self.design.run_folder(run.cell));
        Artifacts::new(folder, self.record.prefix.as_deref()).records_jsonl()
    }
}

/// Hands every single figure of every measured request that succeeded to `take`. A file that is not
/// there has none.
pub(in crate::commands::study) fn read_samples(
    records: &Path,
    mut take: impl FnMut(&str, f64),
) -> Result<()> {
    let file = match File::open(records) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", records.display())),
    };
    for line in BufReader::new(file).lines() {
        let line = line.with_context(|| format!("cannot read {}", records.display()))?;
        let record: Value = serde_json::from_str(&line)
            .with_context(|| format!("{} holds a damaged line", records.display()))?;
        if record["metadata"]["benchmark_phase"] != "profiling" || record.get("error").is_some() {
            continue;
        }
        for (tag, metric) in record["metrics"].as_object().into_iter().flatten() {
            if let Some(sample) = metric["value"].as_f64() {
                take(tag, sample);
            }
        }
    }
    Ok(())
}
