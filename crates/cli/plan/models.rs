//! The models to ask, where the user names none: the server's own list says which it has.
//!
//! This is the one question that is asked of a server before a plan is made: what is planned depends on it.

use std::time::Instant;

use loadgen_core::SystemClock;
use loadgen_telemetry::{Caller, served_models};
use loadgen_wire::{Connector, Target};

use super::endpoint;
use super::{Environment, Faults};
use crate::args::ProfileArgs;
use crate::interrupts;

/// Between two questions, where `--wait-for-model-interval` says nothing.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(5);

/// The model that the first server lists first, and how many it lists. As long as `--wait-for-model-timeout`
/// says, a server that does not answer is asked again.
pub(crate) fn first_served(args: &ProfileArgs, environment: &Environment) -> Result<(String, usize), Faults> {
    let mut faults = Faults::default();
    if args.service.dry_run {
        faults.add("--model", "not given, and --dry-run asks no server which it has: name it with -m");
        return Err(faults);
    }
    let endpoint = endpoint::endpoint(args, environment, &mut faults, &mut Vec::new());
    let connector = endpoint::connector(args, environment, &mut faults, &mut Vec::new());
    let url = args.endpoint.urls.first().map_or("", String::as_str);
    let target = faults.take("--url", Target::parse(url));
    let (Some(endpoint), Some(config), Some(target)) = (endpoint, connector, target) else {
        return Err(faults);
    };
    let clock = SystemClock::start();
    // What is wrong with a proxy or a certificate names its own place.
    let Some(connector) = faults.take("", Connector::new(config, clock)) else { return Err(faults) };
    let caller = Caller::new(connector, &endpoint, clock);
    let deadline = Instant::now() + args.control.wait_for_model_timeout.unwrap_or_default();
    let pause = args.control.wait_for_model_interval.unwrap_or(PAUSE);
    interrupts::leave_on_interrupt();
    loop {
        let why = match served_models(&target, &caller) {
            Ok(models) => {
                let count = models.len();
                let first = models.into_iter().next().expect("a list of models is not empty");
                return Ok((first, count));
            }
            Err(why) => why,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            faults.add(
                "--model",
                format!("not given, and the server does not say which it has: {why}; name it with -m"),
            );
            return Err(faults);
        }
        std::thread::sleep(pause.min(left));
    }
}
