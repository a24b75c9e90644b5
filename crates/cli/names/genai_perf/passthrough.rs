//! What stands behind `--`: perf_analyzer's own options.
//!
//! Those that say what is sent or how much take effect, and win over GenAI-Perf's own, as the later words of
//! perf_analyzer's command line do. Threads and the like have no effect here, which is said.

/// What perf_analyzer's options ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) verbose: bool,
    pub(super) headers: Vec<String>,
    pub(super) request_count: Option<String>,
    pub(super) interval_ms: Option<String>,
    pub(super) concurrency: Option<String>,
    pub(super) warmup_requests: Option<String>,
    /// Options without an effect, as they were typed.
    pub(super) idle: Vec<String>,
}

/// Reads them.
pub(super) fn read(words: &[String]) -> Result<Passed, String> {
    let mut passed = Passed::default();
    let mut rest = words.iter().peekable();
    while let Some(word) = rest.next() {
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) if name.starts_with('-') => (name, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = || {
            let next = attached.clone().or_else(|| rest.next().cloned());
            next.ok_or_else(|| format!("{name}, behind --: expected a value"))
        };
        match name {
            "-v" | "-vv" | "--verbose" | "--extra-verbose" => passed.verbose = true,
            "-H" => passed.headers.push(value()?),
            "--request-count" => passed.request_count = Some(value()?),
            "--measurement-interval" | "-p" => passed.interval_ms = Some(value()?),
            "--warmup-request-count" => passed.warmup_requests = Some(value()?),
            "--concurrency-range" => {
                let range = value()?;
                if range.contains(':') {
                    return Err(format!(
                        "--concurrency-range {range}, behind --: a range of loads is several runs: give one value"
                    ));
                }
                passed.concurrency = Some(range);
            }
            _ => {
                passed.idle.push(name.to_owned());
                // Its value, if it has one, goes with it.
                if attached.is_none() {
                    rest.next_if(|next| !next.starts_with('-'));
                }
            }
        }
    }
    Ok(passed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn passed(words: &str) -> Passed {
        read(&words.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_scripts_pass_takes_effect_or_is_named() {
        let found = passed("-v --max-threads 120 --async --request-count=1 -p 4000 --concurrency-range 8");
        assert!(found.verbose);
        assert_eq!(found.idle, ["--max-threads", "--async"]);
        assert_eq!(found.request_count.as_deref(), Some("1"));
        assert_eq!(found.interval_ms.as_deref(), Some("4000"));
        assert_eq!(found.concurrency.as_deref(), Some("8"));
        assert!(read(&["--concurrency-range".to_owned(), "1:8".to_owned()]).is_err());
    }
}
