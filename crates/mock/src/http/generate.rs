//! A generation request, from its head to its response.

use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Request, Response, StatusCode, Version};

use super::endpoint::Endpoint;
use super::reply::{Asked, Reply, garbage};
use super::request::GenerationRequest;
use super::stream::{StreamBody, note_admission};
use super::{
    Answer, ClosedUnanswered, ReplyBody, error_object, respond, respond_error, respond_json, respond_status,
};
use crate::connection::Watch;
use crate::faults::{Fault, FaultKind};
use crate::golden;
use crate::perf::Work;
use crate::plan::{LengthAsked, Plan};
use crate::profile::PerfProfile;
use crate::shard::Shard;
use crate::truth_log::Finished;

/// Largest body that is read.
const MAX_BODY: usize = 64 << 20;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Answers a generation request, or fails to as planned.
pub(super) async fn generate(
    shard: &Rc<Shard>,
    watch: &Rc<Watch>,
    endpoint: Endpoint,
    request: Request<Incoming>,
) -> Answer {
    let number = shard.common().next_request();
    let (head, body) = request.into_parts();
    watch.begin(|entry| {
        entry.request = number;
        head.uri.path().clone_into(&mut entry.path);
        entry.request_id = text(&head.headers, &REQUEST_ID);
        entry.correlation_id = text(&head.headers, &CORRELATION_ID);
    });
    let answer = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            shard.report().requests += 1;
            watch.describe(|entry| {
                entry.body_bytes = body.len();
                entry.body_read_ns = Some(watch.last_read_ns());
            });
            if let Some(log) = shard.log() {
                log.note_body(number, body.clone());
            }
            let wants_events =
                text(&head.headers, &ACCEPT).is_some_and(|accepted| accepted.contains("text/event-stream"));
            let client = Client { version: head.version, wants_events };
            answer(shard, watch, endpoint, number, client, &body).await
        }
        Err(error) if error.is::<LengthLimitError>() => {
            Ok(respond_error(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 64 MiB"))
        }
        // The client went away in the middle of its body.
        Err(_) => Err(ClosedUnanswered),
    };
    let mut response = answer?;
    watch.describe(|entry| entry.status = Some(response.status().as_u16()));
    if let ReplyBody::Whole { watch: told, .. } = response.body_mut() {
        *told = Some(Rc::clone(watch));
    }
    if let Some(id) = head.headers.get(REQUEST_ID) {
        response.headers_mut().insert(REQUEST_ID, id.clone());
    }
    Ok(response)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
}

/// What the head says of who asks.
struct Client {
    version: Version,
    /// Whether it accepts a stream of events.
    wants_events: bool,
}

async fn answer(
    shard: &Rc<Shard>,
    watch: &Rc<Watch>,
    endpoint: Endpoint,
    number: u64,
    client: Client,
    body: &[u8],
) -> Answer {
    let bad = |message: &str| Ok(respond_error(StatusCode::BAD_REQUEST, message));
    let request = match GenerationRequest::parse(endpoint, body, client.wants_events) {
        Ok(request) => request,
        Err(message) => return bad(&message),
    };
    let prompt_tokens = match request.prompt.tokens(&mut shard.counter()) {
        Ok(tokens) => tokens,
        Err(error) => return bad(&format!("the prompt is not one: {error}")),
    };
    let mut plan = plan(shard, number, &request);
    if let Some(tool) = request.tool.clone() {
        (plan.tool, plan.reasoning_tokens, plan.finish_reason) = (Some(tool), 0, "tool_calls");
    }
    if !endpoint.generates() {
        (plan.output_tokens, plan.reported_tokens, plan.hole) = (0, 0, None);
    }
    watch.describe(|entry| {
        entry.model = Some(request.model.clone().into_owned());
        entry.stream = request.stream;
        entry.prompt_bytes = request.prompt.len();
        entry.prompt_tokens = prompt_tokens;
        entry.planned_tokens = plan.output_tokens;
    });
    let context = shard.common().profile.context_tokens;
    if let Some(context) =
        context.filter(|context| prompt_tokens.saturating_add(plan.output_tokens) > *context)
    {
        return bad(&format!(
            "This model's maximum context length is {context} tokens, but the request comes to {} \
             ({prompt_tokens} of prompt, {} of answer)",
            prompt_tokens.saturating_add(plan.output_tokens),
            plan.output_tokens
        ));
    }
    let mut fault = plan.fault.take();
    if let Some(before) = fault.take_if(|fault| strikes_before_the_answer(fault))
        && let Some(answer) = strike_before_the_answer(shard, watch, &before).await
    {
        return answer;
    }
    let timing = plan.timing;
    let asked = Asked {
        endpoint,
        number,
        created_s: shard.common().clock.anchor().0 / 1_000_000_000,
        model: request.model.into_owned(),
        prompt_tokens,
        items: request.items,
        usage_wanted: request.include_usage,
        chunk_usage_wanted: request.chunk_usage,
    };
    let reply = Reply::new(asked, plan);
    // Hashing a long prompt costs as much as counting it.
    let blocks = if shard.common().profile.has_prefix_cache() { request.prompt.blocks() } else { Vec::new() };
    shard.tallies().note(prompt_tokens, reply.steps());
    let progress = shard.submit(Work {
        id: number,
        prompt_tokens,
        output_tokens: reply.steps(),
        blocks,
        block_tokens: request.prompt.block_tokens(prompt_tokens),
        timing,
    });
    if request.stream {
        let is_chunked = client.version >= Version::HTTP_11;
        let (shard, watch) = (Rc::clone(shard), Rc::clone(watch));
        let body = StreamBody::new(shard, watch, number, progress, reply, fault, is_chunked);
        let mut response = Response::new(ReplyBody::Stream(body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        return Ok(response);
    }
    let _leaving = Leaving(shard, number);
    progress.finished().await;
    note_admission(watch, &progress);
    shard.tallies().note_cached(progress.admitted().unwrap_or(0));
    in_one_piece(shard, watch, &reply, progress.admitted().unwrap_or(0), fault).await
}

/// Takes a request from the engine, where its client leaves before its answer is there.
struct Leaving<'a>(&'a Shard, u64);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.cancel(self.1);
    }
}

