//! Media that are made ahead and kept, as far as memory allows; later ones when a turn asks for them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use loadgen_core::Media;

/// Bytes of media that are kept, of each kind.
const BOUND: u64 = 256 << 20;

/// Makes a kind of media.
pub(super) trait Make: Sync {
    /// The medium at a position, the same whoever asks and when.
    fn make(&self, position: u64) -> Media;
}

/// The media of a run's turns, as many for each.
pub(super) struct Batches<M> {
    maker: M,
    batch: u64,
    kept: Kept,
}

impl<M: Make> Batches<M> {
    /// `batch` media for each of `turns` turns.
    pub(super) fn new(maker: M, batch: u32, turns: u64) -> Self {
        let batch = u64::from(batch);
        let count = usize::try_from(turns.saturating_mul(batch)).unwrap_or(usize::MAX);
        let kept = Kept::make(count, BOUND, |position| maker.make(position));
        Self { maker, batch, kept }
    }

    /// The media of the turn at `position`.
    pub(super) fn of(&self, position: u64) -> impl Iterator<Item = Media> + '_ {
        (position * self.batch..(position + 1) * self.batch)
            .map(|medium| self.kept.at(medium).unwrap_or_else(|| self.maker.make(medium)))
    }
}

/// The media of the first positions.
#[derive(Debug)]
struct Kept {
    made: Vec<OnceLock<Media>>,
}

impl Kept {
    /// Makes the first of `count` media, on all cores, until `bound` bytes are held.
    fn make(count: usize, bound: u64, make: impl Fn(u64) -> Media + Sync) -> Self {
        // A medium has some bytes at least, so this many are more than are ever kept.
        let made: Vec<OnceLock<Media>> =
            (0..count.min((bound / LEAST_BYTES) as usize)).map(|_| OnceLock::new()).collect();
        let (next, held) = (AtomicUsize::new(0), AtomicU64::new(0));
        let work = || {
            while held.load(Ordering::Relaxed) < bound {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(place) = made.get(at) else { return };
                let medium = place.get_or_init(|| make(at as u64));
                held.fetch_add(bytes(medium), Ordering::Relaxed);
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        std::thread::scope(|scope| {
            for _ in 1..cores.min(made.len()) {
                scope.spawn(work);
            }
            work();
        });
        Self { made }
    }

    /// The medium at a position, if it is kept.
    fn at(&self, position: u64) -> Option<Media> {
        self.made.get(usize::try_from(position).ok()?)?.get().cloned()
    }
}

/// The shortest medium there is: a head and a sample.
const LEAST_BYTES: u64 = 32;

fn bytes(medium: &Media) -> u64 {
    match medium {
        Media::Url(text) => text.len() as u64,
        Media::Encoded { base64, .. } => base64.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medium(position: u64) -> Media {
        Media::Encoded { format: "wav".into(), base64: vec![position as u8; 100].into(), plays_ns: None }
    }

    #[test]
    fn as_many_are_kept_as_the_bound_holds() {
        let all = Kept::make(20, BOUND, medium);
        assert!((0..20).all(|position| all.at(position) == Some(medium(position))));
        assert_eq!(all.at(20), None);
        let some = Kept::make(10_000, 1_000, medium);
        let kept = (0..10_000).filter(|position| some.at(*position).is_some()).count() as u64;
        // Those that were begun when the bound was reached are finished.
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        assert!((10..=10 + cores).contains(&kept), "{kept}");
        assert!((0..10_000).filter_map(|at| Some((at, some.at(at)?))).all(|(at, kept)| kept == medium(at)));
    }
}
