//! What goes on beside a load: the servers are waited for, told, and read.

use std::fs;
use std::io::ErrorKind;
use std::sync::Mutex;
use std::time::Duration;

use loadgen_core::{Phase, SystemClock};
use loadgen_engine::{Attendant, Objection, PhasePlan, PhaseReport, StopSignal};
use loadgen_record::lower_priority;
use loadgen_telemetry::{
    Awaited, Caller, GpuScrape, MetricsUrl, Reached, Remark, RttScrape, ScrapeConfig, ScrapeFiles, Scraper,
    ServerScrape, TapePhase, gpu_fields,
};
use loadgen_wire::Connector;

use super::plan::seconds;
use super::{gpu_lines, rtt_lines, server_tape};
use crate::error::RunError;
use crate::plan::RunPlan;
use crate::progress::{Level, Progress};

/// How much lower than the workers' the scraper's priority is: as the journal's, which is later by as much.
const NICENESS: i32 = 10;

/// How long a load waits for the first readings.
const MOMENT: Duration = Duration::from_secs(1);

/// What goes on beside a load.
pub(crate) struct Beside<'a> {
    plan: &'a RunPlan,
    caller: Caller,
    progress: &'a dyn Progress,
    stop: StopSignal,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    scraper: Option<Scraper>,
    is_profiling: bool,
    phases: i32,
    measured: i32,
}

impl<'a> Beside<'a> {
    /// Waits for the servers, if they are to be waited for. Nothing is written yet.
    pub(crate) fn once_ready(
        plan: &'a RunPlan,
        connector: &Connector,
        clock: SystemClock,
        progress: &'a dyn Progress,
        stop: &StopSignal,
    ) -> Result<Self, RunError> {
        let caller = Caller::new(connector.clone(), &plan.endpoint, clock);
        let is_over = || stop.is_interrupted();
        if let Some(readiness) = &plan.telemetry.readiness {
            let awaited =
                Awaited { targets: &plan.targets, models: &plan.report.models, endpoint: &plan.endpoint };
            let say = |text: &str| progress.waiting(text);
            readiness.wait(awaited, &caller, &say, &is_over)?;
        }
        Ok(Self { plan, caller, progress, stop: stop.clone(), state: Mutex::default() })
    }

    /// Clears the servers' caches, if that is to be done.
    pub(crate) fn reset_caches(&self) -> Result<(), RunError> {
        if let Some(reset) = &self.plan.telemetry.control.reset_kv_cache {
            reset.call(&self.plan.targets, &self.caller, &|| self.stop.is_interrupted())?;
        }
        Ok(())
    }

