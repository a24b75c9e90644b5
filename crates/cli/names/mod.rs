//! The names this program answers to: `loadgen`, and AIPerf's and GenAI-Perf's when it is called through
//! links of those names.
//!
//! A name decides the grammar of the command line, what `--version` says, and which files a run writes.
//! [`understand`] settles all of that before an option is parsed: behind it there is one grammar only. What
//! the options mean is decided elsewhere.

pub(crate) mod genai_perf;
mod install;
mod shim;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config_file::ConfigFile;
use crate::words::{self, Word};

/// The AIPerf that is answered for.
const AIPERF_VERSION: &str = "0.13.0";
/// The GenAI-Perf that is answered for: the last one.
const GENAI_PERF_VERSION: &str = "0.0.16";

/// A name with its rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Personality {
    /// Our own.
    #[default]
    Loadgen,
    /// AIPerf's: our grammar is its grammar.
    Aiperf,
    /// GenAI-Perf's: argparse's rules, its own options, folders and files.
    GenaiPerf,
}

impl Personality {
    /// The one that a program called by this path has.
    fn called_as(argv0: &OsStr) -> Self {
        let name = Path::new(argv0).file_stem().and_then(OsStr::to_str).unwrap_or_default();
        match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "aiperf" => Self::Aiperf,
            "genai-perf" => Self::GenaiPerf,
            _ => Self::Loadgen,
        }
    }

    /// What the program calls itself.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Loadgen => "loadgen",
            Self::Aiperf => "aiperf",
            Self::GenaiPerf => "genai-perf",
        }
    }
}

/// Where a run's options come from, beyond their values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// Who was called.
    pub(crate) personality: Personality,
    /// The words as they were typed, the program's own name first; empty when they are those parsed.
    pub(crate) typed: Vec<OsString>,
    /// The same, understood, where they are of another grammar than the parser's.
    pub(crate) words: Option<Vec<Word>>,
    /// The configuration file, and what the command line changed in it.
    pub(crate) config: Option<Arc<ConfigFile>>,
    /// Whether a file has a phase for the warm-up, which then takes nothing from the measured load.
    pub(crate) own_warmup: bool,
    /// Whether this is one of several runs that differ in `--concurrency`.
    pub(crate) sweeps_concurrency: bool,
    /// The configuration as GenAI-Perf's files echo it, where it was called by that name.
    pub(crate) genai_perf: Option<serde_json::Value>,
}

impl Origin {
    /// The words as they were typed, or those that were parsed.
    pub(crate) fn typed_or<'a>(&'a self, parsed: &'a [OsString]) -> &'a [OsString] {
        if self.typed.is_empty() { parsed } else { &self.typed }
    }

    /// The words to show: as they were typed, or those that were parsed.
    pub(crate) fn shown(&self, parsed: &[OsString]) -> Vec<Word> {
        self.words.clone().unwrap_or_else(|| words::of_profile(self.typed_or(parsed)))
    }

    /// Where in the configuration file the options stand that a message names.
    pub(crate) fn places_of(&self, message: &str) -> Option<String> {
        self.config.as_ref()?.origin_of(message)
    }
}

/// A command line, in this program's own grammar.
#[derive(Debug)]
pub(crate) struct Call {
    /// The words, the program's name first.
    pub(crate) argv: Vec<OsString>,
    /// Where they come from.
    pub(crate) origin: Origin,
    /// What the user should know about how they were understood.
    pub(crate) notes: Vec<String>,
}

/// What a command line asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A command, to be parsed.
    Command(Box<Call>),
    /// Nothing but this answer, on standard output.
    Answer(String),
    /// To link the names into a folder.
    InstallAliases(PathBuf),
}

/// Understands a command line by the name that it was called by. The error is for people.
pub(crate) fn understand(argv: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let typed: Vec<OsString> = argv.into_iter().collect();
    let personality = typed.first().map_or_else(Personality::default, |name| Personality::called_as(name));
    let words = typed.get(1..).unwrap_or_default();
    match personality {
        Personality::Loadgen => {
            if let Some(folder) = aliases_folder(words)? {
                return Ok(Asked::InstallAliases(folder));
            }
        }
        Personality::Aiperf if words == ["--version"] => {
            return Ok(Asked::Answer(format!("{AIPERF_VERSION}\n")));
        }
        Personality::Aiperf => {}
        Personality::GenaiPerf => return genai_perf_call(&typed),
    }
    let argv = std::iter::once(OsString::from(personality.program())).chain(words.iter().cloned()).collect();
    let origin = Origin { personality, ..Origin::default() };
    Ok(Asked::Command(Box::new(Call { argv, origin, notes: Vec::new() })))
}

