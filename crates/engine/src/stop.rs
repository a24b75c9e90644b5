//! How a run is told to stop early.
//!
//! Invariant: a signal is never lost and never taken back. It does not know Unix signals; whoever
//! listens for them calls [`StopSignal::interrupt`].

use std::sync::Arc;

use tokio::sync::watch;

/// Tells a run to stop sending and finish. Clones share the signal; any thread may give it.
#[derive(Debug, Clone)]
pub struct StopSignal {
    interrupted: Arc<watch::Sender<bool>>,
}

impl StopSignal {
    /// A signal not yet given.
    pub fn new() -> Self {
        Self { interrupted: Arc::new(watch::Sender::new(false)) }
    }

    /// Stops the run: nothing new is sent, and what is in flight is aborted once the configured
    /// drain time is over.
    pub fn interrupt(&self) {
        self.interrupted.send_replace(true);
    }

    /// Whether the signal was given.
    pub fn is_interrupted(&self) -> bool {
        *self.interrupted.borrow()
    }

    /// A listener for a worker.
    pub(crate) fn listen(&self) -> StopListener {
        StopListener(self.interrupted.subscribe())
    }
}

impl Default for StopSignal {
    fn default() -> Self {
        Self::new()
    }
}

/// A worker's ear for the signal.
#[derive(Debug)]
pub(crate) struct StopListener(watch::Receiver<bool>);

impl StopListener {
    /// Whether the signal was given.
    pub(crate) fn is_interrupted(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when the signal is given; never, if it is not.
    pub(crate) async fn interrupted(&mut self) {
        if self.0.wait_for(|interrupted| *interrupted).await.is_err() {
            // Nobody is left who could give it.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_given_before_anyone_listens_is_heard() {
        let signal = StopSignal::new();
        signal.clone().interrupt();
        assert!(signal.is_interrupted());
        assert!(signal.listen().is_interrupted());
    }
}
