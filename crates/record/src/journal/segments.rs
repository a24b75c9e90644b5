//! The segment files of a journal: their names, their rotation, their removal.
//!
//! Every segment begins with the run's header, twice, so that any one segment tells which run it
//! belongs to, and no single damaged byte can hide that.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::JournalHeader;
use super::frame::{self, Kind};
use crate::error::RecordError;

const PREFIX: &str = "segment-";
const SUFFIX: &str = ".journal";

/// Path of a segment in `folder`.
pub(crate) fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(name(number))
}

fn name(number: u32) -> String {
    format!("{PREFIX}{number:06}{SUFFIX}")
}

/// The segments in `folder`, by number.
pub(crate) fn list(folder: &Path) -> Result<Vec<(u32, PathBuf)>, RecordError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(RecordError::io("read", folder))? {
        let entry = entry.map_err(RecordError::io("read", folder))?;
        if let Some(number) = entry.file_name().to_str().and_then(number_of) {
            found.push((number, entry.path()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The number in a segment's name. Only the name that [`path`] would give counts, so that no two files
/// are the same segment.
fn number_of(file_name: &str) -> Option<u32> {
    let number = file_name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()?;
    (number > 0 && file_name == name(number)).then_some(number)
}

/// Makes `folder`, and removes the segments of an earlier run from it.
pub(crate) fn clear(folder: &Path) -> Result<(), RecordError> {
    fs::create_dir_all(folder).map_err(RecordError::io("create", folder))?;
    for (_, old) in list(folder)? {
        fs::remove_file(&old).map_err(RecordError::io("remove", &old))?;
    }
    Ok(())
}

/// The row of segments being written.
#[derive(Debug)]
pub(crate) struct Segments {
    folder: PathBuf,
    header: JournalHeader,
    limit: u64,
    file: File,
    number: u32,
    /// Bytes in the current segment, and in all of them.
    length: u64,
    total: u64,
}

impl Segments {
    /// Begins segment 1.
    pub(crate) fn create(folder: &Path, header: &JournalHeader, limit: u64) -> Result<Self, RecordError> {
        let first = path(folder, 1);
        let file = File::create(&first).map_err(RecordError::io("create", &first))?;
        let mut segments = Self {
            folder: folder.to_owned(),
            header: header.clone(),
            limit,
            file,
            number: 1,
            length: 0,
            total: 0,
        };
        segments.write_head()?;
        Ok(segments)
    }

    /// Hands whole frames to the operating system, in a new segment if the current one is full.
    pub(crate) fn write(&mut self, frames: &[u8]) -> Result<(), RecordError> {
        if self.length >= self.limit {
            self.rotate()?;
        }
        self.append(frames).map_err(RecordError::io("write", &self.path()))
    }

    pub(crate) fn count(&self) -> u32 {
        self.number
    }

    /// The current segment's number and length.
    pub(crate) fn position(&self) -> (u32, u64) {
        (self.number, self.length)
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        self.total
    }

    pub(crate) fn path(&self) -> PathBuf {
        path(&self.folder, self.number)
    }

    fn rotate(&mut self) -> Result<(), RecordError> {
        self.number += 1;
        let next = self.path();
        self.file = File::create(&next).map_err(RecordError::io("create", &next))?;
        self.length = 0;
        self.write_head()
    }

    fn write_head(&mut self) -> Result<(), RecordError> {
        let mut head = frame::segment_head(self.number).to_vec();
        for _ in 0..2 {
            // A header too long for a frame is left out; the records matter more.
            frame::append(&mut head, Kind::Header, &self.header);
        }
        self.append(&head).map_err(RecordError::io("write", &self.path()))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        self.total += bytes.len() as u64;
        Ok(())
    }
}
