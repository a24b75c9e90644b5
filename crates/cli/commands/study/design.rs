//! From flags to an experiment: what is tried, how often, and when repeats agree.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use loadgen_metrics::Metric;
use loadgen_run::Artifacts;
use loadgen_study::{
    Axis, Constraint, Criterion, DEFAULT_SEED, Design, LEAST_RUNS, Mode, Order, Pairing, Seeds, Variation,
    expand, with_own_folders,
};
use loadgen_wire::redact_field;
use serde_json::Value;

use super::variants;
use crate::args::ProfileArgs;
use crate::args::study::{DEFAULT_CONFIDENCE, StudyArgs};
use crate::args::values::word;
use crate::plan::{Faults, Notice};

/// Statistics that repeats may be compared by.
const STATISTICS: [&str; 7] = ["avg", "p50", "p90", "p95", "p99", "min", "max"];

/// An experiment as the command asks for it.
#[derive(Debug)]
pub(crate) struct Experiment {
    /// Which runs there are.
    pub(super) design: Design,
    /// The options of each variation, in the design's order.
    pub(super) args: Vec<ProfileArgs>,
    /// When repeats agree.
    pub(super) criterion: Option<Criterion>,
    /// Confidence level of the intervals.
    pub(super) confidence_level: f64,
    /// Bounds that the best points have to meet.
    pub(super) constraints: Vec<Constraint>,
    /// The options whose lists are swept.
    pub(super) lists: Vec<&'static str>,
    /// Whether the table of the sweep is printed.
    pub(super) table: bool,
    /// Worth telling the user.
    pub(super) notices: Vec<Notice>,
}

/// What a command asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A single run.
    OneRun {
        /// What is said of runs that there are not.
        idle: Vec<Notice>,
    },
    /// Several.
    Many(Box<Experiment>),
}

impl Experiment {
    /// What the command asks for.
    pub(crate) fn of(args: &ProfileArgs, argv: &[OsString]) -> Result<Asked> {
        let study = &args.study;
        let mut faults = Faults::default();
        let sweep = sweep(args, argv, &mut faults)?;
        let order = order(study, &mut faults);
        let criterion = criterion(args, argv, &mut faults);
        let is_sweep = sweep.len() > 1;
        check(study, is_sweep, order, criterion.as_ref(), &mut faults);
        for (path, value) in sweep.iter().flat_map(|(variation, _)| &variation.values) {
            if is_secret(path) || holds_secret(path, value) {
                faults.add(
                    path,
                    "a secret cannot be swept, for what is swept shows in the results: set it once",
                );
            }
        }
        let sweep = faults.into_result(sweep)?;
        let (variations, args_of_each): (Vec<_>, Vec<_>) = sweep.into_iter().unzip();

        let consistent = study.set_consistent_seed.unwrap_or(!study.no_set_consistent_seed);
        let design = Design {
            variations: with_own_folders(variations),
            repeats: study.num_profile_runs,
            order,
            run_cooldown: study.profile_run_cooldown_seconds.unwrap_or(Duration::ZERO),
            sweep_cooldown: study.parameter_sweep_cooldown_seconds.unwrap_or(Duration::ZERO),
            seeds: Seeds {
                base: args.input.random_seed.or(consistent.then_some(DEFAULT_SEED)),
                same_for_variations: study.parameter_sweep_same_seed,
                vary_per_trial: study.vary_seed_per_trial,
            },
            warm_up_once: study
                .profile_run_disable_warmup_after_first
                .unwrap_or(!study.no_profile_run_disable_warmup_after_first),
        };
        let notices = notices(study, &design, criterion.as_ref());
        if !design.is_experiment() {
            return Ok(Asked::OneRun { idle: notices });
        }
        // What runs come to together is made from AIPerf's files.
        if args.origin.genai_perf.is_some() {
            bail!("genai-perf makes one run at a time: call loadgen or aiperf for repeats and sweeps");
        }
        let prefix = args.output.profile_export_prefix.as_deref();
        if Artifacts::new(PathBuf::new(), prefix).leaves_folder() {
            bail!(
                "--profile-export-prefix {}: leads out of the runs' folders, and each run would replace the files of \
                 the one before: give a name, or folders below --artifact-dir",
                prefix.unwrap_or_default()
            );
        }
        Ok(Asked::Many(Box::new(Self {
            design,
            args: args_of_each,
            criterion,
            confidence_level: study.confidence_level,
            constraints: study.sweep_sla.clone(),
            lists: args.axes().iter().map(|axis| axis.flag).collect(),
            table: !study.no_sweep_table,
            notices,
        })))
    }
}

