//! Placeholder while the crate is laid out.
use loadgen_core::Turn;

use super::{EndpointConfig, EndpointError};
use crate::request::Body;

#[derive(Debug)]
pub(super) struct BodyPlan;
impl BodyPlan {
    pub(super) fn new(_config: &EndpointConfig) -> Self {
        Self
    }
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    pub(super) fn render(&self, _turn: &Turn) -> Result<Body, EndpointError> {
        Ok(Body::default())
    }
}
