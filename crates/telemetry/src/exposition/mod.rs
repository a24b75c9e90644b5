//! What a server's `/metrics` says: the Prometheus text format, and OpenMetrics.
//!
//! The reading is the one of Prometheus' own Python client, which AIPerf uses, so that the same text gives
//! the same families:
//! * in the plain format a family ends where a sample of another name comes. `x_total` under
//!   `# TYPE x counter` is therefore no sample of `x`, but a family of its own whose kind nobody said;
//! * a counter's family is called without `_total`;
//! * what is no sample makes the whole text unreadable: it may be anything.
//!
//! Nothing here panics, whatever the text, and nothing is kept of it but names, labels and numbers.
//! What a family's samples mean is [`readings`]' business; both know no socket and no clock.

mod line;
mod readings;

use thiserror::Error;

use line::Line;
pub use readings::{Dropped, Readings, readings};

/// A text that is no exposition.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} is no Prometheus sample: {reason}")]
pub struct ExpositionError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// How a text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The Prometheus text format.
    Plain,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Dialect {
    /// The dialect of a `Content-Type`.
    pub fn of(content_type: &str) -> Self {
        if content_type.starts_with("application/openmetrics-text") { Self::OpenMetrics } else { Self::Plain }
    }
}

/// What a family is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FamilyKind {
    /// A figure that goes up and down.
    Gauge,
    /// A figure that only grows.
    Counter,
    /// Counts by size.
    Histogram,
    /// Quantiles over the server's life.
    Summary,
    /// Nothing was said.
    Unknown,
    /// Something else: states, facts, gauge histograms.
    Other,
}

/// One line of figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name as it stands.
    pub name: String,
    /// Labels in the order in which they stand.
    pub labels: Vec<(String, String)>,
    /// The figure; it may be infinite or not a number.
    pub value: f64,
}

/// Samples that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Its name, without `_total`.
    pub name: String,
    /// What it is said to be.
    pub kind: FamilyKind,
    /// What is said about it.
    pub help: String,
    /// Its samples.
    pub samples: Vec<Sample>,
}

/// Reads a text.
pub fn parse(text: &str, dialect: Dialect) -> Result<Vec<Family>, ExpositionError> {
    let mut reader = Reader { dialect, families: Vec::new(), current: None };
    for (index, line) in text.lines().enumerate() {
        let parsed = Line::parse(line).map_err(|reason| ExpositionError { line: index + 1, reason })?;
        match parsed {
            Line::End if dialect == Dialect::OpenMetrics => break,
            Line::End | Line::Nothing => {}
            Line::Help(name, help) => reader.of(name).help = help,
            Line::Type(name, kind) => {
                let open = reader.of(name);
                open.endings = endings(kind, dialect);
                open.kind = family_kind(kind);
            }
            Line::Sample(sample) => reader.sample(sample),
        }
    }
    reader.close();
    Ok(reader.families)
}

struct Reader {
    dialect: Dialect,
    families: Vec<Family>,
    current: Option<Open>,
}

/// The family whose samples are being read.
struct Open {
    name: String,
    kind: FamilyKind,
    help: String,
    endings: &'static [&'static str],
    samples: Vec<Sample>,
}

impl Open {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: FamilyKind::Unknown,
            help: String::new(),
            endings: &[""],
            samples: Vec::new(),
        }
    }

    fn has(&self, name: &str) -> bool {
        let ending = name.strip_prefix(self.name.as_str());
        ending.is_some_and(|ending| self.endings.contains(&ending))
    }
}

impl Reader {
    /// The family called `name`: the current one, or a new one.
    fn of(&mut self, name: &str) -> &mut Open {
        if self.current.as_ref().is_some_and(|open| open.name != name) {
            self.close();
        }
        self.current.get_or_insert_with(|| Open::new(name))
    }

    fn sample(&mut self, sample: Sample) {
        if !self.current.as_ref().is_some_and(|open| open.has(&sample.name)) {
            self.close();
            self.current = Some(Open::new(&sample.name));
        }
        if let Some(open) = &mut self.current {
            open.samples.push(sample);
        }
    }

    fn close(&mut self) {
        let Some(Open { mut name, kind, help, samples, .. }) = self.current.take() else { return };
        if kind == FamilyKind::Counter
            && self.dialect == Dialect::Plain
            && let Some(short) = name.strip_suffix("_total").map(str::len)
        {
            name.truncate(short);
        }
        if !samples.is_empty() {
            self.families.push(Family { name, kind, help, samples });
        }
    }
}

