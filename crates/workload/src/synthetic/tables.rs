//! What is drawn of a whole dataset before it is sent: turns, lengths, pauses.
//!
//! Each comes from one sequence of AIPerf's generator, in the order of the dataset, so one seed gives the
//! lengths that AIPerf gives. A figure that never varies is kept once; others cost four bytes a turn.

use loadgen_core::Seed;

use crate::config::{LengthDistribution, PairedLengths, SyntheticConfig};
use crate::draw::{NumpyRandom, Purpose, PythonRandom, length};
use crate::error::WorkloadError;
use crate::synthetic::Added;

/// One figure for each turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    /// Always the same.
    Same(u32),
    /// One for each.
    Each(Box<[u32]>),
}

impl Column {
    /// The figure at a position.
    pub(super) fn at(&self, position: usize) -> u32 {
        match self {
            Self::Same(figure) => *figure,
            Self::Each(figures) => figures[position],
        }
    }

    /// The greatest of all.
    pub(super) fn greatest(&self) -> u32 {
        match self {
            Self::Same(figure) => *figure,
            Self::Each(figures) => figures.iter().copied().max().unwrap_or(0),
        }
    }

    /// `count` draws.
    fn drawn(distribution: LengthDistribution, count: usize, seed: Seed, purpose: Purpose) -> Self {
        let mut random = PythonRandom::derive(seed, purpose.name());
        if distribution.stddev <= 0.0 {
            return Self::Same(length(distribution, &mut random));
        }
        Self::Each((0..count).map(|_| length(distribution, &mut random)).collect())
    }
}

/// Where each conversation's turns begin among all turns.
#[derive(Debug)]
pub(super) enum Starts {
    /// So many turns in each.
    Even(u32),
    /// The position of each one's first turn, and the number of all.
    Each(Box<[u32]>),
}

impl Starts {
    pub(super) fn turns(&self, conversation: u32) -> u32 {
        match self {
            Self::Even(turns) => *turns,
            Self::Each(starts) => starts[conversation as usize + 1] - starts[conversation as usize],
        }
    }

    pub(super) fn first(&self, conversation: u32) -> u32 {
        match self {
            Self::Even(turns) => conversation * turns,
            Self::Each(starts) => starts[conversation as usize],
        }
    }
}

/// The tables of a dataset.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) starts: Starts,
    /// Turns of all conversations.
    pub(super) turns: u32,
    /// Tokens of each text; `batch` of them a turn.
    pub(super) isl: Column,
    /// Tokens to ask for.
    pub(super) osl: Option<Column>,
    /// Pauses before turns, in ms, before the ratio; of the first turns too, which have none.
    pub(super) delay_ms: Option<Column>,
}

impl Tables {
    /// Draws them. `added` is what a server adds to a prompt on its own.
    pub(super) fn draw(config: &SyntheticConfig, added: Added, seed: Seed) -> Result<Self, WorkloadError> {
        let (starts, turns) = starts(config, seed)?;
        let (isl, osl) = match &config.pairs {
            Some(pairs) => {
                let (isl, osl) = paired(pairs, config, &starts, added, seed);
                (isl, Some(osl))
            }
            None => {
                (
                    prompt_lengths(config, &starts, added, seed),
                    // A mean below one token asks for nothing.
                    config
                        .osl
                        .map(whole)
                        .filter(|osl| osl.mean >= 1.0)
                        .map(|osl| Column::drawn(osl, turns as usize, seed, Purpose::OutputLength)),
                )
            }
        };
        let delay_ms = (config.turn_delay.ms.mean > 0.0).then(|| delays(config, &starts, turns, seed));
        Ok(Self { starts, turns, isl, osl, delay_ms })
    }
}

/// Whole numbers, as AIPerf cuts them: a deviation below one is none.
pub(super) fn whole(distribution: LengthDistribution) -> LengthDistribution {
    LengthDistribution { mean: distribution.mean.trunc(), stddev: distribution.stddev.trunc() }
}

