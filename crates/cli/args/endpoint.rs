//! Options about the server, and the tokenizer that stands for its model.

use std::path::PathBuf;

use clap::Args;

use super::values::{self, Patience};

/// The server under test.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Endpoint")]
pub(crate) struct EndpointArgs {
    /// Model(s) to ask; several (comma or repeated) take turns [default: the first that the server lists]
    #[arg(
        short = 'm',
        long = "model",
        visible_alias = "model-names",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = values::model
    )]
    pub(crate) models: Vec<String>,

    /// Which of several models a request asks: round_robin or random [default: round_robin]
    #[arg(long, value_name = "STRATEGY")]
    pub(crate) model_selection_strategy: Option<String>,

    /// Server(s); `mock://[PROFILE]` starts the built-in mock server for the run; several take turns
    #[arg(short = 'u', long = "url", value_name = "URL", default_value = "http://localhost:8000", value_delimiter = ',', num_args = 1.., value_parser = values::url)]
    pub(crate) urls: Vec<String>,

    /// Which of several servers a session goes to: round_robin, the only one there is
    #[arg(long, value_name = "STRATEGY", hide_short_help = true)]
    pub(crate) url_strategy: Option<String>,

    /// How requests travel: http, the only one there is
    #[arg(long, visible_alias = "transport-type", value_name = "TRANSPORT", hide_short_help = true)]
    pub(crate) transport: Option<String>,

    /// The API to speak: chat, completions, responses, messages, embeddings, chat_embeddings,
    /// nim_embeddings, nim_rankings, cohere_rankings, hf_tei_rankings, huggingface_generate, solido_rag,
    /// template or raw
    #[arg(long, value_name = "TYPE", default_value = "chat")]
    pub(crate) endpoint_type: String,

    /// Request path in place of the endpoint type's own
    #[arg(long = "endpoint", visible_alias = "custom-endpoint", value_name = "PATH")]
    pub(crate) path: Option<String>,

    /// Ask for streamed responses; needed for TTFT and ITL
    #[arg(long)]
    pub(crate) streaming: bool,

    /// Bearer token: the key itself, `env:NAME` or `@FILE`; OPENAI_API_KEY when absent (ANTHROPIC_API_KEY for
    /// messages)
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,

    /// Extra HTTP header 'Name: value'; repeatable
    #[arg(short = 'H', long = "header", value_name = "HEADER", num_args = 1..)]
    pub(crate) headers: Vec<String>,

    /// The type of request bodies: application/json
    #[arg(long, value_name = "TYPE", hide_short_help = true)]
    pub(crate) request_content_type: Option<String>,

    /// The header that names a request's conversation [default: X-Correlation-ID]
    #[arg(long, value_name = "NAME")]
    pub(crate) session_header: Option<String>,

    /// Extra body fields: `key:value[,key:value]` or a JSON object; repeatable
    #[arg(long, value_name = "FIELDS", num_args = 1..)]
    pub(crate) extra_inputs: Vec<String>,

    /// Give up on a request after this many seconds; 0 and `inf` never do
    #[arg(long, value_name = "SECONDS", default_value = "21600", value_parser = values::seconds_or_forever)]
    pub(crate) request_timeout_seconds: Patience,

    /// Send `max_tokens` in place of `max_completion_tokens`
    #[arg(long)]
    pub(crate) use_legacy_max_tokens: bool,

    /// Take token counts from the server's usage, not from the tokenizer
    #[arg(long)]
    pub(crate) use_server_token_count: bool,

    /// Have the server report its usage with every chunk, and take the first chunk's tokens from it: exact
    /// inter-token latencies where a first chunk holds several tokens
    #[arg(long)]
    pub(crate) per_chunk_usage: bool,

    /// Do not verify the server's TLS certificate (also AIPERF_HTTP_SSL_VERIFY=false)
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Trust the certificates of this PEM file as well as the system's (SSL_CERT_FILE is honoured too)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Use the proxies named in the environment (also AIPERF_HTTP_TRUST_ENV=true)
    #[arg(long)]
    pub(crate) proxy_from_env: bool,
}

/// Connections.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connections")]
pub(crate) struct ConnectionArgs {
    /// Which connection a request takes: pooled (any idle one, else a new one), never (a new one each time,
    /// opening it included in the latencies), or sticky-user-sessions (each
    /// conversation keeps its own through all its turns)
    #[arg(long, value_name = "STRATEGY", default_value = "pooled")]
    pub(crate) connection_reuse_strategy: String,

    /// Addresses of this host that connections leave from, in turn: each has some 28,000 ports for a server
    #[arg(long, value_name = "IP[,IP...]", value_delimiter = ',', num_args = 1..)]
    pub(crate) source_addresses: Vec<String>,
}

/// The tokenizer.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tokenizer")]
pub(crate) struct TokenizerArgs {
    /// `builtin` (o200k_base), a tokenizer.json, a folder that holds one, or a hub name in the local
    /// cache; the model's name when absent
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) tokenizer: Option<String>,

    /// Count prompts in the model's chat template, which lies beside its tokenizer, as its server does
    #[arg(long)]
    pub(crate) apply_chat_template: bool,

    /// Branch, tag or commit of a hub tokenizer
    #[arg(long, value_name = "REVISION", default_value = "main")]
    pub(crate) tokenizer_revision: String,
}
