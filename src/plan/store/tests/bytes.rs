//! What is written is read, and nothing else is.

use std::cmp::Reverse;
use std::iter;

use proptest::prelude::*;

use super::rows::{absence, batch, matches, plan, ranges, some_absence, some_batch, some_plan};
use crate::envelope::Envelope;
use crate::error::ErrorKind;
use crate::filter::Fingerprint;
use crate::plan::entry::DocumentPlan;
use crate::plan::store::{PlanBatch, codec, envelope};
use crate::plan::{AbsenceEntry, PlanEntry, SplitPlan};

/// In the order in which it is written.
fn ordered(mut batch: PlanBatch) -> PlanBatch {
    batch.plans.sort_by_key(|plan| Reverse(plan.last_used));
    batch.absences.sort_by_key(|absence| Reverse(absence.found));
    batch
}

fn pack(batch: &PlanBatch) -> Vec<u8> {
    codec::encode(batch, u64::MAX).unwrap().bytes
}

proptest! {
    #[test]
    fn a_batch_survives_its_pack(batch in some_batch()) {
        let encoded = codec::encode(&batch, u64::MAX).unwrap();
        prop_assert_eq!((encoded.rows, encoded.left_out), (batch.len(), 0));
        prop_assert_eq!(codec::decode(&encoded.bytes).unwrap(), ordered(batch));
    }

    #[test]
    fn rows_survive_alone(plan in some_plan(), absence in some_absence()) {
        prop_assert_eq!(PlanEntry::from_bytes(&plan.to_bytes().unwrap()).unwrap(), plan.clone());
        let bytes = absence.to_bytes().unwrap();
        prop_assert_eq!(AbsenceEntry::from_bytes(&bytes).unwrap(), absence.clone());
        // A row of the other kind is none.
        prop_assert!(PlanEntry::from_bytes(&bytes).is_err());
        prop_assert!(AbsenceEntry::from_bytes(&plan.to_bytes().unwrap()).is_err());
        let later = AbsenceEntry::new(absence.absence.clone(), absence.found.wrapping_add(1));
        prop_assert_eq!(later.key().unwrap(), absence.key().unwrap());
    }

    #[test]
    fn a_flipped_bit_is_noticed_anywhere(batch in some_batch(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = pack(&batch);
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        prop_assert!(codec::decode(&bytes).is_err());
    }

    #[test]
    fn a_pack_cut_short_or_run_over_is_noticed(batch in some_batch(), at in any::<prop::sample::Index>()) {
        let mut bytes = pack(&batch);
        prop_assert!(codec::decode(&bytes[..at.index(bytes.len())]).is_err());
        bytes.push(0);
        prop_assert!(codec::decode(&bytes).is_err());
    }

    /// The checksum keeps accidents out, not malice: what is sealed may hold anything.
    #[test]
    fn no_bytes_panic_even_when_sealed(
        bytes in prop::collection::vec(any::<u8>(), 0..400), batch in some_batch(),
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let _ = codec::decode(&bytes);
        let _ = codec::decode(&envelope::seal(&bytes));
        let sealed = pack(&batch);
        let mut body = envelope::open(&sealed).unwrap().to_vec();
        if !body.is_empty() {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Ok(read) = codec::decode(&envelope::seal(&body)) {
            for row in &read.plans {
                prop_assert!(row.plan().is_some() || row.matches().is_some());
                for ranges in row.plan().into_iter().flat_map(|plan| [&plan.open, &plan.search]) {
                    prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
                    prop_assert!(ranges.last().is_none_or(|last| last.end <= row.version.size));
                }
                if row.plan().is_some_and(SplitPlan::is_hopeless) {
                    prop_assert_eq!(row.matches().unwrap_or(0), 0);
                }
            }
            let shown = format!("{read:?}");
            prop_assert!(!shown.is_empty());
            prop_assert!(read.absences.iter().all(|one| one.absence.weight() > 0));
            let again = pack(&read);
            prop_assert_eq!(codec::decode(&again).unwrap(), ordered(read));
        }
    }

    #[test]
    fn a_pack_is_no_longer_than_it_may_be(batch in some_batch(), max in 0u64..4000) {
        let encoded = codec::encode(&batch, max).unwrap();
        prop_assert_eq!(encoded.rows + encoded.left_out, batch.len());
        prop_assert!(encoded.rows == 0 || encoded.bytes.len() as u64 <= max);
        prop_assert_eq!(codec::decode(&encoded.bytes).unwrap().len(), encoded.rows);
    }
}

#[test]
fn what_was_used_last_is_kept_when_room_is_short() {
    let plans = (0..100).map(|n| plan("a.split", n, u64::from(n)));
    let all = batch(plans);
    let whole = pack(&all).len() as u64;
    let half = codec::encode(&all, whole / 2).unwrap();
    assert!((30..70).contains(&half.rows), "{}", half.rows);
    let kept = codec::decode(&half.bytes).unwrap();
    let oldest = kept.plans.iter().map(|plan| plan.last_used).min().unwrap();
    assert_eq!(oldest, 100 - half.rows as u64);
}

#[test]
fn an_object_is_named_once() {
    let one = pack(&batch([plan("long/path/of/a.split", 0, 0)])).len();
    let two = pack(&batch([
        plan("long/path/of/a.split", 0, 0),
        plan("long/path/of/a.split", 1, 0),
    ]));
    let row = two.len() - one;
    assert!(row < 70, "{row} bytes for a plan of two ranges");
}

#[test]
fn what_another_version_wrote_is_left_to_it() {
    let bytes = pack(&batch([plan("a.split", 0, 0)]));
    let mut format = bytes.clone();
    format[8] += 1;
    assert_eq!(
        codec::decode(&format).unwrap_err().kind(),
        ErrorKind::Unsupported
    );

    // Whole, and by another writer.
    use sha2::{Digest, Sha256};
    let mut foreign = bytes[..bytes.len() - 32].to_vec();
    foreign[11] = b'F';
    let checksum = Sha256::digest(&foreign);
    foreign.extend_from_slice(&checksum);
    let error = codec::decode(&foreign).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("tantivy"), "{error}");
}

#[test]
fn plans_of_objects_without_a_version_are_not_kept() {
    let mut plan = plan("a.split", 0, 0);
    plan.version.e_tag = None;
    assert_eq!(
        plan.to_bytes().unwrap_err().kind(),
        ErrorKind::LimitExceeded
    );
    let encoded = codec::encode(&batch([plan]), u64::MAX).unwrap();
    assert_eq!((encoded.rows, encoded.left_out), (0, 1));
    assert_ne!(
        absence("a", "b", 0).key().unwrap(),
        absence("a", "c", 0).key().unwrap()
    );
}

#[test]
fn absences_leave_room_for_plans() {
    let mut all = batch((0..100).map(|n| plan("a.split", n, 0)));
    let plans = pack(&all).len() as u64;
    all.absences = (0..1000)
        .map(|n| absence("a.split", &format!("word{n}"), 9))
        .collect();
    let encoded = codec::encode(&all, plans * 2).unwrap();
    let kept = codec::decode(&encoded.bytes).unwrap();
    assert_eq!(kept.plans.len(), 100);
    assert!(
        (10..500).contains(&kept.absences.len()),
        "{}",
        kept.absences.len()
    );
}

#[test]
fn rows_that_would_swell_are_none() {
    // A long name, told once, that each of many small plans would hold.
    let name = "x".repeat(100_000);
    let pack = pack(&batch((0..200).map(|n| plan(&name, n, 0))));
    assert!(pack.len() < 150_000);
    let error = codec::decode(&pack).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    // Names as long as stores allow are none of these.
    let name = "x".repeat(1024);
    let pack = self::pack(&batch((0..200).map(|n| plan(&name, n, 0))));
    assert_eq!(codec::decode(&pack).unwrap().len(), 200);
}

/// What the first version of the format wrote of one plan and one absence.
const FIRST_FORMAT: &str = "\
    0007612e73706c697480804001037461670001000707070707070707070707070707070707070707070707070707\
    0707070707070d7b2272657175657374223a377d9cff3f80804000020a0a0a010109090909090909090909090909\
    0909090909090909090909090909090909090901280a0200010505000200010403027303736561";

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

fn seal_first(body: &[u8]) -> Vec<u8> {
    let first = Envelope {
        format: 1,
        ..envelope::envelope()
    };
    first.seal(body)
}

#[test]
fn what_the_first_version_of_the_format_wrote_is_read() {
    let body = bytes_of(FIRST_FORMAT);
    let mut row = plan("a.split", 7, 5);
    ranges(&mut row).documents.push(DocumentPlan {
        request: Fingerprint::from_bytes([9; 32]),
        ranges: iter::once(40..50).collect(),
    });
    let mut expected = batch([row]);
    expected.absences.push(absence("a.split", "sea", 4));
    let read = codec::decode(&seal_first(&body)).unwrap();
    assert_eq!(read, expected);
    // It is written anew as things are written now, and says the same.
    assert_eq!(codec::decode(&pack(&read)).unwrap(), expected);
    // Torn anywhere but between two items, it is corrupt.
    let torn = (0..body.len()).map(|cut| codec::decode(&seal_first(&body[..cut])));
    let errors: Vec<_> = torn.filter_map(Result::err).collect();
    assert!(
        errors
            .iter()
            .all(|error| error.kind() == ErrorKind::Corrupt)
    );
    assert_eq!(errors.len(), body.len() - 3);
}

#[test]
fn a_count_without_a_plan_is_a_row_and_a_row_that_says_nothing_or_two_things_is_none() {
    let mut row = plan("a.split", 1, 5);
    row.matches = Some(matches(0));
    row.plan = None;
    let read = PlanEntry::from_bytes(&row.to_bytes().unwrap()).unwrap();
    assert_eq!((read.plan(), read.matches()), (None, Some(0)));

    let nothing = PlanEntry {
        matches: None,
        ..row.clone()
    };
    let mut contradictory = plan("a.split", 1, 5);
    ranges(&mut contradictory).hopeless.fill(true);
    contradictory.matches = Some(matches(3));
    for wrong in [nothing, contradictory] {
        let bytes = wrong.to_bytes().unwrap();
        let error = PlanEntry::from_bytes(&bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{wrong:?}");
    }
}
