//! From what the user said to a tokenizer's source. Never a silent other tokenizer: what is not found
//! is an error, what is chosen for the user is a notice.
//!
//! `--tokenizer X`: `builtin`, else a path, else a hub name (the cache, then a download).
//! No `--tokenizer`: the model's name by the same steps; under a mock server, `builtin`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::builtin;
use crate::error::TokenizerError;
use crate::hub::{Download, HubCache, model_folder};

/// Where a tokenizer comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenizerSource {
    /// `o200k_base`, embedded.
    Builtin,
    /// A `tokenizer.json`.
    File(PathBuf),
}

/// What the user said about the tokenizer.
#[derive(Debug, Clone, Copy)]
pub struct TokenizerRequest<'a> {
    /// `--tokenizer`.
    pub requested: Option<&'a str>,
    /// The (first) model's name, tried when there is no `--tokenizer`.
    pub model: &'a str,
    /// Whether the server is the mock, whose text comes from the builtin tokenizer.
    pub mock: bool,
    /// `--tokenizer-revision`: the branch, tag or commit of a hub name.
    pub revision: &'a str,
    /// Whether downloads are forbidden.
    pub offline: bool,
}

/// A tokenizer that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Where it comes from.
    pub source: TokenizerSource,
    /// The name it was found under.
    pub name: String,
    /// What the user should be told, if anything.
    pub notice: Option<String>,
}

/// How long a download may take, all its files together.
const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(30);

/// Where hub files come from, unless `HF_ENDPOINT` says otherwise.
const HUB: &str = "https://huggingface.co";

/// Applies the rule with this host's hub cache and without a network.
pub fn resolve(request: &TokenizerRequest<'_>) -> Result<Resolved, TokenizerError> {
    Resolver::from_env(None).resolve(request)
}

/// The surroundings in which the rule is applied.
pub struct Resolver<'a> {
    /// The hub's cache on this host.
    pub cache: HubCache,
    /// The way to the network, if there is one.
    pub download: Option<&'a dyn Download>,
    /// Whether the environment forbids downloads.
    pub offline: bool,
    /// The hub's address, without a slash at the end.
    pub endpoint: String,
    /// The hub's access token.
    pub token: Option<String>,
    /// How long a download may take, all its files together.
    pub deadline: Duration,
}

impl<'a> Resolver<'a> {
    /// The surroundings that the environment describes: the cache's place, `HF_HUB_OFFLINE`,
    /// `TRANSFORMERS_OFFLINE`, `HF_ENDPOINT`, `HF_TOKEN`.
    pub fn from_env(download: Option<&'a dyn Download>) -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoint = var("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned());
        Self {
            cache: HubCache::from_env(),
            download,
            offline: ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
                .iter()
                .any(|name| var(name).is_some_and(|value| is_true(&value))),
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: var("HF_TOKEN"),
            deadline: DOWNLOAD_DEADLINE,
        }
    }

    /// Applies the rule.
    pub fn resolve(&self, request: &TokenizerRequest<'_>) -> Result<Resolved, TokenizerError> {
        match request.requested {
            Some(builtin::NAME) => Ok(builtin(None)),
            Some(name) => self.named("--tokenizer", name, request),
            None if request.mock => Ok(builtin(Some(
                "tokens are counted with --tokenizer builtin (o200k_base): the mock server has no tokenizer \
                 of its own"
                    .to_owned(),
            ))),
            None => self.named("--model", request.model, request),
        }
    }

    fn named(
        &self,
        flag: &'static str,
        name: &str,
        request: &TokenizerRequest<'_>,
    ) -> Result<Resolved, TokenizerError> {
        let found = |path: PathBuf| Resolved {
            source: TokenizerSource::File(path),
            name: name.to_owned(),
            notice: None,
        };
        if let Some(path) = local_file(flag, name)? {
            return Ok(found(path));
        }
        let not_found =
            |tried: &str| TokenizerError::NotFound { flag, name: name.to_owned(), tried: tried.to_owned() };
        if model_folder(name).is_none() {
            return Err(not_found("there is no such path, and it is not the form of a hub name"));
        }
        if let Some(path) = self.cache.find(name, request.revision) {
            return Ok(found(path));
        }
        let Some(download) = self.download.filter(|_| !self.offline && !request.offline) else {
            return Err(not_found(
                "there is no such path, the hub cache does not hold it, and downloads are off",
            ));
        };
        self.fetch(download, name, request.revision).map(found).map_err(|reason| {
            not_found(&format!(
                "there is no such path, the hub cache does not hold it, and the download failed: {reason}"
            ))
        })
    }

    /// Downloads a model's tokenizer into the cache.
    fn fetch(&self, download: &dyn Download, name: &str, revision: &str) -> Result<PathBuf, String> {
        let start = std::time::Instant::now();
        let get = |file: &str| {
            let left = self.deadline.saturating_sub(start.elapsed());
            let url = format!("{}/{name}/resolve/{revision}/{file}", self.endpoint);
            download.get(&url, self.token.as_deref(), left)
        };
        let vocabulary =
            get("tokenizer.json")?.ok_or_else(|| format!("{name} has no tokenizer.json at {revision}"))?;
        let commit = vocabulary.commit.filter(|commit| model_folder(commit).is_some());
        let mut files = vec![("tokenizer.json", vocabulary.bytes)];
        if let Some(config) = get("tokenizer_config.json")? {
            files.push(("tokenizer_config.json", config.bytes));
        }
        self.cache
            .store(name, revision, commit.as_deref().unwrap_or(revision), &files)
            .map_err(|error| format!("cannot write the hub cache: {error}"))
    }
}

fn builtin(notice: Option<String>) -> Resolved {
    Resolved { source: TokenizerSource::Builtin, name: builtin::NAME.to_owned(), notice }
}

/// The tokenizer file behind a path, `None` when there is no such path.
fn local_file(flag: &'static str, name: &str) -> Result<Option<PathBuf>, TokenizerError> {
    let path = Path::new(name);
    if name.is_empty() || !path.exists() {
        return Ok(None);
    }
    if path.is_file() {
        return Ok(Some(path.to_owned()));
    }
    let inside = path.join("tokenizer.json");
    if inside.is_file() {
        return Ok(Some(inside));
    }
    Err(TokenizerError::NoTokenizerJson { flag, path: path.to_owned() })
}

/// The hub library's reading of a switch in the environment.
fn is_true(value: &str) -> bool {
    ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str())
}
