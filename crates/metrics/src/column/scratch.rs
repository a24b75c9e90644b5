//! Room on disk for what would not fit in memory: one file without a name, so that nothing is left
//! behind whatever becomes of the process.
//!
//! Invariant: what [`Scratch::append`] answered with an offset can be read there, and never changes.
//! What this file does not know: what the bytes mean.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names tried before giving up: each belongs to a process that was stopped between two lines.
const NAMES: u32 = 100;

/// Figures that were put aside cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("cannot read back what was put aside in {}: {source}", folder.display())]
pub struct SpillError {
    folder: PathBuf,
    source: io::Error,
}

/// A file that only grows, made when first written to.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: PathBuf,
    /// `None` where none can be had.
    file: OnceLock<Option<File>>,
    end: AtomicU64,
}

impl Scratch {
    /// A file in `folder`, which must exist once something is written.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), file: OnceLock::new(), end: AtomicU64::new(0) }
    }

    /// Writes `bytes` at the end, and says where they begin; `None` when there is no room for them.
    pub(crate) fn append(&self, bytes: &[u8]) -> Option<u64> {
        let file = self.file.get_or_init(|| nameless(&self.folder).ok()).as_ref()?;
        let at = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        file.write_all_at(bytes, at).ok().map(|()| at)
    }

    /// Reads as many bytes as `into` holds, from `at` on.
    pub(crate) fn read(&self, at: u64, into: &mut [u8]) -> Result<(), SpillError> {
        let file = self.file.get().and_then(Option::as_ref);
        let read = file.map_or(Err(io::ErrorKind::NotFound.into()), |file| file.read_exact_at(into, at));
        read.map_err(|source| SpillError { folder: self.folder.clone(), source })
    }
}

/// A file whose name is taken away as soon as it is open.
fn nameless(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    let mut refusal = io::ErrorKind::AlreadyExists.into();
    for number in 0..NAMES {
        let path = folder.join(format!(".figures-{}-{number}", std::process::id()));
        match options.open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => refusal = error,
            Err(error) => return Err(error),
        }
    }
    Err(refusal)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_appended_is_read_back_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(folder.path());
        let first = scratch.append(b"one").unwrap();
        let second = scratch.append(b"three").unwrap();
        assert_eq!((first, second), (0, 3));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut bytes = [0; 5];
        scratch.read(second, &mut bytes).unwrap();
        assert_eq!(&bytes, b"three");
        let error = scratch.read(4, &mut bytes).unwrap_err().to_string();
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
    }

    #[test]
    fn a_name_that_is_taken_is_passed_over_and_a_folder_that_is_not_there_refused() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join(format!(".figures-{}-0", std::process::id()));
        std::fs::write(&taken, b"not ours").unwrap();
        assert_eq!(Scratch::new(folder.path()).append(b"x"), Some(0));
        assert_eq!(std::fs::read(&taken).unwrap(), b"not ours");
        assert_eq!(Scratch::new(&folder.path().join("nowhere")).append(b"x"), None);
    }
}
