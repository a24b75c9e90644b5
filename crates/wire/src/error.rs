//! Failures in AIPerf's terms: its error types' names, so that tools that group by them keep working.

use std::error::Error;

use loadgen_core::ErrorDetail;

use crate::redact::redact;

/// A detail without a code.
pub(crate) fn detail(error_type: &str, message: &str) -> ErrorDetail {
    ErrorDetail {
        code: None,
        error_type: redact(error_type).into_owned(),
        message: redact(message).into_owned(),
        cause: None,
        cause_chain: Vec::new(),
    }
}

/// A detail with the causes of `error` listed.
pub(crate) fn detail_of(error_type: &str, message: &str, error: &(dyn Error + 'static)) -> ErrorDetail {
    let mut chain = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        chain.push(redact(&error.to_string()).into_owned());
        next = error.source();
    }
    ErrorDetail { cause: chain.last().cloned(), cause_chain: chain, ..detail(error_type, message) }
}