/// The variations and the options of each.
fn sweep(
    args: &ProfileArgs,
    argv: &[OsString],
    faults: &mut Faults,
) -> Result<Vec<(Variation, ProfileArgs)>> {
    let axes = args.axes();
    let pairing = match word(&args.study.sweep_type).as_str() {
        "zip" => Pairing::Zip,
        "grid" => Pairing::Grid,
        other => {
            faults.add("--sweep-type", format!("{other:?} is not known: expected grid or zip"));
            Pairing::Grid
        }
    };
    if !args.study.variant.is_empty() {
        if let Some(swept) = axes.first() {
            faults.add(
                "--variant",
                format!("points by hand and the list of {} exclude each other", swept.flag),
            );
            return Ok(Vec::new());
        }
        if args.origin.config.is_some() {
            faults.add(
                "--variant",
                "cannot stand beside a file: write the points as `sweep: {type: scenarios}` there",
            );
            return Ok(Vec::new());
        }
        return Ok(variants::variants(args, argv, faults));
    }
    if let Some(points) = crate::config_file::variations(&args.origin)? {
        return Ok(points);
    }
    if axes.is_empty() {
        return Ok(vec![(Variation::base(), args.clone())]);
    }
    let swept = axes.iter().map(|axis| Axis { path: axis.path.to_owned(), values: axis.values.clone() });
    let Some(variations) = faults.take("--sweep-type", expand(swept.collect(), pairing)) else {
        return Ok(Vec::new());
    };
    variations
        .into_iter()
        .map(|variation| {
            let settings = axes.iter().filter_map(|axis| {
                let value = variation.values.get(axis.path)?;
                Some([OsString::from(axis.flag), OsString::from(value.to_string())])
            });
            let settings: Vec<OsString> = settings.flatten().collect();
            let mut point = crate::args::parse_profile(argv, &settings)?;
            point.origin = args.origin.clone();
            point.origin.sweeps_concurrency = axes.iter().any(|axis| axis.flag == "--concurrency");
            Ok((variation, point))
        })
        .collect()
}

/// Whether what is swept is a secret: the key of the server, or a header, which may be one.
pub(super) fn is_secret(path: &str) -> bool {
    path.split('.').any(|part| {
        let part: String = part.chars().filter(char::is_ascii_alphanumeric).collect();
        matches!(part.to_ascii_lowercase().as_str(), "apikey" | "header" | "headers")
    })
}

/// Whether the value of what is swept holds a secret: by the name of a field of the body, or by its look.
fn holds_secret(path: &str, value: &Value) -> bool {
    let name = path.rsplit_once(".extra.").map_or("", |(_, name)| name);
    redact_field(name, value) != *value
}

fn order(study: &StudyArgs, faults: &mut Faults) -> Order {
    match study.parameter_sweep_mode.as_deref().map(word).as_deref() {
        None | Some("repeated") => Order::Repeated,
        Some("independent") => Order::Independent,
        Some(other) => {
            faults.add(
                "--parameter-sweep-mode",
                format!("{other:?} is not known: expected repeated or independent"),
            );
            Order::Repeated
        }
    }
}

