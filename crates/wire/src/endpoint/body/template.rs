//! Bodies rendered from the user's own template, in Jinja's language, as AIPerf takes them.
//!
//! A template gives JSON, most easily with `tojson`: `{"text": {{ texts|tojson }}, "n": {{ max_tokens }}}`.
//! What is written without it is escaped for HTML, as AIPerf's Jinja does. It knows:
//!
//! * `texts`, `images`, `audios`, `videos`: lists of the newest turn's strings (media as URLs of their data;
//!   sounds as `format,base64`), and `text`, `image`, `audio`, `video`: the first of each, or none;
//! * `query`, `queries`, `passage`, `passages`: of a turn that ranks; `texts_by_name` and the like;
//! * `model`, `max_tokens`, `role`, `stream`;
//! * `turn` and `turns`: objects with `role`, `model`, `max_tokens`, and `texts`, `images`, `audios`, `videos`
//!   as lists of `{name, contents}`.
//!
//! A body takes at most [`STEPS`] steps to render: a template that never ends would hold the run up for ever.
//!
//! What it does not know: `request_info`, which holds AIPerf's own objects.

use std::fmt::{self, Write as _};

use bytes::Bytes;
use loadgen_core::{Media, Message, Part, Prompt, Role, Rope, Turn};
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, Value as Jinja};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::endpoint::{EndpointError, TemplateConfig};
use crate::request::Body;

/// Templates that have a name.
const NAMED: [(&str, &str); 1] = [("nv-embedqa", r#"{"text": {{ texts|tojson }}}"#)];
const BODY_FIELD: &str = "payload_template";
pub(crate) const RESPONSE_FIELD: &str = "response_field";
/// The name of the one template in its environment.
const NAME: &str = "payload_template";

/// Steps (instructions of the template) that one body may take: a million rounds of a short loop, which are
/// over within a second. Media and long texts are values: they take a step each, however long they are.
const STEPS: u64 = 10_000_000;

/// A template, ready to be rendered.
pub(super) struct PayloadTemplate {
    jinja: Environment<'static>,
}

/// What a template is told.
#[derive(Debug, Default, Serialize)]
struct Told {
    texts: Vec<String>,
    images: Vec<String>,
    audios: Vec<String>,
    videos: Vec<String>,
    text: Option<String>,
    image: Option<String>,
    audio: Option<String>,
    video: Option<String>,
    queries: Vec<String>,
    passages: Vec<String>,
    query: Option<String>,
    passage: Option<String>,
    texts_by_name: Map<String, Value>,
    images_by_name: Map<String, Value>,
    audios_by_name: Map<String, Value>,
    videos_by_name: Map<String, Value>,
    model: String,
    max_tokens: Option<u32>,
    role: Option<&'static str>,
    turn: Value,
    turns: Vec<Value>,
    stream: bool,
}

/// The strings of one message by what they are, each group under its name.
#[derive(Debug, Default)]
struct Contents {
    /// None for the asker, who needs no name.
    role: Option<&'static str>,
    texts: Vec<(&'static str, Vec<String>)>,
    images: Vec<String>,
    audios: Vec<String>,
    videos: Vec<String>,
}

impl PayloadTemplate {
    /// The template of a configuration; else that of the extra inputs, from which it is taken, and the field
    /// of the response with it.
    pub(super) fn take(
        config: Option<&TemplateConfig>,
        extras: &mut Map<String, Value>,
    ) -> Result<Self, EndpointError> {
        let given;
        let source = if let Some(config) = config {
            config.body.as_str()
        } else {
            extras.remove(RESPONSE_FIELD);
            match extras.remove(BODY_FIELD) {
                Some(Value::String(text)) => {
                    given = text;
                    given.as_str()
                }
                // `payload_template:{…}` in a JSON object of extra inputs.
                Some(other) => {
                    given = other.to_string();
                    given.as_str()
                }
                None => return Err(EndpointError::NoTemplate),
            }
        };
        let source = NAMED.iter().find(|(name, _)| *name == source).map_or(source, |(_, source)| *source);
        let mut jinja = Environment::new();
        jinja.set_auto_escape_callback(|_| AutoEscape::Html);
        jinja.set_formatter(format);
        // Each body begins with all of it.
        jinja.set_fuel(Some(STEPS));
        jinja
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| EndpointError::Template { reason: error.to_string() })?;
        Ok(Self { jinja })
    }

    /// The body for a turn, with further fields laid on.
    pub(super) fn render<'a>(
        &self,
        stream: bool,
        turn: &Turn,
        extras: impl Iterator<Item = &'a (String, Bytes)>,
    ) -> Result<Body, EndpointError> {
        let wrong = |reason: String| EndpointError::Template { reason };
        let template = self.jinja.get_template(NAME).expect("the one template is there");
        let rendered = template.render(Serde(told(stream, turn)?)).map_err(|error| match error.kind() {
            ErrorKind::OutOfFuel => EndpointError::TemplateSteps { most: STEPS },
            _ => wrong(error.to_string()),
        })?;
        let mut body = match serde_json::from_str(&rendered) {
            Ok(Value::Object(body)) => body,
            Ok(_) => return Err(wrong(format!("it did not render a JSON object: {}", begin(&rendered)))),
            Err(error) => {
                return Err(wrong(format!("it did not render valid JSON ({error}): {}", begin(&rendered))));
            }
        };
        for (key, value) in extras {
            let value = serde_json::from_slice(value).expect("extra fields are JSON");
            body.insert(key.clone(), value);
        }
        Ok(Body::new(vec![Value::Object(body).to_string().into()]))
    }
}

impl fmt::Debug for PayloadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayloadTemplate").finish_non_exhaustive()
    }
}

