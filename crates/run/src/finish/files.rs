//! The files of a run, each on its own: one that cannot be written takes none of the others with it.
//!
//! Invariant: a file is there whole, under its name, or it is not there. What this does not know: what is
//! in the files.

use std::io::Write;
use std::path::{Path, PathBuf};

use loadgen_record::PartialFile;

use crate::error::RunError;

/// The files that could not be written, and why.
#[derive(Debug, Default)]
pub(super) struct Failures(Vec<Failure>);

#[derive(Debug)]
struct Failure {
    path: PathBuf,
    error: RunError,
}

impl Failures {
    /// Writes a whole file, in place of what had its name.
    pub(super) fn put(&mut self, path: &Path, text: &str) {
        self.note(path, put(path, text));
    }

    /// Notes what became of a file.
    pub(super) fn note(&mut self, path: &Path, written: Result<(), RunError>) {
        if let Err(error) = written {
            self.0.push(Failure { path: path.to_owned(), error });
        }
    }

    /// Takes what became of a file that was written bit by bit.
    pub(super) fn end<T>(&mut self, growing: Growing<T>, complete: impl FnOnce(T) -> Result<(), RunError>) {
        let Growing { path, state } = growing;
        match state {
            State::Unwanted => {}
            State::Open(file) => self.note(&path, complete(file)),
            State::GivenUp(error) => self.note(&path, Err(error)),
        }
    }

    /// Whether this file could not be written.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.0.iter().any(|failure| failure.path == path)
    }

    /// Whether every file was written.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them as one error; `None` where there are none. Files on one disk fail for one reason:
    /// the first one's is told.
    pub(super) fn into_error(self, dir: &Path) -> Option<RunError> {
        let name = |failure: &Failure| {
            let path = failure.path.strip_prefix(dir).unwrap_or(&failure.path);
            path.display().to_string()
        };
        let names = self.0.iter().map(name).collect::<Vec<_>>().join(", ");
        let first = self.0.into_iter().next()?;
        Some(RunError::Unwritten { names, dir: dir.to_owned(), source: first.error.root_cause() })
    }
}

/// A file that is written bit by bit. It is given up at its first failure.
#[derive(Debug)]
pub(super) struct Growing<T> {
    path: PathBuf,
    state: State<T>,
}

#[derive(Debug)]
enum State<T> {
    Unwanted,
    Open(T),
    GivenUp(RunError),
}

impl<T> Growing<T> {
    /// Begins what will be `path`, where it is wanted.
    pub(super) fn begin(
        path: PathBuf,
        is_wanted: bool,
        begin: impl FnOnce(&Path) -> Result<T, RunError>,
    ) -> Self {
        let state = match is_wanted.then(|| begin(&path)) {
            None => State::Unwanted,
            Some(Ok(file)) => State::Open(file),
            Some(Err(error)) => State::GivenUp(error),
        };
        Self { path, state }
    }

    /// Where it will be.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file, while it is written.
    pub(super) fn file(&self) -> Option<&T> {
        if let State::Open(file) = &self.state { Some(file) } else { None }
    }

    /// Whether a failure has ended it.
    pub(super) fn is_given_up(&self) -> bool {
        matches!(self.state, State::GivenUp(_))
    }

    /// Writes to it, while it goes well.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut T) -> Result<(), RunError>) {
        if let State::Open(file) = &mut self.state
            && let Err(error) = write(file)
        {
            self.state = State::GivenUp(error);
        }
    }
}

impl<W: Write> Growing<W> {
    /// Appends bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let path = self.path.clone();
        self.write(|file| file.write_all(bytes).map_err(RunError::write(path)));
    }
}

/// Writes a file beside its place and puts it there.
pub(crate) fn put(path: &Path, text: &str) -> Result<(), RunError> {
    let mut file = PartialFile::create(path)?;
    file.write_all(text.as_bytes()).map_err(RunError::write(path))?;
    Ok(file.commit()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn full() -> RunError {
        RunError::write("x")(std::io::ErrorKind::StorageFull.into())
    }

    #[test]
    fn a_file_is_given_up_at_its_first_failure_and_the_others_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut growing = Growing::begin(path.clone(), true, |path| Ok(PartialFile::create(path)?));
        growing.append(b"one");
        growing.write(|_| Err(full()));
        assert!(growing.file().is_none() && growing.is_given_up());
        growing.append(b"two");
        let mut failures = Failures::default();
        failures.end(growing, |file| Ok(file.commit()?));
        failures.put(&folder.path().join("whole"), "text");
        assert!(!path.exists() && !failures.is_empty());
        assert_eq!(std::fs::read_to_string(folder.path().join("whole")).unwrap(), "text");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half written is left");

        let error = failures.into_error(folder.path()).unwrap();
        assert!(error.to_string().contains("written: lines;"), "{error}");
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), std::io::Error::from(std::io::ErrorKind::StorageFull).to_string());
        assert!(cause.source().is_none(), "a cause is told once");
    }

    #[test]
    fn what_is_not_wanted_cannot_fail() {
        let mut growing = Growing::<PartialFile>::begin("nowhere/x".into(), false, |_| Err(full()));
        growing.append(b"one");
        let mut failures = Failures::default();
        failures.end(growing, |_| Err(full()));
        assert!(failures.into_error(Path::new("")).is_none());
    }
}
