//! The bench's own command line.

use std::path::PathBuf;

use clap::Parser;

/// Runs the cases and prints one table of figures, floors and aims.
#[derive(Debug, Parser)]
#[command(name = "end_to_end", no_binary_name = false)]
pub(crate) struct Options {
    /// Cases to run, by the beginning of their names; all without any
    pub(crate) cases: Vec<String>,
    /// How often each case runs; heavy ones run once unless --full
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) runs: u32,
    /// Run the heavy cases at full size and as often as the others
    #[arg(long)]
    pub(crate) full: bool,
    /// A virtual environment with AIPerf, to be run beside
    #[arg(long, value_name = "VENV")]
    pub(crate) aiperf: Option<PathBuf>,
    /// Another loadgen than the one just built
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) loadgen: Option<PathBuf>,
    /// List the cases and what they measure
    #[arg(long)]
    pub(crate) list: bool,
    /// Where the table goes as JSON and Markdown [default: target/bench]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Leave the folders of results where they are, and say where
    #[arg(long)]
    pub(crate) keep: bool,
    /// Given by `cargo bench`; without it nothing is run
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

impl Options {
    /// Whether a case of this name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|wanted| name.starts_with(wanted.as_str()))
    }
}

#[cfg(test)]
#[allow(dead_code, unused_imports, reason = "a bench is built with cfg(test) and without its tests")]
mod tests {
    use super::*;

    #[test]
    fn cases_are_named_by_how_they_begin() {
        let options = Options::try_parse_from(["end_to_end", "--bench", "cpu", "--runs", "2"]);
        let options = options.expect("a right command line");
        assert_eq!(options.runs, 2);
        assert!(options.wants("cpu_stream") && !options.wants("calm"));
        assert!(Options::try_parse_from(["end_to_end"]).is_ok_and(|options| options.wants("calm")));
        assert!(Options::try_parse_from(["end_to_end", "--runs", "0"]).is_err());
    }
}
