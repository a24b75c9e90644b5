//! A tokenizer from a `tokenizer.json`, and what the files beside it say about special tokens.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::chat::ChatTemplate;
use crate::error::TokenizerError;

/// Files beside `tokenizer.json` that may declare the special tokens, the first one wins.
const CONFIGS: [&str; 2] = ["tokenizer_config.json", "special_tokens_map.json"];

/// A loaded `tokenizer.json`.
pub(crate) struct FileTokenizer {
    inner: tokenizers::Tokenizer,
    name: String,
    fingerprint: String,
    separator: Option<Arc<str>>,
    special_tokens_added: u32,
    template: Option<ChatTemplate>,
}

impl FileTokenizer {
    /// Reads `tokenizer.json` at `path`, and its neighbours for the special tokens' names.
    pub(crate) fn read(path: &Path) -> Result<Self, TokenizerError> {
        let bytes =
            std::fs::read(path).map_err(|source| TokenizerError::Read { path: path.to_owned(), source })?;
        let mut inner = tokenizers::Tokenizer::from_bytes(&bytes)
            .map_err(|error| TokenizerError::Invalid { path: path.to_owned(), reason: error.to_string() })?;
        // Some files carry the truncation and padding of a training run; counting wants neither.
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| TokenizerError::Invalid { path: path.to_owned(), reason: error.to_string() })?;
        let separator = path.parent().and_then(declared_separator).filter(|text| {
            inner.token_to_id(text).is_some() && inner.encode_fast(&**text, false).is_ok_and(|e| e.len() == 1)
        });
        let special_tokens_added = inner.encode_fast("", true).map_or(0, |encoding| encoding.len());
        Ok(Self {
            inner,
            name: path.display().to_string(),
            fingerprint: format!("{:x}", Sha256::digest(&bytes)),
            separator,
            special_tokens_added: u32::try_from(special_tokens_added).unwrap_or(u32::MAX),
            template: None,
        })
    }

    /// The same with its chat template, if one lies beside it.
    pub(crate) fn with_template(self, path: &Path) -> Result<Self, TokenizerError> {
        Ok(Self { template: ChatTemplate::beside(path)?, ..self })
    }

    /// Tokens of messages in the chat template; `None` without one, and where it refuses them.
    pub(crate) fn count_chat(&self, messages: &[u8]) -> Option<usize> {
        let text = self.template.as_ref()?.render(messages).ok()?;
        Some(self.count(&text))
    }

    /// Whether it has its chat template.
    pub(crate) fn has_template(&self) -> bool {
        self.template.is_some()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(crate) fn separator(&self) -> Option<Arc<str>> {
        self.separator.clone()
    }

    pub(crate) fn special_tokens_added(&self) -> u32 {
        self.special_tokens_added
    }

    /// A text that the model cannot encode (an unknown character without an unknown token) has no
    /// tokens.
    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        self.inner
            .encode_fast(text, false)
            .map_or_else(|_| Vec::new(), |encoding| encoding.get_ids().to_vec())
    }

    pub(crate) fn count(&self, text: &str) -> usize {
        self.inner.encode_fast(text, false).map_or(0, |encoding| encoding.len())
    }

    pub(crate) fn decode(&self, tokens: &[u32]) -> String {
        self.inner.decode(tokens, false).unwrap_or_default()
    }

    /// Normalizers may strip or replace text, and byte-level tokens may share a character; so the ends
    /// are made to ascend, and the last token owns whatever trails it.
    pub(crate) fn token_ends(&self, text: &str) -> Vec<usize> {
        let Ok(encoding) = self.inner.encode(text, false) else { return Vec::new() };
        let mut highest = 0;
        let mut ends: Vec<usize> = encoding
            .get_offsets()
            .iter()
            .map(|(_, end)| {
                highest = highest.max((*end).min(text.len()));
                highest
            })
            .collect();
        if let Some(last) = ends.last_mut() {
            *last = text.len();
        }
        ends
    }
}

/// The text of BOS, else of EOS, as the files in `folder` declare it.
fn declared_separator(folder: &Path) -> Option<Arc<str>> {
    let configs: Vec<Value> = CONFIGS
        .iter()
        .filter_map(|name| std::fs::read(folder.join(name)).ok())
        .filter_map(|bytes| serde_json::from_slice(&bytes).ok())
        .collect();
    ["bos_token", "eos_token"].iter().find_map(|key| {
        configs.iter().find_map(|config| {
            let token = config.get(key)?;
            token.as_str().or_else(|| token.get("content")?.as_str()).map(Arc::from)
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Words of a small vocabulary, BOS put in front by the post-processor, text lower-cased.
    const TOKENIZER: &str = r#"{
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": null,
        "added_tokens": [
            {"id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
            {"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
        ],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}
        },
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"<s>": 0, "</s>": 1, "[UNK]": 2, "one": 3, "two": 4, "three": 5}, "unk_token": "[UNK]"}
    }"#;

    fn folder(config: Option<&str>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), TOKENIZER).unwrap();
        if let Some(config) = config {
            std::fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
        }
        folder
    }

    fn read(config: Option<&str>) -> FileTokenizer {
        FileTokenizer::read(&folder(config).path().join("tokenizer.json")).unwrap()
    }

    #[test]
    fn text_is_counted_whole_and_nothing_is_added() {
        let tokenizer = read(None);
        assert_eq!(tokenizer.count("one TWO three"), 3, "the file's truncation is not applied");
        assert_eq!(tokenizer.encode("one<s>two"), [3, 0, 4], "a special token's text is one token");
        assert_eq!(tokenizer.decode(&[3, 0, 4]), "one <s> two");
        assert_eq!(tokenizer.special_tokens_added(), 1);
        assert_eq!(tokenizer.fingerprint(), format!("{:x}", Sha256::digest(TOKENIZER)));
    }

    #[test]
    fn ends_ascend_and_the_last_is_the_texts() {
        let tokenizer = read(None);
        let text = "one  strange\u{e9} two  ";
        assert_eq!(tokenizer.token_ends(text), [3, 14, text.len()]);
        assert_eq!(tokenizer.token_ends(""), Vec::<usize>::new());
    }

    #[test]
    fn the_separator_is_bos_else_eos_if_it_is_one_token() {
        let separator = |config| read(config).separator();
        assert_eq!(separator(None), None);
        assert_eq!(separator(Some(r#"{"eos_token":"</s>"}"#)).as_deref(), Some("</s>"));
        let both = r#"{"bos_token":{"content":"<s>"},"eos_token":"</s>"}"#;
        assert_eq!(separator(Some(both)).as_deref(), Some("<s>"));
        assert_eq!(separator(Some(r#"{"bos_token":null,"eos_token":"</s>"}"#)).as_deref(), Some("</s>"));
        assert_eq!(separator(Some(r#"{"bos_token":"<unknown>"}"#)), None);
    }

    #[test]
    fn what_is_no_tokenizer_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        let error = FileTokenizer::read(&path).err().unwrap().to_string();
        assert!(error.starts_with("cannot read the tokenizer file"), "{error}");
        std::fs::write(&path, "{\"version\":1}").unwrap();
        let error = FileTokenizer::read(&path).err().unwrap().to_string();
        assert!(error.contains("is not a tokenizer"), "{error}");
    }
}
