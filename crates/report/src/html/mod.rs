//! `report.html`: one page about one run, to be read, mailed or pasted.
//!
//! The page needs nothing but itself: no network, no script, a few hundred kilobytes at most
//! whatever the length of the run. Every text that comes from outside is escaped. Light or dark
//! follows the reader's preference.

mod charts;
mod gpus;
mod sections;
mod servers;
mod sheet;
mod slices;
mod spreads;
mod style;

use std::fmt::Write as _;

use crate::escape::Escaped;
use crate::info::Report;
use crate::plot;

pub use slices::SliceTable;

/// The whole page.
pub fn page(report: &Report<'_>) -> String {
    let title = format!("loadgen · {}", sections::subject(report));
    let mut out = String::with_capacity(128 * 1024);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"generator\" content=\"loadgen {}\">\n<title>{}</title>\n<style>{}{}</style>\n</head>\n<body>\n",
        Escaped(&report.info.loadgen_version),
        Escaped(&title),
        style::STYLE,
        plot::STYLE
    );
    let parts = [
        sections::head(report),
        sections::verdict(report),
        sections::key_figures(report),
        section("Goodput", "goodput", sections::goodput(report)),
        section("Over time", "time", charts::over_time(report)),
        section("Distributions", "distributions", spreads::distributions(report)),
        section("Figures", "figures", sections::figures(report)),
        section("Time slices", "slices", slices::slices(report)),
        section("Errors", "errors", sections::errors(report)),
        section("GPUs", "gpus", gpus::gpus(report)),
        section("Server metrics", "servers", servers::servers(report)),
        section("Measurement quality", "quality", sections::quality(report)),
        section("The run", "run", sections::run(report)),
        sections::foot(report),
    ];
    for part in parts {
        out.push_str(&part);
        out.push('\n');
    }
    out.push_str("</body>\n</html>\n");
    out
}

/// A section with its heading; nothing when there is nothing to show.
fn section(title: &str, id: &str, body: String) -> String {
    if body.is_empty() {
        return body;
    }
    format!("<section id=\"{id}\"><h2>{title}</h2>\n{body}</section>")
}
