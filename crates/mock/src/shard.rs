//! One server thread's state: its engine, the answers under way, its counts.
//!
//! A shard is a replica: it shares nothing with the others but the numbers of requests and
//! connections. Everything in it belongs to one thread, so nothing is locked. The engine is a pure
//! state machine; the shard tells it the time and wakes the answers it has something for.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use loadgen_core::{Clock, Nanos, Seed, SystemClock};
use loadgen_tokens::Tokenizer;

use crate::config::{MockConfig, MockError, ServeReport};
use crate::faults::FaultPlan;
use crate::perf::{self, Emission, EngineLoad, PerfModel, Work};
use crate::profile::{PerfProfile, Profile, PromptCounting};
use crate::prompt::{Counter, ExactCounter};
use crate::tallies::Tallies;
use crate::timer::Timer;
use crate::truth_log::TruthLog;

/// What all server threads have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) profile: Profile,
    pub(crate) faults: FaultPlan,
    pub(crate) models: Vec<String>,
    pub(crate) seed: Seed,
    pub(crate) clock: SystemClock,
    requests: AtomicU64,
    connections: AtomicU64,
}

impl Common {
    pub(crate) fn new(config: &MockConfig) -> Self {
        let seed = Seed(config.seed);
        let rules = [config.profile.faults.as_slice(), &config.faults].concat();
        Self {
            profile: config.profile.clone(),
            faults: FaultPlan::new(rules, seed),
            models: config.models.clone(),
            seed,
            clock: SystemClock::start(),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    /// The number of a request that has just arrived.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of a connection that has just been accepted.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }
}

/// Where an answer's tokens can leave as soon as they are there.
pub(crate) trait Outlet {
    /// Sends what is due, as far as that can be done on the spot. `false`: the answer's own task has
    /// to see to it. The engine is at work meanwhile and cannot be called.
    fn offer(&self) -> bool;
}

/// How far the engine is with an answer.
#[derive(Default)]
pub(crate) struct Progress {
    admitted: Cell<Option<u32>>,
    tokens: Cell<u32>,
    finished: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    outlet: RefCell<Option<Weak<dyn Outlet>>>,
}

impl Progress {
    /// Prompt tokens that the prefix cache had, once the engine has begun.
    pub(crate) fn admitted(&self) -> Option<u32> {
        self.admitted.get()
    }

    /// Tokens that are there.
    pub(crate) fn tokens(&self) -> u32 {
        self.tokens.get()
    }

    /// Whether no more will come.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished.get()
    }

    /// From now on `outlet` is offered what comes, before the answer's task is woken for it.
    pub(crate) fn offer_to(&self, outlet: Weak<dyn Outlet>) {
        *self.outlet.borrow_mut() = Some(outlet);
    }

    /// Wakes the task of `context` at the next change.
    pub(crate) fn wake_at_change(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match waker.as_mut() {
            Some(waker) => waker.clone_from(context.waker()),
            None => *waker = Some(context.waker().clone()),
        }
    }

    /// Waits until no more will come.
    pub(crate) async fn finished(&self) {
        std::future::poll_fn(|context| {
            if self.is_finished() {
                return Poll::Ready(());
            }
            self.wake_at_change(context);
            Poll::Pending
        })
        .await;
    }

    fn apply(&self, emission: Emission) {
        match emission {
            Emission::Admitted { cached_tokens } => self.admitted.set(Some(cached_tokens)),
            Emission::Token => self.tokens.set(self.tokens.get() + 1),
            Emission::Finished => self.finished.set(true),
        }
        let outlet = self.outlet.borrow().as_ref().and_then(Weak::upgrade);
        if outlet.is_some_and(|outlet| outlet.offer()) {
            return;
        }
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}

/// One server thread's state.
pub(crate) struct Shard {
    common: Arc<Common>,
    engine: RefCell<Engine>,
    timer: Timer,
    counter: RefCell<Counter>,
    report: RefCell<ServeReport>,
    tallies: RefCell<Tallies>,
    log: Option<TruthLog>,
    scratch: RefCell<Box<[u8]>>,
    frame: RefCell<Vec<u8>>,
    stopping: Cell<bool>,
}

struct Engine {
    model: Box<dyn PerfModel>,
    answers: HashMap<u64, Rc<Progress>>,
}

impl Engine {
    /// Does what is due until `now`, and tells the answers.
    fn run(&mut self, now: Nanos) {
        let Self { model, answers } = self;
        model.advance(now, &mut |id, emission| {
            let Some(progress) = answers.get(&id) else { return };
            progress.apply(emission);
            if emission == Emission::Finished {
                answers.remove(&id);
            }
        });
    }
}

/// How often the engine is asked for more in a row.
const ROUNDS: u32 = 32;

/// Bytes that one read may bring.
const SCRATCH: usize = 64 * 1024;

impl Shard {
    /// The state of thread `replica`. Must be made inside its runtime.
    pub(crate) fn new(
        common: Arc<Common>,
        log: Option<TruthLog>,
        replica: usize,
    ) -> Result<Rc<Self>, MockError> {
        let model = perf::build(&common.profile.perf, common.seed, replica)?;
        let counter = match (&common.profile.perf, common.profile.counting) {
            (PerfProfile::Golden, _) => Counter::Words,
            (_, PromptCounting::Estimate) => Counter::Estimate,
            (_, PromptCounting::Builtin) => Counter::Exact(Box::new(ExactCounter::new(Tokenizer::builtin()))),
        };
        Ok(Rc::new(Self {
            common,
            engine: RefCell::new(Engine { model, answers: HashMap::new() }),
            timer: Timer::new()?,
            counter: RefCell::new(counter),
            report: RefCell::default(),
            tallies: RefCell::default(),
            log,
            scratch: RefCell::new(vec![0; SCRATCH].into_boxed_slice()),
            frame: RefCell::default(),
            stopping: Cell::new(false),
        }))
    }

    pub(crate) fn common(&self) -> &Common {
        &self.common
    }

    pub(crate) fn clock(&self) -> &SystemClock {
        &self.common.clock
    }

    pub(crate) fn log(&self) -> Option<&TruthLog> {
        self.log.as_ref()
    }

    pub(crate) fn counter(&self) -> RefMut<'_, Counter> {
        self.counter.borrow_mut()
    }

    pub(crate) fn report(&self) -> RefMut<'_, ServeReport> {
        self.report.borrow_mut()
    }

