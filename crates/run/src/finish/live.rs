//! The pass over a journal that is still being written.
//!
//! One thread of low priority follows the journal. It takes what has been written whole, never holds
//! anything up, and falls behind while the cores are busy: the journal is on disk, and once the load is
//! over every core works off the rest. What it has made by then is what [`finish`](super::finish) would
//! make of the same entries.
//!
//! Invariant: whatever goes wrong here costs no result. The journal has everything, and the pass is made
//! again from its start.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use loadgen_record::{Batch, JournalReader, Written, lower_priority};
use loadgen_tokens::Tokenizer;

use super::pass::{BATCH, Pass};
use super::{RunResult, Told, finish};
use crate::error::RunError;
use crate::progress::Progress;

/// How long the thread sleeps when nothing more has been written: as long as the journal's own.
const POLL: Duration = Duration::from_millis(100);

/// How much lower than the workers' the thread's priority is: lower than the journal's, which must not
/// fall behind, where this thread may.
const NICENESS: i32 = 15;

/// A pass in the background. Dropped before [`finish`](Live::finish), it stops and leaves no file.
#[derive(Debug)]
pub(crate) struct Live {
    dir: PathBuf,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<SoFar, RunError>>>,
}

/// How far the pass has come.
struct SoFar {
    told: Told,
    reader: JournalReader,
    pass: Pass,
    /// A batch that was not full yet.
    batch: Batch,
}

impl Live {
    /// Starts to follow the journal of the run in `dir`. The tokenizer is loaded on the thread, once there
    /// is something to count. Where no thread can be had, all the work is left to the end.
    pub(crate) fn start(
        dir: &Path,
        written: Written,
        load: impl FnOnce() -> Result<Tokenizer, RunError> + Send + 'static,
    ) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (folder, over) = (dir.to_owned(), Arc::clone(&is_over));
        let thread = std::thread::Builder::new()
            .name("finish".to_owned())
            .spawn(move || {
                lower_priority(NICENESS);
                follow(&folder, written, load, &over)
            })
            .ok();
        Self { dir: dir.to_owned(), is_over, thread }
    }

    /// Takes the rest and writes every output. The journal must be closed. `records`: how many it holds.
    pub(crate) fn finish(mut self, records: u64, progress: &dyn Progress) -> Result<RunResult, RunError> {
        // What could not be written while the load took all there is (open files, say) may be now.
        let so_far = self.stop().and_then(Result::ok).filter(|so_far| !so_far.pass.has_given_up());
        let Some(SoFar { told, mut reader, mut pass, batch }) = so_far else {
            return finish(&self.dir, progress);
        };
        reader.complete()?;
        pass.drain(&mut reader, batch, &|done| progress.finishing(done, Some(records)));
        told.end(pass, &reader, progress)
    }

    /// Ends the thread and takes what it has; `None` where there is nothing.
    fn stop(&mut self) -> Option<Result<SoFar, RunError>> {
        let thread = self.thread.take()?;
        self.is_over.store(true, Ordering::Release);
        thread.thread().unpark();
        thread.join().ok()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // The files of a pass that is not ended remove themselves.
        let _ = self.stop();
    }
}

fn follow(
    dir: &Path,
    written: Written,
    load: impl FnOnce() -> Result<Tokenizer, RunError>,
    is_over: &AtomicBool,
) -> Result<SoFar, RunError> {
    let mut reader = JournalReader::follow(written)?;
    let told = Told::of(&reader, dir)?;
    let mut batch = Batch::default();
    // Nothing is begun before there is something to do: a short run has the machine to itself.
    while !reader.fill(&mut batch, BATCH) && !is_over.load(Ordering::Acquire) {
        std::thread::park_timeout(POLL);
    }
    let mut pass = told.begin(told.tokenizer(|_| load())?)?;
    while !is_over.load(Ordering::Acquire) {
        if reader.fill(&mut batch, BATCH) {
            pass.take(&batch);
            batch = Batch::default();
        } else {
            std::thread::park_timeout(POLL);
        }
    }
    Ok(SoFar { told, reader, pass, batch })
}
