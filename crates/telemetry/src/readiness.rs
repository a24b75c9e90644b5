//! Waiting until the servers are ready: AIPerf's `--wait-for-model-*`.
//!
//! Server after server, model after model, each with the whole timeout of its own. `models` waits until the
//! server lists the model, `inference` until it answers a tiny request with anything but a failure of its own
//! (a status below 500: a server that refuses the request is there to refuse it), `both` for the one and then
//! the other. Nothing is measured.

use std::time::{Duration, Instant};

use loadgen_wire::{Body, EndpointConfig, EndpointKind, Target};
use serde_json::{Value, json};
use thiserror::Error;

use crate::caller::Caller;

/// What a server must do to count as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadinessMode {
    /// List the model.
    Models,
    /// Answer a request.
    #[default]
    Inference,
    /// List it, then answer.
    Both,
}

impl ReadinessMode {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::Inference => "inference",
            Self::Both => "both",
        }
    }
}

/// How servers are waited for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Readiness {
    /// What they must do.
    pub mode: ReadinessMode,
    /// How long each of them has for each model and each of these things.
    pub timeout: Duration,
    /// From one try to the next.
    pub interval: Duration,
}

/// Why a load does not begin.
#[derive(Debug, Error)]
pub enum NotReady {
    /// Too late.
    #[error(
        "Timed out after {}s waiting for model '{model}' to become ready at {url} (checked {checks} time(s)); {last}. \
         Give it longer with --wait-for-model-timeout, or look whether the model has this name",
        seconds(.timeout)
    )]
    TimedOut {
        /// The timeout.
        timeout: Duration,
        /// The model.
        model: String,
        /// The server, credentials removed.
        url: String,
        /// How often it was asked.
        checks: u32,
        /// What it answered last.
        last: String,
    },
    /// The user interrupted the wait.
    #[error("interrupted while waiting for the servers to become ready")]
    Interrupted,
    /// Nothing can be waited for.
    #[error("the servers cannot be asked whether they are ready: {0}")]
    Io(#[from] std::io::Error),
}

/// Whole seconds with one decimal, as AIPerf says them.
fn seconds(duration: &Duration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}

/// Who is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Awaited<'a> {
    /// The servers.
    pub targets: &'a [Target],
    /// The models.
    pub models: &'a [String],
    /// How they are asked.
    pub endpoint: &'a EndpointConfig,
}

impl Readiness {
    /// Waits. `say` is told how it goes, and `is_over` says when nobody waits any longer.
    pub fn wait(
        &self,
        awaited: Awaited<'_>,
        caller: &Caller,
        say: &dyn Fn(&str),
        is_over: &dyn Fn() -> bool,
    ) -> Result<(), NotReady> {
        say(&format!(
            "Waiting for endpoint readiness (mode={}, timeout={}s, interval={}s) across {} URL(s) x {} model(s)",
            self.mode.name(),
            seconds(&self.timeout),
            seconds(&self.interval),
            awaited.targets.len(),
            awaited.models.len(),
        ));
        let waiting = async {
            for target in awaited.targets {
                if matches!(self.mode, ReadinessMode::Models | ReadinessMode::Both) {
                    for model in awaited.models {
                        self.until(target, model, Probe::Models, awaited, caller, say).await?;
                    }
                }
                if matches!(self.mode, ReadinessMode::Inference | ReadinessMode::Both) {
                    for model in awaited.models {
                        self.until(target, model, Probe::Inference, awaited, caller, say).await?;
                    }
                }
            }
            Ok(())
        };
        Caller::block_on(waiting, is_over)?.unwrap_or(Err(NotReady::Interrupted))
    }

    async fn until(
        &self,
        target: &Target,
        model: &str,
        probe: Probe,
        awaited: Awaited<'_>,
        caller: &Caller,
        say: &dyn Fn(&str),
    ) -> Result<(), NotReady> {
        let deadline = Instant::now() + self.timeout;
        let mut checks = 0;
        let mut last = "it was not asked in time".to_owned();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NotReady::TimedOut {
                    timeout: self.timeout,
                    model: model.to_owned(),
                    url: target.to_string(),
                    checks,
                    last,
                });
            }
            checks += 1;
            let patience = self.interval.max(probe.least_patience()).min(left);
            last = match probe.ask(target, model, awaited.endpoint, caller, patience).await {
                Ok(()) => return Ok(()),
                Err(answer) => answer,
            };
            say(&format!("{last} (attempt {checks}), retrying in {}s", seconds(&self.interval)));
            let left = deadline.saturating_duration_since(Instant::now());
            tokio::time::sleep(self.interval.min(left)).await;
        }
    }
}

