//! The Hugging Face hub: its cache on this host, and the hook through which a caller with a network
//! fetches what is not in it.
//!
//! Layout of the cache: `models--ORG--NAME/refs/REVISION` holds a commit, and
//! `models--ORG--NAME/snapshots/COMMIT/` that commit's files.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Fetches one file over HTTP. The crate itself has no network.
pub trait Download {
    /// Gets `url`, following redirects, within `deadline`; `token` goes into an `Authorization:
    /// Bearer` header, on the first host only. A file that does not exist is `Ok(None)`; every other
    /// failure is its reason in words.
    fn get(&self, url: &str, token: Option<&str>, deadline: Duration) -> Result<Option<Downloaded>, String>;
}

/// A downloaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The commit it belongs to: the `X-Repo-Commit` header of the first response.
    pub commit: Option<String>,
}

/// The hub's cache on this host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HubCache {
    /// `None` where the environment names no place for it: then it is always empty.
    folder: Option<PathBuf>,
}

impl HubCache {
    /// A cache in one folder.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()) }
    }

    /// Where the hub's own library keeps it: `HF_HUB_CACHE`, else `HF_HOME/hub`, else
    /// `$XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`.
    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
    }

    fn from_vars(var: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let folder = var("HF_HUB_CACHE")
            .or_else(|| var("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(var("HF_HOME")?.join("hub")))
            .or_else(|| Some(var("XDG_CACHE_HOME")?.join("huggingface/hub")))
            .or_else(|| Some(var("HOME")?.join(".cache/huggingface/hub")));
        Self { folder }
    }

    /// The `tokenizer.json` of the model `name` at `revision` (a branch, a tag or a commit).
    pub fn find(&self, name: &str, revision: &str) -> Option<PathBuf> {
        let folder = self.folder.as_ref().filter(|_| is_revision(revision))?;
        snapshot(&folder.join(model_folder(name)?), revision)
            .or_else(|| snapshot(&folder.join(self.only_one_called(name)?), revision))
    }

    /// The folder of the one model in the cache that has this name within its organisation: `gpt2` for
    /// `openai-community/gpt2`. `None` where there are several.
    fn only_one_called(&self, name: &str) -> Option<String> {
        if name.contains('/') {
            return None;
        }
        let ending = format!("--{}", name.to_lowercase());
        let entries = std::fs::read_dir(self.folder.as_ref()?).ok()?;
        let mut models =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).filter(|folder| {
                let folder = folder.to_lowercase();
                folder.starts_with("models--")
                    && folder.matches("--").count() == 2
                    && folder.ends_with(&ending)
            });
        let first = models.next()?;
        models.next().is_none().then_some(first)
    }

    /// Keeps downloaded files as the hub's library would, and says where the first one lies.
    pub(crate) fn store(
        &self,
        name: &str,
        revision: &str,
        commit: &str,
        files: &[(&str, Vec<u8>)],
    ) -> std::io::Result<PathBuf> {
        let (Some(folder), Some(model)) = (&self.folder, model_folder(name)) else {
            return Err(std::io::Error::other("no cache folder: neither HF_HUB_CACHE nor HOME is set"));
        };
        let model = folder.join(model);
        let snapshot = model.join("snapshots").join(commit);
        std::fs::create_dir_all(&snapshot)?;
        // The first one last: where it lies, a model counts as found, and its other files matter too.
        for (file, bytes) in files.iter().rev() {
            write_whole(&snapshot.join(file), bytes)?;
        }
        if revision != commit {
            let reference = model.join("refs").join(revision);
            if let Some(parent) = reference.parent() {
                std::fs::create_dir_all(parent)?;
            }
            write_whole(&reference, commit.as_bytes())?;
        }
        let (first, _) = files.first().expect("a download has at least one file");
        Ok(snapshot.join(first))
    }
}

/// Other processes read the cache while we write: a file appears whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    std::fs::write(&part, bytes)?;
    std::fs::rename(&part, path)
}

/// The folder of a model; `None` for what cannot be a hub name (`org/name` or `name`).
pub(crate) fn model_folder(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('/').collect();
    let is_name = parts.len() <= 2
        && parts.iter().all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        });
    is_name.then(|| format!("models--{}", parts.join("--")))
}

