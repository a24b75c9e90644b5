//! A map that keeps the order it was given, for JSON objects whose order readers know.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

/// Pairs in order, serialized as an object. Keys must be distinct.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyed<T, K = &'static str>(Vec<(K, T)>);

impl<T> Keyed<T> {
    /// Whether there is no pair.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs whose keys are in `first`, in that order, and the rest in theirs.
    pub(crate) fn split(self, first: &[&str]) -> (Self, Self) {
        let rank = |key: &str| first.iter().position(|other| *other == key);
        let (mut named, rest): (Vec<_>, Vec<_>) =
            self.0.into_iter().partition(|(key, _)| rank(key).is_some());
        named.sort_by_key(|(key, _)| rank(key));
        (Self(named), Self(rest))
    }
}

impl<T, K> FromIterator<(K, T)> for Keyed<T, K> {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<T: Serialize, K: Serialize> Serialize for Keyed<T, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