/// One of the things a server is asked to do.
#[derive(Debug, Clone, Copy)]
enum Probe {
    Models,
    Inference,
}

impl Probe {
    fn least_patience(self) -> Duration {
        match self {
            Self::Models => Duration::from_secs(5),
            Self::Inference => Duration::from_secs(30),
        }
    }

    /// Asks; an error says in a few words what came instead.
    async fn ask(
        self,
        target: &Target,
        model: &str,
        endpoint: &EndpointConfig,
        caller: &Caller,
        patience: Duration,
    ) -> Result<(), String> {
        match self {
            Self::Models => models(target, model, caller, patience).await,
            Self::Inference => inference(target, model, endpoint, caller, patience).await,
        }
    }
}

async fn models(target: &Target, model: &str, caller: &Caller, patience: Duration) -> Result<(), String> {
    let path = target.path_to("/v1/models");
    let place = format!("{}{path}", target.origin());
    let answer = caller.call("GET", target, &path, None, patience).await;
    let answer = answer.map_err(|silence| format!("{place}: {silence}"))?;
    match answer.status {
        200 if lists(&answer.body, model) => Ok(()),
        200 => Err(format!("Model '{model}' not yet in {place}")),
        // No list is kept there: a server that answers at all is as ready as can be told.
        404 => {
            let answer = caller.call("GET", target, &target.path_to(""), None, patience).await;
            let answer = answer.map_err(|silence| format!("{target}: {silence}"))?;
            if (200..300).contains(&answer.status) {
                return Ok(());
            }
            Err(format!("{place} answered with status 404, and {target} with status {}", answer.status))
        }
        status => Err(format!("{place} answered with status {status}")),
    }
}

fn lists(body: &[u8], model: &str) -> bool {
    model_ids(body).is_some_and(|ids| ids.iter().any(|id| id == model))
}

/// The ids of an OpenAI list of models.
pub(crate) fn model_ids(body: &[u8]) -> Option<Vec<String>> {
    let list: Value = serde_json::from_slice(body).ok()?;
    let ids = list.get("data")?.as_array()?.iter().filter_map(|model| model.get("id")?.as_str());
    Some(ids.map(str::to_owned).collect())
}

