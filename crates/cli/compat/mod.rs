//! What becomes of each option and subcommand of AIPerf 0.13 here.
//!
//! [`table`] has one entry for each of AIPerf's options. An option that [`Standing::Works`] is an argument
//! that clap's derive knows (a test holds that, with every spelling). All others are added to the command
//! of `profile` from the table, so that their values are consumed, and are then noted once or refused by
//! name: nothing is accepted and silently ignored. `docs/compat.md` is made from the same tables.
//!
//! What this does not do: parse values, or know what an option that works means.

#[cfg(test)]
mod cases;
mod choices;
mod docs;
mod subcommands;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::args::values::{as_switch, word};
use crate::plan::Faults;
pub(crate) use choices::refuse_choice;
pub(crate) use docs::compat_page;
pub(crate) use subcommands::refuse_subcommand;

/// What becomes of an option, a choice or a subcommand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It does here what it does in AIPerf.
    Works,
    /// It is accepted and said once to have no effect, for this reason.
    NoEffect(&'static str),
    /// It is refused for good, for this reason.
    Refused { why: &'static str, instead: &'static str },
    /// What it asks for is not built yet.
    NotYet { instead: &'static str },
}

/// How an option takes values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// None: it is there or not, or `--flag=true`, `--flag=no`.
    Switch,
    /// One value, once.
    One,
    /// One value each time it is given.
    Each,
    /// Any number of values after it, each time it is given.
    Several,
}

/// One of AIPerf's options.
#[derive(Debug, Clone, Copy)]
struct Flag {
    /// Every spelling, parted by blanks; those that say the opposite begin with `!`.
    spellings: &'static str,
    takes: Takes,
    standing: Standing,
    /// Values that ask for nothing, and so are accepted whatever the standing.
    harmless: &'static [&'static str],
    /// Whether a switch is on in AIPerf unless its opposite is given.
    on_by_default: bool,
}

/// Options that AIPerf shows together.
struct Group {
    name: &'static str,
    flags: &'static [Flag],
}

const fn works(spellings: &'static str, takes: Takes) -> Flag {
    Flag { spellings, takes, standing: Standing::Works, harmless: &[], on_by_default: false }
}

const fn no_effect(spellings: &'static str, takes: Takes, why: &'static str) -> Flag {
    Flag { spellings, takes, standing: Standing::NoEffect(why), harmless: &[], on_by_default: false }
}

const fn refused(spellings: &'static str, takes: Takes, why: &'static str, instead: &'static str) -> Flag {
    Flag {
        spellings,
        takes,
        standing: Standing::Refused { why, instead },
        harmless: &[],
        on_by_default: false,
    }
}

const fn not_yet(spellings: &'static str, takes: Takes, instead: &'static str) -> Flag {
    Flag { spellings, takes, standing: Standing::NotYet { instead }, harmless: &[], on_by_default: false }
}

impl Flag {
    /// The same, but for these values, which ask for nothing.
    const fn but_for(mut self, harmless: &'static [&'static str]) -> Self {
        self.harmless = harmless;
        self
    }

    /// The same, on in AIPerf unless its opposite is given: asking for the opposite is what is judged.
    const fn on_by_default(mut self) -> Self {
        self.on_by_default = true;
        self
    }

    /// Its spellings, those that say the opposite left out.
    fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.spellings.split(' ').filter(|name| !name.starts_with('!'))
    }

    /// The spellings that say the opposite.
    fn negatives(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.spellings.split(' ').filter_map(|name| name.strip_prefix('!'))
    }

    /// The spelling that scripts use most: AIPerf lists the field's own name first.
    fn name(&self) -> &'static str {
        self.names().next().expect("a flag has a name")
    }

    fn works(&self) -> bool {
        self.standing == Standing::Works
    }

    /// What of it asks for nothing, and so is accepted whatever its standing.
    fn accepted(&self) -> Option<String> {
        if self.works() {
            return None;
        }
        let quoted = |name: &str| format!("`{name}`");
        let by_itself = if self.on_by_default { Some(self.name()) } else { self.negatives().next() };
        if self.takes == Takes::Switch {
            return by_itself
                .map(|name| format!("{} is what happens by itself, and is accepted", quoted(name)));
        }
        let values: Vec<String> = self.harmless.iter().map(|value| quoted(value)).collect();
        (!values.is_empty()).then(|| format!("{} is accepted: it asks for nothing", values.join(" or ")))
    }

    /// An argument that consumes what is given, shown in no help.
    fn argument(&self) -> Arg {
        let argument = spelled(Arg::new(self.name()), self.names()).hide(true);
        match self.takes {
            Takes::Switch => as_switch(argument),
            Takes::One => argument.action(ArgAction::Set).num_args(1),
            Takes::Each => argument.action(ArgAction::Append).num_args(1),
            Takes::Several => argument.action(ArgAction::Append).num_args(0..),
        }
    }

    /// Whether the command line asks for what AIPerf would not do by itself.
    fn asked_for(&self, matches: &ArgMatches) -> bool {
        if self.takes == Takes::Switch {
            let negative = |name| given_switch(matches, name).map(|no| !no);
            let given = given_switch(matches, self.name()).or_else(|| self.negatives().find_map(negative));
            return given.is_some_and(|on| on != self.on_by_default);
        }
        if matches.value_source(self.name()) != Some(ValueSource::CommandLine) {
            return false;
        }
        let Some(mut values) = matches.get_raw(self.name()) else { return true };
        let asks_for_nothing = |value: &str| self.harmless.contains(&word(value).as_str());
        values.len() == 0 || values.any(|value| !value.to_str().is_some_and(asks_for_nothing))
    }
}

