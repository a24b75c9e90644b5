//! The paths that generate nothing: models, version, health, metrics, cache and profiler hooks.

use hyper::{Method, Response, StatusCode};
use serde_json::json;

use super::{ReplyBody, method_not_allowed, respond, respond_error, respond_json};
use crate::profile::PerfProfile;
use crate::shard::Shard;

/// Answers such a path, or says that there is none.
pub(super) fn answer(shard: &Shard, method: &Method, path: &str) -> Response<ReplyBody> {
    let reads = *method == Method::GET || *method == Method::HEAD;
    match path {
        "/v1/models" | "/version" | "/health" | "/ping" | "/metrics" if !reads => method_not_allowed("GET"),
        "/v1/models" => models(shard),
        "/version" => respond_json(StatusCode::OK, &json!({"version": env!("CARGO_PKG_VERSION")})),
        "/health" | "/ping" => respond(StatusCode::OK, "text/plain; charset=utf-8", "ok"),
        // The golden server had none.
        "/metrics" if shard.common().profile.perf != PerfProfile::Golden => metrics(shard),
        "/reset_prefix_cache" | "/start_profile" | "/stop_profile" if *method != Method::POST => {
            method_not_allowed("POST")
        }
        "/reset_prefix_cache" => {
            shard.forget_prefixes();
            respond(StatusCode::OK, "text/plain; charset=utf-8", "")
        }
        "/start_profile" | "/stop_profile" => respond(StatusCode::OK, "text/plain; charset=utf-8", ""),
        _ => respond_error(StatusCode::NOT_FOUND, "no such path here; try /v1/chat/completions"),
    }
}

fn models(shard: &Shard) -> Response<ReplyBody> {
    let common = shard.common();
    let created = common.clock.anchor().0 / 1_000_000_000;
    let data: Vec<_> = common
        .models
        .iter()
        .map(|id| {
            let mut model =
                json!({"id": id, "object": "model", "created": created, "owned_by": "loadgen-mock"});
            if let Some(tokens) = common.profile.context_tokens {
                model["max_model_len"] = tokens.into();
            }
            model
        })
        .collect();
    respond_json(StatusCode::OK, &json!({"object": "list", "data": data}))
}

/// The figures in Prometheus' text format. Each server thread answers for itself.
fn metrics(shard: &Shard) -> Response<ReplyBody> {
    let model = shard.common().models.first().map_or("", String::as_str);
    let page = shard.tallies().page(model, shard.load(), &shard.report());
    respond(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", page)
}
