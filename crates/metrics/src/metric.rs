//! What a metric is: its names, its unit and its place in the output.
//!
//! Values travel in *native* units (nanoseconds, bytes, plain counts), so that arithmetic on them is
//! exact; [`Unit::display`] turns one into the unit that every file and table shows.

use crate::registry::REGISTRY;

/// One metric: a row of [`REGISTRY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The key in every file, and the name in `--goodput`.
    pub tag: &'static str,
    /// The label in tables and CSV, unit not included.
    pub header: &'static str,
    /// The unit, native and displayed.
    pub unit: Unit,
    /// How its figure comes about.
    pub kind: Kind,
    /// The console table it belongs to; `None` keeps it off the console.
    pub console: Option<ConsoleGroup>,
    /// Position in its console table, ascending; metrics without one follow all others.
    pub order: Option<u16>,
    /// Only streaming responses have it.
    pub streaming_only: bool,
    /// Only endpoints that produce tokens have it.
    pub needs_output_tokens: bool,
    /// Only endpoints whose input is tokenized have it.
    pub needs_input_tokens: bool,
    /// More of it is better: SLOs on it are lower bounds.
    pub larger_is_better: bool,
    /// Only failed requests have it; never on the console.
    pub error_only: bool,
    /// Never in the per-request JSONL.
    pub summary_only: bool,
    /// Only with SLOs.
    pub goodput_only: bool,
    /// Only under a fixed schedule.
    pub fixed_schedule_only: bool,
    /// Compares the server's token counts with ours; left out when the server's are used as ours.
    pub usage_diff: bool,
    /// AIPerf does not have it. The summary files and the Parquet file show it; the per-request JSONL,
    /// whose lines are AIPerf's, does not.
    pub own: bool,
}

/// How a metric's figure comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One value a request; the summary shows its distribution.
    Record,
    /// A list of values a request, pooled over all requests; the summary shows their distribution.
    RecordList,
    /// One value a request, summed up over the run; the summary shows the sum.
    Aggregate,
    /// One figure of the whole run, from sums and the window.
    Derived,
    /// Figures of the whole run that need every request's timeline.
    Injected,
}

/// The console tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsoleGroup {
    /// The main table.
    Main,
    /// Time-weighted figures over the whole window.
    Effective,
    /// Time-weighted figures over the busy part of the window.
    Active,
    /// Token counts as the server reported them.
    Usage,
    /// HTTP timings, shown on request only.
    HttpTrace,
    /// Drafts and their acceptance, where the server decodes speculatively.
    SpecDecode,
    /// What the GPUs' power and energy came to.
    Power,
}

/// A unit: what values are computed in, and what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Computed in ns, shown in ms.
    Milliseconds,
    /// Computed in ns, shown in s.
    Seconds,
    /// Seconds as someone else counted them.
    PlainSeconds,
    /// Computed in bytes, shown in KB of 1024 bytes.
    Kilobytes,
    /// Tokens.
    Tokens,
    /// Images.
    Images,
    /// Images a second.
    ImagesPerSecond,
    /// Milliseconds for each image.
    MillisecondsPerImage,
    /// Requests.
    Requests,
    /// A plain count.
    Count,
    /// A ratio, usually 0 to 1.
    Ratio,
    /// Percent.
    Percent,
    /// Tokens a second.
    TokensPerSecond,
    /// Tokens a second for each user.
    TokensPerSecondPerUser,
    /// Requests a second.
    RequestsPerSecond,
    /// Power.
    Watts,
    /// Energy.
    Joules,
    /// Energy times delay.
    JouleSeconds,
    /// Requests a second for each watt.
    RequestsPerSecondPerWatt,
    /// Tokens a second for each watt.
    TokensPerSecondPerWatt,
    /// Good requests a second for each watt.
    GoodputPerWatt,
    /// Thousandths of a joule for each token.
    MillijoulesPerToken,
    /// Joules for each request.
    JoulesPerRequest,
    /// Joules for each user.
    JoulesPerUser,
    /// Tokens for each joule.
    TokensPerJoule,
}

impl Unit {
    /// The name in every file.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds | Self::PlainSeconds => "sec",
            Self::Kilobytes => "KB",
            Self::Tokens => "tokens",
            Self::Images => "images",
            Self::ImagesPerSecond => "images/sec",
            Self::MillisecondsPerImage => "ms/image",
            Self::Requests => "requests",
            Self::Count => "count",
            Self::Ratio => "ratio",
            Self::Percent => "%",
            Self::TokensPerSecond => "tokens/sec",
            Self::TokensPerSecondPerUser => "tokens/sec/user",
            Self::RequestsPerSecond => "requests/sec",
            Self::Watts => "W",
            Self::Joules => "J",
            Self::JouleSeconds => "J*s",
            Self::RequestsPerSecondPerWatt => "requests/sec/W",
            Self::TokensPerSecondPerWatt => "tokens/sec/W",
            Self::GoodputPerWatt => "good-req/s/W",
            Self::MillijoulesPerToken => "mJ/token",
            Self::JoulesPerRequest => "joules/request",
            Self::JoulesPerUser => "joules/user",
            Self::TokensPerJoule => "tokens/J",
        }
    }

    /// What a native value is multiplied by to be shown. AIPerf multiplies by the rounded
    /// reciprocal (1e-6) rather than dividing by 1e6, which differs in the last bit; so do we, and
    /// its figures come out bit for bit.
    pub const fn factor(self) -> f64 {
        match self {
            Self::Milliseconds => 1e-6,
            Self::Seconds => 1e-9,
            Self::Kilobytes => 1.0 / 1024.0,
            _ => 1.0,
        }
    }

    /// A native value in the unit shown.
    pub fn display(self, native: f64) -> f64 {
        native * self.factor()
    }

    /// Whether native values are shown as they are.
    pub fn is_native(self) -> bool {
        self.factor() == 1.0
    }
}

