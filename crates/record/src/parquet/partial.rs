//! A file that appears under its name only when it is whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::RecordError;

/// A file being written beside its final place. Dropped before [`commit`](Self::commit), it leaves
/// nothing behind.
#[derive(Debug)]
pub struct PartialFile {
    file: File,
    partial: PathBuf,
    path: PathBuf,
    is_committed: bool,
}

impl PartialFile {
    /// Begins to write what will be `path`.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        let mut name = OsString::from(path);
        name.push(".partial");
        let partial = PathBuf::from(name);
        let file = File::create(&partial).map_err(RecordError::io("create", &partial))?;
        Ok(Self { file, partial, path: path.to_owned(), is_committed: false })
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, in place of what had it.
    pub fn commit(mut self) -> Result<(), RecordError> {
        fs::rename(&self.partial, &self.path).map_err(RecordError::io("rename", &self.partial))?;
        self.is_committed = true;
        Ok(())
    }
}

impl Write for PartialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.is_committed {
            // Nobody is left to tell; what stays is plainly named as partial.
            let _ = fs::remove_file(&self.partial);
        }
    }
}
