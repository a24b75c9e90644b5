//! One request over one connection, with every instant that can be seen from outside the server.
//!
//! The way of a request: [`Endpoint`] turns a turn into a [`Request`] whose body is a rope of shared
//! bytes; [`Connector`] opens a [`Connection`] to a [`Target`] (names, TCP, TLS, proxies);
//! [`Connection::exchange`] writes the request, and stamps, splits and decodes the response into an
//! [`Observation`], which is filled as things happen, so that an exchange that is dropped half-way
//! keeps what it saw.
//!
//! The parts below are usable, and tested, without a socket: [`ResponseReader`] takes a response out of a
//! byte stream, [`SseParser`] splits its body into events, [`ResponseDecoder`] finds the content in them.
//!
//! What this crate does not know: pools, rates, timeouts and cancellation (whoever drops the
//! exchange decides those; [`Connection::next_written`] says from when), files, metrics, the command
//! line.

mod api_key;
mod arrivals;
mod connection;
mod connector;
mod decode;
mod drift;
mod endpoint;
mod error;
mod exchange;
mod fetch;
mod http1;
mod link;
mod observation;
mod packet;
mod python;
mod redact;
mod redact_body;
mod request;
mod scratch;
mod secret_name;
mod socket;
mod spelling;
mod sse;
mod target;
mod tls_session;
mod written;

pub use api_key::{ApiKey, ApiKeyError};
pub use connection::Connection;
pub use connector::{ConnectFailure, Connector, ConnectorConfig, ConnectorError, IpVersion, Timestamps};
pub use decode::{Appetite, Arrival, Place, ResponseDecoder, ResponseField, ResponseFormat};
pub use endpoint::{
    AffinityHeaders, Endpoint, EndpointConfig, EndpointError, EndpointFacts, EndpointKind, EndpointKindError,
    SPOKEN_ANTHROPIC_VERSION, TemplateConfig, secrets_of_place,
};
pub use fetch::Fetched;
pub use http1::{ChunkFault, Head, HeadFault, Incomplete, Part, ResponseFault, ResponseReader};
pub use observation::Observation;
pub use packet::{PacketError, PacketStats, PacketTap, TapConfig};
pub use redact::{REDACTED, redact, redact_field, redact_url};
pub use redact_body::redact_body;
pub use request::{Body, Request};
pub use secret_name::is_secret_name;
pub use sse::{Event, EventTooLong, SseParser};
pub use target::{Target, TargetError};
