//! From families to readings of series: what is kept of a scrape, and what is not.
//!
//! Left out, as AIPerf leaves it out: when something was created, how long the server is up, summaries (their
//! quantiles are over the server's life, not the run's), whatever is infinite or no number, and a histogram
//! with any such line. Of equal label sets the last one counts.

use std::collections::HashMap;

use loadgen_metrics::{Labels, Reading, SeriesKind, SeriesName};

use super::{Family, FamilyKind, Sample};

/// What a scrape says, series by series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    /// Names (of endpoint 0) and what they stood at, in the server's order.
    pub series: Vec<(SeriesName, Reading)>,
    /// What was left out, worth a word.
    pub dropped: Dropped,
}

/// Families of which something was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Summaries.
    pub summaries: Vec<String>,
    /// Families with figures that are infinite or no number.
    pub not_finite: Vec<String>,
}

/// Takes the readings out of families.
pub fn readings(families: Vec<Family>) -> Readings {
    let mut readings = Readings::default();
    for family in families {
        let name = &family.name;
        if name.ends_with("_created") || name.ends_with("_uptime") || name.contains("_uptime_") {
            continue;
        }
        let kind = match family.kind {
            FamilyKind::Gauge => SeriesKind::Gauge,
            FamilyKind::Counter => SeriesKind::Counter,
            FamilyKind::Unknown => SeriesKind::Unknown,
            FamilyKind::Histogram => SeriesKind::Histogram,
            FamilyKind::Summary => {
                readings.dropped.summaries.push(family.name);
                continue;
            }
            FamilyKind::Other => continue,
        };
        let (taken, is_all_finite) =
            if kind == SeriesKind::Histogram { histograms(&family) } else { scalars(&family) };
        if !is_all_finite {
            readings.dropped.not_finite.push(name.clone());
        }
        readings.series.extend(taken.into_iter().map(|(labels, bounds, reading)| {
            let name = SeriesName {
                endpoint: 0,
                name: family.name.clone(),
                kind,
                help: family.help.clone(),
                labels,
                bounds,
            };
            (name, reading)
        }));
    }
    readings
}

type Taken = (Vec<(Labels, Vec<String>, Reading)>, bool);

fn scalars(family: &Family) -> Taken {
    let mut taken: Vec<(Labels, Vec<String>, Reading)> = Vec::new();
    let mut places = HashMap::new();
    let mut is_all_finite = true;
    for sample in family.samples.iter().filter(|sample| !sample.name.ends_with("_created")) {
        if !sample.value.is_finite() {
            is_all_finite = false;
            continue;
        }
        let reading = Reading::Scalar(sample.value);
        let next = taken.len();
        let place = *places.entry(sorted(&sample.labels)).or_insert(next);
        if place == next {
            taken.push((sample.labels.clone(), Vec::new(), reading));
        } else {
            taken[place].2 = reading;
        }
    }
    (taken, is_all_finite)
}

/// One histogram while its lines are gathered.
#[derive(Default)]
struct Gathered {
    labels: Labels,
    buckets: Vec<(String, f64)>,
    sum: Option<f64>,
    count: Option<f64>,
    is_broken: bool,
}

fn histograms(family: &Family) -> Taken {
    let mut gathered: Vec<Gathered> = Vec::new();
    let mut places: HashMap<Labels, usize> = HashMap::new();
    for sample in &family.samples {
        let Some(part) = sample.name.strip_prefix(family.name.as_str()) else { continue };
        let (labels, bound) = without_bound(sample);
        let place = *places.entry(sorted(&labels)).or_insert_with(|| {
            gathered.push(Gathered { labels, ..Gathered::default() });
            gathered.len() - 1
        });
        let histogram = &mut gathered[place];
        histogram.is_broken |= !sample.value.is_finite() && part != "_created";
        match (part, bound) {
            ("_sum", _) => histogram.sum = Some(sample.value),
            ("_count", _) => histogram.count = Some(sample.value),
            ("_bucket", Some(bound)) => match histogram.buckets.iter_mut().find(|(known, _)| *known == bound)
            {
                Some((_, count)) => *count = sample.value,
                None => histogram.buckets.push((bound, sample.value)),
            },
            _ => {}
        }
    }
    let is_all_finite = gathered.iter().all(|histogram| !histogram.is_broken);
    let whole = gathered.into_iter().filter_map(|histogram| {
        let Gathered { labels, mut buckets, sum: Some(sum), count: Some(count), is_broken: false } =
            histogram
        else {
            return None;
        };
        let value = |bound: &str| bound.parse().unwrap_or(f64::INFINITY);
        buckets.sort_by(|(a, _), (b, _)| f64::total_cmp(&value(a), &value(b)));
        let (bounds, buckets) = buckets.into_iter().unzip();
        Some((labels, bounds, Reading::Histogram { buckets, sum, count }))
    });
    (whole.collect(), is_all_finite)
}

fn without_bound(sample: &Sample) -> (Labels, Option<String>) {
    let bound = sample.labels.iter().find(|(name, _)| name == "le").map(|(_, bound)| bound.clone());
    (sample.labels.iter().filter(|(name, _)| name != "le").cloned().collect(), bound)
}

/// Labels in an order of their own, to tell sets apart.
fn sorted(labels: &Labels) -> Labels {
    let mut labels = labels.clone();
    labels.sort_unstable();
    labels
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Dialect, parse};
    use super::*;

    fn of(text: &str) -> Readings {
        readings(parse(text, Dialect::Plain).unwrap())
    }

    #[test]
    fn what_says_nothing_of_a_run_is_left_out() {
        let text = "# TYPE a_created gauge\na_created 1\nprocess_uptime 5\nx_uptime_seconds 6\n\
                    # TYPE s summary\ns_sum 1\ns_count 2\n# TYPE g gauge\ng{x=\"1\"} NaN\ng{x=\"2\"} 4\ng{x=\"2\"} 5\n";
        let got = of(text);
        let series: Vec<_> = got.series.iter().map(|(name, reading)| (name.name.as_str(), reading)).collect();
        assert_eq!(series, [("g", &Reading::Scalar(5.0))]);
        assert_eq!(got.dropped.summaries, ["s"]);
        assert_eq!(got.dropped.not_finite, ["g"]);
    }

    #[test]
    fn a_histogram_is_one_reading_by_label_set_and_none_if_any_line_is_off() {
        let text = "# TYPE h histogram\nh_bucket{m=\"a\",le=\"+Inf\"} 3\nh_bucket{m=\"a\",le=\"0.5\"} 1\nh_sum{m=\"a\"} 2.5\n\
                    h_count{m=\"a\"} 3\nh_bucket{m=\"b\",le=\"+Inf\"} NaN\nh_sum{m=\"b\"} 1\nh_count{m=\"b\"} 1\n\
                    h_bucket{m=\"c\",le=\"+Inf\"} 1\nh_count{m=\"c\"} 1\n";
        let got = of(text);
        assert_eq!(got.series.len(), 1, "b has no number, and c no sum");
        let (name, reading) = &got.series[0];
        assert_eq!(name.bounds, ["0.5", "+Inf"]);
        assert_eq!(name.labels, [("m".to_owned(), "a".to_owned())]);
        assert_eq!(*reading, Reading::Histogram { buckets: vec![1.0, 3.0], sum: 2.5, count: 3.0 });
        assert_eq!(got.dropped.not_finite, ["h"]);
    }
}
