//! The record's columns, in the order of the file: name, unit, meaning, and the way to the values.
//!
//! To add a column is to add one entry here.

use std::borrow::Cow;

use loadgen_core::{ErrorDetail, Nanos, Outcome, Phase, RequestRecord};

use super::access::Access;

/// One column of the record.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) nullable: bool,
    pub(crate) unit: Option<&'static str>,
    pub(crate) description: &'static str,
    pub(crate) access: Access,
}

impl Column {
    const fn required(name: &'static str, access: Access, description: &'static str) -> Self {
        Self { name, nullable: false, unit: None, description, access }
    }

    const fn nullable(name: &'static str, access: Access, description: &'static str) -> Self {
        Self { name, nullable: true, unit: None, description, access }
    }

    const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }
}

/// A required integer at `path` of the record.
macro_rules! required {
    ($access:ident, $($path:ident).+) => {
        Access::$access { get: |record| Some(record.$($path).+), set: |record, value| record.$($path).+ = value }
    };
}

/// A nullable integer at `path` of the record.
macro_rules! optional {
    ($access:ident, $($path:ident).+) => {
        Access::$access { get: |record| record.$($path).+, set: |record, value| record.$($path).+ = Some(value) }
    };
}

/// A shared string at `path` of the record.
macro_rules! text {
    ($($path:ident).+) => {
        Access::Text {
            get: |record| Some(Cow::Borrowed(&*record.$($path).+)),
            set: |record, value| { record.$($path).+ = value.into(); true },
        }
    };
}

/// An instant of the record.
macro_rules! instant {
    ($name:literal, $field:ident, $description:literal) => {
        Column::nullable(
            $name,
            Access::Int64 {
                get: |record| record.instants.$field.map(|at| at.0),
                set: |record, value| record.instants.$field = Some(Nanos(value)),
            },
            concat!($description, " Nanoseconds since the Unix epoch."),
        )
        .unit("ns")
    };
}

/// A duration in the life of the connection.
macro_rules! duration {
    ($name:literal, $field:ident, $description:literal) => {
        Column::nullable($name, optional!(Int64, connection.$field), $description).unit("ns")
    };
}

/// A token count that the server reported.
macro_rules! usage {
    ($name:literal, $field:ident, $description:literal) => {
        Column::nullable(
            $name,
            Access::Int64 {
                get: |record| record.tokens.usage.as_ref().and_then(|usage| usage.$field),
                set: |record, value| {
                    record.tokens.usage.get_or_insert_default().$field = Some(value);
                },
            },
            concat!("As the server reported it: ", $description),
        )
        .unit("tokens")
    };
}

/// A list with an entry for each chunk; null when the lists were dropped.
macro_rules! chunk_list {
    ($access:ident, $field:ident) => {
        Access::$access {
            get: |record| (!record.degraded).then_some(&record.chunks.$field[..]),
            set: |record, values| record.chunks.$field = values,
        }
    };
}

