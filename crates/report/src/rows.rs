//! CSV as Python's `csv.writer` has it: rows of any length, quoted where needed, ended by CRLF.

/// The rows as text.
pub(crate) fn csv_rows(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).flexible(true).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).expect("memory takes every write, and rows may differ in length");
    }
    let bytes = writer.into_inner().expect("memory takes every write");
    String::from_utf8(bytes).expect("CSV of text is text")
}

/// A number with so many decimals; nothing for one that is not finite.
pub(crate) fn decimals(value: f64, places: usize) -> String {
    if value.is_finite() { format!("{value:.places$}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_may_differ_in_length_and_are_quoted_where_needed() {
        let rows = [vec!["a".to_owned(), "b,c".to_owned()], vec!["[1, 'x']".to_owned()]];
        assert_eq!(csv_rows(rows), "a,\"b,c\"\r\n\"[1, 'x']\"\r\n");
        assert_eq!(decimals(1.005, 1), "1.0");
        assert_eq!(decimals(f64::NAN, 1), "");
    }
}
