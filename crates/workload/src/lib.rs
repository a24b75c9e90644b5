//! What to send: datasets, traces, prompt synthesis, sessions.