fn starts(config: &SyntheticConfig, seed: Seed) -> Result<(Starts, u32), WorkloadError> {
    let too_many = || WorkloadError::Option {
        flag: "--conversation-turn-mean",
        value: config.turns.mean.to_string(),
        reason: "makes more than 4294967295 turns over all conversations; lower it, or --num-dataset-entries",
    };
    let per = whole(config.turns);
    let per = LengthDistribution { mean: per.mean.max(1.0), ..per };
    let mut random = PythonRandom::derive(seed, Purpose::TurnCount.name());
    if per.stddev <= 0.0 {
        let turns = length(per, &mut random);
        return Ok((Starts::Even(turns), turns.checked_mul(config.entries).ok_or_else(too_many)?));
    }
    let mut all = 0_u32;
    let mut starts = Vec::with_capacity(config.entries as usize + 1);
    for _ in 0..config.entries {
        starts.push(all);
        all = all.checked_add(length(per, &mut random)).ok_or_else(too_many)?;
    }
    starts.push(all);
    Ok((Starts::Each(starts.into()), all))
}

/// Tokens of each text.
fn prompt_lengths(config: &SyntheticConfig, starts: &Starts, added: Added, seed: Seed) -> Column {
    let isl = whole(config.isl);
    let isl = LengthDistribution { mean: (isl.mean - f64::from(added.by_server)).max(0.0), ..isl };
    let of_turn = |is_first: bool| match f64::from(added.to_turn(is_first)) {
        0.0 => isl,
        added => LengthDistribution { mean: (isl.mean - added).max(1.0), ..isl },
    };
    let mut random = PythonRandom::derive(seed, Purpose::PromptLength.name());
    let is_single = matches!(starts, Starts::Even(1));
    if isl.stddev <= 0.0 && (is_single || of_turn(true) == of_turn(false)) {
        return Column::Same(length(of_turn(true), &mut random));
    }
    let mut all = Vec::new();
    for conversation in 0..config.entries {
        for turn in 0..starts.turns(conversation) {
            all.extend((0..config.batch.max(1)).map(|_| length(of_turn(turn == 0), &mut random)));
        }
    }
    Column::Each(all.into())
}

fn paired(
    pairs: &PairedLengths,
    config: &SyntheticConfig,
    starts: &Starts,
    added: Added,
    seed: Seed,
) -> (Column, Column) {
    let turns = (0..config.entries).map(|conversation| starts.turns(conversation)).sum::<u32>();
    let mut drawn: Vec<(u32, u32)> = match pairs {
        PairedLengths::Mix(mix) => {
            let mut random = PythonRandom::derive(seed, Purpose::SequenceLength.name());
            (0..turns).map(|_| mix.draw(&mut random)).collect()
        }
        PairedLengths::Range(range) => {
            let mut random = NumpyRandom::derive(seed, Purpose::RangeLength.name());
            let isl = config.isl.mean as u32;
            let osl = config.osl.map_or(1, |osl| osl.mean as u32);
            (0..turns).map(|_| range.draw(isl, osl, added.by_server, &mut random)).collect()
        }
    };
    for conversation in 0..config.entries {
        for turn in 0..starts.turns(conversation) {
            let (isl, _) = &mut drawn[(starts.first(conversation) + turn) as usize];
            *isl = isl.saturating_sub(added.to_turn(turn == 0)).max(1);
        }
    }
    // All texts of a turn have its length.
    let batch = config.batch.max(1) as usize;
    let isl = drawn.iter().flat_map(|(isl, _)| std::iter::repeat_n(*isl, batch)).collect();
    let osl = drawn.iter().map(|(_, osl)| *osl).collect();
    (Column::Each(isl), Column::Each(osl))
}

