//! Rows as bytes. A pack and a single row are the same: items in an envelope, each object named
//! once before the rows that are of it.
//!
//! Rows that are read take about ten times their bytes; whatever those say, no more than thirty
//! times. An object is named once and held by each plan of it, so that has to be counted.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::batch::PlanBatch;
use super::envelope;
use super::items::{AbsenceItem, Item, ObjectItem, RowItem};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{AbsenceEntry, PlanEntry};
use crate::store::ObjectHandle;

/// How many rows one after another may be too large for what is left of a pack, before it is full.
const PATIENCE: usize = 64;

/// How much memory rows may take for each byte of their pack, and for the pack itself.
const MAX_GROWTH: usize = 32;
const MAX_SLACK: usize = 64 << 10;

/// A pack, and what of a batch is in it.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: usize,
    /// Rows for which there was no room, or that cannot be kept.
    pub(super) left_out: usize,
}

/// Writes as much of a batch as fits into `max_bytes`, what was used last first. Absences take at
/// most a quarter of it: they are many, and say less than plans.
///
/// # Errors
///
/// `Internal` when something cannot be encoded, which is a bug.
pub(super) fn encode(batch: &PlanBatch, max_bytes: u64) -> Result<Encoded> {
    let plans = batch.plans.iter().map(|plan| Row::Plan(plan));
    let mut all: Vec<_> = plans
        .chain(batch.absences.iter().map(Row::Absence))
        .collect();
    all.sort_by_key(|row| Reverse(row.used()));
    let mut encoder = Encoder::new(max_bytes);
    let (mut rows, mut unfit, mut of_absences) = (0, 0, 0);
    for row in &all {
        let before = encoder.body.len();
        let is_absence = matches!(row, Row::Absence(_));
        if is_absence && of_absences > encoder.room / 4 {
            continue;
        }
        if encoder.push(row)? {
            rows += 1;
            unfit = 0;
            if is_absence {
                of_absences += encoder.body.len() - before;
            }
        } else if unfit < PATIENCE {
            unfit += 1;
        } else {
            break;
        }
    }
    Ok(Encoded {
        bytes: encoder.finish(),
        rows,
        left_out: all.len() - rows,
    })
}

/// Reads a pack.
///
/// # Errors
///
/// `Corrupt` or `Unsupported`, as [`envelope::open`], and `Corrupt` when any row cannot be, or
/// they take much more memory than they should.
pub(super) fn decode(bytes: &[u8]) -> Result<PlanBatch> {
    let mut rest = envelope::open(bytes)?;
    let mut batch = PlanBatch::default();
    let mut objects: Vec<ObjectHandle> = Vec::new();
    let mut room = bytes.len().saturating_mul(MAX_GROWTH) + MAX_SLACK;
    while !rest.is_empty() {
        let (item, left) = postcard::take_from_bytes(rest).map_err(|error| {
            Error::with_source(ErrorKind::Corrupt, "a plan cannot be read", error)
        })?;
        room = take(item, &mut objects, &mut batch)
            .and_then(|weight| room.checked_sub(weight))
            .ok_or_else(|| Error::corrupt("a plan says what cannot be"))?;
        rest = left;
    }
    Ok(batch)
}

/// Adds an item, and answers how much memory it takes, about. Nothing when it cannot be.
fn take(item: Item<'_>, objects: &mut Vec<ObjectHandle>, batch: &mut PlanBatch) -> Option<usize> {
    let of = |objects: &[ObjectHandle], number: u32| -> Option<ObjectHandle> {
        objects.get(usize::try_from(number).ok()?).cloned()
    };
    match item {
        Item::Object(object) => {
            let object = object.object()?;
            let weight = object.weight();
            objects.push(object);
            Some(weight)
        }
        Item::Plan(number, plan) => take(Item::Row(number, plan.into()), objects, batch),
        Item::Row(number, row) => {
            let object = of(objects, number)?;
            let row = row.entry(&object)?;
            // The path is in both: it is held twice, here and as the key of a table.
            let weight = row.weight() + object.weight();
            batch.plans.push(Arc::new(row));
            Some(weight)
        }
        Item::Absence(number, absence) => {
            let absence = absence.entry(&of(objects, number)?)?;
            // The object is shared.
            let weight = absence.absence.weight() - absence.absence.object.weight();
            batch.absences.push(absence);
            Some(weight)
        }
    }
}

