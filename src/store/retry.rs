//! The turns, attempts, pauses and deadlines of one GET.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use rand::Rng;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::attempt::{Asked, Attempt};
use super::failure::Failure;
use super::hedge::Hedges;
use super::queue::Turn;
use super::trace::GetOutcome;
use super::traffic::Gauged;
use super::{Fetcher, in_time};
use crate::error::{Error, ErrorKind, Result};
use crate::telemetry::list;

/// The longest pause between two attempts, however many there were.
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(60);

impl Fetcher {
    pub(super) async fn with_retries<'a, T>(
        &'a self,
        asked: Arc<Asked>,
        begin: impl FnOnce() -> Result<()> + Send,
        send: impl Fn(Arc<Attempt>) -> BoxFuture<'a, Result<T, Failure>> + Send,
    ) -> Result<T> {
        self.retry_until(asked, begin, send)
            .await
            .map_err(Failure::into_error)
    }

    /// Waits for the turn of a GET, then sends it until it succeeds, fails for good, or its
    /// deadline passes.
    pub(super) async fn retry_until<'a, T>(
        &'a self,
        asked: Arc<Asked>,
        begin: impl FnOnce() -> Result<()> + Send,
        send: impl Fn(Arc<Attempt>) -> BoxFuture<'a, Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        let turn = self.turn(&asked).await;
        let attempts = async {
            begin().map_err(Failure::Final)?;
            self.attempts(&asked, turn, send).await
        };
        let patience = self.settings().get_deadline;
        let attempts = timeout_at(in_time(patience), attempts).await;
        attempts.unwrap_or_else(|_| {
            Err(Failure::Final(Error::new(
                ErrorKind::Timeout,
                format!("GET of {} took longer than {patience:?}", asked.path()),
            )))
        })
    }

    /// Waits for the turn of a GET; it is under way for as long as it holds what this brings.
    async fn turn(&self, asked: &Asked) -> (Turn<'_>, Gauged) {
        let traffic = asked.traffic();
        let _queued = traffic.queued();
        let turn = self
            .queue()
            .turn(traffic.request(), traffic.urgency(), asked.bytes());
        (turn.await, traffic.under_way())
    }

    async fn attempts<'a, T>(
        &'a self,
        asked: &Arc<Asked>,
        mut turn: (Turn<'a>, Gauged),
        send: impl Fn(Arc<Attempt>) -> BoxFuture<'a, Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        let mut pause = self.settings().retry_pause;
        let mut number = 1;
        loop {
            self.wait_until_allowed().await;
            let (attempt, outcome) = self.attempt(asked, number, &send).await;
            self.learn(&attempt, &outcome);
            let (error, is_refused) = match outcome {
                Err(Failure::Retry(error)) if number < self.settings().max_attempts => {
                    (error, false)
                }
                Err(Failure::Throttled(error, _)) if number < self.settings().max_attempts => {
                    (error, true)
                }
                outcome => {
                    attempt.end(match &outcome {
                        Ok(_) => GetOutcome::Ok,
                        Err(_) => GetOutcome::Failed,
                    });
                    return outcome;
                }
            };
            attempt.end(GetOutcome::Retried);
            drop(attempt);
            list::STORE_RETRIES.add(1);
            tracing::debug!(path = %asked.path(), error = error.chain(), "trying a GET again");
            sleep(pause.mul_f64(jitter())).await;
            if is_refused {
                // Fewer may go at once now.
                drop(turn);
                turn = self.turn(asked).await;
            }
            pause = pause.saturating_mul(2).min(MAX_RETRY_PAUSE);
            number += 1;
        }
    }

    /// Waits while the store is not to be asked for anything.
    async fn wait_until_allowed(&self) {
        while let Some(until) = self.throttle().until(Instant::now()) {
            // Not all in the same moment.
            let late = (until - Instant::now()).mul_f64(rand::rng().random_range(0.0..0.25));
            sleep_until(until + late).await;
        }
    }

    /// Takes note of what an attempt says of the store.
    fn learn<T>(&self, attempt: &Attempt, outcome: &Result<T, Failure>) {
        match outcome {
            Ok(_) => {
                if let Some((first_byte, bytes, body)) = attempt.measured() {
                    self.estimate().learn(first_byte, bytes, body);
                    if let Some(hedges) = self.hedges() {
                        hedges.learn(first_byte);
                    }
                }
                if let Some(slots) = self.throttle().succeeded(attempt.sent()) {
                    self.queue().set_slots(slots);
                }
            }
            Err(Failure::Throttled(_, retry_after)) => {
                list::STORE_THROTTLED.add(1);
                let now = Instant::now();
                let throttle = self.throttle();
                let slots = throttle.refused(attempt.sent(), now, *retry_after, jitter());
                self.queue().set_slots(slots);
            }
            Err(_) => {}
        }
    }

    /// One attempt, or the better of two when the first is slow to begin. Answers with the one
    /// whose outcome it is; the other has ended.
    async fn attempt<'a, T>(
        &'a self,
        asked: &Arc<Asked>,
        number: u32,
        send: &(impl Fn(Arc<Attempt>) -> BoxFuture<'a, Result<T, Failure>> + Send),
    ) -> (Arc<Attempt>, Result<T, Failure>) {
        let first = asked.attempt(number);
        let mut answer = send(Arc::clone(&first));
        let Some((hedges, delay)) = self.hedges().and_then(|it| Some((it, it.delay()?))) else {
            let outcome = answer.await;
            return (first, outcome);
        };
        tokio::select! {
            biased;
            outcome = &mut answer => return (first, outcome),
            () = first.has_answered() => {}
            () = sleep(delay) => if self.may_hedge(hedges) {
                return race((first, answer), asked.attempt(number), send).await;
            }
        }
        let outcome = answer.await;
        (first, outcome)
    }

    fn may_hedge(&self, hedges: &Hedges) -> bool {
        // A store that asks for less is not asked twice.
        let may = self.throttle().until(Instant::now()).is_none() && hedges.take();
        list::STORE_HEDGES.add(u64::from(may));
        may
    }
}

