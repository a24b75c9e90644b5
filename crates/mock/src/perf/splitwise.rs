//! Step times measured on real accelerators, from the Splitwise study's table.
//!
//! The table (data/splitwise_perf_model.csv, MIT, see the notice beside it) has repeated measurements
//! of whole prompts (`prompt_time` for `prompt_size` times `batch_size` tokens) and of decode steps
//! (`token_time` for a batch), in ms. Repeats are reduced to their median, and read off by linear
//! interpolation; beyond the last point the last slope goes on. Nothing is extrapolated below the
//! first point: a smaller step takes as long as the smallest measured.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::batch::StepCost;
use super::limits::Limits;

const TABLE: &str = include_str!("../../data/splitwise_perf_model.csv");

/// Which of the table's measurements the `splitwise` profile follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitwiseConfig {
    /// The table's model: `llama2-70b` or `bloom-176b`.
    pub model: String,
    /// The table's hardware: `a100-80gb`, `h100-80gb` or `h100-80gb-pcap` (power capped).
    pub hardware: String,
    /// Accelerators that share the model: 2, 4 or 8 as the table has them.
    pub tensor_parallel: u32,
    /// What the engine may hold at once.
    pub limits: Limits,
}

impl Default for SplitwiseConfig {
    fn default() -> Self {
        Self {
            model: "llama2-70b".to_owned(),
            hardware: "h100-80gb".to_owned(),
            tensor_parallel: 8,
            limits: Limits::default(),
        }
    }
}

impl SplitwiseConfig {
    pub(crate) const KEYS: &[&str] = &["model", "hardware", "tp", "budget", "sequences", "cache"];

    /// Sets an option; `Ok(false)` when it is not one of [`Self::KEYS`]. Whether the table has such
    /// measurements is [`Self::check`]'s to say, once all options are set.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        match key {
            "model" => value.clone_into(&mut self.model),
            "hardware" => value.clone_into(&mut self.hardware),
            "tp" => self.tensor_parallel = value.parse().map_err(|_| "expected 2, 4 or 8")?,
            _ => return self.limits.set(key, value),
        }
        Ok(true)
    }

    /// Whether the table has what the options ask for; the error lists what there is.
    pub(crate) fn check(&self) -> Result<(), String> {
        TableCost::load(self).map(drop)
    }

    /// The options that differ from the usual ones, as they parse.
    pub(crate) fn show(&self) -> Vec<String> {
        let pairs = |config: &Self| {
            let mut pairs = vec![
                format!("model={}", config.model),
                format!("hardware={}", config.hardware),
                format!("tp={}", config.tensor_parallel),
            ];
            pairs.extend(config.limits.pairs());
            pairs
        };
        let usual = pairs(&Self::default());
        pairs(self).into_iter().zip(usual).filter(|(own, usual)| own != usual).map(|(own, _)| own).collect()
    }
}

#[derive(Debug, Deserialize)]
struct Row {
    model: String,
    hardware: String,
    prompt_size: u32,
    batch_size: u32,
    prompt_time: f64,
    token_time: f64,
    tensor_parallel: u32,
}

/// Step times of one row of machines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableCost {
    /// ms by prompt tokens.
    prefill: Curve,
    /// ms by decoding sequences.
    decode: Curve,
}

impl TableCost {
    /// The measurements that fit the options. The error lists what there is.
    pub(crate) fn load(config: &SplitwiseConfig) -> Result<Self, String> {
        let mut rows = Vec::new();
        for row in csv::Reader::from_reader(TABLE.as_bytes()).into_deserialize::<Row>() {
            rows.push(row.map_err(|error| format!("the table does not parse: {error}"))?);
        }
        let (mut prefill, mut decode) = (BTreeMap::new(), BTreeMap::new());
        let fits = |row: &&Row| {
            row.model == config.model
                && row.hardware == config.hardware
                && row.tensor_parallel == config.tensor_parallel
        };
        for row in rows.iter().filter(fits) {
            let tokens = row.prompt_size * row.batch_size;
            prefill.entry(tokens).or_insert_with(Vec::new).push(row.prompt_time);
            // Decode times were swept over batches at this prompt size.
            if row.prompt_size == 512 {
                decode.entry(row.batch_size).or_insert_with(Vec::new).push(row.token_time);
            }
        }
        if prefill.is_empty() || decode.is_empty() {
            let there: std::collections::BTreeSet<String> = rows
                .iter()
                .map(|row| format!("{} on {} tp={}", row.model, row.hardware, row.tensor_parallel))
                .collect();
            let there = there.into_iter().collect::<Vec<_>>().join("; ");
            return Err(format!(
                "no measurements of {} on {} tp={}; there are {there}",
                config.model, config.hardware, config.tensor_parallel
            ));
        }
        Ok(Self { prefill: Curve::medians(prefill), decode: Curve::medians(decode) })
    }
}

