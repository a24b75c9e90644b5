//! What counts as content, for each endpoint beside chat and completions.

use loadgen_core::{ChunkKind, Nanos, Outcome};

use super::{Appetite, EndpointKind, ResponseDecoder, ResponseField, ResponseFormat, at, decode, text};
use crate::observation::Observation;

fn stream(kind: EndpointKind, pieces: &[&str]) -> Observation {
    let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
    decode(kind, "text/event-stream", &pieces)
}

fn whole(kind: EndpointKind, body: &str) -> Observation {
    decode(kind, "application/json", &[body.as_bytes()])
}

fn is_invalid(seen: &Observation) -> bool {
    seen.outcome == Some(Outcome::Failed(loadgen_core::FailureKind::InvalidResponse))
        && seen.chunks.is_empty()
}

#[test]
fn responses_stream_typed_events() {
    let seen = stream(
        EndpointKind::Responses,
        &[
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"status\":\"in_progress\"}}\n\n",
            "data: {\"type\":\"response.reasoning_text.delta\",\"delta\":\"hm\"}\n\n",
            "data: {\"type\":\"response.output_text.delta\",\"output_index\":1,\"content_index\":0,\"delta\":\"a\"}\n\n",
            "data: {\"type\":\"response.output_text.delta\",\"output_index\":1,\"content_index\":0,\"delta\":\"b\"}\n\n",
            "data: {\"type\":\"response.output_text.done\",\"output_index\":1,\"content_index\":0,\"text\":\"ab\"}\n\n",
            "data: {\"type\":\"response.output_text.done\",\"output_index\":2,\"content_index\":0,\"text\":\"c\"}\n\n",
            "data: {\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{}\"}\n\n",
            "data: {\"type\":\"response.function_call_arguments.done\",\"arguments\":\"{}\"}\n\n",
            "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"error\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":4,\"output_tokens_details\":{\"reasoning_tokens\":1}}}}\n\n",
        ],
    );
    assert_eq!(seen.outcome, Some(Outcome::Ok));
    assert_eq!((text(&seen.chunks.output), text(&seen.chunks.reasoning)), ("abc{}", "hm"));
    // The end of a part that came in deltas is content without text: the latency ends there.
    assert_eq!(seen.chunks.offset_ns, [20, 30, 40, 50, 60, 70]);
    assert_eq!(seen.chunks.output_end, [0, 1, 2, 2, 3, 5]);
    assert_eq!(seen.instants.first_output_token, Some(Nanos(30)));
    let usage = seen.usage.unwrap();
    assert_eq!(
        (usage.prompt_tokens, usage.completion_tokens, usage.reasoning_tokens),
        (Some(3), Some(4), Some(1))
    );
    assert_eq!(seen.finish_reason.as_deref(), Some("completed"));
}

#[test]
fn a_response_that_reached_its_limit_is_an_answer_and_a_failed_one_says_why() {
    let delta = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n";
    let seen = stream(
        EndpointKind::Responses,
        &[
            delta,
            "data: {\"type\":\"response.incomplete\",\"response\":{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"usage\":{\"output_tokens\":1}}}\n\n",
        ],
    );
    assert_eq!((seen.outcome, seen.finish_reason.as_deref()), (Some(Outcome::Ok), Some("max_output_tokens")));
    assert_eq!(seen.usage.unwrap().completion_tokens, Some(1));
    for failed in [
        "data: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"no gpu\"}}}\n\n",
        "data: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"no gpu\"}\n\n",
    ] {
        let seen = stream(EndpointKind::Responses, &[delta, failed]);
        let told = seen.error.unwrap();
        assert!(told.message.ends_with("no gpu"), "{}", told.message);
    }
}

