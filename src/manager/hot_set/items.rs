//! What a hot set is made of, item by item, between memory and its bytes.

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::manager::decayed::Decayed;
use crate::manager::heat::Remembered;
use crate::split::SplitAddress;

/// An item borrows from what it is written of or read from.
#[derive(Deserialize, Serialize)]
pub(super) enum Item<'a> {
    /// The JSON of a request, numbered from 0 in the order of the set.
    Request(&'a str),
    /// What [`PlanEntry::to_bytes`](crate::PlanEntry::to_bytes) wrote.
    Plan(&'a [u8]),
    #[serde(borrow)]
    Pair(PairItem<'a>),
}

#[derive(Deserialize, Serialize)]
pub(super) struct PairItem<'a> {
    /// The number of its request, which stands before it.
    pub(super) request: u32,
    path: &'a str,
    footer: Option<(u64, u64)>,
    heat: f64,
    last_asked: u64,
}

impl<'a> PairItem<'a> {
    pub(super) fn of(pair: &'a Remembered, request: u32) -> Self {
        let (heat, last_asked) = pair.heat.parts();
        Self {
            request,
            path: pair.split.path().as_ref(),
            footer: pair.split.footer().map(|it| (it.start, it.end)),
            heat,
            last_asked,
        }
    }

    /// Where it is and how hot, unless it says what cannot be.
    pub(super) fn read(self) -> Option<(SplitAddress, Decayed)> {
        let path = Path::parse(self.path).ok()?;
        let mut split = SplitAddress::new(path);
        if let Some((start, end)) = self.footer {
            if start >= end {
                return None;
            }
            split = split.with_footer(start..end);
        }
        let heat = Decayed::new(self.heat, self.last_asked)?;
        (!self.path.is_empty()).then_some((split, heat))
    }
}