    /// What `/metrics` tells.
    pub(crate) fn tallies(&self) -> RefMut<'_, Tallies> {
        self.tallies.borrow_mut()
    }

    /// A buffer for one read; never held across an await.
    pub(crate) fn scratch(&self) -> RefMut<'_, Box<[u8]>> {
        self.scratch.borrow_mut()
    }

    /// A buffer for what one write carries; never held across an await.
    pub(crate) fn frame(&self) -> RefMut<'_, Vec<u8>> {
        self.frame.borrow_mut()
    }

    /// Notes that a fault has been applied.
    pub(crate) fn count_fault(&self, name: &str) {
        *self.report().faults.entry(name.to_owned()).or_default() += 1;
    }

    /// Whether connections end because the server stops.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// From now on, connections end because the server stops.
    pub(crate) fn stop(&self) {
        self.stopping.set(true);
    }

    /// What the engine has on its hands.
    pub(crate) fn load(&self) -> EngineLoad {
        self.engine.borrow().model.load()
    }

    /// Empties the prefix cache.
    pub(crate) fn forget_prefixes(&self) {
        self.engine.borrow_mut().model.forget_prefixes();
    }

    /// Hands a request to the engine.
    pub(crate) fn submit(&self, work: Work) -> Rc<Progress> {
        let progress = Rc::new(Progress::default());
        let now = self.clock().now();
        let mut engine = self.engine.borrow_mut();
        engine.answers.insert(work.id, Rc::clone(&progress));
        engine.model.submit(now, work);
        engine.run(now);
        self.timer.set(self.clock().now(), engine.model.next_due());
        progress
    }

    /// Takes a request from the engine; its client has gone.
    pub(crate) fn cancel(&self, id: u64) {
        let mut engine = self.engine.borrow_mut();
        if engine.answers.remove(&id).is_some() {
            engine.model.cancel(id);
        }
    }

    /// Runs the engine whenever it has something to do.
    pub(crate) async fn drive(&self) {
        loop {
            self.timer.expired().await;
            let mut engine = self.engine.borrow_mut();
            // What has come due meanwhile needs no trip through the timer; the rounds are bounded, so that
            // reads and new connections get their turn.
            for _ in 0..ROUNDS {
                let now = self.clock().now();
                if engine.model.next_due().is_none_or(|due| due > now) {
                    break;
                }
                engine.run(now);
            }
            // Sending took its time: the deadline counts from now.
            self.timer.set(self.clock().now(), engine.model.next_due());
        }
    }
}

/// Raises the limit of open files to what the system allows this process: a stream is a descriptor.
pub(crate) fn raise_open_files() -> io::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(())
}
