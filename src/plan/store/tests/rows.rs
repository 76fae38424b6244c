//! Made-up rows.

use std::ops::{Bound, Range};
use std::sync::Arc;

use object_store::path::Path;
use proptest::collection::vec;
use proptest::prelude::*;
use tantivy::Term;
use tantivy::schema::Field;

use crate::filter::Fingerprint;
use crate::plan::absences::{Absence, Absent};
use crate::plan::entry::DocumentPlan;
use crate::plan::matches::Matches;
use crate::plan::store::PlanBatch;
use crate::plan::{AbsenceEntry, PlanEntry, PlanSource, SplitPlan};
use crate::store::{ObjectHandle, ObjectVersion, normalise};

pub(super) const SIZE: u64 = 1 << 20;

pub(super) fn version(tag: &str) -> ObjectVersion {
    ObjectVersion {
        size: SIZE,
        e_tag: Some(tag.to_owned()),
        version: None,
    }
}

/// A plan of two ranges, of `split` and the fingerprint that is all `request`.
pub(in crate::plan::store) fn plan(split: &str, request: u8, last_used: u64) -> PlanEntry {
    let ranges = SplitPlan {
        footer: SIZE - 100..SIZE,
        open: Vec::new(),
        search: vec![10..20, 30..31],
        documents: Vec::new(),
        hopeless: vec![false, true],
    };
    PlanEntry {
        split: Path::from(split),
        version: version("tag"),
        fingerprint: Fingerprint::from_bytes([request; 32]),
        canonical: format!("{{\"request\":{request}}}"),
        plan: Some(Arc::new(ranges)),
        matches: None,
        created: last_used,
        last_used,
        source: PlanSource::Recorded,
    }
}

/// The plan of a row that has one.
pub(super) fn ranges(row: &mut PlanEntry) -> &mut SplitPlan {
    Arc::make_mut(row.plan.as_mut().unwrap())
}

/// As many matches, counted for one wording.
pub(super) fn matches(count: u64) -> Matches {
    Matches::new(count, Fingerprint::from_bytes([5; 32]))
}

pub(in crate::plan::store) fn absence(split: &str, word: &str, found: u64) -> AbsenceEntry {
    let absence = Absence {
        object: ObjectHandle::new(Path::from(split), version("tag")),
        segment: 1,
        what: Absent::Term(Term::from_field_text(Field::from_field_id(3), word)),
    };
    AbsenceEntry::new(absence, found)
}

pub(super) fn batch(plans: impl IntoIterator<Item = PlanEntry>) -> PlanBatch {
    PlanBatch {
        plans: plans.into_iter().map(Arc::new).collect(),
        ..PlanBatch::default()
    }
}

fn some_list() -> impl Strategy<Value = Vec<Range<u64>>> {
    let range = (0..SIZE, 1u64..5000).prop_map(|(start, len)| start..(start + len).min(SIZE));
    vec(range, 0..12).prop_map(normalise)
}

fn fingerprint() -> impl Strategy<Value = Fingerprint> {
    any::<[u8; 32]>().prop_map(Fingerprint::from_bytes)
}

fn some_version() -> impl Strategy<Value = ObjectVersion> {
    let text = || proptest::option::of("[a-z\"-]{0,12}");
    (text(), text()).prop_map(|(e_tag, number)| ObjectVersion {
        size: SIZE,
        e_tag: e_tag.or_else(|| number.is_none().then(String::new)),
        version: number,
    })
}

fn some_ranges() -> impl Strategy<Value = SplitPlan> {
    let documents = vec((fingerprint(), some_list()), 0..3);
    let hopeless = vec(any::<bool>(), 0..5);
    (some_list(), some_list(), documents, hopeless, 0..SIZE).prop_map(
        |(open, search, documents, hopeless, footer)| SplitPlan {
            footer: footer..SIZE,
            open,
            search,
            documents: documents
                .into_iter()
                .map(|(request, ranges)| DocumentPlan { request, ranges })
                .collect(),
            hopeless,
        },
    )
}

fn some_matches() -> impl Strategy<Value = Matches> {
    let count = prop_oneof![Just(0), 0..1_000_u64, any::<u64>()];
    (count, vec(fingerprint(), 1..=8))
        .prop_map(|(count, wordings)| Matches::from_parts(count, wordings).unwrap())
}

/// A row that has a plan, or a count, or both.
pub(super) fn some_plan() -> impl Strategy<Value = PlanEntry> {
    use proptest::option::of;
    let times = (any::<u64>(), any::<u64>(), any::<bool>());
    let columns = (some_version(), of(some_ranges()), of(some_matches()));
    (
        "[a-c]{1,3}/[a-z]{1,8}",
        fingerprint(),
        ".{0,40}",
        columns,
        times,
    )
        .prop_map(|(split, fingerprint, canonical, columns, times)| {
            let (version, plan, matches) = columns;
            let (created, last_used, healed) = times;
            PlanEntry {
                split: Path::from(split),
                version,
                fingerprint,
                canonical,
                plan: plan.map(Arc::new),
                matches,
                created,
                last_used,
                source: if healed {
                    PlanSource::Healed
                } else {
                    PlanSource::Recorded
                },
            }
        })
        .prop_filter("says nothing, or contradicts itself", PlanEntry::is_sound)
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    let bytes = || vec(any::<u8>(), 0..9);
    prop_oneof![
        bytes().prop_map(Bound::Included),
        bytes().prop_map(Bound::Excluded),
        Just(Bound::Unbounded),
    ]
}

pub(super) fn some_absence() -> impl Strategy<Value = AbsenceEntry> {
    let field = || (0u32..9).prop_map(Field::from_field_id);
    let what = prop_oneof![
        (field(), vec(any::<u8>(), 0..9), ".{0,9}")
            .prop_map(|(field, beginning, source)| Absent::Pattern(field, beginning, source)),
        (field(), bound(), bound())
            .prop_map(|(field, lower, upper)| Absent::Range(field, lower, upper)),
        (field(), ".{0,9}").prop_map(|(f, text)| Absent::Term(Term::from_field_text(f, &text))),
        (field(), any::<f64>()).prop_map(|(f, value)| Absent::Term(Term::from_field_f64(f, value))),
        field().prop_map(|f| {
            let mut term = Term::from_field_json_path(f, "a.b", true);
            term.append_type_and_str("sea");
            Absent::Term(term)
        }),
    ];
    ("[a-c]{1,3}", some_version(), 0usize..9, what, any::<u64>()).prop_map(
        |(split, version, segment, what, found)| {
            let object = ObjectHandle::new(Path::from(split), version);
            AbsenceEntry::new(
                Absence {
                    object,
                    segment,
                    what,
                },
                found,
            )
        },
    )
}

pub(super) fn some_batch() -> impl Strategy<Value = PlanBatch> {
    (vec(some_plan(), 0..6), vec(some_absence(), 0..6)).prop_map(|(plans, absences)| PlanBatch {
        plans: plans.into_iter().map(Arc::new).collect(),
        absences,
        rejected: 0,
    })
}
