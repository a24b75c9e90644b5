//! Which requests are spoiled, and how.
//!
//! A [`FaultRule`] says when ([`When`]) and what ([`Fault`]); the first rule that applies to a request
//! wins. The choice depends on the request's number and the seed alone, so a run can be repeated.
//! Not here: how a fault is carried out on a connection.

use std::fmt;

use loadgen_core::Seed;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::profile::escape;
use crate::units::{parse_duration, parse_ratio, show_duration};

/// How a request is spoiled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// After how many tokens of the answer, for the kinds that strike inside it.
    pub after: u32,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Another answer than asked for: this status, body and type.
    Status {
        /// The HTTP status, 200..=599.
        code: u16,
        /// The body; absent gives an OpenAI-shaped error object.
        body: Option<String>,
        /// The body's type; absent gives `application/json`.
        content_type: Option<String>,
        /// Seconds for a Retry-After header.
        retry_after_s: Option<u32>,
    },
    /// The connection is reset as soon as it was accepted, nothing read. Counted by connection.
    Refuse,
    /// The request is read, then the connection closes without a byte of response.
    Close,
    /// The connection closes in the middle of the body, which stays without its end.
    Cut,
    /// As [`FaultKind::Cut`], with a reset (RST) in place of an orderly close.
    Reset,
    /// From here on the answer is bytes that mean nothing, then ends in order. What came before stays
    /// an answer to a client that passes over lines it cannot parse.
    Garbage,
    /// `data: {"error":…}`, then `[DONE]`.
    ErrorData,
    /// `event: error` with an error object, then the end.
    ErrorEvent,
    /// Nothing more ever comes; with `after` 0, not even the head.
    Stall,
    /// The answer starts this much later.
    Slow {
        /// Nanoseconds of delay before the request is looked at.
        delay_ns: i64,
    },
}

/// Which requests a rule applies to. Numbers count from 0 in the order requests arrive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Those whose number leaves `offset` when divided by `n`.
    Every {
        /// The period, at least 1.
        n: u64,
        /// The remainder.
        offset: u64,
    },
    /// Each with this probability, decided by the seed and the number.
    Chance(f64),
}

/// One rule of a fault plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultRule {
    /// What happens.
    pub fault: Fault,
    /// To whom.
    pub when: When,
}

/// Names of the kinds, as profiles and the truth log write them.
const NAMES: &str =
    "500, 429 or any status, refuse, close, cut, reset, garbage, error, event-error, stall, slow";

impl FaultKind {
    /// The name in profiles, logs and counts.
    pub fn name(&self) -> String {
        match self {
            Self::Status { code, .. } => code.to_string(),
            Self::Refuse => "refuse".to_owned(),
            Self::Close => "close".to_owned(),
            Self::Cut => "cut".to_owned(),
            Self::Reset => "reset".to_owned(),
            Self::Garbage => "garbage".to_owned(),
            Self::ErrorData => "error".to_owned(),
            Self::ErrorEvent => "event-error".to_owned(),
            Self::Stall => "stall".to_owned(),
            Self::Slow { .. } => "slow".to_owned(),
        }
    }
}

impl FaultRule {
    /// The rule that `fault=NAME` starts: every request, at once, with the kind's usual details.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let kind = match name {
            "refuse" => FaultKind::Refuse,
            "close" => FaultKind::Close,
            "cut" => FaultKind::Cut,
            "reset" => FaultKind::Reset,
            "garbage" => FaultKind::Garbage,
            "error" => FaultKind::ErrorData,
            "event-error" => FaultKind::ErrorEvent,
            "stall" => FaultKind::Stall,
            "slow" => FaultKind::Slow { delay_ns: 500_000_000 },
            code => {
                let code = code.parse::<u16>().ok().filter(|code| (200..600).contains(code));
                let code = code.ok_or_else(|| format!("expected one of {NAMES}"))?;
                FaultKind::Status { code, body: None, content_type: None, retry_after_s: None }
            }
        };
        Ok(Self { fault: Fault { kind, after: 0 }, when: When::Every { n: 1, offset: 0 } })
    }

    /// Sets one detail of the rule; `Ok(false)` when the key is not a fault's.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let number = || value.parse::<u64>().map_err(|_| "expected a whole number".to_owned());
        match (key, &mut self.fault.kind) {
            ("every", _) => {
                let n = number()?;
                if n == 0 {
                    return Err("expected a number of at least 1".to_owned());
                }
                self.when = When::Every { n, offset: 1 % n };
            }
            ("offset", _) => match &mut self.when {
                When::Every { n, offset } if number()? < *n => *offset = number()?,
                _ => return Err("expected a number below every=, which must come before it".to_owned()),
            },
            ("chance", _) => {
                let chance = parse_ratio(value).ok_or("expected a share such as 0.1 or 10%")?;
                self.when = When::Chance(chance);
            }
            ("after", _) => {
                self.fault.after =
                    value.parse().map_err(|_| "expected a whole number of tokens".to_owned())?;
            }
            ("retry_after", FaultKind::Status { retry_after_s, .. }) => {
                *retry_after_s = Some(value.parse().map_err(|_| "expected whole seconds".to_owned())?);
            }
            ("body", FaultKind::Status { body, .. }) => *body = Some(value.to_owned()),
            ("content_type", FaultKind::Status { content_type, .. }) => {
                *content_type = Some(value.to_owned());
            }
            ("delay", FaultKind::Slow { delay_ns }) => {
                *delay_ns = parse_duration(value).ok_or("expected a duration such as 500ms")?;
            }
            ("retry_after" | "body" | "content_type", _) => {
                return Err("only a status fault such as fault=429 takes it".to_owned());
            }
            ("delay", _) => return Err("only fault=slow takes it".to_owned()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the rule applies to the `number`-th request (or connection). `rule` is the rule's
    /// position in its plan, so that two rules of chance decide apart.
    fn applies(&self, number: u64, seed: Seed, rule: usize) -> bool {
        match self.when {
            When::Every { n, offset } => number % n == offset,
            When::Chance(chance) => {
                let key = seed.child("faults").stream(&format!("{rule}:{number}"));
                ChaCha8Rng::from_seed(key).random::<f64>() < chance
            }
        }
    }
}

/// The keys that belong to the latest `fault=`.
pub(crate) const KEYS: &[&str] =
    &["fault", "every", "offset", "chance", "after", "retry_after", "body", "content_type", "delay"];

impl fmt::Display for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault={}", self.fault.kind.name())?;
        match self.when {
            When::Every { n: 1, .. } => {}
            When::Every { n, offset } if offset == 1 % n => write!(f, "&every={n}")?,
            When::Every { n, offset } => write!(f, "&every={n}&offset={offset}")?,
            When::Chance(chance) => write!(f, "&chance={chance}")?,
        }
        if self.fault.after > 0 {
            write!(f, "&after={}", self.fault.after)?;
        }
        match &self.fault.kind {
            FaultKind::Status { body, content_type, retry_after_s, .. } => {
                if let Some(seconds) = retry_after_s {
                    write!(f, "&retry_after={seconds}")?;
                }
                if let Some(content_type) = content_type {
                    write!(f, "&content_type={}", escape(content_type))?;
                }
                if let Some(body) = body {
                    write!(f, "&body={}", escape(body))?;
                }
            }
            FaultKind::Slow { delay_ns } => write!(f, "&delay={}", show_duration(*delay_ns))?,
            _ => {}
        }
        Ok(())
    }
}

