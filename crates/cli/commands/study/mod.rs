//! `loadgen profile` where it asks for more than one run: repeats, sweeps, and both.
//!
//! The runs are made one after the other in this process; each leaves the folder of a run of its own.
//! What they came to together is made from those folders, here and by `loadgen report` again.

mod bench;
mod chronicle;
mod design;
mod echo;
mod files;
mod record;
mod results;
mod variants;

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use loadgen_engine::StopSignal;
use loadgen_run::{Artifacts, Progress};
use loadgen_study::{Cell, Design, Made, conduct};

pub(crate) use design::{Asked, Experiment};
pub(crate) use echo::with_defaults;

use self::bench::{Lab, servers_of};
use self::chronicle::Chronicle;
use self::record::{Record, RunRecord};
use self::results::Results;
use crate::args::ProfileArgs;
use crate::commands::profile::{conclude, show};
use crate::exit::ExitStatus;
use crate::interrupts::listen_for_interrupts;
use crate::names::Personality;
use crate::plan::{self, Environment, Faults, Notice, Servers};
use crate::ui::say;

/// Plans every variation against these servers, so that whatever is wrong shows before anything runs.
/// Says the plans, for `--dry-run`.
pub(crate) fn rehearse(
    experiment: &Experiment,
    base: &ProfileArgs,
    argv: &[OsString],
    environment: &Environment,
    servers: &Servers,
) -> Result<String> {
    let design = &experiment.design;
    let mut text = format!("{}\n", in_words(experiment));
    if base.service.dry_run {
        for notice in &experiment.notices {
            let (Notice::Info(said) | Notice::Warning(said)) = notice;
            text.extend([said.as_str(), "\n"]);
        }
    }
    let mut dir = None;
    for (variation, args) in design.variations.iter().zip(&experiment.args) {
        let servers = servers_of(args, base, servers)?;
        let mut planned = plan::resolve(args, argv, environment, &servers)?;
        if planned.run.report.fixed_schedule
            && let Some(flag) = experiment.lists.first()
        {
            let mut faults = Faults::default();
            faults.add(
                flag,
                "a list sweeps, and a fixed schedule replays the trace's own times: give one value, or \
                 --no-fixed-schedule with a rate or a concurrency",
            );
            faults.into_result(())?;
        }
        if base.service.dry_run {
            // The folder is named by the first variation.
            let dir: &PathBuf = dir.get_or_insert_with(|| planned.run.report.artifacts.dir.clone());
            let first = Cell { variation: variation.index, trial: 0 };
            planned.run = bench::placed(planned.run, design, first, dir, "");
            let rehearsal = loadgen_run::rehearse(&planned.run)?;
            if design.is_sweep() {
                text += &["\n", &variation.label, "\n"].concat();
            }
            text += &planned.in_words(&rehearsal, &folders(design, variation.index, dir));
        }
    }
    Ok(text)
}

/// Where the runs of a variation go, in words.
fn folders(design: &Design, variation: usize, dir: &Path) -> String {
    let folder = |trial| dir.join(design.run_folder(Cell { variation, trial })).display().to_string();
    match design.repeats {
        1 => folder(0),
        repeats => format!("{} to {}", folder(0), folder(repeats - 1)),
    }
}

/// Makes the runs, and what they came to together.
pub(super) fn run(
    experiment: &Experiment,
    args: &ProfileArgs,
    argv: &[OsString],
    environment: &Environment,
    servers: &Servers,
    progress: &Arc<dyn Progress>,
) -> Result<ExitStatus> {
    let design = &experiment.design;
    // The folder is named by the first variation, as in AIPerf.
    let first = &experiment.args[0];
    let first = plan::resolve(first, argv, environment, &servers_of(first, args, servers)?)?;
    let dir = first.run.report.artifacts.dir.clone();
    let constraints = experiment.constraints.iter().map(ToString::to_string).collect();
    let sweep_id = uuid::Uuid::new_v4().to_string();
    let mut record =
        Record::new(design, sweep_id, experiment.criterion.clone(), experiment.confidence_level, constraints);
    record.model = first.run.report.models.first().cloned();
    record.prefix.clone_from(&args.output.profile_export_prefix);

    let stop = StopSignal::new();
    listen_for_interrupts(&stop, progress)?;
    if Record::is_in(&dir) {
        can_begin(experiment, args, argv, environment, servers)?;
    }
    Results::clear(&dir, design)?;
    record.write(&dir)?;
    let as_aiperf = args.origin.personality == Personality::Aiperf;
    let chronicle = Chronicle::begin(&dir, Arc::clone(progress), as_aiperf)?;
    let mut lab = Lab {
        experiment,
        base: args,
        argv,
        environment,
        servers,
        chronicle,
        stop,
        dir: dir.clone(),
        record,
        worst: ExitStatus::Success,
        was_cut_short: false,
        said: HashSet::new(),
    };
    lab.note(&experiment.notices);
    lab.chronicle.plan(experiment, &in_words(experiment));
    let criterion = experiment.criterion.as_ref().map(|criterion| (criterion, experiment.confidence_level));
    let made = conduct(design, criterion, &mut lab);
    let status = together(&dir, &lab.record, &made, experiment.table, Some(&lab.chronicle))?;
    Ok(status.min(lab.worst))
}