impl StepCost for TableCost {
    fn step_ns(&self, prefill_tokens: u32, decoding: u32) -> f64 {
        let decode_ms = if decoding > 0 { self.decode.at(f64::from(decoding)) } else { 0.0 };
        // In a mixed step the decoding sequences are one more token each of the same pass, which
        // never takes less than they would alone.
        let prefill_ms =
            if prefill_tokens > 0 { self.prefill.at(f64::from(prefill_tokens + decoding)) } else { 0.0 };
        prefill_ms.max(decode_ms) * 1e6
    }
}

/// Points in ascending x, at least one.
#[derive(Debug, Clone, PartialEq)]
struct Curve(Vec<(f64, f64)>);

impl Curve {
    fn medians(samples: BTreeMap<u32, Vec<f64>>) -> Self {
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            let middle = values.len() / 2;
            if values.len() % 2 == 1 {
                values[middle]
            } else {
                f64::midpoint(values[middle - 1], values[middle])
            }
        };
        Self(samples.into_iter().map(|(x, values)| (f64::from(x), median(values))).collect())
    }

    fn at(&self, x: f64) -> f64 {
        let points = &self.0;
        if x <= points[0].0 || points.len() == 1 {
            return points[0].1;
        }
        let right = points.partition_point(|(at, _)| *at < x).min(points.len() - 1);
        let ((x0, y0), (x1, y1)) = (points[right - 1], points[right]);
        y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_curve_interpolates_and_goes_on() {
        let curve = Curve(vec![(10.0, 1.0), (20.0, 3.0), (40.0, 4.0)]);
        for (x, y) in [(1.0, 1.0), (10.0, 1.0), (15.0, 2.0), (20.0, 3.0), (30.0, 3.5), (60.0, 5.0)] {
            assert_eq!(curve.at(x), y, "at {x}");
        }
    }

    #[test]
    fn medians_stand_in_for_repeats() {
        let samples = BTreeMap::from([(1, vec![5.0, 1.0, 2.0]), (2, vec![4.0, 1.0])]);
        assert_eq!(Curve::medians(samples).0, [(1.0, 2.0), (2.0, 2.5)]);
    }

    #[test]
    fn the_table_gives_what_was_measured() {
        let config = SplitwiseConfig { tensor_parallel: 2, ..SplitwiseConfig::default() };
        let cost = TableCost::load(&config).unwrap();
        // 512 tokens in a batch of one took 83 to 86 ms there, a decode step 37 ms.
        let (prefill, decode) = (cost.step_ns(512, 0) / 1e6, cost.step_ns(0, 1) / 1e6);
        assert!((82.0..87.0).contains(&prefill), "{prefill}");
        assert!((36.0..38.0).contains(&decode), "{decode}");
        assert_eq!(cost.step_ns(0, 0), 0.0);
    }

    #[test]
    fn every_machine_of_the_table_loads_and_more_prompt_takes_longer() {
        for (model, hardware, tp) in [
            ("llama2-70b", "a100-80gb", 2),
            ("llama2-70b", "a100-80gb", 8),
            ("llama2-70b", "h100-80gb", 4),
            ("llama2-70b", "h100-80gb", 8),
            ("bloom-176b", "a100-80gb", 8),
            ("bloom-176b", "h100-80gb", 8),
            ("bloom-176b", "h100-80gb-pcap", 8),
        ] {
            let config = SplitwiseConfig {
                model: model.to_owned(),
                hardware: hardware.to_owned(),
                tensor_parallel: tp,
                ..SplitwiseConfig::default()
            };
            let cost = TableCost::load(&config).unwrap();
            assert!(cost.step_ns(8192, 0) > cost.step_ns(1024, 0), "{config:?}");
            assert!(cost.step_ns(512, 16) >= cost.step_ns(512, 0), "{config:?}");
        }
    }

    #[test]
    fn what_the_table_lacks_is_said_with_what_it_has() {
        let config = SplitwiseConfig { hardware: "tpu".to_owned(), ..SplitwiseConfig::default() };
        let said = config.check().unwrap_err();
        assert!(
            said.contains("no measurements of llama2-70b on tpu") && said.contains("h100-80gb tp=4"),
            "{said}"
        );
    }
}
