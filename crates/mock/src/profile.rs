//! How the mock behaves, as one parsed value: `NAME[?key=value&…]`.
//!
//! Parsing is strict: an unknown name or key, and a value out of range, is an error that says what
//! would have been right. What is printed parses back to the same profile. Keys of a fault belong to
//! the latest `fault=` before them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::faults::{self, FaultRule};
use crate::perf::{BatchConfig, FixedConfig, SplitwiseConfig};

/// How the mock behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Profile {
    /// What decides when tokens come.
    pub perf: PerfProfile,
    /// How prompt tokens are counted.
    pub counting: PromptCounting,
    /// Output tokens of a request that asks for no number; `None` takes the profile's own (128, and 8
    /// for `golden`).
    pub output_tokens: Option<u32>,
    /// Mean length at which answers end by themselves (geometric, seeded; `min_tokens` is a floor and
    /// `ignore_eos` turns it off); `None`: they end at the number asked for.
    pub natural_tokens: Option<u32>,
    /// How many of an answer's first tokens are reasoning, on endpoints that have it.
    pub reasoning_tokens: Option<u32>,
    /// Longest prompt plus answer accepted; longer ones get a 400; `None`: no limit.
    pub context_tokens: Option<u32>,
    /// Events that leave a stream together, in one write: the tokens wait for each other. At least 1.
    pub burst: u32,
    /// Which requests are spoiled.
    pub faults: Vec<FaultRule>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            perf: PerfProfile::default(),
            counting: PromptCounting::default(),
            output_tokens: None,
            natural_tokens: None,
            reasoning_tokens: None,
            context_tokens: None,
            burst: 1,
            faults: Vec::new(),
        }
    }
}

/// What decides when tokens come.
#[derive(Debug, Clone, PartialEq)]
pub enum PerfProfile {
    /// Continuous batching with chunked prefill and a prefix cache: times grow with prompt length and
    /// load.
    Default(BatchConfig),
    /// Given times, whatever the load.
    Fixed(FixedConfig),
    /// Continuous batching with step times measured on real accelerators.
    Splitwise(SplitwiseConfig),
    /// First token after 30 ms, then one every 5 ms; behaviour chosen by parts of the model's name.
    Golden,
}

impl Default for PerfProfile {
    fn default() -> Self {
        Self::Default(BatchConfig::default())
    }
}

/// How prompt tokens are counted, for `usage` and for the performance model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PromptCounting {
    /// An estimate from the text's bytes: cheap, within some 10 % for English prose.
    #[default]
    Estimate,
    /// Exactly, by the builtin tokenizer: costs CPU in proportion to prompts not seen before.
    Builtin,
}

/// Why a profile was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No profile of this name.
    #[error("no mock profile named {name:?}; there are default, fixed, splitwise and golden")]
    Name {
        /// The name given.
        name: String,
    },
    /// An option without `=`.
    #[error("mock profile option {option:?} has no value; write key=value, joined by &")]
    NoValue {
        /// The option given.
        option: String,
    },
    /// No option of this name in this profile.
    #[error("mock profile {profile} has no option {key:?}; it has {known}")]
    Key {
        /// The profile's name.
        profile: &'static str,
        /// The key given.
        key: String,
        /// The keys it has, comma-separated.
        known: String,
    },
    /// A value out of range.
    #[error("mock profile option {key}={value}: {expected}")]
    Value {
        /// The key given.
        key: String,
        /// The value given.
        value: String,
        /// What would have been right.
        expected: String,
    },
    /// Options that each are right and have no measurements together.
    #[error("mock profile splitwise: {0}")]
    Table(String),
}

/// Most events in one write.
const MAX_BURST: u32 = 1024;

/// The keys of every profile.
pub(crate) const COMMON_KEYS: &[&str] = &["tokenizer", "output", "natural", "reasoning", "context", "burst"];

