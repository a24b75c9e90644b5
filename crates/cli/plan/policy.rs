//! From flags to what holds beside the load: catching up, ceilings, how long connections live.

use loadgen_engine::{CatchUp, ConnectionReuse, Policy};
use loadgen_run::LoadShape;

use super::load::{Load, rate_of};
use super::{Environment, Faults};
use crate::args::ProfileArgs;
use crate::args::values::word;

/// Resolves it.
pub(super) fn policy(
    args: &ProfileArgs,
    environment: &Environment,
    load: &Load,
    faults: &mut Faults,
) -> Policy {
    let reuse = connection_reuse(args, faults).unwrap_or_default();
    Policy {
        catch_up: catch_up(args, load, faults).unwrap_or_default(),
        max_request_rate: args
            .load
            .max_request_rate
            .and_then(|rate| rate_of("--max-request-rate", rate, faults)),
        connection_reuse: if environment.force_close { ConnectionReuse::Never } else { reuse },
        ..Policy::default()
    }
}

fn catch_up(args: &ProfileArgs, load: &Load, faults: &mut Faults) -> Option<CatchUp> {
    let given = args.load.catch_up.as_deref()?;
    if matches!(load.profiling.shape, LoadShape::Closed { .. }) {
        faults.add(
            "--catch-up",
            "a closed loop has no schedule to fall behind: give --request-rate or a trace with times",
        );
    }
    match word(given).as_str() {
        "burst" => Some(CatchUp::Burst),
        "skip" => Some(CatchUp::Skip),
        "fail" => Some(CatchUp::Fail),
        _ => {
            faults.add("--catch-up", format!("{given:?} is not known: expected burst, skip or fail"));
            None
        }
    }
}

fn connection_reuse(args: &ProfileArgs, faults: &mut Faults) -> Option<ConnectionReuse> {
    let given = &args.connections.connection_reuse_strategy;
    match word(given).as_str() {
        "pooled" => Some(ConnectionReuse::Pooled),
        "never" => Some(ConnectionReuse::Never),
        "sticky_user_sessions" => Some(ConnectionReuse::StickyUserSessions),
        _ => {
            faults.add(
                "--connection-reuse-strategy",
                format!("{given:?} is not known: expected pooled, never or sticky-user-sessions"),
            );
            None
        }
    }
}