#[test]
fn the_id_of_an_answer_that_the_server_keeps_stands_for_it_unless_it_failed() {
    let created = "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\"}}\n\n";
    let delta = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n";
    let end = |status: &str, more: &str| {
        format!(
            "data: {{\"type\":\"response.{status}\",\"response\":{{\"id\":\"resp_1\",\"status\":\"{status}\"{more}}}}}\n\n"
        )
    };
    let id = |keeps_response_id: bool, end: &str| {
        let format = ResponseFormat { keeps_response_id, ..EndpointKind::Responses.into() };
        let mut decoder = ResponseDecoder::new(format);
        let mut seen = Observation::starting_at(Nanos(0));
        let _ = decoder.head(200, "OK", "text/event-stream", "", &mut seen);
        let _ = decoder.feed([created, delta, end].concat().as_bytes(), &at(1, 10), &mut seen);
        decoder.finish(&at(1, 10), &mut seen);
        seen.reply().response_id.map(|id| id.to_string())
    };
    assert_eq!(id(true, &end("completed", "")).as_deref(), Some("resp_1"));
    assert_eq!(id(false, &end("completed", "")), None, "nobody asked");
    assert_eq!(
        id(false, &end("completed", ",\"store\":true")).as_deref(),
        Some("resp_1"),
        "the server says so"
    );
    assert_eq!(id(true, &end("incomplete", "")), None);
    assert_eq!(id(true, &[&end("failed", "")[..], &end("completed", "")].concat()), None);
}

