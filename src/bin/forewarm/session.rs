//! What one run of the program owns: its output, its progress bars, and whatever must be tidied up
//! when it is interrupted.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::failure::{Failure, Outcome};
use crate::uploads::Written;

/// How long work may take before a progress bar appears.
const QUIET: Duration = Duration::from_secs(1);

/// Tells worker threads that the command was interrupted; they look at it between documents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks all workers to stop.
    pub(crate) fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// An error if the workers were asked to stop.
    pub(crate) fn check(&self) -> Outcome {
        if self.0.load(Ordering::Relaxed) {
            return Err(Failure::failed("interrupted"));
        }
        Ok(())
    }
}

/// One run of the program.
#[derive(Debug, Default)]
pub(crate) struct Session {
    json: bool,
    interrupt: Interrupt,
    written: Written,
    folders: Mutex<Vec<TempDir>>,
}

impl Session {
    /// A run that answers in JSON, or for people.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            ..Self::default()
        }
    }

    /// Whether the answer is to be JSON.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// The flag that workers look at.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// What the command wrote so far.
    pub(crate) fn written(&self) -> &Written {
        &self.written
    }

    /// Makes a temporary folder, removed by [`remove_folders`](Self::remove_folders).
    pub(crate) fn temporary_folder(&self) -> Outcome<PathBuf> {
        let folder = tempfile::Builder::new()
            .prefix("forewarm-")
            .tempdir()
            .map_err(|error| Failure::caused("cannot make a temporary folder", &error))?;
        let path = folder.path().to_owned();
        self.folders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(folder);
        Ok(path)
    }

    /// Removes the temporary folders. To be called when no worker writes any more.
    pub(crate) fn remove_folders(&self) {
        let folders =
            std::mem::take(&mut *self.folders.lock().unwrap_or_else(PoisonError::into_inner));
        for folder in folders {
            let path = folder.path().to_owned();
            if let Err(error) = folder.close() {
                tracing::warn!(path = %path.display(), %error, "temporary folder not removed");
            }
        }
    }

    /// Writes text and a line end to standard output.
    pub(crate) fn print(&self, text: impl AsRef<str>) -> Outcome {
        let mut output = io::stdout().lock();
        let written = output
            .write_all(text.as_ref().as_bytes())
            .and_then(|()| output.write_all(b"\n"));
        written
            .and_then(|()| output.flush())
            .map_err(output_failure)
    }

    /// Writes a value as JSON: indented on a terminal, else on one line, as programs like it.
    pub(crate) fn print_json(&self, value: &impl Serialize) -> Outcome {
        let text = if io::stdout().is_terminal() {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        self.print(text.map_err(|error| Failure::caused("cannot write JSON", &error))?)
    }

    /// Writes a remark to standard error, on one line.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        // A closed standard error is no reason to fail.
        let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
    }
}

fn output_failure(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Failure::OutputClosed
    } else {
        Failure::caused("cannot write to standard output", &error)
    }
}

/// A progress bar on standard error: only on a terminal, only after a second, gone at the end.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    reveal: JoinHandle<()>,
}

impl Progress {
    /// A bar over a number of bytes; without a total it shows how many passed.
    pub(crate) fn over_bytes(message: &str, total: Option<u64>) -> Self {
        match total {
            Some(total) => Self::start(
                ProgressBar::new(total),
                message,
                "{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {eta}",
            ),
            None => Self::start(
                ProgressBar::new_spinner(),
                message,
                "{spinner} {msg} {binary_bytes} {elapsed}",
            ),
        }
    }

    /// A bar over a number of things.
    pub(crate) fn over_items(message: &str, total: u64) -> Self {
        Self::start(
            ProgressBar::new(total),
            message,
            "{msg} {wide_bar} {human_pos}/{human_len}",
        )
    }

    /// A spinner for work whose length nobody knows.
    pub(crate) fn spinner(message: &str) -> Self {
        Self::start(
            ProgressBar::new_spinner(),
            message,
            "{spinner} {msg} {elapsed}",
        )
    }

    fn start(bar: ProgressBar, message: &str, template: &str) -> Self {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(message.to_owned());
        let shown = bar.clone();
        let reveal = tokio::spawn(async move {
            tokio::time::sleep(QUIET).await;
            // Draws nothing where standard error is not a terminal.
            shown.set_draw_target(ProgressDrawTarget::stderr());
            shown.enable_steady_tick(Duration::from_millis(100));
        });
        Self { bar, reveal }
    }

    /// The bar itself, for worker threads.
    pub(crate) fn bar(&self) -> &ProgressBar {
        &self.bar
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.reveal.abort();
        self.bar.finish_and_clear();
    }
}
