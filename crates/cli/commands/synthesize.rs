//! `loadgen synthesize`: traces made up by formula.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use loadgen_workload::synthesize::sinusoidal::{Options, RateMode, Sinusoidal, Written};

use crate::args::values::word;
use crate::exit::ExitStatus;
use crate::plan::Faults;

/// Options of `synthesize sinusoidal`: Dynamo's names and defaults, and a seed.
#[derive(Debug, Args)]
pub(crate) struct SinusoidalArgs {
    /// Tokens of a block [default: 512]
    #[arg(long, value_name = "TOKENS")]
    block_size: Option<u32>,
    /// Block contents are drawn from 0 to this [default: 10000]
    #[arg(long, value_name = "N")]
    total_blocks: Option<u64>,
    /// Where to write, `-` for standard output [default: a name that says the options]
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Length of the trace, seconds [default: 100]
    #[arg(long, value_name = "SECONDS")]
    time_duration: Option<u32>,
    /// How long the rate is held with --rate-mode step, seconds [default: 1]
    #[arg(long, value_name = "SECONDS")]
    process_interval: Option<u32>,
    /// Lowest rate, requests per second; the rate starts there [default: 5]
    #[arg(long, value_name = "RATE")]
    request_rate_min: Option<f64>,
    /// Highest rate, requests per second [default: 10]
    #[arg(long, value_name = "RATE")]
    request_rate_max: Option<f64>,
    /// Period of the rate, seconds [default: 10]
    #[arg(long, value_name = "SECONDS")]
    request_rate_period: Option<f64>,
    /// Input tokens of the first class of requests [default: 100]
    #[arg(long, value_name = "TOKENS")]
    isl1: Option<u32>,
    /// Output tokens of the first class [default: 2000]
    #[arg(long, value_name = "TOKENS")]
    osl1: Option<u32>,
    /// Input tokens of the second class [default: 5000]
    #[arg(long, value_name = "TOKENS")]
    isl2: Option<u32>,
    /// Output tokens of the second class [default: 100]
    #[arg(long, value_name = "TOKENS")]
    osl2: Option<u32>,
    /// Lowest share of the first class; the share starts there [default: 0.2]
    #[arg(long, value_name = "SHARE")]
    isl_osl_ratio_min: Option<f64>,
    /// Highest share of the first class [default: 0.8]
    #[arg(long, value_name = "SHARE")]
    isl_osl_ratio_max: Option<f64>,
    /// Period of the share, seconds [default: 10]
    #[arg(long, value_name = "SECONDS")]
    isl_osl_ratio_period: Option<f64>,
    /// exact: counts follow the integral of the rate; step: the rate is held over each interval
    #[arg(long, value_name = "MODE", default_value = "exact")]
    rate_mode: String,
    /// Seed: the same one makes the same trace
    #[arg(long, visible_alias = "random-seed", value_name = "SEED", default_value_t = 0)]
    seed: u64,
}

/// Writes the trace, and says what is in it.
pub(crate) fn sinusoidal(args: &SinusoidalArgs) -> Result<ExitStatus> {
    let mut faults = Faults::default();
    let rate_mode = match word(&args.rate_mode).as_str() {
        "exact" => RateMode::Exact,
        "step" => RateMode::Step,
        other => {
            faults.add("--rate-mode", format!("{other:?} is not known: expected exact or step"));
            RateMode::Exact
        }
    };
    faults.into_result(())?;
    let options = Options {
        block_size: args.block_size,
        total_blocks: args.total_blocks,
        time_duration_s: args.time_duration,
        process_interval_s: args.process_interval,
        request_rate_min: args.request_rate_min,
        request_rate_max: args.request_rate_max,
        request_rate_period_s: args.request_rate_period,
        isl1: args.isl1,
        osl1: args.osl1,
        isl2: args.isl2,
        osl2: args.osl2,
        isl_osl_ratio_min: args.isl_osl_ratio_min,
        isl_osl_ratio_max: args.isl_osl_ratio_max,
        isl_osl_ratio_period_s: args.isl_osl_ratio_period,
        rate_mode,
        seed: args.seed,
    };
    let path = args.output_file.clone().unwrap_or_else(|| options.default_file_name().into());
    let workload = options.resolve()?;
    let name = path.display();
    if path.as_os_str() == "-" {
        write_trace(&workload, io::stdout().lock()).context("cannot write to standard output")?;
        return Ok(ExitStatus::Success);
    }
    let written = put(&workload, &path).with_context(|| format!("--output-file: cannot write {name}"))?;
    let mix = workload.mix();
    let Written { rows, input_tokens, output_tokens } = written;
    let said = writeln!(
        io::stdout(),
        "{mix}\n{name}: {rows} requests, {input_tokens} input tokens, {output_tokens} output tokens"
    );
    match said {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(ExitStatus::Success),
    }
}

/// Writes the trace to its file. A plain file is written beside its place and then put there, so that
/// a trace that is there is whole; anything else (a device, a pipe) is written to as it stands.
fn put(workload: &Sinusoidal, path: &Path) -> io::Result<Written> {
    // A link leads to the file that is meant.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if path.exists() && !path.is_file() {
        return write_trace(workload, File::options().write(true).open(&path)?);
    }
    let mut partial = path.clone().into_os_string();
    partial.push(".partial");
    let written = write_trace(workload, File::create(&partial)?)?;
    std::fs::rename(&partial, &path)?;
    Ok(written)
}

fn write_trace(workload: &Sinusoidal, out: impl Write) -> io::Result<Written> {
    let mut out = BufWriter::new(out);
    let written = workload.write(&mut out)?;
    out.flush()?;
    Ok(written)
}