/// Decides what the request will be answered with.
fn plan(shard: &Shard, number: u64, request: &GenerationRequest<'_>) -> Plan {
    let common = shard.common();
    if common.profile.perf == PerfProfile::Golden {
        let mut plan = golden::plan(number, &request.model, request.max_tokens, request.stream);
        plan.fault = plan.fault.or_else(|| common.faults.for_request(number).cloned());
        return plan;
    }
    let asked = LengthAsked {
        max_tokens: request.max_tokens,
        min_tokens: request.min_tokens,
        ignore_eos: request.ignore_eos,
    };
    Plan::usual(&common.profile, common.seed, number, asked, common.faults.for_request(number).cloned())
}

fn strikes_before_the_answer(fault: &Fault) -> bool {
    match fault.kind {
        FaultKind::Status { .. } | FaultKind::Refuse | FaultKind::Close | FaultKind::Slow { .. } => true,
        FaultKind::Stall => fault.after == 0,
        FaultKind::Cut
        | FaultKind::Reset
        | FaultKind::Garbage
        | FaultKind::ErrorData
        | FaultKind::ErrorEvent => false,
    }
}

fn note_fault(shard: &Shard, watch: &Watch, fault: &Fault) {
    let name = fault.kind.name();
    shard.count_fault(&name);
    watch.describe(|entry| entry.fault = Some(name));
}

/// Carries such a fault out; `None`: the answer follows all the same.
async fn strike_before_the_answer(shard: &Shard, watch: &Watch, fault: &Fault) -> Option<Answer> {
    note_fault(shard, watch, fault);
    match &fault.kind {
        FaultKind::Status { code, body, content_type, retry_after_s } => {
            Some(Ok(respond_status(*code, body.as_deref(), content_type.as_deref(), *retry_after_s)))
        }
        FaultKind::Slow { delay_ns } => {
            tokio::time::sleep(Duration::from_nanos(u64::try_from(*delay_ns).unwrap_or(0))).await;
            None
        }
        // Ends when the client leaves and hyper drops this future.
        FaultKind::Stall => std::future::pending().await,
        _ => {
            watch.describe(|entry| entry.finished = Finished::Cut);
            Some(Err(ClosedUnanswered))
        }
    }
}

/// The finished answer as one object, or what a fault makes of it.
async fn in_one_piece(
    shard: &Shard,
    watch: &Watch,
    reply: &Reply,
    cached_tokens: u32,
    fault: Option<Fault>,
) -> Answer {
    let whole = reply.whole(cached_tokens);
    let Some(fault) = fault else {
        watch.answered();
        shard.report().tokens += u64::from(reply.steps());
        return Ok(respond(StatusCode::OK, "application/json", whole));
    };
    note_fault(shard, watch, &fault);
    Ok(match fault.kind {
        FaultKind::Garbage => respond(StatusCode::OK, "application/json", garbage()),
        FaultKind::Stall => std::future::pending().await,
        FaultKind::Cut | FaultKind::Reset => {
            watch.describe(|entry| entry.finished = Finished::Cut);
            if fault.kind == FaultKind::Reset {
                watch.reset_on_close();
            }
            let share = f64::from(fault.after) / f64::from(reply.steps().max(1));
            let mut response = respond(StatusCode::OK, "application/json", "");
            *response.body_mut() = ReplyBody::torn(&whole, share);
            response
        }
        _ => respond_json(StatusCode::OK, &error_object(500, "the mock's engine died here, as planned")),
    })
}
