//! The environment variables of AIPerf that users set: honoured, or warned of once.
//!
//! [`VARIABLES`] lists them; those that work here are read here and nowhere else in the program (a test
//! holds that). A variable that AIPerf does not know either is nobody's business and is passed over: many
//! scripts name their own `AIPERF_…`.

use loadgen_run::Thresholds;
use loadgen_wire::AffinityHeaders;

use super::Faults;
use super::telemetry::ScrapeEnvironment;
use crate::args::values::{non_negative, switch};
use crate::compat::Standing::{self, NoEffect, Works};

/// A variable of AIPerf, and what becomes of it. A name that ends in `*` stands for all that begin so.
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) standing: Standing,
}

const fn works(name: &'static str) -> Variable {
    Variable { name, standing: Works }
}

const fn no_effect(name: &'static str, why: &'static str) -> Variable {
    Variable { name, standing: NoEffect(why) }
}

const ONE_PROCESS: &str = "loadgen is one process with threads";
const NO_SINKS: &str = "results stay in the run's folder";
const NO_CLUSTER: &str = "loadgen knows nothing of Kubernetes";
const SOCKETS: &str = "loadgen sets its sockets up itself";

/// The variables, in alphabetical order; a general entry stands behind those that it would hide.
pub(crate) const VARIABLES: &[Variable] = &[
    no_effect("AIPERF_ACCURACY_*", "answers are not graded"),
    no_effect(
        "AIPERF_AGENTX_*",
        "an overflow of the context is told by the words that AIPerf looks for by itself",
    ),
    no_effect("AIPERF_API_SERVER_*", "there is no live HTTP API"),
    no_effect("AIPERF_CHAT_*", "there is no `chat`"),
    no_effect("AIPERF_COMPRESSION_*", NO_SINKS),
    no_effect("AIPERF_CONFIG", "give the file with --config"),
    no_effect("AIPERF_DAG_*", "traces of graphs cannot be read"),
    no_effect("AIPERF_DATASET_*", "datasets are read as they are needed"),
    no_effect("AIPERF_DEV_*", "AIPerf's internal metrics are not exported"),
    works("AIPERF_ENDPOINT_FORCE_CONTENT_PARTS"),
    works("AIPERF_GPU_COLLECTION_INTERVAL"),
    works("AIPERF_GPU_DEFAULT_DCGM_ENDPOINTS"),
    works("AIPERF_GPU_FINAL_SCRAPE_GRACE_NS"),
    works("AIPERF_GPU_REACHABILITY_TIMEOUT"),
    no_effect("AIPERF_GPU_*", "what GPUs say is written as it comes"),
    no_effect("AIPERF_HTTP_CONNECTION_LIMIT", "a request never waits for a connection: cap --concurrency"),
    no_effect("AIPERF_HTTP_ENABLE_CLEANUP_CLOSED", SOCKETS),
    works("AIPERF_HTTP_FORCE_CLOSE"),
    works("AIPERF_HTTP_IP_VERSION"),
    no_effect("AIPERF_HTTP_KEEPALIVE_TIMEOUT", "connections are kept as long as the server keeps them"),
    no_effect(
        "AIPERF_HTTP_METRICS_SCRAPE_READ_TIMEOUT",
        "AIPERF_SERVER_METRICS_SCRAPE_TIMEOUT bounds a whole scrape",
    ),
    no_effect(
        "AIPERF_HTTP_REQUEST_CANCELLATION_SEND_TIMEOUT",
        "--request-timeout-seconds bounds the sending too",
    ),
    no_effect("AIPERF_HTTP_SO_*", SOCKETS),
    works("AIPERF_HTTP_SSL_VERIFY"),
    no_effect("AIPERF_HTTP_TCP_*", SOCKETS),
    works("AIPERF_HTTP_TRUST_ENV"),
    no_effect("AIPERF_HTTP_TTL_DNS_CACHE", "a name's addresses are remembered for 300 s"),
    no_effect("AIPERF_HTTP_USE_DNS_CACHE", "a name's addresses are remembered for 300 s"),
    no_effect("AIPERF_HTTP_VIDEO_POLL_INTERVAL", "videos are not asked for"),
    works("AIPERF_HTTP_X_DYNAMO_SESSION_ID_FROM_CORRELATION_ID"),
    works("AIPERF_HTTP_X_SESSION_AFFINITY_FROM_CORRELATION_ID"),
    works("AIPERF_HTTP_X_SESSION_ID_FROM_CORRELATION_ID"),
    works("AIPERF_HTTP_X_SMG_ROUTING_KEY_FROM_CORRELATION_ID"),
    no_effect("AIPERF_LOGGING_*", ONE_PROCESS),
    no_effect("AIPERF_METRICS_EXPORT_FLUSH_INTERVAL", "records are on disk within half a second"),
    no_effect("AIPERF_METRICS_LIST_BACKEND", "figures are exact and lie on disk"),
    works("AIPERF_METRICS_OSL_MISMATCH_MAX_TOKEN_THRESHOLD"),
    works("AIPERF_METRICS_OSL_MISMATCH_PCT_THRESHOLD"),
    no_effect("AIPERF_METRICS_TDIGEST_COMPRESSION", "figures are exact and lie on disk"),
    works("AIPERF_METRICS_USAGE_PCT_DIFF_THRESHOLD"),
    no_effect("AIPERF_MLFLOW_*", NO_SINKS),
    works("AIPERF_NETWORK_LATENCY_COMPLETE_TOPUP_TIMEOUT"),
    works("AIPERF_NETWORK_LATENCY_CONNECT_TIMEOUT"),
    works("AIPERF_NETWORK_LATENCY_DEFAULT_PROBE_INTERVAL"),
    works("AIPERF_NETWORK_LATENCY_MIN_SAMPLES"),
    no_effect("AIPERF_NETWORK_LATENCY_*", "round trips are written as they come"),
    no_effect("AIPERF_OPERATOR_*", NO_CLUSTER),
    no_effect("AIPERF_OTEL_*", NO_SINKS),
    no_effect("AIPERF_POD_*", NO_CLUSTER),
    no_effect("AIPERF_RAISE_ON_CALLBACK_ERROR", ONE_PROCESS),
    no_effect("AIPERF_RECORD_*", "records are processed while the run goes on"),
    no_effect("AIPERF_SEARCH_PLANNER_*", "no point is searched for"),
    works("AIPERF_SERVER_METRICS_COLLECTION_FLUSH_PERIOD"),
    works("AIPERF_SERVER_METRICS_COLLECTION_INTERVAL"),
    works("AIPERF_SERVER_METRICS_REACHABILITY_TIMEOUT"),
    works("AIPERF_SERVER_METRICS_SCRAPE_TIMEOUT"),
    no_effect("AIPERF_SERVER_METRICS_*", "what servers say is written as it comes"),
    no_effect("AIPERF_SERVICE_*", ONE_PROCESS),
    no_effect("AIPERF_TIMING_*", "a kernel timer paces each worker"),
    no_effect("AIPERF_TOKENIZER_*", "the tokenizer is read once, within a deadline of its own"),
    no_effect("AIPERF_UI_CONSOLE_EXPORT_WIDTH", "tables in files are 140 columns wide"),
    no_effect("AIPERF_UI_REALTIME_METRICS_ENABLED", "--ui says what is shown"),
    no_effect("AIPERF_UI_*", "--stats-interval says how often progress is told"),
    no_effect("AIPERF_WANDB_*", NO_SINKS),
    works("AIPERF_WORKER_MAX_WORKERS_CAP"),
    no_effect("AIPERF_WORKER_*", ONE_PROCESS),
    no_effect("AIPERF_ZMQ_*", ONE_PROCESS),
];