/// Whether this can be a branch, a tag or a commit. Nothing else is taken for the name of a file.
pub(crate) fn is_revision(revision: &str) -> bool {
    revision.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
}

fn snapshot(model: &Path, revision: &str) -> Option<PathBuf> {
    let commit = std::fs::read_to_string(model.join("refs").join(revision))
        .map_or_else(|_| revision.to_owned(), |commit| commit.trim().to_owned());
    let file = model.join("snapshots").join(commit).join("tokenizer.json");
    file.is_file().then_some(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_environment_is_asked_in_the_order_of_the_hubs_own_library() {
        let at = |set: &'static [(&str, &str)]| {
            HubCache::from_vars(|name| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value))
            })
            .folder
        };
        assert_eq!(at(&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/h")]), Some(PathBuf::from("/c")));
        assert_eq!(at(&[("HF_HOME", "/h"), ("HOME", "/u")]), Some(PathBuf::from("/h/hub")));
        assert_eq!(at(&[("HOME", "/u")]), Some(PathBuf::from("/u/.cache/huggingface/hub")));
        assert_eq!(at(&[]), None);
    }

    #[test]
    fn what_is_stored_is_found_by_revision_and_by_commit() {
        let folder = tempfile::tempdir().unwrap();
        let cache = HubCache::at(folder.path());
        assert_eq!(cache.find("org/name", "main"), None);
        let stored = cache.store("org/name", "main", "abc", &[("tokenizer.json", b"{}".to_vec())]).unwrap();
        assert_eq!(stored, folder.path().join("models--org--name/snapshots/abc/tokenizer.json"));
        assert_eq!(cache.find("org/name", "main"), Some(stored.clone()));
        assert_eq!(cache.find("org/name", "abc"), Some(stored));
        assert_eq!(cache.find("org/name", "v2"), None);
    }

    #[test]
    fn a_short_name_finds_the_one_model_that_is_called_so() {
        let folder = tempfile::tempdir().unwrap();
        let cache = HubCache::at(folder.path());
        let files = [("tokenizer.json", b"{}".to_vec())];
        let stored = cache.store("openai-community/gpt2", "main", "abc", &files).unwrap();
        assert_eq!(cache.find("gpt2", "main"), Some(stored.clone()));
        assert_eq!(cache.find("GPT2", "main"), Some(stored));
        assert_eq!(cache.find("other/gpt2", "main"), None);
        cache.store("someone/gpt2", "main", "def", &files).unwrap();
        assert_eq!(cache.find("gpt2", "main"), None, "which of the two?");
    }

    #[test]
    fn a_model_is_not_found_before_all_its_files_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let cache = HubCache::at(folder.path());
        // Where a folder stands, no file can be written.
        let snapshot = folder.path().join("models--name/snapshots/abc");
        std::fs::create_dir_all(snapshot.join("tokenizer_config.json")).unwrap();
        let files = [("tokenizer.json", b"{}".to_vec()), ("tokenizer_config.json", b"{}".to_vec())];
        assert!(cache.store("name", "main", "abc", &files).is_err());
        assert_eq!(cache.find("name", "abc"), None);
    }

    #[test]
    fn a_revision_never_leads_out_of_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let cache = HubCache::at(folder.path());
        let stored =
            cache.store("org/name", "refs/pr/1", "abc", &[("tokenizer.json", b"{}".to_vec())]).unwrap();
        assert_eq!(cache.find("org/name", "refs/pr/1"), Some(stored));
        let outside = folder.path().join("revision");
        std::fs::write(&outside, "abc").unwrap();
        for revision in [outside.to_str().unwrap(), "../../revision", "", ".", "a//b"] {
            assert_eq!(cache.find("org/name", revision), None, "{revision}");
        }
    }

    #[test]
    fn paths_are_no_hub_names() {
        assert_eq!(model_folder("gpt2").as_deref(), Some("models--gpt2"));
        for name in ["", "/etc", "a/b/c", "../x", "a/..", "a b", "./x"] {
            assert_eq!(model_folder(name), None, "{name}");
        }
    }
}
