//! Pairs of prompt and output lengths: mixes of classes (`--seq-dist`) and uniform windows
//! (`--random-range-ratio`), with AIPerf's grammars.
//!
//! A pair replaces `--isl` and `--osl` together. A mix's lengths are taken as they are; a window's input is
//! shortened by what the server adds on its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::config::{LONGEST_PROMPT, LengthDistribution};
use crate::draw::{NumpyRandom, PythonRandom, length, longest};

/// Classes of requests by their lengths, each with its share. Never empty; the shares sum to 100.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<SequenceClass>", into = "Vec<SequenceClass>")]
pub struct SequenceMix(Vec<SequenceClass>);

/// One class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SequenceClass {
    /// Tokens of the prompt.
    pub isl: LengthDistribution,
    /// Tokens to ask for.
    pub osl: LengthDistribution,
    /// Its share, in percent.
    pub percent: f64,
}

/// A mix that cannot be drawn from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; expected \"ISL[|STDDEV],OSL[|STDDEV]:PERCENT;…\", such as \"256,128:60;512|20,256|10:40\"")]
pub struct SequenceMixError(String);

impl SequenceMix {
    /// The classes.
    pub fn classes(&self) -> &[SequenceClass] {
        &self.0
    }

    /// Draws a pair: the class first, then what of it varies.
    pub(crate) fn draw(&self, random: &mut PythonRandom) -> (u32, u32) {
        let at = random.unit();
        let mut until = 0.0;
        let class = self.0.iter().find(|class| {
            until += class.percent / 100.0;
            at < until
        });
        let class = class.or(self.0.last()).expect("a mix has a class");
        (length(class.isl, random), length(class.osl, random))
    }

    /// No prompt is longer.
    pub(crate) fn longest(&self) -> u32 {
        self.0.iter().map(|class| longest(class.isl)).max().unwrap_or(0)
    }
}

impl TryFrom<Vec<SequenceClass>> for SequenceMix {
    type Error = SequenceMixError;

    fn try_from(classes: Vec<SequenceClass>) -> Result<Self, SequenceMixError> {
        let fault = |text: String| Err(SequenceMixError(text));
        if classes.is_empty() {
            return fault("no class of lengths".to_owned());
        }
        for class in &classes {
            for LengthDistribution { mean, stddev } in [class.isl, class.osl] {
                if !(mean >= 1.0 && mean <= f64::from(LONGEST_PROMPT) && mean.fract() == 0.0) {
                    return fault(format!("{mean} is not a length of 1 to {LONGEST_PROMPT} tokens"));
                }
                if !(stddev.is_finite() && stddev >= 0.0) {
                    return fault(format!("{stddev} is not a deviation of at least 0"));
                }
            }
            if longest(class.isl) > LONGEST_PROMPT {
                let LengthDistribution { mean, stddev } = class.isl;
                return fault(format!(
                    "prompts of {mean} ± {stddev} tokens may have more than {LONGEST_PROMPT}"
                ));
            }
            if !(0.0..=100.0).contains(&class.percent) {
                return fault(format!("{} is not a share of 0 to 100 percent", class.percent));
            }
        }
        let sum: f64 = classes.iter().map(|class| class.percent).sum();
        // As numpy's isclose with both tolerances 1e-6.
        if (sum - 100.0).abs() > 1e-6 + 1e-6 * 100.0 {
            return fault(format!("the shares sum to {sum} percent and not to 100"));
        }
        Ok(Self(classes))
    }
}

impl From<SequenceMix> for Vec<SequenceClass> {
    fn from(mix: SequenceMix) -> Self {
        mix.0
    }
}

/// Reads the three forms: `256|10,128:60;512,256:40`, the same in brackets with parentheses, and JSON with
/// `pairs`.
impl FromStr for SequenceMix {
    type Err = SequenceMixError;

    fn from_str(text: &str) -> Result<Self, SequenceMixError> {
        let text = text.trim();
        let classes = if text.starts_with('{') {
            from_json(text)
        } else if let Some(inside) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            in_parentheses(inside)
        } else {
            text.split(';').map(str::trim).filter(|pair| !pair.is_empty()).map(class).collect()
        };
        Self::try_from(classes?)
    }
}

