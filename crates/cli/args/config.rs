//! Options of `config`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Options of `config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) kind: ConfigKind,
}

/// What to do with a configuration file.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigKind {
    /// Write a file to begin with
    Init(InitArgs),
    /// Show the runs that a file's sweep makes
    Expand(ExpandArgs),
    /// Check a file
    Validate(ValidateArgs),
}

/// Options of `config init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Which template
    #[arg(short, long, value_name = "NAME")]
    pub(crate) template: Option<String>,
    /// List the templates
    #[arg(short, long)]
    pub(crate) list: bool,
    /// List the templates that mention this word
    #[arg(short, long, value_name = "WORD")]
    pub(crate) search: Option<String>,
    /// List the templates of this category
    #[arg(short, long, value_name = "CATEGORY")]
    pub(crate) category: Option<String>,
    /// List those of AIPerf's templates, too, that need what is not built yet
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// The model to put into the template
    #[arg(short, long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// The server to put into the template
    #[arg(short, long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Write the template to this file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Options of `config expand`.
#[derive(Debug, Args)]
pub(crate) struct ExpandArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// Show each run's whole configuration
    #[arg(short = 'F', long)]
    pub(crate) full: bool,
    /// Show the run of this number alone, with its configuration
    #[arg(short, long, value_name = "N")]
    pub(crate) index: Option<usize>,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
}

/// Options of `config validate`.
#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
}

/// A file, by itself or behind its option.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct FileArgs {
    /// The configuration file
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The configuration file
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) config_file: Option<PathBuf>,
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// As YAML.
    Yaml,
    /// As JSON.
    Json,
}

impl FileArgs {
    /// The file.
    pub(crate) fn path(&self) -> PathBuf {
        self.file.clone().or_else(|| self.config_file.clone()).unwrap_or_default()
    }
}