/// First turns have no pause, and take no draw.
fn delays(config: &SyntheticConfig, starts: &Starts, turns: u32, seed: Seed) -> Column {
    let pause = whole(config.turn_delay.ms);
    let mut random = PythonRandom::derive(seed, Purpose::TurnDelay.name());
    if pause.stddev <= 0.0 {
        return Column::Same(length(pause, &mut random));
    }
    let mut all = Vec::with_capacity(turns as usize);
    for conversation in 0..config.entries {
        let drawn = (0..starts.turns(conversation))
            .map(|turn| if turn == 0 { 0 } else { length(pause, &mut random) });
        all.extend(drawn);
    }
    Column::Each(all.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(isl_stddev: f64, turns_stddev: f64, delay_stddev: f64) -> SyntheticConfig {
        let spread = |mean, stddev| LengthDistribution { mean, stddev };
        SyntheticConfig {
            isl: spread(32.0, isl_stddev),
            osl: Some(spread(8.0, isl_stddev)),
            entries: 4,
            turns: spread(3.0, turns_stddev),
            turn_delay: crate::config::TurnDelay { ms: spread(50.7, delay_stddev), ratio: 1.0 },
            ..SyntheticConfig::default()
        }
    }

    /// The token counts of AIPerf 0.13's run with these options and seed 1: each turn's own length, which
    /// is what its request has more than the one before it, less the eight tokens of the reply.
    #[test]
    fn lengths_are_those_of_aiperf_for_one_seed() {
        let tables = Tables::draw(&config(4.0, 0.0, 0.0), Added::default(), Seed(1)).unwrap();
        assert_eq!(tables.turns, 12);
        let first_turns: Vec<u32> =
            (0..4).map(|conversation| tables.isl.at(tables.starts.first(conversation) as usize)).collect();
        assert_eq!(first_turns, [32, 32, 28, 36]);
        assert_eq!(tables.delay_ms, Some(Column::Same(50)), "whole milliseconds");
    }

    #[test]
    fn a_pause_is_cut_to_whole_milliseconds_and_is_never_none() {
        for (mean, pause) in [(10.7, Some(10)), (1.99, Some(1)), (0.4, Some(1)), (0.0, None)] {
            let turn_delay = crate::config::TurnDelay { ms: LengthDistribution::constant(mean), ratio: 0.5 };
            let config = SyntheticConfig { turn_delay, ..config(0.0, 0.0, 0.0) };
            let tables = Tables::draw(&config, Added::default(), Seed(1)).unwrap();
            assert_eq!(tables.delay_ms, pause.map(Column::Same), "{mean}: the ratio comes after");
        }
    }

    #[test]
    fn what_does_not_vary_takes_no_room() {
        let tables =
            Tables::draw(&config(0.9, 0.0, 0.0), Added { by_server: 1, ..Added::default() }, Seed(1))
                .unwrap();
        assert_eq!((tables.isl, tables.osl), (Column::Same(31), Some(Column::Same(8))));
        let none = SyntheticConfig { osl: None, ..SyntheticConfig::default() };
        let tables = Tables::draw(&none, Added::default(), Seed(1)).unwrap();
        assert_eq!((tables.osl, tables.delay_ms), (None, None));
    }

    #[test]
    fn turns_vary_and_first_turns_do_not_wait() {
        let config = SyntheticConfig { entries: 500, ..config(0.0, 2.0, 10.0) };
        let tables = Tables::draw(&config, Added::default(), Seed(3)).unwrap();
        let turns: Vec<u32> = (0..500).map(|conversation| tables.starts.turns(conversation)).collect();
        assert_eq!(turns.iter().sum::<u32>(), tables.turns);
        assert!(turns.iter().all(|turns| *turns >= 1) && turns.iter().any(|turns| *turns > 4));
        let delay = tables.delay_ms.unwrap();
        for conversation in 0..500 {
            let first = tables.starts.first(conversation) as usize;
            assert_eq!(delay.at(first), 0);
            assert!((1..tables.starts.turns(conversation) as usize).all(|turn| delay.at(first + turn) >= 1));
        }
    }

    #[test]
    fn what_a_template_adds_is_taken_off() {
        let added = Added { by_server: 1, once: 3, around: 4 };
        let plain = SyntheticConfig { turns: LengthDistribution::constant(1.0), ..config(0.0, 0.0, 0.0) };
        assert_eq!(Tables::draw(&plain, added, Seed(1)).unwrap().isl, Column::Same(24));
        let tables = Tables::draw(&config(0.0, 0.0, 0.0), added, Seed(1)).unwrap();
        assert_eq!((0..6).map(|turn| tables.isl.at(turn)).collect::<Vec<_>>(), [24, 27, 27, 24, 27, 27]);
        let mix = PairedLengths::Mix("10,2:100".parse().unwrap());
        let paired = SyntheticConfig { pairs: Some(mix), ..config(0.0, 0.0, 0.0) };
        let tables = Tables::draw(&paired, added, Seed(1)).unwrap();
        assert_eq!((0..3).map(|turn| tables.isl.at(turn)).collect::<Vec<_>>(), [3, 6, 6]);
    }

    #[test]
    fn more_turns_than_can_be_numbered_are_refused() {
        let many = SyntheticConfig { entries: u32::MAX, ..config(0.0, 0.0, 0.0) };
        let error = Tables::draw(&many, Added::default(), Seed(1)).unwrap_err().to_string();
        assert!(error.contains("--conversation-turn-mean 3"), "{error}");
    }
}
