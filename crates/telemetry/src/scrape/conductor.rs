//! The thread's own task: asks who is there, then lets each endpoint have a task of its own.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use loadgen_core::SystemClock;
use loadgen_wire::Connector;
use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::Instant;

use super::collector::Collector;
use super::keep::{KeepGpus, KeepServer, Keeper};
use super::{GpuScrape, Mark, Reached, Remark, RttScrape, ScrapeConfig, ScrapeFiles, ServerScrape};
use crate::metrics_url::MetricsUrl;
use crate::rtt::RttTarget;
use crate::tape::{Tape, TapeEndpoint};

/// What all tasks share.
pub(super) struct Stage {
    pub(super) connector: Connector,
    pub(super) files: ScrapeFiles,
    pub(super) clock: SystemClock,
    pub(super) remark: mpsc::Sender<Remark>,
}

impl Stage {
    pub(super) fn warn(&self, text: String) {
        // Nobody listens any more: nobody is to be told.
        let _ = self.remark.send(Remark::Warning(text));
    }
}

/// The tasks, and how they are told.
#[derive(Default)]
struct Crew {
    inboxes: Vec<UnboundedSender<Told>>,
    tasks: Vec<JoinHandle<()>>,
}

/// What a task is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Start,
    PhaseBegins(usize),
    PhaseEnds,
    LoadEnds,
    Hurry,
}

impl Crew {
    fn hire<F: Future<Output = ()> + 'static>(&mut self, task: impl FnOnce(UnboundedReceiver<Told>) -> F) {
        let (told, inbox) = unbounded_channel();
        self.inboxes.push(told);
        self.tasks.push(spawn_local(task(inbox)));
    }

    fn tell(&self, told: Told) {
        for inbox in &self.inboxes {
            // A task that is done needs no telling.
            let _ = inbox.send(told);
        }
    }
}

pub(super) async fn conduct(
    config: ScrapeConfig,
    stage: Stage,
    mut marks: UnboundedReceiver<Mark>,
    reach: mpsc::Sender<Reached>,
) {
    let stage = Rc::new(stage);
    let mut crew = Crew::default();
    let mut reached = Reached::default();
    let mut tape = None;
    if let Some(server) = config.server {
        (reached.server, tape) = servers(server, &stage, &mut crew).await;
    }
    if let Some(gpu) = config.gpu {
        reached.gpu = gpus(gpu, &stage, &mut crew).await;
    }
    if let Some(rtt) = config.rtt {
        let stage = Rc::clone(&stage);
        crew.hire(|inbox| round_trips(rtt, stage, inbox));
    }
    let _ = reach.send(reached);
    let mut phases = 0;
    while let Some(mark) = marks.recv().await {
        let told = match mark {
            Mark::Start => Told::Start,
            Mark::PhaseBegins(phase) => {
                if let Some(tape) = &tape
                    && let Err(error) = tape.borrow_mut().phase(phase)
                {
                    stage.warn(format!("server metrics are no longer kept: {error}"));
                }
                phases += 1;
                Told::PhaseBegins(phases - 1)
            }
            Mark::PhaseEnds => Told::PhaseEnds,
            Mark::LoadEnds => Told::LoadEnds,
            Mark::Hurry => Told::Hurry,
        };
        crew.tell(told);
        if crew.tasks.iter().all(JoinHandle::is_finished) {
            break;
        }
        if told == Told::LoadEnds {
            wait_for(&mut crew, &mut marks).await;
            break;
        }
    }
    // Hanging up ends whoever is not done yet.
}

/// Waits for the tasks to come to their end, and hurries them where somebody asks for it.
async fn wait_for(crew: &mut Crew, marks: &mut UnboundedReceiver<Mark>) {
    for mut task in std::mem::take(&mut crew.tasks) {
        loop {
            tokio::select! {
                _ = &mut task => break,
                mark = marks.recv() => match mark {
                    Some(Mark::Hurry) => crew.tell(Told::Hurry),
                    Some(_) => {}
                    None => return,
                },
            }
        }
    }
}

