//! Files of an experiment, each written beside its place and then put there, so that none is half
//! written.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes a file, and its folder where there is none.
pub(super) fn put(path: &Path, text: &str) -> Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&partial, text))
        .and_then(|()| fs::rename(&partial, path));
    written
        .with_context(|| format!("cannot write {}: give another folder with --artifact-dir", path.display()))
}

/// Takes away what an earlier experiment left there; that there is nothing is no fault.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error)
            if !matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
        {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
