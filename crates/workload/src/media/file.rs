//! What a string of a dataset stands for: a URL, data that is encoded already, or a file of this host.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use loadgen_core::Media;

use crate::corpus::escape;

/// A kind of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Image,
    Audio,
    Video,
}

/// The media of one dataset; each file is read once.
#[derive(Debug, Default)]
pub(crate) struct MediaFiles {
    seen: HashMap<(Kind, String), Media>,
}

impl MediaFiles {
    /// The medium behind `text`; the reason, where there is none.
    pub(crate) fn medium(&mut self, kind: Kind, text: &str) -> Result<Media, String> {
        if let Some(medium) = as_it_stands(kind, text) {
            return Ok(medium);
        }
        let key = (kind, text.to_owned());
        if let Some(medium) = self.seen.get(&key) {
            return Ok(medium.clone());
        }
        let medium = read(kind, text)?;
        self.seen.insert(key, medium.clone());
        Ok(medium)
    }
}

/// A URL, data as a URL, or `wav,BASE64`.
fn as_it_stands(kind: Kind, text: &str) -> Option<Media> {
    if kind == Kind::Audio
        && let Some((format, base64)) = text.split_once(',')
        && ["wav", "mp3"].iter().any(|known| known.eq_ignore_ascii_case(format))
    {
        return Some(Media::Encoded {
            format: format.to_ascii_lowercase().into(),
            base64: escape(base64).into(),
            plays_ns: None,
        });
    }
    (text.starts_with("data:") || text.contains("://")).then(|| Media::Url(Bytes::from(escape(text))))
}

fn read(kind: Kind, path: &str) -> Result<Media, String> {
    let bytes = std::fs::read(Path::new(path)).map_err(|error| {
        format!("{path} is neither a URL, nor encoded data, nor a file that can be read: {error}")
    })?;
    let format = format_of(kind, &bytes).ok_or_else(|| {
        let expected = match kind {
            Kind::Image => "PNG, JPEG, GIF or WebP",
            Kind::Audio => "WAV or MP3",
            Kind::Video => "MP4 or WebM",
        };
        format!("{path} is not {expected}")
    })?;
    Ok(Media::Encoded { format: format.into(), base64: STANDARD.encode(bytes).into(), plays_ns: None })
}

/// A file's format, by its first bytes.
fn format_of(kind: Kind, bytes: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let has = |at: usize, magic: &[u8]| bytes.get(at..at + magic.len()) == Some(magic);
    match kind {
        Kind::Image if starts(b"\x89PNG") => Some("png"),
        Kind::Image if starts(b"\xff\xd8\xff") => Some("jpeg"),
        Kind::Image if starts(b"GIF8") => Some("gif"),
        Kind::Image if starts(b"RIFF") && has(8, b"WEBP") => Some("webp"),
        Kind::Audio if starts(b"RIFF") && has(8, b"WAVE") => Some("wav"),
        Kind::Audio if starts(b"ID3") || starts(b"\xff\xfb") || starts(b"\xff\xf3") => Some("mp3"),
        Kind::Video if has(4, b"ftyp") => Some("mp4"),
        Kind::Video if starts(b"\x1a\x45\xdf\xa3") => Some("webm"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn urls_and_encoded_data_pass_as_they_stand() {
        let mut files = MediaFiles::default();
        let url = |text: &str| Media::Url(Bytes::copy_from_slice(text.as_bytes()));
        for text in ["https://host/a.png", "data:image/png;base64,AAAA"] {
            assert_eq!(files.medium(Kind::Image, text), Ok(url(text)));
        }
        let sound = Media::Encoded { format: "wav".into(), base64: "AAAA".into(), plays_ns: None };
        assert_eq!(files.medium(Kind::Audio, "WAV,AAAA"), Ok(sound));
    }

    #[test]
    fn files_are_encoded_by_what_they_are_and_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture");
        std::fs::write(&path, b"\x89PNG rest").unwrap();
        let path = path.to_str().unwrap();
        let mut files = MediaFiles::default();
        let png = Media::Encoded {
            format: "png".into(),
            base64: STANDARD.encode(b"\x89PNG rest").into(),
            plays_ns: None,
        };
        assert_eq!(files.medium(Kind::Image, path), Ok(png.clone()));
        std::fs::remove_file(path).unwrap();
        assert_eq!(files.medium(Kind::Image, path), Ok(png));
        assert!(files.medium(Kind::Audio, path).unwrap_err().contains("nor a file"));
        std::fs::write(path, b"text").unwrap();
        assert!(files.medium(Kind::Video, path).unwrap_err().contains("not MP4"));
    }
}
