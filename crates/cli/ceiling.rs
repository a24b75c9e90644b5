//! This host's calibration: where it is kept, and which of it a run may cite.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use loadgen_run::Host;
use loadgen_study::calibration::{Calibration, HostIdentity};

use crate::plan::Notice;

/// The word that leaves a calibration out.
const NONE: &str = "none";

/// Where a calibration is kept unless told otherwise: in the user's cache folder, since it can be made
/// again. `None` for a user without a home.
pub(crate) fn default_path() -> Option<PathBuf> {
    path_in(std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME"))
}

/// As the XDG base directory specification has it: a relative XDG_CACHE_HOME is ignored.
fn path_in(cache: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let cache = cache.map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = cache.or_else(|| {
        home.map(PathBuf::from).filter(|home| !home.as_os_str().is_empty()).map(|home| home.join(".cache"))
    })?;
    Some(cache.join("loadgen").join("calibration.json"))
}

/// Reads a calibration.
pub(crate) fn read(path: &Path) -> std::io::Result<Calibration> {
    let text = std::fs::read(path)?;
    serde_json::from_slice(&text).map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))
}

/// Whether a calibration can be kept there: asked before minutes are spent on making one. Leaves nothing
/// behind but the folder.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    anyhow::ensure!(!path.is_dir(), "--output: {} is a folder: give a file", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| cannot_keep(path))?;
    }
    let partial = partial(path);
    std::fs::write(&partial, "").with_context(|| cannot_keep(path))?;
    std::fs::remove_file(&partial).with_context(|| cannot_keep(path))
}

/// Writes a calibration, whole or not at all, into a folder that [`check_writable`] found.
pub(crate) fn write(path: &Path, calibration: &Calibration) -> Result<()> {
    let partial = partial(path);
    let text = serde_json::to_string_pretty(calibration)? + "\n";
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        // Half a file is of no use; that it cannot be removed either adds nothing to the error below.
        let _ = std::fs::remove_file(&partial);
    }
    written.with_context(|| cannot_keep(path))
}

/// Where a calibration is written before it takes its name.
fn partial(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    partial.into()
}

fn cannot_keep(path: &Path) -> String {
    format!("cannot write {}: give another file with --output", path.display())
}

/// The calibration that a run on this host cites. `given` is what the user said, if anything: a file, or
/// `none`. One that was asked for and does not fit is said; the usual one is then left out quietly.
pub(crate) fn of_this_host(
    given: Option<&str>,
    notices: &mut Vec<Notice>,
) -> Result<Option<(PathBuf, Calibration)>, String> {
    let path = match given {
        Some(NONE) => return Ok(None),
        Some(path) => PathBuf::from(path),
        None => match default_path() {
            Some(path) => path,
            None => return Ok(None),
        },
    };
    let calibration = match read(&path) {
        Ok(calibration) => calibration,
        // The usual place may hold nothing, or what another version left there.
        Err(_) if given.is_none() => return Ok(None),
        Err(error) => {
            return Err(format!(
                "{} is not a calibration: {error}; make one with `loadgen calibrate --output {0}`",
                path.display()
            ));
        }
    };
    if calibration.is_of(&HostIdentity::from(&Host::read()), env!("CARGO_PKG_VERSION")) {
        return Ok(Some((path, calibration)));
    }
    let text = format!(
        "{} was made on another host or by another version and is not cited: `loadgen calibrate` makes a new one",
        path.display()
    );
    notices.push(if given.is_some() { Notice::Warning(text) } else { Notice::Info(text) });
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_usual_place_is_in_the_cache_folder() {
        let path =
            |cache: Option<&str>, home: Option<&str>| path_in(cache.map(Into::into), home.map(Into::into));
        assert_eq!(path(Some("/c"), Some("/h")), Some("/c/loadgen/calibration.json".into()));
        assert_eq!(path(Some("c"), Some("/h")), Some("/h/.cache/loadgen/calibration.json".into()));
        assert_eq!(path(None, Some("")), None);
        assert_eq!(path(None, None), None);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_said_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new").join("calibration.json");
        check_writable(&file).unwrap();
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 0, "nothing is left behind");

        let refused = check_writable(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("is a folder"), "{refused}");
        std::fs::write(&file, "").unwrap();
        let refused = check_writable(&file.join("below")).unwrap_err().to_string();
        assert!(refused.contains("--output"), "{refused}");
    }

    #[test]
    fn a_file_that_was_asked_for_has_to_be_one() {
        let mut notices = Vec::new();
        assert!(of_this_host(Some("none"), &mut notices).is_ok_and(|cited| cited.is_none()));
        let refused = of_this_host(Some("/nonexistent.json"), &mut notices).unwrap_err();
        assert!(refused.contains("/nonexistent.json") && refused.contains("loadgen calibrate"), "{refused}");
        assert!(notices.is_empty());
    }
}
