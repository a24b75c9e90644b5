//! AIPerf's subcommands, and GenAI-Perf's: each works here, or is refused by name.

use std::ffi::OsString;

use super::Standing::{self, NotYet, Refused, Works};

/// A subcommand of AIPerf.
pub(super) struct Subcommand {
    pub(super) name: &'static str,
    /// What it does there.
    pub(super) meaning: &'static str,
    pub(super) standing: Standing,
}

const KUBERNETES: Standing = NotYet { instead: "run `loadgen profile` in a Kubernetes job of your own" };
const SERVICES: &str = "it starts a part of AIPerf, and loadgen is one process";
const NOT_NEEDED: &str = "run `loadgen profile`, which needs none";

/// Every subcommand, the most used first.
pub(super) const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand { name: "profile", meaning: "run a benchmark", standing: Works },
    Subcommand { name: "config", meaning: "write, expand or check a YAML file", standing: Works },
    Subcommand {
        name: "plot",
        meaning: "PNGs or a dashboard from run folders",
        standing: Refused {
            why: "each run has its page already",
            instead: "open report.html in the run's folder; `aiperf plot` reads the folder too",
        },
    },
    Subcommand {
        name: "analyze",
        meaning: "timelines and messages of finished runs",
        standing: NotYet { instead: "read profile_export.parquet or profile_export.jsonl" },
    },
    Subcommand {
        name: "analyze-trace",
        meaning: "length and prefix statistics of a trace",
        standing: NotYet {
            instead: "`loadgen profile --input-file FILE --dry-run` reads the trace and plans its load",
        },
    },
    Subcommand {
        name: "synthesize",
        meaning: "make a trace from a target's description",
        standing: NotYet { instead: "`loadgen synthesize sinusoidal` makes traces of its own kind" },
    },
    Subcommand {
        name: "validate",
        meaning: "check a dataset or trace file",
        standing: NotYet { instead: "`loadgen profile --input-file FILE --dry-run` checks the file" },
    },
    Subcommand {
        name: "chat",
        meaning: "talk to a model and see its speed",
        standing: Refused {
            why: "loadgen sends load and holds no conversation with a person",
            instead: "use `aiperf chat` or curl",
        },
    },
    Subcommand {
        name: "plugins",
        meaning: "list AIPerf's plugins",
        standing: Refused {
            why: "loadgen has no plugins: everything is in the binary",
            instead: "see `loadgen profile --help`",
        },
    },
    Subcommand {
        name: "speed-bench-report",
        meaning: "acceptance table of SPEED-Bench runs",
        standing: NotYet { instead: "use `aiperf speed-bench-report` on the run folders" },
    },
    Subcommand {
        name: "proxy",
        meaning: "AIPerf's internal message proxy",
        standing: Refused { why: SERVICES, instead: NOT_NEEDED },
    },
    Subcommand {
        name: "service",
        meaning: "one of AIPerf's internal services",
        standing: Refused { why: SERVICES, instead: NOT_NEEDED },
    },
    Subcommand { name: "kube", meaning: "run in a Kubernetes cluster", standing: KUBERNETES },
];

/// GenAI-Perf's subcommands that AIPerf does not have, or means otherwise.
pub(super) const GENAI_PERF_SUBCOMMANDS: &[Subcommand] = &[
    Subcommand {
        name: "template",
        meaning: "write a configuration template of GenAI-Perf",
        standing: Refused { why: "GenAI-Perf's YAML is not read", instead: "give the settings as options" },
    },
    Subcommand {
        name: "process-export-files",
        meaning: "merge the exports of several GenAI-Perf runs",
        standing: Refused {
            why: "it reads perf_analyzer's files, which loadgen does not write",
            instead: "read the profile_export files of each run",
        },
    },
];

/// Why the subcommand of this command line is refused, if it is one of AIPerf's or GenAI-Perf's that
/// does not work here. `argv` begins with the program's name.
pub(crate) fn refuse_subcommand(argv: &[OsString]) -> Option<String> {
    let given = argv.get(1)?.to_str()?;
    let subcommand =
        SUBCOMMANDS.iter().chain(GENAI_PERF_SUBCOMMANDS).find(|subcommand| subcommand.name == given)?;
    // Our own `synthesize` has kinds where AIPerf's has options.
    let ours = given == "synthesize"
        && argv.get(2).is_none_or(|next| !next.to_string_lossy().starts_with("--target"));
    if subcommand.standing == Works || ours {
        return None;
    }
    Some(format!("`{given}` ({}): {}", subcommand.meaning, subcommand.standing.in_words()))
}
