//! Images: noise, soft shapes or pictures of a folder, at a drawn size.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::imageops::{self, FilterType as Scaling};
use image::{ExtendedColorType, ImageEncoder, ImageReader, RgbImage};
use loadgen_core::{Media, Seed};
use rand::Rng;

use super::kept::{Batches, Make};
use super::{ImageConfig, ImageFormat, ImageSource, SourceSampling};
use crate::config::Sampling;
use crate::draw::{Purpose, PythonRandom, Streams, index, length, longest};
use crate::error::WorkloadError;
use crate::sampler::Sampler;

/// Pixels of an image at most: a slip of some zeros is found before it fills the memory.
const MOST_PIXELS: u64 = 1 << 28;
/// JPEG's quality, of 100: what most tools write.
const JPEG_QUALITY: u8 = 75;
/// Pictures that come with the program.
const ASSETS: u32 = 4;

/// The images of a run.
pub(crate) struct Images(Batches<Maker>);

/// Makes the image of a position.
struct Maker {
    config: ImageConfig,
    sizes: Streams,
    formats: Streams,
    noise: Streams,
    /// Of a folder: each picture's file, and which of them comes when.
    sources: Option<(Vec<Arc<[u8]>>, Sampler)>,
    /// Of the pictures that come with the program.
    assets: Option<Sampler>,
}

impl Images {
    /// The images of `turns` turns.
    pub(crate) fn new(config: &ImageConfig, turns: u64, seed: Seed) -> Result<Self, WorkloadError> {
        let pixels = u64::from(longest(config.width)) * u64::from(longest(config.height));
        if pixels > MOST_PIXELS {
            return Err(WorkloadError::Option {
                flag: "--image-width-mean",
                value: config.width.mean.to_string(),
                reason: "an image has at most 268435456 pixels, its deviations included",
            });
        }
        let sampler = |pictures: u32| {
            let sampling = match config.sampling {
                SourceSampling::RandomWithReplacement => Sampling::Random,
                SourceSampling::ShuffleCycle => Sampling::Shuffle,
                SourceSampling::SequentialCycle => Sampling::Sequential,
            };
            Sampler::new(sampling, pictures, seed.child(Purpose::ImageSource.name()))
        };
        let sources = match &config.source {
            ImageSource::Folder(folder) => {
                let pictures = pictures_in(folder)?;
                let sampler = sampler(pictures.len() as u32);
                Some((pictures, sampler))
            }
            ImageSource::Noise | ImageSource::Assets => None,
        };
        let maker = Maker {
            config: config.clone(),
            sizes: Streams::new(seed, Purpose::ImageSize),
            formats: Streams::new(seed, Purpose::ImageFormat),
            noise: Streams::new(seed, Purpose::ImageNoise),
            sources,
            assets: (config.source == ImageSource::Assets).then(|| sampler(ASSETS)),
        };
        Ok(Self(Batches::new(maker, config.batch, turns)))
    }

    /// The images of the turn at `position`.
    pub(crate) fn of(&self, position: u64) -> impl Iterator<Item = Media> + '_ {
        self.0.of(position)
    }
}

impl Make for Maker {
    fn make(&self, position: u64) -> Media {
        let mut random = PythonRandom::new(self.sizes.at(position).next_u64());
        let width = length(self.config.width, &mut random);
        let height = length(self.config.height, &mut random);
        let picture = match (&self.sources, &self.assets) {
            (Some((pictures, sampler)), _) => {
                let picture = decode(&pictures[sampler.pick(position) as usize])
                    .expect("every picture was decoded when the folder was read");
                imageops::resize(&picture, width, height, Scaling::CatmullRom)
            }
            (None, Some(sampler)) => soft_shapes(sampler.pick(position), width, height),
            (None, None) => {
                let mut pixels = vec![0; width as usize * height as usize * 3];
                self.noise.at(position).fill_bytes(&mut pixels);
                RgbImage::from_raw(width, height, pixels).expect("three bytes a pixel")
            }
        };
        let is_jpeg = match self.config.format {
            ImageFormat::Png => false,
            ImageFormat::Jpeg => true,
            ImageFormat::Random => index(&mut self.formats.at(position), 2) == 1,
        };
        let bytes = if is_jpeg { jpeg(&picture) } else { png(&picture, self.is_noise()) };
        let format = if is_jpeg { "jpeg" } else { "png" };
        Media::Encoded { format: format.into(), base64: STANDARD.encode(bytes).into(), plays_ns: None }
    }
}

