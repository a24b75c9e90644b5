//! The `loadgen` program: argv in, exit code out.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done; some requests may have failed |
//! | 1 | nothing succeeded, or the command or its input is wrong |
//! | 4 | the client was the limit, with `--fail-if-client-limited` or `--catch-up fail` |
//! | 130 | second Ctrl-C |

use std::process::ExitCode;

fn main() -> ExitCode {
    loadgen::main(std::env::args_os()).into()
}