impl Profile {
    /// The profile's name.
    pub fn name(&self) -> &'static str {
        match self.perf {
            PerfProfile::Default(_) => "default",
            PerfProfile::Fixed(_) => "fixed",
            PerfProfile::Splitwise(_) => "splitwise",
            PerfProfile::Golden => "golden",
        }
    }

    /// Whether prompts are looked up in a prefix cache.
    pub(crate) fn has_prefix_cache(&self) -> bool {
        matches!(self.perf, PerfProfile::Default(_) | PerfProfile::Splitwise(_))
    }

    fn named(name: &str) -> Result<Self, ProfileError> {
        let perf = match name {
            "" | "default" => PerfProfile::default(),
            "fixed" => PerfProfile::Fixed(FixedConfig::default()),
            "splitwise" => PerfProfile::Splitwise(SplitwiseConfig::default()),
            "golden" => PerfProfile::Golden,
            _ => return Err(ProfileError::Name { name: name.to_owned() }),
        };
        Ok(Self { perf, ..Self::default() })
    }

    /// The keys of this profile alone.
    pub(crate) fn perf_keys(&self) -> &'static [&'static str] {
        match self.perf {
            PerfProfile::Default(_) => BatchConfig::KEYS,
            PerfProfile::Fixed(_) => FixedConfig::KEYS,
            PerfProfile::Splitwise(_) => SplitwiseConfig::KEYS,
            PerfProfile::Golden => &[],
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let positive = || {
            let number = value.parse::<u32>().ok().filter(|number| *number > 0);
            number.map(Some).ok_or_else(|| "expected a whole number of tokens above 0".to_owned())
        };
        match key {
            "fault" => self.faults.push(FaultRule::named(value)?),
            "tokenizer" => {
                self.counting = match value {
                    "estimate" => PromptCounting::Estimate,
                    "builtin" => PromptCounting::Builtin,
                    _ => return Err("expected estimate or builtin".to_owned()),
                }
            }
            "output" => self.output_tokens = positive()?,
            "natural" => self.natural_tokens = positive()?,
            "reasoning" => self.reasoning_tokens = positive()?,
            "context" => self.context_tokens = positive()?,
            "burst" => {
                let number = value.parse::<u32>().ok().filter(|number| (1..=MAX_BURST).contains(number));
                self.burst =
                    number.ok_or_else(|| format!("expected a number of events from 1 to {MAX_BURST}"))?;
            }
            _ if faults::KEYS.contains(&key) => match self.faults.last_mut() {
                Some(rule) => return rule.set(key, value),
                None => return Err("it belongs to a fault= before it".to_owned()),
            },
            _ => {
                return match &mut self.perf {
                    PerfProfile::Default(batch) => batch.set(key, value),
                    PerfProfile::Fixed(fixed) => fixed.set(key, value),
                    PerfProfile::Splitwise(splitwise) => splitwise.set(key, value),
                    PerfProfile::Golden => Ok(false),
                };
            }
        }
        Ok(true)
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        let text = text.strip_prefix("mock://").unwrap_or(text);
        let (name, options) = text.split_once('?').unwrap_or((text, ""));
        let mut profile = Self::named(name.trim_end_matches('/'))?;
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let Some((key, value)) = option.split_once('=') else {
                return Err(ProfileError::NoValue { option: option.to_owned() });
            };
            match profile.set(key, &unescape(value)) {
                Ok(true) => {}
                Ok(false) => {
                    let known = [profile.perf_keys(), COMMON_KEYS, faults::KEYS].concat().join(", ");
                    return Err(ProfileError::Key { profile: profile.name(), key: key.to_owned(), known });
                }
                Err(expected) => {
                    return Err(ProfileError::Value {
                        key: key.to_owned(),
                        value: value.to_owned(),
                        expected,
                    });
                }
            }
        }
        if let PerfProfile::Splitwise(splitwise) = &profile.perf {
            splitwise.check().map_err(ProfileError::Table)?;
        }
        Ok(profile)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut options = match &self.perf {
            PerfProfile::Default(batch) => batch.show(),
            PerfProfile::Fixed(fixed) => fixed.show(),
            PerfProfile::Splitwise(splitwise) => splitwise.show(),
            PerfProfile::Golden => Vec::new(),
        };
        if self.counting == PromptCounting::Builtin {
            options.push("tokenizer=builtin".to_owned());
        }
        let tokens = [
            ("output", self.output_tokens),
            ("natural", self.natural_tokens),
            ("reasoning", self.reasoning_tokens),
            ("context", self.context_tokens),
            ("burst", Some(self.burst).filter(|burst| *burst > 1)),
        ];
        options.extend(tokens.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?))));
        options.extend(self.faults.iter().map(ToString::to_string));
        f.write_str(self.name())?;
        if !options.is_empty() {
            write!(f, "?{}", options.join("&"))?;
        }
        Ok(())
    }
}

/// Percent-decodes `%26` and `%25`, the two that [`escape`] makes; any other percent sign stands for
/// itself, as in `10%`.
fn unescape(value: &str) -> String {
    value.replace("%26", "&").replace("%25", "%")
}

/// Makes free text safe as a value.
pub(crate) fn escape(value: &str) -> String {
    value.replace('%', "%25").replace('&', "%26")
}