/// `(256|10,128):40,(512,256):60`.
fn in_parentheses(text: &str) -> Result<Vec<SequenceClass>, SequenceMixError> {
    let fault = |pair: &str| SequenceMixError(format!("{:?} is not (ISL,OSL):PERCENT", pair.trim()));
    let mut pairs = text.split('(');
    if let Some(before) = pairs.next().filter(|before| !before.trim().is_empty()) {
        return Err(fault(before));
    }
    let pairs = pairs.map(|pair| {
        let (lengths, percent) = pair.split_once(')').ok_or_else(|| fault(pair))?;
        class(&format!("{lengths}{}", percent.trim_end().trim_end_matches(',')))
    });
    pairs.collect()
}

/// `256|10,128|5:40`.
fn class(pair: &str) -> Result<SequenceClass, SequenceMixError> {
    let fault = || SequenceMixError(format!("{pair:?} is not ISL[|STDDEV],OSL[|STDDEV]:PERCENT"));
    let (lengths, percent) = pair.rsplit_once(':').ok_or_else(fault)?;
    let (isl, osl) = lengths.split_once(',').ok_or_else(fault)?;
    let distribution = |text: &str| {
        let (mean, stddev) = text.trim().split_once('|').unwrap_or((text.trim(), "0"));
        let mean: u32 = mean.trim().parse().ok()?;
        Some(LengthDistribution { mean: f64::from(mean), stddev: decimal(stddev)? })
    };
    Ok(SequenceClass {
        isl: distribution(isl).ok_or_else(fault)?,
        osl: distribution(osl).ok_or_else(fault)?,
        percent: decimal(percent).ok_or_else(fault)?,
    })
}

/// A number without a sign and without an exponent.
fn decimal(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| is_plain)
}

fn from_json(text: &str) -> Result<Vec<SequenceClass>, SequenceMixError> {
    #[derive(Deserialize)]
    struct Pairs {
        pairs: Vec<Pair>,
    }
    #[derive(Deserialize)]
    struct Pair {
        isl: u32,
        osl: u32,
        prob: f64,
        #[serde(default)]
        isl_stddev: f64,
        #[serde(default)]
        osl_stddev: f64,
    }
    let Pairs { pairs } = serde_json::from_str(text)
        .map_err(|error| SequenceMixError(format!("not the JSON form: {error}")))?;
    let classes = pairs.into_iter().map(|pair| SequenceClass {
        isl: LengthDistribution { mean: f64::from(pair.isl), stddev: pair.isl_stddev },
        osl: LengthDistribution { mean: f64::from(pair.osl), stddev: pair.osl_stddev },
        percent: pair.prob,
    });
    Ok(classes.collect())
}

impl fmt::Display for SequenceMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |LengthDistribution { mean, stddev }: &LengthDistribution| match *stddev {
            0.0 => mean.to_string(),
            stddev => format!("{mean}|{stddev}"),
        };
        for (index, SequenceClass { isl, osl, percent }) in self.0.iter().enumerate() {
            let separator = if index > 0 { ";" } else { "" };
            write!(f, "{separator}{},{}:{percent}", length(isl), length(osl))?;
        }
        Ok(())
    }
}

/// Which tool's window a ratio means (`--random-corpus-style`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RangeStyle {
    /// From ⌊mean·(1−r)⌋ to ⌈mean·(1+r)⌉.
    #[default]
    Vllm,
    /// From ⌊mean·r⌋ to the mean.
    Sglang,
}

/// Uniform windows around the means of `--isl` and `--osl`, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RangeRatio {
    /// Ratio of the input's window.
    pub input: f64,
    /// Ratio of the output's window.
    pub output: f64,
    /// What a ratio means.
    pub style: RangeStyle,
}

/// A ratio that makes no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RangeRatioError(String);

