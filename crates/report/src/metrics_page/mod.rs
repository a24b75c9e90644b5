//! `docs/metrics.md`: every metric with its formula, unit, place and difference, made from the registry.

mod words;

use std::fmt::Write as _;

use loadgen_metrics::{ConsoleGroup, Metric, REGISTRY};

use words::Words;

const HEAD: &str = "# Metrics

Made from the registry by `cargo run -- docs`: do not edit by hand.

Names, units and formulas are AIPerf 0.13's, so that what reads its files reads these; where a figure of ours means
something else, the table says so. The last section has the metrics that AIPerf does not have.

## How figures come about

- **Which requests count.** Latencies, lengths, sums and rates are of the measured phase's successes. The warm-up's are
  under `warmup_metrics` and in `phases/warmup/`. Errors (failed, or cancelled by plan) have `error_isl` alone, and count
  in `credit_to_start_latency`, `effective_latency` and `effective_concurrency`. What the run's end cut off has no line
  and is in no figure of AIPerf's.
- **What is missing is absent**, never null and never zero; nothing that is not finite is written.
- **A distribution** has `avg`, `min`, `max`, `sum`, `count`, `std` (population) and the percentiles 1, 5, 10, 25, 50,
  75, 90, 95 and 99, linear between ranks, all of them exact whatever the length of the run. **Curves** (`effective_…`,
  `active_…`, `tokens_in_flight`) are weighted by time and have `avg`, `min`, `max`, `std` and the percentiles 50, 90, 95
  and 99; beyond 65,536 steps those are at most 0.025 % too small. **Single figures** have `avg` alone.
- **The window** of rates and curves is the measured phase, from its start to the end of its last request:
  `start_time` to `end_time`. It is not `benchmark_duration`.
- **Slices** (`--slice-duration S`) have the same figures, of the requests that began in the slice, over the slice;
  curves are cut at its edges. The grid begins with the first request; the last slice ends with the last request and
  says `is_complete: false`. Bounds are exact, where AIPerf's are rounded to 256 ns. Lag behind a schedule,
  `credit_to_start_latency` and `effective_latency` are the run's alone.
- **Three ways to count a latency** stand side by side: see [quality.md](quality.md).

## Where AIPerf's figure misleads

| what | AIPerf's key says | ours beside it |
|---|---|---|
| an error that a server tells of inside a stream (`data: {\"error\": …}`, as vLLM does) | a success, its output cut short | `in_band_error_count`, `in_band_error_summary`, a remark of the measurement quality, `error` in the Parquet file |
| requests that the end of the run cut off | nothing | `aborted_request_count`, and their rows in the Parquet file |
| requests that were due and never sent | nothing | `not_sent_request_count` |
| lag behind a fixed schedule | against the least late request | `replay_sched_lag_absolute_p50`, `_p90`, `_p99` |
| latency of a client that falls behind | from the actual start | `…_from_schedule`, `effective_latency` from the intended instant |
| time to connect | inside every latency of a fresh connection | `…_from_write` |
| the client's own share in all of it | nothing | `measurement_quality.json`: [quality.md](quality.md) |

## Reading the tables

*Appears in*: every metric is in the summary (JSON, CSV) once it has a value. **L** per-request lines (JSONL), **P** a column
of the Parquet file, **S** slices; then the console's table and the place in it. *Only*: **s** streamed responses, **o**
endpoints that answer with tokens, **i** endpoints whose input is tokenized, **e** errors. **↑** more is better: an objective
of `--goodput` on it is a lower bound.
";

