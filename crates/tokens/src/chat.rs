//! Chat templates: a conversation as the model's own text, the way its server makes it.
//!
//! A template is Jinja, in `tokenizer_config.json` or in `chat_template.jinja` beside the tokenizer. It is
//! rendered as the hub's own library does it: blocks trimmed, lenient about what is not there, with
//! `raise_exception`, `strftime_now`, loop controls and the methods of Python's strings and dictionaries.
//!
//! It is never applied to what is sent: servers do that. It is here to count what they see.

use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{Environment, Error, ErrorKind, context};
use serde_json::Map;

use crate::error::TokenizerError;

/// The template's name among those of its environment.
const NAME: &str = "chat";
/// Special tokens that templates name.
const SPECIAL: [&str; 4] = ["bos_token", "eos_token", "unk_token", "pad_token"];

/// A template, ready to render.
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    special: Vec<(&'static str, String)>,
}

impl ChatTemplate {
    /// The template that lies beside the tokenizer file at `path`; `None` where there is none.
    pub(crate) fn beside(path: &Path) -> Result<Option<Self>, TokenizerError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let config: Map<String, serde_json::Value> = std::fs::read(folder.join("tokenizer_config.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let file = folder.join("chat_template.jinja");
        let (source, from) = match std::fs::read_to_string(&file) {
            Ok(source) => (Some(source), file),
            Err(_) => (declared(&config), folder.join("tokenizer_config.json")),
        };
        let Some(source) = source else { return Ok(None) };
        let special =
            SPECIAL.into_iter().filter_map(|name| Some((name, text_of(config.get(name)?)?))).collect();
        Self::new(source, special, from).map(Some)
    }

    fn new(
        source: String,
        special: Vec<(&'static str, String)>,
        from: PathBuf,
    ) -> Result<Self, TokenizerError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.expect("only the delimiters can clash"));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |text: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, text))
        });
        environment.add_function("strftime_now", |_format: String| DATE);
        environment.add_filter("tojson", to_json);
        environment
            .add_template_owned(NAME, source)
            .map_err(|error| TokenizerError::Template { path: from, reason: error.to_string() })?;
        Ok(Self { environment, special })
    }

    /// The text of `messages`, a JSON array, with the beginning of an answer.
    pub(crate) fn render(&self, messages: &[u8]) -> Result<String, Error> {
        let messages: serde_json::Value = serde_json::from_slice(messages)
            .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
        let special: std::collections::BTreeMap<_, _> =
            self.special.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let template = self.environment.get_template(NAME)?;
        let messages = Value::from(Serde(messages));
        let special = Value::from(Serde(special));
        template.render(context! { messages, add_generation_prompt => true, ..special })
    }
}

/// The day that templates put into a conversation when they ask for today's: one of the same length, so that
/// counts do not change overnight.
const DATE: &str = "26 Jul 2024";

/// `tojson` as the hub's library has it: Python's separators, nothing escaped for HTML.
#[expect(clippy::needless_pass_by_value, reason = "a filter takes its arguments so")]
fn to_json(value: &Value, kwargs: Kwargs) -> Result<String, Error> {
    let fault = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let indent: Option<usize> = kwargs.get("indent")?;
    let mut text = Vec::new();
    if let Some(indent) = indent {
        let indent = " ".repeat(indent);
        let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
        serde::Serialize::serialize(value, &mut serializer).map_err(fault)?;
    } else {
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, Spaced);
        serde::Serialize::serialize(value, &mut serializer).map_err(fault)?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// JSON with a space after each comma and colon.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        to: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        to: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, to: &mut W) -> std::io::Result<()> {
        to.write_all(b": ")
    }
}

/// The template of a configuration: one, or the one called `default` of several.
fn declared(config: &Map<String, serde_json::Value>) -> Option<String> {
    match config.get("chat_template")? {
        serde_json::Value::String(source) => Some(source.clone()),
        serde_json::Value::Array(named) => {
            let is_default = |entry: &&serde_json::Value| entry["name"] == "default";
            let entry = named.iter().find(is_default).or(named.first())?;
            Some(entry["template"].as_str()?.to_owned())
        }
        _ => None,
    }
}

/// A special token's text, given as such or within an object.
fn text_of(token: &serde_json::Value) -> Option<String> {
    token.as_str().or_else(|| token.get("content")?.as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn render(source: &str, messages: &str) -> Result<String, String> {
        let special = vec![("bos_token", "<s>".to_owned()), ("eos_token", "</s>".to_owned())];
        let template = ChatTemplate::new(source.to_owned(), special, PathBuf::from("x")).unwrap();
        template.render(messages.as_bytes()).map_err(|error| error.to_string())
    }

    /// In the manner of ChatML.
    const MARKED: &str = "{% for message in messages %}\n    {{- '<|im_start|>' + message['role'] + '\\n' }}\n{{ message.content | trim }}<|im_end|>\n{% endfor %}\n{% if add_generation_prompt %}\n<|im_start|>assistant\n{% endif %}";

    #[test]
    fn blocks_are_trimmed_and_an_answer_is_begun() {
        assert_eq!(
            render(MARKED, r#"[{"role":"user","content":" hi "}]"#).unwrap(),
            "<|im_start|>user\n\nhi<|im_end|>\n<|im_start|>assistant\n"
        );
    }

    #[test]
    fn what_templates_of_the_hub_use_is_there() {
        let source = "{{ bos_token }}{% set ns = namespace(n=0) %}{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}\
                      {% set ns.n = ns.n + 1 %}{{ m.content.strip().split(' ')[0].upper() }}{{ '' if loop.last else ',' }}{% endfor %}\
                      {{ ns.n }}{{ messages[0].get('x', 'none') }}{% if messages[0].role.startswith('sys') %}!{% endif %}{{ {'a': [1, 2]} | tojson }}\
                      {% macro end(x) %}{{ x }}{{ eos_token }}{% endmacro %}{{ end('.') }}{{ strftime_now('%d %b %Y') | length }}{{ tools is defined }}";
        let messages = r#"[{"role":"system","content":"s"},{"role":"user","content":" a b"},{"role":"assistant","content":"c"}]"#;
        assert_eq!(render(source, messages).unwrap(), "<s>A,C2none!{\"a\": [1, 2]}.</s>11False");
    }

    #[test]
    fn a_template_may_refuse() {
        let error = render("{{ raise_exception('roles must alternate') }}", "[]").unwrap_err();
        assert!(error.contains("roles must alternate"), "{error}");
        assert!(ChatTemplate::new("{% if %}".to_owned(), Vec::new(), PathBuf::from("x")).is_err());
    }

    #[test]
    fn it_lies_in_the_configuration_or_in_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = folder.path().join("tokenizer.json");
        assert!(ChatTemplate::beside(&tokenizer).unwrap().is_none());
        let text = |config: &str| {
            std::fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
            ChatTemplate::beside(&tokenizer).unwrap().map(|template| template.render(b"[]").unwrap())
        };
        assert_eq!(text(r#"{"bos_token":"<s>"}"#), None);
        assert_eq!(
            text(r#"{"bos_token":{"content":"<s>"},"chat_template":"{{ bos_token }}a"}"#).as_deref(),
            Some("<s>a")
        );
        let several =
            r#"{"chat_template":[{"name":"tool_use","template":"t"},{"name":"default","template":"d"}]}"#;
        assert_eq!(text(several).as_deref(), Some("d"));
        std::fs::write(folder.path().join("chat_template.jinja"), "file").unwrap();
        assert_eq!(text(several).as_deref(), Some("file"));
    }
}
