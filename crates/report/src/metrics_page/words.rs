//! What each metric means, in words: its formula, what it rests on, and how it differs from AIPerf's.
//!
//! `start` is the start of work on a request, `c[i]` the arrival of its i-th content chunk, from 0; `gen_start`
//! is `c[0]`, `window` the measured phase from its start to the end of its last request (in a slice: the slice).

use loadgen_metrics::Metric;

/// The words of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Words {
    /// How it comes about.
    pub(super) formula: &'static str,
    /// What it rests on, and when it is absent; may be empty.
    pub(super) notes: &'static str,
    /// How ours differs from AIPerf's; empty where it does not.
    pub(super) differs: &'static str,
}

const fn words(formula: &'static str, notes: &'static str) -> Words {
    Words { formula, notes, differs: "" }
}

const fn unlike(formula: &'static str, notes: &'static str, differs: &'static str) -> Words {
    Words { formula, notes, differs }
}

const SUM: &str = "sum over successes";
const FIELD: &str = "as the server reported it: the last non-empty `usage` of the response";
const NO_FIELD: &str = "absent where the server did not say";
const STEPS: &str = "time-weighted over the window";
const BUSY: &str = "the same curve, only while the matching concurrency is above 0";
const DRAFTS: &str = "where the response has vLLM's `metrics.speculative_decoding`";
const POWER: &str = "with --gpu-telemetry";

