//! How a run is carried out, whatever its load.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use loadgen_core::{CaptureScope, Seed};
use loadgen_wire::{ConnectorConfig, Endpoint, Target};

use crate::policy::Policy;

/// How a run is carried out.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// How many worker threads; see [`default_workers`].
    pub workers: NonZeroUsize,
    /// Where requests go: sessions take the targets in turn.
    pub targets: Vec<Target>,
    /// What requests look like.
    pub endpoint: Arc<Endpoint>,
    /// How connections are opened.
    pub connector: ConnectorConfig,
    /// From the start of work on a request to when it counts as failed, ns; `None` waits for ever.
    pub request_timeout_ns: Option<i64>,
    /// After an interrupt, how long what is in flight may still finish, ns; 0 aborts it at once.
    pub drain_on_interrupt_ns: i64,
    /// What is kept of each request and response as they went over the wire.
    pub capture: CaptureScope,
    /// What holds beside the load: catching up, ceilings, how long connections live.
    pub policy: Policy,
    /// The run's root seed: what is given up on purpose comes from it.
    pub seed: Seed,
    /// Where request and session ids are drawn from. It has to be another one in each run: runs that
    /// share it send the same ids, and a server that both reach cannot tell their requests apart.
    pub ids: Seed,
}

/// One worker for each core the process may use (its affinity and its cgroup's quota counted), at
/// most `max`.
pub fn default_workers(max: Option<NonZeroUsize>) -> NonZeroUsize {
    let cores = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    max.map_or(cores, |max| cores.min(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maximum_limits_the_workers_and_never_raises_them() {
        assert_eq!(default_workers(Some(NonZeroUsize::MIN)), NonZeroUsize::MIN);
        assert_eq!(default_workers(NonZeroUsize::new(usize::MAX)), default_workers(None));
    }
}
