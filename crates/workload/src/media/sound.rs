//! Sounds: noise of a drawn length, as WAV.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loadgen_core::{Media, Seed};
use rand::Rng;

use super::AudioConfig;
use super::kept::{Batches, Make};
use crate::draw::{Purpose, PythonRandom, Streams, index, normal_from};
use crate::error::WorkloadError;

/// The shortest sound, s.
const SHORTEST_S: f64 = 0.01;
/// Bytes of a sound at most: a slip of some zeros is found before it fills the memory.
const MOST_BYTES: f64 = (1_u32 << 30) as f64;
/// Deviation of the samples, of an amplitude of 1; what lies beyond is cut.
const LOUDNESS: f64 = 0.3;

/// The sounds of a run.
pub(crate) struct Sounds(Batches<Maker>);

/// Makes the sound of a position.
struct Maker {
    config: AudioConfig,
    lengths: Streams,
    formats: Streams,
    noise: Streams,
}

impl Sounds {
    /// The sounds of `turns` turns.
    pub(crate) fn new(config: &AudioConfig, turns: u64, seed: Seed) -> Result<Self, WorkloadError> {
        check(config)?;
        let maker = Maker {
            config: config.clone(),
            lengths: Streams::new(seed, Purpose::AudioLength),
            formats: Streams::new(seed, Purpose::AudioFormat),
            noise: Streams::new(seed, Purpose::AudioNoise),
        };
        Ok(Self(Batches::new(maker, config.batch, turns)))
    }

    /// The sounds of the turn at `position`.
    pub(crate) fn of(&self, position: u64) -> impl Iterator<Item = Media> + '_ {
        self.0.of(position)
    }
}

fn check(config: &AudioConfig) -> Result<(), WorkloadError> {
    let option = |flag, value: String, reason| Err(WorkloadError::Option { flag, value, reason });
    let length = config.length_s;
    if !(length.mean >= SHORTEST_S && length.mean.is_finite() && length.stddev.is_finite()) {
        return option("--audio-length-mean", length.mean.to_string(), "a sound lasts at least 0.01 seconds");
    }
    if let Some(depth) = config.depths.iter().find(|depth| ![8, 16, 24, 32].contains(*depth)) {
        return option("--audio-depths", depth.to_string(), "a sample has 8, 16, 24 or 32 bits");
    }
    if config.depths.is_empty() {
        return option("--audio-depths", String::new(), "give at least one");
    }
    if config.sample_rates_hz.is_empty() || config.sample_rates_hz.contains(&0) {
        return option("--audio-sample-rates", "0".to_owned(), "give at least one rate above 0, in kHz");
    }
    if !(1..=2).contains(&config.channels) {
        return option("--audio-num-channels", config.channels.to_string(), "a sound has 1 or 2 channels");
    }
    let fastest = config.sample_rates_hz.iter().copied().max().map_or(0.0, f64::from);
    let longest = length.mean + 8.573 * length.stddev;
    if longest * fastest * f64::from(config.channels) * 4.0 > MOST_BYTES {
        return option(
            "--audio-length-mean",
            length.mean.to_string(),
            "a sound has less than 1 GiB, its deviation included",
        );
    }
    Ok(())
}

impl Make for Maker {
    fn make(&self, position: u64) -> Media {
        let mut lengths = PythonRandom::new(self.lengths.at(position).next_u64());
        let seconds =
            normal_from(SHORTEST_S, self.config.length_s.mean, self.config.length_s.stddev, &mut lengths);
        let mut formats = self.formats.at(position);
        let rate = self.config.sample_rates_hz[index(&mut formats, self.config.sample_rates_hz.len())];
        let depth = self.config.depths[index(&mut formats, self.config.depths.len())];
        let samples = (seconds * f64::from(rate)) as usize * usize::from(self.config.channels);
        let mut bytes = head(rate, depth, self.config.channels, samples);
        let mut noise = self.noise.at(position);
        for _ in 0..samples.div_ceil(2) {
            for amplitude in pair(&mut noise) {
                put(&mut bytes, (amplitude * LOUDNESS).clamp(-1.0, 1.0), depth);
            }
        }
        bytes.truncate(HEAD + samples * usize::from(depth / 8));
        let plays_ns = (seconds * 1e9).round() as u64;
        Media::Encoded {
            format: "wav".into(),
            base64: STANDARD.encode(bytes).into(),
            plays_ns: Some(plays_ns),
        }
    }
}

/// Bytes of a WAV file before its samples.
const HEAD: usize = 44;

/// The head of a WAV file of plain PCM.
fn head(rate: u32, depth: u16, channels: u16, samples: usize) -> Vec<u8> {
    let frame = channels * (depth / 8);
    let data = samples as u32 * u32::from(depth / 8);
    let mut head = Vec::with_capacity(HEAD + data as usize + 8);
    head.extend_from_slice(b"RIFF");
    head.extend_from_slice(&(data + HEAD as u32 - 8).to_le_bytes());
    head.extend_from_slice(b"WAVEfmt ");
    head.extend_from_slice(&16_u32.to_le_bytes());
    head.extend_from_slice(&1_u16.to_le_bytes());
    head.extend_from_slice(&channels.to_le_bytes());
    head.extend_from_slice(&rate.to_le_bytes());
    head.extend_from_slice(&(rate * u32::from(frame)).to_le_bytes());
    head.extend_from_slice(&frame.to_le_bytes());
    head.extend_from_slice(&depth.to_le_bytes());
    head.extend_from_slice(b"data");
    head.extend_from_slice(&data.to_le_bytes());
    head
}

