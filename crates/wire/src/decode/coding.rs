//! Content codings: none is asked for, but some servers and proxies compress all the same.

use std::borrow::Cow;
use std::io::{self, Write as _};

use flate2::write::{MultiGzDecoder, ZlibDecoder};

/// How a body's bytes are coded.
#[derive(Debug)]
pub(super) enum Coding {
    /// As they are.
    Identity,
    /// `gzip`.
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// `deflate`, which is zlib's format.
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
}

impl Coding {
    /// The coding of this name; `None` if it is one we do not know.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))),
            "deflate" => Some(Self::Zlib(Box::new(ZlibDecoder::new(Vec::new())))),
            _ => None,
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip(_) => "gzip",
            Self::Zlib(_) => "deflate",
        }
    }

    /// What `bytes` decode to, as far as they go.
    pub(super) fn decode<'a>(&mut self, bytes: &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
        let decoded = match self {
            Self::Identity => return Ok(Cow::Borrowed(bytes)),
            Self::Gzip(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()?;
                std::mem::take(decoder.get_mut())
            }
            Self::Zlib(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()?;
                std::mem::take(decoder.get_mut())
            }
        };
        Ok(Cow::Owned(decoded))
    }
}
