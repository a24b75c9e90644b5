#![allow(clippy::unwrap_used)]
use std::io::Write as _;

use loadgen_core::{ChunkKind, Nanos, StampSource};
use proptest::prelude::*;

mod calls;
mod endpoints;
mod parity;

use super::*;
use crate::endpoint::EndpointKind;

fn at(read: u64, stamp: i64) -> Arrival {
    Arrival {
        stamp: Nanos(stamp),
        source: StampSource::Kernel,
        read_at: Nanos(stamp + 2),
        read,
        is_drained: true,
        not_before: Nanos(stamp - 5),
        place: Place::Unknown,
    }
}

/// Feeds each piece as one read, 10 ns after the other, under a complete 200 response.
fn decode(kind: EndpointKind, content_type: &str, pieces: &[&[u8]]) -> Observation {
    let mut decoder = ResponseDecoder::new(kind);
    let mut observation = Observation::starting_at(Nanos(0));
    let mut appetite = decoder.head(200, "OK", content_type, "", &mut observation);
    let mut arrival = Arrival::default();
    for (index, piece) in pieces.iter().enumerate() {
        if appetite == Appetite::Enough {
            return observation;
        }
        arrival = at(index as u64 + 1, 10 * (index as i64 + 1));
        appetite = decoder.feed(piece, &arrival, &mut observation);
    }
    if appetite == Appetite::More {
        decoder.finish(&arrival, &mut observation);
    }
    observation
}

fn chat(pieces: &[&str]) -> Observation {
    let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
    decode(EndpointKind::Chat, "text/event-stream; charset=utf-8", &pieces)
}

