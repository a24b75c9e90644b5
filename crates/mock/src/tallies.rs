//! What `/metrics` tells, in Prometheus' text format and under vLLM's names.
//!
//! Counts grow with each generation request that the engine takes. What it does not do: sum over server
//! threads; each answers for itself, as replicas do.

use std::fmt::Write;

use crate::config::ServeReport;
use crate::perf::EngineLoad;

/// Upper bounds of the buckets, tokens.
const BOUNDS: [u32; 14] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000];

/// Sums over the generation requests of one server thread.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    prompt: Histogram,
    generation: Histogram,
    cached_tokens: u64,
}

/// How many requests had how many tokens.
#[derive(Debug, Default)]
struct Histogram {
    /// Requests up to each bound, and beyond all of them.
    counts: [u64; BOUNDS.len() + 1],
    sum: u64,
}

impl Histogram {
    fn add(&mut self, tokens: u32) {
        let bucket = BOUNDS.iter().position(|bound| tokens <= *bound).unwrap_or(BOUNDS.len());
        self.counts[bucket] += 1;
        self.sum += u64::from(tokens);
    }

    fn write(&self, text: &mut String, name: &str, help: &str, labels: &str) {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} histogram\n");
        let mut below = 0;
        let bounds = BOUNDS.iter().map(|bound| format!("{bound}.0")).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(self.counts) {
            below += count;
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {below}");
        }
        let _ = writeln!(text, "{name}_sum{{{labels}}} {}\n{name}_count{{{labels}}} {below}", self.sum);
    }
}

impl Tallies {
    /// Notes a request that the engine takes.
    pub(crate) fn note(&mut self, prompt_tokens: u32, generation_tokens: u32) {
        self.prompt.add(prompt_tokens);
        self.generation.add(generation_tokens);
    }

    /// Notes prompt tokens that the prefix cache had.
    pub(crate) fn note_cached(&mut self, tokens: u32) {
        self.cached_tokens += u64::from(tokens);
    }

    /// The page of `/metrics`.
    pub(crate) fn page(&self, model: &str, load: EngineLoad, report: &ServeReport) -> String {
        let labels = format!("engine=\"0\",model_name=\"{}\"", model.replace(['"', '\\', '\n'], "_"));
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, value: u64| {
            // Writing to a String cannot fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{{{labels}}} {value}\n");
        };
        let (running, waiting) = (load.running as u64, load.waiting as u64);
        family("vllm:num_requests_running", "gauge", "Number of requests being worked on.", running);
        family("vllm:num_requests_waiting", "gauge", "Number of requests that queue.", waiting);
        family("vllm:prompt_tokens_total", "counter", "Prompt tokens taken.", self.prompt.sum);
        family("vllm:generation_tokens_total", "counter", "Tokens sent.", report.tokens);
        family("vllm:request_success_total", "counter", "Requests answered in full.", report.complete);
        family("vllm:prefix_cache_queries_total", "counter", "Prompt tokens looked up.", self.prompt.sum);
        family("vllm:prefix_cache_hits_total", "counter", "Prompt tokens found.", self.cached_tokens);
        family("mock_connections_total", "counter", "Connections accepted.", report.connections);
        family("mock_requests_total", "counter", "Generation requests read.", report.requests);
        self.prompt.write(&mut text, "vllm:request_prompt_tokens", "Prompt tokens of a request.", &labels);
        self.generation.write(&mut text, "vllm:request_generation_tokens", "Tokens of an answer.", &labels);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_all_that_is_below_them() {
        let mut tallies = Tallies::default();
        tallies.note(3, 1);
        tallies.note(100, 30_000);
        tallies.note_cached(64);
        let page = tallies.page("m\"x", EngineLoad { running: 2, waiting: 0 }, &ServeReport::default());
        let has = |line: &str| assert!(page.lines().any(|known| known == line), "{line} is not in\n{page}");
        let labels = "engine=\"0\",model_name=\"m_x\"";
        has(&format!("vllm:num_requests_running{{{labels}}} 2"));
        has(&format!("vllm:prompt_tokens_total{{{labels}}} 103"));
        has(&format!("vllm:prefix_cache_hits_total{{{labels}}} 64"));
        has(&format!("vllm:request_prompt_tokens_bucket{{{labels},le=\"2.0\"}} 0"));
        has(&format!("vllm:request_prompt_tokens_bucket{{{labels},le=\"5.0\"}} 1"));
        has(&format!("vllm:request_prompt_tokens_bucket{{{labels},le=\"+Inf\"}} 2"));
        has(&format!("vllm:request_generation_tokens_bucket{{{labels},le=\"20000.0\"}} 1"));
        has(&format!("vllm:request_generation_tokens_sum{{{labels}}} 30001"));
        has(&format!("vllm:request_generation_tokens_count{{{labels}}} 2"));
    }
}
