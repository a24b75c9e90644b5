//! How requests are paced, and how many there are, in GenAI-Perf's way.

use serde_json::{Value, json};

use super::line::Line;

/// Requests that GenAI-Perf sends when nothing says how many: at least so many, and twice the concurrency.
const LEAST_REQUESTS: u64 = 10;

/// How requests are paced, in the words of GenAI-Perf's folders and files.
pub(super) struct Load {
    /// Its part of the folder's name, if it has one.
    pub(super) stimulus: Option<String>,
    /// Its key below `stimulus`.
    pub(super) key: &'static str,
    /// What stands there.
    pub(super) value: Value,
}

impl Line<'_> {
    /// How requests are paced and how many there are.
    pub(super) fn load(&self, add: &mut impl FnMut(&str, &str)) -> Result<Load, String> {
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
}

fn whole(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from)
}
