//! A plan for people: what `--dry-run` prints.

use std::fmt::Write as _;

use loadgen_run::{PhaseLoad, Rehearsal};

use super::{Notice, Planned};

impl Planned {
    /// The plan, one fact a line; `rehearsal` is what preparing it has shown, `results` where they would go.
    pub(crate) fn in_words(&self, rehearsal: &Rehearsal, results: &str) -> String {
        let (run, report) = (&self.run, &self.run.report);
        let mut page = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(page, "{name:<12}{value}");
        };
        let mock =
            run.server_kind.as_ref().map(|_| "the built-in mock server, started for the run".to_owned());
        line("servers", mock.unwrap_or_else(|| report.urls.join(", ")));
        let streaming = if report.streaming { ", streaming" } else { "" };
        line("endpoint", format!("{}{streaming}", super::endpoint::name(report.endpoint)));
        line("models", report.models.join(", "));
        line("tokenizer", report.tokenizer_name.clone());
        line("requests", report.workload_in_words.clone());
        line("dataset", format!("{} conversations, {} turns", rehearsal.conversations, rehearsal.turns));
        line("load", report.load_in_words.clone());
        if let Some(warmup) = &run.warmup {
            line("warm-up", until(warmup));
        }
        line("measured", until(&run.profiling));
        line("seed", report.random_seed.map_or("a new one for each run".to_owned(), |seed| seed.to_string()));
        if let Some(goodput) = &report.goodput {
            line("goodput", goodput.clone());
        }
        line("timeout", run.request_timeout_ns.map_or("none".to_owned(), seconds));
        line("results", results.to_owned());
        for notice in &self.notices {
            match notice {
                Notice::Info(text) => line("note", text.clone()),
                Notice::Warning(text) => line("warning", text.clone()),
            }
        }
        for warning in &rehearsal.warnings {
            line("warning", warning.clone());
        }
        page.push_str("Nothing was sent and nothing was written: this was a dry run.\n");
        page
    }
}

/// When a phase ends.
fn until(phase: &PhaseLoad) -> String {
    let stop = &phase.stop;
    let requests = stop.requests.map(|count| format!("{count} requests"));
    let sessions = stop.sessions.map(|count| format!("{count} conversations"));
    let duration = stop.duration_ns.map(|duration| {
        let grace = stop.grace_ns.map_or("as long as it takes".to_owned(), seconds);
        format!("{}, then {grace} for what is in flight", seconds(duration))
    });
    let limits: Vec<String> = requests.into_iter().chain(sessions).chain(duration).collect();
    if limits.is_empty() { "until the dataset ends".to_owned() } else { limits.join(", or ") }
}

fn seconds(ns: i64) -> String {
    format!("{} s", ns as f64 / 1e9)
}