#[test]
fn a_whole_response_gives_the_first_kind_of_output_that_is_there() {
    let body = |output: &str| {
        format!(
            "{{\"object\":\"response\",\"status\":\"completed\",\"output\":[{output}],\"usage\":{{\"input_tokens\":1}}}}"
        )
    };
    let message = r#"{"type":"message","content":[{"type":"output_text","text":"a\n\"b\""}]}"#;
    let thinking = r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]}"#;
    let call = r#"{"type":"function_call","name":"f","arguments":"{}"}"#;
    let both = whole(EndpointKind::Responses, &body(&[thinking, message, call].join(",")));
    assert_eq!((text(&both.chunks.reasoning), text(&both.chunks.output)), ("hm", r#"a\n\"b\""#));
    assert_eq!(both.usage.unwrap().prompt_tokens, Some(1));
    let called = whole(EndpointKind::Responses, &body(call));
    assert_eq!((text(&called.chunks.output), &called.chunks.kind[..]), ("f{}", &[ChunkKind::Tool][..]));
    let short = whole(EndpointKind::Responses, r#"{"object":"response","output_text":"hi"}"#);
    assert_eq!(text(&short.chunks.output), "hi");
    assert!(is_invalid(&whole(EndpointKind::Responses, &body(""))));
}

#[test]
fn messages_stream_blocks_and_fold_their_usage() {
    let seen = stream(
        EndpointKind::Messages,
        &[
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":5,\"output_tokens\":1}}}\n\n",
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"x\"}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"b\"}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n\n",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ],
    );
    assert_eq!(seen.outcome, Some(Outcome::Ok));
    assert_eq!((text(&seen.chunks.reasoning), text(&seen.chunks.output)), ("hm", "ab{}"));
    assert_eq!(seen.chunks.offset_ns, [40, 60, 70, 80]);
    assert_eq!(seen.chunks.kind, [ChunkKind::Reasoning, ChunkKind::Text, ChunkKind::Text, ChunkKind::Tool]);
    let usage = seen.usage.unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (Some(15), Some(7), None));
    assert_eq!(seen.finish_reason.as_deref(), Some("end_turn"));
}

#[test]
fn a_whole_message_counts_calls_before_prose() {
    let body = |blocks: &str| {
        format!(
            "{{\"type\":\"message\",\"content\":[{blocks}],\"stop_reason\":\"tool_use\",\"usage\":{{\"input_tokens\":1,\"output_tokens\":2}}}}"
        )
    };
    let prose = r#"{"type":"text","text":"so"}"#;
    let call = r#"{"type":"tool_use","name":"f","input":{"a": 1}}"#;
    let seen = whole(EndpointKind::Messages, &body(&[prose, call].join(",")));
    assert_eq!(text(&seen.chunks.output), r#"f{\"a\":1}"#);
    assert_eq!(seen.finish_reason.as_deref(), Some("tool_use"));
    let thought = r#"{"type":"thinking","thinking":"hm"}"#;
    let seen = whole(EndpointKind::Messages, &body(&[thought, prose].join(",")));
    assert_eq!((text(&seen.chunks.reasoning), text(&seen.chunks.output)), ("hm", "so"));
}

#[test]
fn generate_takes_tokens_from_events_and_the_text_from_one_piece() {
    let seen = stream(
        EndpointKind::HuggingfaceGenerate,
        &[
            "data:{\"token\":{\"id\":1,\"text\":\"a\"},\"generated_text\":null,\"details\":null}\n\n",
            "data:{\"token\":{\"id\":2,\"text\":\" b\"},\"generated_text\":\"a b\",\"details\":{\"finish_reason\":\"length\"}}\n\n",
        ],
    );
    assert_eq!((text(&seen.chunks.output), seen.finish_reason.as_deref()), ("a b", Some("length")));
    for body in [r#"{"generated_text":"a b"}"#, r#"[{"generated_text":"a b"}]"#] {
        assert_eq!(text(&whole(EndpointKind::HuggingfaceGenerate, body).chunks.output), "a b");
    }
    let failed = stream(
        EndpointKind::HuggingfaceGenerate,
        &["data:{\"error\":\"busy\",\"error_type\":\"overloaded\"}\n\n"],
    );
    assert!(failed.chunks.is_empty() && failed.outcome != Some(Outcome::Ok));
    assert_eq!(text(&whole(EndpointKind::SolidoRag, r#"{"content":"x","sources":[]}"#).chunks.output), "x");
}

#[test]
fn vectors_and_scores_are_content_without_text() {
    for (kind, good, bad) in [
        (
            EndpointKind::Embeddings,
            r#"{"data":[{"object":"embedding","embedding":[0.1,2e-3]}],"usage":{"prompt_tokens":1}}"#,
            r#"{"data":[{"object":"other","embedding":[0.1]}]}"#,
        ),
        (EndpointKind::ChatEmbeddings, r#"{"embeddings":[[1,2]]}"#, r#"{"embeddings":[]}"#),
        (EndpointKind::NimRankings, r#"{"rankings":[{"index":0,"logit":1.0}]}"#, r#"{"rankings":[]}"#),
        (EndpointKind::CohereRankings, r#"{"results":[{"index":0,"relevance_score":0.5}]}"#, "[1]"),
        (EndpointKind::HfTeiRankings, r#"[{"index":0,"score":0.5}]"#, "[]"),
        (EndpointKind::HfTeiRankings, r#"{"results":[{"index":0}]}"#, "{}"),
    ] {
        let seen = whole(kind, good);
        assert_eq!(seen.outcome, Some(Outcome::Ok), "{kind:?}");
        assert_eq!(
            (seen.chunks.len(), seen.chunks.output.len(), seen.usage.is_some()),
            (1, 0, false),
            "{kind:?}"
        );
        assert!(is_invalid(&whole(kind, bad)), "{kind:?}: {bad}");
    }
}

#[test]
fn free_answers_are_looked_for() {
    for (body, output) in [
        (r#"{"text":"a"}"#, "a"),
        (r#"{"output":["a","b"]}"#, "ab"),
        (r#"{"choices":[{"delta":{"content":"a"}}]}"#, "a"),
        (r#"{"choices":[{"message":{"content":"a"}}]}"#, "a"),
        (r#""a\n""#, r"a\n"),
        ("plain \"text\"", r#"plain \"text\""#),
        ("{}", "{}"),
    ] {
        let seen = whole(EndpointKind::Raw, body);
        assert_eq!((seen.outcome, text(&seen.chunks.output)), (Some(Outcome::Ok), output), "{body}");
    }
    for body in
        [r#"{"data":[{"object":"embedding","embedding":[1]}]}"#, r#"[{"score":1}]"#, r#"{"results":[]}"#]
    {
        let seen = whole(EndpointKind::Raw, body);
        assert_eq!(
            (seen.outcome, seen.chunks.len(), seen.chunks.output.len()),
            (Some(Outcome::Ok), 1, 0),
            "{body}"
        );
    }
    assert!(is_invalid(&whole(EndpointKind::Raw, r#"{"id":1}"#)));
}

#[test]
fn the_mark_of_a_streams_end_is_text_of_a_raw_answer_and_of_no_other() {
    let pieces = ["data: {\"text\":\"a\"}\n\n", "data: [DONE]\n\n"];
    let raw = stream(EndpointKind::Raw, &pieces);
    assert_eq!((text(&raw.chunks.output), &raw.chunks.offset_ns[..]), ("a[DONE]", &[10, 20][..]));
    for kind in EndpointKind::ALL {
        let seen = stream(kind, &["data: [DONE]\n\n"]);
        assert_eq!(
            seen.chunks.is_empty(),
            !matches!(kind, EndpointKind::Raw | EndpointKind::Template),
            "{kind:?}"
        );
    }
}

#[test]
fn an_expression_says_where_the_answer_stands() {
    let read = |kind, strict, body: &str| {
        let field = ResponseField::new("answer.parts[*].t | join('', @)", strict).unwrap();
        let format = ResponseFormat { field: Some(field), ..kind };
        let mut decoder = ResponseDecoder::new(format);
        let mut seen = Observation::starting_at(Nanos(0));
        assert_eq!(decoder.head(200, "OK", "application/json", "", &mut seen), Appetite::More);
        let _ = decoder.feed(body.as_bytes(), &at(1, 10), &mut seen);
        decoder.finish(&at(1, 10), &mut seen);
        text(&seen.chunks.output).to_owned()
    };
    let there = r#"{"answer":{"parts":[{"t":"a"},{"t":"b"}]},"text":"other"}"#;
    let elsewhere = r#"{"text":"other"}"#;
    assert_eq!(read(EndpointKind::Raw.into(), false, there), "ab");
    assert_eq!(read(EndpointKind::Raw.into(), false, elsewhere), "other");
    assert_eq!(read(EndpointKind::Template.into(), true, there), "ab");
    assert_eq!(read(EndpointKind::Template.into(), true, elsewhere), "");
    assert!(ResponseField::new("a..b", true).unwrap_err().contains("no JMESPath expression"));
}

#[test]
fn the_first_chunks_usage_is_kept_where_it_is_wanted() {
    let chunk = |content: &str, tokens: i64| {
        format!(
            "data: {{\"object\":\"chat.completion.chunk\",\"choices\":[{{\"delta\":{{\"content\":\"{content}\"}}}}],\"usage\":{{\"completion_tokens\":{tokens}}}}}\n\n"
        )
    };
    for (keeps_first_usage, first) in [(true, Some(3)), (false, None)] {
        let format = ResponseFormat { keeps_first_usage, ..EndpointKind::Chat.into() };
        let mut decoder = ResponseDecoder::new(format);
        let mut seen = Observation::starting_at(Nanos(0));
        let _ = decoder.head(200, "OK", "text/event-stream", "", &mut seen);
        for (read, piece) in [chunk("", 0), chunk("abc", 3), chunk("d", 4)].iter().enumerate() {
            let _ = decoder.feed(piece.as_bytes(), &at(read as u64 + 1, 10), &mut seen);
        }
        let usage = seen.usage.unwrap();
        assert_eq!((usage.completion_tokens, usage.first_chunk_tokens), (Some(4), first));
    }
}
