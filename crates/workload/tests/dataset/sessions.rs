//! Sessions of a trace: their order, their times, and what their turns carry.

use loadgen_core::{InputTokens, Prompt, ReadyMessage, Reply, Role, TurnTiming};

use loadgen_workload::{CommonConfig, TraceConfig};

use crate::support::{File, GIVEN, exact, first_turn, load_trace, messages, reply, text, unescape};

/// Unsorted float times, a session in pieces, every mode.
const MIXED: &str = concat!(
    "{\"timestamp\":5400,\"input_length\":20,\"session_id\":\"s\",\"output_length\":5}\n",
    "{\"timestamp\":5000.5,\"input_length\":30,\"output_length\":0}\n",
    "\n",
    "{\"input_length\":10,\"session_id\":\"s\",\"delay\":500,\"output_length\":6}\n",
    "{\"timestamp\":9000,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{\"a\":1}],\"extra\":{\"temperature\":0.3},\"output_length\":7}\n",
    "{\"timestamp\":6000,\"payload\":{\"zz\":1}}\n",
    "{\"timestamp\":5400,\"text_input\":\"say \\\"x\\\"\"}\n",
    "{\"text_input\":\"more\",\"session_id\":\"s\",\"timestamp\":7000,\"delay\":1}\n",
);

#[test]
fn the_schedule_follows_the_times_and_a_session_its_own_rule() {
    let dataset = File::new(MIXED).load();
    assert_eq!((dataset.len(), dataset.turns()), (5, 7));
    assert!(dataset.has_times());
    let timetable = dataset.timetable(0).unwrap();
    assert_eq!(&*timetable.offsets_ns, [0, 399_500_000, 399_500_000, 999_500_000, 3_999_500_000]);
    assert!(!timetable.source.is_single_turn());
    let rows: Vec<_> = (0..5).map(|at| first_turn(&*timetable.source, at).source_row.unwrap()).collect();
    assert_eq!(rows, [1, 0, 5, 4, 3], "equal times keep the order of the file");

    let mut session = timetable.source.session(1).unwrap();
    let first = session.next_turn(None).unwrap();
    assert_eq!((&*first.session_id, first.turn_index, first.is_last), ("s", 0, false));
    assert_eq!((exact(&first), first.max_output_tokens), (20, Some(5)));
    let second = session.next_turn(Some(&reply("an \\\"answer\\\""))).unwrap();
    assert_eq!(second.timing, TurnTiming::AfterPrevious(500_000_000));
    let said = messages(&second);
    assert_eq!(
        said.iter().map(|(role, _)| *role).collect::<Vec<_>>(),
        [Role::User, Role::Assistant, Role::User]
    );
    assert_eq!(said[0].1, text(&first));
    assert_eq!(said[1].1, "an \"answer\"");
    assert!(matches!(&second.input_tokens, InputTokens::Count(ropes) if ropes.len() == 3));
    let third = session.next_turn(None).unwrap();
    assert_eq!(third.timing, TurnTiming::AtOffset(1_999_500_000));
    assert!(third.is_last);
    assert_eq!(messages(&third).len(), 4, "a failed turn leaves no answer behind");
    assert_eq!(third.max_output_tokens, None);
    assert!(session.next_turn(None).is_none());
}

#[test]
fn a_speed_up_divides_times_and_leaves_pauses_alone() {
    let file = File::new(MIXED);
    let config = TraceConfig { speedup: 3.0, ..file.config() };
    let timetable = load_trace(config, GIVEN).unwrap().timetable(0).unwrap();
    let ms = |at: f64| (at / 3.0).trunc() as i64 * 1_000_000;
    let zero = ms(5000.5);
    assert_eq!(&*timetable.offsets_ns, [5000.5, 5400.0, 5400.0, 6000.0, 9000.0].map(|at| ms(at) - zero));
    let mut session = timetable.source.session(1).unwrap();
    let timings: Vec<_> = std::iter::from_fn(|| session.next_turn(None)).map(|turn| turn.timing).collect();
    assert_eq!(
        timings[1..],
        [TurnTiming::AfterPrevious(500_000_000), TurnTiming::AtOffset(ms(7000.0) - zero)]
    );
}

