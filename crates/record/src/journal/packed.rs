//! The chunk lists of a record as bytes: small, and fast both ways, since nearly all of a journal is
//! these.
//!
//! ```text
//! chunks = 0  count  offsets lags kinds bytes ends…  reasoning output    lists of one length
//!        | 1  postcard                                                    any others
//! list   = base  width u8  (value - base) [width] × count
//! ```
//!
//! Counts, bases and lengths of texts are variable-length integers. A list is stored as the distances
//! from its least value, each in as few whole bytes as the greatest one needs: none where all values
//! are equal. Lists that only grow are stored as their differences.
//!
//! Invariant: [`read`] gives what [`write`] took, and any other bytes give `None`, never a panic, nor
//! more memory than a few times their length.

use loadgen_core::{ChunkKind, RawChunks};

/// Lists of equal length, packed.
const PACKED: u8 = 0;
/// Anything else, as postcard has it.
const PLAIN: u8 = 1;

/// Appends `chunks` to `out`; `false`, and something of them appended, where postcard refuses.
pub(crate) fn write(chunks: &RawChunks, out: &mut Vec<u8>) -> bool {
    let count = chunks.len();
    let RawChunks { offset_ns, uncertainty_ns, read_lag_ns, kind, bytes, reasoning_end, output_end, .. } =
        chunks;
    let lengths = [uncertainty_ns.len(), read_lag_ns.len(), kind.len(), bytes.len()];
    if lengths.iter().chain(&[reasoning_end.len(), output_end.len()]).any(|length| *length != count) {
        out.push(PLAIN);
        return postcard::to_io(chunks, out).is_ok();
    }
    out.push(PACKED);
    write_number(count as u64, out);
    if let Some(first) = offset_ns.first() {
        write_number(zigzag(*first), out);
        // One byte a chunk at least, so that a count can be held against the bytes that follow.
        write_list(bytes.iter().map(|bytes| i64::from(*bytes)), 1, out);
        write_list(offset_ns.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])), 0, out);
        write_list(uncertainty_ns.iter().copied(), 0, out);
        write_list(read_lag_ns.iter().copied(), 0, out);
        write_list(kind.iter().map(|kind| number_of(*kind)), 0, out);
        write_list(differences(reasoning_end), 0, out);
        write_list(differences(output_end), 0, out);
    }
    for text in [&chunks.reasoning, &chunks.output] {
        write_number(text.len() as u64, out);
        out.extend_from_slice(text);
    }
    true
}

/// Reads what [`write`] wrote, to the last byte.
pub(crate) fn read(bytes: &[u8]) -> Option<RawChunks> {
    let (form, bytes) = bytes.split_first()?;
    match *form {
        PACKED => read_packed(bytes),
        PLAIN => postcard::from_bytes(bytes).ok(),
        _ => None,
    }
}

fn read_packed(bytes: &[u8]) -> Option<RawChunks> {
    let mut rest = Rest { bytes };
    let mut chunks = RawChunks::default();
    let count = usize::try_from(rest.number()?).ok()?;
    if count > rest.bytes.len() {
        return None;
    }
    if count > 0 {
        let mut offset = unzigzag(rest.number()?);
        chunks.bytes = rest.list(count, |value| i32::try_from(value).ok())?;
        chunks.offset_ns.reserve_exact(count);
        chunks.offset_ns.push(offset);
        rest.each(count - 1, |step| {
            offset = offset.wrapping_add(step);
            chunks.offset_ns.push(offset);
        })?;
        chunks.uncertainty_ns = rest.list(count, Some)?;
        chunks.read_lag_ns = rest.list(count, Some)?;
        chunks.kind = rest.list(count, kind_of)?;
        chunks.reasoning_end = rest.sums(count)?;
        chunks.output_end = rest.sums(count)?;
    }
    chunks.reasoning = rest.text()?;
    chunks.output = rest.text()?;
    rest.bytes.is_empty().then_some(chunks)
}

fn differences(ends: &[u32]) -> impl Iterator<Item = i64> + Clone {
    let before = std::iter::once(0).chain(ends.iter().copied());
    ends.iter().zip(before).map(|(end, before)| i64::from(*end) - i64::from(before))
}

fn write_list(values: impl Iterator<Item = i64> + Clone, least_width: usize, out: &mut Vec<u8>) {
    let (least, greatest) =
        values.clone().fold((i64::MAX, i64::MIN), |(least, greatest), v| (least.min(v), greatest.max(v)));
    let base = if least > greatest { 0 } else { least };
    let span = greatest.max(base).wrapping_sub(base) as u64;
    let width = ((64 - span.leading_zeros()).div_ceil(8) as usize).max(least_width);
    write_number(zigzag(base), out);
    out.push(width as u8);
    let distances = values.map(|value| value.wrapping_sub(base) as u64);
    match width {
        0 => {}
        1 => write_words::<1>(distances, out),
        2 => write_words::<2>(distances, out),
        3 => write_words::<3>(distances, out),
        4 => write_words::<4>(distances, out),
        5 => write_words::<5>(distances, out),
        6 => write_words::<6>(distances, out),
        7 => write_words::<7>(distances, out),
        _ => write_words::<8>(distances, out),
    }
}

