//! What is wrong with a command line, collected so that it can be shown all at once.

use std::fmt;

/// Faults of a command line, each with the flag it belongs to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults(Vec<String>);

impl Faults {
    /// Notes that `flag` is wrong, and what would be right.
    pub(crate) fn add(&mut self, flag: &str, what: impl fmt::Display) {
        let what = what.to_string();
        // Errors of the libraries name their flag already.
        self.0.push(if names(&what, flag) { what } else { format!("{flag}: {what}") });
    }

    /// Notes that two options cannot stand beside each other.
    pub(crate) fn exclude(&mut self, flag: &str, other: &str) {
        self.0.push(format!("{flag} and {other} exclude one another: give one of the two"));
    }

    /// Takes a value, or notes why there is none.
    pub(crate) fn take<T, E: fmt::Display>(&mut self, flag: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.add(flag, error)).ok()
    }

    /// Itself, if nothing was wrong yet: what is wrong already leaves the rest without sense.
    pub(crate) fn none_yet(self) -> Result<Self, Self> {
        if self.0.is_empty() { Ok(self) } else { Err(self) }
    }

    /// The value, if nothing was wrong.
    pub(crate) fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

/// Whether a text names a flag: the whole of it, and not one that only begins alike.
fn names(text: &str, flag: &str) -> bool {
    let goes_on = |rest: &str| rest.starts_with(|next: char| next == '-' || next.is_alphanumeric());
    text.match_indices(flag).any(|(at, _)| !goes_on(&text[at + flag.len()..]))
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\nerror: "))
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_shown_each_with_its_flag() {
        let mut faults = Faults::default();
        assert_eq!(faults.take("--a", Ok::<_, String>(1)), Some(1));
        assert_eq!(faults.take("--a", Err::<(), _>("too small")), None);
        faults.add("--b", "--b: names itself");
        faults.add("--c", "not beside --c-d");
        faults.exclude("--e", "--e-file");
        assert_eq!(
            faults.to_string(),
            "--a: too small\nerror: --b: names itself\nerror: --c: not beside --c-d\n\
             error: --e and --e-file exclude one another: give one of the two"
        );
        assert!(faults.into_result(()).is_err());
    }
}
