//! An open connection. Body to follow while the crate is laid out.
use std::rc::Rc;

use bytes::Bytes;
use hyper::http::HeaderMap;
use loadgen_core::ErrorDetail;
use tokio::net::TcpStream;

use crate::connector::Connector;
use crate::ledger::Ledger;
use crate::observation::Observation;
use crate::request::Request;
use crate::stream::Stream;
use crate::target::Target;

/// An open connection to one target. It belongs to the thread that opened it.
#[derive(Debug)]
pub struct Connection {
    id: i64,
    target: Target,
}

/// A whole response, for requests outside the measured path.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Connection {
    #[allow(clippy::unused_async)]
    pub(crate) async fn open(
        _connector: Connector,
        id: i64,
        target: Target,
        _stream: Stream,
        _ledger: Rc<Ledger>,
        _socket: Rc<TcpStream>,
        _proxy: Option<Target>,
    ) -> Result<Self, hyper::Error> {
        Ok(Self { id, target })
    }

    /// Its number, unique in the process.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Where it goes.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Sends a request and takes its response. What became of it is in the observation.
    #[allow(clippy::unused_async)]
    pub async fn exchange(&mut self, _request: Request, _observation: &mut Observation) {}

    /// Sends a request and gives the whole response, up to `limit` bytes of it.
    #[allow(clippy::unused_async)]
    pub async fn fetch(&mut self, _request: Request, _limit: usize) -> Result<Fetched, ErrorDetail> {
        Ok(Fetched { status: 200, headers: HeaderMap::new(), body: Bytes::new() })
    }

    /// Whether another request may be sent over it: the last response was read to its end, and the
    /// server has not closed it.
    pub fn is_reusable(&mut self) -> bool {
        true
    }
}
