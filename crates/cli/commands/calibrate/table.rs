//! A calibration as a table that can be pasted.

use std::fmt::Write as _;

use loadgen_report::console::grouped;
use loadgen_study::calibration::{Axis, Calibration, Ceiling};

/// What an axis counts.
pub(super) fn name(axis: Axis) -> &'static str {
    match axis {
        Axis::Requests => "requests/s",
        Axis::TokenEvents => "token events/s",
        Axis::OpenStreams => "open streams",
    }
}

/// Renders it.
pub(super) fn render(calibration: &Calibration) -> String {
    let mut out = String::new();
    let host = &calibration.host;
    let known = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "unknown".to_owned());
    let cores = host.cores.map_or_else(|| "unknown number of".to_owned(), |cores| cores.to_string());
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "loadgen {} on {}, {cores} cores, {}, {} timestamps, {}{}",
        calibration.loadgen_version,
        known(&host.cpu),
        known(&host.kernel),
        calibration.timestamps,
        calibration.measured_at,
        if calibration.quick { ", quick" } else { "" }
    );
    let _ = writeln!(out, "Client and mock server share the host: ceilings are lower bounds.\n");

    let limit = calibration.lag_limit_ms;
    let _ = writeln!(
        out,
        "| ceiling, send and read lag below {limit} ms at p99 | | CPU each | what more comes to |"
    );
    let _ = writeln!(out, "|---|---:|---:|---|");
    for (axis, ceiling) in [
        (Axis::Requests, &calibration.requests_per_second),
        (Axis::TokenEvents, &calibration.token_events_per_second),
        (Axis::OpenStreams, &calibration.open_streams),
    ] {
        let _ = writeln!(out, "{}", row(axis, ceiling));
    }

    let error = &calibration.timing_error;
    let _ = writeln!(
        out,
        "\n| error against the server's log, {} tokens of {} streams | p50 | p99 |\n|---|---:|---:|",
        error.tokens, error.requests
    );
    for (what, spread) in [
        ("time to first token", error.time_to_first_token),
        ("gap between tokens", error.gap),
        ("token stamp outside the server's write call", error.outside_write),
    ] {
        let _ = writeln!(out, "| {what} | {:.3} ms | {:.3} ms |", spread.p50_ms, spread.p99_ms);
    }
    let _ =
        writeln!(out, "\n{:.2} % of the stamps lie outside their call.", error.outside_write_share * 100.0);
    out
}

fn row(axis: Axis, ceiling: &Ceiling) -> String {
    let reached = ceiling.reached.map_or_else(|| "none".to_owned(), whole);
    let cpu = ceiling.cpu_us_each.map_or_else(String::new, |each| format!("{each:.1} µs"));
    let limited = ceiling.limited_by.as_deref().unwrap_or("not tried");
    format!("| {} | {reached} | {cpu} | {limited} |", name(axis))
}

/// A whole number, its thousands parted.
pub(super) fn whole(figure: f64) -> String {
    grouped(&format!("{:.0}", figure.max(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_was_reached_and_what_stopped_it() {
        let ceiling = Ceiling {
            reached: Some(12_345.6),
            limited_by: Some("requests left 1.20 ms late at p99".to_owned()),
            cpu_us_each: Some(52.34),
            trials: Vec::new(),
        };
        assert_eq!(
            row(Axis::Requests, &ceiling),
            "| requests/s | 12,346 | 52.3 µs | requests left 1.20 ms late at p99 |"
        );
        assert_eq!(row(Axis::OpenStreams, &Ceiling::default()), "| open streams | none |  | not tried |");
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!([0.0, 999.0, 1000.0, 1_234_567.0].map(whole), ["0", "999", "1,000", "1,234,567"]);
    }
}
