//! The table of latencies by where they count from.

use loadgen_metrics::Summary;

use super::figures::figure;
use super::paint::Paint;
use super::table::{Align, Table};
use crate::origins::Origins;

pub(super) fn table(summary: &Summary, product: &str, width: usize, paint: Paint) -> Option<String> {
    let Origins { columns, rows } = Origins::of(summary)?;
    let head = std::iter::once("Counted from").chain(columns).map(|name| (name, Align::Right));
    let mut table = Table::new(format!("{product} | Latency by Where It Counts From (ms)"), head);
    for (origin, figures) in rows {
        table.row(std::iter::once(origin.to_owned()).chain(figures.into_iter().map(figure)).collect());
    }
    Some(table.draw(width, paint))
}
