#![allow(clippy::unwrap_used)]

use loadgen_core::{ChunkKind, FailureKind, SpeculativeDecoding, Usage};

use super::*;
use crate::fixture;
use crate::slo::SloSet;

fn config() -> MetricConfig {
    MetricConfig::default()
}

fn close(left: Option<f64>, right: f64) {
    let left = left.unwrap();
    assert!((left - right).abs() <= 1e-12 * right.abs(), "{left} {right}");
}

#[test]
fn latencies_of_four_chunks_by_hand() {
    let metrics = request_metrics(&fixture::ok(&[40, 52, 57, 62]), &config());
    close(metrics.get("time_to_first_token"), 40.0);
    close(metrics.get("time_to_second_token"), 12.0);
    close(metrics.get("time_to_first_output_token"), 40.0);
    close(metrics.get("request_latency"), 62.0);
    close(metrics.get("decode_duration"), 22.0);
    // 8 tokens in 4 chunks: 22 ms over 7 gaps.
    close(metrics.get("inter_token_latency"), 22.0 / 7.0);
    close(metrics.get("output_token_throughput_per_user"), 7000.0 / 22.0);
    close(metrics.get("e2e_output_token_throughput"), 8000.0 / 62.0);
    close(metrics.get("prefill_throughput_per_user"), 32_000.0 / 40.0);
    let (_, gaps) = metrics.iter().find(|(metric, _)| metric.tag == "inter_chunk_latency").unwrap();
    assert_eq!(gaps, crate::MetricValue::List(vec![12.0, 5.0, 5.0]));
}

#[test]
fn converted_values_are_bit_for_bit_aiperfs() {
    let mut record = fixture::ok(&[1, 2]);
    record.instants.last_token = Some(record.instants.request_start.unwrap() + 110_988_443);
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("request_latency"), Some(110.988_442_999_999_99));
    // And so are percentages: 4 / 3 and -4 / 7, then by 100.
    record.tokens.output = Some(3);
    record.tokens.reasoning = None;
    record.tokens.usage = Some(Usage { completion_tokens: Some(7), ..Usage::default() });
    record.tokens.requested_output = Some(7);
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("usage_completion_tokens_diff_pct"), Some(133.333_333_333_333_31));
    assert_eq!(metrics.get("osl_mismatch_diff_pct"), Some(-57.142_857_142_857_14));
}

#[test]
fn one_chunk_has_no_gaps_and_one_token_no_inter_token_latency() {
    let mut record = fixture::ok(&[40]);
    record.tokens.output = Some(1);
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("decode_duration"), Some(0.0));
    for absent in ["time_to_second_token", "inter_token_latency", "output_token_throughput_per_user"] {
        assert_eq!(metrics.get(absent), None, "{absent}");
    }
    assert!(!metrics.iter().any(|(metric, _)| metric.tag == "inter_chunk_latency"));
    // Eight tokens in one chunk: no time between them, so no rate either.
    record.tokens.output = Some(8);
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("inter_token_latency"), Some(0.0));
    assert_eq!(metrics.get("output_token_throughput_per_user"), None);
}

#[test]
fn reasoning_counts_for_the_first_token_but_not_for_the_first_output_token() {
    let mut record = fixture::ok(&[10, 20, 30]);
    record.chunks.kind = vec![ChunkKind::Reasoning, ChunkKind::Reasoning, ChunkKind::Text];
    record.instants.first_output_token = None;
    record.tokens.output = Some(3);
    record.tokens.reasoning = Some(5);
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("time_to_first_token"), Some(10.0));
    assert_eq!(metrics.get("time_to_first_output_token"), Some(30.0));
    assert_eq!(metrics.get("output_sequence_length"), Some(8.0));
    assert_eq!(metrics.get("output_token_count"), Some(3.0));
    assert_eq!(metrics.get("reasoning_token_count"), Some(5.0));

    record.chunks.kind = vec![ChunkKind::Reasoning; 3];
    record.tokens.output = Some(0);
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("time_to_first_output_token"), None);
    assert_eq!(metrics.get("output_token_count"), None);
}

#[test]
fn without_streaming_only_whole_latencies_remain() {
    let config = MetricConfig { streaming: false, ..config() };
    let metrics = request_metrics(&fixture::ok(&[62]), &config);
    assert_eq!(metrics.get("request_latency"), Some(62.0));
    close(metrics.get("e2e_output_token_throughput"), 8000.0 / 62.0);
    assert!(metrics.iter().all(|(metric, _)| !metric.streaming_only));
}

#[test]
fn a_lost_chunk_list_leaves_the_latencies_that_instants_give() {
    let mut record = fixture::ok(&[40, 52, 57, 62]);
    record.chunks = loadgen_core::Chunks::default();
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("time_to_first_token"), Some(40.0));
    close(metrics.get("inter_token_latency"), 22.0 / 7.0);
    assert_eq!(metrics.get("time_to_second_token"), None);
}