fn criterion(args: &ProfileArgs, argv: &[OsString], faults: &mut Faults) -> Option<Criterion> {
    let study = &args.study;
    let Some(metric) = study.convergence_metric.clone() else {
        let lonely = [
            ("--convergence-stat", study.convergence_stat.is_some()),
            ("--convergence-threshold", study.convergence_threshold.is_some()),
            ("--convergence-mode", study.convergence_mode.is_some()),
            ("--convergence-min-runs", study.convergence_min_runs.is_some()),
        ];
        for (flag, _) in lonely.iter().filter(|(_, given)| *given) {
            faults.add(flag, "says how a metric is watched: name it with --convergence-metric");
        }
        return None;
    };
    if Metric::of(&metric).is_none() {
        faults.add(
            "--convergence-metric",
            format!(
                "{metric:?} is no metric, so that no repeats could agree in it; {}",
                Metric::meant_by(&metric)
            ),
        );
    }
    let mode = match study.convergence_mode.as_deref().map(word).as_deref() {
        None | Some("ci_width") => Mode::CiWidth,
        Some("cv") => Mode::Cv,
        Some("distribution") => Mode::Distribution,
        Some(other) => {
            faults.add(
                "--convergence-mode",
                format!("{other:?} is not known: expected ci-width, cv or distribution"),
            );
            Mode::CiWidth
        }
    };
    let statistic = study.convergence_stat.as_deref().map_or("avg".to_owned(), word);
    if !STATISTICS.contains(&statistic.as_str()) {
        faults.add(
            "--convergence-stat",
            format!("{statistic:?} is not known: expected {}", STATISTICS.join(", ")),
        );
    }
    // AIPerf refuses it unless the level is given, though it writes the records by default.
    if mode == Mode::Distribution && !(names_export_level(argv) && exports_records(args)) {
        faults.add(
            "--convergence-mode",
            "distribution compares the runs' requests, for which they have to be exported: add --export-level records",
        );
    }
    let min_runs = study.convergence_min_runs.unwrap_or(LEAST_RUNS);
    if min_runs > study.num_profile_runs && study.num_profile_runs > 1 {
        faults.add(
            "--convergence-min-runs",
            format!("{min_runs} is more than --num-profile-runs {}", study.num_profile_runs),
        );
    }
    Some(Criterion { metric, statistic, mode, threshold: study.convergence_threshold, min_runs })
}

/// Whether the command says how much to export.
fn names_export_level(argv: &[OsString]) -> bool {
    argv.iter().filter_map(|word| word.to_str()).any(|word| {
        let name = word.split('=').next().unwrap_or_default();
        matches!(name, "--export-level" | "--profile-export-level")
    })
}

/// Whether the runs' requests are exported.
fn exports_records(args: &ProfileArgs) -> bool {
    args.output.export_level.as_deref().is_none_or(|level| word(level) != "summary")
}

/// What cannot be meant together.
fn check(
    study: &StudyArgs,
    is_sweep: bool,
    order: Order,
    criterion: Option<&Criterion>,
    faults: &mut Faults,
) {
    if study.num_profile_runs < 2 {
        let lonely = [
            (
                "--profile-run-cooldown-seconds",
                study.profile_run_cooldown_seconds.is_some_and(|rest| !rest.is_zero()),
            ),
            (
                "--profile-run-disable-warmup-after-first",
                study.profile_run_disable_warmup_after_first.is_some()
                    || study.no_profile_run_disable_warmup_after_first,
            ),
            ("--set-consistent-seed", study.set_consistent_seed.is_some() || study.no_set_consistent_seed),
            ("--convergence-metric", criterion.is_some()),
        ];
        for (flag, _) in lonely.iter().filter(|(_, given)| *given) {
            faults.add(flag, "is about repeats, and there is one run: add --num-profile-runs 2 or more");
        }
    }
    if is_sweep && order == Order::Repeated && criterion.is_some() && study.num_profile_runs > 1 {
        faults.add(
            "--convergence-metric",
            "repeats of a sweep that are made in turn cannot end one by one: add --parameter-sweep-mode independent",
        );
    }
}

