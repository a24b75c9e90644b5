//! Oddities of streams whose reading decides figures: read as AIPerf reads them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use loadgen_core::{FailureKind, Nanos, Outcome};

use super::{Appetite, EndpointKind, ResponseDecoder, at, chat, decode, delta, text};
use crate::observation::Observation;

#[test]
fn only_the_last_usage_counts_and_nothing_is_added_up() {
    let usage = |fields: &str| {
        format!("data: {{\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{fields}}}\n\n")
    };
    let seen = chat(&[
        &usage(r#"{"prompt_tokens":9}"#),
        &delta(r#""content":"a""#),
        &usage(r#"{"completion_tokens":1}"#),
        &usage("{}"),
        &usage("null"),
    ]);
    let usage = seen.usage.unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (None, Some(1), None));
    assert_eq!(seen.outcome, Some(Outcome::Ok));
}

#[test]
fn an_object_over_several_data_lines_is_one_chunk() {
    let whole = delta(r#""content":"a""#);
    let (head, tail) = whole.strip_prefix("data: ").unwrap().split_once(r#","choices""#).unwrap();
    let seen = chat(&[&format!("data: {head}\ndata: ,\"choices\"{tail}")]);
    assert_eq!((text(&seen.chunks.output), &seen.chunks.offset_ns[..]), ("a", &[10][..]));
    // A line of no field within a string that is not closed is the rest of the string.
    let seen = chat(&[&delta("\"content\":\"a\nb\"")]);
    assert_eq!(text(&seen.chunks.output), r"a\nb");
}

#[test]
fn the_second_name_of_reasoning_counts_where_the_first_is_empty() {
    let seen = chat(&[
        &delta(r#""reasoning_content":"","reasoning":"hm""#),
        &delta(r#""reasoning_content":"so","content":"yes""#),
        &delta(r#""content":"!""#),
    ]);
    assert_eq!((text(&seen.chunks.reasoning), text(&seen.chunks.output)), ("hmso", "yes!"));
    assert_eq!(
        (seen.instants.first_token, seen.instants.first_output_token),
        (Some(Nanos(10)), Some(Nanos(20)))
    );
}

#[test]
fn a_conversation_goes_on_with_the_text_of_each_chunk_or_its_reasoning() {
    let seen = chat(&[
        &delta(r#""reasoning":"hm""#),
        &delta(r#""reasoning_content":"so","content":"yes""#),
        &delta(r#""content":"!""#),
        &delta(r#""reasoning":"?""#),
    ]);
    assert_eq!(text(&seen.reply().text), "hmyes!?");
    assert_eq!(text(&chat(&[&delta(r#""reasoning":"hm""#)]).reply().text), "hm");
    let body = br#"{"object":"chat.completion","choices":[{"message":{"reasoning":"hm","content":"yes"}}]}"#;
    let whole = decode(EndpointKind::Chat, "application/json", &[body]);
    assert_eq!(text(&whole.reply().text), "yes");
    // At other endpoints the text alone.
    let seen = decode(
        EndpointKind::Responses,
        "text/event-stream",
        &[
            b"data: {\"type\":\"response.reasoning_text.delta\",\"delta\":\"hm\"}\n\n",
            b"data: {\"type\":\"response.output_text.delta\",\"delta\":\"yes\"}\n\n",
        ],
    );
    assert_eq!(text(&seen.reply().text), "yes");
}

#[test]
fn a_chunk_without_its_object_is_dropped_and_the_first_token_is_the_next() {
    let bare = "data: {\"choices\":[{\"delta\":{\"content\":\"lost\"}}]}\n\n";
    let seen = chat(&[bare, &delta(r#""content":"kept""#)]);
    assert_eq!((seen.instants.first_token, text(&seen.chunks.output)), (Some(Nanos(20)), "kept"));
}

#[test]
fn of_several_choices_the_first_one_counts() {
    let seen = chat(&[
        "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"a\"}},{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\n",
        "data: {\"object\":\"chat.completion.chunk\",\"choices\":[null,{\"delta\":{\"content\":\"c\"}}]}\n\n",
    ]);
    assert_eq!((text(&seen.chunks.output), seen.chunks.len()), ("a", 1));
}

#[test]
fn what_became_of_drafts_is_told_once_or_not_at_all() {
    let drafts = |histogram: &str| {
        format!(
            r#""metrics":{{"speculative_decoding":{{"mean_acceptance_length":2.5,"draft_acceptance_rate":0.75,
               "acceptance_histogram":{histogram},"num_accepted_draft_tokens":6,"num_draft_tokens":8,
               "num_spec_steps":4}}}}"#
        )
        .replace('\n', "")
    };
    let event =
        |more: &str| format!("data: {{\"object\":\"chat.completion.chunk\",\"choices\":[],{more}}}\n\n");
    let usage = r#""usage":{"completion_tokens":2}"#;
    let content = delta(r#""content":"a""#);
    let steps = |events: &[&str]| {
        let told = chat(events).usage.and_then(|usage| usage.speculative);
        told.map(|told| told.histogram)
    };
    let (one, other) = (event(&drafts("[1,0,3]")), event(&drafts("[0,2,2]")));
    let beside_usage = event(&format!("{usage},{}", drafts("[1,0,3]")));
    assert_eq!(steps(&[&content, &beside_usage]), Some(vec![(0, 1), (2, 3)]));
    assert_eq!(steps(&[&content, &one, &event(usage)]), Some(vec![(0, 1), (2, 3)]), "in front of the usage");
    assert_eq!(steps(&[&content, &one]), Some(vec![(0, 1), (2, 3)]), "without usage");
    assert_eq!(steps(&[&content, &one, &other, &event(usage)]), None, "of two answers");
    assert_eq!(
        steps(&[&content, &one, &event(usage), &event(&drafts("{}"))]),
        None,
        "of two, one unreadable"
    );
    let nothing = event(r#""metrics":{"speculative_decoding":{}}"#);
    assert_eq!(steps(&[&content, &nothing, &beside_usage]), Some(vec![(0, 1), (2, 3)]));
}

#[test]
fn white_space_is_content_and_the_empty_text_is_none() {
    let seen = chat(&[&delta(r#""content":"""#), &delta(r#""content":" ""#), &delta(r#""content":"\n""#)]);
    assert_eq!((seen.chunks.len(), seen.instants.first_token), (2, Some(Nanos(20))));
}

#[test]
fn a_body_that_is_not_packed_as_it_says_is_told_as_that() {
    for (status, body) in [(200, "{\"choices\":[]}"), (200, "not gzip"), (500, "{\"error\":\"oh\"}")] {
        let mut decoder = ResponseDecoder::new(EndpointKind::Chat);
        let mut seen = Observation::starting_at(Nanos(0));
        let _ = decoder.head(status, "Broken", "application/json", "gzip", &mut seen);
        if decoder.feed(body.as_bytes(), &at(1, 10), &mut seen) == Appetite::More {
            decoder.finish(&at(1, 10), &mut seen);
        }
        let error = seen.error.unwrap();
        if status == 500 {
            assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::HttpError)));
            assert_eq!(error.in_words(), "500 Broken");
        } else {
            assert_eq!(seen.outcome, Some(Outcome::Failed(FailureKind::InvalidResponse)));
            assert!(error.in_words().contains("marked as gzip"), "{error:?}");
        }
    }
}

#[test]
fn an_answer_in_one_packed_piece_is_read_though_nobody_asked_for_it() {
    let body = br#"{"object":"chat.completion","choices":[{"message":{"content":"packed"}}]}"#;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    let mut decoder = ResponseDecoder::new(EndpointKind::Chat);
    let mut seen = Observation::starting_at(Nanos(0));
    assert_eq!(decoder.head(200, "OK", "application/json", "gzip", &mut seen), Appetite::More);
    let _ = decoder.feed(&encoder.finish().unwrap(), &at(1, 10), &mut seen);
    decoder.finish(&at(1, 10), &mut seen);
    assert_eq!((seen.outcome, text(&seen.chunks.output)), (Some(Outcome::Ok), "packed"));
}
