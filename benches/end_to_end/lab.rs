//! What all cases share: where the programs are, and a folder for each run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where the programs are.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    /// loadgen.
    pub(crate) loadgen: PathBuf,
    /// wrk, if it is installed.
    pub(crate) wrk: Option<PathBuf>,
    /// The virtual environment that has AIPerf, if one was given.
    pub(crate) aiperf: Option<PathBuf>,
    /// The root of the repository.
    pub(crate) repository: PathBuf,
    /// Whether cases run at their full size.
    pub(crate) full: bool,
    /// Whether folders of results stay.
    pub(crate) keep: bool,
}

impl Bench {
    /// A folder of its own for one run of a case.
    pub(crate) fn folder(&self) -> Result<Folder> {
        let folder = tempfile::Builder::new().prefix("loadgen-bench-").disable_cleanup(self.keep).tempdir();
        let folder = folder.context("cannot make a folder for results")?;
        if self.keep {
            eprint!("in {} ", folder.path().display());
        }
        Ok(Folder(folder))
    }
}

/// A folder that is gone when it is dropped, unless it is to be kept.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file, or a folder, in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Where a program is, looked up as a shell does.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}
