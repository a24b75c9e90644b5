//! What a sinusoidal workload amounts to, said before it is written.
//!
//! Dynamo's defaults surprise: who sets the lengths of one class still gets the other class's, and
//! a ten-second period. So the mix states every figure it takes, and notes where defaults decide.
//! All figures are expectations; the rows are one draw.

use std::fmt;

use loadgen_schedule::Sinusoid;
use serde::Serialize;

use super::{Lengths, RateMode, Sinusoidal};

/// A workload's expected size and make-up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mix {
    /// Seconds that the trace spans.
    pub duration_s: u32,
    /// How arrivals follow the rate.
    pub rate_mode: RateMode,
    /// Seconds over which [`RateMode::Step`] holds the rate.
    pub process_interval_s: u32,
    /// Root of everything drawn.
    pub seed: u64,
    /// The request rate, per second.
    pub rate: Sinusoid,
    /// Tokens in a block.
    pub block_size: u32,
    /// Least and greatest probability of class 1, and the period of its swing in seconds.
    pub share: [f64; 3],
    /// The two classes.
    pub classes: [ClassMix; 2],
    /// What may surprise, a sentence each.
    pub notes: Vec<String>,
}

/// One class of a mix.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassMix {
    /// Its lengths.
    pub lengths: Lengths,
    /// Blocks in a prompt.
    pub blocks: u32,
    /// Requests to expect.
    pub expected_requests: f64,
}

impl ClassMix {
    /// Input tokens to expect over the whole trace.
    pub fn expected_input_tokens(&self) -> f64 {
        self.expected_requests * f64::from(self.lengths.input_tokens)
    }

    /// Output tokens to expect over the whole trace.
    pub fn expected_output_tokens(&self) -> f64 {
        self.expected_requests * f64::from(self.lengths.output_tokens)
    }
}

impl Mix {
    pub(super) fn of(workload: &Sinusoidal) -> Self {
        let options = &workload.options;
        let [all, first] = expected_requests(workload);
        let class = |lengths, expected_requests| ClassMix {
            lengths,
            blocks: workload.blocks_of(lengths),
            expected_requests,
        };
        let [one, two] = workload.classes;
        Self {
            duration_s: options.time_duration_s(),
            rate_mode: options.rate_mode,
            process_interval_s: options.process_interval_s(),
            seed: options.seed,
            rate: workload.rate,
            block_size: options.block_size(),
            share: [
                options.isl_osl_ratio_min(),
                options.isl_osl_ratio_max(),
                options.isl_osl_ratio_period_s(),
            ],
            classes: [class(one, first), class(two, all - first)],
            notes: notes(workload),
        }
    }

    /// Requests to expect.
    pub fn expected_requests(&self) -> f64 {
        self.classes.iter().map(|class| class.expected_requests).sum()
    }

    /// Input tokens to expect.
    pub fn expected_input_tokens(&self) -> f64 {
        self.classes.iter().map(ClassMix::expected_input_tokens).sum()
    }

    /// Output tokens to expect.
    pub fn expected_output_tokens(&self) -> f64 {
        self.classes.iter().map(ClassMix::expected_output_tokens).sum()
    }
}

/// Expected requests, of both classes and of class 1: the integrals of rate(t) and of rate(t)·share(t)
/// over the duration. In step mode the rate is held, so that they are sums over the steps.
fn expected_requests(workload: &Sinusoidal) -> [f64; 2] {
    let share_by = |t_s| workload.share.map_or(0.0, |share| share.expected_by(t_s));
    let duration = f64::from(workload.options.time_duration_s());
    match workload.options.rate_mode {
        RateMode::Exact => [
            workload.rate.expected_by(duration),
            workload.share.map_or(0.0, |share| product_integral(&workload.rate, &share, duration)),
        ],
        RateMode::Step => workload.steps().fold([0.0, 0.0], |[all, first], (start, end)| {
            let held = workload.rate.rate_at(start);
            [all + held * (end - start), first + held * (share_by(end) - share_by(start))]
        }),
    }
}

