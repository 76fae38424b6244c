//! What a pack is made of, item by item, between memory and its bytes.

use std::ops::Bound;
use std::sync::Arc;

use object_store::path::Path;
use serde::{Deserialize, Serialize};
use tantivy::Term;
use tantivy::schema::{Field, Type};

use super::ranges::Ranges;
use crate::filter::Fingerprint;
use crate::plan::absences::{Absence, Absent};
use crate::plan::entry::DocumentPlan;
use crate::plan::matches::Matches;
use crate::plan::{AbsenceEntry, PlanEntry, PlanSource, SplitPlan};
use crate::store::{ObjectHandle, ObjectVersion};

/// Documents and segments of one plan: bounds far beyond what there is.
const MAX_DOCUMENTS: usize = 1 << 16;
const MAX_SEGMENTS: usize = 1 << 20;

/// An item borrows from what it is written of or read from.
#[derive(Deserialize, Serialize)]
pub(super) enum Item<'a> {
    /// Is numbered from 0, in the order of a pack.
    #[serde(borrow)]
    Object(ObjectItem<'a>),
    /// A row as the first version of the format had it; read, and written no more. Is of the
    /// object with this number, which stands before it.
    Plan(u32, #[serde(borrow)] PlanItem<'a>),
    Absence(u32, #[serde(borrow)] AbsenceItem<'a>),
    Row(u32, #[serde(borrow)] RowItem<'a>),
}

#[derive(Deserialize, Serialize)]
pub(super) struct ObjectItem<'a> {
    path: &'a str,
    size: u64,
    e_tag: Option<&'a str>,
    version: Option<&'a str>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct PlanItem<'a> {
    fingerprint: [u8; 32],
    canonical: &'a str,
    footer: (u64, u64),
    open: Ranges,
    search: Ranges,
    documents: Vec<([u8; 32], Ranges)>,
    hopeless: Vec<bool>,
    created: u64,
    last_used: u64,
    healed: bool,
}

#[derive(Deserialize, Serialize)]
pub(super) struct RowItem<'a> {
    fingerprint: [u8; 32],
    canonical: &'a str,
    plan: Option<RangesItem>,
    matches: Option<MatchesItem>,
    created: u64,
    last_used: u64,
    healed: bool,
}

#[derive(Deserialize, Serialize)]
struct RangesItem {
    footer: (u64, u64),
    open: Ranges,
    search: Ranges,
    documents: Vec<([u8; 32], Ranges)>,
    hopeless: Vec<bool>,
}

#[derive(Deserialize, Serialize)]
struct MatchesItem {
    count: u64,
    wordings: Vec<[u8; 32]>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct AbsenceItem<'a> {
    segment: u32,
    found: u64,
    field: u32,
    #[serde(borrow)]
    what: AbsentItem<'a>,
}

#[derive(Deserialize, Serialize)]
enum AbsentItem<'a> {
    Pattern(&'a [u8], &'a str),
    Range(
        #[serde(borrow)] BoundItem<'a>,
        #[serde(borrow)] BoundItem<'a>,
    ),
    /// Its type's code, and its value.
    Term(u8, &'a [u8]),
}

#[derive(Deserialize, Serialize)]
enum BoundItem<'a> {
    Excluded(&'a [u8]),
    Included(&'a [u8]),
    Unbounded,
}

impl<'a> ObjectItem<'a> {
    pub(super) fn of(object: &'a ObjectHandle) -> Self {
        let version = object.version();
        Self {
            path: object.path().as_ref(),
            size: version.size,
            e_tag: version.e_tag.as_deref(),
            version: version.version.as_deref(),
        }
    }

    /// The object, unless its path is none, or no version of it can be told from another.
    pub(super) fn object(self) -> Option<ObjectHandle> {
        let path = Path::parse(self.path).ok()?;
        let version = ObjectVersion {
            size: self.size,
            e_tag: self.e_tag.map(str::to_owned),
            version: self.version.map(str::to_owned),
        };
        let object = ObjectHandle::new(path, version);
        (object.is_versioned() && !self.path.is_empty()).then_some(object)
    }
}

impl<'a> From<PlanItem<'a>> for RowItem<'a> {
    fn from(item: PlanItem<'a>) -> Self {
        let PlanItem {
            fingerprint,
            canonical,
            footer,
            open,
            search,
            documents,
            hopeless,
            created,
            last_used,
            healed,
        } = item;
        Self {
            fingerprint,
            canonical,
            plan: Some(RangesItem {
                footer,
                open,
                search,
                documents,
                hopeless,
            }),
            matches: None,
            created,
            last_used,
            healed,
        }
    }
}

impl<'a> RowItem<'a> {
    /// Nothing when the plan has more parts than are kept.
    pub(super) fn of(entry: &'a PlanEntry) -> Option<Self> {
        let PlanEntry {
            split: _,
            version: _,
            fingerprint,
            canonical,
            plan,
            matches,
            created,
            last_used,
            source,
        } = entry;
        let plan = plan.as_deref().map(RangesItem::of);
        if plan.as_ref().is_some_and(|plan| !plan.is_small()) {
            return None;
        }
        Some(Self {
            fingerprint: *fingerprint.as_bytes(),
            canonical,
            plan,
            matches: matches.as_ref().map(MatchesItem::of),
            created: *created,
            last_used: *last_used,
            healed: match source {
                PlanSource::Healed => true,
                PlanSource::Recorded => false,
            },
        })
    }

    /// The row, unless it says what cannot be.
    pub(super) fn entry(self, object: &ObjectHandle) -> Option<PlanEntry> {
        let plan = match self.plan {
            Some(plan) => Some(Arc::new(plan.plan()?)),
            None => None,
        };
        let matches = match self.matches {
            Some(matches) => Some(matches.matches()?),
            None => None,
        };
        let entry = PlanEntry {
            split: object.path().clone(),
            version: object.version().clone(),
            fingerprint: Fingerprint::from_bytes(self.fingerprint),
            canonical: self.canonical.to_owned(),
            plan,
            matches,
            created: self.created,
            last_used: self.last_used,
            source: if self.healed {
                PlanSource::Healed
            } else {
                PlanSource::Recorded
            },
        };
        entry.is_sound().then_some(entry)
    }
}

impl RangesItem {
    fn of(plan: &SplitPlan) -> Self {
        let SplitPlan {
            footer,
            open,
            search,
            documents,
            hopeless,
        } = plan;
        let documents = documents.iter();
        Self {
            footer: (footer.start, footer.end),
            open: Ranges::new(open),
            search: Ranges::new(search),
            documents: documents
                .map(|one| (*one.request.as_bytes(), Ranges::new(&one.ranges)))
                .collect(),
            hopeless: hopeless.clone(),
        }
    }

    /// The plan, unless it has more parts than are kept.
    fn plan(self) -> Option<SplitPlan> {
        if !self.is_small() {
            return None;
        }
        let documents = self.documents.into_iter();
        let documents = documents.map(|(request, ranges)| DocumentPlan {
            request: Fingerprint::from_bytes(request),
            ranges: ranges.into_inner(),
        });
        Some(SplitPlan {
            footer: self.footer.0..self.footer.1,
            open: self.open.into_inner(),
            search: self.search.into_inner(),
            documents: documents.collect(),
            hopeless: self.hopeless,
        })
    }

    fn is_small(&self) -> bool {
        self.open.are_few()
            && self.search.are_few()
            && self.documents.len() <= MAX_DOCUMENTS
            && self.documents.iter().all(|(_, ranges)| ranges.are_few())
            && self.hopeless.len() <= MAX_SEGMENTS
    }
}

impl MatchesItem {
    fn of(matches: &Matches) -> Self {
        let wordings = matches.wordings().iter();
        Self {
            count: matches.count,
            wordings: wordings.map(|wording| *wording.as_bytes()).collect(),
        }
    }

    /// What was counted, unless it cannot be.
    fn matches(self) -> Option<Matches> {
        let wordings = self.wordings.into_iter().map(Fingerprint::from_bytes);
        Matches::from_parts(self.count, wordings.collect())
    }
}

impl<'a> AbsenceItem<'a> {
    /// Nothing when there are more segments than are kept.
    pub(super) fn of(entry: &'a AbsenceEntry) -> Option<Self> {
        let Absence { segment, what, .. } = &entry.absence;
        let (field, what) = match what {
            Absent::Pattern(field, beginning, source) => {
                (field, AbsentItem::Pattern(beginning, source))
            }
            Absent::Range(field, lower, upper) => {
                let (lower, upper) = (BoundItem::of(lower), BoundItem::of(upper));
                (field, AbsentItem::Range(lower, upper))
            }
            Absent::Term(term) => {
                let code = term.typ().to_code();
                let value = term.serialized_value_bytes();
                (&term.field(), AbsentItem::Term(code, value))
            }
        };
        Some(Self {
            segment: u32::try_from(*segment).ok()?,
            found: entry.found,
            field: field.field_id(),
            what,
        })
    }

    /// The row, unless it says what cannot be.
    pub(super) fn entry(self, object: &ObjectHandle) -> Option<AbsenceEntry> {
        let field = Field::from_field_id(self.field);
        let what = match self.what {
            AbsentItem::Pattern(beginning, source) => {
                Absent::Pattern(field, beginning.to_vec(), source.to_owned())
            }
            AbsentItem::Range(lower, upper) => Absent::Range(field, lower.bound(), upper.bound()),
            AbsentItem::Term(code, value) => {
                let mut term = Term::from_field_bytes(field, value);
                let kind = Type::from_code(code)?;
                term.clear_with_type(kind);
                term.append_bytes(value);
                Absent::Term(term)
            }
        };
        let absence = Absence {
            object: object.clone(),
            segment: usize::try_from(self.segment).ok()?,
            what,
        };
        Some(AbsenceEntry::new(absence, self.found))
    }
}

impl<'a> BoundItem<'a> {
    fn of(bound: &'a Bound<Vec<u8>>) -> Self {
        match bound {
            Bound::Excluded(bytes) => Self::Excluded(bytes),
            Bound::Included(bytes) => Self::Included(bytes),
            Bound::Unbounded => Self::Unbounded,
        }
    }

    fn bound(self) -> Bound<Vec<u8>> {
        match self {
            Self::Excluded(bytes) => Bound::Excluded(bytes.to_vec()),
            Self::Included(bytes) => Bound::Included(bytes.to_vec()),
            Self::Unbounded => Bound::Unbounded,
        }
    }
}
