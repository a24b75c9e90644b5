//! A server of language models with a performance model, a prefix cache, faults and a truth log.
//!
//! [`MockServer`] listens, [`Profile`] says how fast and how faithfully it answers, and the truth log
//! says what it really did, so that a client's figures can be held against it:
//!
//! * a [`Profile`] is `NAME[?key=value&…]`: `default` (continuous batching), `fixed`, `splitwise`
//!   (measured step times) or `golden` (behaviour chosen by the model's name);
//! * a [`FaultRule`] spoils some of the requests, by count or by seeded chance;
//! * every token is a write of its own (or a `burst` of them is), at the instant the engine has it, and
//!   the log has the instants around each write call; plain HTTP/1.1 or [`Tls`].
//!
//! # Endpoints
//!
//! OpenAI's chat completions, completions, responses and embeddings, Anthropic's messages, Hugging Face TGI's
//! `/generate` and `/generate_stream`, the rankings of NIM (`/v1/ranking`), Cohere (`/v2/rerank`) and TEI
//! (`/rerank`), and Solido's `/rag/api/prompt`, below any prefix; `/v1/models`, `/metrics` under vLLM's names,
//! `/health`, `/reset_prefix_cache`, `/start_profile` and `/stop_profile`.
//!
//! # Profiles
//!
//! | profile | options, with what they are otherwise |
//! |---|---|
//! | `default` | `step=8ms`, `prefill=220000` tokens/s, `decode=60us` a sequence, `jitter=0.03`, `budget=8192` tokens a step, `sequences=256`, `cache=3000000` tokens |
//! | `fixed` | `ttft=50ms`, `itl=20ms`, `role=0ms`, `jitter=0` |
//! | `splitwise` | `model=llama2-70b`, `hardware=h100-80gb`, `tp=8`, and `budget`, `sequences`, `cache` as above |
//! | `golden` | none: model names that contain `allfail`, `somefail`, `fail429`, `badjson`, `ctxover`, `miderr`, `midjson`, `cut`, `slow`, `one`, `hole`, `norole`, `emptystream`, `reason`, `cache`, `nousage`, `nodone` |
//! | each | `tokenizer=estimate` or `builtin`, `output=128` tokens where none were asked for, `natural=` mean length, `reasoning=` first tokens, `context=` limit, `burst=1` events a write |
//!
//! A fault is `fault=NAME` with `every=N` (from the second; `offset=` moves that) or `chance=5%`, and
//! `after=` tokens for `cut`, `reset`, `garbage`, `error`, `event-error` and `stall`; a status such as
//! `fault=429` takes `body=`, `content_type=` and `retry_after=`; `slow` takes `delay=`. `refuse` and
//! `close` take none. Several faults follow each other: `fault=cut&every=3&after=3&fault=500&chance=1%`.
//!
//! A stream that `garbage` strikes after at least one token has given content already: a client that
//! passes over `data:` lines that it cannot parse, as AIPerf does, ends it as a success with the tokens
//! that came. With `after=0` it never has content, and is a failure.
//!
//! # What a client can rely on
//!
//! * An answer of n tokens is n chunks of one word each, and n tokens for the builtin tokenizer.
//! * In a chat stream the chunk that names the role comes when the engine begins with the request
//!   (`fixed`: after `role`); it carries no content, and no first-token time should count it.
//! * The head goes out at once, and each token in a write of its own.
//! * `usage.prompt_tokens` is an estimate unless `tokenizer=builtin`; it is exact for plain words.
//!
//! What this crate does not know: the load generator. It shares no protocol code with the client, so
//! that no bug of a shared codec can hide on both sides.

mod config;
mod connection;
mod estimate;
mod faults;
mod golden;
mod help;
mod http;
mod perf;
mod plan;
mod prefix_cache;
mod profile;
mod prompt;
mod server;
mod shard;
mod socket;
mod tallies;
mod text;
mod timer;
mod tls;
mod truth_log;
mod units;

pub use config::{MockConfig, MockError, ServeReport};
pub use faults::{Fault, FaultKind, FaultRule, When};
pub use help::PROFILE_HELP;
pub use perf::{BatchConfig, FixedConfig, Limits, SplitwiseConfig};
pub use profile::{PerfProfile, Profile, ProfileError, PromptCounting};
pub use server::{MockServer, RunningMock};
pub use tls::{Tls, TlsError};
