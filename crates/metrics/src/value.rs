//! The metric values of one request.

use crate::metric::{Metric, MetricId, Unit};
use crate::registry::{METRICS, id};

const GOOD: MetricId = id!("good_request_count");

/// A value as files show it: in the metric's display unit.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricValue {
    /// A measured or computed figure.
    Float(f64),
    /// A count.
    Int(i64),
    /// One figure for each of several events, such as the gaps between chunks.
    List(Vec<f64>),
}

/// A value as files show it, computed where it is looked at: nothing is allocated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ShownValue<'a> {
    /// A measured or computed figure.
    Float(f64),
    /// A count.
    Int(i64),
    /// One figure for each of several events.
    List(ShownList<'a>),
}

/// The figures of several events, in the metric's display unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShownList<'a> {
    native: &'a [i64],
    unit: Unit,
}

impl<'a> ShownList<'a> {
    /// The figures in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = f64> + 'a {
        self.native.iter().map(move |&native| self.unit.display(native as f64))
    }
}

/// A value in the metric's native unit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Native {
    Int(i64),
    Float(f64),
    List(Vec<i64>),
}

/// The metric values of one request, in registry order; a metric whose inputs are missing is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestMetrics {
    values: Vec<(MetricId, Native)>,
}

impl RequestMetrics {
    /// From values in any order; of two for one metric the first stays.
    pub(crate) fn new(mut values: Vec<(MetricId, Native)>) -> Self {
        const NOWHERE: usize = usize::MAX;
        // Each value's place is known: cheaper than to compare them.
        let mut places = [NOWHERE; METRICS];
        for (at, (id, _)) in values.iter().enumerate().rev() {
            places[id.index()] = at;
        }
        let mut ordered = Vec::with_capacity(values.len());
        for at in places.into_iter().filter(|at| *at != NOWHERE) {
            let (id, value) = &mut values[at];
            ordered.push((*id, std::mem::replace(value, Native::Int(0))));
        }
        Self { values: ordered }
    }

    /// Number of values, those included that the JSONL leaves out.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The metrics that the per-request JSONL shows ([`Metric::is_in_jsonl`]) and their values in
    /// display units, in registry order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Metric, MetricValue)> + '_ {
        self.shown().map(|(metric, value)| (metric, value.into()))
    }

    /// The same values, as they are looked at.
    pub fn shown(&self) -> impl Iterator<Item = (&'static Metric, ShownValue<'_>)> + '_ {
        self.values
            .iter()
            .map(|(id, native)| (id.metric(), native))
            .filter(|(metric, _)| metric.is_in_jsonl())
            .map(|(metric, native)| (metric, shown(metric, native)))
    }

    /// The scalar value of `tag` in its display unit; `None` when absent, unknown or a list.
    pub fn get(&self, tag: &str) -> Option<f64> {
        let id = MetricId::of(tag)?;
        self.native(id).map(|native| id.metric().unit.display(native))
    }

    /// Whether the request met every objective; `None` without objectives, and for a failed request.
    pub fn good(&self) -> Option<bool> {
        self.native(GOOD).map(|good| good != 0.0)
    }

    /// One entry for each of [`Metric::columns`], in display units.
    pub fn columns(&self) -> Vec<Option<f64>> {
        let mut rest = self.values.iter().peekable();
        MetricId::all()
            .filter(|id| id.metric().is_column())
            .map(|id| {
                while rest.next_if(|&&(other, _)| other < id).is_some() {}
                let (_, native) = rest.next_if(|&&(other, _)| other == id)?;
                scalar(native).map(|native| id.metric().unit.display(native))
            })
            .collect()
    }

    pub(crate) fn natives(&self) -> &[(MetricId, Native)] {
        &self.values
    }

    /// The scalar value in the native unit.
    pub(crate) fn native(&self, id: MetricId) -> Option<f64> {
        let at = self.values.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        scalar(&self.values[at].1)
    }

    pub(crate) fn insert(&mut self, id: MetricId, value: Native) {
        match self.values.binary_search_by_key(&id, |&(id, _)| id) {
            Ok(at) => self.values[at].1 = value,
            Err(at) => self.values.insert(at, (id, value)),
        }
    }
}

fn scalar(native: &Native) -> Option<f64> {
    match native {
        Native::Int(value) => Some(*value as f64),
        Native::Float(value) => Some(*value),
        Native::List(_) => None,
    }
}

fn shown<'a>(metric: &Metric, native: &'a Native) -> ShownValue<'a> {
    let unit = metric.unit;
    match native {
        Native::Int(value) if unit.is_native() => ShownValue::Int(*value),
        Native::Int(value) => ShownValue::Float(unit.display(*value as f64)),
        Native::Float(value) => ShownValue::Float(unit.display(*value)),
        Native::List(native) => ShownValue::List(ShownList { native, unit }),
    }
}

impl From<ShownValue<'_>> for MetricValue {
    fn from(value: ShownValue<'_>) -> Self {
        match value {
            ShownValue::Float(value) => Self::Float(value),
            ShownValue::Int(value) => Self::Int(value),
            ShownValue::List(values) => Self::List(values.iter().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_registry_order_and_the_first_of_two_stays() {
        let (first, later) = (id!("request_latency"), id!("request_latency_from_schedule"));
        let metrics = RequestMetrics::new(vec![
            (later, Native::Int(3)),
            (GOOD, Native::Int(1)),
            (first, Native::Int(7)),
            (GOOD, Native::Int(0)),
        ]);
        let ordered = [(first, Native::Int(7)), (GOOD, Native::Int(1)), (later, Native::Int(3))];
        assert_eq!(metrics.natives(), ordered);
        assert!(RequestMetrics::new(Vec::new()).is_empty());
    }
}
