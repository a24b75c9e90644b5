//! When to send: arrival processes, rate functions and stop conditions as pure sequences.
