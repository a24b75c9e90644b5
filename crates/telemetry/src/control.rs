//! Control calls: AIPerf's `--reset-kv-cache` and `--server-profiler`.
//!
//! Each is an empty POST to every distinct origin of the servers, with the user's headers and key. A reset that
//! is refused because the server is busy is tried again; a profiler that cannot be started everywhere is stopped
//! where it was started, in reverse, so that no server is left profiling. Whether a failure ends the run is the
//! caller's to say.
//!
//! An interrupt ends a reset and a start at once. A stop is still sent to every server, and waited for only a
//! moment: a profiler that is left running would slow down whatever comes next.

use std::time::{Duration, Instant};

use loadgen_wire::{Body, Target};
use thiserror::Error;

use crate::caller::{Caller, origins};

/// Statuses after which a reset is worth another try.
const TRY_AGAIN: [u16; 4] = [409, 423, 429, 503];
/// How long a reset is tried in all.
const RESET_WITHIN: Duration = Duration::from_mins(1);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// How long a server may take to stop profiling once the user has interrupted.
const MOMENT: Duration = Duration::from_secs(2);
/// How long a server may take to answer unless told otherwise.
pub const CONTROL_TIMEOUT: Duration = Duration::from_secs(30);

/// Calls that are made around a load.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ControlHooks {
    /// Before anything is sent.
    pub reset_kv_cache: Option<ResetKvCache>,
    /// Around the measured phase.
    pub server_profiler: Option<ServerProfiler>,
}

/// Clearing the servers' caches.
#[derive(Debug, Clone, PartialEq)]
pub struct ResetKvCache {
    /// Where.
    pub path: String,
    /// How long one answer may take.
    pub timeout: Duration,
}

impl Default for ResetKvCache {
    fn default() -> Self {
        Self { path: "/reset_prefix_cache".to_owned(), timeout: CONTROL_TIMEOUT }
    }
}

/// Profiling the servers.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerProfiler {
    /// Where it is started.
    pub start_path: String,
    /// Where it is stopped.
    pub stop_path: String,
    /// How long one answer may take.
    pub timeout: Duration,
}

impl Default for ServerProfiler {
    fn default() -> Self {
        Self {
            start_path: "/start_profile".to_owned(),
            stop_path: "/stop_profile".to_owned(),
            timeout: CONTROL_TIMEOUT,
        }
    }
}

/// A control call that failed.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The caches were not cleared.
    #[error("reset_kv_cache failed before benchmark start: {0}; look at --reset-kv-cache-path")]
    Reset(Refusal),
    /// The profiler was not started.
    #[error("server_profiler start failed: {0}; look at --server-profiler-start-path")]
    Start(Refusal),
    /// The profiler was not stopped everywhere.
    #[error("server_profiler stop failed for {} origin(s): {}", .0.len(), joined(.0))]
    Stop(Vec<Refusal>),
    /// The user interrupted the call.
    #[error("interrupted during a control call")]
    Interrupted,
    /// Nothing can be called.
    #[error("the servers cannot be called: {0}")]
    Io(#[from] std::io::Error),
}

/// What one server answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("control_plane POST {url} failed {how}")]
pub struct Refusal {
    /// Where, credentials removed.
    pub url: String,
    /// `with status 404`, or why there is no answer.
    pub how: String,
    /// Whether another try may help.
    worth_another_try: bool,
}

fn joined(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl ResetKvCache {
    /// Clears the cache of every server.
    pub fn call(
        &self,
        targets: &[Target],
        caller: &Caller,
        is_over: &dyn Fn() -> bool,
    ) -> Result<(), ControlError> {
        let calling = async {
            for origin in origins(targets) {
                self.one(&origin, caller).await.map_err(ControlError::Reset)?;
            }
            Ok(())
        };
        Caller::block_on(calling, is_over)?.unwrap_or(Err(ControlError::Interrupted))
    }

    async fn one(&self, origin: &Target, caller: &Caller) -> Result<(), Refusal> {
        let began = Instant::now();
        let mut waits = waits();
        loop {
            let Err(refusal) = post(origin, &self.path, self.timeout, caller).await else { return Ok(()) };
            let wait = waits.next().expect("waits never end");
            if !refusal.worth_another_try || began.elapsed() + wait > RESET_WITHIN {
                return Err(refusal);
            }
            tokio::time::sleep(wait).await;
        }
    }
}

/// How long each next try of a reset is waited for.
fn waits() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(Duration::from_secs(1)), |wait| Some((2 * *wait).min(LONGEST_WAIT)))
}

impl ServerProfiler {
    /// Starts it at every server, or at none: also when `is_over` says that the user has interrupted.
    pub fn start(
        &self,
        targets: &[Target],
        caller: &Caller,
        is_over: &dyn Fn() -> bool,
    ) -> Result<(), ControlError> {
        let starting = async {
            let mut started = Vec::new();
            for origin in origins(targets) {
                let answer = tokio::select! {
                    answer = post(&origin, &self.start_path, self.timeout, caller) => answer.map_err(ControlError::Start),
                    () = Caller::over(is_over) => {
                        // It was asked to, and may have begun.
                        started.push(origin.clone());
                        Err(ControlError::Interrupted)
                    }
                };
                if let Err(why) = answer {
                    for origin in started.iter().rev() {
                        // Why it did not start is what there is to say; a server that does not stop either is not
                        // ours to mend.
                        let _ = self.stop_one(origin, caller, is_over).await;
                    }
                    return Err(why);
                }
                started.push(origin);
            }
            Ok(())
        };
        Caller::block_on(starting, &|| false)?.unwrap_or(Err(ControlError::Interrupted))
    }