#[test]
fn an_error_has_its_input_length_alone_and_the_cut_off_have_nothing() {
    let mut record = fixture::ok(&[40]);
    record.outcome = Outcome::Failed(FailureKind::HttpError);
    let metrics = request_metrics(&record, &config());
    let tags: Vec<_> = metrics.iter().map(|(metric, _)| metric.tag).collect();
    assert_eq!(tags, ["error_isl"]);
    record.outcome = Outcome::Cancelled;
    assert_eq!(request_metrics(&record, &config()).len(), 1);
    record.outcome = Outcome::Aborted;
    assert!(request_metrics(&record, &config()).is_empty());
}

#[test]
fn output_length_mismatch_is_judged_by_percent_and_by_tokens() {
    let judge = |output, requested| {
        let mut record = fixture::ok(&[40, 52]);
        record.tokens.output = Some(output);
        record.tokens.requested_output = requested;
        let metrics = request_metrics(&record, &config());
        (metrics.get("osl_mismatch_diff_pct"), metrics.get("osl_mismatch_count"))
    };
    assert_eq!(judge(95, Some(100)), (Some(-5.0), Some(0.0)));
    assert_eq!(judge(94, Some(100)), (Some(-6.0), Some(1.0)));
    assert_eq!(judge(2051, Some(2000)).1, Some(1.0));
    assert_eq!(judge(2050, Some(2000)).1, Some(0.0));
    assert_eq!(judge(8, None), (None, None));
}

#[test]
fn usage_is_compared_with_our_counts() {
    let mut record = fixture::ok(&[40, 52]);
    record.tokens.usage = Some(Usage {
        prompt_tokens: Some(40),
        completion_tokens: Some(8),
        total_tokens: Some(48),
        ..Usage::default()
    });
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("usage_total_tokens"), Some(48.0));
    assert_eq!(metrics.get("usage_prompt_tokens_diff_pct"), Some(25.0));
    assert_eq!(metrics.get("usage_completion_tokens_diff_pct"), Some(0.0));
    assert_eq!(metrics.get("usage_discrepancy_count"), Some(1.0));
    assert_eq!(metrics.get("usage_reasoning_tokens"), None);

    let trusting = MetricConfig { server_token_counts: true, ..config() };
    let metrics = request_metrics(&record, &trusting);
    assert_eq!(metrics.get("usage_prompt_tokens"), Some(40.0));
    assert_eq!(metrics.get("usage_prompt_tokens_diff_pct"), None);
    assert_eq!(metrics.get("usage_discrepancy_count"), None);
}

#[test]
fn http_timings_add_up() {
    let metrics = request_metrics(&fixture::ok(&[40, 62]), &config());
    let get = |tag: &str| metrics.get(tag).unwrap();
    assert_eq!((get("http_req_blocked"), get("http_req_dns_lookup")), (0.0, 0.0));
    assert_eq!(get("http_req_connecting"), 1.5);
    assert_eq!((get("http_req_sending"), get("http_req_waiting")), (0.5, 8.0));
    assert_eq!(get("http_req_receiving"), 52.0);
    assert_eq!(get("http_req_connection_overhead"), 1.5);
    assert_eq!(get("http_req_duration"), 60.5);
    assert_eq!(get("http_req_total"), 62.0);
    assert_eq!((get("http_req_data_sent"), get("http_req_data_received")), (0.5, 2.0));
    assert_eq!((get("http_req_chunks_sent"), get("http_req_chunks_received")), (1.0, 4.0));
    assert_eq!(get("http_req_connection_reused"), 0.0);
}

#[test]
fn good_is_judged_when_there_are_objectives() {
    let record = fixture::ok(&[40, 62]);
    assert_eq!(request_metrics(&record, &config()).get("good_request_count"), None);
    let judge = |text| {
        let slos = SloSet::parse(text, &config()).unwrap();
        request_metrics(&record, &MetricConfig { slos, ..config() }).get("good_request_count")
    };
    assert_eq!(judge("time_to_first_token:40 request_latency:62"), Some(1.0));
    assert_eq!(judge("time_to_first_token:39.999999"), Some(0.0));
    assert_eq!(judge("output_sequence_length:8"), Some(1.0));
    assert_eq!(judge("output_sequence_length:9"), Some(0.0));
    assert_eq!(judge("reasoning_token_count:0"), Some(0.0));
}

#[test]
fn a_request_is_over_when_the_last_thing_happened_to_it() {
    let mut record = fixture::ok(&[40, 62]);
    let start = record.instants.request_start.unwrap();
    assert_eq!(request_end(&record), Some(start + 63_000_000));
    record.instants.end = None;
    record.connection.last_body = None;
    assert_eq!(request_end(&record), Some(start + 62_000_000));
    record.cancelled_at = Some(start + 70_000_000);
    assert_eq!(request_end(&record), Some(start + 70_000_000));
}

#[test]
fn columns_line_up_with_their_metrics() {
    let metrics = request_metrics(&fixture::ok(&[40, 52, 62]), &config());
    let columns = metrics.columns();
    assert_eq!(columns.len(), crate::Metric::columns().count());
    for (metric, value) in crate::Metric::columns().zip(columns) {
        assert_eq!(value, metrics.get(metric.tag), "{}", metric.tag);
    }
}

