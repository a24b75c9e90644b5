//! Every metric there is, in one table. Order here is the order everywhere: AIPerf's declared
//! summary fields first, the rest by family.
//!
//! Names, units and flags are AIPerf 0.13's, but for the last rows, which are ours ([`Metric::own`]); the
//! formulas live beside the code that computes them.

use crate::metric::ConsoleGroup::{Active, Effective, HttpTrace, Main, Power, SpecDecode, Usage};
use crate::metric::Unit::{
    Count, GoodputPerWatt, Images, ImagesPerSecond, JouleSeconds, Joules, JoulesPerRequest, JoulesPerUser,
    Kilobytes, MillijoulesPerToken, Milliseconds, MillisecondsPerImage, Percent, PlainSeconds, Ratio,
    Requests, RequestsPerSecond, RequestsPerSecondPerWatt, Seconds, Tokens, TokensPerJoule, TokensPerSecond,
    TokensPerSecondPerUser, TokensPerSecondPerWatt, Watts,
};
use crate::metric::{Metric, MetricId};

/// Every metric there is.
pub static REGISTRY: &[Metric] = TABLE;

/// How many there are.
pub(crate) const METRICS: usize = TABLE.len();

/// The [`MetricId`] of a tag, found at compile time: an unknown tag does not compile.
macro_rules! id {
    ($tag:literal) => {
        const { crate::registry::position($tag) }
    };
}
pub(crate) use id;