/// The columns.
pub(crate) static COLUMNS: &[Column] = &[
    // Who.
    Column::required(
        "request_id",
        Access::Text {
            get: |record| Some(record.identity.request_id.hyphenated().to_string().into()),
            set: |record, value| value.parse().map(|id| record.identity.request_id = id).is_ok(),
        },
        "Id of the request, sent as X-Request-ID.",
    ),
    Column::required(
        "correlation_id",
        text!(identity.correlation_id),
        "Id of the session in this run, shared by its turns, sent as X-Correlation-ID.",
    ),
    Column::required("session_id", text!(identity.session_id), "The conversation in the dataset."),
    Column::required("model", text!(identity.model), "The model that was asked."),
    Column::required("url_index", required!(Int32, identity.url_index), "Which of the given URLs, from 0."),
    Column::required("worker_id", required!(Int32, identity.worker_id), "Which worker sent it, from 0."),
    Column::nullable("source_row", optional!(Int64, identity.source_row), "Row of the input file, from 0."),
    Column::required(
        "session_num",
        required!(Int64, identity.session_num),
        "Number of the request within its phase, from 0.",
    ),
    Column::required(
        "turn_index",
        required!(Int32, identity.turn_index),
        "Position in its conversation, from 0.",
    ),
    Column::required(
        "phase",
        Access::Name {
            names: || PHASES.map(Phase::name).to_vec(),
            get: |record| position(&PHASES, &record.identity.phase),
            set: |record, name| {
                assign(&mut record.identity.phase, PHASES.into_iter().find(|phase| phase.name() == name))
            },
        },
        "What the request was sent for: warmup or profiling.",
    ),
    Column::required(
        "phase_index",
        required!(Int32, identity.phase_index),
        "Position of the phase in the run, from 0.",
    ),
    Column::nullable(
        "hash_ids",
        Access::Int64List {
            get: |record| record.identity.hash_ids.as_deref(),
            set: |record, ids| record.identity.hash_ids = Some(ids.into()),
        },
        "Hash ids of the prompt's blocks; null where the input has none.",
    ),
    // When.
    instant!("scheduled_ns", scheduled, "When the schedule meant the request to leave."),
    instant!("released_ns", released, "When the pacer let it go."),
    instant!(
        "request_start_ns",
        request_start,
        "When work on it began, before any wait for a connection: the start of its latencies."
    ),
    instant!("send_start_ns", send_start, "Just before its first byte was handed to the kernel."),
    instant!("send_end_ns", send_end, "When its last byte had been handed to the kernel."),
    instant!("first_byte_ns", first_byte, "Arrival of the response's first byte."),
    instant!("headers_ns", headers, "Arrival of the bytes that completed the response's head."),
    instant!("first_token_ns", first_token, "Arrival of the first content chunk, reasoning included."),
    instant!(
        "first_output_token_ns",
        first_output_token,
        "Arrival of the first content chunk that carries more than reasoning."
    ),
    instant!("last_token_ns", last_token, "Arrival of the last content chunk."),
    instant!(
        "end_ns",
        end,
        "Arrival of the last byte of a complete response; else when the client gave up or learned of the failure."
    ),
    // Over which connection.
    Column::nullable(
        "connection_id",
        optional!(Int64, connection.connection_id),
        "The connection that carried it, unique in the run.",
    ),
    Column::required(
        "connection_reused",
        required!(Bool, connection.reused),
        "Whether an earlier request had used that connection.",
    ),
    duration!("blocked_ns", blocked_ns, "Wait for a free connection."),
    duration!("dns_ns", dns_ns, "Name resolution."),
    duration!("connect_ns", connect_ns, "TCP connect."),
    duration!("tls_ns", tls_ns, "TLS handshake."),
    Column::required(
        "request_bytes",
        required!(Int64, connection.request_bytes),
        "Bytes of the request's body.",
    )
    .unit("bytes"),
    Column::required(
        "response_bytes",
        required!(Int64, connection.response_bytes),
        "Bytes of the response's body, transfer coding removed.",
    )
    .unit("bytes"),
    Column::required(
        "reads",
        required!(Int32, connection.reads),
        "Reads from the socket that brought bytes of the response's body.",
    ),
    // What became of it.
    Column::nullable("status", optional!(Int16, status), "The HTTP status; null where no head came."),
    Column::required(
        "outcome",
        Access::Name {
            names: || Outcome::ALL.map(Outcome::name).to_vec(),
            get: |record| position(&Outcome::ALL, &record.outcome),
            set: |record, name| {
                assign(&mut record.outcome, Outcome::ALL.into_iter().find(|outcome| outcome.name() == name))
            },
        },
        "What became of it: ok, http_error, connect_error, timeout, stream_error, invalid_response, \
         cancelled (by plan), aborted (in flight when the run ended) or not_sent.",
    ),
    Column::nullable(
        "error_code",
        Access::Int32 {
            get: |record| record.error.as_ref().and_then(|error| error.code),
            set: |record, code| error(record).code = Some(code),
        },
        "The HTTP status of the failure, 499 for a planned cancellation, 502 for an error event in a \
         stream; null where no code applies.",
    ),
    Column::nullable(
        "error_type",
        Access::Text {
            get: |record| record.error.as_ref().map(|error| Cow::Borrowed(&*error.error_type)),
            set: |record, value| {
                value.clone_into(&mut error(record).error_type);
                true
            },
        },
        "Class of the failure; null without one.",
    ),
    Column::nullable(
        "error",
        Access::Text {
            get: |record| record.error.as_ref().map(|error| Cow::Borrowed(&*error.message)),
            set: |record, value| {
                value.clone_into(&mut error(record).message);
                true
            },
        },
        "What was said of the failure, secrets removed; null without one.",
    ),
    Column::nullable(
        "finish_reason",
        Access::Text {
            get: |record| record.finish_reason.as_deref().map(Cow::Borrowed),
            set: |record, value| {
                record.finish_reason = Some(value.to_owned());
                true
            },
        },
        "The reason the model gave for stopping.",
    ),
    // Tokens.
    Column::nullable(
        "requested_output_tokens",
        optional!(Int64, tokens.requested_output),
        "Tokens asked for; null where the request set no limit.",
    )
    .unit("tokens"),
    Column::nullable(
        "input_tokens",
        optional!(Int64, tokens.input),
        "Tokens of the prompt; null if unknown.",
    )
    .unit("tokens"),
    Column::nullable(
        "output_tokens",
        optional!(Int64, tokens.output),
        "Tokens of the answer, reasoning not included; null if unknown.",
    )
    .unit("tokens"),
    Column::nullable(
        "reasoning_tokens",
        optional!(Int64, tokens.reasoning),
        "Reasoning tokens; null when no reasoning came.",
    )
    .unit("tokens"),
    usage!("usage_prompt_tokens", prompt_tokens, "tokens of the prompt."),
    usage!("usage_completion_tokens", completion_tokens, "tokens of the completion, reasoning included."),
    usage!("usage_total_tokens", total_tokens, "the total."),
    usage!("usage_reasoning_tokens", reasoning_tokens, "reasoning tokens within the completion."),
    usage!("usage_prompt_cache_read_tokens", prompt_cache_read_tokens, "prompt tokens read from its cache."),
    usage!(
        "usage_prompt_cache_write_tokens",
        prompt_cache_write_tokens,
        "prompt tokens written to its cache."
    ),
    usage!(
        "usage_prompt_cache_miss_tokens",
        prompt_cache_miss_tokens,
        "prompt tokens that missed its cache."
    ),
    usage!("usage_prompt_audio_tokens", prompt_audio_tokens, "audio tokens of the prompt."),
    usage!("usage_completion_audio_tokens", completion_audio_tokens, "audio tokens of the completion."),
    usage!("usage_accepted_prediction_tokens", accepted_prediction_tokens, "predicted tokens accepted."),
    usage!("usage_rejected_prediction_tokens", rejected_prediction_tokens, "predicted tokens rejected."),
    // Chunks.
    Column::nullable(
        "chunk_offset_ns",
        chunk_list!(Int64List, offset_ns),
        "Arrival of each content chunk, minus request_start_ns; never decreasing. This list and the \
         other chunk lists of a row have equal length; they are null where the client had to drop them.",
    )
    .unit("ns"),
    Column::nullable(
        "chunk_uncertainty_ns",
        chunk_list!(Int64List, uncertainty_ns),
        "0 where the arrival is exact, else the width of the interval that ends at it and holds the truth.",
    )
    .unit("ns"),
    Column::nullable(
        "chunk_read_lag_ns",
        chunk_list!(Int64List, read_lag_ns),
        "When the client read each chunk, minus its arrival: the client's own lag.",
    )
    .unit("ns"),
    Column::nullable(
        "chunk_tokens",
        chunk_list!(Int32List, tokens),
        "Tokens whose last byte each chunk brought; they sum to output_tokens plus reasoning_tokens.",
    )
    .unit("tokens"),
    Column::nullable(
        "chunk_bytes",
        chunk_list!(Int32List, bytes),
        "Bytes of each chunk's event on the wire.",
    )
    .unit("bytes"),
    Column::nullable("chunk_kind", Access::Kinds, "What each chunk carries: text, reasoning or tool."),
    // Verdict and classes.
    Column::nullable("good", optional!(Bool, good), "Whether every SLO was met; null without SLOs."),
    Column::required("labels", Access::Labels, "Classes of the request, for SLOs and breakdowns."),
];

const PHASES: [Phase; 2] = [Phase::Warmup, Phase::Profiling];

/// Where `value` stands in its dictionary.
fn position<T: PartialEq>(all: &[T], value: &T) -> i8 {
    let position = all.iter().position(|known| known == value);
    position
        .and_then(|position| i8::try_from(position).ok())
        .expect("the list names every value, and is short")
}

fn assign<T>(place: &mut T, value: Option<T>) -> bool {
    value.map(|value| *place = value).is_some()
}

fn error(record: &mut RequestRecord) -> &mut ErrorDetail {
    record.error.get_or_insert_with(|| ErrorDetail {
        code: None,
        error_type: String::new(),
        message: String::new(),
        cause: None,
        cause_chain: Vec::new(),
    })
}