impl Maker {
    fn is_noise(&self) -> bool {
        self.sources.is_none() && self.assets.is_none()
    }
}

fn png(picture: &RgbImage, is_noise: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Noise does not compress, whatever is tried.
    let filter = if is_noise { FilterType::NoFilter } else { FilterType::Adaptive };
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, filter)
        .write_image(picture.as_raw(), picture.width(), picture.height(), ExtendedColorType::Rgb8)
        .expect("writing to memory cannot fail");
    bytes
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
        .write_image(picture.as_raw(), picture.width(), picture.height(), ExtendedColorType::Rgb8)
        .expect("an image has less than 65536 pixels a side");
    bytes
}

/// Picture `number`: a few waves across each other, in colours of its own. The same at every size.
fn soft_shapes(number: u32, width: u32, height: u32) -> RgbImage {
    let wave = |x: f64, y: f64, angle: f64, length: f64| {
        libm::sin((x * libm::cos(angle) + y * libm::sin(angle)) * std::f64::consts::TAU / length)
    };
    let turn = f64::from(number) * 0.9;
    let column = |x: u32| f64::from(x) / f64::from(width);
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (column(x), f64::from(y) / f64::from(height));
        let shade = |phase: f64| {
            let sum = wave(x, y, turn + phase, 0.7) + 0.5 * wave(x, y, 2.1 * turn - phase, 0.23);
            (127.5 + 85.0 * sum).clamp(0.0, 255.0) as u8
        };
        image::Rgb([shade(0.3), shade(1.2), shade(2.5)])
    })
}

/// The pictures of a folder in the order of their names, each of them decodable.
fn pictures_in(folder: &Path) -> Result<Vec<Arc<[u8]>>, WorkloadError> {
    let fault = |reason: String| WorkloadError::ImageSource { path: folder.to_owned(), reason };
    let entries = std::fs::read_dir(folder).map_err(|error| {
        fault(format!("{error}; expected noise, assets, or a folder of PNG and JPEG files"))
    })?;
    let is_picture = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|known| ["png", "jpg", "jpeg"].iter().any(|e| e.eq_ignore_ascii_case(known)))
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_picture).collect();
    paths.sort();
    let mut pictures = Vec::with_capacity(paths.len());
    for path in paths {
        let bytes = std::fs::read(&path).map_err(|error| fault(format!("{}: {error}", path.display())))?;
        if decode(&bytes).is_none() {
            return Err(fault(format!("{} is not an image that can be read; take it away", path.display())));
        }
        pictures.push(bytes.into());
    }
    if pictures.is_empty() {
        return Err(fault("no PNG or JPEG file in it".to_owned()));
    }
    Ok(pictures)
}

