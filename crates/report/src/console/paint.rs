//! Styles of terminal text, or their absence.

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint(bool);

/// What a piece of text is, in looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Title,
    Head,
    Rule,
    Faint,
    Good,
    Warn,
    Bad,
}

impl Paint {
    pub(super) fn new(ansi: bool) -> Self {
        Self(ansi)
    }

    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self(false)
    }

    /// The text in its style; without colours, the text.
    pub(super) fn apply(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Plain => "",
            Style::Title | Style::Head => "1",
            Style::Rule | Style::Faint => "2",
            Style::Good => "32",
            Style::Warn => "33",
            Style::Bad => "1;31",
        };
        if self.0 && !code.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
