//! What the tests share: files that live as long as a value, and turns as text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use loadgen_core::{InputTokens, Prompt, Reply, RequestSource, Role, Rope, Seed, Turn};
use loadgen_tokens::{Tokenizer, TokenizerSource};
use loadgen_workload::{Dataset, Origin, SyntheticConfig, TraceConfig, WorkloadConfig, WorkloadError};

pub(crate) const GIVEN: Origin = Origin { seed: Seed(7), is_given: true };

pub(crate) fn models() -> Vec<Arc<str>> {
    vec!["m".into()]
}

pub(crate) fn load_trace(config: TraceConfig, origin: Origin) -> Result<Dataset, WorkloadError> {
    Dataset::load(&WorkloadConfig::Trace(config), &Tokenizer::builtin(), origin, &models())
}

pub(crate) fn load_synthetic(config: SyntheticConfig, tokenizer: &Tokenizer) -> Dataset {
    Dataset::load(&WorkloadConfig::Synthetic(config), tokenizer, GIVEN, &models()).unwrap()
}

/// A trace file that lives as long as the value.
pub(crate) struct File(pub(crate) tempfile::TempDir);

impl File {
    pub(crate) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("trace.jsonl"), text).unwrap();
        Self(folder)
    }

    pub(crate) fn config(&self) -> TraceConfig {
        TraceConfig::mooncake(self.0.path().join("trace.jsonl"))
    }

    pub(crate) fn load(&self) -> Dataset {
        load_trace(self.config(), GIVEN).unwrap()
    }

    pub(crate) fn error(&self) -> String {
        let text = load_trace(self.config(), GIVEN).unwrap_err().to_string();
        text.replace(&self.0.path().display().to_string(), "DIR")
    }
}

pub(crate) fn real(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../traces").join(name)
}

pub(crate) fn fixture() -> Tokenizer {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizer");
    Tokenizer::load(&TokenizerSource::File(path.join("tokenizer.json"))).unwrap()
}

pub(crate) fn first_turn(source: &dyn RequestSource, ordinal: u64) -> Turn {
    source.session(ordinal).unwrap().next_turn(None).unwrap()
}

pub(crate) fn unescape(rope: &Rope) -> String {
    let mut json = vec![b'"'];
    rope.pieces().iter().for_each(|piece| json.extend_from_slice(piece));
    json.push(b'"');
    serde_json::from_slice(&json).unwrap()
}

pub(crate) fn messages(turn: &Turn) -> Vec<(Role, String)> {
    match &turn.prompt {
        Prompt::Messages(messages) => {
            messages.iter().map(|message| (message.role, unescape(&message.text))).collect()
        }
        other => panic!("not a list of messages: {other:?}"),
    }
}

pub(crate) fn text(turn: &Turn) -> String {
    messages(turn).pop().unwrap().1
}

pub(crate) fn exact(turn: &Turn) -> usize {
    match &turn.input_tokens {
        InputTokens::Exact(tokens) => *tokens as usize,
        other => panic!("not exact: {other:?}"),
    }
}

pub(crate) fn reply(text: &'static str) -> Reply {
    Reply { text: text.into(), ..Reply::default() }
}