/// All rules of a server, and the seed that decides the ones of chance.
#[derive(Debug, Clone)]
pub(crate) struct FaultPlan {
    rules: Vec<FaultRule>,
    seed: Seed,
}

impl FaultPlan {
    pub(crate) fn new(rules: Vec<FaultRule>, seed: Seed) -> Self {
        Self { rules, seed }
    }

    /// What happens to the `number`-th request, if anything. Rules for connections are passed over.
    pub(crate) fn for_request(&self, number: u64) -> Option<&Fault> {
        self.first(number, |kind| *kind != FaultKind::Refuse)
    }

    /// Whether the `number`-th connection is reset when it is accepted.
    pub(crate) fn refuses(&self, number: u64) -> bool {
        self.first(number, |kind| *kind == FaultKind::Refuse).is_some()
    }

    fn first(&self, number: u64, wanted: impl Fn(&FaultKind) -> bool) -> Option<&Fault> {
        let mut rules = self.rules.iter().enumerate().filter(|(_, rule)| wanted(&rule.fault.kind));
        rules.find(|(index, rule)| rule.applies(number, self.seed, *index)).map(|(_, rule)| &rule.fault)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rule(name: &str, details: &[(&str, &str)]) -> FaultRule {
        let mut rule = FaultRule::named(name).unwrap();
        for (key, value) in details {
            assert!(rule.set(key, value).unwrap(), "{key}");
        }
        rule
    }

    #[test]
    fn every_third_request_starts_with_the_second() {
        let plan = FaultPlan::new(vec![rule("cut", &[("every", "3"), ("after", "3")])], Seed(1));
        let hit: Vec<u64> = (0..9).filter(|n| plan.for_request(*n).is_some()).collect();
        assert_eq!(hit, [1, 4, 7]);
        assert_eq!(plan.for_request(1).unwrap().after, 3);
    }

    #[test]
    fn chance_is_seeded_and_near_its_rate() {
        let of = |seed| {
            let plan = FaultPlan::new(vec![rule("500", &[("chance", "20%")])], Seed(seed));
            (0..2000).filter(|n| plan.for_request(*n).is_some()).collect::<Vec<u64>>()
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        // 2000 draws at 0.2: mean 400, standard deviation 17.9; five of them either way.
        assert!((310..490).contains(&of(1).len()), "{}", of(1).len());
    }

    #[test]
    fn refusing_counts_connections_and_leaves_requests_alone() {
        let plan = FaultPlan::new(vec![rule("refuse", &[("every", "2")])], Seed(1));
        assert!(plan.refuses(1) && !plan.refuses(0));
        assert_eq!(plan.for_request(1), None);
    }

    #[test]
    fn the_first_rule_that_applies_wins() {
        let plan = FaultPlan::new(vec![rule("500", &[("every", "2")]), rule("stall", &[])], Seed(1));
        assert_eq!(plan.for_request(1).unwrap().kind.name(), "500");
        assert_eq!(plan.for_request(2).unwrap().kind, FaultKind::Stall);
    }

    #[test]
    fn wrong_details_say_what_was_expected() {
        assert!(FaultRule::named("99").unwrap_err().contains("stall"));
        let mut cut = rule("cut", &[]);
        assert!(cut.set("every", "0").unwrap_err().contains("at least 1"));
        assert!(cut.set("delay", "1s").unwrap_err().contains("fault=slow"));
        assert!(cut.set("retry_after", "1").unwrap_err().contains("status"));
        assert!(!cut.set("ttft", "1").unwrap());
    }
}
