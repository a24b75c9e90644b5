//! Texts put in order by a key, in bounded memory.
//!
//! Texts come about in order, as requests end. What would take more than some MiB is sorted and put aside
//! in a file without a name, as one run; at the end the runs are merged.
//!
//! What this does not know: what the texts are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Where a text belongs: equal keys keep the order in which they came.
pub(super) type Key = (i64, i32);

/// Bytes of texts that are held in memory before they are put aside.
const HELD_BYTES: usize = 16 << 20;
/// Bytes that are read of a run at a time.
const READ_BYTES: usize = 256 << 10;
/// Bytes before each text in the file: its key, its length.
const HEAD_BYTES: usize = 16;

/// Texts on their way into order.
#[derive(Debug)]
pub(super) struct Sorter {
    folder: PathBuf,
    limit: usize,
    held: Vec<(Key, Vec<u8>)>,
    held_bytes: usize,
    file: Option<File>,
    /// Where each run that was put aside begins and ends.
    runs: Vec<(u64, u64)>,
}

impl Sorter {
    /// An empty one that puts aside in `folder` what it cannot hold.
    pub(super) fn new(folder: &Path) -> Self {
        Self::with_limit(folder, HELD_BYTES)
    }

    fn with_limit(folder: &Path, limit: usize) -> Self {
        Self {
            folder: folder.to_owned(),
            limit,
            held: Vec::new(),
            held_bytes: 0,
            file: None,
            runs: Vec::new(),
        }
    }

    /// Takes a text.
    pub(super) fn push(&mut self, key: Key, text: Vec<u8>) -> io::Result<()> {
        self.held_bytes += text.len() + HEAD_BYTES;
        self.held.push((key, text));
        if self.held_bytes >= self.limit { self.put_aside() } else { Ok(()) }
    }

    /// Hands over all texts in order.
    pub(super) fn finish(mut self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.held.sort_by_key(|(key, _)| *key);
        let Some(file) = &self.file else {
            return self.held.iter().try_for_each(|(_, text)| take(text));
        };
        let mut sources: Vec<Source<'_>> =
            self.runs.iter().map(|(begin, end)| Source::run(file, *begin, *end)).collect();
        sources.push(Source::Held(std::mem::take(&mut self.held).into_iter()));
        let mut heads = Vec::with_capacity(sources.len());
        let mut order = BinaryHeap::with_capacity(sources.len());
        for (index, source) in sources.iter_mut().enumerate() {
            heads.push(source.next()?);
            order.extend(heads[index].as_ref().map(|(key, _)| Reverse((*key, index))));
        }
        while let Some(Reverse((_, index))) = order.pop() {
            let next = sources[index].next()?;
            order.extend(next.as_ref().map(|(key, _)| Reverse((*key, index))));
            if let Some((_, text)) = std::mem::replace(&mut heads[index], next) {
                take(&text)?;
            }
        }
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        self.held.sort_by_key(|(key, _)| *key);
        let mut bytes = Vec::with_capacity(self.held_bytes);
        for ((number, turn), text) in self.held.drain(..) {
            let length = u32::try_from(text.len()).map_err(io::Error::other)?;
            bytes.extend_from_slice(&number.to_le_bytes());
            bytes.extend_from_slice(&turn.to_le_bytes());
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&text);
        }
        self.held_bytes = 0;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(nameless(&self.folder)?),
        };
        let begin = self.runs.last().map_or(0, |(_, end)| *end);
        file.write_all_at(&bytes, begin)?;
        self.runs.push((begin, begin + bytes.len() as u64));
        Ok(())
    }
}

/// Texts in order: those of one run, or those that are still held.
enum Source<'a> {
    Run { file: &'a File, at: u64, end: u64, buffer: Vec<u8>, taken: usize },
    Held(std::vec::IntoIter<(Key, Vec<u8>)>),
}

impl<'a> Source<'a> {
    fn run(file: &'a File, at: u64, end: u64) -> Self {
        Self::Run { file, at, end, buffer: Vec::new(), taken: 0 }
    }

    /// The next one. Not an iterator: reading may fail.
    fn next(&mut self) -> io::Result<Option<(Key, Vec<u8>)>> {
        match self {
            Self::Held(texts) => return Ok(texts.next()),
            Self::Run { at, end, buffer, taken, .. } if at == end && *taken == buffer.len() => {
                return Ok(None);
            }
            Self::Run { .. } => {}
        }
        let head: [u8; HEAD_BYTES] = self.peek(HEAD_BYTES)?.try_into().expect("as many as were asked for");
        let (number, rest) = head.split_first_chunk::<8>().expect("a head has 16 bytes");
        let (turn, length) = rest.split_first_chunk::<4>().expect("a head has 16 bytes");
        let length: [u8; 4] = length.try_into().expect("a head has 16 bytes");
        let length = u32::from_le_bytes(length) as usize;
        let text = self.peek(HEAD_BYTES + length)?[HEAD_BYTES..].to_vec();
        if let Self::Run { taken, .. } = self {
            *taken += HEAD_BYTES + length;
        }
        Ok(Some(((i64::from_le_bytes(*number), i32::from_le_bytes(*turn)), text)))
    }

    /// The next `count` bytes of a run.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        let Self::Run { file, at, end, buffer, taken } = self else { return Ok(&[]) };
        if buffer.len() - *taken < count {
            buffer.drain(..*taken);
            *taken = 0;
            let wanted = count.max(READ_BYTES) - buffer.len();
            let ahead = wanted.min(usize::try_from(*end - *at).unwrap_or(usize::MAX));
            let kept = buffer.len();
            buffer.resize(kept + ahead, 0);
            file.read_exact_at(&mut buffer[kept..], *at)?;
            *at += ahead as u64;
        }
        buffer.get(*taken..*taken + count).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// A file whose name is taken away as soon as it is open.
fn nameless(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!(".sorted-{}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sorted(limit: usize, keys: &[Key]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::with_limit(folder.path(), limit);
        for (index, (number, turn)) in keys.iter().enumerate() {
            sorter.push((*number, *turn), format!("{number}.{turn}#{index}").into_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file is left");
        let mut texts = Vec::new();
        let take = |text: &[u8]| {
            texts.push(String::from_utf8(text.to_vec()).unwrap());
            Ok(())
        };
        sorter.finish(take).unwrap();
        texts
    }

    #[test]
    fn any_limit_gives_the_same_order_and_equal_keys_keep_theirs() {
        let keys: Vec<Key> = (0..500).map(|index| ((index * 7919) % 101, (index % 3) as i32 - 1)).collect();
        let whole = sorted(usize::MAX, &keys);
        assert_eq!(whole.len(), keys.len());
        let mut expected: Vec<_> = keys.iter().enumerate().collect();
        expected.sort_by_key(|(_, key)| **key);
        let texts = expected.iter().map(|(index, (number, turn))| format!("{number}.{turn}#{index}"));
        assert_eq!(whole, texts.collect::<Vec<_>>());
        for limit in [1, 40, 333, 5_000] {
            assert_eq!(sorted(limit, &keys), whole, "{limit}");
        }
        assert!(sorted(1, &[]).is_empty());
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let mut sorter = Sorter::with_limit(Path::new("/nowhere"), 1);
        assert!(sorter.push((0, 0), vec![1]).is_err());
    }
}