async fn inference(
    target: &Target,
    model: &str,
    endpoint: &EndpointConfig,
    caller: &Caller,
    patience: Duration,
) -> Result<(), String> {
    let has_path = !target.path_to("").trim_end_matches('/').is_empty();
    let path = match &endpoint.path {
        Some(path) => target.path_to(path),
        None if has_path => target.path_to(""),
        None => target.path_to(endpoint.kind.default_path(false)),
    };
    let body = match endpoint.kind {
        EndpointKind::Completions => json!({ "prompt": "Lo", "max_tokens": 1, "model": model }),
        EndpointKind::Embeddings => json!({ "input": "Lo", "model": model }),
        _ => json!({ "messages": [{ "role": "user", "content": "Lo" }], "max_tokens": 1, "model": model }),
    };
    let body = Body::new(vec![body.to_string().into()]);
    let answer = caller.call("POST", target, &path, Some(("application/json", body)), patience).await;
    let place = format!("{}{path}", target.origin());
    let place = loadgen_wire::redact_url(&place);
    match answer {
        Ok(answer) if answer.status < 500 => Ok(()),
        Ok(answer) => Err(format!("{place} answered with status {}", answer.status)),
        Err(silence) => Err(format!("{place}: {silence}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;

    use loadgen_core::SystemClock;

    use super::*;
    use crate::testing::{Fake, connector};

    /// Long enough for any machine.
    const LONG: Duration = Duration::from_mins(1);

    /// As AIPerf: what stands in the URL stays in front, and is all there is to ask where it is an endpoint's
    /// own path. But for a `/v1`, which AIPerf repeats.
    #[test]
    fn servers_are_asked_below_the_path_of_their_url() {
        for (path, mode, line) in [
            ("/base", ReadinessMode::Models, "GET /base/v1/models"),
            ("/v1", ReadinessMode::Models, "GET /v1/models"),
            ("/base/v1/chat/completions", ReadinessMode::Inference, "POST /base/v1/chat/completions"),
            ("/base", ReadinessMode::Inference, "POST /base"),
            ("", ReadinessMode::Inference, "POST /v1/chat/completions"),
        ] {
            let mut fake = Fake::start(|_, _| (200, "application/json", models("{\"id\": \"m\"}")));
            fake.url += path;
            assert_eq!(wait(&fake, mode, EndpointKind::Chat).0, Ok(()));
            assert_eq!(fake.lines(), [line], "{path}");
        }
        let mut fake = Fake::start(|line, _| match line {
            "GET /base" => (200, "text/plain", String::new()),
            _ => (404, "text/plain", String::new()),
        });
        fake.url += "/base";
        assert_eq!(wait(&fake, ReadinessMode::Models, EndpointKind::Chat).0, Ok(()));
        assert_eq!(fake.lines(), ["GET /base/v1/models", "GET /base"]);
    }

    fn wait(fake: &Fake, mode: ReadinessMode, kind: EndpointKind) -> (Result<(), String>, Vec<String>) {
        wait_for(LONG, fake, mode, kind)
    }

    fn wait_for(
        timeout: Duration,
        fake: &Fake,
        mode: ReadinessMode,
        kind: EndpointKind,
    ) -> (Result<(), String>, Vec<String>) {
        let clock = SystemClock::start();
        let endpoint = EndpointConfig::new(kind, true);
        let caller = Caller::new(connector(clock), &endpoint, clock);
        let targets = [fake.target()];
        let models = ["m".to_owned()];
        let awaited = Awaited { targets: &targets, models: &models, endpoint: &endpoint };
        let interval = Duration::from_millis(10);
        let said = Mutex::new(Vec::new());
        let say = |text: &str| said.lock().unwrap().push(text.to_owned());
        let waited = Readiness { mode, timeout, interval }.wait(awaited, &caller, &say, &|| false);
        (waited.map_err(|error| error.to_string()), said.into_inner().unwrap())
    }

    fn models(ids: &str) -> String {
        format!("{{\"data\": [{ids}]}}")
    }

    #[test]
    fn a_server_is_ready_once_it_lists_the_model_and_answers() {
        let fake = Fake::start(|line, before| match line {
            "GET /v1/models" if before < 2 => (200, "application/json", models("{\"id\": \"other\"}")),
            "GET /v1/models" => (200, "application/json", models("{\"id\": \"m\"}")),
            // A refusal is an answer.
            _ if before > 0 => (400, "application/json", "{}".to_owned()),
            _ => (503, "application/json", "{}".to_owned()),
        });
        let (waited, said) = wait(&fake, ReadinessMode::Both, EndpointKind::Chat);
        assert_eq!(waited, Ok(()));
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(
            said[0].starts_with("Waiting for endpoint readiness (mode=both, timeout=60.0s"),
            "{}",
            said[0]
        );
        assert!(said[1].starts_with("Model 'm' not yet in "), "{}", said[1]);
        let lines = fake.lines();
        assert_eq!(lines[..3], ["GET /v1/models"; 3]);
        assert_eq!(lines[3..], ["POST /v1/chat/completions"; 2]);
        let body = "{\"messages\":[{\"role\":\"user\",\"content\":\"Lo\"}],\"max_tokens\":1,\"model\":\"m\"}";
        assert_eq!(fake.asked()[4].body, body);
    }

    #[test]
    fn a_server_without_a_list_is_ready_when_it_answers_at_all() {
        let fake = Fake::start(|line, _| match line {
            "GET /" => (204, "text/plain", String::new()),
            _ => (404, "text/plain", String::new()),
        });
        assert_eq!(wait(&fake, ReadinessMode::Models, EndpointKind::Chat).0, Ok(()));
        assert_eq!(fake.lines(), ["GET /v1/models", "GET /"]);
    }

    #[test]
    fn a_server_that_never_gets_ready_ends_the_wait() {
        let fake = Fake::start(|_, _| (200, "application/json", models("{\"id\": \"other\"}")));
        let (waited, _) =
            wait_for(Duration::from_millis(300), &fake, ReadinessMode::Models, EndpointKind::Chat);
        let error = waited.unwrap_err();
        assert!(
            error.starts_with("Timed out after 0.3s waiting for model 'm' to become ready at "),
            "{error}"
        );
        assert!(error.contains("--wait-for-model-timeout"), "{error}");
    }

    #[test]
    fn other_endpoints_are_asked_in_their_own_way() {
        for (kind, line, field) in [
            (EndpointKind::Completions, "POST /v1/completions", "\"prompt\":\"Lo\""),
            (EndpointKind::Embeddings, "POST /v1/embeddings", "\"input\":\"Lo\""),
        ] {
            let fake = Fake::start(|_, _| (200, "application/json", "{}".to_owned()));
            assert_eq!(wait(&fake, ReadinessMode::Inference, kind).0, Ok(()));
            let asked = fake.asked().remove(0);
            assert_eq!(asked.line, line);
            assert!(asked.body.contains(field) && !asked.body.contains("stream"), "{}", asked.body);
        }
    }
}