    /// Begins to read what is to be read, while everything else is prepared.
    pub(crate) fn start(&self, connector: &Connector, clock: SystemClock) -> Result<(), RunError> {
        let artifacts = &self.plan.report.artifacts;
        let folder = artifacts.journal();
        fs::create_dir_all(&folder).map_err(RunError::write(&folder))?;
        let files = ScrapeFiles {
            server: server_tape(artifacts),
            gpu: gpu_lines(artifacts),
            rtt: rtt_lines(artifacts),
        };
        for path in [&files.server, &files.gpu, &files.rtt] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(RunError::write(path)(error));
                }
                _ => {}
            }
        }
        let config = self.scrapes();
        if config.is_empty() {
            return Ok(());
        }
        let prepare = || lower_priority(NICENESS);
        match Scraper::start(config, connector.clone(), files, clock, prepare) {
            Ok(scraper) => self.with(|state| state.scraper = Some(scraper)),
            Err(error) => {
                let text =
                    format!("nothing is read of servers and GPUs: no thread can be had for it: {error}");
                self.progress.note(Level::Warning, &text);
            }
        }
        Ok(())
    }

    /// The load is about to begin. It waits a moment for those who were asked, so that what they said before it
    /// is known; whoever takes longer is read from when they answer.
    pub(crate) fn load_begins(&self, stop: &StopSignal) {
        let answers = self.with(|state| {
            let scraper = state.scraper.as_ref()?;
            let reached = scraper.reached(MOMENT, || stop.is_interrupted());
            scraper.load_begins();
            Some((reached, scraper.remarks()))
        });
        let Some((reached, remarks)) = answers else { return };
        match reached {
            Some(reached) => self.say_reached(&reached),
            None => self.progress.note(
                Level::Warning,
                "a metrics endpoint has not answered within a second: the load begins without its first reading",
            ),
        }
        self.say(remarks);
    }

    fn scrapes(&self) -> ScrapeConfig {
        let telemetry = &self.plan.telemetry;
        let gpu = telemetry.gpu.as_ref().map(|gpu| {
            let mut urls = gpu.default_urls.clone();
            urls.extend(gpu.urls.iter().filter(|url| !gpu.default_urls.contains(url)).cloned());
            let mut fields = gpu_fields();
            fields.extend(self.plan.report.telemetry.gpu_fields.iter().cloned());
            GpuScrape { urls, timing: gpu.timing, fields }
        });
        ScrapeConfig {
            server: telemetry
                .server_metrics
                .as_ref()
                .map(|server| ServerScrape { urls: server.urls.clone(), timing: server.timing }),
            gpu,
            rtt: telemetry.rtt.map(|rtt| RttScrape { targets: self.plan.targets.clone(), probe: rtt.probe }),
        }
    }

    /// Says who is there and who is not. What nobody asked for by name is not missed aloud.
    fn say_reached(&self, reached: &Reached) {
        if let Some(server) = &self.plan.telemetry.server_metrics {
            let silent = silent(&reached.server);
            let total = reached.server.len();
            if total == 0 || silent.len() == total {
                self.progress
                    .note(Level::Info, "Server metrics disabled - no Prometheus endpoints reachable");
            } else {
                let text = format!(
                    "Server metrics enabled - {}/{total} endpoint(s) reachable.",
                    total - silent.len()
                );
                self.progress.note(Level::Info, &text);
            }
            let asked_for = |url: &&str| {
                server.urls[self.plan.targets.len().min(server.urls.len())..]
                    .iter()
                    .any(|own| own.to_string() == **url)
            };
            let missed: Vec<&str> = silent.into_iter().filter(asked_for).collect();
            if !missed.is_empty() {
                let text = format!("Unreachable endpoints: {} (--server-metrics)", missed.join(", "));
                self.progress.note(Level::Warning, &text);
            }
        }
        if let Some(gpu) = &self.plan.telemetry.gpu {
            for url in silent(&reached.gpu) {
                let is_asked_for = gpu.urls.iter().any(|own: &MetricsUrl| own.to_string() == url);
                let level = if is_asked_for { Level::Warning } else { Level::Debug };
                self.progress.note(level, &format!("GPU Telemetry: {url} is not reachable"));
            }
        }
    }

    /// The load is over: what is still to be read is read from now on, and no server is left profiling.
    pub(crate) fn load_ended(&self) {
        self.stop_profiler();
        self.with(|state| {
            if let Some(scraper) = &state.scraper {
                scraper.load_ends();
            }
        });
    }

    /// Waits until all is read, as long as nobody interrupts.
    pub(crate) fn finish(&self, stop: &StopSignal) {
        let Some(scraper) = self.with(|state| state.scraper.take()) else { return };
        if let Some(server) = &self.plan.telemetry.server_metrics
            && !server.timing.flush.is_zero()
        {
            let text = format!("Waiting {} for server metrics flush period...", seconds(server.timing.flush));
            self.progress.note(Level::Debug, &text);
        }
        let remarks = scraper.finish(|| stop.is_interrupted());
        self.say(remarks);
    }

    fn say(&self, remarks: Vec<Remark>) {
        for remark in remarks {
            match remark {
                Remark::Info(text) => self.progress.note(Level::Debug, &text),
                Remark::Warning(text) => self.progress.note(Level::Warning, &text),
            }
        }
    }

    fn stop_profiler(&self) {
        let was_profiling = self.with(|state| std::mem::take(&mut state.is_profiling));
        if let Some(profiler) = &self.plan.telemetry.control.server_profiler
            && was_profiling
            && let Err(error) =
                profiler.stop(&self.plan.targets, &self.caller, &|| self.stop.is_interrupted())
        {
            self.progress.note(Level::Warning, &error.to_string());
        }
    }

    /// Whoever holds the state never panics, so it is never poisoned; and if it were, what it says still holds.
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

fn silent(answers: &[(String, bool)]) -> Vec<&str> {
    answers.iter().filter(|(_, is_there)| !is_there).map(|(url, _)| url.as_str()).collect()
}

impl Attendant for Beside<'_> {
    fn before(&self, plan: &PhasePlan) -> Result<(), Objection> {
        let is_measured = plan.phase == Phase::Profiling;
        if let Some(profiler) = self.plan.telemetry.control.server_profiler.as_ref().filter(|_| is_measured) {
            profiler.start(&self.plan.targets, &self.caller, &|| self.stop.is_interrupted())?;
            self.with(|state| state.is_profiling = true);
        }
        self.with(|state| {
            let profiling_index = is_measured.then_some(state.measured);
            let phase =
                TapePhase { name: plan.phase.name().to_owned(), index: state.phases, profiling_index };
            state.phases += 1;
            state.measured += i32::from(is_measured);
            if let Some(scraper) = &state.scraper {
                scraper.phase_begins(phase);
            }
        });
        Ok(())
    }

    fn after(&self, report: &PhaseReport) {
        self.with(|state| {
            if let Some(scraper) = &state.scraper {
                scraper.phase_ends();
            }
        });
        if report.phase == Phase::Profiling {
            self.stop_profiler();
        }
    }
}
