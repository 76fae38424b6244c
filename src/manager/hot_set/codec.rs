//! A hot set as bytes: items in an envelope, each request and plan once, before the first pair that
//! is of it.
//!
//! The envelope does not say what wrote it, for pairs outlive versions: each plan has an envelope of
//! its own, which does, and a request that this version cannot read is left out alone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use serde_json::Value;

use super::items::{Item, PairItem};
use crate::envelope::Envelope;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Fingerprint, SearchRequest};
use crate::manager::heat::{Remembered, pair_weight, request_weight};
use crate::plan::PlanEntry;

/// How many pairs one after another may be too large for what is left, before the set is full.
const PATIENCE: usize = 64;

/// How much memory pairs may take for each byte of their set, and for the set itself: a request
/// takes much more than its JSON.
const MAX_GROWTH: usize = 48;
const MAX_SLACK: usize = 64 << 10;

const ENVELOPE: Envelope<'static> = Envelope {
    magic: b"FWHOTSET",
    format: 1,
    writer: "",
    what: "pairs of a hot set",
};

/// What was read of a hot set.
#[derive(Clone, Debug, Default)]
pub(super) struct HotSet {
    /// As they were written: the hottest first.
    pub(super) pairs: Vec<Remembered>,
    /// Rows of plans, as they were written.
    pub(super) plans: HashMap<PlanKey, Bytes>,
    /// What they say, until it is taken over.
    pub(super) entries: Vec<PlanEntry>,
    /// Requests and plans that this version cannot read.
    pub(super) rejected: u64,
}

/// What names a plan.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct PlanKey {
    pub(super) split: Path,
    /// Of what the request reads.
    pub(super) fingerprint: Fingerprint,
}

/// A hot set as it is written.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) bytes: Bytes,
    pub(super) pairs: u64,
    /// Pairs for which there was no room.
    pub(super) left_out: u64,
}

/// Writes as many of `pairs` as fit into `max_bytes`, in their order, with the row that `plan`
/// knows of each.
///
/// # Errors
///
/// `Internal` when something cannot be encoded, which is a bug.
pub(super) fn encode(
    pairs: &[Remembered],
    mut plan: impl FnMut(&Remembered) -> Option<(PlanKey, Bytes)>,
    max_bytes: u64,
) -> Result<Encoded> {
    let room = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    let mut encoder = Encoder {
        room: room.saturating_sub(ENVELOPE.overhead()),
        ..Encoder::default()
    };
    let (mut written, mut unfit) = (0, 0);
    for pair in pairs {
        if encoder.push(pair, plan(pair))? {
            written += 1;
            unfit = 0;
        } else if unfit < PATIENCE {
            unfit += 1;
        } else {
            break;
        }
    }
    Ok(Encoded {
        bytes: ENVELOPE.seal(&encoder.body).into(),
        pairs: written,
        left_out: pairs.len() as u64 - written,
    })
}

/// Reads a hot set.
///
/// # Errors
///
/// `Corrupt` or `Unsupported`, as [`Envelope::open`], and `Corrupt` when any item cannot be, or
/// they take much more memory than they should.
pub(super) fn decode(bytes: &Bytes) -> Result<HotSet> {
    let mut rest = ENVELOPE.open(bytes)?;
    let mut decoder = Decoder {
        room: bytes.len().saturating_mul(MAX_GROWTH) + MAX_SLACK,
        ..Decoder::default()
    };
    while !rest.is_empty() {
        let (item, left) = postcard::take_from_bytes(rest).map_err(|error| {
            Error::with_source(ErrorKind::Corrupt, "a pair cannot be read", error)
        })?;
        let taken = match item {
            Item::Request(json) => decoder.take_request(json),
            Item::Plan(row) => decoder.take_plan(bytes.slice_ref(row)),
            Item::Pair(pair) => decoder.take_pair(pair),
        };
        taken.ok_or_else(|| Error::corrupt("a hot set says what cannot be"))?;
        rest = left;
    }
    Ok(decoder.set)
}

#[derive(Default)]
struct Encoder {
    body: Vec<u8>,
    /// How long the body may become.
    room: usize,
    /// By identity, with their numbers.
    requests: HashMap<Fingerprint, u32>,
    plans: HashSet<PlanKey>,
}

impl Encoder {
    /// Adds a pair, and what it is of that is new. Answers whether there was room for it.
    fn push(&mut self, pair: &Remembered, plan: Option<(PlanKey, Bytes)>) -> Result<bool> {
        let before = self.body.len();
        let known = self.requests.get(&pair.identity).copied();
        let number = match known {
            Some(number) => number,
            None => {
                let Ok(number) = u32::try_from(self.requests.len()) else {
                    return Ok(false);
                };
                self.write(&Item::Request(&pair.request.to_value()?.to_string()))?;
                number
            }
        };
        let plan = plan.filter(|(key, _)| !self.plans.contains(key));
        if let Some((_, row)) = &plan {
            self.write(&Item::Plan(row))?;
        }
        self.write(&Item::Pair(PairItem::of(pair, number)))?;
        if self.body.len() > self.room {
            self.body.truncate(before);
            return Ok(false);
        }
        self.requests.insert(pair.identity, number);
        self.plans.extend(plan.map(|(key, _)| key));
        Ok(true)
    }

    fn write(&mut self, item: &Item<'_>) -> Result<()> {
        let body = std::mem::take(&mut self.body);
        self.body = postcard::to_extend(item, body).map_err(|error| {
            Error::with_source(ErrorKind::Internal, "a pair cannot be written", error)
        })?;
        Ok(())
    }
}

#[derive(Default)]
struct Decoder {
    set: HotSet,
    /// Those that this version can read, with their identities.
    requests: Vec<Option<(Arc<SearchRequest>, Fingerprint)>>,
    /// Bytes of memory that are left.
    room: usize,
}

/// Each answers nothing when the item cannot be.
impl Decoder {
    fn take_request(&mut self, json: &str) -> Option<()> {
        let read = |json| {
            let value: Value = serde_json::from_str(json).ok()?;
            let request = SearchRequest::from_value(&value).ok()?;
            let identity = Fingerprint::of(&request.to_value().ok()?);
            Some((Arc::new(request), identity))
        };
        let request = read(json);
        self.set.rejected += u64::from(request.is_none());
        self.requests.push(request);
        self.weigh(request_weight(json.len()))
    }

    fn take_plan(&mut self, bytes: Bytes) -> Option<()> {
        let Ok(plan) = PlanEntry::from_bytes(&bytes) else {
            self.set.rejected += 1;
            return Some(());
        };
        let key = PlanKey {
            split: plan.split().clone(),
            fingerprint: plan.fingerprint(),
        };
        let weight = plan.weight() + key.split.as_ref().len();
        self.set.plans.insert(key, bytes);
        self.set.entries.push(plan);
        self.weigh(weight)
    }

    fn take_pair(&mut self, pair: PairItem<'_>) -> Option<()> {
        let number = usize::try_from(pair.request).ok()?;
        let request = self.requests.get(number)?.clone();
        let (split, heat) = pair.read()?;
        self.weigh(pair_weight(&split))?;
        if let Some((request, identity)) = request {
            self.set.pairs.push(Remembered {
                split,
                request,
                identity,
                heat,
            });
        }
        Some(())
    }

    fn weigh(&mut self, bytes: usize) -> Option<()> {
        self.room = self.room.checked_sub(bytes)?;
        Some(())
    }
}
