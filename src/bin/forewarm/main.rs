//! The command line of forewarm: packs, inspects, verifies, explains, warms and searches splits,
//! and measures what warming is worth.

#![warn(clippy::unwrap_used)]

mod args;
mod bench;
mod bodies;
mod components;
mod demo;
mod demo_data;
mod engine;
mod explain;
mod failure;
mod generate;
mod index;
mod inspect;
mod manage;
mod ndjson;
mod pack;
mod plans;
mod report;
mod schema;
mod search;
mod session;
mod table;
mod tap;
mod tree;
mod units;
mod uploads;
mod url;
mod verify;
mod warm;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, Command};
use crate::failure::{Failure, Outcome};
use crate::session::Session;

/// How long aborting uploads and removing objects may take after a failure or an interruption.
const TIDY: Duration = Duration::from_secs(20);

/// How long worker threads are given to notice an interruption.
const SETTLE: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let cli = Cli::parse();
    trace();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            report(&Failure::caused("cannot start", &error));
            return ExitCode::FAILURE;
        }
    };
    let session = Session::new(cli.json);
    let code = runtime.block_on(run(&cli, &session));
    // Workers write into temporary folders: they end first, then the folders go.
    runtime.shutdown_timeout(SETTLE);
    session.remove_folders();
    ExitCode::from(code)
}

/// Runs the command to its end or to a signal, tidies up, and answers the exit code.
async fn run(cli: &Cli, session: &Session) -> u8 {
    // The first one it takes itself.
    let more = usize::from(matches!(cli.command, Command::Manage(_)));
    let interrupted = async {
        for _ in 0..more {
            interruption().await;
        }
        interruption().await
    };
    let ended = tokio::select! {
        outcome = execute(cli, session) => Ok(outcome),
        signal = interrupted => Err(signal),
    };
    let (code, tidy) = match ended {
        Ok(Ok(())) => (0, false),
        Ok(Err(failure)) => {
            report(&failure);
            (failure.code(), true)
        }
        Err(signal) => {
            session.interrupt().raise();
            session.note("interrupted");
            (128 + signal, true)
        }
    };
    if tidy {
        match tokio::time::timeout(TIDY, session.written().undo()).await {
            Ok(0) => {}
            Ok(left) => session.note(format!(
                "could not remove {} that were written",
                units::counted(left as u64, "object")
            )),
            Err(_) => session.note("gave up removing what was written: the store does not answer"),
        }
    }
    code
}

async fn execute(cli: &Cli, session: &Session) -> Outcome {
    match &cli.command {
        Command::Bench(args) => bench::run(session, args).await,
        Command::Pack(args) => pack::run(session, args).await,
        Command::Inspect(args) => inspect::run(session, args).await,
        Command::Verify(args) => verify::run(session, args).await,
        Command::Explain(args) => explain::run(session, args).await,
        Command::Search(args) => search::run(session, args).await,
        Command::Warm(args) => warm::run(session, args).await,
        Command::Demo(args) => demo::run(session, args).await,
        Command::Generate(args) => generate::run(session, args).await,
        Command::Manage(args) => manage::run(session, args, interruption()).await,
    }
}

/// Waits for the user or the system to ask us to stop; answers the signal's number.
async fn interruption() -> u8 {
    const INTERRUPT: u8 = 2;
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        const TERMINATE: u8 = 15;
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                _ = terminate.recv() => TERMINATE,
                () = interrupt() => INTERRUPT,
            };
        }
    }
    interrupt().await;
    INTERRUPT
}

/// Waits for Ctrl-C; for ever where it cannot be listened to.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// One line, whatever happened.
fn report(failure: &Failure) {
    use std::io::Write;
    if !matches!(failure, Failure::OutputClosed) {
        // A closed standard error is no reason to fail otherwise than we do.
        let _ = writeln!(std::io::stderr().lock(), "error: {failure}");
    }
}

/// Traces to standard error what `RUST_LOG` asks for; by default errors only, because what a user
/// must know is reported anyway.
fn trace() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