/// A call of GenAI-Perf, in this program's own grammar.
fn genai_perf_call(typed: &[OsString]) -> Result<Asked, String> {
    if let Some(which) = crate::argv::not_text(typed) {
        return Err(which);
    }
    let words: Vec<String> =
        typed.iter().skip(1).filter_map(|word| word.to_str().map(str::to_owned)).collect();
    let translated = match genai_perf::translate(&words)? {
        genai_perf::Asked::Version => return Ok(Asked::Answer(format!("genai-perf {GENAI_PERF_VERSION}\n"))),
        genai_perf::Asked::Help => return Ok(Asked::Answer(genai_perf::help())),
        genai_perf::Asked::Profile(translated) => translated,
    };
    let personality = Personality::GenaiPerf;
    let name = OsString::from(personality.program());
    let argv = std::iter::once(name).chain(translated.words.into_iter().map(OsString::from)).collect();
    let origin = Origin {
        personality,
        words: Some(translated.typed),
        genai_perf: Some(translated.config),
        ..Origin::default()
    };
    Ok(Asked::Command(Box::new(Call { argv, origin, notes: translated.notes })))
}

/// The folder of `--install-aliases DIR`, the one thing that is asked of the program itself.
fn aliases_folder(words: &[OsString]) -> Result<Option<PathBuf>, String> {
    const FLAG: &str = "--install-aliases";
    let folder = match words {
        [flag, rest @ ..] if flag == FLAG => match rest {
            [folder] => PathBuf::from(folder),
            _ => return Err(format!("{FLAG}: expected one folder, such as {FLAG} ~/.local/bin")),
        },
        [word] => match word.to_str().and_then(|word| word.strip_prefix(FLAG)?.strip_prefix('=')) {
            Some(folder) => PathBuf::from(folder),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    if folder.as_os_str().is_empty() {
        return Err(format!("{FLAG}: expected a folder, got nothing"));
    }
    Ok(Some(folder))
}

pub(crate) use install::install_aliases;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn asked(words: &[&str]) -> Result<Asked, String> {
        understand(words.iter().map(OsString::from))
    }

    fn command(words: &[&str]) -> Box<Call> {
        match asked(words).unwrap() {
            Asked::Command(call) => call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_file_name_decides_who_is_called() {
        for (name, personality) in [
            ("loadgen", Personality::Loadgen),
            ("/usr/bin/aiperf", Personality::Aiperf),
            ("./genai-perf", Personality::GenaiPerf),
            ("genai_perf", Personality::GenaiPerf),
            ("bench", Personality::Loadgen),
        ] {
            assert_eq!(Personality::called_as(OsStr::new(name)), personality, "{name}");
        }
        let call = command(&["/opt/aiperf", "profile", "-m", "x"]);
        assert_eq!(call.argv, ["aiperf", "profile", "-m", "x"]);
        assert_eq!(call.origin.personality.program(), "aiperf");
    }

    #[test]
    fn aiperf_says_its_bare_version() {
        assert!(matches!(asked(&["aiperf", "--version"]), Ok(Asked::Answer(text)) if text == "0.13.0\n"));
        assert!(matches!(asked(&["loadgen", "--version"]), Ok(Asked::Command(_))));
    }

    #[test]
    fn aliases_want_one_folder() {
        for words in [&["loadgen", "--install-aliases", "x"][..], &["loadgen", "--install-aliases=x"]] {
            assert!(matches!(asked(words), Ok(Asked::InstallAliases(folder)) if folder == Path::new("x")));
        }
        for words in [&["loadgen", "--install-aliases"][..], &["loadgen", "--install-aliases="]] {
            assert!(asked(words).unwrap_err().contains("expected"));
        }
    }
}