pub(crate) fn encode_plan(plan: &PlanEntry) -> Result<Vec<u8>> {
    encode_row(&Row::Plan(plan))
}

pub(crate) fn encode_absence(absence: &AbsenceEntry) -> Result<Vec<u8>> {
    encode_row(&Row::Absence(absence))
}

/// What names an absence, whenever it was found and whoever wrote it.
pub(crate) fn absence_key(absence: &AbsenceEntry) -> Result<[u8; 32]> {
    let timeless = AbsenceEntry::new(absence.absence.clone(), 0);
    let bytes = encode_absence(&timeless)?;
    Ok(Sha256::digest(envelope::open(&bytes)?).into())
}

fn encode_row(row: &Row<'_>) -> Result<Vec<u8>> {
    let mut encoder = Encoder::new(u64::MAX);
    if encoder.push(row)? {
        return Ok(encoder.finish());
    }
    let message = "it has more ranges than are kept, or its object has no version to know it by";
    Err(Error::new(ErrorKind::LimitExceeded, message))
}

pub(crate) fn decode_plan(bytes: &[u8]) -> Result<PlanEntry> {
    let mut batch = decode(bytes)?;
    match (batch.plans.pop(), batch.is_empty()) {
        (Some(plan), true) => Ok(Arc::unwrap_or_clone(plan)),
        _ => Err(Error::corrupt("the bytes are not those of one plan")),
    }
}

pub(crate) fn decode_absence(bytes: &[u8]) -> Result<AbsenceEntry> {
    let mut batch = decode(bytes)?;
    match (batch.absences.pop(), batch.is_empty()) {
        (Some(absence), true) => Ok(absence),
        _ => Err(Error::corrupt("the bytes are not those of one absence")),
    }
}

enum Row<'a> {
    Absence(&'a AbsenceEntry),
    Plan(&'a PlanEntry),
}

impl Row<'_> {
    /// When it was of use last.
    fn used(&self) -> u64 {
        match self {
            Self::Absence(absence) => absence.found,
            Self::Plan(plan) => plan.last_used,
        }
    }

    fn object(&self) -> ObjectHandle {
        match self {
            Self::Absence(absence) => absence.absence.object.clone(),
            Self::Plan(plan) => ObjectHandle::new(plan.split.clone(), plan.version.clone()),
        }
    }

    fn item(&self, number: u32) -> Option<Item<'_>> {
        Some(match self {
            Self::Absence(absence) => Item::Absence(number, AbsenceItem::of(absence)?),
            Self::Plan(plan) => Item::Row(number, RowItem::of(plan)?),
        })
    }
}

struct Encoder {
    body: Vec<u8>,
    /// With their numbers.
    objects: HashMap<ObjectHandle, u32>,
    /// How long the body may become.
    room: usize,
}

impl Encoder {
    fn new(max_bytes: u64) -> Self {
        let room = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        Self {
            body: Vec::new(),
            objects: HashMap::new(),
            room: room.saturating_sub(envelope::overhead()),
        }
    }

    /// Adds a row, and its object if it is new. Answers whether there was room for it, and it can
    /// be kept.
    fn push(&mut self, row: &Row<'_>) -> Result<bool> {
        let (before, object) = (self.body.len(), row.object());
        if !object.is_versioned() {
            return Ok(false);
        }
        let known = self.objects.get(&object).copied();
        let number = match known {
            Some(number) => number,
            None => {
                let Ok(number) = u32::try_from(self.objects.len()) else {
                    return Ok(false);
                };
                self.write(&Item::Object(ObjectItem::of(&object)))?;
                number
            }
        };
        let item = row.item(number);
        let is_kept = item.is_some();
        if let Some(item) = item {
            self.write(&item)?;
        }
        if !is_kept || self.body.len() > self.room {
            self.body.truncate(before);
            return Ok(false);
        }
        if known.is_none() {
            self.objects.insert(object, number);
        }
        Ok(true)
    }

    fn write(&mut self, item: &Item<'_>) -> Result<()> {
        let body = std::mem::take(&mut self.body);
        self.body = postcard::to_extend(item, body).map_err(|error| {
            Error::with_source(ErrorKind::Internal, "a plan cannot be written", error)
        })?;
        Ok(())
    }

    fn finish(self) -> Vec<u8> {
        envelope::seal(&self.body)
    }
}