    /// Stops it at every server, whatever the others answer. Once `is_over` says that the user has interrupted,
    /// every server is still told, and none is waited for longer than a moment.
    pub fn stop(
        &self,
        targets: &[Target],
        caller: &Caller,
        is_over: &dyn Fn() -> bool,
    ) -> Result<(), ControlError> {
        let stopping = async {
            let mut refusals = Vec::new();
            for origin in origins(targets) {
                refusals.extend(self.stop_one(&origin, caller, is_over).await.err());
            }
            if refusals.is_empty() { Ok(()) } else { Err(ControlError::Stop(refusals)) }
        };
        Caller::block_on(stopping, &|| false)?.unwrap_or(Err(ControlError::Interrupted))
    }

    async fn stop_one(
        &self,
        origin: &Target,
        caller: &Caller,
        is_over: &dyn Fn() -> bool,
    ) -> Result<(), Refusal> {
        let a_moment_after = async {
            Caller::over(is_over).await;
            tokio::time::sleep(MOMENT).await;
        };
        tokio::select! {
            answer = post(origin, &self.stop_path, self.timeout, caller) => answer,
            () = a_moment_after => Err(refused(
                origin,
                &self.stop_path,
                "(interrupted before it answered: it may still be profiling)".to_owned(),
                false,
            )),
        }
    }
}

async fn post(origin: &Target, path: &str, timeout: Duration, caller: &Caller) -> Result<(), Refusal> {
    let nothing = Some(("application/octet-stream", Body::default()));
    let answer = caller.call("POST", origin, path, nothing, timeout).await;
    let refusal = |how, worth_another_try| refused(origin, path, how, worth_another_try);
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
        Ok(answer) => {
            Err(refusal(format!("with status {}", answer.status), TRY_AGAIN.contains(&answer.status)))
        }
        Err(silence) => Err(refusal(format!("({silence})"), true)),
    }
}

