//! From what the user said to a tokenizer's source. Never a silent other tokenizer: what is not found
//! is an error, what is chosen for the user is a notice.
//!
//! `--tokenizer X`: `builtin`, else a path, else a hub name (the cache, then a download).
//! No `--tokenizer`: the model's name by the same steps; under a mock server, and for a name that stands for
//! no model (`test-model`), `builtin`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::builtin;
use crate::error::TokenizerError;
use crate::hub::{Download, HubCache, is_revision, model_folder};

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

/// The flag whose value stands in for `--tokenizer`.
const MODEL: &str = "--model";

/// How long a download may take, all its files together.
const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(30);

/// Where hub files come from, unless `HF_ENDPOINT` says otherwise.
const HUB: &str = "https://huggingface.co";

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
    /// `TRANSFORMERS_OFFLINE`, `HF_ENDPOINT`, `HF_TOKEN` (or the token that `hf auth login` kept).
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
            token: var("HF_TOKEN").or_else(kept_token),
            deadline: DOWNLOAD_DEADLINE,
        }
    }

    /// Applies the rule.
    pub fn resolve(&self, request: &TokenizerRequest<'_>) -> Result<Resolved, TokenizerError> {
        match request.requested {
            Some(builtin::NAME | builtin::ENCODING) => Ok(builtin(None)),
            Some(name) => self.named("--tokenizer", name, request),
            None if request.mock => Ok(builtin(Some(
                "tokens are counted with --tokenizer builtin (o200k_base): the mock server has no tokenizer \
                 of its own"
                    .to_owned(),
            ))),
            // A folder of that name, or a model in the cache, is meant all the same.
            None if is_placeholder(request.model) => {
                self.named(MODEL, request.model, &TokenizerRequest { mock: true, ..*request }).or_else(|_| {
                    Ok(builtin(Some(format!(
                        "{:?} looks like a placeholder and no model: tokens are counted with --tokenizer builtin \
                         (o200k_base)",
                        request.model
                    ))))
                })
            }
            None => self.named(MODEL, request.model, request),
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
            return Err(not_found("no tokenizer lies at that path, and it is not the form of a hub name"));
        }
        if !is_revision(request.revision) {
            return Err(not_found(
                "no tokenizer lies at that path, and --tokenizer-revision names no revision",
            ));
        }
        if let Some(path) = self.cache.find(name, request.revision) {
            return Ok(found(path));
        }
        // Nobody asks the hub for what looks like no model.
        let download = self.download.filter(|_| !self.offline && !request.mock);
        let Some(download) = download else {
            return Err(not_found(
                "no tokenizer lies at that path, the hub cache does not hold it, and downloads are off",
            ));
        };
        self.fetch(download, name, request.revision).map(found).map_err(|reason| {
            not_found(&format!(
                "no tokenizer lies at that path, the hub cache does not hold it, and the download failed: {reason}"
            ))
        })
    }

    /// Downloads a model's tokenizer into the cache.
    fn fetch(&self, download: &dyn Download, name: &str, revision: &str) -> Result<PathBuf, String> {
        let start = std::time::Instant::now();
        let get = |file: &str| {
            let left = self.deadline.saturating_sub(start.elapsed());
            // A branch may have slashes in its name, which are no slashes of the path.
            let revision = revision.replace('%', "%25").replace('/', "%2F");
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

/// The access token that the hub's own program keeps: `HF_TOKEN_PATH`, else `token` in the hub's folder.
fn kept_token() -> Option<String> {
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let path = var("HF_TOKEN_PATH")
        .or_else(|| Some(var("HF_HOME")?.join("token")))
        .or_else(|| Some(var("HOME")?.join(".cache/huggingface/token")))?;
    let token = std::fs::read_to_string(path).ok()?.trim().to_owned();
    Some(token).filter(|token| !token.is_empty())
}

fn builtin(notice: Option<String>) -> Resolved {
    Resolved { source: TokenizerSource::Builtin, name: builtin::NAME.to_owned(), notice }
}

/// Whether a model's name is one that people write where there is no model: AIPerf's list.
fn is_placeholder(name: &str) -> bool {
    const WHOLE: [&str; 7] = ["test", "mock", "fake", "dummy", "example", "sample", "placeholder"];
    const WITHIN: [&str; 9] = [
        "mock-",
        "-mock",
        "fake-",
        "-fake",
        "test-model",
        "your-model",
        "my-model",
        "model-name",
        "model-id",
    ];
    if name.contains(['/', '\\']) || name.starts_with(['.', '~']) {
        return false;
    }
    let name = name.to_lowercase().replace('_', "-");
    WHOLE.contains(&name.as_str()) || WITHIN.iter().any(|part| name.contains(part))
}

/// The tokenizer file behind a path, `None` when there is none. A model may be called as some folder
/// here happens to be, so only a folder named as a tokenizer has to hold one.
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
    if flag == MODEL && model_folder(name).is_some() {
        return Ok(None);
    }
    Err(TokenizerError::NoTokenizerJson { flag, path: path.to_owned() })
}

/// The hub library's reading of a switch in the environment.
fn is_true(value: &str) -> bool {
    ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::RefCell;

    use super::*;
    use crate::hub::Downloaded;

    /// A hub with one model, which notes what it is asked for.
    #[derive(Default)]
    struct Hub(RefCell<Vec<String>>);

    impl Download for Hub {
        fn get(
            &self,
            url: &str,
            token: Option<&str>,
            deadline: Duration,
        ) -> Result<Option<Downloaded>, String> {
            assert_eq!((token, deadline > Duration::ZERO), (Some("secret"), true));
            self.0.borrow_mut().push(url.to_owned());
            match url {
                "http://hub/org/there/resolve/main/tokenizer.json"
                | "http://hub/org/there/resolve/refs%2Fpr%2F1/tokenizer.json" => {
                    Ok(Some(Downloaded { bytes: b"{}".to_vec(), commit: Some("c0ffee".to_owned()) }))
                }
                _ if url.contains("/unreachable/") => Err("no route to host".to_owned()),
                _ => Ok(None),
            }
        }
    }

    /// Surroundings with a cache in `folder` that holds `org/cached` and nothing else.
    fn surroundings<'a>(folder: &Path, hub: &'a Hub) -> Resolver<'a> {
        let cache = HubCache::at(folder);
        cache.store("org/cached", "main", "abc", &[("tokenizer.json", b"{}".to_vec())]).unwrap();
        Resolver {
            cache,
            download: Some(hub),
            offline: false,
            endpoint: "http://hub".to_owned(),
            token: Some("secret".to_owned()),
            deadline: Duration::from_secs(5),
        }
    }

    fn request<'a>(requested: Option<&'a str>, model: &'a str) -> TokenizerRequest<'a> {
        TokenizerRequest { requested, model, mock: false, revision: "main" }
    }

    #[test]
    fn builtin_is_taken_by_name_or_under_a_mock_with_a_notice() {
        let folder = tempfile::tempdir().unwrap();
        let hub = Hub::default();
        let resolver = surroundings(folder.path(), &hub);
        let named = resolver.resolve(&request(Some("builtin"), "org/cached")).unwrap();
        assert_eq!((named.source, named.notice), (TokenizerSource::Builtin, None));
        let encoding = resolver.resolve(&request(Some("o200k_base"), "org/cached")).unwrap();
        assert_eq!(encoding.source, TokenizerSource::Builtin);
        let mock = TokenizerRequest { mock: true, ..request(None, "org/cached") };
        let mock = resolver.resolve(&mock).unwrap();
        assert_eq!(mock.source, TokenizerSource::Builtin);
        assert!(mock.notice.unwrap().contains("--tokenizer builtin"));
        assert!(hub.0.borrow().is_empty());
    }

    #[test]
    fn paths_come_first_then_the_cache_then_the_hub() {
        let folder = tempfile::tempdir().unwrap();
        let hub = Hub::default();
        let resolver = surroundings(folder.path(), &hub);
        let file = folder.path().join("models--org--cached/snapshots/abc/tokenizer.json");
        let snapshot = file.parent().unwrap().to_str().unwrap().to_owned();
        for name in [file.to_str().unwrap(), &snapshot, "org/cached"] {
            for request in [request(Some(name), "other"), request(None, name)] {
                let found = resolver.resolve(&request).unwrap();
                assert_eq!(found.source, TokenizerSource::File(file.clone()), "{name}");
                assert_eq!((found.name.as_str(), found.notice), (name, None));
            }
        }
        assert!(hub.0.borrow().is_empty());

        let found = resolver.resolve(&request(None, "org/there")).unwrap();
        let kept = folder.path().join("models--org--there/snapshots/c0ffee/tokenizer.json");
        assert_eq!(found.source, TokenizerSource::File(kept.clone()));
        assert_eq!(hub.0.borrow().len(), 2);
        resolver.resolve(&request(None, "org/there")).unwrap();
        assert_eq!(hub.0.borrow().len(), 2, "the second time it is in the cache");

        let branch = TokenizerRequest { revision: "refs/pr/1", ..request(None, "org/there") };
        assert!(resolver.resolve(&branch).is_ok(), "{:?}", hub.0.borrow());
        assert_eq!(resolver.cache.find("org/there", "refs/pr/1"), Some(kept));
    }

    #[test]
    fn what_is_not_found_is_an_error_that_names_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let hub = Hub::default();
        let resolver = surroundings(folder.path(), &hub);
        let says = |resolver: &Resolver<'_>, request: TokenizerRequest<'_>, what: &str| {
            let error = resolver.resolve(&request).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("--tokenizer builtin"), "{error}");
        };
        says(&resolver, request(None, "demo"), "--model \"demo\"");
        says(&resolver, request(None, "demo"), "demo has no tokenizer.json at main");
        says(&resolver, request(Some("org/unreachable"), "demo"), "no route to host");
        says(&resolver, request(Some("/no/such/file.json"), "demo"), "no tokenizer lies at that path");
        says(&resolver, request(Some(folder.path().to_str().unwrap()), "demo"), "holds no tokenizer.json");

        // A folder here, but of no use as a tokenizer: the crate's own sources.
        says(&resolver, request(Some("src"), "demo"), "holds no tokenizer.json");
        says(&resolver, request(None, "src"), "src has no tokenizer.json at main");

        let asked = hub.0.borrow().len();
        let outside = TokenizerRequest { revision: "../main", ..request(None, "org/there") };
        says(&resolver, outside, "--tokenizer-revision names no revision");
        says(
            &Resolver { offline: true, ..surroundings(folder.path(), &hub) },
            request(None, "x"),
            "downloads are off",
        );
        says(
            &Resolver { download: None, ..surroundings(folder.path(), &hub) },
            request(None, "x"),
            "downloads are off",
        );
        assert_eq!(hub.0.borrow().len(), asked);
    }

    #[test]
    fn names_that_stand_for_no_model_are_counted_with_builtin() {
        let folder = tempfile::tempdir().unwrap();
        let hub = Hub::default();
        let resolver = surroundings(folder.path(), &hub);
        for name in ["mock-llama", "Test_Model_v2", "fake", "my-model"] {
            let found = resolver.resolve(&request(None, name)).unwrap();
            assert_eq!(found.source, TokenizerSource::Builtin, "{name}");
            assert!(found.notice.unwrap().contains(name));
        }
        assert!(hub.0.borrow().is_empty(), "nobody asks the hub for them");
        for name in ["contestant", "org/mock-llama", "./fake", "mocking"] {
            assert!(resolver.resolve(&request(None, name)).is_err(), "{name}");
        }
        assert!(resolver.resolve(&request(Some("mock-llama"), "x")).is_err(), "named on purpose");
        resolver.cache.store("my-model", "main", "abc", &[("tokenizer.json", b"{}".to_vec())]).unwrap();
        let kept = resolver.resolve(&request(None, "my-model")).unwrap();
        assert!(matches!(kept.source, TokenizerSource::File(_)), "there is one of that name");
    }

    #[test]
    fn switches_are_read_as_the_hubs_own_library_reads_them() {
        assert!(["1", "ON", "Yes", "true"].iter().all(|value| is_true(value)));
        assert!(!["0", "off", "no", "", "2"].iter().any(|value| is_true(value)));
    }
}
