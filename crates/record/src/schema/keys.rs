//! Names of the facts in a record file's metadata, so that writers and readers agree on them.

/// Version of the record's schema; the sink writes it.
pub const SCHEMA_VERSION: &str = "loadgen.schema_version";
/// Units of the metric columns, a JSON object from tag to unit; the sink writes it.
pub const METRIC_UNITS: &str = "loadgen.metric_units";
/// Version of loadgen that wrote the file.
pub const LOADGEN_VERSION: &str = "loadgen.version";
/// The command line, secrets removed.
pub const COMMAND_LINE: &str = "loadgen.command_line";
/// The root seed.
pub const SEED: &str = "loadgen.seed";
/// Where arrivals were stamped: `kernel` or `user`.
pub const TIMESTAMP_SOURCE: &str = "loadgen.timestamp_source";
/// The host that sent the load.
pub const HOST: &str = "loadgen.host";
/// The wall clock's reading, in ns since the Unix epoch, when the run's timeline was anchored to it.
pub const CLOCK_ANCHOR: &str = "loadgen.clock_anchor_ns";
/// SHA-256 of the run's `provenance.json`, in hex.
pub const PROVENANCE_SHA256: &str = "loadgen.provenance_sha256";
/// The run's measurement quality, as JSON.
pub const MEASUREMENT_QUALITY: &str = "loadgen.measurement_quality";

/// Every key, with what it means.
pub(crate) const ALL: &[(&str, &str)] = &[
    (SCHEMA_VERSION, "Version of this schema."),
    (METRIC_UNITS, "Units of the metric columns: a JSON object from tag to unit."),
    (LOADGEN_VERSION, "Version of loadgen that wrote the file."),
    (COMMAND_LINE, "The command line, secrets removed."),
    (SEED, "The root seed."),
    (TIMESTAMP_SOURCE, "Where arrivals were stamped: kernel or user."),
    (HOST, "The host that sent the load."),
    (
        CLOCK_ANCHOR,
        "The wall clock's reading, in ns since the Unix epoch, when the run's timeline was anchored to it.",
    ),
    (PROVENANCE_SHA256, "SHA-256 of the run's provenance.json, in hex."),
    (MEASUREMENT_QUALITY, "The run's measurement quality, as JSON."),
];