/// Two standard normal numbers (Box and Muller).
fn pair(rng: &mut impl Rng) -> [f64; 2] {
    let unit = |bits: u64| ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let radius = libm::sqrt(-2.0 * libm::log(unit(rng.next_u64())));
    let angle = std::f64::consts::TAU * unit(rng.next_u64());
    [radius * libm::cos(angle), radius * libm::sin(angle)]
}

/// Appends a sample: 8 bits without a sign, more with one, the low byte first.
fn put(bytes: &mut Vec<u8>, amplitude: f64, depth: u16) {
    let full = f64::from(i32::MAX >> (32 - depth));
    let sample = (amplitude * full) as i32;
    match depth {
        8 => bytes.push((sample + 128) as u8),
        16 => bytes.extend_from_slice(&(sample as i16).to_le_bytes()),
        24 => bytes.extend_from_slice(&sample.to_le_bytes()[..3]),
        _ => bytes.extend_from_slice(&sample.to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::LengthDistribution;

    fn config(depths: &[u16], channels: u16) -> AudioConfig {
        AudioConfig {
            length_s: LengthDistribution { mean: 0.1, stddev: 0.02 },
            batch: 2,
            depths: depths.to_vec(),
            sample_rates_hz: vec![8_000, 16_000],
            channels,
        }
    }

    fn files(config: &AudioConfig, seed: u64) -> Vec<Vec<u8>> {
        let sounds = Sounds::new(config, 6, Seed(seed)).unwrap();
        (0..6)
            .flat_map(|position| sounds.of(position).collect::<Vec<_>>())
            .map(|medium| {
                let Media::Encoded { format, base64, .. } = medium else { panic!("not encoded") };
                assert_eq!(&*format, "wav");
                STANDARD.decode(&base64).unwrap()
            })
            .collect()
    }

    fn u32_at(file: &[u8], at: usize) -> usize {
        u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize
    }

    fn u16_at(file: &[u8], at: usize) -> usize {
        usize::from(u16::from_le_bytes(file[at..at + 2].try_into().unwrap()))
    }

    #[test]
    fn heads_say_what_follows() {
        for (depth, channels) in [(8, 1), (16, 2), (24, 1), (32, 2)] {
            let files = files(&config(&[depth], channels), 1);
            assert_eq!(files.len(), 12);
            for file in &files {
                assert_eq!(
                    (&file[..4], &file[8..16], &file[36..40]),
                    (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..])
                );
                assert_eq!((u32_at(file, 4) + 8, u32_at(file, 40) + HEAD), (file.len(), file.len()));
                assert_eq!((u16_at(file, 22), u16_at(file, 34)), (usize::from(channels), usize::from(depth)));
                let (rate, frame) = (u32_at(file, 24), u16_at(file, 32));
                assert!([8_000, 16_000].contains(&rate));
                assert_eq!(u32_at(file, 28), rate * frame);
                let seconds = u32_at(file, 40) as f64 / (rate * frame) as f64;
                assert!((SHORTEST_S..0.2).contains(&seconds), "{seconds}");
            }
        }
    }

    #[test]
    fn samples_are_noise_of_the_right_loudness() {
        let long = AudioConfig {
            length_s: LengthDistribution::constant(2.0),
            batch: 1,
            sample_rates_hz: vec![16_000],
            ..config(&[16], 1)
        };
        let file = &files(&long, 3)[0];
        let samples: Vec<f64> = file[HEAD..]
            .chunks(2)
            .map(|sample| f64::from(i16::from_le_bytes([sample[0], sample[1]])) / 32_767.0)
            .collect();
        assert_eq!(samples.len(), 32_000);
        let mean = samples.iter().sum::<f64>() / 32_000.0;
        let deviation = (samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / 32_000.0).sqrt();
        // The mean's own deviation is 0.3 / √32000 = 0.0017.
        assert!(mean.abs() < 0.01 && (deviation - LOUDNESS).abs() < 0.01, "{mean} ± {deviation}");
    }

    #[test]
    fn sounds_follow_the_seed() {
        let config = config(&[16, 24], 1);
        assert_eq!(files(&config, 1), files(&config, 1));
        assert_ne!(files(&config, 1), files(&config, 2));
    }

    #[test]
    fn what_is_no_sound_is_refused_by_its_flag() {
        let good = config(&[16], 1);
        let length = |mean| LengthDistribution::constant(mean);
        for (bad, flag) in [
            (AudioConfig { length_s: length(0.001), ..good.clone() }, "--audio-length-mean"),
            (AudioConfig { length_s: length(1e9), ..good.clone() }, "--audio-length-mean"),
            (AudioConfig { depths: vec![12], ..good.clone() }, "--audio-depths"),
            (AudioConfig { depths: Vec::new(), ..good.clone() }, "--audio-depths"),
            (AudioConfig { sample_rates_hz: vec![0], ..good.clone() }, "--audio-sample-rates"),
            (AudioConfig { channels: 3, ..good.clone() }, "--audio-num-channels"),
        ] {
            let error = Sounds::new(&bad, 1, Seed(1)).err().unwrap().to_string();
            assert!(error.contains(flag), "{error}");
        }
    }
}
