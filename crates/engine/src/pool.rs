//! A worker's idle connections, by target.
//!
//! Last in, first out: the connection most likely to be still alive is used first, and the surplus
//! of a burst stays at the bottom. There is no upper limit: a request that finds no connection gets
//! a new one, since waiting for one would distort the load.
//!
//! It does not open, check or use connections.

/// Idle connections of type `C`.
#[derive(Debug)]
pub(crate) struct Pool<C> {
    idle: Vec<Vec<C>>,
}

impl<C> Pool<C> {
    /// An empty pool for `targets` targets.
    pub(crate) fn new(targets: usize) -> Self {
        Self { idle: (0..targets).map(|_| Vec::new()).collect() }
    }

    /// The connection to `target` that was last put back and still `is_alive`; those found dead on
    /// the way are dropped.
    pub(crate) fn take(&mut self, target: usize, mut is_alive: impl FnMut(&mut C) -> bool) -> Option<C> {
        let idle = &mut self.idle[target];
        while let Some(mut connection) = idle.pop() {
            if is_alive(&mut connection) {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for later.
    pub(crate) fn put(&mut self, target: usize, connection: C) {
        self.idle[target].push(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_living_connection_to_the_target_is_taken() {
        let mut pool = Pool::new(2);
        for (target, connection) in [(0, 1), (0, 2), (0, 3), (1, 4)] {
            pool.put(target, connection);
        }
        assert_eq!(pool.take(0, |connection| *connection != 3), Some(2));
        assert_eq!(pool.take(0, |_| true), Some(1));
        assert_eq!(pool.take(0, |_| true), None);
        assert_eq!(pool.take(1, |_| false), None);
    }
}