fn decode(bytes: &[u8]) -> Option<RgbImage> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    Some(reader.decode().ok()?.into_rgb8())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::LengthDistribution;

    fn config(source: ImageSource, format: ImageFormat) -> ImageConfig {
        let size = |mean, stddev| LengthDistribution { mean, stddev };
        ImageConfig {
            width: size(20.0, 4.0),
            height: size(10.0, 0.0),
            batch: 2,
            format,
            source,
            sampling: SourceSampling::SequentialCycle,
        }
    }

    fn all(config: &ImageConfig, seed: u64) -> Vec<(String, RgbImage)> {
        let images = Images::new(config, 10, Seed(seed)).unwrap();
        (0..10)
            .flat_map(|position| images.of(position).collect::<Vec<_>>())
            .map(|medium| {
                let Media::Encoded { format, base64, .. } = medium else { panic!("not encoded") };
                let bytes = STANDARD.decode(&base64).unwrap();
                let magic: &[u8] = if &*format == "png" { b"\x89PNG" } else { b"\xff\xd8\xff" };
                assert!(bytes.starts_with(magic), "{format}");
                (format.to_string(), decode(&bytes).unwrap())
            })
            .collect()
    }

    #[test]
    fn images_have_their_size_and_follow_the_seed() {
        for source in [ImageSource::Noise, ImageSource::Assets] {
            let config = config(source, ImageFormat::Png);
            let images = all(&config, 1);
            assert_eq!(images.len(), 20);
            assert!(images.iter().all(|(_, image)| image.height() == 10));
            let widths: std::collections::BTreeSet<u32> =
                images.iter().map(|(_, image)| image.width()).collect();
            assert!(widths.len() > 3 && widths.iter().all(|width| (1..50).contains(width)), "{widths:?}");
            assert_eq!(all(&config, 1), images);
            assert_ne!(all(&config, 2), images);
        }
        let noise = all(&config(ImageSource::Noise, ImageFormat::Png), 1);
        assert_ne!(noise[0].1, noise[1].1);
    }

    #[test]
    fn what_was_not_kept_is_made_again_the_same() {
        let config = config(ImageSource::Noise, ImageFormat::Random);
        let kept = Images::new(&config, 3, Seed(1)).unwrap();
        let later = Images::new(&config, 0, Seed(1)).unwrap();
        for position in 0..5 {
            assert!(kept.of(position).eq(later.of(position)), "{position}");
        }
    }

    #[test]
    fn formats_are_drawn_or_fixed() {
        let formats = |format| -> std::collections::BTreeSet<String> {
            all(&config(ImageSource::Assets, format), 1).into_iter().map(|(format, _)| format).collect()
        };
        assert_eq!(formats(ImageFormat::Jpeg).into_iter().collect::<Vec<_>>(), ["jpeg"]);
        assert_eq!(formats(ImageFormat::Random).into_iter().collect::<Vec<_>>(), ["jpeg", "png"]);
    }

    #[test]
    fn pictures_of_a_folder_come_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        for (name, shade) in [("b.png", 200), ("a.JPG", 10), ("c.txt", 0)] {
            let picture = RgbImage::from_pixel(8, 8, image::Rgb([shade; 3]));
            let bytes = if name.ends_with("JPG") { jpeg(&picture) } else { png(&picture, false) };
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let config = config(ImageSource::Folder(folder.path().to_owned()), ImageFormat::Png);
        let shades: Vec<u8> = all(&config, 1).iter().map(|(_, image)| image.get_pixel(0, 0)[0]).collect();
        assert!(shades.iter().step_by(2).all(|shade| shade.abs_diff(10) < 3), "{shades:?}");
        assert!(shades.iter().skip(1).step_by(2).all(|shade| shade.abs_diff(200) < 3), "{shades:?}");

        std::fs::write(folder.path().join("d.png"), "no image").unwrap();
        let error = Images::new(&config, 1, Seed(1)).err().unwrap().to_string();
        assert!(error.contains("d.png is not an image"), "{error}");
        let missing = ImageConfig { source: ImageSource::Folder("/no/such".into()), ..config };
        let error = Images::new(&missing, 1, Seed(1)).err().unwrap().to_string();
        assert!(error.contains("--image-source /no/such") && error.contains("noise, assets"), "{error}");
    }

    #[test]
    fn an_image_that_fills_the_memory_is_refused() {
        let size = LengthDistribution::constant(20_000.0);
        let huge = ImageConfig { width: size, height: size, ..config(ImageSource::Noise, ImageFormat::Png) };
        assert!(Images::new(&huge, 1, Seed(1)).err().unwrap().to_string().contains("--image-width-mean"));
    }
}
