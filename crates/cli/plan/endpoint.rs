//! From flags to the server: endpoint, targets, connections.

use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};

use loadgen_wire::{
    ApiKey, ConnectorConfig, EndpointConfig, EndpointKind, IpVersion, Target, Timestamps, secrets_of_place,
};

use super::{Environment, Faults, Notice, Servers};
use crate::args::ProfileArgs;
use crate::args::endpoint::EndpointArgs;
use crate::args::values::{self, word};
use crate::compat;

/// The endpoint's name in AIPerf's files.
pub(super) fn name(kind: EndpointKind) -> &'static str {
    kind.facts().name
}

/// Resolves how requests are made.
pub(super) fn endpoint(
    args: &ProfileArgs,
    environment: &Environment,
    faults: &mut Faults,
    notices: &mut Vec<Notice>,
) -> Option<EndpointConfig> {
    let given = &args.endpoint;
    check_transport(given, faults);
    if given.path.as_deref().is_some_and(|path| path.contains("://")) {
        faults.add("--endpoint", "expected a path such as /v1/chat/completions: the server belongs to --url");
    }
    let kind = EndpointKind::named(&given.endpoint_type).ok();
    if kind.is_none() {
        faults.add("--endpoint-type", compat::refuse_choice("--endpoint-type", &given.endpoint_type));
    }
    let mut extra_inputs = serde_json::Map::new();
    for text in &given.extra_inputs {
        extra_inputs.extend(faults.take("--extra-inputs", values::pairs(text)).unwrap_or_default());
    }
    let mut headers = Vec::new();
    for text in &given.headers {
        headers.extend(faults.take("--header", values::headers(text)).unwrap_or_default());
    }
    let api_key = match given.api_key.as_deref() {
        // A script's variable that is not set.
        Some("") => {
            notices.push(Notice::Warning("--api-key is empty: no key is sent".to_owned()));
            None
        }
        key => faults.take("--api-key", ApiKey::find_for(kind.unwrap_or(EndpointKind::Chat), key)).flatten(),
    };
    if kind == Some(EndpointKind::Template) {
        read_template(&mut extra_inputs, faults);
    }
    Some(EndpointConfig {
        path: given.path.as_deref().map(rooted),
        use_legacy_max_tokens: given.use_legacy_max_tokens,
        per_chunk_usage: given.per_chunk_usage,
        use_server_token_count: given.use_server_token_count,
        force_content_parts: environment.force_content_parts,
        session_header: given.session_header.clone(),
        affinity: environment.affinity,
        extra_inputs,
        headers,
        api_key,
        ..EndpointConfig::new(kind?, given.streaming)
    })
}

/// What is secret in the URLs and paths that are asked, beside the endpoint's own.
pub(super) fn secrets_of_places(args: &ProfileArgs, servers: &Servers) -> Vec<String> {
    let calls = &args.control;
    let hooks =
        [&calls.reset_kv_cache_path, &calls.server_profiler_start_path, &calls.server_profiler_stop_path];
    let lists =
        [&args.telemetry.server_metrics, &args.telemetry.gpu_telemetry].into_iter().flatten().flatten();
    let places = servers.urls.iter().chain(hooks.into_iter().flatten()).chain(lists);
    places.flat_map(|place| secrets_of_place(place)).collect()
}

/// Options with one choice that works here.
fn check_transport(given: &EndpointArgs, faults: &mut Faults) {
    let mut check = |flag: &str, value: &Option<String>, only: &str, otherwise: &str| {
        if let Some(value) = value
            && word(value) != word(only)
        {
            faults.add(flag, format!("{value:?} cannot be had: {otherwise}"));
        }
    };
    check("--url-strategy", &given.url_strategy, "round_robin", "servers take turns, round_robin");
    check("--transport", &given.transport, "http", "requests travel by http, or https where the URL says so");
    let json = "application/json";
    check("--request-content-type", &given.request_content_type, json, "bodies are application/json");
    if given.per_chunk_usage {
        for (flag, holds) in [
            ("--use-server-token-count", given.use_server_token_count),
            ("--streaming", given.streaming),
            ("--endpoint-type chat", word(&given.endpoint_type) == "chat"),
        ] {
            if !holds {
                faults.add(
                    "--per-chunk-usage",
                    format!("takes the server's counts, chunk by chunk: it needs {flag}"),
                );
            }
        }
    }
}

/// Puts the text of a template in the place of the file's name that was given for it.
fn read_template(extra_inputs: &mut serde_json::Map<String, serde_json::Value>, faults: &mut Faults) {
    let Some(serde_json::Value::String(given)) = extra_inputs.get_mut("payload_template") else { return };
    if given.contains(['{', '\n']) || !std::path::Path::new(given.as_str()).is_file() {
        return;
    }
    match std::fs::read_to_string(given.as_str()) {
        Ok(text) => *given = text,
        Err(error) => {
            let said = format!("payload_template: {given} cannot be read: {error}");
            faults.add("--extra-inputs", said);
        }
    }
}