fn family_kind(word: &str) -> FamilyKind {
    match word {
        "gauge" => FamilyKind::Gauge,
        "counter" => FamilyKind::Counter,
        "histogram" => FamilyKind::Histogram,
        "summary" => FamilyKind::Summary,
        "unknown" | "untyped" => FamilyKind::Unknown,
        _ => FamilyKind::Other,
    }
}

/// What may stand behind a family's name in its samples' names.
fn endings(kind: &str, dialect: Dialect) -> &'static [&'static str] {
    match (kind, dialect) {
        ("histogram", Dialect::Plain) => &["_count", "_sum", "_bucket"],
        ("summary", Dialect::Plain) => &["_count", "_sum", ""],
        ("counter", Dialect::OpenMetrics) => &["_total", "_created"],
        ("histogram", Dialect::OpenMetrics) => &["_count", "_sum", "_bucket", "_created"],
        ("summary", Dialect::OpenMetrics) => &["_count", "_sum", "", "_created"],
        ("gaugehistogram", Dialect::OpenMetrics) => &["_gcount", "_gsum", "_bucket"],
        ("info", Dialect::OpenMetrics) => &["_info"],
        _ => &[""],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn shape(text: &str, dialect: Dialect) -> Vec<(String, FamilyKind, usize)> {
        let families = parse(text, dialect).unwrap();
        families.into_iter().map(|family| (family.name, family.kind, family.samples.len())).collect()
    }

    #[test]
    fn families_are_those_of_prometheus_own_client() {
        let text = "# HELP a_total Things done.\n# TYPE a_total counter\na_total{x=\"1\"} 3\na_total{x=\"2\"} 4\n\
                    # TYPE b counter\nb_total 5\n\
                    # TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3.5\nh_count 2\n\
                    loose 7 1700000000000\n# a comment\n# TYPE s summary\ns{quantile=\"0.5\"} 0.1\ns_sum 1\ns_count 10\n";
        assert_eq!(
            shape(text, Dialect::Plain),
            [
                ("a".to_owned(), FamilyKind::Counter, 2),
                // Its name is not the one that the type was said of.
                ("b_total".to_owned(), FamilyKind::Unknown, 1),
                ("h".to_owned(), FamilyKind::Histogram, 4),
                ("loose".to_owned(), FamilyKind::Unknown, 1),
                ("s".to_owned(), FamilyKind::Summary, 3),
            ]
        );
        let families = parse(text, Dialect::Plain).unwrap();
        assert_eq!(families[0].help, "Things done.");
        assert_eq!(families[0].samples[1].labels, [("x".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn openmetrics_knows_the_total_of_a_counter_and_ends_where_it_says() {
        let text = "# TYPE b counter\n# UNIT b seconds\nb_total 5 # {trace_id=\"x\"} 1.0 1700000000\nb_created 1.7e9\n\
                    # TYPE build info\nbuild_info{v=\"1\"} 1\n# EOF\nnot read at all\n";
        assert_eq!(
            shape(text, Dialect::OpenMetrics),
            [("b".to_owned(), FamilyKind::Counter, 2), ("build".to_owned(), FamilyKind::Other, 1)]
        );
        assert_eq!(Dialect::of("application/openmetrics-text; version=1.0.0"), Dialect::OpenMetrics);
        assert_eq!(Dialect::of("text/plain; version=0.0.4"), Dialect::Plain);
    }

    #[test]
    fn what_is_no_exposition_says_where() {
        for (text, line) in [
            ("[{\"iter\": 1}]", 1),
            ("<html>", 1),
            ("a 1\nb", 2),
            ("a{x=\"1} 2", 1),
            ("a{x=1} 2", 1),
            ("a 1 b", 1),
            ("a one", 1),
        ] {
            assert_eq!(parse(text, Dialect::Plain).unwrap_err().line, line, "{text}");
        }
        assert_eq!(parse("", Dialect::Plain), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-c_:{}=\",\\\\# 0-9.eN+\n]{0,80}", open in any::<bool>()) {
            let dialect = if open { Dialect::OpenMetrics } else { Dialect::Plain };
            if let Ok(families) = parse(&text, dialect) {
                let _ = readings(families);
            }
        }

        #[test]
        fn a_sample_comes_back_whatever_its_label_holds(value in any::<f64>(), label in "\\PC{0,12}") {
            let escaped = label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let text = format!("a_b{{x=\"{escaped}\",}} {value:e}\n");
            let families = parse(&text, Dialect::Plain).unwrap();
            let sample = &families[0].samples[0];
            prop_assert_eq!(&sample.labels[0].1, &label);
            prop_assert!(sample.value == value || (sample.value.is_nan() && value.is_nan()));
        }
    }
}