#[test]
fn an_answer_that_the_server_keeps_stands_for_what_was_said() {
    let dataset = File::new(MIXED).load();
    let timetable = dataset.timetable(0).unwrap();
    let mut session = timetable.source.session(1).unwrap();
    session.next_turn(None).unwrap();
    let kept = Reply { response_id: Some("resp_\"1".into()), ..reply("ok") };
    let second = session.next_turn(Some(&kept)).unwrap();
    assert_eq!(messages(&second).len(), 1, "its own message alone");
    assert_eq!(second.extra.as_deref(), Some(r#""previous_response_id":"resp_\"1""#));
    // A turn whose predecessor failed has nothing to name, and says everything again.
    let third = session.next_turn(None).unwrap();
    assert_eq!((messages(&third).len(), third.extra), (4, None));
}

#[test]
fn without_a_schedule_sessions_come_in_the_order_of_the_file_and_times_do_not_count() {
    let dataset = File::new(MIXED).load();
    let source = dataset.source();
    let rows: Vec<_> = (0..6).map(|at| first_turn(&*source, at).source_row.unwrap()).collect();
    assert_eq!(rows, [0, 1, 3, 4, 5, 0]);
    let mut session = source.session(0).unwrap();
    let timings: Vec<_> = std::iter::from_fn(|| session.next_turn(None)).map(|turn| turn.timing).collect();
    assert_eq!(
        timings,
        [
            TurnTiming::Immediately,
            TurnTiming::AfterPrevious(500_000_000),
            TurnTiming::AfterPrevious(1_000_000)
        ]
    );
}

#[test]
fn a_system_prompt_joins_ready_messages_where_they_are_the_only_place_for_it() {
    let file = File::new("{\"messages\":[{\"role\":\"system\",\"content\":\"own\"}]}\n");
    let turn = |joins_system| {
        let common = CommonConfig {
            system_prompt: Some("be \"kind\"".to_owned()),
            joins_system,
            ..CommonConfig::default()
        };
        first_turn(&*load_trace(TraceConfig { common, ..file.config() }, GIVEN).unwrap().source(), 0)
    };
    let counted = |turn: &loadgen_core::Turn| match &turn.input_tokens {
        InputTokens::CountJson(json) => String::from_utf8(json.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    let joined = turn(true);
    let Prompt::RawMessages { messages, system: None, .. } = &joined.prompt else { panic!("{joined:?}") };
    assert_eq!(&messages[..], br#"[{"role":"system","content":"be \"kind\"\n\nown"}]"#);
    assert_eq!(counted(&joined), r#"[{"role":"system","content":"be \"kind\"\n\nown"}]"#);
    let apart = turn(false);
    let Prompt::RawMessages { messages, system: Some(system), .. } = &apart.prompt else {
        panic!("{apart:?}")
    };
    assert_eq!(&messages[..], br#"[{"role":"system","content":"own"}]"#);
    assert_eq!(unescape(system), "be \"kind\"");
    assert_eq!(counted(&apart), r#"{"messages":[{"role":"system","content":"own"}],"system":"be \"kind\""}"#);
}

#[test]
fn ready_messages_and_bodies_are_sent_as_they_stand() {
    let source = File::new(MIXED).load().source();
    let turn = first_turn(&*source, 2);
    assert_eq!(turn.extra.as_deref(), Some("\"temperature\":0.3"));
    assert_eq!(turn.max_output_tokens, Some(7));
    let Prompt::RawMessages { messages, tools, system: None } = &turn.prompt else { panic!("{turn:?}") };
    assert_eq!(&messages[..], b"[{\"role\":\"user\",\"content\":\"hi\"}]");
    assert_eq!(tools.as_deref(), Some(&b"[{\"a\":1}]"[..]));
    let InputTokens::CountJson(counted) = &turn.input_tokens else { panic!("{turn:?}") };
    let counted: serde_json::Value = serde_json::from_slice(counted).unwrap();
    let sent =
        serde_json::json!({ "messages": [{ "role": "user", "content": "hi" }], "tools": [{ "a": 1 }] });
    assert_eq!(counted, sent, "what tools are called is part of what the server reads");
    let turn = first_turn(&*source, 3);
    assert!(matches!(&turn.prompt, Prompt::Payload(body) if &body[..] == b"{\"zz\":1}"));
    let turn = first_turn(&*source, 4);
    assert_eq!(text(&turn), "say \"x\"");
    assert_eq!(&*turn.session_id, "session_000003");
}

#[test]
fn after_a_warm_up_the_schedule_is_still_whole() {
    let dataset = File::new(MIXED).load();
    let timetable = dataset.timetable(2).unwrap();
    let rows: Vec<_> = (0..7).map(|at| first_turn(&*timetable.source, at).source_row.unwrap()).collect();
    assert_eq!(rows, [0, 1, 1, 0, 5, 4, 3]);
    assert!(timetable.source.session(7).is_none());
}

#[test]
fn an_answer_that_is_more_than_a_text_goes_in_as_it_stands() {
    let dataset = File::new(MIXED).load();
    let timetable = dataset.timetable(0).unwrap();
    let mut session = timetable.source.session(1).unwrap();
    session.next_turn(None).unwrap();
    let message = ReadyMessage { json: "{\"ready\":1}".into(), texts: vec!["name".into(), "words".into()] };
    let called = Reply { message: Some(message), ..reply("namewords") };
    let second = session.next_turn(Some(&called)).unwrap();
    let Prompt::Messages(said) = &second.prompt else { panic!("{second:?}") };
    assert_eq!(said[1].ready.as_deref(), Some(&b"{\"ready\":1}"[..]));
    assert!(
        matches!(&second.input_tokens, InputTokens::Count(texts) if texts.len() == 4),
        "each text counts"
    );
}
