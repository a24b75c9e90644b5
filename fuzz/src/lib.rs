//! Every parser of bytes from outside, against bytes that nobody meant.
//!
//! One function a parser, named as its fuzz target. None may panic on any input; most also hold a law
//! that the parser promises, because a parser that is merely silent may still be wrong. The targets under
//! `fuzz_targets/` hand these functions to libFuzzer; `tests/smoke.rs` runs them briefly on a plain stable
//! toolchain.

use loadgen_metrics::{MetricConfig, Reading, SloSet};
use loadgen_schedule::{Rate, Sinusoid, Smoothness};
use loadgen_wire::{
    Appetite, Arrival, EndpointKind, Head, Observation, Part, ResponseDecoder, ResponseFault, ResponseField,
    ResponseFormat, ResponseReader, SseParser, Target,
};
use loadgen_workload::lengths::{RangeRatio, RangeStyle, SequenceMix};
use loadgen_workload::trace::parse_line;
use serde_json::value::RawValue;

/// A server's event stream. The first byte says how the rest is cut into pieces; however that is, the
/// same events come out.
pub fn sse(data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else { return };
    let whole = events(std::iter::once(stream));
    let pieces = events(stream.chunks(usize::from(*cut).max(1)));
    assert_eq!(whole, pieces, "events depend on how the stream was cut");
}

fn events<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<Vec<[Vec<u8>; 3]>> {
    let mut parser = SseParser::with_limit(1 << 20);
    let mut events = Vec::new();
    for piece in pieces {
        let taken = parser.push(piece, |event| {
            events.push([event.name.to_vec(), event.data.to_vec(), event.comment.to_vec()]);
        });
        taken.ok()?;
    }
    parser.finish(|event| {
        events.push([event.name.to_vec(), event.data.to_vec(), event.comment.to_vec()]);
    });
    Some(events)
}

/// A response of `/v1/chat/completions`, as `response` checks it.
pub fn chat(data: &[u8]) {
    response(EndpointKind::Chat, data);
}

/// A response of `/v1/completions`, as `response` checks it.
pub fn completions(data: &[u8]) {
    response(EndpointKind::Completions, data);
}

/// A response of `/v1/responses`, as `response` checks it.
pub fn responses(data: &[u8]) {
    response(EndpointKind::Responses, data);
}

/// A response of `/v1/messages`, as `response` checks it.
pub fn messages(data: &[u8]) {
    response(EndpointKind::Messages, data);
}

/// A response of plain text: of TGI, or with an odd first byte of Solido.
pub fn generate(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    response([EndpointKind::HuggingfaceGenerate, EndpointKind::SolidoRag][usize::from(which & 1)], data);
}

/// Vectors and scores; the first byte says whose.
pub fn vectors(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    let kinds = [
        EndpointKind::Embeddings,
        EndpointKind::ChatEmbeddings,
        EndpointKind::NimRankings,
        EndpointKind::CohereRankings,
        EndpointKind::HfTeiRankings,
    ];
    response(kinds[usize::from(*which) % kinds.len()], data);
}

/// A response of any shape, as the raw endpoint looks for its answer; with an odd first byte the template's,
/// which is told where it stands.
pub fn free(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    if which & 1 == 0 {
        return response(EndpointKind::Raw, data);
    }
    let field = ResponseField::new("answer.parts[*].t | join('', @)", true).ok();
    response(ResponseFormat { field, ..EndpointKind::Template.into() }, data);
}

/// A user's expression for where the answer stands, and a response to look in, parted by a zero byte.
pub fn response_field(data: &[u8]) {
    let Some(cut) = data.iter().position(|byte| *byte == 0) else { return };
    let (expression, body) = (&data[..cut], &data[cut + 1..]);
    let Ok(expression) = std::str::from_utf8(expression) else { return };
    let Ok(field) = ResponseField::new(expression, true) else { return };
    observed(&ResponseFormat { field: Some(field), ..EndpointKind::Raw.into() }, 4, std::iter::once(body));
}

