//! CSV as Python's `csv.writer` has it: cells quoted where needed, rows ended by CRLF.

use std::iter::once;

/// A table as text. Every row is as long as the head: another length is a bug of the caller, and panics.
pub(crate) fn csv_table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let head = head.iter().map(|&column| column.to_owned()).collect();
    written(csv::WriterBuilder::new().flexible(false), once(head).chain(rows))
}

/// Rows of any length as text.
pub(crate) fn csv_rows(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    written(csv::WriterBuilder::new().flexible(true), rows)
}

fn written(format: &mut csv::WriterBuilder, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut writer = format.terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).expect("memory takes every write, and a table's rows are of one length");
    }
    let bytes = writer.into_inner().expect("memory takes every write");
    String::from_utf8(bytes).expect("CSV of text is text")
}

/// A cell of so many decimals; an empty one for what is not there or not finite.
pub(crate) fn cell(value: Option<f64>, places: usize) -> String {
    value.map(|value| decimals(value, places)).unwrap_or_default()
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
        assert_eq!([cell(Some(2.0), 2), cell(Some(f64::INFINITY), 2), cell(None, 2)], ["2.00", "", ""]);
    }

    #[test]
    fn a_table_is_its_head_and_its_rows() {
        let rows = [vec!["1".to_owned(), String::new()]];
        assert_eq!(csv_table(&["a", "b"], rows), "a,b\r\n1,\r\n");
        assert_eq!(csv_table(&["a", "b"], []), "a,b\r\n");
    }

    #[test]
    #[should_panic(expected = "rows are of one length")]
    fn a_row_shorter_than_its_head_is_a_bug() {
        csv_table(&["a", "b"], [vec!["1".to_owned()]]);
    }
}