impl TryFrom<String> for Profile {
    type Error = ProfileError;
    fn try_from(text: String) -> Result<Self, ProfileError> {
        text.parse()
    }
}

impl From<Profile> for String {
    fn from(profile: Profile) -> Self {
        profile.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::faults::{FaultKind, When};

    fn parse(text: &str) -> Result<Profile, ProfileError> {
        text.parse()
    }

    #[test]
    fn an_empty_profile_is_the_default() {
        assert_eq!(parse("").unwrap(), Profile::default());
        assert_eq!(parse("mock://").unwrap(), Profile::default());
        assert_eq!(parse("default").unwrap().to_string(), "default");
    }

    #[test]
    fn fixed_takes_its_times() {
        let profile = parse("mock://fixed?ttft=50ms&itl=20ms&jitter=10%").unwrap();
        let PerfProfile::Fixed(fixed) = &profile.perf else { panic!("{profile:?}") };
        assert_eq!((fixed.ttft_ns, fixed.itl_ns, fixed.jitter), (50_000_000, 20_000_000, 0.1));
        assert_eq!(profile.to_string(), "fixed?ttft=50ms&itl=20ms&jitter=0.1");
    }

    #[test]
    fn details_belong_to_the_latest_fault() {
        let profile = parse("?fault=cut&every=3&after=3&fault=429&chance=5%&retry_after=2").unwrap();
        let [cut, status] = profile.faults.as_slice() else { panic!("{profile:?}") };
        assert_eq!((&cut.fault.kind, cut.fault.after), (&FaultKind::Cut, 3));
        assert_eq!(cut.when, When::Every { n: 3, offset: 1 });
        assert_eq!(status.when, When::Chance(0.05));
    }

    #[test]
    fn errors_say_what_would_have_been_right() {
        let said = |text| parse(text).unwrap_err().to_string();
        assert!(said("fast").contains("default, fixed, splitwise and golden"));
        assert_eq!(
            said("mock://nope"),
            "no mock profile named \"nope\"; there are default, fixed, splitwise and golden"
        );
        for text in ["nope", "fixed?x=1", "fixed?ttft", "fixed?ttft=x", "splitwise?tp=3"] {
            // It may come of a URL as well as of a flag.
            assert!(said(text).contains("mock profile") && !said(text).contains("--"), "{}", said(text));
        }
        assert!(said("fixed?tfft=1").contains("it has ttft, itl"));
        assert!(said("fixed?ttft").contains("has no value"));
        assert!(said("fixed?ttft=fast").contains("ttft=fast: expected a duration"));
        assert!(said("fixed?after=3").contains("belongs to a fault="));
        assert!(said("golden?ttft=3").contains("mock profile golden has no option"));
        assert!(said("?output=0").contains("above 0"));
        assert!(said("splitwise?tp=3").contains("there are bloom-176b on a100-80gb tp=8"));
        assert!(parse("splitwise?tp=2&hardware=a100-80gb").is_ok());
    }

    #[test]
    fn the_documented_values_are_the_usual_ones() {
        let default = "default?step=8ms&prefill=220000&decode=60us&jitter=0.03&budget=8192&sequences=256\
            &cache=3000000";
        assert_eq!(parse(default).unwrap(), Profile::default());
        assert_eq!(parse("fixed?ttft=50ms&itl=20ms&role=0ms&jitter=0"), parse("fixed"));
        assert_eq!(
            parse("splitwise?model=llama2-70b&hardware=h100-80gb&tp=8&budget=8192"),
            parse("splitwise")
        );
    }

    #[test]
    fn free_text_survives_printing() {
        let profile = parse("?fault=429&body=100%2525 %26 more").unwrap();
        let FaultKind::Status { body, .. } = &profile.faults[0].fault.kind else { panic!("{profile:?}") };
        assert_eq!(body.as_deref(), Some("100%25 & more"));
        assert_eq!(parse(&profile.to_string()).unwrap(), profile);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_shown_parses_back(
            ttft in 0_i64..10_000_000_000,
            itl in 0_i64..1_000_000_000,
            output in proptest::option::of(1_u32..10_000),
            fault in prop::sample::select(vec!["cut", "stall", "503", "garbage", "slow"]),
            n in 1_u64..50,
            after in 0_u32..50,
        ) {
            let text = format!("fixed?ttft={ttft}ns&itl={itl}ns&fault={fault}&every={n}&after={after}");
            let output = output.map_or(String::new(), |output| format!("&output={output}"));
            let text = text + &output;
            let profile = parse(&text).unwrap();
            prop_assert_eq!(parse(&profile.to_string()).unwrap(), profile);
        }
    }
}
