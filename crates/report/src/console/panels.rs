//! The blocks around the tables: what is incomplete, what failed, and what looks wrong.

use super::MISSING;
use super::paint::{Paint, Style};
use super::table::{Align, Table, panel, wrap};
use crate::info::Report;

/// How far the server's token counts may be from ours, in percent, before a request counts as one
/// with a discrepancy.
const USAGE_DIFFERENCE_PERCENT: u32 = 10;

/// Rows of the error table; what lies beyond is summed up in one more.
const MOST_ERRORS: usize = 25;

/// Characters of an error's message that are shown; a server's error page can be long.
const LONGEST_MESSAGE: usize = 600;

/// Says that the results are not those of the whole run.
pub(super) fn incomplete(report: &Report<'_>, paint: Paint) -> Option<String> {
    let reason = report.info.incomplete_reason.as_deref()?;
    let title = paint.apply(Style::Bad, "loadgen | INCOMPLETE RESULTS");
    Some(format!(
        "{title}\n{reason}\nThese figures are of a part of the run: do not compare them with those of a whole one.\n"
    ))
}

/// The table of errors, most frequent first.
pub(super) fn error_summary(report: &Report<'_>, width: usize, paint: Paint) -> Option<String> {
    let summary = report.summary;
    if summary.error_summary.is_empty() {
        return None;
    }
    let mut table = Table::new(
        "loadgen | Error Summary",
        [("Code", Align::Right), ("Type", Align::Right), ("Message", Align::Left), ("Count", Align::Right)],
    );
    for (error, count) in summary.error_summary.iter().take(MOST_ERRORS) {
        let code = error.code.map_or_else(|| MISSING.to_owned(), |code| code.to_string());
        table.row(vec![code, error.error_type.clone(), excerpt(&error.message), count.to_string()]);
    }
    let beyond: u64 = summary.error_summary.iter().skip(MOST_ERRORS).map(|(_, count)| count).sum();
    let others = beyond + summary.ungrouped_errors;
    if others > 0 {
        let missing = || MISSING.to_owned();
        table.row(vec![missing(), missing(), "other errors, each kind rarer".to_owned(), others.to_string()]);
    }
    Some(table.draw(width, paint))
}

/// A message as far as it is shown, marked where it is cut.
pub(crate) fn excerpt(message: &str) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

/// What looks wrong with the tokens.
pub(super) fn warnings(report: &Report<'_>, width: usize, paint: Paint) -> Vec<String> {
    [cache_hint(report, width), discrepancy(report, width, paint), length_mismatch(report, width, paint)]
        .into_iter()
        .flatten()
        .collect()
}

fn cache_hint(report: &Report<'_>, width: usize) -> Option<String> {
    let summary = report.summary;
    summary.get("total_usage_prompt_tokens")?;
    if summary.get("total_usage_prompt_cache_read_tokens").is_some() {
        return None;
    }
    let hint = "The server reports its token usage, but no cached prompt tokens \
                (usage.prompt_tokens_details.cached_tokens). If it caches prefixes, let it say so: \
                vLLM --enable-prompt-tokens-details, SGLang --enable-cache-report.";
    Some(wrap(hint, width).join("\n") + "\n")
}

fn discrepancy(report: &Report<'_>, width: usize, paint: Paint) -> Option<String> {
    let body = format!(
        "{} show a difference exceeding {USAGE_DIFFERENCE_PERCENT}% between the token counts that the server reports\n\
         (its `usage`) and ours (from the tokenizer).\n\
         \n\
         Likely causes: another tokenizer than the model's; a chat template or special tokens that the server adds.\n\
         What to do: look at usage_*_diff_pct in profile_export.jsonl; give the model's own --tokenizer;\n\
         or count as the server does: --use-server-token-count.",
        share_of_requests(report, "usage_discrepancy_count")?
    );
    Some(panel("Token Count Discrepancy Warning", &body, width, paint))
}

fn length_mismatch(report: &Report<'_>, width: usize, paint: Paint) -> Option<String> {
    let body = format!(
        "{} came back with another output length than asked for.\n\
         \n\
         Most servers stop at their end-of-sequence token. To get the length asked for, add\n\
         --extra-inputs ignore_eos:true, or min_tokens where the server knows it.",
        share_of_requests(report, "osl_mismatch_count")?
    );
    Some(panel("Output Sequence Length Mismatch Warning", &body, width, paint))
}

/// `9 of 10 requests (90.0%)`, if the count is above zero.
fn share_of_requests(report: &Report<'_>, tag: &str) -> Option<String> {
    let (count, total) = (report.figure(tag)?, report.figure("request_count")?);
    (count > 0.0 && total > 0.0)
        .then(|| format!("{count:.0} of {total:.0} requests ({:.1}%)", 100.0 * count / total))
}