/// The environment that the plan reads, read once.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub(crate) verify_tls: Option<bool>,
    pub(crate) trust_env: Option<bool>,
    pub(crate) ip_version: Option<String>,
    /// Whether every request opens a connection of its own.
    pub(crate) force_close: bool,
    /// Whether a message of one text is a list of parts all the same.
    pub(crate) force_content_parts: bool,
    /// Which routing headers are sent.
    pub(crate) affinity: AffinityHeaders,
    /// From where on token counts disagree.
    pub(crate) thresholds: Thresholds,
    /// At most this many workers, whatever `--workers-max` says.
    pub(crate) workers_cap: Option<u64>,
    /// When servers and GPUs are read beside the load.
    pub(crate) scrapes: ScrapeEnvironment,
    /// One line on the variables that are set and do nothing here.
    pub(crate) without_effect: Option<String>,
}

impl Environment {
    /// Reads it.
    pub(crate) fn read() -> Result<Self, Faults> {
        let names: Vec<String> =
            std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
        Self::read_from(&|name| std::env::var(name).ok(), &names)
    }

    /// Reads variables through `value_of`; `names` are those that are set.
    fn read_from(value_of: &dyn Fn(&str) -> Option<String>, names: &[String]) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let by_themselves = Thresholds::default();
        let mut number = |name: &str, by_itself: f64| match value_of(name) {
            Some(text) => faults.take(name, non_negative(&text)).unwrap_or(by_itself),
            None => by_itself,
        };
        let thresholds = Thresholds {
            usage_diff_pct: number("AIPERF_METRICS_USAGE_PCT_DIFF_THRESHOLD", by_themselves.usage_diff_pct),
            osl_mismatch_pct: number(
                "AIPERF_METRICS_OSL_MISMATCH_PCT_THRESHOLD",
                by_themselves.osl_mismatch_pct,
            ),
            osl_mismatch_tokens: number(
                "AIPERF_METRICS_OSL_MISMATCH_MAX_TOKEN_THRESHOLD",
                by_themselves.osl_mismatch_tokens,
            ),
        };
        let scrapes = ScrapeEnvironment::read(value_of, &mut faults);
        let mut on = |name: &str| faults.take(name, switch(value_of(name)?.trim()));
        let by_default = AffinityHeaders::default();
        let environment = Self {
            verify_tls: on("AIPERF_HTTP_SSL_VERIFY"),
            trust_env: on("AIPERF_HTTP_TRUST_ENV"),
            ip_version: value_of("AIPERF_HTTP_IP_VERSION"),
            force_close: on("AIPERF_HTTP_FORCE_CLOSE").unwrap_or(false),
            force_content_parts: on("AIPERF_ENDPOINT_FORCE_CONTENT_PARTS").unwrap_or(false),
            affinity: AffinityHeaders {
                session_affinity: on("AIPERF_HTTP_X_SESSION_AFFINITY_FROM_CORRELATION_ID")
                    .unwrap_or(by_default.session_affinity),
                session_id: on("AIPERF_HTTP_X_SESSION_ID_FROM_CORRELATION_ID")
                    .unwrap_or(by_default.session_id),
                smg_routing_key: on("AIPERF_HTTP_X_SMG_ROUTING_KEY_FROM_CORRELATION_ID")
                    .unwrap_or(by_default.smg_routing_key),
                dynamo_session_id: on("AIPERF_HTTP_X_DYNAMO_SESSION_ID_FROM_CORRELATION_ID")
                    .unwrap_or(by_default.dynamo_session_id),
            },
            thresholds,
            scrapes,
            workers_cap: value_of("AIPERF_WORKER_MAX_WORKERS_CAP").and_then(|text| {
                faults.take("AIPERF_WORKER_MAX_WORKERS_CAP", crate::args::values::positive_integer(&text))
            }),
            without_effect: without_effect(names),
        };
        faults.into_result(environment)
    }
}

