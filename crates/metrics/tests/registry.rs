//! Our registry against AIPerf's own, row by row: what is named, in which unit, where it is shown, whom it is
//! for.
//!
//! `data/aiperf_registry.txt` lists the metrics that AIPerf 0.13.0 registers, printed from its registry: kind,
//! tag, header, unit, unit shown, place on the console, table, flags, type, what it needs, how it is summed.

#![allow(clippy::unwrap_used, missing_docs)]

use loadgen_metrics::{ConsoleGroup, Kind, Metric, REGISTRY, Unit};

const THEIRS: &str = include_str!("data/aiperf_registry.txt");

/// What is not built, and why.
const LEFT_OUT: [(&str, &str); 23] = [
    ("min_request_timestamp", "AIPerf writes it nowhere"),
    ("max_response_timestamp", "AIPerf writes it nowhere"),
    ("credit_drop_latency", "AIPerf writes it nowhere"),
    ("replay_send_schedule_offset", "AIPerf writes it nowhere"),
    ("requested_osl", "AIPerf writes it nowhere"),
    ("stream_setup_latency", "AIPerf writes it for its developers only"),
    ("stream_prefill_latency", "AIPerf writes it for its developers only"),
    ("thinking_efficiency", "AIPerf writes it for its developers only"),
    ("overall_thinking_efficiency", "AIPerf writes it for its developers only"),
    ("video_inference_time", "of endpoints that make videos, which are refused"),
    ("video_peak_memory", "of endpoints that make videos, which are refused"),
    ("amd_average_gpu_power", AMD),
    ("amd_energy_delay_product", AMD),
    ("amd_energy_per_output_token", AMD),
    ("amd_energy_per_request", AMD),
    ("amd_energy_per_total_token", AMD),
    ("amd_energy_per_user", AMD),
    ("amd_goodput_per_watt", AMD),
    ("amd_output_tokens_per_joule", AMD),
    ("amd_output_tps_per_watt", AMD),
    ("amd_performance_per_watt", AMD),
    ("amd_total_gpu_energy", AMD),
    ("amd_total_gpu_power", AMD),
];

const AMD: &str = "AIPerf reads AMD's GPUs from a library on the same host, which is refused";

/// A row of AIPerf's.
struct Row {
    kind: String,
    tag: &'static str,
    header: &'static str,
    unit: &'static str,
    order: Option<u16>,
    table: &'static str,
    flags: Vec<&'static str>,
}

impl Row {
    fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    /// Whether AIPerf prints it.
    fn is_shown(&self) -> bool {
        self.table != "none" && !self.has("ERROR_ONLY")
    }
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let cells: Vec<&'static str> = line.split('|').map(str::trim).collect();
        // The flags themselves are joined by `|`, without blanks.
        let flags = line.split(" | ").nth(7).unwrap().trim();
        let [kind, tag, header, native, shown, order, table] = cells[..7] else { panic!("{line}") };
        Row {
            kind: kind.to_owned(),
            tag,
            header,
            unit: if shown.is_empty() { native } else { shown },
            order: order.parse().ok(),
            table,
            flags: flags.trim_start_matches("MetricFlags.").split('|').collect(),
        }
    };
    THEIRS.lines().map(row).collect()
}

/// What is built, theirs beside ours.
fn built() -> impl Iterator<Item = (Row, &'static Metric)> {
    let rows = rows().into_iter().filter(|row| LEFT_OUT.iter().all(|(tag, _)| *tag != row.tag));
    rows.map(|row| {
        let ours = Metric::of(row.tag).unwrap_or_else(|| panic!("{} is neither built nor left out", row.tag));
        (row, ours)
    })
}

#[test]
fn every_metric_is_built_or_left_out_for_a_reason() {
    assert_eq!(rows().len(), 139);
    assert_eq!(built().count(), 139 - LEFT_OUT.len());
    for (tag, why) in LEFT_OUT {
        assert!(rows().iter().any(|row| row.tag == tag), "{tag} is none of theirs");
        assert!(Metric::of(tag).is_none(), "{tag} is built, though {why}");
    }
    for row in rows().iter().filter(|row| row.has("INTERNAL") || row.has("EXPERIMENTAL")) {
        assert!(Metric::of(row.tag).is_none(), "{}: no file of theirs has it", row.tag);
    }
}