/// Asks every endpoint at once whether it is there.
async fn who_is_there(urls: &[MetricsUrl], patience: Duration, stage: &Rc<Stage>) -> Vec<(Collector, bool)> {
    let asked: Vec<_> = urls
        .iter()
        .map(|url| {
            let mut collector = Collector::new(url.clone(), Rc::clone(stage));
            spawn_local(async move {
                let is_there = collector.is_there(patience).await;
                (collector, is_there)
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(asked.len());
    for (asked, url) in asked.into_iter().zip(urls) {
        let silent = |_| (Collector::new(url.clone(), Rc::clone(stage)), false);
        answers.push(asked.await.unwrap_or_else(silent));
    }
    answers
}

type Answers = Vec<(String, bool)>;

async fn servers(
    scrape: ServerScrape,
    stage: &Rc<Stage>,
    crew: &mut Crew,
) -> (Answers, Option<Rc<RefCell<Tape>>>) {
    let answers = who_is_there(&scrape.urls, scrape.timing.first_patience, stage).await;
    let reached: Answers = answers.iter().map(|(collector, there)| (collector.url(), *there)).collect();
    if reached.iter().all(|(_, is_there)| !is_there) {
        return (reached, None);
    }
    let tape = match tape_for(&stage.files.server, &reached) {
        Ok(tape) => Rc::new(RefCell::new(tape)),
        Err(error) => {
            stage.warn(format!("server metrics cannot be kept: {error}"));
            return (reached, None);
        }
    };
    let keeper = |endpoint| Keeper::Server(KeepServer::new(endpoint, Rc::clone(&tape)));
    hire_all(answers, scrape.timing, keeper, crew).await;
    (reached, Some(tape))
}

fn tape_for(path: &Path, reached: &[(String, bool)]) -> io::Result<Tape> {
    let mut tape = Tape::create(path)?;
    for (url, is_reachable) in reached {
        tape.endpoint(TapeEndpoint { url: url.clone(), is_reachable: *is_reachable })?;
    }
    Ok(tape)
}

async fn gpus(scrape: GpuScrape, stage: &Rc<Stage>, crew: &mut Crew) -> Answers {
    let answers = who_is_there(&scrape.urls, scrape.timing.first_patience, stage).await;
    let reached: Answers = answers.iter().map(|(collector, there)| (collector.url(), *there)).collect();
    if reached.iter().all(|(_, is_there)| !is_there) {
        return reached;
    }
    let lines = match Lines::create(&stage.files.gpu) {
        Ok(lines) => Rc::new(RefCell::new(lines)),
        Err(error) => {
            stage.warn(format!("GPU telemetry cannot be kept: {error}"));
            return reached;
        }
    };
    let fields: Rc<[_]> = scrape.fields.into();
    let keeper = |_| Keeper::Gpus(KeepGpus::new(Rc::clone(&fields), Rc::clone(&lines)));
    hire_all(answers, scrape.timing, keeper, crew).await;
    reached
}

/// Lets each endpoint that is there be read by a task, from a first reading on.
async fn hire_all(
    answers: Vec<(Collector, bool)>,
    timing: super::ScrapeTiming,
    keeper: impl Fn(usize) -> Keeper,
    crew: &mut Crew,
) {
    let mut first = Vec::new();
    for (endpoint, (mut collector, is_there)) in answers.into_iter().enumerate() {
        if is_there {
            let keeper = keeper(endpoint);
            first.push(spawn_local(async move {
                collector.begin(keeper, timing).await;
                collector
            }));
        }
    }
    for first in first {
        if let Ok(collector) = first.await {
            crew.hire(|inbox| collector.collect(inbox));
        }
    }
}

/// Lines of a file that grows.
#[derive(Debug)]
pub(super) struct Lines {
    out: BufWriter<File>,
}

impl Lines {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { out: BufWriter::new(File::create(path)?) })
    }

    pub(super) fn push(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Measures round trips from the start of the load to its end.
async fn round_trips(scrape: RttScrape, stage: Rc<Stage>, mut inbox: UnboundedReceiver<Told>) {
    let mut targets = RttTarget::of(&scrape.targets);
    for target in &mut targets {
        target.resolve().await;
    }
    let mut lines = match Lines::create(&stage.files.rtt) {
        Ok(lines) => lines,
        Err(error) => return stage.warn(format!("round trips cannot be kept: {error}")),
    };
    let mut succeeded = vec![0; targets.len()];
    let mut next = None;
    let (mut is_over, mut is_hurried) = (false, false);
    while !is_over {
        let wake = next.unwrap_or_else(|| Instant::now() + Duration::from_hours(24));
        tokio::select! {
            told = inbox.recv() => match told {
                None => return,
                Some(Told::Start) => next = Some(Instant::now()),
                Some(Told::LoadEnds) => is_over = true,
                Some(Told::Hurry) => (is_over, is_hurried) = (true, true),
                Some(_) => {}
            },
            () = tokio::time::sleep_until(wake), if next.is_some() => {
                for (target, succeeded) in targets.iter().zip(&mut succeeded) {
                    *succeeded += probe(target, &scrape, &stage, &mut lines).await;
                }
                next = Some((wake + scrape.probe.interval).max(Instant::now()));
            }
        }
    }
    let deadline = Instant::now() + scrape.probe.make_up_within;
    for (target, succeeded) in targets.iter().zip(&mut succeeded) {
        for _ in 0..2 * scrape.probe.least {
            if *succeeded >= scrape.probe.least || Instant::now() >= deadline || is_hurried {
                break;
            }
            *succeeded += probe(target, &scrape, &stage, &mut lines).await;
        }
    }
}

/// One probe; how many succeeded.
async fn probe(target: &RttTarget, scrape: &RttScrape, stage: &Stage, lines: &mut Lines) -> u32 {
    let sample = target.probe(scrape.probe.patience, stage.clock).await;
    if let Err(error) = lines.push(&sample).and_then(|()| lines.flush()) {
        stage.warn(format!("a round trip could not be kept: {error}"));
    }
    u32::from(sample.success)
}
