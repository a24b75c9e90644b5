//! `logs/aiperf.log` in a run's folder: lines wait in memory until there is a folder.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::{LogLines, LogShape, Severity};

/// The log of a run's folder. Until there is a folder, lines wait in memory.
#[derive(Clone)]
pub(crate) struct RunLog(pub(super) Arc<Mutex<Place>>);

pub(super) enum Place {
    /// Lines that wait.
    Memory(Vec<u8>),
    /// Where they go.
    File(File),
    /// Nothing is kept: the file could not be written.
    Nowhere,
}

impl RunLog {
    /// A log that waits for its folder, and who writes to it.
    pub(crate) fn begin() -> (Self, LogLines) {
        let log = Self(Arc::new(Mutex::new(Place::Memory(Vec::new()))));
        let lines = LogLines::new(LogShape::File, Severity::Debug, Box::new(log.clone()));
        (log, lines)
    }

    /// Goes on in this file, whose folder is made.
    pub(crate) fn open(&self, path: &Path) -> std::io::Result<()> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| File::create(path));
        let mut file = match opened {
            Ok(file) => file,
            Err(error) => {
                *place = Place::Nowhere;
                return Err(error);
            }
        };
        if let Place::Memory(lines) = &*place {
            file.write_all(lines)?;
        }
        *place = Place::File(file);
        Ok(())
    }
}

impl Write for RunLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Place::Memory(lines) => lines.write(bytes),
            Place::File(file) => file.write(bytes),
            Place::Nowhere => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