/// A metric's position in [`REGISTRY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricId(pub(crate) u16);

impl MetricId {
    /// The metric itself.
    pub fn metric(self) -> &'static Metric {
        &REGISTRY[usize::from(self.0)]
    }

    /// Position in [`REGISTRY`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Every metric, in registry order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..REGISTRY.len()).map(|index| Self(index as u16))
    }

    /// The metric called `tag`.
    pub fn of(tag: &str) -> Option<Self> {
        Self::all().find(|id| id.metric().tag == tag)
    }
}

impl Metric {
    /// The metric called `tag`.
    pub fn of(tag: &str) -> Option<&'static Self> {
        MetricId::of(tag).map(MetricId::metric)
    }

    /// `header (unit)`, the label of console rows.
    pub fn label(&self) -> String {
        format!("{} ({})", self.header, self.unit.label())
    }

    /// Whether each request may carry a value of it.
    pub fn is_per_request(&self) -> bool {
        matches!(self.kind, Kind::Record | Kind::RecordList | Kind::Aggregate)
    }

    /// Whether the per-request JSONL shows it.
    pub fn is_in_jsonl(&self) -> bool {
        self.is_per_request() && !self.summary_only && !self.own
    }

    /// Whether it has a column of its own in the Parquet file: one number a request. Lists are left
    /// to the chunk columns, which hold more.
    pub fn is_column(&self) -> bool {
        self.is_per_request() && !self.summary_only && self.kind != Kind::RecordList
    }

    /// The metrics with a Parquet column, in the order of [`crate::RequestMetrics::columns`].
    pub fn columns() -> impl Iterator<Item = &'static Self> {
        REGISTRY.iter().filter(|metric| metric.is_column())
    }
}

// The registry's rows are built by these, so that a row says only what is special about it.
impl Metric {
    const fn new(tag: &'static str, header: &'static str, unit: Unit, kind: Kind) -> Self {
        Self {
            tag,
            header,
            unit,
            kind,
            console: None,
            order: None,
            streaming_only: false,
            needs_output_tokens: false,
            needs_input_tokens: false,
            larger_is_better: false,
            error_only: false,
            summary_only: false,
            goodput_only: false,
            fixed_schedule_only: false,
            usage_diff: false,
            own: false,
        }
    }

    pub(crate) const fn record(tag: &'static str, header: &'static str, unit: Unit) -> Self {
        Self::new(tag, header, unit, Kind::Record)
    }

    pub(crate) const fn list(tag: &'static str, header: &'static str, unit: Unit) -> Self {
        Self::new(tag, header, unit, Kind::RecordList)
    }

    pub(crate) const fn aggregate(tag: &'static str, header: &'static str, unit: Unit) -> Self {
        Self::new(tag, header, unit, Kind::Aggregate)
    }

    pub(crate) const fn derived(tag: &'static str, header: &'static str, unit: Unit) -> Self {
        Self::new(tag, header, unit, Kind::Derived)
    }

    pub(crate) const fn injected(tag: &'static str, header: &'static str, unit: Unit) -> Self {
        Self::new(tag, header, unit, Kind::Injected)
    }

    pub(crate) const fn shown(mut self, group: ConsoleGroup, order: u16) -> Self {
        self.console = Some(group);
        self.order = Some(order);
        self
    }

    pub(crate) const fn shown_last(mut self, group: ConsoleGroup) -> Self {
        self.console = Some(group);
        self
    }

    pub(crate) const fn streaming(mut self) -> Self {
        self.streaming_only = true;
        self
    }

    pub(crate) const fn output_tokens(mut self) -> Self {
        self.needs_output_tokens = true;
        self
    }

    pub(crate) const fn input_tokens(mut self) -> Self {
        self.needs_input_tokens = true;
        self
    }

    pub(crate) const fn larger_better(mut self) -> Self {
        self.larger_is_better = true;
        self
    }

    pub(crate) const fn errors(mut self) -> Self {
        self.error_only = true;
        self
    }

    pub(crate) const fn not_in_jsonl(mut self) -> Self {
        self.summary_only = true;
        self
    }

    pub(crate) const fn with_goodput(mut self) -> Self {
        self.goodput_only = true;
        self
    }

    pub(crate) const fn with_fixed_schedule(mut self) -> Self {
        self.fixed_schedule_only = true;
        self
    }

    pub(crate) const fn against_usage(mut self) -> Self {
        self.usage_diff = true;
        self
    }

    pub(crate) const fn ours(mut self) -> Self {
        self.own = true;
        self
    }
}
