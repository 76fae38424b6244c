//! What is written is read, and nothing else is.

use std::cmp::Reverse;

use proptest::prelude::*;

use super::rows::{absence, batch, plan, some_absence, some_batch, some_plan};
use crate::error::ErrorKind;
use crate::plan::store::{PlanBatch, codec, envelope};
use crate::plan::{AbsenceEntry, PlanEntry};

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
            for plan in &read.plans {
                for ranges in [&plan.plan.open, &plan.plan.search] {
                    prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
                    prop_assert!(ranges.last().is_none_or(|last| last.end <= plan.plan.version.size));
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
    plan.plan.version.e_tag = None;
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
