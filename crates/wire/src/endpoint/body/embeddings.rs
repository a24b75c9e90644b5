//! `model, input`: OpenAI's embeddings, and NIM's.
//!
//! The input is a list of texts. NIM's may be of images as well, or of pairs: then each is one string, the
//! text, a space, and the image's URL. No limit of output tokens is sent: there is no such field.

use loadgen_core::{Part, Turn};

use super::field::{Field, Fields, Piece};
use super::{MODEL, only_message, only_texts};
use crate::endpoint::{EndpointError, EndpointKind};

pub(super) fn fields(kind: EndpointKind, turn: &Turn) -> Result<Fields<'_>, EndpointError> {
    let message = only_message(kind, turn)?;
    let input = if kind == EndpointKind::NimEmbeddings {
        let images: Vec<Piece<'_>> = message
            .parts
            .iter()
            .filter_map(|part| if let Part::Image(media) = part { Some(Piece::Image(media)) } else { None })
            .collect();
        with_images(texts_beside_images(kind, message)?, images)?
    } else {
        only_texts(kind, message)?
    };
    let mut fields = Fields::with_capacity(4);
    fields.set(MODEL, Field::Name(&turn.model));
    fields.set("input", Field::Texts(input));
    Ok(fields)
}

fn texts_beside_images(
    kind: EndpointKind,
    message: &loadgen_core::Message,
) -> Result<Vec<Vec<Piece<'_>>>, EndpointError> {
    let mut texts = Vec::new();
    if !message.text.is_empty() {
        texts.push(vec![Piece::Text(&message.text)]);
    }
    for part in &message.parts {
        let what = match part {
            Part::Image(_) => continue,
            Part::Text(text) => {
                texts.push(vec![Piece::Text(text)]);
                continue;
            }
            Part::Audio(_) => "audio",
            Part::Video(_) => "video",
        };
        return Err(EndpointError::Media { kind: kind.facts().name, what });
    }
    Ok(texts)
}

/// Texts alone, images alone, or pairs.
fn with_images<'a>(
    mut texts: Vec<Vec<Piece<'a>>>,
    images: Vec<Piece<'a>>,
) -> Result<Vec<Vec<Piece<'a>>>, EndpointError> {
    if images.is_empty() {
        return Ok(texts);
    }
    if texts.is_empty() {
        return Ok(images.into_iter().map(|image| vec![image]).collect());
    }
    if texts.len() != images.len() {
        return Err(EndpointError::Pairs { texts: texts.len(), images: images.len() });
    }
    for (text, image) in texts.iter_mut().zip(images) {
        text.push(image);
    }
    Ok(texts)
}
