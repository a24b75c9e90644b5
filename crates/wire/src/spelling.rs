//! How the names of headers are written: as the user wrote them, else with capital initials.
//!
//! HTTP's names have no case, yet some gateways look for one, and AIPerf sends the user's names as they are.
//! A request keeps its headers by their names; only what is written otherwise than usual is remembered here.

use std::sync::Arc;

use http::HeaderName;

/// The names that are written otherwise than usual. Cheap to clone; costs nothing where there are none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spellings(Option<Arc<[Spelled]>>);

/// A name, and how it is written.
type Spelled = (HeaderName, Box<str>);

impl Spellings {
    /// Those of these names. The last spelling of a name counts.
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut odd: Vec<Spelled> = Vec::new();
        for spelled in names {
            let Ok(name) = HeaderName::from_bytes(spelled.as_bytes()) else { continue };
            odd.retain(|(known, _)| *known != name);
            if usual(name.as_str()) != spelled {
                odd.push((name, spelled.into()));
            }
        }
        Self((!odd.is_empty()).then(|| odd.into()))
    }

    /// Writes a name.
    pub(crate) fn write(&self, name: &HeaderName, to: &mut Vec<u8>) {
        match self.odd(name) {
            Some(spelled) => to.extend_from_slice(spelled.as_bytes()),
            None => write_usual(name.as_str(), to),
        }
    }

    /// A name as it is written.
    pub(crate) fn spelled(&self, name: &HeaderName) -> String {
        self.odd(name).map_or_else(|| usual(name.as_str()), str::to_owned)
    }

    fn odd(&self, name: &HeaderName) -> Option<&str> {
        let odd = self.0.as_deref()?;
        odd.iter().find(|(known, _)| known == name).map(|(_, spelled)| &**spelled)
    }
}

/// With capital initials, and what is short for something all in capitals.
fn usual(name: &str) -> String {
    let mut spelled = Vec::with_capacity(name.len());
    write_usual(name, &mut spelled);
    String::from_utf8(spelled).expect("a header's name is ASCII")
}

fn write_usual(name: &str, to: &mut Vec<u8>) {
    for (position, word) in name.split('-').enumerate() {
        if position > 0 {
            to.push(b'-');
        }
        let begins = to.len();
        to.extend_from_slice(word.as_bytes());
        let capitals = if is_short_for_words(word) { word.len() } else { word.len().min(1) };
        to[begins..begins + capitals].make_ascii_uppercase();
    }
}

fn is_short_for_words(word: &str) -> bool {
    matches!(word, "id" | "smg" | "url")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_they_were_given_else_with_capital_initials() {
        let spellings = Spellings::of(["x-tEnant", "X-Request-ID", "x-team", "X-Team"]);
        for (name, written) in [
            ("x-tenant", "x-tEnant"),
            ("x-team", "X-Team"),
            ("x-request-id", "X-Request-ID"),
            ("x-smg-routing-key", "X-SMG-Routing-Key"),
        ] {
            let name = HeaderName::from_static(name);
            let mut bytes = Vec::new();
            spellings.write(&name, &mut bytes);
            assert_eq!((spellings.spelled(&name).as_str(), &bytes[..]), (written, written.as_bytes()));
        }
        assert!(Spellings::of(["X-Team", "Host"]).0.is_none(), "the usual ones need no room");
    }
}
