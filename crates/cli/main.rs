//! The `loadgen` program: argv in, exit code out.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done; some requests may have failed |
//! | 1 | nothing succeeded, or the command or its input is wrong, or more failed than `--failed-request-threshold` |
//! | 4 | the client was the limit, with `--fail-if-client-limited` or `--catch-up fail` |
//! | 130 | second Ctrl-C |

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Less CPU a token than the system's (`docs/performance.md`), and the same on every libc: musl's would
/// be slow.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    loadgen::main(std::env::args_os()).into()
}
