//! Which format an input file is in, where nobody says: by its first line, as AIPerf does.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};

use crate::config::TraceFormat;
use crate::error::WorkloadError;

impl TraceFormat {
    /// The format of a file or a folder, by what it begins with.
    pub fn detect(path: &Path) -> Result<Self, WorkloadError> {
        let fault = |reason: &str| {
            let names: Vec<&str> = Self::ALL.into_iter().map(Self::name).collect();
            let reason = format!("{reason}: say what it is with --custom-dataset-type {}", names.join("|"));
            WorkloadError::File { path: path.to_owned(), reason }
        };
        if path.is_dir() {
            return Ok(if holds_bodies(path) { Self::RawPayload } else { Self::RandomPool });
        }
        let unreadable = |source| WorkloadError::Read { path: path.to_owned(), source };
        let line = first_line(path).map_err(unreadable)?;
        let Ok(fields) = serde_json::from_str::<Map<String, Value>>(&line) else {
            // An object over several lines, as AIPerf writes them.
            return if is_inputs_json(path) { Ok(Self::InputsJson) } else { Err(fault("no format known")) };
        };
        of_fields(&fields).map_err(|reason| fault(&reason))
    }
}

/// The one format that a first line fits.
fn of_fields(fields: &Map<String, Value>) -> Result<TraceFormat, String> {
    let has =
        |names: &[&str]| names.iter().any(|name| fields.get(*name).is_some_and(|value| !value.is_null()));
    if let Some(named) = fields.get("type").and_then(Value::as_str)
        && let Some(format) = TraceFormat::ALL.into_iter().find(|format| format.name() == named)
    {
        return Ok(format);
    }
    if fields.get("data").is_some_and(Value::is_array) {
        return Ok(TraceFormat::InputsJson);
    }
    let media = ["text", "texts", "image", "images", "audio", "audios", "video", "videos"];
    let claims = [
        (TraceFormat::MultiTurn, has(&["turns"])),
        (TraceFormat::SingleTurn, has(&media)),
        (TraceFormat::Mooncake, has(&["input_length", "text_input", "payload", "messages"])),
        (TraceFormat::RawPayload, has(&["messages"])),
    ];
    let fitting: Vec<TraceFormat> =
        claims.into_iter().filter_map(|(format, fits)| fits.then_some(format)).collect();
    match fitting[..] {
        [] => Err("no format known".to_owned()),
        [format] => Ok(format),
        [one, other, ..] => Err(format!("its lines may be {} or {}", one.name(), other.name())),
    }
}

fn first_line(path: &Path) -> std::io::Result<String> {
    /// No line that tells a format is longer.
    const LONGEST: u64 = 128 << 20;
    let (file, is_packed) = super::read::open(path)?;
    let reader: Box<dyn Read> = if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    for line in BufReader::new(reader.take(LONGEST)).lines() {
        let line = line?;
        let text = line.trim_start_matches('\u{feff}').trim();
        if !text.is_empty() {
            return Ok(text.to_owned());
        }
    }
    Ok(String::new())
}

fn is_inputs_json(path: &Path) -> bool {
    let text = std::fs::read(path).unwrap_or_default();
    let file: Option<Map<String, Value>> = serde_json::from_slice(&text).ok();
    file.is_some_and(|file| file.get("data").is_some_and(Value::is_array))
}

/// Whether a folder has lines that are request bodies.
fn holds_bodies(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .filter_map(|path| serde_json::from_str::<Map<String, Value>>(&first_line(&path).ok()?).ok())
        .any(|fields| fields.get("messages").is_some_and(Value::is_array))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_line_tells_the_format() {
        let folder = tempfile::tempdir().unwrap();
        let detect = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            TraceFormat::detect(&path).map_err(|error| error.to_string())
        };
        for (text, format) in [
            ("\n\u{feff}{\"input_length\":5}\n", TraceFormat::Mooncake),
            (r#"{"text":"a"}"#, TraceFormat::SingleTurn),
            (r#"{"images":["a.png"],"turns":null}"#, TraceFormat::SingleTurn),
            (r#"{"session_id":"a","turns":[]}"#, TraceFormat::MultiTurn),
            (r#"{"type":"random_pool","text":"a"}"#, TraceFormat::RandomPool),
            ("{\n \"data\": [\n {\"session_id\":\"a\",\"payloads\":[{}]}]}", TraceFormat::InputsJson),
            (r#"{"data":[]}"#, TraceFormat::InputsJson),
        ] {
            assert_eq!(detect("file.jsonl", text), Ok(format), "{text}");
        }
        for text in [r#"{"messages":[]}"#, "a,b\n1,2", "", "[1]", "{\"x\":1}"] {
            let error = detect("file.jsonl", text).unwrap_err();
            assert!(error.contains("--custom-dataset-type mooncake_trace|single_turn"), "{text}: {error}");
        }
        for (text, both) in [
            (r#"{"messages":[{}]}"#, "mooncake_trace or raw_payload"),
            (r#"{"text":"a","turns":[{"text":"b"}]}"#, "multi_turn or single_turn"),
            (r#"{"text":"a","input_length":5}"#, "single_turn or mooncake_trace"),
        ] {
            assert!(detect("file.jsonl", text).unwrap_err().contains(both), "{text}");
        }
        assert!(TraceFormat::detect(&folder.path().join("none")).is_err());
    }

    #[test]
    fn a_folder_holds_bodies_or_pools() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.jsonl"), r#"{"text":"a"}"#).unwrap();
        assert_eq!(TraceFormat::detect(folder.path()).unwrap(), TraceFormat::RandomPool);
        std::fs::write(folder.path().join("b.jsonl"), r#"{"messages":[]}"#).unwrap();
        assert_eq!(TraceFormat::detect(folder.path()).unwrap(), TraceFormat::RawPayload);
    }
}
