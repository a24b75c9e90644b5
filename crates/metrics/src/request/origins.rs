//! The same latencies from two other origins.
//!
//! AIPerf counts from the start of work on a request: lateness of the client before it is left out, the
//! time to get a connection left in. Beside its figures stand, for the arrival of the first token, of the
//! first output token and of the last token:
//!
//! * `*_from_write = arrival - send_start`: what the server and the network took. No time to connect, no
//!   lag of the client's own. Absent when nothing was written.
//! * `*_from_schedule = arrival - scheduled`: what a user waited who came when the schedule says. A client
//!   that falls behind, or a cap that makes requests wait, cannot hide in it (coordinated omission).
//!   Absent when no instant was intended.
//!
//! So `from_write <= AIPerf's <= from_schedule`, as long as work begins no earlier than intended.

use loadgen_core::{Nanos, RequestRecord};

use super::{Arrivals, Values};
use crate::metric::MetricId;
use crate::registry::id;

const TTFT: [MetricId; 2] = [id!("time_to_first_token_from_write"), id!("time_to_first_token_from_schedule")];
const TTFO: [MetricId; 2] =
    [id!("time_to_first_output_token_from_write"), id!("time_to_first_output_token_from_schedule")];
const LATENCY: [MetricId; 2] = [id!("request_latency_from_write"), id!("request_latency_from_schedule")];

pub(super) fn push(values: &mut Values<'_>, record: &RequestRecord, arrival: &Arrivals) {
    let instants = &record.instants;
    let Some(start) = instants.request_start else { return };
    let origins = [instants.send_start, instants.scheduled];
    for (ids, arrived) in [(TTFT, arrival.first), (TTFO, arrival.first_output), (LATENCY, arrival.last)] {
        for (id, origin) in ids.into_iter().zip(origins) {
            values.int(id, since(origin, start, arrived));
        }
    }
}

/// From `origin` to what arrived so many ns after `start`.
fn since(origin: Option<Nanos>, start: Nanos, arrived: Option<i64>) -> Option<i64> {
    Some(start.since(origin?) + arrived?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use crate::config::MetricConfig;
    use crate::fixture;
    use crate::request::request_metrics;
    use crate::slo::SloSet;

    #[test]
    fn each_origin_by_hand() {
        // Due 0.25 ms before the start, written 1.5 ms after it.
        let metrics = request_metrics(&fixture::ok(&[40, 52, 62]), &MetricConfig::default());
        for (tag, aiperfs) in
            [("time_to_first_token", 40.0), ("time_to_first_output_token", 40.0), ("request_latency", 62.0)]
        {
            assert_eq!(metrics.get(tag), Some(aiperfs));
            assert_eq!(metrics.get(&format!("{tag}_from_write")), Some(aiperfs - 1.5), "{tag}");
            assert_eq!(metrics.get(&format!("{tag}_from_schedule")), Some(aiperfs + 0.25), "{tag}");
        }
    }

    #[test]
    fn a_late_client_shows_from_the_schedule_and_nowhere_else() {
        let config = MetricConfig::default();
        let slos = |text| SloSet::parse(text, &config).unwrap();
        let mut record = fixture::ok(&[40, 62]);
        record.instants.scheduled = record.instants.request_start.map(|start| start - 900_000_000);
        let metrics = request_metrics(&record, &config);
        assert_eq!(metrics.get("time_to_first_token"), Some(40.0));
        assert_eq!(metrics.get("time_to_first_token_from_write"), Some(38.5));
        assert_eq!(metrics.get("time_to_first_token_from_schedule"), Some(940.0));
        assert!(slos("time_to_first_token:100").is_good(&metrics));
        assert!(!slos("time_to_first_token_from_schedule:939.9").is_good(&metrics));
        assert!(
            slos("time_to_first_token_from_schedule:940 request_latency_from_write:60.5").is_good(&metrics)
        );
    }

    #[test]
    fn what_did_not_happen_has_no_latency() {
        let mut record = fixture::ok(&[40, 62]);
        (record.instants.scheduled, record.instants.send_start) = (None, None);
        let metrics = request_metrics(&record, &MetricConfig::default());
        assert_eq!(metrics.get("time_to_first_token"), Some(40.0));
        let own = metrics.natives().iter().filter(|(id, _)| id.metric().own);
        assert_eq!(own.count(), 0);

        let config = MetricConfig { streaming: false, ..MetricConfig::default() };
        let metrics = request_metrics(&fixture::ok(&[62]), &config);
        let own: Vec<_> =
            metrics.natives().iter().map(|(id, _)| id.metric()).filter(|metric| metric.own).collect();
        assert_eq!(own.len(), 2);
        assert!(own.iter().all(|metric| metric.tag.starts_with("request_latency_from_")));
    }

    proptest! {
        #[test]
        fn origins_are_ordered(late in 0..10_000_000_000_i64, writing in 0..1_000_000_000_i64, token in 1_000..5_000_i64) {
            let mut record = fixture::ok(&[token, token + 1]);
            let start = record.instants.request_start.unwrap();
            record.instants.scheduled = Some(start - late);
            record.instants.send_start = Some(start + writing);
            let metrics = request_metrics(&record, &MetricConfig::default());
            let get = |tag: &str| metrics.get(tag).unwrap();
            for tag in ["time_to_first_token", "time_to_first_output_token", "request_latency"] {
                let (write, schedule) = (format!("{tag}_from_write"), format!("{tag}_from_schedule"));
                prop_assert!(get(&write) <= get(tag) && get(tag) <= get(&schedule), "{}", tag);
            }
        }
    }
}