/// A path begins with a slash; an empty one stays empty.
fn rooted(path: &str) -> String {
    if path.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// Resolves the servers.
pub(super) fn targets(servers: &Servers, faults: &mut Faults) -> Vec<Target> {
    servers.urls.iter().filter_map(|url| faults.take("--url", Target::parse(url))).collect()
}

/// Whether some source address can reach each server: a server of the other IP version would quietly be
/// reached from an address that nobody chose. A name may turn out as either.
pub(super) fn check_source_addresses(targets: &[Target], sources: &[IpAddr], faults: &mut Faults) {
    let Some(first) = sources.first() else { return };
    for target in targets {
        let host = target.host().trim_matches(['[', ']']);
        let Ok(server) = host.parse::<IpAddr>() else { continue };
        if sources.iter().all(|source| source.is_ipv4() != server.is_ipv4()) {
            let version = if server.is_ipv4() { "IPv4" } else { "IPv6" };
            faults.add(
                "--source-addresses",
                format!("{first} cannot reach {server}: give an {version} address of this host"),
            );
        }
    }
}

/// The addresses that connections leave from; each must be one of this host's.
fn source_addresses(args: &ProfileArgs, faults: &mut Faults) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for text in &args.connections.source_addresses {
        if let Some(address) = faults.take("--source-addresses", source_address(text)) {
            if addresses.contains(&address) {
                faults.add("--source-addresses", format!("{address} is given twice"));
            }
            addresses.push(address);
        }
    }
    addresses
}

fn source_address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text
        .trim()
        .parse()
        .map_err(|_| format!("{text:?} is not an IP address: expected such as 127.0.0.2 or fd00::2"))?;
    // Binding is what connections will do; a datagram socket sends nothing by it.
    UdpSocket::bind((address, 0)).map_err(|error| match error.kind() {
        ErrorKind::AddrNotAvailable => {
            format!("{address} is not an address of this host: `ip -brief address` lists those that are")
        }
        _ => format!("{address} cannot be bound: {error}"),
    })?;
    Ok(address)
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
        // The first words are AIPerf's.
        notices.push(Notice::Warning(
            "SSL certificate verification is DISABLED: whoever answers is taken for the server. Do so in networks \
             that you trust alone"
                .to_owned(),
        ));
    }
    let timestamps = match word(&args.service.timestamps).as_str() {
        "socket" | "kernel" => Timestamps::Kernel,
        "packet" => Timestamps::Packet,
        "user" => Timestamps::User,
        _ => {
            let other = &args.service.timestamps;
            faults.add("--timestamps", format!("{other:?} is not known: expected packet, socket or user"));
            return None;
        }
    };
    let ip_version = faults.take("AIPERF_HTTP_IP_VERSION", ip_version(environment.ip_version.as_deref()))?;
    Some(ConnectorConfig {
        verify_tls: verify,
        ca_file: args.endpoint.ca_file.clone(),
        proxy_from_env: args.endpoint.proxy_from_env || environment.trust_env.unwrap_or(false),
        timestamps,
        ip_version,
        source_addresses: source_addresses(args, faults),
        ..ConnectorConfig::default()
    })
}

/// Of a name's addresses, which are tried first.
fn ip_version(text: Option<&str>) -> Result<IpVersion, String> {
    match text {
        None | Some("4") => Ok(IpVersion::V4),
        Some("6") => Ok(IpVersion::V6),
        Some("auto") => Ok(IpVersion::Auto),
        Some(other) => Err(format!("{other:?} is not known: expected 4, 6 or auto")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_of_version_4_are_tried_first_unless_told_otherwise() {
        for (text, version) in [
            (None, IpVersion::V4),
            (Some("4"), IpVersion::V4),
            (Some("6"), IpVersion::V6),
            (Some("auto"), IpVersion::Auto),
        ] {
            assert_eq!(ip_version(text), Ok(version));
        }
        assert!(ip_version(Some("5")).unwrap_err().contains("expected 4, 6 or auto"));
    }

    #[test]
    fn a_source_address_reaches_servers_of_its_own_ip_version() {
        let faults = |urls: &[&str], sources: &[&str]| {
            let targets: Vec<_> = urls.iter().map(|url| Target::parse(url).unwrap()).collect();
            let sources: Vec<IpAddr> = sources.iter().map(|source| source.parse().unwrap()).collect();
            let mut faults = Faults::default();
            check_source_addresses(&targets, &sources, &mut faults);
            faults.into_result(()).map_err(|faults| faults.to_string())
        };
        assert_eq!(faults(&["http://127.0.0.1:1"], &[]), Ok(()));
        assert_eq!(faults(&["http://127.0.0.1:1", "http://[::1]:1"], &["::1", "127.0.0.2"]), Ok(()));
        assert_eq!(faults(&["http://localhost:1"], &["::1"]), Ok(()), "a name may be either");
        let refused = faults(&["http://127.0.0.1:1"], &["::1"]).unwrap_err();
        assert!(refused.contains("--source-addresses: ::1 cannot reach 127.0.0.1"), "{refused}");
        let refused = faults(&["http://[::1]:1"], &["127.0.0.2"]).unwrap_err();
        assert!(refused.contains("give an IPv6 address"), "{refused}");
    }

    #[test]
    fn a_source_address_is_one_of_this_hosts() {
        assert_eq!(source_address(" 127.0.0.2"), Ok(IpAddr::from([127, 0, 0, 2])));
        let wrong = source_address("localhost").unwrap_err();
        assert!(wrong.contains("\"localhost\" is not an IP address"), "{wrong}");
        // TEST-NET-3, which no host has (RFC 5737).
        let foreign = source_address("203.0.113.7").unwrap_err();
        assert!(foreign.contains("203.0.113.7 is not an address of this host"), "{foreign}");
    }
}
