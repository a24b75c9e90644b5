//! Interrupts that come before a run listens for them itself.
//!
//! The system's own way, to end the process at once, is right until then, but for one thing: a user who waits
//! for a server to say which models it has is told that the load did not begin. What this does not do: end
//! anything in order; nothing has begun.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::INTERRUPTED;
use crate::ui::say;

/// A process makes one run at a time, and its signals are its own: so there is one of these.
static RUN_LISTENS: AtomicBool = AtomicBool::new(false);

/// From now on an interrupt says that nothing has begun, and leaves; until [`hand_over`].
pub(crate) fn leave_on_interrupt() {
    // Where one cannot listen the system's own way stands.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let listened = {
        let _within = runtime.enter();
        let listen = |kind| signal(kind).ok();
        listen(SignalKind::interrupt()).zip(listen(SignalKind::terminate())).zip(listen(SignalKind::hangup()))
    };
    let Some(((interrupt, terminate), hangup)) = listened else { return };
    let _ = std::thread::Builder::new().name("early-signals".to_owned()).spawn(move || {
        runtime.block_on(any(interrupt, terminate, hangup));
        if !RUN_LISTENS.load(Ordering::SeqCst) {
            say!("error: interrupted before the load began: none of its requests was sent");
            std::process::exit(INTERRUPTED);
        }
    });
}

/// A run listens from now on.
pub(crate) fn hand_over() {
    RUN_LISTENS.store(true, Ordering::SeqCst);
}

async fn any(mut interrupt: Signal, mut terminate: Signal, mut hangup: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
