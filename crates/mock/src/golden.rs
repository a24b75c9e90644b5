//! The `golden` profile: behaviour chosen by parts of the model's name.
//!
//! It does what the server did that AIPerf's reference runs were made against, so that those runs can
//! be repeated here. Where a behaviour strikes only some requests, it is every third, from the second.

use crate::faults::{Fault, FaultKind};
use crate::perf::{FixedConfig, Timing};
use crate::plan::{Details, Plan};

/// Most tokens that a golden answer has.
const MAX_TOKENS: u32 = 64;
/// Tokens of an answer for which no number was asked.
const USUAL_TOKENS: u32 = 8;
/// Tokens before a fault inside an answer.
const FAULT_AFTER: u32 = 3;

/// What the `number`-th request to `model` meets. `asked` is the number of tokens it asks for.
pub(crate) fn plan(number: u64, model: &str, asked: Option<u32>, stream: bool) -> Plan {
    let is = |part: &str| model.contains(part);
    let asked = asked.unwrap_or(USUAL_TOKENS).min(MAX_TOKENS);
    let usual = FixedConfig::golden();
    let mut timing = Timing { ttft_ns: usual.ttft_ns, itl_ns: usual.itl_ns, role_ns: usual.role_ns };
    if is("slow") {
        timing = Timing { ttft_ns: 500_000_000, itl_ns: 100_000_000, role_ns: 250_000_000 };
    }
    if !stream {
        // An answer in one piece takes a gap for each token, the first included.
        timing.ttft_ns += timing.itl_ns;
    }
    let reported_tokens = if is("one") { 1 } else { asked };
    let output_tokens = if is("emptystream") && stream { 0 } else { reported_tokens };
    Plan {
        // An answer in one piece knew no faults inside, nor holes.
        fault: fault(&is, number % 3 == 1)
            .filter(|fault| stream || matches!(fault.kind, FaultKind::Status { .. })),
        timing: Some(timing),
        first_word: 0,
        output_tokens,
        reported_tokens,
        reasoning_tokens: if is("reason") { asked / 2 } else { 0 },
        tool: None,
        details: if is("cache") || is("reason") { Details::HalfCached } else { Details::None },
        role: !is("norole"),
        hole: (stream && is("hole") && output_tokens > 2).then_some(2),
        usage: !is("nousage"),
        done: !is("nodone"),
        finish_reason: "stop",
    }
}

fn fault(is: &dyn Fn(&str) -> bool, third: bool) -> Option<Fault> {
    let status = |code, body: &str, content_type: &str| FaultKind::Status {
        code,
        body: Some(body.to_owned()),
        content_type: Some(content_type.to_owned()),
        retry_after_s: None,
    };
    let error = |code: u16, kind: &str, message: &str| {
        let body = serde_json::json!({"error": {"message": message, "type": kind, "code": code}});
        status(code, &body.to_string(), "application/json")
    };
    let kind = if is("allfail") || (is("somefail") && third) {
        error(500, "server_error", "mock internal failure")
    } else if !third {
        return None;
    } else if is("fail429") {
        status(429, "slow down", "text/plain")
    } else if is("badjson") {
        status(200, "<html>not json</html>", "text/html")
    } else if is("ctxover") {
        let message = "This model's maximum context length is 10 tokens. However, you requested 20 tokens.";
        error(400, "BadRequestError", message)
    } else if is("miderr") {
        FaultKind::ErrorEvent
    } else if is("midjson") {
        FaultKind::ErrorData
    } else if is("cut") {
        FaultKind::Cut
    } else {
        return None;
    };
    Some(Fault { kind, after: FAULT_AFTER })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_model_answers_plainly() {
        let plain = plan(1, "mock-model", None, true);
        assert_eq!((plain.fault, plain.output_tokens, plain.role, plain.done), (None, 8, true, true));
        assert_eq!(plan(0, "mock-model", Some(1000), true).output_tokens, 64);
    }

    #[test]
    fn some_faults_strike_every_third_from_the_second() {
        for model in ["somefail", "fail429", "badjson", "ctxover", "miderr", "midjson", "cut"] {
            let hit: Vec<u64> = (0..7).filter(|n| plan(*n, model, None, true).fault.is_some()).collect();
            assert_eq!(hit, [1, 4], "{model}");
        }
        assert_eq!(plan(1, "cut", None, false).fault, None);
        assert!(plan(1, "fail429", None, false).fault.is_some());
        assert!((0..7).all(|n| plan(n, "allfail", None, true).fault.is_some()));
    }

    #[test]
    fn names_shape_the_answer() {
        let of = |model| plan(0, model, Some(10), true);
        assert_eq!((of("reason").reasoning_tokens, of("reason").details), (5, Details::HalfCached));
        assert_eq!((of("emptystream").output_tokens, of("emptystream").reported_tokens), (0, 10));
        assert_eq!(of("one").output_tokens, 1);
        assert_eq!(of("hole").hole, Some(2));
        assert!(!of("norole").role && !of("nousage").usage && !of("nodone").done);
        assert_eq!(of("slow").timing.map(|timing| timing.ttft_ns), Some(500_000_000));
    }
}