/// One line on the variables that are set and do nothing here.
fn without_effect(names: &[String]) -> Option<String> {
    let mut said: Vec<String> = names
        .iter()
        .filter_map(|name| match VARIABLES.iter().find(|variable| variable.stands_for(name))?.standing {
            NoEffect(why) => Some(format!("{name} ({why})")),
            _ => None,
        })
        .collect();
    said.sort();
    (!said.is_empty()).then(|| format!("environment variables without effect here: {}", said.join(", ")))
}

impl Variable {
    fn stands_for(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(stem) => name.starts_with(stem),
            None => self.name == name,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn exactly_what_works_is_read() {
        let read = RefCell::new(Vec::new());
        let value_of = |name: &str| {
            read.borrow_mut().push(name.to_owned());
            None
        };
        Environment::read_from(&value_of, &[]).unwrap();
        let mut read = read.into_inner();
        read.sort();
        let works: Vec<_> = VARIABLES
            .iter()
            .filter(|variable| variable.standing == Works)
            .map(|variable| variable.name)
            .collect();
        assert_eq!(read, works);
        // A general entry stands behind those that it would hide.
        for variable in VARIABLES.iter().filter(|variable| !variable.name.ends_with('*')) {
            let found = VARIABLES.iter().find(|other| other.stands_for(variable.name));
            assert_eq!(found.map(|found| found.name), Some(variable.name));
        }
    }

    /// Every variable that AIPerf's own settings have.
    const THEIRS: &str = include_str!("aiperf-0.13-variables.txt");

    #[test]
    fn every_variable_of_aiperf_is_read_or_said_to_do_nothing() {
        let theirs: Vec<&str> = THEIRS.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(theirs.len() > 200, "{}", theirs.len());
        let unknown: Vec<_> = theirs
            .iter()
            .filter(|name| !VARIABLES.iter().any(|variable| variable.stands_for(name)))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        // `AIPERF_CONFIG` is read by its command line and not by its settings.
        let strangers: Vec<_> = VARIABLES
            .iter()
            .filter(|variable| !theirs.iter().any(|name| variable.stands_for(name)))
            .map(|variable| variable.name)
            .collect();
        assert_eq!(strangers, ["AIPERF_CONFIG"]);
    }

    #[test]
    fn what_has_no_effect_is_said_and_strangers_are_passed_over() {
        let names = [
            "AIPERF_SERVICE_PROFILE_START_TIMEOUT",
            "AIPERF_VERSION",
            "AIPERF_HTTP_CONNECTION_LIMIT",
            "AIPERF_TIMING_HIGH_RES_TIMER",
        ];
        let said = without_effect(&names.map(str::to_owned)).unwrap();
        assert!(said.contains("AIPERF_SERVICE_PROFILE_START_TIMEOUT (loadgen is one process"), "{said}");
        assert!(
            said.contains("AIPERF_HTTP_CONNECTION_LIMIT (") && !said.contains("AIPERF_VERSION"),
            "{said}"
        );
        assert!(said.contains("AIPERF_TIMING_HIGH_RES_TIMER (a kernel timer"), "{said}");
        // The specific entry stands before the general one.
        assert_eq!(without_effect(&["AIPERF_WORKER_MAX_WORKERS_CAP".to_owned()]), None);
    }

    #[test]
    fn a_value_that_is_none_is_a_fault() {
        let faults = Environment::read_from(&|_| Some("maybe".to_owned()), &[]).unwrap_err().to_string();
        assert!(faults.contains("AIPERF_HTTP_TRUST_ENV: expected true or false"), "{faults}");
    }
}
