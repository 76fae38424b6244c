//! Running CPU work on the search pool, and turning its panics into errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rayon::ThreadPool;
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};

/// Runs `work` on `pool` and waits for it without blocking the caller's thread.
///
/// # Errors
///
/// `Internal` when `work` panics: tantivy asserts where it meets bytes it does not expect.
///
/// # Cancel safety
///
/// `work` runs to its end even when the future is dropped.
pub(crate) async fn run<T: Send + 'static>(
    pool: &Arc<ThreadPool>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (send, receive) = oneshot::channel();
    pool.spawn(move || {
        let _ = send.send(guarded(work).flatten());
    });
    receive
        .await
        .map_err(|_| Error::new(ErrorKind::Cancelled, "the search pool was shut down"))?
}

/// Runs `work` on this thread and turns its panic into an error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T> {
    // What a panicking reader leaves behind is dropped with its request, never read again.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        Error::new(
            ErrorKind::Internal,
            format!("a reader panicked: {}", message(&*panic)),
        )
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
