//! From flags to the server: endpoint, targets, connections.

use loadgen_wire::{ApiKey, ConnectorConfig, EndpointConfig, EndpointKind, IpVersion, Target, Timestamps};

use super::{Environment, Faults, Notice, Servers};
use crate::args::ProfileArgs;
use crate::args::values::{self, word};

/// The endpoint's name in AIPerf's files.
pub(super) fn name(kind: EndpointKind) -> &'static str {
    match kind {
        EndpointKind::Chat => "chat",
        EndpointKind::Completions => "completions",
    }
}

/// Resolves how requests are made.
pub(super) fn endpoint(args: &ProfileArgs, faults: &mut Faults) -> Option<EndpointConfig> {
    let given = &args.endpoint;
    let kind = match word(&given.endpoint_type).as_str() {
        "chat" => Some(EndpointKind::Chat),
        "completions" => Some(EndpointKind::Completions),
        other => {
            faults.add("--endpoint-type", format!("{other} is not spoken yet: expected chat or completions"));
            None
        }
    };
    let mut extra_inputs = serde_json::Map::new();
    for text in &given.extra_inputs {
        extra_inputs.extend(faults.take("--extra-inputs", values::pairs(text)).unwrap_or_default());
    }
    let mut headers = Vec::new();
    for text in &given.headers {
        headers.extend(faults.take("--header", values::headers(text)).unwrap_or_default());
    }
    let api_key = faults.take("--api-key", ApiKey::find(given.api_key.as_deref())).flatten();
    Some(EndpointConfig {
        path: given.path.as_deref().map(rooted),
        use_legacy_max_tokens: given.use_legacy_max_tokens,
        extra_inputs,
        headers,
        api_key,
        ..EndpointConfig::new(kind?, given.streaming)
    })
}

/// A path begins with a slash; an empty one stays empty.
fn rooted(path: &str) -> String {
    if path.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// Resolves the servers.
pub(super) fn targets(servers: &Servers, faults: &mut Faults) -> Vec<Target> {
    servers.urls.iter().filter_map(|url| faults.take("--url", Target::parse(url))).collect()
}

/// Resolves how connections are made.
pub(super) fn connector(
    args: &ProfileArgs,
    environment: &Environment,
    faults: &mut Faults,
    notices: &mut Vec<Notice>,
) -> Option<ConnectorConfig> {
    let verify = !args.endpoint.insecure && environment.verify_tls.unwrap_or(true);
    if !verify {
        notices.push(Notice::Warning("TLS certificates are not verified".to_owned()));
    }
    let timestamps = match word(&args.service.timestamps).as_str() {
        "socket" | "kernel" => Timestamps::Kernel,
        "user" => Timestamps::User,
        other => {
            faults.add("--timestamps", format!("{other:?} is not known: expected socket or user"));
            return None;
        }
    };
    let ip_version = match environment.ip_version.as_deref() {
        None | Some("4") => IpVersion::V4,
        Some("6") => IpVersion::V6,
        Some("auto") => IpVersion::Auto,
        Some(other) => {
            faults.add("AIPERF_HTTP_IP_VERSION", format!("{other:?} is not known: expected 4, 6 or auto"));
            return None;
        }
    };
    Some(ConnectorConfig {
        verify_tls: verify,
        ca_file: args.endpoint.ca_file.clone(),
        proxy_from_env: args.endpoint.proxy_from_env || environment.trust_env.unwrap_or(false),
        timestamps,
        ip_version,
        ..ConnectorConfig::default()
    })
}
