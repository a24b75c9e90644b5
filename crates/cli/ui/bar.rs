//! Progress on a terminal: one bar that is redrawn in place.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};
use loadgen_run::{Level, Live, PhaseOutline, Progress};

use super::{Floor, label, of, rate, state};

/// Steps of the bar; a phase's progress is a fraction.
const STEPS: u64 = 1000;

/// Draws a bar on standard error.
pub(super) struct Bar {
    floor: Floor,
    bar: Mutex<Option<ProgressBar>>,
}

impl Bar {
    pub(super) fn new(floor: Floor) -> Self {
        Self { floor, bar: Mutex::new(None) }
    }

    fn with_bar(&self, draw: impl FnOnce(&ProgressBar)) {
        if let Ok(bar) = self.bar.lock()
            && let Some(bar) = bar.as_ref()
        {
            draw(bar);
        }
    }

    fn replace(&self, next: Option<ProgressBar>) {
        if let Ok(mut bar) = self.bar.lock()
            && let Some(old) = std::mem::replace(&mut *bar, next)
        {
            old.finish_and_clear();
        }
    }
}

fn new_bar(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:>10} {bar:30} {percent:>3} % {elapsed} {msg}")
        .expect("the template is well formed");
    ProgressBar::new(STEPS).with_style(style).with_prefix(name.to_owned())
}

impl Progress for Bar {
    fn note(&self, level: Level, message: &str) {
        if !self.floor.shows(level) {
            return;
        }
        let line = format!("{}: {message}", label(level));
        let shown =
            self.bar.lock().ok().and_then(|bar| bar.as_ref().map(|bar| bar.suspend(|| say!("{line}"))));
        if shown.is_none() {
            say!("{line}");
        }
    }

    fn phase_started(&self, outline: &PhaseOutline) {
        self.replace(Some(new_bar(outline.phase.name())));
    }

    fn tick(&self, live: &Live) {
        self.with_bar(|bar| {
            bar.set_position((live.fraction().unwrap_or(0.0) * STEPS as f64) as u64);
            bar.set_message(format!("{}, {:.1} req/s", state(live), rate(live)));
        });
    }

    fn phase_ended(&self, live: &Live) {
        self.replace(None);
        say!("{}: {}", live.outline.phase.name(), state(live));
    }

    fn finishing(&self, done: u64, total: Option<u64>) {
        let started = self.bar.lock().map_or(true, |bar| bar.is_some());
        if !started {
            self.replace(Some(new_bar("results")));
        }
        self.with_bar(|bar| {
            bar.set_position(total.map_or(0, |total| STEPS * done / total.max(1)));
            bar.set_message(of(done, total));
        });
    }

    fn finished(&self) {
        self.replace(None);
    }
}
