//! What real servers sent: whatever way the bytes are cut, the same chunks and the same usage.

use std::fs;
use std::path::PathBuf;

use loadgen_core::{ChunkKind, FailureKind, Nanos, Outcome, StampSource};
use loadgen_wire::{Appetite, Arrival, EndpointKind, Observation, ResponseDecoder};

use crate::client::{Client, output_of, run};
use crate::server::{Script, Server, read_request};

/// A capture and what it must decode to.
#[derive(Clone, Copy)]
struct Case {
    file: &'static str,
    kind: EndpointKind,
    outcome: Outcome,
    chunks: usize,
    /// How the output begins.
    output: &'static str,
    finish: Option<&'static str>,
    /// Prompt and completion tokens.
    usage: Option<(i64, i64)>,
}

const fn ok(
    file: &'static str,
    chunks: usize,
    output: &'static str,
    finish: &'static str,
    usage: Option<(i64, i64)>,
) -> Case {
    Case { file, kind: EndpointKind::Chat, outcome: Outcome::Ok, chunks, output, finish: Some(finish), usage }
}

const fn text(case: Case) -> Case {
    Case { kind: EndpointKind::Completions, ..case }
}

const fn responses(case: Case) -> Case {
    Case { kind: EndpointKind::Responses, ..case }
}

const fn messages(case: Case) -> Case {
    Case { kind: EndpointKind::Messages, ..case }
}

const fn fails(file: &'static str, kind: FailureKind, chunks: usize) -> Case {
    Case {
        file,
        kind: EndpointKind::Chat,
        outcome: Outcome::Failed(kind),
        chunks,
        output: "",
        finish: None,
        usage: None,
    }
}

/// A success as AIPerf counts it, though the server told of an error inside it.
const fn told(file: &'static str, chunks: usize) -> Case {
    Case { outcome: Outcome::Ok, ..fails(file, FailureKind::StreamError, chunks) }
}

