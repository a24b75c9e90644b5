//! From flags to images and sounds.

use std::path::Path;

use loadgen_wire::EndpointKind;
use loadgen_workload::LengthDistribution;
use loadgen_workload::media::{AudioConfig, ImageConfig, ImageFormat, ImageSource, SourceSampling};

use super::super::Faults;
use super::{at_home, one_of, small};
use crate::args::ProfileArgs;

/// Rates above this are Hz and not kHz.
const HIGHEST_KHZ: f64 = 96.0;

/// Images of each turn, if there are to be any.
pub(super) fn images(args: &ProfileArgs, endpoint: EndpointKind, faults: &mut Faults) -> Option<ImageConfig> {
    let given = &args.media;
    let batch = given.image_batch_size.unwrap_or(1);
    let size = |mean: Option<f64>, stddev: Option<f64>| LengthDistribution {
        mean: mean.unwrap_or(0.0).trunc(),
        stddev: stddev.unwrap_or(0.0).trunc(),
    };
    let width = size(given.image_width_mean, given.image_width_stddev);
    let height = size(given.image_height_mean, given.image_height_stddev);
    let formats = [("png", ImageFormat::Png), ("jpeg", ImageFormat::Jpeg), ("random", ImageFormat::Random)];
    let format = one_of("--image-format", given.image_format.as_deref(), &formats, faults);
    let orders = [
        ("random_with_replacement", SourceSampling::RandomWithReplacement),
        ("shuffle_cycle", SourceSampling::ShuffleCycle),
        ("sequential_cycle", SourceSampling::SequentialCycle),
    ];
    let sampling = one_of("--image-source-sampling", given.image_source_sampling.as_deref(), &orders, faults);
    match (width.mean > 0.0, height.mean > 0.0) {
        (true, true) if batch > 0 => {}
        (true, false) => {
            faults.add("--image-width-mean", "an image needs a height too: give --image-height-mean");
            return None;
        }
        (false, true) => {
            faults.add("--image-height-mean", "an image needs a width too: give --image-width-mean");
            return None;
        }
        _ => return None,
    }
    if !endpoint.facts().takes_images {
        let name = endpoint.facts().name;
        faults.add("--image-width-mean", format!("--endpoint-type {name} takes no images"));
    }
    Some(ImageConfig {
        width,
        height,
        batch: small(batch, "--image-batch-size", faults)?,
        format: format.unwrap_or_default(),
        source: match given.image_source.as_deref() {
            None | Some("noise") => ImageSource::Noise,
            Some("assets") => ImageSource::Assets,
            Some(folder) => ImageSource::Folder(at_home(Path::new(folder))),
        },
        sampling: sampling.unwrap_or_default(),
    })
}

/// Sounds of each turn, if there are to be any.
pub(super) fn audio(args: &ProfileArgs, endpoint: EndpointKind, faults: &mut Faults) -> Option<AudioConfig> {
    let given = &args.media;
    match given.audio_format.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("wav") => {}
        Some("mp3") => faults.add("--audio-format", "mp3 is not built yet in loadgen: use wav"),
        Some(other) => faults.add("--audio-format", format!("{other:?} is not known: expected wav")),
    }
    let batch = given.audio_batch_size.unwrap_or(1);
    let mean = given.audio_length_mean.filter(|mean| *mean > 0.0)?;
    if batch == 0 {
        return None;
    }
    if !endpoint.facts().takes_audio {
        let name = endpoint.facts().name;
        faults.add("--audio-length-mean", format!("--endpoint-type {name} takes no audio"));
    }
    let depths: Vec<u16> = given.audio_depths.iter().map(|bits| u16::try_from(*bits).unwrap_or(0)).collect();
    let hertz = |rate: f64| if rate > HIGHEST_KHZ { rate } else { rate * 1_000.0 };
    let rates: Vec<u32> = given.audio_sample_rates.iter().map(|rate| hertz(*rate) as u32).collect();
    Some(AudioConfig {
        length_s: LengthDistribution { mean, stddev: given.audio_length_stddev.unwrap_or(0.0) },
        batch: small(batch, "--audio-batch-size", faults)?,
        depths: if depths.is_empty() { vec![16] } else { depths },
        sample_rates_hz: if rates.is_empty() { vec![16_000] } else { rates },
        channels: given.audio_num_channels.map_or(1, |channels| u16::try_from(channels).unwrap_or(u16::MAX)),
    })
}