fn write_words<const WIDTH: usize>(words: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
    for word in words {
        let bytes = word.to_le_bytes();
        let low: &[u8; WIDTH] = bytes.first_chunk().expect("a width is at most 8");
        out.extend_from_slice(low);
    }
}

fn write_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn number_of(kind: ChunkKind) -> i64 {
    match kind {
        ChunkKind::Text => 0,
        ChunkKind::Reasoning => 1,
        ChunkKind::Tool => 2,
    }
}

fn kind_of(number: i64) -> Option<ChunkKind> {
    match number {
        0 => Some(ChunkKind::Text),
        1 => Some(ChunkKind::Reasoning),
        2 => Some(ChunkKind::Tool),
        _ => None,
    }
}

/// The bytes that have not been read yet.
struct Rest<'a> {
    bytes: &'a [u8],
}

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Hands every value of a list of `count` to `take`.
    fn each(&mut self, count: usize, mut take: impl FnMut(i64)) -> Option<()> {
        let base = unzigzag(self.number()?);
        let width = usize::from(*self.take(1)?.first()?);
        let words = self.take(count.checked_mul(width)?)?;
        let take = |distance: u64| take(base.wrapping_add(distance as i64));
        match width {
            0 => (0..count).map(|_| 0).for_each(take),
            1 => read_words::<1>(words, take),
            2 => read_words::<2>(words, take),
            3 => read_words::<3>(words, take),
            4 => read_words::<4>(words, take),
            5 => read_words::<5>(words, take),
            6 => read_words::<6>(words, take),
            7 => read_words::<7>(words, take),
            8 => read_words::<8>(words, take),
            _ => return None,
        }
        Some(())
    }

    fn list<T>(&mut self, count: usize, convert: impl Fn(i64) -> Option<T>) -> Option<Vec<T>> {
        let mut list = Vec::with_capacity(count);
        self.each(count, |value| list.extend(convert(value)))?;
        // What does not convert is not in the list.
        (list.len() == count).then_some(list)
    }

    /// A list that was stored as its differences.
    fn sums(&mut self, count: usize) -> Option<Vec<u32>> {
        let mut sum = 0_i64;
        let mut list = Vec::with_capacity(count);
        self.each(count, |step| {
            sum = sum.wrapping_add(step);
            list.extend(u32::try_from(sum));
        })?;
        (list.len() == count).then_some(list)
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length).map(<[u8]>::to_vec)
    }
}

fn read_words<const WIDTH: usize>(bytes: &[u8], mut take: impl FnMut(u64)) {
    let (words, _) = bytes.as_chunks::<WIDTH>();
    for word in words {
        let mut whole = [0; 8];
        whole[..WIDTH].copy_from_slice(word);
        take(u64::from_le_bytes(whole));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    fn written(chunks: &RawChunks) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(write(chunks, &mut bytes));
        bytes
    }

    #[test]
    fn a_regular_stream_takes_few_bytes_a_chunk() {
        let chunks = samples::raw_record(1, 1000).chunks;
        let text = chunks.output.len();
        let bytes = written(&chunks);
        assert!(bytes.len() - text < 1000 + 64, "{} bytes beside the text", bytes.len() - text);
        assert_eq!(read(&bytes), Some(chunks));
    }

    #[test]
    fn extremes_and_lists_of_unequal_length_come_back() {
        let mut chunks = samples::raw_record(1, 4).chunks;
        chunks.offset_ns = vec![i64::MIN, i64::MAX, 0, i64::MIN];
        chunks.uncertainty_ns = vec![i64::MAX, i64::MIN, -1, 1];
        chunks.bytes = vec![i32::MIN, i32::MAX, 0, 1];
        chunks.output_end = vec![u32::MAX, 0, 5, 4];
        assert_eq!(read(&written(&chunks)).as_ref(), Some(&chunks));
        chunks.kind.pop();
        assert_eq!(read(&written(&chunks)), Some(chunks));
        assert_eq!(read(&written(&RawChunks::default())), Some(RawChunks::default()));
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused_before_memory_is_taken() {
        let mut bytes = vec![PACKED];
        write_number(u64::MAX >> 1, &mut bytes);
        bytes.extend([0; 40]);
        assert_eq!(read(&bytes), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = read(&bytes);
            let _ = read(&[&[PACKED, 3][..], &bytes].concat());
        }

        #[test]
        fn a_cut_is_seen(length in 1_usize..50, cut in any::<prop::sample::Index>()) {
            let bytes = written(&samples::raw_record(1, length).chunks);
            prop_assert_eq!(read(&bytes[..cut.index(bytes.len())]), None);
        }
    }
}