/// Refuses an experiment of which no point can even be prepared, before it takes the place of an earlier
/// one.
fn can_begin(
    experiment: &Experiment,
    base: &ProfileArgs,
    argv: &[OsString],
    environment: &Environment,
    servers: &Servers,
) -> Result<()> {
    let prepare = |args: &ProfileArgs| -> Result<()> {
        let planned = plan::resolve(args, argv, environment, &servers_of(args, base, servers)?)?;
        loadgen_run::rehearse(&planned.run)?;
        Ok(())
    };
    let mut first_error = None;
    for args in &experiment.args {
        match prepare(args) {
            Ok(()) => return Ok(()),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    first_error.map_or(Ok(()), Err)
}

/// Makes every output of the experiment in `dir` again; `None` where it holds none.
pub(super) fn report(dir: &Path, progress: &dyn Progress) -> Result<Option<ExitStatus>> {
    if !Record::is_in(dir) {
        return Ok(None);
    }
    let mut record = Record::read(dir)?;
    let design = record.design();
    let mut worst = ExitStatus::Success;
    let mut made = Vec::new();
    for cell in design.cells() {
        let folder = dir.join(design.run_folder(cell));
        let known = record.runs.iter().find(|run| run.cell() == cell).cloned();
        let artifacts = Artifacts::new(folder.clone(), record.prefix.as_deref());
        let did_not_succeed = || known.as_ref().is_none_or(|run| run.error.is_some());
        if !artifacts.journal().is_dir() && did_not_succeed() {
            // A run that never came to have a journal is told as it was then, or was never made.
            made.extend(known.and_then(|run| Some(Made { cell, outcome: Err(run.error?) })));
            continue;
        }
        let result = match loadgen_run::finish(&folder, progress) {
            Ok(result) => result,
            // What the others measured is worth no less for it.
            Err(error) => {
                let error = anyhow::Error::new(error);
                say!("error: cannot report {}, the other runs are: {error:#}", folder.display());
                worst = ExitStatus::Failure;
                made.push(Made { cell, outcome: Err(format!("{error:#}")) });
                continue;
            }
        };
        show(&result)?;
        let status = conclude(&result, false);
        let cut_short = result.was_cut_short();
        match record.runs.iter_mut().find(|run| run.cell() == cell) {
            Some(run) => run.cut_short = cut_short,
            // It was killed before it could be written down.
            None => record.runs.push(RunRecord {
                variation: cell.variation,
                trial: cell.trial,
                folder: design.run_folder(cell),
                error: None,
                cut_short,
            }),
        }
        let outcome = match known.and_then(|run| run.error) {
            Some(error) => Err(error),
            None => bench::figures(&artifacts).map_err(|error| format!("{error:#}")),
        };
        match &outcome {
            Ok(_) => worst = worst.min(status),
            Err(error) => say!("warning: {} did not succeed: {error}", folder.display()),
        }
        made.push(Made { cell, outcome });
    }
    record.runs.retain(|run| made.iter().any(|made| made.cell == run.cell()));
    Results::clear(dir, &design)?;
    Ok(Some(together(dir, &record, &made, true, None)?.min(worst)))
}

/// Writes and prints what the runs came to together, and tells it. As AIPerf: a failure where fewer than two
/// succeeded.
fn together(
    dir: &Path,
    record: &Record,
    made: &[Made],
    table: bool,
    chronicle: Option<&Chronicle>,
) -> Result<ExitStatus> {
    let design = record.design();
    let results = Results { dir, record, design: &design, made };
    let (succeeded, planned) = (results.succeeded(), record.planned());
    if !results.are_enough() {
        let why = format!(
            "{succeeded} of {planned} runs succeeded: at least 2 are needed to say what they came to together; \
             what each measured is below {}",
            dir.display()
        );
        say!("error: {why}");
        if let Some(chronicle) = chronicle {
            chronicle.came_to_nothing(&why);
        }
        return Ok(ExitStatus::Failure);
    }
    let text = format!("{}{}\n", results.write(table)?, results.how_far());
    super::print(&text)?;
    if let Some(chronicle) = chronicle {
        chronicle.came_to(&text);
    }
    Ok(ExitStatus::Success)
}

/// What is to be done, in a line.
fn in_words(experiment: &Experiment) -> String {
    let design = &experiment.design;
    let runs = design.runs();
    let what = match (design.is_sweep(), design.repeats) {
        (false, repeats) => format!("{repeats} repeats"),
        (true, 1) => format!("{} points", design.variations.len()),
        (true, repeats) => {
            format!("{} points × {repeats} repeats, {}", design.variations.len(), design.order.word())
        }
    };
    let until = experiment.criterion.as_ref().map_or_else(String::new, |criterion| {
        let (metric, mode, threshold) = (&criterion.metric, criterion.mode.word(), criterion.threshold());
        format!(", watching {metric} ({mode} {threshold})")
    });
    format!("{runs} runs: {what}, confidence {} %{until}", experiment.confidence_level * 100.0)
}
