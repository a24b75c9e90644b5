//! A request of text and media, as `single_turn`, `multi_turn` and `random_pool` write it: for each kind of
//! content one field for a single one or one for a list, whose items may have names.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use loadgen_core::{Media, Message, Part, Role, Rope};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::LineFault;
use super::line::Input;
use super::value::{inside, integer, milliseconds, mismatch, string};
use crate::corpus::escape;
use crate::media::file::{Kind, MediaFiles};

/// A line's fields, unparsed; of a repeated key the last. `null` is as if it were not there.
pub(super) struct Fields<'a>(HashMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    pub(super) fn of(text: &'a str) -> Result<Self, LineFault> {
        let mut fields: HashMap<String, &'a RawValue> =
            serde_json::from_str(text).map_err(|error| LineFault::not_json(text, &error))?;
        fields.retain(|_, value| value.get() != "null");
        Ok(Self(fields))
    }

    pub(super) fn get(&self, field: &str) -> Option<&'a RawValue> {
        self.0.get(field).copied()
    }

    /// The field that says the format, which must be `name` where it stands.
    pub(super) fn check_type(&self, name: &'static str) -> Result<(), LineFault> {
        match self.get("type") {
            Some(kind) if string("type", kind)? != name => Err(mismatch("type", name, kind)),
            _ => Ok(()),
        }
    }

    pub(super) fn session_id(&self) -> Result<Option<Arc<str>>, LineFault> {
        self.get("session_id").map(|raw| Ok(Arc::from(string("session_id", raw)?))).transpose()
    }
}

/// What is said and shown in one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Content {
    /// Texts, by their names (empty without one).
    pub(super) texts: Vec<(String, Vec<String>)>,
    pub(super) images: Vec<Media>,
    pub(super) audios: Vec<Media>,
    pub(super) videos: Vec<Media>,
    /// Whether a list has names, which drawing from all of them together would lose.
    pub(super) is_named: bool,
}

/// A request, with when and how it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) content: Content,
    pub(super) role: Role,
    pub(super) timestamp_ms: Option<f64>,
    pub(super) delay_ms: Option<f64>,
    pub(super) output_length: Option<u32>,
    pub(super) extra: Option<Arc<str>>,
}

impl Asked {
    /// Reads a request of a `single_turn` line or of a turn.
    pub(super) fn of(fields: &Fields<'_>, files: &mut MediaFiles) -> Result<Self, LineFault> {
        let timestamp_ms = fields.get("timestamp").map(|raw| milliseconds("timestamp", raw)).transpose()?;
        let delay_ms = fields.get("delay").map(|raw| milliseconds("delay", raw)).transpose()?;
        let is_set = |at: Option<f64>| at.is_some_and(|at| at != 0.0);
        if is_set(timestamp_ms) && is_set(delay_ms) {
            return Err(LineFault::Both { one: "timestamp", other: "delay" });
        }
        Ok(Self {
            content: Content::of(fields, "", files)?,
            role: fields.get("role").map_or(Ok(Role::User), role)?,
            timestamp_ms,
            delay_ms,
            output_length: fields.get("output_length").map(output_length).transpose()?,
            extra: match fields.get("extra") {
                Some(raw) => inside("extra", raw)?.map(Arc::from),
                None => None,
            },
        })
    }

    /// Whether it is nothing but a system message, which can stand for a whole conversation.
    pub(super) fn system_text(&self) -> Option<String> {
        let Content { texts, images, audios, videos, .. } = &self.content;
        let is_plain = self.timestamp_ms.is_none()
            && self.delay_ms.is_none()
            && self.output_length.is_none()
            && self.extra.is_none();
        let has_media = !(images.is_empty() && audios.is_empty() && videos.is_empty());
        if self.role != Role::System || !is_plain || has_media {
            return None;
        }
        let text = texts.iter().flat_map(|(_, contents)| contents.iter()).cloned().collect::<Vec<_>>();
        Some(text.join("\n")).filter(|text| !text.is_empty())
    }
}