/// The words of `metric`; `None` for one that has none, which a test forbids.
#[allow(clippy::too_many_lines, reason = "a table, read row by row")]
pub(super) fn of(metric: &Metric) -> Option<Words> {
    Some(match metric.tag {
        // latencies
        "time_to_first_token" => unlike(
            "c[0] − start",
            "a reasoning chunk counts; time to connect is inside",
            "c[0] is the kernel's stamp of the arrival, not the moment a busy client got round to reading it",
        ),
        "time_to_second_token" => words("c[1] − c[0]", "a gap, not from the start; needs two content chunks"),
        "time_to_first_output_token" => words(
            "arrival of the first chunk with text or tool text, minus start",
            "absent where only reasoning came; equals the first token without reasoning",
        ),
        "request_latency" => words(
            "c[last] − start; without streaming the arrival of the whole body − start",
            "ends with the last content, so that the tail of usage and `[DONE]` is left out",
        ),
        "decode_duration" => words("request_latency − time_to_first_token", "0 for one chunk"),
        "inter_token_latency" => words(
            "(request_latency − time_to_first_token) / (output_sequence_length − 1)",
            "absent below two tokens; with --per-chunk-usage the tokens of the first chunk take the place of the 1",
        ),
        "inter_chunk_latency" => unlike(
            "c[i] − c[i−1], for every i from 1",
            "the gaps of all requests are pooled, `count` is their number; a list in the per-request lines",
            "a gap is between arrivals at this host; gaps that share a read are counted as uncertain (docs/quality.md)",
        ),
        "output_token_throughput_per_user" => {
            words("1 / inter_token_latency, per second", "absent where that is 0 or absent")
        }
        "e2e_output_token_throughput" => words("output_sequence_length / request_latency", ""),
        "prefill_throughput_per_user" => words("input_sequence_length / time_to_first_token", ""),
        // lengths
        "output_sequence_length" => words(
            "output + reasoning tokens",
            "by the tokenizer, or the server's with --use-server-token-count; 0 for each request of an endpoint that \
             answers without tokens",
        ),
        "input_sequence_length" => words(
            "tokens of all text of the body that was sent",
            "with --apply-chat-template of the rendered template; absent for a body without text",
        ),
        "output_token_count" => words("output tokens without reasoning", "absent when 0"),
        "reasoning_token_count" => words(
            "reasoning tokens",
            "absent where there is no reasoning; a 0 that the server reports is kept",
        ),
        "osl_mismatch_diff_pct" => words(
            "100 × (output_sequence_length − asked for) / asked for",
            "signed; absent where no length was asked for",
        ),
        "osl_mismatch_count" => words(
            "requests whose output misses what was asked for by more than min(5 %, 50 tokens)",
            "AIPERF_METRICS_OSL_MISMATCH_PCT_THRESHOLD, AIPERF_METRICS_OSL_MISMATCH_MAX_TOKEN_THRESHOLD",
        ),
        "num_images" => words(
            "images of the request, those of its history included",
            "absent without any; what lies within a ready JSON body is not looked for",
        ),
        "image_throughput" => words("num_images / request_latency", "requests with images only"),
        "image_latency" => words("request_latency / num_images", "requests with images only"),
        "audio_duration" => words(
            "seconds that the first sound of the request plays",
            "sounds that were made here; absent for those of a file, as in AIPerf",
        ),
        "rtfx" => words("audio_duration / request_latency", "requests with an audio_duration"),
        "total_isl" | "total_osl" | "total_output_tokens" | "total_reasoning_tokens" => words(SUM, ""),
        "error_isl" => words("input tokens of a failed request", "failed requests only"),
        "total_error_isl" => words("sum over failed requests", ""),
        // rates and counts
        "request_throughput" => words("request_count / window", "successes only"),
        "output_token_throughput" => words("total_osl / window", ""),
        "input_token_throughput" => words("total_isl / window", ""),
        "total_token_throughput" => words("(total_isl + total_osl) / window", ""),
        "goodput" => words("good_request_count / window", "with --goodput"),
        "good_request_count" => words(
            "successes that meet every objective, bounds included",
            "with --goodput; a missing metric is not met",
        ),
        "good_request_fraction" => words(
            "good_request_count / (request_count + error_request_count)",
            "with --goodput; 0 without any",
        ),
        "benchmark_duration" => words(
            "last (start + request_latency) − first start, of successes",
            "printed in the console's footer; rates divide by the window instead, which is longer",
        ),
        "request_count" => unlike(
            "successes",
            "complete responses with content",
            "in-band errors are among them, as in AIPerf: in_band_error_count says how many",
        ),
        "error_request_count" => unlike(
            "failed and planned-cancelled requests",
            "absent on clean runs",
            "aborted requests are not among them, as in AIPerf: aborted_request_count says how many",
        ),
        "completed_request_count" => words("successes + errors", ""),
        "request_error_rate" => words("100 × errors / (successes + errors)", "0 on clean runs"),
        "context_overflow_count" => words(
            "errors that say `context length`, `maximum context`, `context_length_exceeded` or `prompt is too long`",
            "present as soon as there is any error",
        ),
        // usage
        "usage_prompt_tokens_diff_pct" => words(
            "100 × |usage_prompt_tokens − input_sequence_length| / input_sequence_length",
            "not with server counts",
        ),
        "usage_completion_tokens_diff_pct" => words(
            "100 × |usage_completion_tokens − output_sequence_length| / output_sequence_length",
            "not with server counts",
        ),
        "usage_reasoning_tokens_diff_pct" => words(
            "100 × |usage_reasoning_tokens − reasoning_token_count| / reasoning_token_count",
            "absent where that is 0 or absent; not with server counts",
        ),
        "usage_discrepancy_count" => words(
            "requests of which one of the three differs by more than 10 %",
            "AIPERF_METRICS_USAGE_PCT_DIFF_THRESHOLD; needs the prompt's and the completion's",
        ),
        "overall_usage_prompt_cache_read_pct" => {
            words("100 × total_usage_prompt_cache_read_tokens / total_usage_prompt_tokens", "")
        }
        tag if tag.starts_with("total_usage_") => words(SUM, NO_FIELD),
        tag if tag.starts_with("usage_") => words(FIELD, NO_FIELD),
        "spec_decode_acceptance_length" => {
            words("tokens a step of verification, the one always accepted included", DRAFTS)
        }
        "spec_decode_draft_acceptance_rate" => {
            words("100 × accepted drafts / drafts, as the server says", DRAFTS)
        }
        "spec_decode_accepted_per_verified" => words("(accepted drafts + steps) / (drafts + steps)", DRAFTS),
        "spec_decode_steps" => words("steps of verification", DRAFTS),
        "spec_decode_accepted_draft_tokens" => words("accepted drafts", DRAFTS),
        "spec_decode_draft_tokens" => words("drafts", DRAFTS),
        "spec_decode_token_weighted_acceptance_length" => {
            words("1 + total_accepted_draft_tokens / total_spec_decode_steps", DRAFTS)
        }
        "spec_decode_overall_draft_acceptance_rate" => {
            words("100 × total_accepted_draft_tokens / total_draft_tokens", DRAFTS)
        }
        "total_spec_decode_steps" | "total_accepted_draft_tokens" | "total_draft_tokens" => {
            words(SUM, DRAFTS)
        }
        // HTTP
        "http_req_blocked" => words("wait for a connection", "0 where there was none"),
        "http_req_dns_lookup" => {
            words("name resolution", "0 for an address, a cached name, a kept connection")
        }
        "http_req_connecting" => words("TCP and TLS handshakes", "0 on a kept connection"),
        "http_req_sending" => unlike(
            "body handed over − first byte written",
            "",
            "AIPerf counts from before the connection is made, so that connecting is inside on a fresh one",
        ),
        "http_req_waiting" => words("first body bytes − body handed over", ""),
        "http_req_receiving" => words("last body bytes − first body bytes", "0 for one read"),
        "http_req_connection_reused" => words("1 on a kept connection, else 0", ""),
        "http_req_data_sent" => words("bytes of the request's body / 1024", "headers not included"),
        "http_req_chunks_sent" => words("1: a body is handed over whole", ""),
        "http_req_data_received" => words("bytes of the response's body / 1024", "transfer coding removed"),
        "http_req_chunks_received" => words("reads that brought body bytes", "not messages"),
        "http_req_connection_overhead" => words("blocked + dns_lookup + connecting", ""),
        "http_req_duration" => unlike(
            "last body bytes − first byte written",
            "",
            "without connecting, as its header says; AIPerf's has it on a fresh connection",
        ),
        "http_req_total" => unlike(
            "blocked + dns_lookup + connecting + sending + waiting + receiving",
            "",
            "connecting counts once; AIPerf's counts it twice on a fresh connection",
        ),
        // the network
        "network_rtt" => words(
            "mean round trip",
            "with --network-latency-mean (as given) or --network-latency-automatic (measured); every statistic is the \
             figure itself",
        ),
        "network_adjusted_time_to_first_token" => words(
            "max(time_to_first_token − network_rtt, 0) of each request",
            "without `count`, as in AIPerf",
        ),
        "network_adjusted_time_to_first_output_token" => words(
            "max(time_to_first_output_token − network_rtt, 0) of each request",
            "without `count`, as in AIPerf",
        ),
        "network_adjusted_request_latency" => {
            words("max(request_latency − network_rtt, 0) of each request", "without `count`, as in AIPerf")
        }
        tag if tag.starts_with("adj_") => words(
            "the successes and, for each error, one infinitely large sample; the nearest sample's percentile",
            "only with errors and a success; what is infinite is left out: mean, sum, maximum, deviation and the \
             percentiles that fall on an error",
        ),
        // curves
        "effective_concurrency" => words("requests under way, errors included", STEPS),
        "effective_decode_concurrency" => words("requests between gen_start and their end", STEPS),
        "effective_prefill_concurrency" => words("requests between start and gen_start", STEPS),
        "effective_decode_throughput" => words(
            "each gap between chunks that took time carries its share of the tokens after the first, spread evenly",
            STEPS,
        ),
        "effective_prefill_throughput" => words("input tokens spread evenly over [start, gen_start]", STEPS),
        "effective_total_throughput" => words(
            "the prefill rate, and the tokens after the first spread evenly over [gen_start, end]",
            STEPS,
        ),
        "effective_decode_throughput_per_user" => {
            words("decode rate / requests decoding, at each moment", "time-weighted; 0 while there are none")
        }
        "effective_prefill_throughput_per_user" => words(
            "prefill rate / requests in prefill, at each moment",
            "time-weighted; 0 while there are none",
        ),
        "tokens_in_flight" => words(
            "input tokens from start, 1 more at gen_start, a share of the rest at each later chunk; none after the end",
            STEPS,
        ),
        "active_decode_throughput"
        | "active_prefill_throughput"
        | "active_total_throughput"
        | "active_decode_throughput_per_user"
        | "active_prefill_throughput_per_user" => words("as `effective_…` of the same name", BUSY),
        // lateness
        "credit_to_start_latency" => unlike(
            "start − intended instant, not below 0",
            "errors included; not in slices",
            "AIPerf counts from when its credit was issued, which is late when AIPerf is late; ours from the instant that \
             the schedule meant",
        ),
        "effective_latency" => unlike(
            "end − intended instant",
            "errors included; not in slices",
            "from the schedule, as above; an HTTP error ends when its answer came, where AIPerf ends it at its start",
        ),
        "replay_sched_lag_p50" | "replay_sched_lag_p90" | "replay_sched_lag_p99" => words(
            "percentile of start − intended instant, less the least of the run",
            "with a fixed schedule; what is constant is hidden: see replay_sched_lag_absolute_…",
        ),
        "replay_sched_degraded" => {
            words("1 where replay_sched_lag_p99 is above 500 ms, else 0", "with a fixed schedule")
        }
        // power
        tag if tag.ends_with("_total_gpu_power") => words("sum of the GPUs' mean power", POWER),
        tag if tag.ends_with("_average_gpu_power") => words("energy / window, of all GPUs together", POWER),
        tag if tag.ends_with("_total_gpu_energy") => {
            words("growth of the energy counters over the window; else mean power × window", POWER)
        }
        tag if tag.ends_with("_output_tokens_per_joule") => words("total_osl / energy", POWER),
        tag if tag.ends_with("_energy_per_output_token") => words("energy / total_osl", POWER),
        tag if tag.ends_with("_energy_per_total_token") => words("energy / (total_isl + total_osl)", POWER),
        tag if tag.ends_with("_energy_per_request") => words("energy / request_count", POWER),
        tag if tag.ends_with("_energy_per_user") => words("energy / --concurrency", POWER),
        tag if tag.ends_with("_energy_delay_product") => {
            words("energy / request_count × mean request latency in s", POWER)
        }
        tag if tag.ends_with("_performance_per_watt") => words("request_throughput / power", POWER),
        tag if tag.ends_with("_output_tps_per_watt") => words("output_token_throughput / power", POWER),
        tag if tag.ends_with("_goodput_per_watt") => words("goodput / power", POWER),
        // ours
        tag if tag.ends_with("_from_write") => words(
            "the latency of that name, counted from the first byte written",
            "the server's and the network's share: no time to connect, no lag of the client",
        ),
        tag if tag.ends_with("_from_schedule") => words(
            "the latency of that name, counted from the intended instant",
            "what a user waited: a client that falls behind cannot hide in it",
        ),
        "replay_sched_lag_absolute_p50"
        | "replay_sched_lag_absolute_p90"
        | "replay_sched_lag_absolute_p99" => {
            words("percentile of start − intended instant", "with a fixed schedule")
        }
        "in_band_error_count" => words(
            "successes in which the server told of an error: `data: {\"error\": …}` beside content",
            "absent when 0; `in_band_error_summary` in the JSON says which errors; good_request_count may hold them, the \
             Parquet file's `good` does not",
        ),
        "aborted_request_count" => words(
            "requests in flight when the run ended: a duration that was up, or Ctrl-C",
            "absent when 0; AIPerf counts them nowhere",
        ),
        "not_sent_request_count" => words(
            "requests that were due, or left over, and never sent",
            "absent when 0; AIPerf counts them nowhere",
        ),
        _ => return None,
    })
}
