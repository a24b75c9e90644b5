//! `loadgen mock-server`: an OpenAI-compatible server to try things against.

use std::io::Write;

use anyhow::Result;
use loadgen_mock::{MockConfig, MockServer, Profile, Tls};

use crate::args::MockServerArgs;
use crate::exit::ExitStatus;
use crate::plan::Faults;
use crate::ui::say;

/// Serves until Ctrl-C, or until standard input closes if that is asked for.
pub(crate) fn run(args: MockServerArgs) -> Result<ExitStatus> {
    let mut faults = Faults::default();
    let profile = faults.take("--profile", args.profile.parse::<Profile>()).unwrap_or_default();
    faults.into_result(())?;
    let tls = match (args.tls_cert, args.tls_key) {
        (Some(cert), Some(key)) => Some(Tls::Files { cert, key }),
        _ => args.tls.then_some(Tls::SelfSigned),
    };
    let config = MockConfig {
        host: args.host,
        port: args.port,
        profile,
        truth_log: args.truth_log,
        seed: args.seed,
        tls,
        ..MockConfig::default()
    };
    let server = MockServer::bind(config)?;
    // Whoever started this program reads where it listens.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on {}", server.url())?;
    stdout.flush()?;
    drop(stdout);
    let until_stdin_closes = args.until_stdin_closes;
    let report = server
        .serve(async move { if until_stdin_closes { stdin_closed().await } else { interrupted().await } })?;
    if !until_stdin_closes {
        say!(
            "served {} requests, {} to their end; {} tokens over {} connections",
            report.requests,
            report.complete,
            report.tokens,
            report.connections
        );
    }
    Ok(ExitStatus::Success)
}

/// Returns on Ctrl-C, and when the process is asked to end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers a signal ends the process, which is what it asks for.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Waits on a thread of its own: standard input may be anything, and not all of it can be polled.
async fn stdin_closed() {
    let (closed, waiting) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // Whatever comes is of no interest, and neither is why it ends.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        drop(closed);
    });
    let _ = waiting.await;
}