/// What the user should know about how the experiment was understood.
fn notices(study: &StudyArgs, design: &Design, criterion: Option<&Criterion>) -> Vec<Notice> {
    let mut notices = Vec::new();
    if design.repeats < 2 {
        let idle = [
            ("--confidence-level", study.confidence_level != DEFAULT_CONFIDENCE),
            ("--vary-seed-per-trial", study.vary_seed_per_trial && !design.is_sweep()),
        ];
        for (flag, _) in idle.iter().filter(|(_, given)| *given) {
            notices.push(Notice::Warning(format!(
                "{flag} has no effect: nothing is repeated; add --num-profile-runs 2 or more"
            )));
        }
    }
    if !design.is_sweep() {
        let idle = [
            ("--parameter-sweep-mode", study.parameter_sweep_mode.is_some()),
            ("--parameter-sweep-cooldown-seconds", !design.sweep_cooldown.is_zero()),
            ("--parameter-sweep-same-seed", study.parameter_sweep_same_seed),
            ("--sweep-type", word(&study.sweep_type) != "grid"),
            ("--sweep-sla", !study.sweep_sla.is_empty()),
            ("--no-sweep-table", study.no_sweep_table),
        ];
        for (flag, _) in idle.iter().filter(|(_, given)| *given) {
            notices.push(Notice::Warning(format!("{flag} has no effect: nothing is swept")));
        }
    }
    let mut note = |text: String| notices.push(Notice::Info(text));
    if let Some(criterion) = criterion {
        if criterion.min_runs < loadgen_study::RECOMMENDED_LEAST_RUNS {
            note(format!(
                "repeats are compared from the {}nd on: fewer than {} say little",
                criterion.min_runs,
                loadgen_study::RECOMMENDED_LEAST_RUNS
            ));
        }
        if !design.is_sweep() {
            note(
                "without a sweep all runs are made, whether they agree or not, as AIPerf makes them: it is said when \
                 they do"
                    .to_owned(),
            );
        }
    }
    notices
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_and_headers_are_secrets_and_tokens_to_generate_are_not() {
        for secret in ["api-key", "endpoint.api_key", "endpoint.apiKey", "endpoint.headers.X-Auth"] {
            assert!(is_secret(secret), "{secret}");
        }
        for open in ["output-tokens-mean", "datasets.main.prompts.isl.mean", "phases.profiling.rate"] {
            assert!(!is_secret(open), "{open}");
        }
    }

    #[test]
    fn values_are_secrets_by_the_name_of_their_field_or_by_their_look() {
        assert!(holds_secret("endpoint.extra.nvext.auth", &json!("a")));
        assert!(holds_secret("endpoint.urls", &json!(["http://u:p@host"])));
        for (path, value) in [
            ("endpoint.extra.max_tokens", json!(5)),
            ("endpoint.urls", json!(["http://host:1"])),
            ("datasets.main.prompts.isl", json!({ "mean": 5 })),
            ("output-tokens-mean", json!("<redacted>")),
        ] {
            assert!(!holds_secret(path, &value), "{path}");
        }
    }

    #[test]
    fn a_metric_alone_is_watched_by_the_width_of_its_interval_from_the_second_run_on() {
        let argv = ["loadgen", "profile", "-m", "m", "--convergence-metric", "request_latency"];
        let argv: Vec<OsString> =
            argv.iter().chain(&["--num-profile-runs", "5"]).map(OsString::from).collect();
        let args = crate::args::parse_profile(&argv, &[]).expect("they are options");
        let mut faults = Faults::default();
        let watched = criterion(&args, &argv, &mut faults).expect("there is a metric");
        assert_eq!(faults.into_result(()).map_err(|faults| faults.to_string()), Ok(()));
        assert_eq!((watched.mode, watched.statistic.as_str(), watched.min_runs), (Mode::CiWidth, "avg", 2));
        assert_eq!(watched.threshold().to_bits(), 0.10_f64.to_bits());
    }

    #[test]
    fn the_level_of_export_is_named_in_either_spelling() {
        let named =
            |words: &[&str]| names_export_level(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(named(&["--export-level", "raw"]) && named(&["--profile-export-level=records"]));
        assert!(!named(&["--export-http-trace"]));
    }
}