/// Writes a value as Jinja does in Python: `None`, `True` and `False` by these names, and text escaped as
/// markupsafe escapes it.
fn format(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Jinja) -> Result<(), Error> {
    if value.is_safe() {
        return Ok(write!(out, "{value}")?);
    }
    if value.is_undefined() {
        return Ok(());
    }
    if value.is_none() {
        return Ok(out.write_str("None")?);
    }
    if value.kind() == ValueKind::Bool {
        return Ok(out.write_str(if value.is_true() { "True" } else { "False" })?);
    }
    for character in value.to_string().chars() {
        match character {
            '&' => out.write_str("&amp;")?,
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '\'' => out.write_str("&#39;")?,
            '"' => out.write_str("&#34;")?,
            other => out.write_char(other)?,
        }
    }
    Ok(())
}

fn told(stream: bool, turn: &Turn) -> Result<Told, EndpointError> {
    let turns = match &turn.prompt {
        Prompt::Messages(said) => said.iter().map(contents).collect(),
        Prompt::Ranking { query, passages } => vec![Contents {
            texts: vec![("query", vec![plain(query)]), ("passages", passages.iter().map(plain).collect())],
            ..Contents::default()
        }],
        other => {
            return Err(EndpointError::NoMessages { kind: "template", found: super::what_of(other) });
        }
    };
    let object = |contents: &Contents| contents.object(&turn.model, turn.max_output_tokens);
    let turns_told: Vec<Value> = turns.iter().map(object).collect();
    let newest = turns.into_iter().next_back().unwrap_or_default();
    let by_name = |names: &[&str]| -> Vec<String> {
        let mut groups = newest.texts.iter().filter(|(name, _)| names.contains(name));
        groups.next().map(|(_, texts)| texts.clone()).unwrap_or_default()
    };
    let (queries, passages) = (by_name(&["query"]), by_name(&["passages"]));
    let texts: Vec<String> = newest.texts.iter().flat_map(|(_, texts)| texts.clone()).collect();
    let first = |items: &[String]| items.first().cloned();
    let named = |name: &str, items: &[String]| {
        let mut by_name = Map::new();
        if !items.is_empty() {
            by_name.insert(name.to_owned(), items.into());
        }
        by_name
    };
    Ok(Told {
        text: first(&texts),
        image: first(&newest.images),
        audio: first(&newest.audios),
        video: first(&newest.videos),
        query: first(&queries),
        passage: first(&passages),
        texts_by_name: newest
            .texts
            .iter()
            .map(|(name, texts)| ((*name).to_owned(), texts.clone().into()))
            .collect(),
        images_by_name: named("image_url", &newest.images),
        audios_by_name: named("input_audio", &newest.audios),
        videos_by_name: named("video_url", &newest.videos),
        role: newest.role,
        texts,
        images: newest.images,
        audios: newest.audios,
        videos: newest.videos,
        queries,
        passages,
        model: turn.model.to_string(),
        max_tokens: turn.max_output_tokens,
        turn: turns_told.last().cloned().unwrap_or_default(),
        turns: turns_told,
        stream,
    })
}

fn contents(message: &Message) -> Contents {
    let role = (message.role != Role::User).then_some(message.role.name());
    let mut contents = Contents { role, ..Contents::default() };
    let mut texts = Vec::new();
    if !message.text.is_empty() {
        texts.push(plain(&message.text));
    }
    for part in &message.parts {
        match part {
            Part::Text(text) => texts.push(plain(text)),
            Part::Image(media) => contents.images.push(url(media, "image")),
            Part::Audio(Media::Encoded { format, base64, .. }) => {
                contents.audios.push(format!("{format},{}", String::from_utf8_lossy(base64)));
            }
            Part::Audio(media) => contents.audios.push(url(media, "audio")),
            Part::Video(media) => contents.videos.push(url(media, "video")),
        }
    }
    if !texts.is_empty() {
        contents.texts.push(("text", texts));
    }
    contents
}

impl Contents {
    /// As a template sees a turn.
    fn object(&self, model: &str, max_tokens: Option<u32>) -> Value {
        let group = |name: &str, items: &[String]| {
            if items.is_empty() {
                Value::Array(Vec::new())
            } else {
                serde_json::json!([{"name": name, "contents": items}])
            }
        };
        let texts: Vec<Value> = self
            .texts
            .iter()
            .map(|(name, contents)| serde_json::json!({"name": name, "contents": contents}))
            .collect();
        serde_json::json!({
            "role": self.role,
            "model": model,
            "max_tokens": max_tokens,
            "texts": texts,
            "images": group("image_url", &self.images),
            "audios": group("input_audio", &self.audios),
            "videos": group("video_url", &self.videos),
        })
    }
}

/// A rope's text, its escapes undone.
fn plain(text: &Rope) -> String {
    let pieces = text.pieces().iter().map(|piece| &piece[..]);
    unescaped(std::iter::once(&b"\""[..]).chain(pieces).chain([&b"\""[..]]))
}

fn url(media: &Media, family: &str) -> String {
    match media {
        Media::Url(url) => unescaped([&b"\""[..], url, b"\""].into_iter()),
        Media::Encoded { format, base64, .. } => {
            format!("data:{family}/{format};base64,{}", String::from_utf8_lossy(base64))
        }
    }
}

fn unescaped<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let json = pieces.fold(Vec::new(), |mut json, piece| {
        json.extend_from_slice(piece);
        json
    });
    serde_json::from_slice(&json).unwrap_or_else(|_| String::from_utf8_lossy(&json).into_owned())
}

/// As much of what was rendered as an error shows.
fn begin(rendered: &str) -> &str {
    &rendered[..rendered.floor_char_boundary(100)]
}