#[test]
fn what_is_ours_alone_is_marked_so_or_made_from_theirs() {
    let registered: Vec<&str> = rows().iter().map(|row| row.tag).collect();
    // AIPerf puts these into its summary without registering them.
    let unregistered = |tag: &str| {
        ["effective_", "active_", "adj_"].iter().any(|family| tag.starts_with(family))
            || ["tokens_in_flight", "credit_to_start_latency"].contains(&tag)
    };
    for metric in REGISTRY.iter().filter(|metric| !unregistered(metric.tag)) {
        assert_eq!(registered.contains(&metric.tag), !metric.own, "{}", metric.tag);
    }
}

#[test]
fn names_and_units_are_theirs() {
    for (theirs, ours) in built() {
        let unit = |row: &Row| if row.unit == "B" { Unit::Kilobytes.label() } else { row.unit };
        assert_eq!((ours.header, ours.unit.label()), (theirs.header, unit(&theirs)), "{}", theirs.tag);
    }
}

#[test]
fn figures_come_about_as_theirs_do() {
    for (theirs, ours) in built() {
        let kinds: &[Kind] = match theirs.kind.as_str() {
            "record" => &[Kind::Record, Kind::RecordList],
            "aggregate" => &[Kind::Aggregate],
            _ => &[Kind::Derived, Kind::Injected],
        };
        assert!(kinds.contains(&ours.kind), "{}: {:?}", theirs.tag, ours.kind);
        // Only those of single requests are in the lines of the records, and not all of them.
        let is_in_jsonl = theirs.kind != "derived" && !theirs.has("NO_INDIVIDUAL_RECORDS");
        assert_eq!(ours.is_in_jsonl(), is_in_jsonl, "{}", theirs.tag);
    }
}

#[test]
fn tables_and_places_are_theirs() {
    for (theirs, ours) in built() {
        let table = match theirs.table {
            _ if theirs.has("HTTP_TRACE_ONLY") => Some(ConsoleGroup::HttpTrace),
            _ if !theirs.is_shown() => None,
            "default" => Some(ConsoleGroup::Main),
            "usage" => Some(ConsoleGroup::Usage),
            "spec_decode" => Some(ConsoleGroup::SpecDecode),
            "gpu_power_efficiency_nvidia" => Some(ConsoleGroup::Power),
            other => panic!("{other} is no table of ours"),
        };
        assert_eq!(ours.console, table, "{}", theirs.tag);
        assert_eq!(ours.order, theirs.order.filter(|_| table.is_some()), "{}", theirs.tag);
    }
}

#[test]
fn they_are_for_the_same_requests() {
    for (theirs, ours) in built() {
        let either = |flags: &[&str]| flags.iter().any(|flag| theirs.has(flag));
        let same = [
            ("streaming", ours.streaming_only, either(&["STREAMING_ONLY", "STREAMING_TOKENS_ONLY"])),
            ("output", ours.needs_output_tokens, either(&["PRODUCES_TOKENS_ONLY", "STREAMING_TOKENS_ONLY"])),
            ("input", ours.needs_input_tokens, theirs.has("TOKENIZES_INPUT_ONLY")),
            ("direction", ours.larger_is_better, theirs.has("LARGER_IS_BETTER")),
            ("errors", ours.error_only, theirs.has("ERROR_ONLY")),
            ("goodput", ours.goodput_only, theirs.has("GOODPUT")),
            ("schedule", ours.fixed_schedule_only, theirs.has("FIXED_SCHEDULE_ONLY")),
            ("usage", ours.usage_diff, theirs.has("USAGE_DIFF_ONLY")),
            (
                "failures",
                Metric::of(&format!("adj_{}", theirs.tag)).is_some(),
                theirs.has("PERCENTILE_INCLUDES_FAILED_REQUESTS"),
            ),
        ];
        for (what, ours, wanted) in same {
            assert_eq!(ours, wanted, "{}: {what}", theirs.tag);
        }
    }
}