/// ∫ (m − a·cos ωt)(q − b·cos νt) dt from 0 to T, for two waves of phase 0; the product of cosines is
/// ½(cos((ω − ν)t) + cos((ω + ν)t)).
fn product_integral(rate: &Sinusoid, share: &Sinusoid, duration_s: f64) -> f64 {
    use std::f64::consts::TAU;

    let cosine = |frequency: f64| {
        if frequency == 0.0 { duration_s } else { (frequency * duration_s).sin() / frequency }
    };
    let swing = |wave: &Sinusoid| (wave.max() - wave.min()) / 2.0;
    let (fast, slow) = (TAU / rate.period_s(), TAU / share.period_s());
    rate.mean() * share.mean() * duration_s
        - rate.mean() * swing(share) * cosine(slow)
        - swing(rate) * share.mean() * cosine(fast)
        + swing(rate) * swing(share) / 2.0 * (cosine(fast - slow) + cosine(fast + slow))
}

/// What may surprise whoever left some options to their defaults.
fn notes(workload: &Sinusoidal) -> Vec<String> {
    let options = &workload.options;
    let mut notes = Vec::new();
    let given =
        [options.isl1.is_some() || options.osl1.is_some(), options.isl2.is_some() || options.osl2.is_some()];
    let [one, two] = workload.classes;
    if given == [true, false] && options.isl_osl_ratio_min() < 1.0 {
        notes.push(format!(
            "class 2 keeps its default lengths ({} in, {} out); set --isl2 and --osl2, or for class 1 alone \
             --isl-osl-ratio-min 1 --isl-osl-ratio-max 1",
            two.input_tokens, two.output_tokens
        ));
    }
    if given == [false, true] && options.isl_osl_ratio_max() > 0.0 {
        notes.push(format!(
            "class 1 keeps its default lengths ({} in, {} out); set --isl1 and --osl1, or for class 2 alone \
             --isl-osl-ratio-min 0 --isl-osl-ratio-max 0",
            one.input_tokens, one.output_tokens
        ));
    }
    let period = workload.rate.period_s();
    let rates_given = options.request_rate_min.is_some() || options.request_rate_max.is_some();
    if rates_given && options.request_rate_period_s.is_none() {
        notes.push(format!("the rate swings every {period} s, the default; set --request-rate-period"));
    }
    if f64::from(options.time_duration_s()) < period / 2.0 {
        notes.push(format!(
            "the rate peaks only after {} s, when the trace is over; set --time-duration or --request-rate-period",
            period / 2.0
        ));
    }
    match options.rate_mode {
        RateMode::Exact if options.process_interval_s.is_some() => notes.push(
            "--process-interval has no effect in --rate-mode exact, which knows no intervals".to_owned(),
        ),
        // A sine held over more than an eighth of its period is a staircase of few and uneven steps.
        RateMode::Step if f64::from(options.process_interval_s()) > period / 8.0 => notes.push(format!(
            "steps of {} s are coarse for a period of {period} s; --rate-mode exact follows the rate itself",
            options.process_interval_s()
        )),
        _ => {}
    }
    notes
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { duration_s, process_interval_s, seed, rate, block_size, .. } = self;
        let [low, high, swing_s] = self.share;
        let process = match self.rate_mode {
            RateMode::Exact => "Poisson arrivals that follow the rate's integral".to_owned(),
            RateMode::Step => format!("held over steps of {process_interval_s} s, even spacing within each"),
        };
        writeln!(f, "sinusoidal trace of {duration_s} s, seed {seed}")?;
        writeln!(
            f,
            "  rate      {} to {} requests/s, period {} s, starting at its minimum; {process}",
            rate.min(),
            rate.max(),
            rate.period_s()
        )?;
        writeln!(
            f,
            "  share     class 1 takes {low} to {high} of the requests, period {swing_s} s, starting at its \
             minimum; class 2 the rest"
        )?;
        for (number, class) in self.classes.iter().enumerate() {
            writeln!(
                f,
                "  class {}   {} tokens in ({} of {block_size}), {} out; about {:.0} requests",
                number + 1,
                class.lengths.input_tokens,
                if class.blocks == 1 { "1 block".to_owned() } else { format!("{} blocks", class.blocks) },
                class.lengths.output_tokens,
                class.expected_requests
            )?;
        }
        write!(
            f,
            "  expected  {:.0} requests, {:.0} input tokens, {:.0} output tokens",
            self.expected_requests(),
            self.expected_input_tokens(),
            self.expected_output_tokens()
        )?;
        for note in &self.notes {
            write!(f, "\n  note: {note}")?;
        }
        Ok(())
    }
}
