//! Readiness and server facts, outside the measured path.