impl RangeRatio {
    /// Reads `0.3`, or `{"input":0.3,"output":0.5}` for windows of their own.
    pub fn parse(text: &str, style: RangeStyle) -> Result<Self, RangeRatioError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Both {
            input: f64,
            output: f64,
        }
        let text = text.trim();
        let both = text.parse().map(|ratio| Both { input: ratio, output: ratio });
        let Both { input, output } = both.or_else(|_| serde_json::from_str(text)).map_err(|_| {
            RangeRatioError(format!("{text:?} is neither a number nor {{\"input\":R,\"output\":R}}"))
        })?;
        if style == RangeStyle::Sglang && input != output {
            return Err(RangeRatioError("--random-corpus-style sglang has one ratio for both".to_owned()));
        }
        for ratio in [input, output] {
            let (is_ratio, bounds) = match style {
                RangeStyle::Vllm => ((0.0..1.0).contains(&ratio), "at least 0 and below 1"),
                RangeStyle::Sglang => ((0.0..=1.0).contains(&ratio), "from 0 to 1"),
            };
            if !is_ratio {
                return Err(RangeRatioError(format!("{ratio} is not a ratio: expected a number {bounds}")));
            }
        }
        Ok(Self { input, output, style })
    }

    /// The window of the prompt, in tokens, where the server adds `added` of its own.
    pub(crate) fn input_window(&self, mean: u32, added: u32) -> (u32, u32) {
        match self.style {
            RangeStyle::Vllm => window(f64::from(mean.saturating_sub(added)), self.input),
            RangeStyle::Sglang => lower_window(mean, self.input),
        }
    }

    /// The window of the output, in tokens.
    pub(crate) fn output_window(&self, mean: u32) -> (u32, u32) {
        let (low, high) = match self.style {
            RangeStyle::Vllm => window(f64::from(mean), self.output),
            RangeStyle::Sglang => lower_window(mean, self.output),
        };
        (low.max(1), high.max(1))
    }

    /// A pair from both windows: the prompt's length, then the output's.
    pub(crate) fn draw(&self, isl: u32, osl: u32, added: u32, random: &mut NumpyRandom) -> (u32, u32) {
        let mut between = |(low, high): (u32, u32)| random.between(low, high);
        let input = between(self.input_window(isl, added));
        let output = between(self.output_window(osl));
        let input = match self.style {
            RangeStyle::Vllm => input,
            RangeStyle::Sglang => input.saturating_sub(added),
        };
        (input.max(1), output)
    }
}

fn window(mean: f64, ratio: f64) -> (u32, u32) {
    ((mean * (1.0 - ratio)).floor() as u32, (mean * (1.0 + ratio)).ceil() as u32)
}

