use std::borrow::Cow;
use std::sync::Arc;

use tantivy::query::{Query, Weight};

use crate::filter::KeptTerms;
use crate::split::Split;
use crate::warmup::{Compiled, Extras, Warmed};

/// One split, ready to be searched.
#[derive(Clone)]
pub(super) struct Prepared<'a> {
    /// Which of the splits of its search it is, in the order given.
    pub(super) place: usize,
    runs: Runs<'a>,
}

/// What is run in it.
#[derive(Clone)]
enum Runs<'a> {
    /// What its warmup compiled from the very filter that is searched for. Borrowed where the
    /// warmup is held anyway: to count a reference to it takes its cache line from the threads that
    /// search.
    Warmed(Cow<'a, Arc<Warmed>>),
    Own(Own),
}

/// What the search itself compiled.
#[derive(Clone)]
struct Own {
    split: Arc<Split>,
    compiled: Compiled,
    /// The warmup that was joined.
    warmed: Option<Arc<Warmed>>,
}

impl<'a> Prepared<'a> {
    /// A split whose warmup compiled the very filter that is searched for.
    pub(super) fn of(place: usize, warmed: Cow<'a, Arc<Warmed>>) -> Self {
        let runs = Runs::Warmed(warmed);
        Self { place, runs }
    }

    /// A split for which the search compiled its filter itself, with the warmup that was joined.
    pub(super) fn compiled(
        place: usize,
        split: Arc<Split>,
        compiled: Compiled,
        warmed: Option<Arc<Warmed>>,
    ) -> Self {
        let own = Own {
            split,
            compiled,
            warmed,
        };
        let runs = Runs::Own(own);
        Self { place, runs }
    }

    pub(super) fn split(&self) -> &Arc<Split> {
        match &self.runs {
            Runs::Warmed(warmed) => &warmed.split,
            Runs::Own(own) => &own.split,
        }
    }

    pub(super) fn query(&self) -> &dyn Query {
        match &self.runs {
            Runs::Warmed(warmed) => &*warmed.compiled.query,
            Runs::Own(own) => &*own.compiled.query,
        }
    }

    /// What the query weighs where nothing is scored, as far as that is kept.
    pub(super) fn weight(&self) -> Option<&dyn Weight> {
        match &self.runs {
            Runs::Warmed(warmed) => warmed.compiled.weight.as_deref(),
            Runs::Own(own) => own.compiled.weight.as_deref(),
        }
    }

    /// Where what the query expands to is kept, if it does: with the warmup that compiled it.
    pub(super) fn kept_terms(&self) -> Option<&KeptTerms> {
        match &self.runs {
            Runs::Warmed(warmed) => Some(&warmed.kept).filter(|kept| kept.has_room()),
            Runs::Own(_) => None,
        }
    }

    pub(super) fn extras(&self) -> &Extras {
        match &self.runs {
            Runs::Warmed(warmed) => &warmed.compiled.extras,
            Runs::Own(own) => &own.compiled.extras,
        }
    }

    /// By segment: whether it is proven to hold no match. Empty where nothing was proven.
    pub(super) fn hopeless(&self) -> &[bool] {
        self.warmed().map_or(&[], |warmed| &*warmed.hopeless)
    }

    /// The warmup that was joined.
    pub(super) fn warmed(&self) -> Option<&Arc<Warmed>> {
        match &self.runs {
            Runs::Warmed(warmed) => Some(warmed),
            Runs::Own(own) => own.warmed.as_ref(),
        }
    }

    /// Whether it was warmed by a plan that was known.
    pub(super) fn is_planned(&self) -> bool {
        self.warmed().is_some_and(|warmed| warmed.is_planned())
    }
}