fn delta(inside: &str) -> String {
    format!(
        "data: {{\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{{inside}}}}}]}}\n\n"
    )
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn content_counts_and_roles_usage_and_done_do_not() {
    let seen = chat(&[
        &delta(r#""role":"assistant","content":null"#),
        &delta(r#""content":"a\n""#),
        ": keep-alive\n\n",
        &delta(r#""content":" ""#),
        &delta(r#""content":"""#),
        "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n",
        "data: {\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"completion_tokens\":2}}\n\n",
        "data: [DONE]\n\n",
    ]);
    assert_eq!(seen.outcome, Some(Outcome::Ok));
    assert_eq!(seen.chunks.offset_ns, [20, 40]);
    assert_eq!(seen.chunks.read_lag_ns, [2, 2]);
    assert_eq!(seen.chunks.uncertainty_ns, [0, 0]);
    assert_eq!(text(&seen.chunks.output), "a\\n ");
    assert_eq!(seen.finish_reason.as_deref(), Some("length"));
    assert_eq!(seen.usage.unwrap().completion_tokens, Some(2));
    assert_eq!((seen.instants.first_token, seen.instants.last_token), (Some(Nanos(20)), Some(Nanos(40))));
    assert_eq!(u64::from(seen.stamps.kernel), seen.chunks.len() as u64);
}

#[test]
fn reasoning_and_tools_have_their_own_places() {
    let seen = chat(&[
        &delta(r#""reasoning_content":"","reasoning":"th""#),
        &delta(r#""reasoning_content":"ink","content":"so""#),
        &delta(r#""content":"x","tool_calls":[{"function":{"name":"get","arguments":"{\"a\":"}}]"#),
        &delta(r#""tool_calls":[{"index":0,"function":{"arguments":"1}"}}]"#),
    ]);
    assert_eq!(seen.chunks.kind, [ChunkKind::Reasoning, ChunkKind::Text, ChunkKind::Tool, ChunkKind::Tool]);
    assert_eq!(text(&seen.chunks.reasoning), "think");
    assert_eq!(text(&seen.chunks.output), r#"soget{\"a\":1}"#, "prose beside a call is no output");
    assert_eq!(seen.chunks.reasoning_end, [2, 5, 5, 5]);
    assert_eq!(seen.chunks.output_end, [0, 2, 12, 14]);
    assert_eq!(seen.instants.first_output_token, Some(Nanos(20)));
}

#[test]
fn an_unknown_object_is_no_content() {
    let seen =
        chat(&["data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", &delta(r#""content":"b""#)]);
    assert_eq!(text(&seen.chunks.output), "b");
    assert_eq!(seen.chunks.offset_ns, [20]);
}

#[test]
fn chunks_that_share_a_read_are_never_exact() {
    let two = [delta(r#""content":"b""#), delta(r#""content":"c""#)].concat();
    let seen = chat(&[&delta(r#""content":"a""#), &two, &delta(r#""content":"d""#)]);
    assert_eq!(seen.chunks.offset_ns, [10, 20, 20, 30]);
    assert_eq!(seen.chunks.uncertainty_ns, [0, 5, 5, 0]);
}

#[test]
fn a_read_that_ends_with_another_event_leaves_its_chunk_uncertain_however_prompt() {
    // What follows is whole, or has only begun.
    for behind in ["data: [DONE]\n\n", &delta(r#""content":"b""#)[..30], "d"] {
        let piece = [&delta(r#""content":"a""#), behind].concat();
        let mut decoder = ResponseDecoder::new(EndpointKind::Chat);
        let mut seen = Observation::starting_at(Nanos(0));
        let _ = decoder.head(200, "OK", "text/event-stream", "", &mut seen);
        let _ = decoder.feed(piece.as_bytes(), &at(1, 10), &mut seen);
        assert_eq!(seen.chunks.uncertainty_ns, [5]);
    }
}

#[test]
fn what_came_before_a_chunk_in_its_read_leaves_it_exact() {
    let piece = [delta(r#""role":"assistant","content":null"#), delta(r#""content":"a""#)].concat();
    assert_eq!(chat(&[&piece]).chunks.uncertainty_ns, [0], "the stamp is that of the last bytes: its own");
}

#[test]
fn an_error_inside_the_stream_stands_beside_what_came() {
    let seen = chat(&[
        &delta(r#""content":"a""#),
        "data: {\"error\":{\"message\":\"no worker\",\"type\":\"Gone\",\"code\":503}}\n\ndata: [DONE]\n\n",
    ]);
    assert_eq!(seen.outcome, Some(Outcome::Ok), "as AIPerf counts it");
    let error = seen.error.unwrap();
    assert_eq!((error.code, error.error_type.as_str()), (Some(503), "Gone"));
    assert!(error.message.ends_with("no worker"), "{}", error.message);
    assert_eq!(seen.chunks.len(), 1);

    let text_error = chat(&["data: {\"error\":\"bad\"}\n\n"]);
    assert_eq!(text_error.outcome, Some(Outcome::Failed(FailureKind::InvalidResponse)));
    let error = text_error.error.unwrap();
    assert_eq!(error.error_type, "InvalidInferenceResultError");
    assert!(error.cause.unwrap().ends_with("bad"), "what the server said is the cause");
}

#[test]
fn an_error_event_ends_the_stream() {
    let rest = delta(r#""content":"b""#);
    let seen = chat(&[&delta(r#""content":"a""#), ": out of memory\nevent: ERROR\ndata: {}\n\n", &rest]);
    assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::StreamError)));
    let error = seen.error.unwrap();
    assert_eq!((error.code, error.error_type.as_str()), (Some(502), "SSEResponseError"));
    assert_eq!(error.message, "SSEResponseError('Error occurred in SSE response: out of memory')");
    assert_eq!(error.cause_chain, ["SSEResponseError"]);
    assert_eq!(seen.chunks.len(), 1);
    let bare = chat(&["event: error\ndata: {\"error\": \"x\"}\n\n"]).error.unwrap();
    assert_eq!(
        bare.message,
        "SSEResponseError('Error occurred in SSE response: Unknown error in SSE response: \
         SSEMessage(packets=[SSEField(name=\\'event\\', value=\\'error\\'), \
         SSEField(name=\\'data\\', value=\\'{\"error\": \"x\"}\\')])')"
    );
}

#[test]
fn a_stream_that_never_ends_is_given_up() {
    let piece = delta(&format!(r#""content":"{}""#, "x".repeat(1 << 20)));
    let pieces: Vec<&str> = std::iter::repeat_n(&piece[..], 100).collect();
    let seen = chat(&pieces);
    assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::StreamError)));
    assert_eq!(seen.chunks.len(), (MOST_TEXT_BYTES >> 20) + 1);
}

#[test]
fn names_that_a_server_makes_up_are_kept_short_and_without_secrets() {
    let long = "é".repeat(MOST_NAME_BYTES);
    let seen = chat(&[
        &format!(
            "data: {{\"object\":\"chat.completion.chunk\",\"choices\":[{{\"delta\":{{\"content\":\"a\"}},\"finish_reason\":\"{long}\"}}]}}\n\n"
        ),
        &format!("data: {{\"error\":{{\"message\":\"m\",\"type\":\"{long}\"}}}}\n\n"),
    ]);
    assert_eq!(seen.finish_reason.unwrap().len(), MOST_NAME_BYTES);
    assert_eq!(seen.error.unwrap().error_type.len(), MOST_NAME_BYTES);
    let mut seen = Observation::default();
    let mut decoder = ResponseDecoder::new(EndpointKind::Chat);
    let _ = decoder.head(401, "Bad key sk-abcdefghijklmnop", "", "", &mut seen);
    decoder.finish(&at(1, 1), &mut seen);
    assert_eq!(seen.error.unwrap().error_type, "Bad key <redacted>");
}

#[test]
fn garbage_is_dropped_and_nothing_but_garbage_is_invalid() {
    let seen = chat(&["data: {oops\n\n", "data: \u{fffd}\n\n", &delta(r#""content":"a""#)]);
    assert_eq!((seen.outcome, seen.chunks.len()), (Some(Outcome::Ok), 1));
    for pieces in [&["data: {oops\n\n"][..], &["<html></html>"], &[], &["data: [DONE]\n\n"]] {
        let seen = chat(pieces);
        assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::InvalidResponse)), "{pieces:?}");
        let error = seen.error.unwrap();
        assert_eq!((error.error_type.as_str(), error.code), ("InvalidInferenceResultError", None));
        assert!(error.message.ends_with("(only usage/metadata, null/empty data, or [DONE] markers)')"));
    }
}

#[test]
fn a_body_that_is_neither_events_nor_json_is_named_and_quoted() {
    let message = |content_type: &str, body: &str| {
        let seen = decode(EndpointKind::Chat, content_type, &[body.as_bytes()]);
        assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::InvalidResponse)));
        let error = seen.error.unwrap();
        assert_eq!(error.error_type, "InvalidInferenceResultError");
        error.cause.unwrap_or_default()
    };
    let html = message("Text/HTML; charset=utf-8", "\n<!doctype html>\n<title>Console</title>");
    assert!(html.contains("answered with text/html"), "{html}");
    assert!(html.ends_with("begins: <!doctype html> <title>Console</title>"), "{html}");
    let long = message("text/plain", &"é".repeat(5_000));
    assert!(long.ends_with(&format!(": {}…", "é".repeat(80))), "{long}");
    for content_type in ["application/json", "application/problem+json", ""] {
        assert!(!message(content_type, "{}").contains("begins"), "{content_type}");
    }
}

#[test]
fn a_mislabelled_answer_is_still_an_answer() {
    let body = br#"{"object":"text_completion","choices":[{"text":"hi"}]}"#;
    let seen = decode(EndpointKind::Completions, "text/plain", &[body]);
    assert_eq!((seen.outcome, text(&seen.chunks.output)), (Some(Outcome::Ok), "hi"));
}

#[test]
fn invalid_utf8_costs_its_characters_and_not_the_chunk() {
    let mut piece = delta(r#""content":"a?b""#).into_bytes();
    let hole = piece.iter().position(|byte| *byte == b'?').unwrap();
    piece[hole] = 0xff;
    let seen = decode(EndpointKind::Chat, "text/event-stream", &[&piece]);
    assert_eq!(text(&seen.chunks.output), "a\u{fffd}b");
}

#[test]
fn a_body_that_is_no_stream_is_one_chunk_when_its_last_bytes_came() {
    let body = br#"{"object":"text_completion","choices":[{"text":"hi \"you\"","finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#;
    let seen = decode(EndpointKind::Completions, "application/json", &[&body[..20], &body[20..]]);
    assert_eq!(seen.outcome, Some(Outcome::Ok));
    assert_eq!((seen.chunks.offset_ns.as_slice(), text(&seen.chunks.output)), (&[20][..], r#"hi \"you\""#));
    assert_eq!(seen.chunks.bytes, [body.len() as i32]);
    assert_eq!((seen.finish_reason.as_deref(), seen.usage.unwrap().prompt_tokens), (Some("stop"), Some(1)));
}

#[test]
fn an_error_status_carries_its_body() {
    let mut decoder = ResponseDecoder::new(EndpointKind::Chat);
    let mut seen = Observation::starting_at(Nanos(0));
    let _ = decoder.head(429, "Too Many Requests", "application/json", "", &mut seen);
    let _ = decoder.feed(b"{\"detail\": \"slow ", &at(1, 10), &mut seen);
    let _ = decoder.feed(b"down\"}", &at(2, 20), &mut seen);
    decoder.finish(&at(2, 20), &mut seen);
    assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::HttpError)));
    let error = seen.error.unwrap();
    assert_eq!((error.code, error.error_type.as_str()), (Some(429), "Too Many Requests"));
    assert_eq!(error.message, "{\"detail\": \"slow down\"}");
}

#[test]
fn compressed_bodies_are_read_as_they_come() {
    let stream = [delta(r#""content":"a""#), delta(r#""content":"b""#)];
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(stream[0].as_bytes()).unwrap();
    encoder.flush().unwrap();
    let first = std::mem::take(encoder.get_mut());
    encoder.write_all(stream[1].as_bytes()).unwrap();
    let second = encoder.finish().unwrap();

    let mut decoder = ResponseDecoder::new(EndpointKind::Chat);
    let mut seen = Observation::starting_at(Nanos(0));
    assert_eq!(decoder.head(200, "OK", "text/event-stream", "GZIP", &mut seen), Appetite::More);
    let _ = decoder.feed(&first, &at(1, 10), &mut seen);
    assert_eq!(seen.chunks.offset_ns, [10]);
    let _ = decoder.feed(&second, &at(2, 20), &mut seen);
    decoder.finish(&at(2, 20), &mut seen);
    assert_eq!((seen.outcome, text(&seen.chunks.output)), (Some(Outcome::Ok), "ab"));

    let mut decoder = ResponseDecoder::new(EndpointKind::Chat);
    let mut seen = Observation::starting_at(Nanos(0));
    assert_eq!(decoder.head(200, "OK", "text/event-stream", "br", &mut seen), Appetite::Enough);
    assert!(seen.error.unwrap().message.contains("encoding br"));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        content_type in prop_oneof![Just("text/event-stream"), Just("application/json")],
        coding in prop_oneof![Just(""), Just("gzip"), Just("deflate")],
        status in 200u16..600,
        kind in prop::sample::select(&EndpointKind::ALL[..]),
    ) {
        let mut decoder = ResponseDecoder::new(kind);
        let mut seen = Observation::default();
        let _ = decoder.head(status, "", content_type, coding, &mut seen);
        let _ = decoder.feed(&bytes, &at(1, 1), &mut seen);
        decoder.finish(&at(1, 1), &mut seen);
        prop_assert!(seen.outcome.is_some());
    }

    /// The parser is the oracle: what is found in an event because the one before it had the same shape is
    /// what parsing would have found.
    #[test]
    fn remembered_shapes_give_what_parsing_gives(
        kind in prop::sample::select(vec![
            EndpointKind::Chat,
            EndpointKind::Completions,
            EndpointKind::Messages,
            EndpointKind::HuggingfaceGenerate,
            EndpointKind::SolidoRag,
        ]),
        events in prop::collection::vec((shapes(), prop::collection::vec(texts(), 1..4)), 1..12),
    ) {
        let stream: Vec<u8> = events
            .iter()
            .flat_map(|(shape, texts)| texts.iter().map(move |text| (shape, text)))
            .flat_map(|(shape, text)| {
                let (before, after) = shape.split_once('@').unwrap_or((shape, ""));
                [b"data: ", before.as_bytes(), text, after.as_bytes(), b"\n\n"].concat()
            })
            .collect();
        let observed = |template: Template| {
            let mut decoder = ResponseDecoder::new(kind);
            let mut seen = Observation::starting_at(Nanos(0));
            let _ = decoder.head(200, "OK", "text/event-stream", "", &mut seen);
            decoder.mode = Mode::Events { parser: SseParser::default(), template };
            let _ = decoder.feed(&stream, &at(1, 10), &mut seen);
            decoder.finish(&at(1, 10), &mut seen);
            seen
        };
        let (quick, parsed) = (observed(Template::default()), observed(Template::without_memory()));
        prop_assert_eq!(&quick.chunks, &parsed.chunks);
        prop_assert_eq!((&quick.usage, &quick.finish_reason), (&parsed.usage, &parsed.finish_reason));
        prop_assert_eq!((quick.outcome, &quick.error), (parsed.outcome, &parsed.error));
        prop_assert_eq!(quick.instants, parsed.instants);
    }
}

/// Events as servers write them, and some that nobody should; `@` is where the text stands.
fn shapes() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        r#"{"object":"chat.completion.chunk","choices":[{"delta":{"content":"@"}}]}"#,
        r#"{"object":"chat.completion.chunk","choices":[{"delta":{"content":"@"},"finish_reason":null}],"usage":null}"#,
        r#"{"object":"chat.completion.chunk","choices":[{"delta":{"reasoning_content":"@","content":null}}]}"#,
        r#"{"object":"chat.completion.chunk","choices":[{"delta":{"reasoning":"@","reasoning_content":""}}]}"#,
        r#"{"object":"chat.completion.chunk","choices":[{"delta":{"reasoning":"r","content":"@"}}]}"#,
        r#"{"object":"chat.completion.chunk","choices":[{"delta":{"content":"@"},"finish_reason":"stop"}]}"#,
        r#"{"object":"chat.completion.chunk","choices":[{"delta":{"content":"@"}}],"usage":{"prompt_tokens":1}}"#,
        r#"{"object":"chat.completion.chunk","choices":[{"delta":{"content":"c"}}],"id":"@"}"#,
        r#"{"object":"@","choices":[{"delta":{"content":"c"}}]}"#,
        r#"{"object":"chat.completion.chunk","choices":[{"delta":{"content":"a"}},{"delta":{"content":"@"}}]}"#,
        r#"{"object":"chat.completion.chunk","choices":[{"delta":{"content":"@","tool_calls":[{"function":{"name":"f"}}]}}]}"#,
        r#"{"object":"chat.completion.chunk","choices":[{"delta":{"content":"@"}}],"error":{"message":"m"}}"#,
        r#"{"object":"text_completion","choices":[{"text":"@"}]}"#,
        r#"{"object":"text_completion","choices":[{"text":"@","finish_reason":null}]}"#,
        r#"{"object":"text_completion","choices":[{"text":"@""#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"@"},"usage":{"output_tokens":3}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"t"},"x":"@"}"#,
        r#"{"type":"@","index":0,"delta":{"type":"text_delta","text":"t"}}"#,
        r#"{"token":{"text":"@"},"generated_text":null,"details":null}"#,
        r#"{"token":{"text":"t"},"generated_text":"@","details":{"finish_reason":"length"}}"#,
        r#"{"content":"@"}"#,
        r#"{"content":"@","error":"e"}"#,
        "[DONE]",
    ])
}

/// Texts, and what breaks out of one.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b" the"[..],
        b"",
        b"\\n",
        b"\\\"",
        b"\\u00e9",
        b"\\ud800",
        b"\\",
        b"\"",
        b"\",\"finish_reason\":\"length\",\"x\":\"",
        b"\"}}],\"usage\":{\"prompt_tokens\":7},\"x\":[{\"y\":{\"z\":\"",
        b"\x01",
        b"\xc3\xa9",
        b"\xc3",
        b"\t",
    ]);
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}