fn lower_window(mean: u32, ratio: f64) -> (u32, u32) {
    (((f64::from(mean) * ratio) as u32).max(1), mean)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::draw::Purpose;
    use loadgen_core::Seed;
    use proptest::prelude::*;

    fn mix(text: &str) -> SequenceMix {
        text.parse().unwrap()
    }

    #[test]
    fn the_three_forms_say_the_same() {
        let semicolons = mix("256|10,128|5:40; 512|20,256|.5:60;");
        assert_eq!(mix("[(256|10,128|5):40, (512|20 , 256|0.5):60]"), semicolons);
        let json = r#"{"pairs":[{"isl":256,"isl_stddev":10,"osl":128,"osl_stddev":5,"prob":40},
                                {"isl":512,"isl_stddev":20,"osl":256,"osl_stddev":0.5,"prob":60}]}"#;
        assert_eq!(mix(json), semicolons);
        assert_eq!(semicolons.to_string(), "256|10,128|5:40;512|20,256|0.5:60");
        assert_eq!(mix(&semicolons.to_string()), semicolons);
        assert_eq!(mix("100,50:100").classes()[0].isl, LengthDistribution::constant(100.0));
    }

    #[test]
    fn what_is_no_mix_is_said() {
        for (text, word) in [
            ("", "no class"),
            ("256,128", "not ISL"),
            ("256:128,40", "not ISL"),
            ("256,128:40", "sum to 40"),
            ("256,128:0.6;512,256:0.4", "sum to 1"),
            ("0,128:100", "not a length"),
            ("256,0:100", "not a length"),
            ("1.5,2:100", "not ISL"),
            ("-1,2:100", "not ISL"),
            ("1,2:1e2", "not ISL"),
            ("99999999,2:100", "not a length"),
            ("16777216|9,2:100", "may have more"),
            ("[256,128:100]", "not (ISL,OSL)"),
            ("{\"pairs\":[]}", "no class"),
            ("{\"pair\":[]}", "JSON form"),
            ("{\"pairs\":[{\"isl\":1,\"osl\":2}]}", "JSON form"),
        ] {
            let error = text.parse::<SequenceMix>().unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("256,128:60"), "{text}: {error}");
        }
    }

    #[test]
    fn classes_come_in_their_shares() {
        let mix = mix("10,1:25;20,2:75");
        let mut random = PythonRandom::new(5);
        let drawn: Vec<_> = (0..4000).map(|_| mix.draw(&mut random)).collect();
        let small = drawn.iter().filter(|pair| **pair == (10, 1)).count();
        assert!(drawn.iter().all(|pair| [(10, 1), (20, 2)].contains(pair)));
        // Binomial: 1000 ± 27; five deviations.
        assert!(small.abs_diff(1000) < 140, "{small}");
    }

    #[test]
    fn windows_are_those_of_the_other_tools() {
        let vllm = RangeRatio::parse("0.3", RangeStyle::Vllm).unwrap();
        assert_eq!((vllm.input_window(100, 1), vllm.output_window(10)), ((69, 129), (7, 13)));
        let both = RangeRatio::parse(r#"{"input":0,"output":0.5}"#, RangeStyle::Vllm).unwrap();
        assert_eq!((both.input_window(100, 0), both.output_window(1)), ((100, 100), (1, 2)));
        let sglang = RangeRatio::parse("0.25", RangeStyle::Sglang).unwrap();
        assert_eq!((sglang.input_window(100, 1), sglang.output_window(2)), ((25, 100), (1, 2)));
        for (text, style) in [
            ("1", RangeStyle::Vllm),
            ("-0.1", RangeStyle::Vllm),
            ("nan", RangeStyle::Vllm),
            ("wide", RangeStyle::Vllm),
            (r#"{"input":0.1}"#, RangeStyle::Vllm),
            ("1.1", RangeStyle::Sglang),
            (r#"{"input":0.1,"output":0.2}"#, RangeStyle::Sglang),
        ] {
            assert!(RangeRatio::parse(text, style).is_err(), "{text}");
        }
    }

    /// What AIPerf 0.13 draws around 512 and 128 tokens with seed 42, where the server adds two tokens to
    /// the prompts of the second.
    #[test]
    fn lengths_in_windows_are_those_of_aiperf() {
        let drawn = |text: &str, style, added| {
            let mut random = NumpyRandom::derive(Seed(42), Purpose::RangeLength.name());
            let ratio = RangeRatio::parse(text, style).unwrap();
            std::array::from_fn(|_| ratio.draw(512, 128, added, &mut random))
        };
        let both = [(636, 128), (428, 164), (368, 96), (570, 166), (489, 135), (528, 126)];
        assert_eq!(drawn("0.3", RangeStyle::Vllm, 0), both);
        let lower = [(473, 80), (213, 125), (139, 41), (391, 127), (289, 89), (338, 78)];
        assert_eq!(drawn("0.25", RangeStyle::Sglang, 2), lower);
        let outputs = [(512, 180), (512, 128), (512, 93), (512, 187), (512, 68), (512, 76)];
        assert_eq!(drawn(r#"{"input":0,"output":0.5}"#, RangeStyle::Vllm, 0), outputs);
    }

    proptest! {
        #[test]
        fn drawn_lengths_lie_in_their_windows(
            isl in 1_u32..5_000, osl in 1_u32..5_000, ratio in 0.0_f64..0.999, seed: u64, sglang: bool,
        ) {
            let style = if sglang { RangeStyle::Sglang } else { RangeStyle::Vllm };
            let ratio = RangeRatio::parse(&ratio.to_string(), style).unwrap();
            let (input, output) = ratio.draw(isl, osl, 0, &mut NumpyRandom::new(seed));
            let (low, high) = ratio.input_window(isl, 0);
            prop_assert!((low.max(1)..=high.max(1)).contains(&input));
            let (low, high) = ratio.output_window(osl);
            prop_assert!((low..=high).contains(&output));
        }

        #[test]
        fn no_text_makes_reading_panic(text in "[\\[\\](){}\",:;|0-9. a-z]{0,60}") {
            let _ = text.parse::<SequenceMix>();
        }
    }
}