/// The position of `tag`, for [`id!`].
pub(crate) const fn position(tag: &str) -> MetricId {
    let mut index = 0;
    while index < TABLE.len() {
        if same(TABLE[index].tag.as_bytes(), tag.as_bytes()) {
            return MetricId(index as u16);
        }
        index += 1;
    }
    panic!("no such metric");
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[rustfmt::skip]
const TABLE: &[Metric] = &[
    // the summary's declared fields, in their order
    Metric::derived("request_throughput", "Request Throughput", RequestsPerSecond).shown(Main, 900).larger_better(),
    Metric::record("request_latency", "Request Latency", Milliseconds).shown(Main, 300),
    Metric::aggregate("request_count", "Request Count", Requests).shown(Main, 1100).larger_better().not_in_jsonl(),
    Metric::record("time_to_first_token", "Time to First Token", Milliseconds).shown(Main, 100).streaming().output_tokens(),
    Metric::record("time_to_second_token", "Time to Second Token", Milliseconds).shown(Main, 200).streaming().output_tokens(),
    Metric::record("inter_token_latency", "Inter Token Latency", Milliseconds).shown(Main, 400).streaming().output_tokens(),
    Metric::derived("output_token_throughput", "Output Token Throughput", TokensPerSecond).shown(Main, 800).output_tokens().larger_better(),
    Metric::record("output_token_throughput_per_user", "Output Token Throughput Per User", TokensPerSecondPerUser).shown(Main, 500).streaming().output_tokens().larger_better(),
    Metric::record("output_sequence_length", "Output Sequence Length", Tokens).shown(Main, 600).output_tokens().larger_better(),
    Metric::record("input_sequence_length", "Input Sequence Length", Tokens).shown(Main, 700).input_tokens().larger_better(),
    Metric::derived("goodput", "Goodput", RequestsPerSecond).shown(Main, 1000).with_goodput(),
    Metric::aggregate("good_request_count", "Good Request Count", Requests).with_goodput(),
    Metric::record("output_token_count", "Output Token Count", Tokens).output_tokens().larger_better(),
    Metric::record("reasoning_token_count", "Reasoning Token Count", Tokens).output_tokens().larger_better(),
    Metric::list("inter_chunk_latency", "Inter Chunk Latency", Milliseconds).streaming().output_tokens(),
    Metric::derived("total_output_tokens", "Total Output Tokens", Tokens).output_tokens().larger_better(),
    Metric::derived("total_reasoning_tokens", "Total Reasoning Tokens", Tokens).output_tokens().larger_better(),
    Metric::derived("benchmark_duration", "Benchmark Duration", Seconds),
    Metric::derived("total_isl", "Total Input Sequence Length", Tokens).input_tokens().larger_better(),
    Metric::derived("total_osl", "Total Output Sequence Length", Tokens).output_tokens().larger_better(),
    Metric::aggregate("error_request_count", "Error Request Count", Requests).errors().not_in_jsonl(),
    Metric::record("error_isl", "Error Input Sequence Length", Tokens).errors().input_tokens().larger_better(),
    Metric::derived("total_error_isl", "Total Error Input Sequence Length", Tokens).errors().input_tokens().larger_better(),
    // latency and throughput
    Metric::record("time_to_first_output_token", "Time to First Output Token", Milliseconds).shown(Main, 210).streaming().output_tokens(),
    Metric::record("decode_duration", "Decode Duration", Milliseconds).shown(Main, 350).streaming().output_tokens(),
    Metric::record("e2e_output_token_throughput", "E2E Output Token Throughput", TokensPerSecondPerUser).shown(Main, 510).output_tokens().larger_better(),
    Metric::record("prefill_throughput_per_user", "Prefill Throughput Per User", TokensPerSecondPerUser).streaming().output_tokens().input_tokens().larger_better(),
    Metric::derived("input_token_throughput", "Input Token Throughput", TokensPerSecond).shown(Main, 805).larger_better(),
    Metric::derived("total_token_throughput", "Total Token Throughput", TokensPerSecond).output_tokens().larger_better(),
    // counts
    Metric::derived("good_request_fraction", "GoodRequestFraction", Ratio).with_goodput().larger_better(),
    Metric::derived("completed_request_count", "Completed Requests (Success + Error)", Requests).shown(Main, 1075).not_in_jsonl(),
    Metric::derived("request_error_rate", "Request Error Rate", Percent).shown(Main, 1080).not_in_jsonl(),
    Metric::aggregate("context_overflow_count", "Context Overflow Count", Requests).errors().not_in_jsonl(),
    Metric::record("osl_mismatch_diff_pct", "OSL Mismatch Diff %", Percent).output_tokens(),
    Metric::aggregate("osl_mismatch_count", "OSL Mismatch Count", Requests).output_tokens().not_in_jsonl(),
    // token counts as the server reported them
    Metric::record("usage_prompt_tokens", "Usage Prompt Tokens", Tokens).shown(Usage, 1000).input_tokens().larger_better(),
    Metric::record("usage_prompt_cache_read_tokens", "Usage Prompt Cache Read Tokens", Tokens).shown(Usage, 1010).larger_better(),
    Metric::record("usage_prompt_cache_write_tokens", "Usage Prompt Cache Write Tokens", Tokens).shown(Usage, 1015),
    Metric::record("usage_prompt_cache_miss_tokens", "Usage Prompt Cache Miss Tokens", Tokens).shown(Usage, 1017),
    Metric::record("usage_prompt_audio_tokens", "Usage Prompt Audio Tokens", Tokens).shown(Usage, 1020).larger_better(),
    Metric::record("usage_tool_use_prompt_tokens", "Usage Tool Use Prompt Tokens", Tokens).shown(Usage, 1030),
    Metric::record("usage_prompt_audio_seconds", "Usage Prompt Audio Seconds", PlainSeconds).shown(Usage, 1040).larger_better(),
    Metric::record("usage_completion_tokens", "Usage Completion Tokens", Tokens).shown(Usage, 1100).output_tokens().larger_better(),
    Metric::record("usage_reasoning_tokens", "Usage Reasoning Tokens", Tokens).shown(Usage, 1110).output_tokens().larger_better(),
    Metric::record("usage_completion_audio_tokens", "Usage Completion Audio Tokens", Tokens).shown(Usage, 1120).output_tokens().larger_better(),
    Metric::record("usage_accepted_prediction_tokens", "Usage Accepted Prediction Tokens", Tokens).shown(Usage, 1130).output_tokens().larger_better(),
    Metric::record("usage_rejected_prediction_tokens", "Usage Rejected Prediction Tokens", Tokens).shown(Usage, 1140).output_tokens(),
    Metric::record("usage_total_tokens", "Usage Total Tokens", Tokens).shown(Usage, 1200).output_tokens().larger_better(),
    Metric::derived("total_usage_prompt_tokens", "Total Usage Prompt Tokens", Tokens).shown(Usage, 2000).input_tokens().larger_better(),
    Metric::derived("total_usage_prompt_cache_read_tokens", "Total Usage Prompt Cache Read Tokens", Tokens).shown(Usage, 2010).larger_better(),
    Metric::derived("total_usage_prompt_cache_write_tokens", "Total Usage Prompt Cache Write Tokens", Tokens).shown(Usage, 2015),
    Metric::derived("total_usage_prompt_cache_miss_tokens", "Total Usage Prompt Cache Miss Tokens", Tokens).shown(Usage, 2017),
    Metric::derived("total_usage_prompt_audio_tokens", "Total Usage Prompt Audio Tokens", Tokens).shown(Usage, 2020).larger_better(),
    Metric::derived("total_usage_tool_use_prompt_tokens", "Total Usage Tool Use Prompt Tokens", Tokens).shown(Usage, 2030),
    Metric::derived("total_usage_prompt_audio_seconds", "Total Usage Prompt Audio Seconds", PlainSeconds).shown(Usage, 2040).larger_better(),
    Metric::derived("total_usage_completion_tokens", "Total Usage Completion Tokens", Tokens).shown(Usage, 2100).output_tokens().larger_better(),
    Metric::derived("total_usage_reasoning_tokens", "Total Usage Reasoning Tokens", Tokens).shown(Usage, 2110).output_tokens().larger_better(),
    Metric::derived("total_usage_completion_audio_tokens", "Total Usage Completion Audio Tokens", Tokens).shown(Usage, 2120).output_tokens().larger_better(),
    Metric::derived("total_usage_accepted_prediction_tokens", "Total Usage Accepted Prediction Tokens", Tokens).shown(Usage, 2130).output_tokens().larger_better(),
    Metric::derived("total_usage_rejected_prediction_tokens", "Total Usage Rejected Prediction Tokens", Tokens).shown(Usage, 2140).output_tokens(),
    Metric::derived("total_usage_total_tokens", "Total Usage Total Tokens", Tokens).shown(Usage, 2200).output_tokens().larger_better(),
    Metric::derived("overall_usage_prompt_cache_read_pct", "Overall Usage Prompt Cache Read %", Percent).shown(Usage, 2012).larger_better(),
    Metric::record("usage_prompt_tokens_diff_pct", "Usage Prompt Diff %", Percent).input_tokens().against_usage(),
    Metric::record("usage_completion_tokens_diff_pct", "Usage Completion Diff %", Percent).output_tokens().against_usage(),
    Metric::record("usage_reasoning_tokens_diff_pct", "Usage Reasoning Diff %", Percent).output_tokens().against_usage(),
    Metric::aggregate("usage_discrepancy_count", "Usage Discrepancy Count", Requests).not_in_jsonl().against_usage(),
    // requests that carry images
    Metric::record("num_images", "Number of Images", Images),
    Metric::record("image_throughput", "Image Throughput", ImagesPerSecond).shown(Main, 860),
    Metric::record("image_latency", "Image Latency", MillisecondsPerImage).shown(Main, 861),
    // requests with sounds
    Metric::record("audio_duration", "Audio Duration", PlainSeconds),
    Metric::record("rtfx", "Inverse Real-Time Factor (RTFx)", Ratio).shown(Main, 850).larger_better(),
    // drafts and their acceptance, as the server reported them
    Metric::record("spec_decode_acceptance_length", "Acceptance Length", Ratio).shown(SpecDecode, 5000).larger_better(),
    Metric::record("spec_decode_draft_acceptance_rate", "Draft Acceptance Rate", Percent).shown(SpecDecode, 5020).larger_better(),
    Metric::record("spec_decode_accepted_per_verified", "Accepted per Verified", Ratio).shown(SpecDecode, 5030).larger_better(),
    Metric::record("spec_decode_steps", "Spec Decode Steps", Count).shown(SpecDecode, 5040),
    Metric::record("spec_decode_accepted_draft_tokens", "Accepted Draft Tokens", Tokens),
    Metric::record("spec_decode_draft_tokens", "Draft Tokens", Tokens),
    Metric::derived("spec_decode_token_weighted_acceptance_length", "Token-Weighted Acceptance Length", Ratio).shown(SpecDecode, 5010).larger_better(),
    Metric::derived("spec_decode_overall_draft_acceptance_rate", "Overall Draft Acceptance Rate", Percent).shown(SpecDecode, 5025).larger_better(),
    Metric::derived("total_spec_decode_steps", "Total Spec Decode Steps", Count),
    Metric::derived("total_accepted_draft_tokens", "Total Accepted Draft Tokens", Tokens),
    Metric::derived("total_draft_tokens", "Total Draft Tokens", Tokens),
    // HTTP timings
    Metric::record("http_req_blocked", "HTTP Blocked", Milliseconds).shown(HttpTrace, 2000),
    Metric::record("http_req_dns_lookup", "HTTP DNS Lookup", Milliseconds).shown(HttpTrace, 2010),
    Metric::record("http_req_connecting", "HTTP Connecting", Milliseconds).shown(HttpTrace, 2020),
    Metric::record("http_req_sending", "HTTP Sending", Milliseconds).shown(HttpTrace, 2030),
    Metric::record("http_req_waiting", "HTTP Waiting (TTFB)", Milliseconds).shown(HttpTrace, 2040),
    Metric::record("http_req_receiving", "HTTP Receiving", Milliseconds).shown(HttpTrace, 2050),
    Metric::record("http_req_connection_reused", "HTTP Connection Reused", Ratio).shown(HttpTrace, 2060),
    Metric::record("http_req_data_sent", "HTTP Data Sent", Kilobytes).shown(HttpTrace, 2070),
    Metric::record("http_req_chunks_sent", "HTTP Chunks Sent", Count).shown(HttpTrace, 2080),
    Metric::record("http_req_data_received", "HTTP Data Received", Kilobytes).shown(HttpTrace, 2090),
    Metric::record("http_req_chunks_received", "HTTP Chunks Received", Count).shown(HttpTrace, 2100),
    Metric::record("http_req_connection_overhead", "HTTP Connection Overhead", Milliseconds).shown(HttpTrace, 2110),
    Metric::record("http_req_duration", "HTTP Duration (excl. conn)", Milliseconds).shown(HttpTrace, 2120),
    Metric::record("http_req_total", "HTTP Total Time", Milliseconds).shown(HttpTrace, 2130),
    // latencies less one round trip of the network, where that is known
    Metric::injected("network_adjusted_time_to_first_token", "Network-Adjusted Time to First Token", Milliseconds).shown(Main, 101).streaming().output_tokens(),
    Metric::injected("network_adjusted_time_to_first_output_token", "Network-Adjusted Time to First Output Token", Milliseconds).shown(Main, 211).streaming().output_tokens(),
    Metric::injected("network_adjusted_request_latency", "Network-Adjusted Request Latency", Milliseconds).shown(Main, 301),
    Metric::injected("network_rtt", "Network RTT", Milliseconds).shown(Main, 305),
    // percentiles in which every failure counts as infinitely slow
    Metric::injected("adj_time_to_first_token", "Time to First Token (error-adjusted)", Milliseconds).shown_last(Main).streaming().output_tokens(),
    Metric::injected("adj_request_latency", "Request Latency (error-adjusted)", Milliseconds).shown_last(Main),
    Metric::injected("adj_inter_token_latency", "Inter Token Latency (error-adjusted)", Milliseconds).shown_last(Main).streaming().output_tokens(),
    Metric::injected("adj_decode_duration", "Decode Duration (error-adjusted)", Milliseconds).shown_last(Main).streaming().output_tokens(),
    // step functions over the window, weighted by time
    Metric::injected("effective_concurrency", "Effective Concurrency", Requests).shown_last(Effective),
    Metric::injected("effective_decode_throughput", "Effective Decode Throughput", TokensPerSecond).shown_last(Effective),
    Metric::injected("effective_prefill_throughput", "Effective Prefill Throughput", TokensPerSecond).shown_last(Effective),
    Metric::injected("effective_decode_concurrency", "Effective Decode Concurrency", Requests).shown_last(Effective),
    Metric::injected("effective_prefill_concurrency", "Effective Prefill Concurrency", Requests).shown_last(Effective),
    Metric::injected("effective_total_throughput", "Effective Total Throughput", TokensPerSecond).shown_last(Effective),
    Metric::injected("effective_decode_throughput_per_user", "Effective Decode Throughput Per User", TokensPerSecondPerUser).shown_last(Effective),
    Metric::injected("effective_prefill_throughput_per_user", "Effective Prefill Throughput Per User", TokensPerSecondPerUser).shown_last(Effective),
    Metric::injected("tokens_in_flight", "Tokens In Flight", Tokens).shown_last(Effective),
    Metric::injected("active_decode_throughput", "Active Decode Throughput", TokensPerSecond).shown_last(Active),
    Metric::injected("active_prefill_throughput", "Active Prefill Throughput", TokensPerSecond).shown_last(Active),
    Metric::injected("active_decode_throughput_per_user", "Active Decode Throughput Per User", TokensPerSecondPerUser).shown_last(Active),
    Metric::injected("active_prefill_throughput_per_user", "Active Prefill Throughput Per User", TokensPerSecondPerUser).shown_last(Active),
    Metric::injected("active_total_throughput", "Active Total Throughput", TokensPerSecond).shown_last(Active),
    // lateness
    Metric::injected("credit_to_start_latency", "Credit-to-Start Latency", Milliseconds),
    Metric::injected("effective_latency", "Effective Latency (CO-aware)", Milliseconds).shown_last(Effective),
    Metric::derived("replay_sched_lag_p50", "Replay Schedule Lag p50", Milliseconds).with_fixed_schedule(),
    Metric::derived("replay_sched_lag_p90", "Replay Schedule Lag p90", Milliseconds).with_fixed_schedule(),
    Metric::derived("replay_sched_lag_p99", "Replay Schedule Lag p99", Milliseconds).with_fixed_schedule(),
    Metric::derived("replay_sched_degraded", "Replay Schedule Degraded", Count).with_fixed_schedule(),
    // what the GPUs' power and energy came to, where it was scraped
    Metric::injected("nvidia_total_gpu_power", "Total GPU Power", Watts).shown(Power, 740),
    Metric::injected("nvidia_average_gpu_power", "Average GPU Power", Watts).shown(Power, 720),
    Metric::injected("nvidia_total_gpu_energy", "Total GPU Energy", Joules).shown(Power, 730),
    Metric::injected("nvidia_output_tokens_per_joule", "Output Tokens per Joule", TokensPerJoule).shown(Power, 760).output_tokens().larger_better(),
    Metric::injected("nvidia_energy_per_output_token", "Energy per Output Token", MillijoulesPerToken).shown(Power, 750).output_tokens(),
    Metric::injected("nvidia_energy_per_total_token", "Energy per Total Token", MillijoulesPerToken).shown(Power, 745),
    Metric::injected("nvidia_energy_per_request", "Energy per Request", JoulesPerRequest).shown(Power, 755),
    Metric::injected("nvidia_energy_per_user", "Energy per User", JoulesPerUser).shown(Power, 765),
    Metric::injected("nvidia_energy_delay_product", "Energy Delay Product", JouleSeconds).shown(Power, 700),
    Metric::injected("nvidia_performance_per_watt", "Performance per Watt", RequestsPerSecondPerWatt).shown(Power, 710).larger_better(),
    Metric::injected("nvidia_output_tps_per_watt", "Output Tokens per Second per Watt", TokensPerSecondPerWatt).shown(Power, 712).output_tokens().larger_better(),
    Metric::injected("nvidia_goodput_per_watt", "Goodput per Watt", GoodputPerWatt).shown(Power, 714).larger_better(),
    // ours: latencies from the first byte written, and from the intended time
    Metric::record("time_to_first_token_from_write", "Time to First Token from First Byte Written", Milliseconds).streaming().output_tokens().ours(),
    Metric::record("time_to_first_token_from_schedule", "Time to First Token from Intended Time", Milliseconds).streaming().output_tokens().ours(),
    Metric::record("time_to_first_output_token_from_write", "Time to First Output Token from First Byte Written", Milliseconds).streaming().output_tokens().ours(),
    Metric::record("time_to_first_output_token_from_schedule", "Time to First Output Token from Intended Time", Milliseconds).streaming().output_tokens().ours(),
    Metric::record("request_latency_from_write", "Request Latency from First Byte Written", Milliseconds).ours(),
    Metric::record("request_latency_from_schedule", "Request Latency from Intended Time", Milliseconds).ours(),
    // ours: lag behind the schedule itself, and what AIPerf counts nowhere, or among the successes
    Metric::derived("replay_sched_lag_absolute_p50", "Replay Schedule Lag p50 from Intended Time", Milliseconds).with_fixed_schedule().ours(),
    Metric::derived("replay_sched_lag_absolute_p90", "Replay Schedule Lag p90 from Intended Time", Milliseconds).with_fixed_schedule().ours(),
    Metric::derived("replay_sched_lag_absolute_p99", "Replay Schedule Lag p99 from Intended Time", Milliseconds).with_fixed_schedule().ours(),
    Metric::derived("in_band_error_count", "In-Band Error Count", Requests).ours(),
    Metric::derived("aborted_request_count", "Aborted Request Count", Requests).ours(),
    Metric::derived("not_sent_request_count", "Not Sent Request Count", Requests).ours(),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::metric::Kind;

    #[test]
    fn tags_are_distinct_and_found() {
        let tags: BTreeSet<_> = REGISTRY.iter().map(|metric| metric.tag).collect();
        assert_eq!(tags.len(), REGISTRY.len());
        for (index, metric) in REGISTRY.iter().enumerate() {
            assert_eq!(MetricId::of(metric.tag).map(MetricId::index), Some(index));
            assert_eq!(position(metric.tag).metric(), metric);
        }
        assert_eq!(MetricId::of("no_such_metric"), None);
    }

    #[test]
    fn headers_are_for_people() {
        for metric in REGISTRY {
            assert!(!metric.header.contains('_') && !metric.header.is_empty(), "{}", metric.tag);
            assert_ne!(metric.header, metric.tag);
        }
    }

    #[test]
    fn flags_agree_with_kinds() {
        for metric in REGISTRY {
            let tag = metric.tag;
            assert!(metric.order.is_none() || metric.console.is_some(), "{tag}: an order needs a table");
            assert!(!(metric.error_only && metric.console.is_some()), "{tag}: errors have their own table");
            assert!(!metric.goodput_only || tag.starts_with("good"), "{tag}");
            let is_total = tag.starts_with("total_") && metric.unit == Tokens;
            assert!(!is_total || metric.kind == Kind::Derived, "{tag}");
        }
    }

    #[test]
    fn our_own_metrics_follow_all_of_aiperfs_and_stay_out_of_its_lines() {
        assert!(REGISTRY.is_sorted_by_key(|metric| metric.own));
        for metric in REGISTRY.iter().filter(|metric| metric.own) {
            assert!(metric.is_column() || metric.kind == Kind::Derived, "{}", metric.tag);
            assert!(!metric.is_in_jsonl(), "{}", metric.tag);
            assert!(metric.console.is_none(), "{}: the tables are AIPerf's", metric.tag);
        }
    }

    #[test]
    fn positions_on_the_console_are_distinct() {
        let placed = REGISTRY.iter().filter_map(|metric| Some((metric.console?, metric.order?)));
        let mut seen = std::collections::HashSet::new();
        for place in placed {
            assert!(seen.insert(place), "{place:?}");
        }
    }
}
