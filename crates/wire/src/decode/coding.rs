//! Content codings: none is asked for, but some servers and proxies compress all the same.
//!
//! Invariant: what is unpacked at once stays small, whatever was packed. Input is unpacked in small pieces, and
//! a body that has swollen beyond [`FREE_BYTES`] may have at most [`MOST_SWELLING`] times the bytes it came in:
//! text of servers shrinks 5 to 50 times, a bomb a thousand times.
//!
//! A body that ends early is taken as far as it goes, as browsers do; one that ends before its packed text has
//! begun is not coded as it says.

use std::borrow::Cow;
use std::io::{self, Write as _};

use flate2::write::{MultiGzDecoder, ZlibDecoder};

/// Bytes that are unpacked at once: a thousand times as many may come out.
const PIECE_BYTES: usize = 1024;
/// Bytes that a body may have unpacked, however few it came in.
const FREE_BYTES: u64 = 4 * 1024 * 1024;
/// How many times the packed bytes the unpacked ones may be, beyond that.
const MOST_SWELLING: u64 = 200;

/// How a body's bytes are coded, and how much of it there was.
#[derive(Debug)]
pub(super) struct Coding {
    form: Form,
    packed: u64,
    unpacked: u64,
}

#[derive(Debug)]
enum Form {
    /// As they are.
    Identity,
    /// `gzip`.
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// `deflate`, which is zlib's format.
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
}

impl Coding {
    /// Bytes as they are.
    pub(super) const IDENTITY: Self = Self { form: Form::Identity, packed: 0, unpacked: 0 };

    /// The coding of this name; `None` if it is one we do not know.
    pub(super) fn named(name: &str) -> Option<Self> {
        let form = match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Form::Identity,
            "gzip" | "x-gzip" => Form::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            "deflate" => Form::Zlib(Box::new(ZlibDecoder::new(Vec::new()))),
            _ => return None,
        };
        Some(Self { form, ..Self::IDENTITY })
    }

    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        match self.form {
            Form::Identity => "identity",
            Form::Gzip(_) => "gzip",
            Form::Zlib(_) => "deflate",
        }
    }

    /// Whether bytes are as they came.
    pub(super) fn is_identity(&self) -> bool {
        matches!(self.form, Form::Identity)
    }

    /// What `bytes` decode to, as far as they go.
    pub(super) fn decode<'a>(&mut self, bytes: &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
        if self.is_identity() {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut decoded = Vec::new();
        for piece in bytes.chunks(PIECE_BYTES) {
            let unpacked = match &mut self.form {
                Form::Identity => unreachable!("bytes as they are were given back"),
                Form::Gzip(decoder) => {
                    decoder.write_all(piece)?;
                    decoder.flush()?;
                    std::mem::take(decoder.get_mut())
                }
                Form::Zlib(decoder) => {
                    decoder.write_all(piece)?;
                    decoder.flush()?;
                    std::mem::take(decoder.get_mut())
                }
            };
            self.packed += piece.len() as u64;
            self.unpacked += unpacked.len() as u64;
            if self.unpacked > FREE_BYTES.max(self.packed.saturating_mul(MOST_SWELLING)) {
                return Err(io::Error::other(format!(
                    "unpacked, the body is more than {MOST_SWELLING} times as large"
                )));
            }
            decoded.extend_from_slice(&unpacked);
        }
        Ok(Cow::Owned(decoded))
    }

    /// The body is over: an error where nothing could be made of what there was of it.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.packed == 0 || self.unpacked > 0 {
            return Ok(());
        }
        match &mut self.form {
            Form::Identity => Ok(()),
            Form::Gzip(decoder) => decoder.try_finish(),
            Form::Zlib(decoder) => decoder.try_finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_body_comes_out_however_it_is_cut() {
        // Like a stream's events, which are alike but for their text.
        let stream: Vec<u8> =
            (0..50_000).flat_map(|n| format!("data: {{\"x\":\"token {n}\"}}\n\n").into_bytes()).collect();
        let packed = gzip(&stream);
        for size in [1, 700, packed.len()] {
            let mut coding = Coding::named("gzip").unwrap();
            let decoded: Vec<u8> =
                packed.chunks(size).flat_map(|piece| coding.decode(piece).unwrap().into_owned()).collect();
            assert!(decoded == stream, "{size}");
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"hello").unwrap();
        assert_eq!(
            &*Coding::named("Deflate ").unwrap().decode(&encoder.finish().unwrap()).unwrap(),
            b"hello"
        );
        assert_eq!(&*Coding::named("").unwrap().decode(b"as it is").unwrap(), b"as it is");
    }

    #[test]
    fn what_is_not_coded_as_it_says_is_refused() {
        for (name, body) in [
            ("gzip", &b"{\"choices\": []}"[..]),
            ("gzip", b"not gzip"),
            ("gzip", b"{}"),
            ("deflate", b"not zlib"),
        ] {
            let mut coding = Coding::named(name).unwrap();
            let decoded = coding.decode(body).map(Cow::into_owned);
            assert!(decoded.is_err() || coding.finish().is_err(), "{name} {body:?}");
        }
        let mut empty = Coding::named("gzip").unwrap();
        assert!(empty.decode(&gzip(b"")).unwrap().is_empty());
        empty.finish().unwrap();
        let mut cut = Coding::named("gzip").unwrap();
        let packed = gzip(b"data: begins");
        assert_eq!(&*cut.decode(&packed[..packed.len() - 8]).unwrap(), b"data: begins");
        cut.finish().unwrap();
        Coding::named("gzip").unwrap().finish().unwrap();
    }

    #[test]
    fn a_bomb_is_refused_before_it_has_grown() {
        let bomb = gzip(&vec![0; 64 << 20]);
        let mut coding = Coding::named("gzip").unwrap();
        let error = coding.decode(&bomb).unwrap_err().to_string();
        assert!(error.contains("more than 200 times as large"), "{error}");
        // One piece beyond the limit at most.
        assert!(coding.unpacked < FREE_BYTES + (2 << 20), "{}", coding.unpacked);
    }
}
