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

    /// The connection to `target` that was last put back.
    pub(crate) fn take(&mut self, target: usize) -> Option<C> {
        self.idle[target].pop()
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
    fn the_latest_connection_to_the_target_is_taken() {
        let mut pool = Pool::new(2);
        for (target, connection) in [(0, 1), (0, 2), (0, 3), (1, 4)] {
            pool.put(target, connection);
        }
        assert_eq!(
            [pool.take(0), pool.take(0), pool.take(0), pool.take(0)],
            [Some(3), Some(2), Some(1), None]
        );
        assert_eq!([pool.take(1), pool.take(1)], [Some(4), None]);
    }
}
