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

/// Writes a calibration, whole or not at all.
pub(crate) fn write(path: &Path, calibration: &Calibration) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(cannot)?;
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, serde_json::to_string_pretty(calibration)? + "\n").with_context(cannot)?;
    std::fs::rename(&partial, path).with_context(cannot)
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
    fn a_file_that_was_asked_for_has_to_be_one() {
        let mut notices = Vec::new();
        assert!(of_this_host(Some("none"), &mut notices).is_ok_and(|cited| cited.is_none()));
        let refused = of_this_host(Some("/nonexistent.json"), &mut notices).unwrap_err();
        assert!(refused.contains("/nonexistent.json") && refused.contains("loadgen calibrate"), "{refused}");
        assert!(notices.is_empty());
    }
}
