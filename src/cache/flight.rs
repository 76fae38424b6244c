use std::ops::Range;
use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::extent::Extent;
use super::shelf::Shelf;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Batch, Urgency};

type Landed = Option<Result<Vec<Arc<Extent>>>>;

/// One GET under way, shared by all who wait for any of its bytes.
///
/// The waiters hold it strongly, the split's map only weakly, and the task that fetches strongly
/// from the moment the GET begins: when the last waiter goes before that, it is given up; what has
/// begun goes on, can be waited for again, and what arrives stays cached.
pub(crate) struct Flight {
    range: Range<u64>,
    landed: watch::Receiver<Landed>,
    /// That of the most urgent of its waiters.
    urgency: Arc<Urgency>,
    shelf: Arc<Shelf>,
}

/// The end of a flight that brings the bytes.
pub(super) struct Pilot {
    pub(super) batch: Batch,
    pub(super) urgency: Arc<Urgency>,
    flight: Weak<Flight>,
    /// Held from the moment the GET begins until it lands.
    begun: Option<Arc<Flight>>,
    landing: watch::Sender<Landed>,
}

impl Flight {
    pub(super) fn new(
        shelf: Arc<Shelf>,
        batch: Batch,
        waiter: &Arc<Urgency>,
    ) -> (Arc<Self>, Pilot) {
        let urgency = Urgency::of_fetch(waiter);
        let (landing, landed) = watch::channel(None);
        let flight = Arc::new(Self {
            range: batch.range.clone(),
            landed,
            urgency: Arc::clone(&urgency),
            shelf,
        });
        let pilot = Pilot {
            batch,
            urgency,
            flight: Arc::downgrade(&flight),
            begun: None,
            landing,
        };
        (flight, pilot)
    }

    pub(super) fn range(&self) -> &Range<u64> {
        &self.range
    }

    /// `waiter` waits for it from now on, or is about to.
    pub(super) fn wait_with(&self, waiter: &Arc<Urgency>) {
        self.urgency.wait_with(waiter);
    }

    /// Waits until the bytes have arrived and returns their extents.
    pub(super) async fn wait(&self) -> Result<Vec<Arc<Extent>>> {
        let mut landed = self.landed.clone();
        let outcome = landed.wait_for(Option::is_some).await.map_err(|_| {
            Error::new(
                ErrorKind::Cancelled,
                "a fetch was given up with its runtime",
            )
        })?;
        match &*outcome {
            Some(result) => result.clone(),
            None => Err(Error::new(
                ErrorKind::Internal,
                "a flight landed without a result",
            )),
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.shelf.forget_flight(self.range.start);
    }
}

impl Pilot {
    /// Whether `flight` is the one this brings down.
    pub(super) fn is_of(&self, flight: &Weak<Flight>) -> bool {
        self.flight.ptr_eq(flight)
    }

    /// Begins the GET, unless nobody waits any more. From now on whoever comes finds the flight,
    /// even when all who waited have gone: what is on its way is not fetched again.
    pub(super) fn begin(&mut self) -> bool {
        self.begun = self.flight.upgrade();
        self.begun.is_some()
    }

    pub(super) fn land(self, result: Result<Vec<Arc<Extent>>>) {
        self.landing.send_replace(Some(result));
    }
}
