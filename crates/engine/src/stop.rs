//! How a run is told to stop early.
//!
//! Invariant: a signal is never lost and never taken back. It does not know Unix signals; whoever
//! listens for them calls [`StopSignal::interrupt`].

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::watch;

/// Tells a run to stop sending and finish. Clones share the signal; any thread may give it.
#[derive(Debug, Clone)]
pub struct StopSignal {
    interrupted: Arc<watch::Sender<bool>>,
    /// The signal that this one obeys, too.
    above: Option<Arc<watch::Sender<bool>>>,
}

impl StopSignal {
    /// A signal not yet given.
    pub fn new() -> Self {
        Self { interrupted: Arc::new(watch::Sender::new(false)), above: None }
    }

    /// A signal for one of several runs: it is given with the one for all, which is not given with it.
    pub fn below(all: &Self) -> Self {
        debug_assert!(all.above.is_none(), "runs have no runs within them");
        Self { above: Some(Arc::clone(&all.interrupted)), ..Self::new() }
    }

    /// Stops the run: nothing new is sent, and what is in flight is aborted once the configured
    /// drain time is over.
    pub fn interrupt(&self) {
        self.interrupted.send_replace(true);
    }

    /// Whether the signal was given.
    pub fn is_interrupted(&self) -> bool {
        *self.interrupted.borrow() || self.above.as_ref().is_some_and(|above| *above.borrow())
    }

    /// A listener for a worker.
    pub(crate) fn listen(&self) -> StopListener {
        let above = self.above.as_ref().map(|above| above.subscribe());
        StopListener { signal: self.interrupted.subscribe(), above }
    }
}

impl Default for StopSignal {
    fn default() -> Self {
        Self::new()
    }
}

/// A worker's ear for the signal.
#[derive(Debug)]
pub(crate) struct StopListener {
    signal: watch::Receiver<bool>,
    above: Option<watch::Receiver<bool>>,
}

impl StopListener {
    /// Whether the signal was given.
    pub(crate) fn is_interrupted(&self) -> bool {
        *self.signal.borrow() || self.above.as_ref().is_some_and(|above| *above.borrow())
    }

    /// Returns when the signal is given; never, if it is not.
    pub(crate) async fn interrupted(&mut self) {
        let own = given(&mut self.signal);
        let Some(above) = &mut self.above else { return own.await };
        let (mut own, mut above) = (pin!(own), pin!(given(above)));
        poll_fn(|context| match own.as_mut().poll(context) {
            Poll::Pending => above.as_mut().poll(context),
            Poll::Ready(()) => Poll::Ready(()),
        })
        .await;
    }
}

async fn given(signal: &mut watch::Receiver<bool>) {
    if signal.wait_for(|interrupted| *interrupted).await.is_err() {
        // Nobody is left who could give it.
        std::future::pending::<()>().await;
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

    #[test]
    fn a_run_of_several_is_stopped_with_all_or_alone() {
        let all = StopSignal::new();
        let (one, other) = (StopSignal::below(&all), StopSignal::below(&all));
        one.interrupt();
        assert_eq!(
            [&all, &one, &other].map(StopSignal::is_interrupted),
            [false, true, false],
            "the others go on"
        );
        assert!(one.listen().is_interrupted() && !other.listen().is_interrupted());
        all.interrupt();
        assert!(other.is_interrupted() && other.listen().is_interrupted());
    }

    #[tokio::test]
    async fn whoever_waits_hears_the_signal_above() {
        let all = StopSignal::new();
        let mut ear = StopSignal::below(&all).listen();
        all.interrupt();
        ear.interrupted().await;
    }
}