impl Content {
    /// Reads the content; texts without a name of their own are called `name`.
    pub(super) fn of(fields: &Fields<'_>, name: &str, files: &mut MediaFiles) -> Result<Self, LineFault> {
        if fields.get("image_uuids").is_some() {
            return Err(LineFault::NotBuilt { field: "image_uuids" });
        }
        let mut content = Self::default();
        content.texts = content.list(fields, "text", "texts")?;
        for (own, _) in content.texts.iter_mut().filter(|(own, _)| own.is_empty()) {
            name.clone_into(own);
        }
        let mut media = |kind, field, list| -> Result<Vec<Media>, LineFault> {
            let named = content.list(fields, field, list)?;
            let texts = named.iter().flat_map(|(_, contents)| contents);
            texts
                .map(|text| files.medium(kind, text).map_err(|reason| LineFault::Media { field, reason }))
                .collect()
        };
        let images = media(Kind::Image, "image", "images")?;
        let audios = media(Kind::Audio, "audio", "audios")?;
        let videos = media(Kind::Video, "video", "videos")?;
        (content.images, content.audios, content.videos) = (images, audios, videos);
        if content.is_empty() {
            return Err(LineFault::NoContent);
        }
        Ok(content)
    }

    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.images.is_empty() && self.audios.is_empty() && self.videos.is_empty()
    }

    /// One content, or a list of contents with or without names.
    fn list(
        &mut self,
        fields: &Fields<'_>,
        one: &'static str,
        many: &'static str,
    ) -> Result<Vec<(String, Vec<String>)>, LineFault> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Item {
            Plain(String),
            Named {
                #[serde(default)]
                name: String,
                contents: Vec<String>,
            },
        }
        match (fields.get(one), fields.get(many)) {
            (None, None) => Ok(Vec::new()),
            (Some(_), Some(_)) => Err(LineFault::Both { one, other: many }),
            (Some(raw), None) => Ok(vec![(String::new(), vec![string(one, raw)?.into_owned()])]),
            (None, Some(raw)) => {
                let items: Vec<Item> = serde_json::from_str(raw.get()).map_err(|_| {
                    mismatch(many, "a list of strings, or of objects with name and contents", raw)
                })?;
                let mut plain = Vec::new();
                let mut named = Vec::new();
                for item in items {
                    match item {
                        Item::Plain(text) => plain.push(text),
                        Item::Named { name, contents } => {
                            self.is_named |= !name.is_empty();
                            named.push((name, contents));
                        }
                    }
                }
                if !plain.is_empty() {
                    named.insert(0, (String::new(), plain));
                }
                Ok(named)
            }
        }
    }

    /// Puts another one's contents behind this one's.
    pub(super) fn extend(&mut self, other: &Self) {
        self.texts.extend(other.texts.iter().cloned());
        self.images.extend(other.images.iter().cloned());
        self.audios.extend(other.audios.iter().cloned());
        self.videos.extend(other.videos.iter().cloned());
    }

    /// What is asked: a message, or what is to be ranked.
    pub(super) fn input(&self, role: Role, ranks: bool) -> Result<Input, LineFault> {
        let rope = |text: &String| Rope::from(Bytes::from(escape(text)));
        if ranks {
            let named = |names: &[&str]| {
                self.texts.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, texts)| texts)
            };
            let query = named(&["query", "queries"]).and_then(|texts| texts.first());
            let passages = named(&["passages"]);
            let (Some(query), Some(passages)) = (query, passages) else { return Err(LineFault::NoRanking) };
            return Ok(Input::Ranking { query: rope(query), passages: passages.iter().map(rope).collect() });
        }
        let mut texts = self.texts.iter().flat_map(|(_, texts)| texts).map(rope);
        let mut message = Message::new(role, texts.next().unwrap_or_default());
        message.parts.extend(texts.map(Part::Text));
        message.parts.extend(self.images.iter().cloned().map(Part::Image));
        message.parts.extend(self.audios.iter().cloned().map(Part::Audio));
        message.parts.extend(self.videos.iter().cloned().map(Part::Video));
        Ok(Input::Message(Arc::new(message)))
    }
}

fn role(raw: &RawValue) -> Result<Role, LineFault> {
    match &*string("role", raw)? {
        "system" => Ok(Role::System),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        _ => Err(mismatch("role", "user, system or assistant", raw)),
    }
}

fn output_length(raw: &RawValue) -> Result<u32, LineFault> {
    let length = integer("output_length", raw)?;
    u32::try_from(length)
        .ok()
        .filter(|length| *length > 0)
        .ok_or_else(|| mismatch("output_length", "a whole number above 0", raw))
}
