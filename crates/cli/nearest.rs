//! What somebody who mistyped a word probably meant.

/// The known word that is closest to the one typed, if it is close enough to be meant.
pub(crate) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let closest = known.into_iter().map(|known| (strsim::levenshtein(typed, known), known)).min();
    closest.filter(|(distance, _)| *distance <= typed.len().max(6) / 3).map(|(_, known)| known)
}

/// `; did you mean …?`, or nothing where no known word is close.
pub(crate) fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_meant_if_a_third_of_its_letters_or_fewer_are_wrong() {
        let known = ["chat", "completions", "embeddings"];
        assert_eq!(nearest("chatt", known), Some("chat"));
        assert_eq!(nearest("completion", known), Some("completions"));
        assert_eq!(nearest("embedings", known), Some("embeddings"));
        assert_eq!(nearest("images", known), None);
        assert_eq!(did_you_mean("caht", known), "; did you mean chat?");
        assert_eq!(did_you_mean("x", []), "");
    }
}
