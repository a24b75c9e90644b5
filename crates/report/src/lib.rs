//! Numbers to text: AIPerf's files, the console, plots and the HTML page.
//!
//! * [`summary_json`], [`summary_csv`], [`RecordLines`], [`RawLines`], [`outputs_json`] and
//!   [`InputsJson`] write the files that AIPerf's readers know, key for key;
//! * [`server_metrics`] and [`gpu`] do so for what was scraped beside the load;
//! * [`console`] draws what is printed at the end of a run;
//! * [`aggregate`] and [`sweep`] write what several runs came to together;
//! * [`html`] makes the page of a run, with every picture in it;
//! * [`schemas`] says what the JSON files look like.
//!
//! Everything here is a function from figures to text. What this crate does not know: where figures
//! come from, where text goes, clocks, sockets, the command line, whether there is a terminal.

pub mod aggregate;
pub mod console;
mod escape;
pub mod genai_perf;
pub mod gpu;
pub mod html;
mod info;
mod inputs;
mod keyed;
mod metrics_page;
mod origins;
pub mod outputs_json;
mod phases;
mod plot;
mod python;
mod quality_words;
mod raw_lines;
mod record_line;
mod rows;
mod schemas;
pub mod server_metrics;
mod spec_decode;
mod sse_messages;
mod summary_csv;
mod summary_json;
pub mod sweep;
mod timeslices;
mod trace_data;

pub use info::{ExperimentRun, Report, RunInfo, local_time};
pub use inputs::InputsJson;
pub use jiff::tz::TimeZone;
pub use metrics_page::metrics_page;
pub use phases::{PhaseFiles, PhaseView, phase_manifest};
pub use python::{python, python_text};
pub use raw_lines::RawLines;
pub use record_line::RecordLines;
pub use schemas::schemas;
pub use summary_csv::{phase_csv, summary_csv};
pub use summary_json::{AIPERF_VERSION, SCHEMA_VERSION, phase_json, summary_json};
pub use timeslices::{TimeslicesCsv, TimeslicesJson};