/// Sends `second` beside the first attempt. The one that is answered first is waited for, and the
/// other is dropped; when one fails before that, the other is waited for.
async fn race<'a, T>(
    (first, mut first_answer): (Arc<Attempt>, BoxFuture<'a, Result<T, Failure>>),
    second: Arc<Attempt>,
    send: &(impl Fn(Arc<Attempt>) -> BoxFuture<'a, Result<T, Failure>> + Send),
) -> (Arc<Attempt>, Result<T, Failure>) {
    let mut second_answer = send(Arc::clone(&second));
    let ((winner, answer), (loser, lost_answer), outcome) = tokio::select! {
        biased;
        outcome = &mut first_answer => match outcome {
            Err(Failure::Retry(_)) => {
                ((second, second_answer), (first, first_answer), GetOutcome::Retried)
            }
            outcome => {
                second.end(GetOutcome::Lost);
                return (first, outcome);
            }
        },
        outcome = &mut second_answer => match outcome {
            Err(Failure::Retry(_)) => {
                ((first, first_answer), (second, second_answer), GetOutcome::Retried)
            }
            outcome => {
                first.end(GetOutcome::Lost);
                return (second, outcome);
            }
        },
        () = first.has_answered() => {
            ((first, first_answer), (second, second_answer), GetOutcome::Lost)
        }
        () = second.has_answered() => {
            ((second, second_answer), (first, first_answer), GetOutcome::Lost)
        }
    };
    loser.end(outcome);
    // What it has under way is given up now.
    drop((loser, lost_answer));
    let outcome = answer.await;
    (winner, outcome)
}

fn jitter() -> f64 {
    rand::rng().random_range(0.5..1.5)
}