#[test]
fn thresholds_are_the_runs() {
    let mut record = fixture::ok(&[40, 52]);
    record.tokens.requested_output = Some(10);
    record.tokens.usage =
        Some(Usage { prompt_tokens: Some(40), completion_tokens: Some(8), ..Usage::default() });
    let counts = |thresholds| {
        let metrics = request_metrics(&record, &MetricConfig { thresholds, ..config() });
        (metrics.get("usage_discrepancy_count"), metrics.get("osl_mismatch_count"))
    };
    assert_eq!(counts(Thresholds::default()), (Some(1.0), Some(1.0)));
    // 25 % off, and 2 of 10 tokens short.
    let wide = Thresholds { usage_diff_pct: 25.0, osl_mismatch_pct: 20.0, osl_mismatch_tokens: 2.0 };
    assert_eq!(counts(wide), (Some(0.0), Some(0.0)));
    assert_eq!(counts(Thresholds { osl_mismatch_tokens: 1.0, ..wide }).1, Some(1.0));
}

#[test]
fn an_endpoint_without_tokens_says_so_of_each_request() {
    let config = MetricConfig { streaming: false, produces_tokens: false, ..config() };
    let mut record = fixture::ok(&[62]);
    record.tokens.output = None;
    let metrics = request_metrics(&record, &config);
    assert_eq!(metrics.get("output_sequence_length"), Some(0.0));
    assert_eq!(metrics.get("input_sequence_length"), Some(32.0));
    for absent in ["output_token_count", "e2e_output_token_throughput", "time_to_first_token"] {
        assert_eq!(metrics.get(absent), None, "{absent}");
    }
}

#[test]
fn what_only_one_vendor_reports_is_passed_on() {
    let mut record = fixture::ok(&[40, 52]);
    record.tokens.usage =
        Some(Usage { tool_use_prompt_tokens: Some(7), prompt_audio_seconds: Some(1.5), ..Usage::default() });
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("usage_tool_use_prompt_tokens"), Some(7.0));
    assert_eq!(metrics.get("usage_prompt_audio_seconds"), Some(1.5));
}

#[test]
fn a_first_chunk_of_several_tokens_leaves_fewer_to_share_the_time() {
    // 20 ms after the first chunk, 8 tokens in all.
    let itl = |first_chunk_tokens| {
        let mut record = fixture::ok(&[40, 60]);
        record.tokens.usage = Some(Usage { first_chunk_tokens, ..Usage::default() });
        request_metrics(&record, &config()).get("inter_token_latency").unwrap()
    };
    for (first, gaps) in
        [(None, 7.0), (Some(1), 7.0), (Some(3), 5.0), (Some(7), 1.0), (Some(8), 7.0), (Some(0), 7.0)]
    {
        close(Some(itl(first)), 20.0 / gaps);
    }
}

#[test]
fn images_share_the_latency() {
    let mut record = fixture::ok(&[40, 50]);
    record.images = 4;
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("num_images"), Some(4.0));
    close(metrics.get("image_throughput"), 80.0);
    close(metrics.get("image_latency"), 12.5);
    record.images = 0;
    let metrics = request_metrics(&record, &config());
    assert!(metrics.iter().all(|(metric, _)| !metric.tag.contains("image")));
}

#[test]
fn sounds_are_set_against_the_latency() {
    let mut record = fixture::ok(&[40, 50]);
    record.audio_ns = Some(200_000_000);
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("audio_duration"), Some(0.2));
    close(metrics.get("rtfx"), 4.0);
    record.audio_ns = None;
    let metrics = request_metrics(&record, &config());
    assert_eq!((metrics.get("audio_duration"), metrics.get("rtfx")), (None, None));
}

#[test]
fn what_became_of_drafts_is_passed_on() {
    let mut record = fixture::ok(&[40, 50]);
    let told = SpeculativeDecoding {
        mean_acceptance_length: 2.5,
        draft_acceptance_rate: 0.75,
        histogram: vec![(0, 1), (2, 3)],
        accepted_draft_tokens: 6,
        draft_tokens: 8,
        steps: 4,
        most_drafts: Some(2),
        ..SpeculativeDecoding::default()
    };
    record.tokens.usage = Some(Usage { speculative: Some(Box::new(told.clone())), ..Usage::default() });
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("spec_decode_acceptance_length"), Some(2.5));
    assert_eq!(metrics.get("spec_decode_draft_acceptance_rate"), Some(75.0));
    close(metrics.get("spec_decode_accepted_per_verified"), 10.0 / 12.0);
    assert_eq!(metrics.get("spec_decode_steps"), Some(4.0));
    let none = SpeculativeDecoding { steps: 0, draft_tokens: 0, accepted_draft_tokens: 0, ..told };
    record.tokens.usage = Some(Usage { speculative: Some(Box::new(none)), ..Usage::default() });
    let metrics = request_metrics(&record, &config());
    assert_eq!(metrics.get("spec_decode_accepted_per_verified"), None);
}