fn refused(origin: &Target, path: &str, how: String, worth_another_try: bool) -> Refusal {
    let url = loadgen_wire::redact_url(&format!("{}{path}", origin.origin())).into_owned();
    Refusal { url, how, worth_another_try }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};

    use loadgen_core::SystemClock;
    use loadgen_wire::{ApiKey, EndpointConfig, EndpointKind};

    use super::*;
    use crate::testing::{Fake, connector};

    fn caller(kind: EndpointKind) -> Caller {
        let clock = SystemClock::start();
        let mut endpoint = EndpointConfig::new(kind, true);
        endpoint.headers = vec![("X-Team".to_owned(), "blue".to_owned())];
        endpoint.api_key = ApiKey::find(Some("sk-1")).unwrap();
        Caller::new(connector(clock), &endpoint, clock)
    }

    /// Answers with a status by path.
    fn server(status: impl Fn(&str, usize) -> u16 + Send + Sync + 'static) -> Fake {
        Fake::start(move |line, before| (status(line, before), "application/json", "{}".to_owned()))
    }

    fn at(fake: &Fake, path: &str) -> Target {
        Target::parse(&format!("{}{path}", fake.url)).unwrap()
    }

    #[test]
    fn each_origin_is_called_once_with_the_users_headers() {
        let fake = server(|_, _| 200);
        let targets = [at(&fake, "/v1/a?key=z"), at(&fake, "/v1/b")];
        let caller = caller(EndpointKind::Chat);
        ResetKvCache::default().call(&targets, &caller, &|| false).unwrap();
        let profiler = ServerProfiler::default();
        profiler.start(&targets, &caller, &|| false).unwrap();
        profiler.stop(&targets, &caller, &|| false).unwrap();
        assert_eq!(fake.lines(), ["POST /reset_prefix_cache", "POST /start_profile", "POST /stop_profile"]);
        for asked in fake.asked() {
            assert!(asked.headers.contains("authorization: bearer sk-1"), "{}", asked.headers);
            assert!(asked.headers.contains("x-team: blue") && asked.headers.contains("host: 127.0.0.1"));
            assert!(asked.headers.contains("content-length: 0") && asked.body.is_empty());
            assert!(asked.headers.contains("content-type: application/octet-stream"));
        }
    }

    #[test]
    fn anthropics_key_stands_in_its_own_header() {
        let fake = server(|_, _| 200);
        ResetKvCache::default().call(&[at(&fake, "")], &caller(EndpointKind::Messages), &|| false).unwrap();
        let headers = fake.asked().remove(0).headers;
        assert!(headers.contains("x-api-key: sk-1") && headers.contains("anthropic-version: "), "{headers}");
        assert!(!headers.contains("authorization"), "{headers}");
    }

    #[test]
    fn a_busy_server_is_asked_again_and_a_refusal_is_final() {
        let busy = server(|_, before| if before == 0 { 503 } else { 200 });
        ResetKvCache::default().call(&[at(&busy, "")], &caller(EndpointKind::Chat), &|| false).unwrap();
        assert_eq!(busy.lines().len(), 2);
        let refusing = server(|_, _| 404);
        let reset = ResetKvCache { path: "/flush".to_owned(), ..ResetKvCache::default() };
        let error = reset.call(&[at(&refusing, "")], &caller(EndpointKind::Chat), &|| false).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("POST {}/flush failed with status 404", refusing.url)), "{text}");
        assert_eq!(refusing.lines().len(), 1);
    }

    #[test]
    fn waits_double_up_to_eight_seconds_and_only_what_passes_is_waited_for() {
        let seconds: Vec<u64> = waits().take(6).map(|wait| wait.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 8, 8]);
        assert_eq!((RESET_WITHIN.as_secs(), CONTROL_TIMEOUT.as_secs()), (60, 30));
        for (status, helps) in
            [(409, true), (423, true), (429, true), (503, true), (400, false), (404, false), (500, false)]
        {
            let fake = server(move |_, _| status);
            let (origin, caller) = (at(&fake, ""), caller(EndpointKind::Chat));
            let calling = post(&origin, "/reset", CONTROL_TIMEOUT, &caller);
            let refusal = Caller::block_on(calling, &|| false).unwrap().unwrap().unwrap_err();
            assert_eq!(refusal.worth_another_try, helps, "{status}");
        }
    }

    #[test]
    fn a_profiler_that_starts_not_everywhere_is_stopped_where_it_did() {
        let (first, second) = (server(|_, _| 200), server(|_, _| 200));
        let third = server(|_, _| 500);
        let targets = [at(&first, ""), at(&second, ""), at(&third, "")];
        let profiler = ServerProfiler::default();
        let error = profiler.start(&targets, &caller(EndpointKind::Chat), &|| false).unwrap_err().to_string();
        assert!(error.contains("failed with status 500"), "{error}");
        for started in [&first, &second] {
            assert_eq!(started.lines(), ["POST /start_profile", "POST /stop_profile"]);
        }
        assert_eq!(third.lines(), ["POST /start_profile"]);
    }

    #[test]
    fn every_profiler_is_stopped_whatever_the_others_answer() {
        let (failing, fine) = (server(|_, _| 500), server(|_, _| 200));
        let targets = [at(&failing, ""), at(&fine, "")];
        let profiler = ServerProfiler::default();
        let error = profiler.stop(&targets, &caller(EndpointKind::Chat), &|| false).unwrap_err().to_string();
        assert!(error.starts_with("server_profiler stop failed for 1 origin(s): "), "{error}");
        assert_eq!(fine.lines(), ["POST /stop_profile"]);
    }

    /// A server that never answers on `silent`, and a flag that is up once it was asked there. It answers when
    /// the sender is dropped.
    fn silent_at(silent: &'static str) -> (Fake, Arc<AtomicBool>, mpsc::Sender<()>) {
        let (held, never) = mpsc::channel::<()>();
        let (asked, never) = (Arc::new(AtomicBool::new(false)), std::sync::Mutex::new(never));
        let is_asked = Arc::clone(&asked);
        let fake = server(move |line, _| {
            if line.ends_with(silent) {
                is_asked.store(true, Ordering::SeqCst);
                let _ = never.lock().unwrap().recv();
            }
            200
        });
        (fake, asked, held)
    }

    /// Far beyond what a test waits for: only an interrupt ends such a call.
    const FOREVER: Duration = Duration::from_hours(24);

    #[test]
    fn an_interrupt_ends_a_start_and_leaves_no_server_profiling() {
        let first = server(|_, _| 200);
        let (silent, asked, _held) = silent_at("/start_profile");
        let targets = [at(&first, ""), at(&silent, "")];
        let profiler = ServerProfiler { timeout: FOREVER, ..ServerProfiler::default() };
        let is_over = || asked.load(Ordering::SeqCst);
        let error = profiler.start(&targets, &caller(EndpointKind::Chat), &is_over).unwrap_err();
        assert!(matches!(error, ControlError::Interrupted), "{error}");
        for asked in [&first, &silent] {
            assert_eq!(asked.lines(), ["POST /start_profile", "POST /stop_profile"]);
        }
    }

    #[test]
    fn an_interrupt_ends_a_stop_once_every_server_was_told() {
        let (silent, asked, _held) = silent_at("/stop_profile");
        let second = server(|_, _| 200);
        let targets = [at(&silent, ""), at(&second, "")];
        let profiler = ServerProfiler { timeout: FOREVER, ..ServerProfiler::default() };
        let is_over = || asked.load(Ordering::SeqCst);
        let error = profiler.stop(&targets, &caller(EndpointKind::Chat), &is_over).unwrap_err().to_string();
        assert!(error.contains("for 1 origin(s)") && error.contains("may still be profiling"), "{error}");
        assert_eq!(second.lines(), ["POST /stop_profile"]);
    }
}