const CASES: &[Case] = &[
    ok("dynamo-mocker/chat_nonstream.raw", 1, " defaults also sizeAD", "length", Some((39, 12))),
    ok("dynamo-mocker/chat_stream_n2.raw", 12, "rary getattrwn include", "length", Some((39, 12))),
    ok("dynamo-mocker/chat_stream_usage.raw", 12, " indexote mark doesn", "length", Some((39, 12))),
    ok("dynamo-mocker/chat_stream_usage_continuous.raw", 12, " item direro", "length", Some((39, 12))),
    ok("dynamo-mocker/http10_stream.raw", 12, "NO repre buffer", "length", Some((39, 12))),
    text(ok("dynamo-mocker/completions_nonstream.raw", 1, " ite']bingist", "length", Some((6, 12)))),
    text(ok("dynamo-mocker/completions_stream.raw", 12, "'' like these", "length", None)),
    fails("dynamo-mocker/err_bad_json.raw", FailureKind::HttpError, 0),
    fails("dynamo-mocker/err_too_long.raw", FailureKind::InvalidResponse, 0),
    told("dynamo-mocker/err_worker_killed_midstream.raw", 8),
    ok("guidellm-mock/chat_nonstream.raw", 1, "Score each cause.", "stop", Some((20, 12))),
    ok("guidellm-mock/chat_stream_tools_required.raw", 3, "get_weather{}", "tool_calls", Some((20, 16))),
    ok("guidellm-mock/chat_stream_usage.raw", 12, "Score each cause.", "stop", Some((20, 12))),
    text(ok("guidellm-mock/completions_nonstream.raw", 1, "Score each cause.", "stop", Some((7, 12)))),
    text(ok("guidellm-mock/completions_stream.raw", 12, "Score each cause.", "stop", None)),
    fails("guidellm-mock/err_bad_json.raw", FailureKind::HttpError, 0),
    ok("llama-server/chat_nonstream.raw", 1, "iATgth cannot This", "length", Some((39, 12))),
    ok("llama-server/chat_stream_unicode.raw", 12, "ct heboxare\\n\\n", "length", Some((44, 12))),
    ok("llama-server/chat_stream_usage.raw", 11, " emptyUS\u{fffd}object", "length", Some((39, 12))),
    text(ok("llama-server/completions_nonstream.raw", 1, "().@value\u{fffd}j", "length", Some((6, 12)))),
    text(ok("llama-server/completions_stream.raw", 11, "\u{234}####ffixing", "length", Some((6, 12)))),
    fails("llama-server/err_bad_json.raw", FailureKind::HttpError, 0),
    fails("llama-server/err_server_killed_midstream.raw", FailureKind::StreamError, 37),
    ok("llmsim/chat_nonstream.raw", 1, "Velit occaecat", "stop", Some((23, 116))),
    ok("llmsim/chat_stream_unicode.raw", 35, "Commodo reprehenderit", "stop", Some((22, 104))),
    ok("llmsim/chat_stream_usage.raw", 35, "Ex consectetur", "stop", Some((23, 88))),
    fails("llmsim/err_bad_json.raw", FailureKind::HttpError, 0),
    ok("vidaimock/chat_nonstream.raw", 1, "This is a mock", "stop", Some((10, 10))),
    ok("vidaimock/chat_stream_tools_auto.raw", 1, "get_weather{}", "stop", Some((10, 10))),
    ok("vidaimock/chat_stream_usage.raw", 9, "This is a mock", "stop", Some((10, 10))),
    text(fails("vidaimock/completions_stream.raw", FailureKind::HttpError, 0)),
    fails("vidaimock/err_bad_json.raw", FailureKind::HttpError, 0),
    // The end of the text is content too, without any text.
    responses(ok(
        "dynamo-mocker/responses_stream.raw",
        13,
        " charactTION",
        "max_output_tokens",
        Some((18, 12)),
    )),
    responses(ok("guidellm-mock/responses_stream.raw", 13, "Score each cause.", "completed", Some((3, 12)))),
    responses(ok("llama-server/responses_stream.raw", 12, "5EX size", "completed", Some((18, 12)))),
    responses(ok("llmsim/responses_stream.raw", 36, "Elit do consequat", "completed", Some((2, 25)))),
    responses(ok("vidaimock/responses_stream.raw", 10, "This is a mock", "completed", Some((18, 25)))),
    messages(ok("dynamo-mocker/messages_stream.raw", 12, " raw variwithr", "max_tokens", Some((18, 12)))),
    // Its cached tokens are counted apart, and told at the beginning alone.
    messages(ok("llama-server/messages_stream.raw", 12, "ots le3 server", "max_tokens", Some((18, 12)))),
    messages(ok("vidaimock/messages_stream.raw", 4, "Anthropic mock", "end_turn", Some((16, 13)))),
];

fn data(file: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file)).unwrap()
}

/// Status, reason, content type and body of a captured response, chunk framing removed.
fn parts(raw: &[u8]) -> (u16, String, String, Vec<u8>) {
    let head_end = raw.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(raw[..head_end].to_vec()).unwrap();
    let mut status_line = head.lines().next().unwrap().splitn(3, ' ').skip(1);
    let status = status_line.next().unwrap().parse().unwrap();
    let reason = status_line.next().unwrap_or_default().to_owned();
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    let mut rest = &raw[head_end + 4..];
    let mut body = Vec::new();
    if header("transfer-encoding").is_none() {
        body.extend_from_slice(rest);
        rest = &[];
    }
    while let Some(line_end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line_end]).unwrap(), 16).unwrap();
        let chunk = &rest[line_end + 2..];
        body.extend_from_slice(&chunk[..size.min(chunk.len())]);
        rest = chunk.get(size + 2..).unwrap_or_default();
    }
    (status, reason, header("content-type").unwrap_or_default(), body)
}

/// Decodes a body cut into pieces of `size` bytes.
fn decode(kind: EndpointKind, raw: &[u8], size: usize) -> Observation {
    let (status, reason, content_type, body) = parts(raw);
    let mut decoder = ResponseDecoder::new(kind);
    let mut seen = Observation::starting_at(Nanos(0));
    assert_eq!(decoder.head(status, &reason, &content_type, "", &mut seen), Appetite::More);
    let mut at = Arrival::default();
    for (index, piece) in body.chunks(size).enumerate() {
        let stamp = Nanos(index as i64);
        at = Arrival {
            stamp,
            source: StampSource::Kernel,
            read_at: stamp,
            read: index as u64,
            is_drained: true,
            not_before: stamp,
            ..Arrival::default()
        };
        if decoder.feed(piece, &at, &mut seen) == Appetite::Enough {
            return seen;
        }
    }
    decoder.finish(&at, &mut seen);
    seen
}

