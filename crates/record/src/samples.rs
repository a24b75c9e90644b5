//! Records for this crate's tests.

use loadgen_core::*;
