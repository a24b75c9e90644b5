//! Images and sounds that go with a turn: made up to measure, or from files.
//!
//! Invariant: what a position gets is a function of (seed, configuration, position), whoever makes it and
//! when. The first of them are made before the load begins, on all cores, up to a bound of memory
//! (`kept::BOUND`); later ones when they are asked for, and not kept.
//!
//! What this does not know: how an endpoint names media in its JSON.

pub(crate) mod file;
mod image;
mod kept;
mod sound;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::LengthDistribution;

pub(crate) use image::Images;
pub(crate) use sound::Sounds;

/// Images of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Width, in pixels.
    pub width: LengthDistribution,
    /// Height, in pixels.
    pub height: LengthDistribution,
    /// Images of a turn (`--image-batch-size`).
    pub batch: u32,
    /// How they are encoded.
    pub format: ImageFormat,
    /// What they show.
    pub source: ImageSource,
    /// Which picture of a folder comes next.
    pub sampling: SourceSampling,
}

/// How images are encoded (`--image-format`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// PNG.
    Png,
    /// JPEG, also where nothing is said: AIPerf's help names PNG, and its images are JPEG.
    #[default]
    Jpeg,
    /// One or the other, drawn for each.
    Random,
}

/// What images show (`--image-source`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageSource {
    /// Noise: each pixel drawn by itself.
    #[default]
    Noise,
    /// Four pictures that come with the program, scaled: soft shapes, which compress as photographs do.
    Assets,
    /// The pictures of a folder, scaled.
    Folder(PathBuf),
}

/// Which picture of a source comes next (`--image-source-sampling`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceSampling {
    /// Each draw independent of the others.
    #[default]
    RandomWithReplacement,
    /// Each pass over the pictures in an order of its own.
    ShuffleCycle,
    /// In the order of their names, from the first again after the last.
    SequentialCycle,
}

/// Sounds of a turn: noise, as WAV.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioConfig {
    /// Length, in seconds; at least 0.01.
    pub length_s: LengthDistribution,
    /// Sounds of a turn (`--audio-batch-size`).
    pub batch: u32,
    /// Bits of a sample, of which one is drawn for each sound: 8, 16, 24, 32.
    pub depths: Vec<u16>,
    /// Samples a second, of which one is drawn for each sound.
    pub sample_rates_hz: Vec<u32>,
    /// 1 or 2.
    pub channels: u16,
}