/// A section: its title, and which metrics belong to it.
type Section = (&'static str, fn(&Metric) -> bool);

/// In order; a metric belongs to the first that takes it.
const SECTIONS: &[Section] = &[
    ("Ours", |metric| metric.own),
    ("HTTP", |metric| metric.tag.starts_with("http_req_")),
    ("Speculative decoding", |metric| {
        metric.tag.contains("spec_decode") || metric.tag.ends_with("draft_tokens")
    }),
    ("Token counts as the server reports them", |metric| metric.tag.contains("usage_")),
    ("Over time", |metric| {
        metric.tag == "tokens_in_flight"
            || metric.tag.starts_with("active_")
            || (metric.tag.starts_with("effective_") && metric.tag != "effective_latency")
    }),
    ("Failures as infinitely slow", |metric| metric.tag.starts_with("adj_")),
    ("Without the network", |metric| metric.tag.starts_with("network_")),
    ("Lateness", |metric| {
        metric.tag.starts_with("replay_")
            || ["credit_to_start_latency", "effective_latency"].contains(&metric.tag)
    }),
    ("GPU power", |metric| metric.tag.starts_with("nvidia_") || metric.tag.starts_with("amd_")),
    ("Latencies, lengths, rates and counts", |_| true),
];

/// The page.
pub fn metrics_page() -> String {
    let mut page = HEAD.to_owned();
    // The general ones first, ours last.
    for (number, (title, _)) in SECTIONS.iter().enumerate().rev() {
        let metrics: Vec<&Metric> = REGISTRY.iter().filter(|metric| section_of(metric) == number).collect();
        if metrics.is_empty() {
            continue;
        }
        let _ = write!(
            page,
            "\n## {title}\n\n| tag | header | unit | only | appears in | formula | notes | differs from AIPerf |\n\
             |---|---|---|---|---|---|---|---|\n"
        );
        for metric in metrics {
            row(metric, &mut page);
        }
    }
    page
}

fn section_of(metric: &Metric) -> usize {
    SECTIONS.iter().position(|(_, takes)| takes(metric)).unwrap_or(SECTIONS.len())
}

fn row(metric: &Metric, page: &mut String) {
    let Words { formula, notes, differs } =
        words::of(metric).unwrap_or(Words { formula: "", notes: "", differs: "" });
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
        metric.tag,
        cell(metric.header),
        metric.unit.label(),
        only(metric),
        appears_in(metric),
        cell(formula),
        cell(notes),
        cell(differs),
    );
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn only(metric: &Metric) -> String {
    let flags = [
        (metric.streaming_only, "s"),
        (metric.needs_output_tokens, "o"),
        (metric.needs_input_tokens, "i"),
        (metric.error_only, "e"),
        (metric.larger_is_better, "↑"),
    ];
    let said: Vec<&str> = flags.iter().filter(|(is_so, _)| *is_so).map(|(_, flag)| *flag).collect();
    said.join(" ")
}

fn appears_in(metric: &Metric) -> String {
    let of_the_run =
        ["credit_to_start_latency", "effective_latency", "aborted_request_count", "not_sent_request_count"];
    let is_of_the_run = of_the_run.contains(&metric.tag)
        || metric.fixed_schedule_only
        || metric.console == Some(ConsoleGroup::Power);
    let mut places: Vec<String> =
        [(metric.is_in_jsonl(), "L"), (metric.is_column(), "P"), (!is_of_the_run, "S")]
            .iter()
            .filter(|(is_there, _)| *is_there)
            .map(|(_, place)| (*place).to_owned())
            .collect();
    if let Some(group) = metric.console {
        let table = match group {
            ConsoleGroup::Main => "main",
            ConsoleGroup::Effective => "Effective",
            ConsoleGroup::Active => "Active",
            ConsoleGroup::Usage => "Usage",
            ConsoleGroup::HttpTrace => "HTTP",
            ConsoleGroup::SpecDecode => "Spec Decode",
            ConsoleGroup::Power => "Power",
        };
        let order = metric.order.map_or_else(String::new, |order| format!(" {order}"));
        places.push(format!("{table}{order}"));
    }
    places.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_metric_has_words_and_a_row_of_its_own() {
        let page = metrics_page();
        for metric in REGISTRY {
            let words = words::of(metric).unwrap_or_else(|| panic!("{} has no words", metric.tag));
            assert!(!words.formula.is_empty(), "{}", metric.tag);
            let head = format!("\n| `{}` | ", metric.tag);
            assert_eq!(page.matches(&head).count(), 1, "{}", metric.tag);
        }
    }

    #[test]
    fn tables_have_as_many_cells_as_their_heads() {
        for line in metrics_page().lines().filter(|line| line.starts_with("| `")) {
            let bars = line.replace("\\|", "").matches('|').count();
            assert_eq!(bars, 9, "{line}");
        }
    }
}
