//! The integration tests: the real `loadgen` against the real mock server, over sockets.
//!
//! * `arrivals`: simultaneous arrivals, ceilings, and what becomes of arrivals that the client is late for;
//! * `sockets`: which connections requests take, from where, and what happens when there are too few;
//! * `packets`: arrivals stamped by packets;
//! * `calibrate`: this host's ceiling, and the runs that cite it;
//! * `layering`: who may depend on whom;
//! * `parity`: behaviours of AIPerf that a port gets wrong unnoticed, and the list of the tests that hold them;
//! * `profile`: the main job, and what it leaves behind;
//! * `faults`: nine ways a server fails, under each kind of load;
//! * `cancellation`: requests given up on purpose;
//! * `command_lines`: command lines of public scripts;
//! * `crash`: kill -9, and what `report` rebuilds;
//! * `determinism`: the same seed sends the same bytes at the same times on any number of workers;
//! * `endpoints`: what each endpoint counts, and which metrics it has;
//! * `experiments`: repeats and sweeps, their folders and what they come to together;
//! * `golden`: AIPerf's own commands, and what AIPerf left behind;
//! * `input_errors`: bad input stops before anything is sent;
//! * `names`: the program under its other names, and configuration files;
//! * `outputs`: what went over the wire, answers, the log, and files that cannot be written;
//! * `secrets`: keys never reach a file or a log;
//! * `streams`: where output goes, and runs that nobody listens to any more;
//! * `workloads`: conversations, files, chat templates.
#![allow(clippy::unwrap_used, missing_docs)]

mod arrivals;
mod calibrate;
mod cancellation;
mod command_lines;
mod crash;
mod determinism;
mod endpoints;
mod experiments;
mod faults;
mod golden;
mod input_errors;
mod layering;
mod names;
mod outputs;
mod packets;
mod parity;
mod profile;
mod secrets;
mod sockets;
mod streams;
mod support;
mod telemetry;
mod workloads;
