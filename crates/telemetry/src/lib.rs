//! What is asked of servers beside the load: whether they are ready, who they are, what they and their GPUs
//! say of themselves; and what they are told to do before and after it.
//!
//! * [`Readiness`] waits until the servers are ready; [`served_models`] asks which models they have;
//! * [`ControlHooks`]: caches are cleared, profilers started and stopped;
//! * [`observe_servers`] asks each server who it is. A server that does not answer, or not in time, leaves
//!   facts unknown; that is no error;
//! * [`Scraper`] reads metrics, GPUs and round trips while the load runs, on a thread of its own; what it read
//!   stands in files ([`Played`], [`GpuLine`], [`RttSample`]).
//!
//! Nothing here is load, is counted, or is measured. What this crate does not know: pacing, prompts, what
//! becomes of the facts.

mod caller;
mod client;
mod control;
pub mod exposition;
mod gpu;
mod metrics_url;
mod readiness;
mod rtt;
mod scrape;
mod server;
mod tape;
#[cfg(test)]
mod testing;

pub use caller::Caller;
pub use control::{CONTROL_TIMEOUT, ControlError, ControlHooks, Refusal, ResetKvCache, ServerProfiler};
pub use gpu::{
    CustomFields, DEFAULT_GPU_URLS, ENERGY, GpuField, GpuLine, POWER, custom_fields, gpu_fields, gpu_lines,
};
pub use metrics_url::MetricsUrl;
pub use readiness::{Awaited, NotReady, Readiness, ReadinessMode};
pub use rtt::{RttError, RttProbe, RttSample, mean_rtt_ns};
pub use scrape::{
    GpuScrape, Reached, Remark, RttScrape, ScrapeConfig, ScrapeFiles, ScrapeTiming, Scraper, ServerScrape,
};
pub use server::{ServerFacts, observe_servers, served_models};
pub use tape::{Played, Scrape, ScrapeTimes, Tape, TapeEndpoint, TapePhase};
