//! A trace file, streamed: unpacked, hashed and split into lines, one in memory at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::fault::LineFault;
use super::line::{Line, parse_line, text_of};
use crate::error::WorkloadError;

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;
/// Bytes of a line. No request is as long; a file without line ends is not read into memory whole.
const LONGEST_LINE: usize = 128 << 20;

/// What there is to say about a file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// Its path, as it was given.
    pub path: PathBuf,
    /// SHA-256 of its bytes as they lie on disk, in hex.
    pub sha256: String,
    /// Requests in it.
    pub rows: u64,
    /// Requests that the options left out.
    pub rows_left_out: u64,
}

impl FileFacts {
    /// The file's identity in the names of its blocks: the first 16 digits of its hash.
    pub(crate) fn trace_id(&self) -> &str {
        &self.sha256[..16]
    }
}

/// Reads every request of a trace and hands it to `take` with its line number, from 1. Blank lines
/// are skipped; the first bad one ends the reading.
pub(crate) fn read(
    path: &Path,
    block_size: u32,
    mut take: impl FnMut(u64, Line),
) -> Result<FileFacts, WorkloadError> {
    each_line(path, |number, bytes| {
        let line = parse_line(bytes, block_size)?;
        let is_line = line.is_some();
        if let Some(line) = line {
            take(number, line);
        }
        Ok(is_line)
    })
}

/// Reads every line of a file that is not blank and hands its text to `take` with its number, from 1.
pub(crate) fn read_lines(
    path: &Path,
    mut take: impl FnMut(u64, &str) -> Result<(), LineFault>,
) -> Result<FileFacts, WorkloadError> {
    each_line(path, |number, bytes| {
        let line = bytes.trim_ascii();
        if line.is_empty() {
            return Ok(false);
        }
        take(number, text_of(line)?).map(|()| true)
    })
}

/// Hands each line to `take`, which says whether it is a request, and whether it is wrong.
fn each_line(
    path: &Path,
    mut take: impl FnMut(u64, &[u8]) -> Result<bool, LineFault>,
) -> Result<FileFacts, WorkloadError> {
    let unreadable = |source| WorkloadError::Read { path: path.to_owned(), source };
    let (file, is_packed) = open(path).map_err(unreadable)?;
    let mut file = Hashed { file, hash: Sha256::new() };
    let mut rows = 0;
    {
        let mut lines: Box<dyn BufRead + '_> = if is_packed {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(&mut file)))
        } else {
            Box::new(BufReader::with_capacity(BUFFER, &mut file))
        };
        let mut line = Vec::new();
        let mut number = 0;
        while read_line(&mut lines, &mut line, LONGEST_LINE).map_err(unreadable)? {
            number += 1;
            if line.len() > LONGEST_LINE {
                let fault = LineFault::TooLong { longest: LONGEST_LINE };
                return Err(WorkloadError::Line { path: path.to_owned(), line: number, fault });
            }
            let bytes = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| number == 1).unwrap_or(&line);
            let is_request = take(number, bytes).map_err(|fault| WorkloadError::Line {
                path: path.to_owned(),
                line: number,
                fault,
            })?;
            rows += u64::from(is_request);
        }
    }
    // A decoder may stop before the file does; the hash is over the whole file.
    io::copy(&mut file, &mut io::sink()).map_err(unreadable)?;
    let sha256 = format!("{:x}", file.hash.finalize());
    Ok(FileFacts { path: path.to_owned(), sha256, rows, rows_left_out: 0 })
}

/// Opens a file, and says whether it is packed, which its name tells. One that only says so would be unpacked to
/// no end that names the cause.
pub(super) fn open(path: &Path) -> io::Result<(File, bool)> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    let mut file = File::open(path)?;
    let is_packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    if is_packed {
        let mut head = Vec::new();
        (&file).take(GZIP.len() as u64).read_to_end(&mut head)?;
        if head != GZIP {
            let why = "its name ends in .gz, and it is not packed with gzip: rename it, or pack it";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        file.rewind()?;
    }
    Ok((file, is_packed))
}

/// Reads the next line, or `longest` bytes of it and one more; `false` at the end.
fn read_line(lines: &mut impl BufRead, line: &mut Vec<u8>, longest: usize) -> io::Result<bool> {
    line.clear();
    Ok(lines.take(longest as u64 + 1).read_until(b'\n', line)? > 0)
}

/// What some editors put before the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file that is hashed as it is read.
struct Hashed {
    file: File,
    hash: Sha256,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    const TEXT: &str = "\u{feff}{\"input_length\":1}\n\n{\"input_length\":2}\r\n{\"input_length\":3}";

    fn lines(path: &Path) -> (FileFacts, Vec<u64>) {
        let mut numbers = Vec::new();
        let facts = read(path, 512, |number, _| numbers.push(number)).unwrap();
        (facts, numbers)
    }

    #[test]
    fn lines_are_numbered_and_the_bytes_on_disk_are_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("trace.jsonl");
        std::fs::write(&plain, TEXT).unwrap();
        let (facts, numbers) = lines(&plain);
        assert_eq!(numbers, [1, 3, 4]);
        assert_eq!(facts.rows, 3);
        assert_eq!(facts.sha256, format!("{:x}", Sha256::digest(TEXT)));
    }

    #[test]
    fn packed_files_are_unpacked_all_their_members() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl.gz");
        let mut packed = Vec::new();
        for part in TEXT.split_inclusive('\n') {
            let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
            encoder.write_all(part.as_bytes()).unwrap();
            encoder.finish().unwrap();
        }
        std::fs::write(&path, &packed).unwrap();
        let (facts, numbers) = lines(&path);
        assert_eq!(numbers, [1, 3, 4]);
        assert_eq!(facts.sha256, format!("{:x}", Sha256::digest(&packed)));

        std::fs::write(&path, TEXT).unwrap();
        let error = read(&path, 512, |_, _| {}).unwrap_err();
        let why = std::error::Error::source(&error).unwrap().to_string();
        assert!(why.contains("ends in .gz, and it is not packed with gzip"), "{why}");
    }

    #[test]
    fn no_more_of_a_line_is_read_than_one_byte_too_much() {
        let mut text = &b"1234\n12345678"[..];
        let mut line = Vec::new();
        assert!(read_line(&mut text, &mut line, 5).unwrap());
        assert_eq!(line, b"1234\n");
        assert!(read_line(&mut text, &mut line, 5).unwrap());
        assert_eq!(line, b"123456", "longer than 5: too long");
        assert!(read_line(&mut text, &mut line, 5).unwrap());
        assert!(!read_line(&mut text, &mut line, 5).unwrap());
    }

    #[test]
    fn a_file_without_line_ends_is_not_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zeros.jsonl");
        // Sparse: takes no room on disk.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = read(&path, 512, |_, _| {}).unwrap_err().to_string();
        assert!(error.contains("zeros.jsonl:1: longer than 134217728 bytes"), "{error}");
    }

    #[test]
    fn the_first_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl");
        std::fs::write(&path, "{\"input_length\":1}\n\n{\"input_length\":0}\nnonsense").unwrap();
        let error = read(&path, 512, |_, _| {}).unwrap_err().to_string();
        assert!(
            error.ends_with("trace.jsonl:3: input_length: 0 is not a prompt's length; it must be at least 1"),
            "{error}"
        );
    }
}
