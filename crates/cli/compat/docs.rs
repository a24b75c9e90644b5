//! `docs/compat.md`, made from the tables.

use std::fmt::Write as _;

use super::Standing::{self, NoEffect, NotYet, Refused, Works};
use super::choices::CHOICES;
use super::subcommands::{GENAI_PERF_SUBCOMMANDS, SUBCOMMANDS, Subcommand};
use super::{Flag, flags, table};

const INTRODUCTION: &str = "\
# What becomes of AIPerf's and GenAI-Perf's command line

This page is made from loadgen's own tables by `cargo run -- docs`; a test holds that they cover AIPerf 0.13
in full. Every option is one of four things:

* **works**: it does what it does in AIPerf;
* **no effect**: it is accepted, does nothing here, and says so once on standard error;
* **refused**: it ends the command with exit code 1, before anything is sent, with the reason and what to do instead;
* **not built yet**: as refused, and it may come.

Values that ask for nothing (`--cache-bust none`, `--num-profile-runs 1`, `--auto-plot=false`) are accepted
whatever the standing of their option.
";

/// The page.
pub(crate) fn compat_page() -> String {
    let mut page = String::from(INTRODUCTION);
    let _ = write!(
        page,
        "\n| AIPerf 0.13 | works | no effect | refused | not built yet | all |\n|---|---|---|---|---|---|\n"
    );
    row_of_counts(&mut page, "options of `profile`", flags().map(|flag| flag.standing));
    for (option, choices) in CHOICES {
        row_of_counts(
            &mut page,
            &format!("choices of `{option}`"),
            choices.iter().map(|choice| choice.standing),
        );
    }
    row_of_counts(&mut page, "subcommands", SUBCOMMANDS.iter().map(|subcommand| subcommand.standing));

    page.push_str("\n## Options of `profile`\n");
    for group in table::GROUPS {
        let _ = write!(page, "\n### {}\n\n| option | standing | |\n|---|---|---|\n", group.name);
        for flag in group.flags {
            option(&mut page, flag);
        }
    }
    for (option, choices) in CHOICES {
        let _ = write!(page, "\n## Choices of `{option}`\n\n| choice | standing | |\n|---|---|---|\n");
        for choice in *choices {
            line(&mut page, &format!("`{}`", choice.value), choice.standing);
        }
    }
    let _ = write!(
        page,
        "\n## Environment variables\n\nAll that AIPerf's settings have; what AIPerf does not know is passed over. Also read: \
         OPENAI_API_KEY, ANTHROPIC_API_KEY, HF_TOKEN, HF_HOME, HF_HUB_OFFLINE, SSL_CERT_FILE, NO_COLOR, and with \
         AIPERF_HTTP_TRUST_ENV the proxies' variables.\n\n| variable | standing | |\n|---|---|---|\n"
    );
    for variable in crate::plan::VARIABLES {
        line(&mut page, &format!("`{}`", variable.name), variable.standing);
    }
    page.push_str("\n## Subcommands\n\n| subcommand | standing | |\n|---|---|---|\n");
    subcommands(&mut page, SUBCOMMANDS);
    page.push_str("\nGenAI-Perf's own:\n\n| subcommand | standing | |\n|---|---|---|\n");
    subcommands(&mut page, GENAI_PERF_SUBCOMMANDS);
    page.push('\n');
    page.push_str(&crate::names::genai_perf::compat_section());
    page
}

fn row_of_counts(page: &mut String, what: &str, standings: impl Iterator<Item = Standing>) {
    let mut counts = [0_usize; 4];
    for standing in standings {
        counts[match standing {
            Works => 0,
            NoEffect(_) => 1,
            Refused { .. } => 2,
            NotYet { .. } => 3,
        }] += 1;
    }
    let [works, idle, refused, not_yet] = counts;
    let all: usize = counts.iter().sum();
    let _ = writeln!(page, "| {what} | {works} | {idle} | {refused} | {not_yet} | {all} |");
}

fn option(page: &mut String, flag: &Flag) {
    let quoted = |name: &str| format!("`{name}`");
    let names: Vec<_> = flag.names().chain(flag.negatives()).map(quoted).collect();
    let words = [words(flag.standing), flag.accepted().unwrap_or_default()];
    let words: Vec<String> = words.into_iter().filter(|words| !words.is_empty()).collect();
    row(page, &names.join(" "), flag.standing, &words.join("; "));
}

fn subcommands(page: &mut String, subcommands: &[Subcommand]) {
    for subcommand in subcommands {
        line(page, &format!("`{}`: {}", subcommand.name, subcommand.meaning), subcommand.standing);
    }
}

fn line(page: &mut String, what: &str, standing: Standing) {
    row(page, what, standing, &words(standing));
}

fn words(standing: Standing) -> String {
    match standing {
        Works => String::new(),
        NoEffect(why) => why.to_owned(),
        Refused { why, instead } => format!("{why}; instead: {instead}"),
        NotYet { instead } => format!("instead: {instead}"),
    }
}

/// One row; a bar would end its cell.
fn row(page: &mut String, what: &str, standing: Standing, words: &str) {
    let _ = writeln!(page, "| {what} | {} | {} |", standing.word(), words.replace('|', r"\|"));
}