/// What a switch is set to on the command line, if it is there.
fn given_switch(matches: &ArgMatches, name: &str) -> Option<bool> {
    let given = matches.value_source(name) == Some(ValueSource::CommandLine);
    given.then(|| matches.get_one::<bool>(name).copied()).flatten()
}

/// Gives an argument its spellings.
fn spelled(mut argument: Arg, names: impl Iterator<Item = &'static str>) -> Arg {
    let mut long = None;
    for name in names {
        argument = match (name.strip_prefix("--"), long) {
            (Some(name), None) => {
                long = Some(name);
                argument.long(name)
            }
            (Some(name), Some(_)) => argument.alias(name),
            (None, _) => match name.strip_prefix('-').map(|name| (name.chars().next(), name.len())) {
                Some((Some(letter), 1)) => argument.short(letter),
                // `-vv` is a name of its own, which `argv` rewrites.
                _ => argument,
            },
        };
    }
    argument
}

/// Every option of AIPerf.
fn flags() -> impl Iterator<Item = &'static Flag> {
    table::GROUPS.iter().flat_map(|group| group.flags)
}

/// Whether an option, by any of its spellings, takes several values after one flag.
pub(crate) fn takes_several(name: &str) -> bool {
    flags().any(|flag| flag.takes == Takes::Several && flag.names().any(|known| known == name))
}

/// Adds the options that clap's derive does not define to the command of `profile`.
pub(crate) fn add_missing(mut profile: Command) -> Command {
    let taken = spellings_of(&profile);
    for flag in flags().filter(|flag| !flag.works()) {
        if flag.names().any(|name| taken.contains(name)) {
            continue;
        }
        profile = profile.arg(flag.argument());
        for negative in flag.negatives() {
            let argument = Arg::new(negative).hide(true).conflicts_with(flag.name());
            profile = profile.arg(as_switch(spelled(argument, std::iter::once(negative))));
        }
    }
    profile
}

/// Every spelling of every argument of a command.
fn spellings_of(command: &Command) -> HashSet<String> {
    command.get_arguments().flat_map(spellings).collect()
}

/// Every spelling of an argument.
fn spellings(argument: &Arg) -> Vec<String> {
    let longs = argument.get_long().into_iter().chain(argument.get_all_aliases().unwrap_or_default());
    let shorts = argument.get_short().into_iter().chain(argument.get_all_short_aliases().unwrap_or_default());
    longs.map(|name| format!("--{name}")).chain(shorts.map(|letter| format!("-{letter}"))).collect()
}

/// What the command line of `profile` asks for and loadgen does not do. Options without effect come back
/// as one line to say; those that are refused, or not built, are faults, all together.
pub(crate) fn judge(profile: &ArgMatches) -> Result<Option<String>, Faults> {
    let mut faults = Faults::default();
    let mut idle: Vec<(&'static str, Vec<&'static str>)> = Vec::new();
    for flag in flags().filter(|flag| !flag.works() && is_defined(profile, flag) && flag.asked_for(profile)) {
        match flag.standing {
            Standing::Works => {}
            Standing::NoEffect(why) => match idle.iter_mut().find(|(reason, _)| *reason == why) {
                Some((_, names)) => names.push(shortest(flag)),
                None => idle.push((why, vec![shortest(flag)])),
            },
            Standing::Refused { .. } | Standing::NotYet { .. } => {
                faults.add(shortest(flag), flag.standing.in_words());
            }
        }
    }
    faults.into_result(no_effect_line(&idle))
}

/// Whether the command has the flag as [`add_missing`] adds it.
fn is_defined(profile: &ArgMatches, flag: &Flag) -> bool {
    profile.try_contains_id(flag.name()).is_ok()
}

/// The spelling that people write: the last long one of AIPerf's list, which begins with the field's name.
fn shortest(flag: &Flag) -> &'static str {
    flag.names().filter(|name| name.starts_with("--")).min_by_key(|name| name.len()).unwrap_or(flag.name())
}

fn no_effect_line(idle: &[(&'static str, Vec<&'static str>)]) -> Option<String> {
    let mut line = String::new();
    for (why, names) in idle {
        let separator = if line.is_empty() { "note: without effect here: " } else { "; " };
        let _ = write!(line, "{separator}{} ({why})", names.join(", "));
    }
    (!line.is_empty()).then_some(line)
}

impl Standing {
    /// Why it does not work and what to do instead; nothing for what works.
    pub(crate) fn in_words(self) -> String {
        match self {
            Self::Works => String::new(),
            Self::NoEffect(why) => format!("without effect here: {why}"),
            Self::Refused { why, instead } => format!("{why}: {instead}"),
            Self::NotYet { instead } => format!("not built yet: {instead}"),
        }
    }

    /// One word for the table.
    fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::NoEffect(_) => "no effect",
            Self::Refused { .. } => "refused",
            Self::NotYet { .. } => "not built yet",
        }
    }
}
