//! Answers of plain text: Hugging Face TGI's, and Solido's.
//!
//! TGI streams a `token.text` an event; the last one repeats the whole as `generated_text`, which counts only
//! in an answer of one piece (an object, or a list of one). Neither tells token counts that AIPerf reads.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::event::{in_band_error, plain_text_of, text_of};
use super::reader::Shape;
use super::said::Said;
use super::template::{Plain, Slot};

#[derive(Deserialize)]
struct Generated<'a> {
    #[serde(borrow, default)]
    token: Option<Token<'a>>,
    #[serde(borrow, default, rename = "generated_text")]
    whole: Option<&'a RawValue>,
    #[serde(borrow, default)]
    details: Option<Details<'a>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Token<'a> {
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow, default)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// An object of TGI.
pub(super) fn tgi<'a>(json: &'a str, shape: Shape, said: &mut Said<'_>) -> Option<Plain<'a>> {
    let generated = if json.trim_ascii_start().starts_with('[') {
        serde_json::from_str::<Vec<Generated<'a>>>(json).ok()?.into_iter().next()?
    } else {
        serde_json::from_str::<Generated<'a>>(json).ok()?
    };
    said.error(in_band_error(generated.error));
    if let Some(reason) = generated.details.and_then(|details| details.finish_reason).and_then(plain_text_of)
    {
        said.finish_reason(&reason);
    }
    let text = match shape {
        Shape::Event => generated.token.and_then(|token| token.text),
        Shape::Whole => generated.whole,
    };
    output(text.and_then(text_of)?, said)
}

/// An object of Solido.
pub(super) fn solido<'a>(json: &'a str, said: &mut Said<'_>) -> Option<Plain<'a>> {
    let answer = serde_json::from_str::<Answer<'a>>(json).ok()?;
    said.error(in_band_error(answer.error));
    output(answer.content.and_then(text_of)?, said)
}

fn output<'a>(text: &'a str, said: &mut Said<'_>) -> Option<Plain<'a>> {
    said.output(text);
    said.is_plain().then_some(Plain { slot: Slot::Output, text })
}
