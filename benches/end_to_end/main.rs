//! The end-to-end bench: loadgen as it is built, against its mock server, held against the server's own log,
//! against wrk and against AIPerf. One table says what was measured and what must hold.
//!
//! Every figure is a ratio, an error or a count of one run on one machine, in which all compared took part.
//! Runs in which others took part of the machine (steal) are repeated. See benches/README.md.

mod aiperf;
mod cases;
mod client;
mod figure;
mod host;
mod lab;
mod mock;
mod options;
mod process;
mod quantile;
mod reported;
mod table;
mod timing;
mod truth;
mod wrk;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::cases::{CASES, Case, Effort};
use crate::figure::{Measured, Samples, Standing};
use crate::host::Ticks;
use crate::lab::{Bench, find_program};
use crate::options::Options;
use crate::table::{Section, Setting};

/// Runs in which others took more of the machine than this are repeated, in percent.
pub(crate) const STEAL_LIMIT_PERCENT: f64 = 1.0;
/// How many runs of a case may be repeated for each that counts.
const REPEATS_PER_RUN: u32 = 2;

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let (_, first, second) = (arguments.next(), arguments.next(), arguments.next());
    let done = match (first.as_deref(), second) {
        (Some(process::WORD), Some(job)) => process::keep(&job).map(|()| true),
        _ => run(&Options::parse()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what was asked for; whether every floor held.
fn run(options: &Options) -> Result<bool> {
    if options.list {
        print!("{}", cases::listing());
        return Ok(true);
    }
    if !options.bench {
        eprintln!("nothing is run: this is a bench, called by `cargo bench --bench end_to_end`");
        return Ok(true);
    }
    let bench = bench(options)?;
    let setting = Setting {
        host: host::describe(),
        load_before: host::load_average(),
        loadgen: env!("CARGO_PKG_VERSION"),
        full: bench.full,
    };
    let chosen: Vec<&Case> = CASES.iter().filter(|case| options.wants(case.name)).collect();
    ensure!(!chosen.is_empty(), "no case begins with {:?}; --list shows them", options.cases);
    if bench.wrk.is_none() {
        eprintln!("wrk is not installed: its column stays empty, and so do ratios to it");
    }

    let mut sections = Vec::new();
    for case in chosen {
        sections.push(repeat(case, &bench, options));
    }
    print!("{}", table::plain(&setting, &sections));
    let folder = options.out.clone().unwrap_or_else(default_folder);
    table::keep(&folder, &setting, &sections)?;
    println!("kept as {}/end_to_end.{{md,json}}", folder.display());
    Ok(sections.iter().all(holds))
}

fn bench(options: &Options) -> Result<Bench> {
    let loadgen = options.loadgen.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_loadgen").into());
    let loadgen = absolute(&loadgen)?;
    let aiperf = options.aiperf.as_deref().map(absolute).transpose()?;
    if let Some(environment) = &aiperf {
        let program = environment.join("bin/aiperf");
        ensure!(program.is_file(), "--aiperf {}: there is no bin/aiperf", environment.display());
    }
    Ok(Bench {
        loadgen,
        wrk: find_program("wrk"),
        aiperf,
        repository: env!("CARGO_MANIFEST_DIR").into(),
        full: options.full,
        keep: options.keep,
    })
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("{}: not found", path.display()))
}

/// `bench` beside the folder that cargo keeps for tests and benches.
fn default_folder() -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary.parent().unwrap_or(temporary).join("bench")
}

fn holds(section: &Section) -> bool {
    let is_met = |measured: &Measured| {
        matches!(measured.standing(), Standing::Free | Standing::Holds | Standing::Aimed)
    };
    section.failure.is_none() && section.figures.iter().all(is_met)
}

/// Runs a case as often as asked, and again where the machine was not ours.
fn repeat(case: &Case, bench: &Bench, options: &Options) -> Section {
    let wanted = match case.effort {
        Effort::Light => options.runs,
        Effort::Heavy => {
            if options.full {
                options.runs
            } else {
                1
            }
        }
    };
    let mut runs: Vec<Samples> = Vec::new();
    let (mut steal, mut repeated, mut failure) = (0.0_f64, 0, None);
    while (runs.len() as u32) < wanted {
        eprint!("{}: run {} of {wanted} ", case.name, runs.len() + 1);
        let before = Ticks::now();
        let samples = match (case.run)(bench) {
            Ok(samples) => samples,
            Err(error) => {
                eprintln!("failed: {error:#}");
                failure = Some(format!("{error:#}"));
                break;
            }
        };
        let stolen = before.and_then(|before| Ticks::now()?.since(before)).map_or(0.0, |(stolen, _)| stolen);
        eprintln!("done, steal {stolen:.1} %");
        if stolen > STEAL_LIMIT_PERCENT && repeated < REPEATS_PER_RUN * wanted {
            repeated += 1;
            continue;
        }
        steal = steal.max(stolen);
        runs.push(samples);
    }
    let figures = case.figures.iter().map(|figure| Measured::gather(*figure, &runs)).collect();
    Section { case: case.name, about: case.about, figures, steal, repeated, failure }
}
