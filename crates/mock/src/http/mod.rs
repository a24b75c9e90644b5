//! The HTTP surface: which path does what, and in which shape answers go out.

mod body;
mod endpoint;
mod generate;
mod info;
mod reply;
mod request;
mod stream;

use std::rc::Rc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, SERVER};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

pub(crate) use body::ReplyBody;
pub(crate) use endpoint::Endpoint;

use crate::connection::Watch;
use crate::shard::Shard;

/// What this server calls itself.
const SERVER_NAME: HeaderValue =
    HeaderValue::from_static(concat!("loadgen-mock/", env!("CARGO_PKG_VERSION")));

/// The request gets no response: its connection just ends.
#[derive(Debug, thiserror::Error)]
#[error("closed before the head, as planned")]
pub(crate) struct ClosedUnanswered;

type Answer = Result<Response<ReplyBody>, ClosedUnanswered>;

/// Answers a request.
pub(crate) async fn handle(shard: Rc<Shard>, watch: Rc<Watch>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path();
    let mut response = match Endpoint::at(path) {
        Some(endpoint) if *request.method() == Method::POST => {
            generate::generate(&shard, &watch, endpoint, request).await?
        }
        Some(_) => method_not_allowed("POST"),
        None => info::answer(&shard, request.method(), path),
    };
    response.headers_mut().insert(SERVER, SERVER_NAME);
    Ok(response)
}

/// A response in one piece.
fn respond(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(body.into()));
    *response.status_mut() = status;
    let content_type =
        HeaderValue::from_str(content_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// A JSON response.
fn respond_json(status: StatusCode, body: &serde_json::Value) -> Response<ReplyBody> {
    respond(status, "application/json", body.to_string())
}

/// An error in OpenAI's shape.
fn respond_error(status: StatusCode, message: &str) -> Response<ReplyBody> {
    respond_json(status, &error_object(status.as_u16(), message))
}

/// An error object in OpenAI's shape.
fn error_object(code: u16, message: &str) -> serde_json::Value {
    let kind = match code {
        400 | 405 | 413 | 422 => "invalid_request_error",
        401 | 403 => "authentication_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        _ => "server_error",
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

fn method_not_allowed(allowed: &'static str) -> Response<ReplyBody> {
    let mut response =
        respond_error(StatusCode::METHOD_NOT_ALLOWED, &format!("this path takes {allowed} only"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// A response that a fault puts in place of the answer.
fn respond_status(
    code: u16,
    body: Option<&str>,
    content_type: Option<&str>,
    retry_after_s: Option<u32>,
) -> Response<ReplyBody> {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match body {
        Some(body) => respond(status, content_type.unwrap_or("application/json"), body.to_owned()),
        None => respond_error(status, "the mock was told to fail here"),
    };
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
