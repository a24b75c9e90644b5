//! Prints the page of a made-up run, for work on its looks:
//! `cargo run -p loadgen-report --example page > page.html`. With `--console`, what a terminal gets.

#[path = "../tests/sample/mod.rs"]
mod sample;

use loadgen_report::{console, html};

fn main() {
    let sample = sample::Sample::with_telemetry();
    if std::env::args().any(|arg| arg == "--console") {
        let options = console::Options { width: 140, ansi: true, trace_timing: false };
        print!("{}", console::render(&sample.report(), options));
        return;
    }
    print!("{}", html::page(&sample.report()));
}