/// A response's body. The first byte says what its head announced, the second how it is cut into reads.
/// However that is, the same content and the same outcome come out, and every chunk has all its facts.
fn response(format: impl Into<ResponseFormat>, data: &[u8]) {
    let [head, cut, body @ ..] = data else { return };
    let format = format.into();
    let whole = observed(&format, *head, std::iter::once(body));
    let pieces = observed(&format, *head, body.chunks(usize::from(*cut).max(1)));
    assert_eq!(whole.outcome, pieces.outcome, "the outcome depends on how the response was cut");
    assert_eq!(whole.error, pieces.error);
    assert_eq!(whole.usage, pieces.usage);
    assert_eq!(whole.finish_reason, pieces.finish_reason);
    let (one, other) = (whole.chunks, pieces.chunks);
    assert_eq!(one.output, other.output);
    assert_eq!(one.reasoning, other.reasoning);
    assert_eq!((&one.kind, &one.bytes), (&other.kind, &other.bytes));
    for length in [one.uncertainty_ns.len(), one.read_lag_ns.len(), one.kind.len(), one.output_end.len()] {
        assert_eq!(length, one.len(), "lists of chunks differ in length");
    }
    for text in [one.output, one.reasoning] {
        let string = [b"\"", text.as_slice(), b"\""].concat();
        assert!(serde_json::from_slice::<&RawValue>(&string).is_ok(), "slices do not join to a JSON string");
    }
}

fn observed<'a>(format: &ResponseFormat, head: u8, reads: impl Iterator<Item = &'a [u8]>) -> Observation {
    let status = [200, 200, 200, 500][usize::from(head & 3)];
    let content_type = ["text/event-stream", "application/json; charset=utf-8"][usize::from(head >> 2 & 1)];
    let coding = ["", "", "gzip", "deflate"][usize::from(head >> 3 & 3)];
    let at = Arrival::default();
    let mut observation = Observation::default();
    let mut decoder = ResponseDecoder::new(format.clone());
    let mut appetite = decoder.head(status, "Internal Server Error", content_type, coding, &mut observation);
    for bytes in reads {
        if appetite == Appetite::More {
            appetite = decoder.feed(bytes, &at, &mut observation);
        }
    }
    if appetite == Appetite::More {
        decoder.finish(&at, &mut observation);
    }
    assert!(observation.outcome.is_some(), "a response that ended has no outcome");
    observation
}

/// A connection's bytes, until it is closed. The first byte says how they are cut into reads, and whether
/// they answer a HEAD; however they are cut, the same response comes out, and the same bytes are left over.
pub fn http_response(data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else { return };
    let whole = http(*cut, std::iter::once(stream));
    let pieces = http(*cut, stream.chunks(usize::from(*cut).max(1)));
    assert_eq!(whole, pieces, "the response depends on how the stream was cut");
    assert!(whole.body.len() + whole.left_over <= stream.len(), "bytes that never came");
}

/// A chunked body, as `http_response` checks it.
pub fn http_chunked(data: &[u8]) {
    let Some((cut, body)) = data.split_first() else { return };
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    http_response(&[&[*cut & 0x7f], &head[..], body].concat());
}

#[derive(Debug, Default, PartialEq)]
struct Http {
    head: Option<Head>,
    body: Vec<u8>,
    is_whole: bool,
    keeps_alive: bool,
    left_over: usize,
    fault: Option<ResponseFault>,
}

fn http<'a>(first: u8, reads: impl Iterator<Item = &'a [u8]>) -> Http {
    let mut reader = ResponseReader::new(first & 0x80 != 0);
    let mut seen = Http::default();
    for mut bytes in reads {
        loop {
            match reader.next(&mut bytes) {
                Ok(Some(Part::Head(head))) => assert!(seen.head.replace(*head).is_none(), "two heads"),
                Ok(Some(Part::Body(data))) => {
                    assert!(!data.is_empty() && seen.head.is_some() && !seen.is_whole);
                    seen.body.extend_from_slice(data);
                }
                Ok(Some(Part::End)) => seen.is_whole = true,
                Ok(None) => break,
                Err(fault) => return Http { fault: Some(fault), ..Http::default() },
            }
        }
        assert!(bytes.is_empty() || reader.is_done(), "bytes of the response are left");
        seen.left_over += bytes.len();
    }
    seen.is_whole |= reader.close().is_ok();
    seen.keeps_alive = reader.keeps_alive();
    seen
}

