//! The blocks around the tables: what is incomplete, what failed, and what looks wrong.

use loadgen_metrics::{Summary, Thresholds};

use super::MISSING;
use super::paint::{Paint, Style};
use super::table::{Align, Table, panel, wrap};
use crate::info::Report;

/// Said where a server reports its usage without what it read from its cache.
pub const CACHE_HINT: &str = "Token usage is reported but no prompt-cache read tokens were seen \
    (usage.prompt_tokens_details.cached_tokens absent). If your server uses prefix/KV caching, let it say so: \
    vLLM --enable-prompt-tokens-details, SGLang --enable-cache-report (TRT-LLM reports it by default).";

/// Rows of the error table; what lies beyond is summed up in one more.
const MOST_ERRORS: usize = 25;

/// Characters of an error's message that are shown; a server's error page can be long.
const LONGEST_MESSAGE: usize = 600;

/// Says that the results are not those of the whole run.
pub(super) fn incomplete(report: &Report<'_>, paint: Paint) -> Option<String> {
    let reason = report.info.incomplete_reason.as_deref()?;
    let title = paint.apply(Style::Bad, &format!("{} | INCOMPLETE RESULTS", report.info.product));
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
        format!("{} | Error Summary", report.info.product),
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
    [discrepancy(report, width, paint), length_mismatch(report, width, paint)].into_iter().flatten().collect()
}

/// What would let the server say more of its cache.
pub(super) fn cache_hint(report: &Report<'_>, width: usize) -> Option<String> {
    hides_its_cache(report.summary).then(|| wrap(CACHE_HINT, width).join("\n") + "\n")
}

/// Whether the server reports its usage without what it read from its cache: then [`CACHE_HINT`] applies.
pub fn hides_its_cache(summary: &Summary) -> bool {
    summary.get("total_usage_prompt_tokens").is_some()
        && summary.get("total_usage_prompt_cache_read_tokens").is_none()
}

fn discrepancy(report: &Report<'_>, width: usize, paint: Paint) -> Option<String> {
    let percent = report.info.thresholds.usage_diff_pct;
    let body = format!(
        "{} show a difference exceeding {percent}% between:\n\
         \u{20} - API-reported usage tokens (from 'usage' field)\n\
         \u{20} - Client-computed token counts (from tokenization)\n\
         \n\
         Possible Causes:\n\
         \u{20} - Another tokenizer than the model's\n\
         \u{20} - A chat template or special tokens that the server adds\n\
         \n\
         Investigation Steps:\n\
         \u{20} 1. Review profile_export.jsonl for per-request usage_*_diff_pct values\n\
         \u{20} 2. Give the model's own --tokenizer, and --apply-chat-template\n\
         \u{20} 3. Count as the server does: --use-server-token-count\n\
         \u{20} 4. Adjust threshold: AIPERF_METRICS_USAGE_PCT_DIFF_THRESHOLD={percent}",
        share_of_requests(report, "usage_discrepancy_count")?
    );
    Some(panel("Token Count Discrepancy Warning", &body, width, paint))
}

fn length_mismatch(report: &Report<'_>, width: usize, paint: Paint) -> Option<String> {
    let Thresholds { osl_mismatch_pct: percent, osl_mismatch_tokens: tokens, .. } = report.info.thresholds;
    let average =
        report.figure("osl_mismatch_diff_pct").map_or(MISSING.to_owned(), |diff| format!("{diff:.1}%"));
    let body = format!(
        "{} have output length differing from requested by more than the threshold.\n\
         Threshold (tokens): min(requested x {percent}%, {tokens})\n\
         Average mismatch: {average}\n\
         \n\
         Why: most servers stop at their end-of-sequence token.\n\
         \n\
         Fix Options:\n\
         \u{20} - --extra-inputs ignore_eos:true (vLLM, TensorRT-LLM)\n\
         \u{20} - --extra-inputs min_tokens:<N> (vLLM, TensorRT-LLM, SGLang)\n\
         \u{20} - --use-server-token-count, where the tokenizer is not the model's\n\
         \n\
         Diagnostics:\n\
         \u{20} - Review profile_export.jsonl -> osl_mismatch_diff_pct for per-request values\n\
         \u{20} - Adjust: AIPERF_METRICS_OSL_MISMATCH_PCT_THRESHOLD={percent}\n\
         \u{20} - Adjust: AIPERF_METRICS_OSL_MISMATCH_MAX_TOKEN_THRESHOLD={tokens}",
        share_of_requests(report, "osl_mismatch_count")?
    );
    Some(panel("Output Sequence Length Mismatch Warning", &body, width, paint))
}

/// What helps against an error that is seen often: a server that knows no `max_completion_tokens`.
pub(super) fn insight(report: &Report<'_>, width: usize, paint: Paint) -> Option<String> {
    let refused = ["extra_forbidden", "max_completion_tokens", "Extra inputs are not permitted"];
    let is_it = |message: &str| refused.iter().all(|part| message.contains(part));
    report.summary.error_summary.iter().find(|(error, _)| is_it(&error.message))?;
    let body = "The server rejected 'max_completion_tokens': it only knows 'max_tokens'.\n\
                \n\
                Suggested Fixes:\n\
                \u{20} - --use-legacy-max-tokens sends the output length as 'max_tokens'\n\
                \u{20} - or leave out --osl, and give --extra-inputs max_tokens:<N>";
    Some(panel("Unsupported Parameter: max_completion_tokens", body, width, paint))
}

/// `9 of 10 requests (90.0%)`, if the count is above zero.
fn share_of_requests(report: &Report<'_>, tag: &str) -> Option<String> {
    let (count, total) = (report.figure(tag)?, report.figure("request_count")?);
    (count > 0.0 && total > 0.0)
        .then(|| format!("{count:.0} of {total:.0} requests ({:.1}%)", 100.0 * count / total))
}