fn check(case: &Case, seen: &Observation, how: &str) {
    let what = format!("{} {how}", case.file);
    assert_eq!(seen.outcome, Some(case.outcome), "{what}: {:?}", seen.error);
    assert_eq!(seen.chunks.len(), case.chunks, "{what}");
    assert!(output_of(seen).starts_with(case.output), "{what}: {}", output_of(seen));
    if case.outcome == Outcome::Ok {
        assert_eq!(seen.finish_reason.as_deref(), case.finish, "{what}");
        let usage =
            seen.usage.as_ref().map(|usage| (usage.prompt_tokens.unwrap(), usage.completion_tokens.unwrap()));
        assert_eq!(usage, case.usage, "{what}");
        assert_eq!(seen.error.is_some(), case.finish.is_none(), "{what}: what was told stands beside");
    }
}

/// All that does not depend on when the bytes came.
fn timeless(seen: &Observation) -> impl PartialEq + std::fmt::Debug + use<> {
    let chunks = seen.chunks.clone();
    (
        (chunks.kind, chunks.bytes, chunks.reasoning_end, chunks.output_end, chunks.reasoning, chunks.output),
        (seen.outcome, seen.error.clone(), seen.finish_reason.clone(), seen.usage.clone()),
    )
}

#[test]
fn every_capture_decodes_to_what_its_server_meant() {
    for case in CASES {
        let raw = data(case.file);
        if case.file.contains("server_killed") {
            continue; // A broken transfer: only a connection can tell.
        }
        let whole = decode(case.kind, &raw, usize::MAX);
        check(case, &whole, "whole");
        for size in (1..64).chain([100, 255, 256, 1000, 4096]) {
            assert_eq!(timeless(&decode(case.kind, &raw, size)), timeless(&whole), "{} by {size}", case.file);
        }
    }
}

#[test]
fn every_capture_survives_a_real_connection_in_pieces() {
    for case in CASES {
        let raw = data(case.file);
        for size in [usize::MAX, 700, 37] {
            let pieces: Vec<Vec<u8>> = raw.chunks(size).map(<[u8]>::to_vec).collect();
            let script: Script = Box::new(move |wire| {
                read_request(wire);
                for piece in pieces {
                    wire.write_all(&piece).unwrap();
                }
            });
            let server = Server::plain(vec![script]);
            let seen = run(async {
                let config = loadgen_wire::EndpointConfig::new(case.kind, true);
                Client::with(&server.url(), config, loadgen_wire::ConnectorConfig::default()).send().await
            });
            check(case, &seen, &format!("over a socket by {size}"));
        }
    }
}

#[test]
fn a_real_servers_vectors_are_an_answer() {
    for kind in [EndpointKind::Embeddings, EndpointKind::ChatEmbeddings, EndpointKind::NimEmbeddings] {
        let seen = decode(kind, &data("vidaimock/embeddings.raw"), usize::MAX);
        assert_eq!((seen.outcome, seen.chunks.len(), seen.chunks.output.len()), (Some(Outcome::Ok), 1, 0));
    }
}

#[test]
fn comments_between_events_are_no_content() {
    let raw = [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n",
        &data("dynamo-mocker/keepalive_chat.sse")[..],
    ]
    .concat();
    let seen = decode(EndpointKind::Chat, &raw, 1);
    assert_eq!(seen.outcome, Some(Outcome::Ok));
    let first_event = raw.windows(6).position(|window| window == b"data: ").unwrap();
    assert!(seen.chunks.offset_ns[0] > first_event as i64 - 60, "the first token is not a comment");
}

#[test]
fn tool_calls_are_told_from_text() {
    for file in ["guidellm-mock/chat_stream_tools_required.raw", "vidaimock/chat_stream_tools_auto.raw"] {
        let seen = decode(EndpointKind::Chat, &data(file), 11);
        assert!(seen.chunks.kind.iter().all(|kind| *kind == ChunkKind::Tool), "{file}");
        assert_eq!(output_of(&seen), "get_weather{}", "{file}");
    }
}