/// A segment of the journal, as a crash may leave it.
pub fn journal(data: &[u8]) {
    let (first, damage) = loadgen_record::read_bytes(data);
    let (second, again) = loadgen_record::read_bytes(data);
    assert_eq!((first.len(), damage.len()), (second.len(), again.len()), "reading changes with the reading");
}

/// A line of a trace.
pub fn trace_line(data: &[u8]) {
    for block_size in [1, 16, 512] {
        if let Err(fault) = parse_line(data, block_size) {
            assert!(!fault.to_string().is_empty(), "a fault without a word");
        }
    }
}

/// Lengths as text: a mix of classes, and ratios of windows. A mix that is read is written so that it reads
/// the same, and its shares make a whole.
pub fn lengths(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for style in [RangeStyle::Vllm, RangeStyle::Sglang] {
        let _ = RangeRatio::parse(text, style);
    }
    let Ok(mix) = text.parse::<SequenceMix>() else { return };
    let sum: f64 = mix.classes().iter().map(|class| class.percent).sum();
    assert!((sum - 100.0).abs() < 1e-3, "{mix}: the shares sum to {sum}");
    assert_eq!(mix.to_string().parse::<SequenceMix>(), Ok(mix));
}

/// A rate as text: a sinusoid, a constant, a smoothness. What is read is written so that it reads the same,
/// and the inverse of the integral neither decreases nor turns into something that is no time.
pub fn sinusoid(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = text.parse::<Rate>();
    let _ = text.parse::<Smoothness>();
    let Ok(wave) = text.parse::<Sinusoid>() else { return };
    assert_eq!(wave.to_string().parse::<Sinusoid>(), Ok(wave));
    let mut last = 0.0;
    for expected in [0.0, 1e-9, 1.0, 2.0, 1e3, 1e6, 1e9, 1e15] {
        let time_s = wave.time_of(expected);
        // A root is settled to a hundredth of a nanosecond; two that lie closer may swap.
        assert!(
            time_s >= last - 2e-11,
            "{wave}: the inverse goes back, from {last} to {time_s} at {expected}"
        );
        last = time_s.max(last);
    }
}

/// Service level objectives as text.
pub fn slo(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match SloSet::parse(text, &MetricConfig::default()) {
        Ok(set) => assert!(!set.is_empty(), "objectives that are none"),
        Err(fault) => assert!(!fault.to_string().is_empty(), "a fault without a word"),
    }
}

/// The address of a server. What was understood never shows a password again.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(target) = Target::parse(text) {
        assert!(!target.origin().contains('@'), "credentials in the origin {}", target.origin());
    }
}

/// What a server says at `/metrics`; the first byte says in which dialect. Whatever it is, every reading is
/// finite, a histogram has a count for each bound, and the bounds ascend.
pub fn exposition(data: &[u8]) {
    use loadgen_telemetry::exposition::{Dialect, parse, readings};
    let Some((which, text)) = data.split_first() else { return };
    let dialect = if which & 1 == 0 { Dialect::Plain } else { Dialect::OpenMetrics };
    let Ok(families) = parse(&String::from_utf8_lossy(text), dialect) else { return };
    for (name, reading) in readings(families).series {
        match reading {
            Reading::Scalar(value) => assert!(value.is_finite()),
            Reading::Histogram { buckets, sum, count } => {
                assert_eq!(buckets.len(), name.bounds.len());
                assert!(
                    sum.is_finite() && count.is_finite() && buckets.iter().all(|bucket| bucket.is_finite())
                );
                let bound = |text: &String| text.parse().unwrap_or(f64::INFINITY);
                let bounds: Vec<f64> = name.bounds.iter().map(bound).collect();
                assert!(bounds.windows(2).all(|pair| pair[0].total_cmp(&pair[1]).is_le()), "{bounds:?}");
            }
        }
    }
}
