//! What is written is read, and nothing else is.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::ErrorKind;
use crate::filter::{Clause, Fingerprint, SearchRequest};
use crate::manager::decayed::Decayed;
use crate::manager::heat::Remembered;
use crate::manager::hot_set::codec::{self, Encoded, HotSet, PlanKey};
use crate::plan::{PlanEntry, PlanSource, SplitPlan};
use crate::split::SplitAddress;
use crate::store::ObjectVersion;

const SIZE: u64 = 1 << 20;
const CHECKSUM: usize = 32;

fn pair(split: &str, word: &str, heat: f64, last_asked: u64) -> Remembered {
    let request = SearchRequest::new(Clause::match_text("body", word));
    let identity = Fingerprint::of(&request.to_value().unwrap());
    Remembered {
        split: SplitAddress::new(split.into()),
        request: Arc::new(request),
        identity,
        heat: Decayed::new(heat, last_asked).unwrap(),
    }
}

/// The plan of a pair, of so many ranges.
fn plan(pair: &Remembered, ranges: u64) -> PlanEntry {
    PlanEntry {
        split: pair.split.path().clone(),
        version: ObjectVersion {
            size: SIZE,
            e_tag: Some("tag".to_owned()),
            version: None,
        },
        fingerprint: pair.request.fingerprint(),
        canonical: "{}".to_owned(),
        plan: Some(Arc::new(SplitPlan {
            footer: SIZE - 100..SIZE,
            open: Vec::new(),
            search: (0..ranges).map(|n| n * 10..n * 10 + 5).collect(),
            documents: Vec::new(),
            hopeless: vec![false],
        })),
        matches: None,
        created: 7,
        last_used: 7,
        source: PlanSource::Recorded,
    }
}

fn row(plan: &PlanEntry) -> (PlanKey, Bytes) {
    let key = PlanKey {
        split: plan.split().clone(),
        fingerprint: plan.fingerprint(),
    };
    (key, plan.to_bytes().unwrap().into())
}

/// Writes pairs, each with a plan of two ranges.
fn encode(pairs: &[Remembered], max_bytes: u64) -> Encoded {
    codec::encode(pairs, |pair| Some(row(&plan(pair, 2))), max_bytes).unwrap()
}

/// What can be compared of pairs.
fn shown(pairs: &[Remembered]) -> Vec<(String, String, (f64, u64))> {
    let shown = pairs.iter().map(|pair| {
        let request = pair.request.to_value().unwrap().to_string();
        let split = serde_json::to_string(&pair.split).unwrap();
        (split, request, pair.heat.parts())
    });
    shown.collect()
}

fn seal(body: &[u8]) -> Bytes {
    let mut sealed = encode(&[], u64::MAX).bytes.to_vec();
    sealed.truncate(sealed.len() - CHECKSUM - 8);
    sealed.extend_from_slice(&(body.len() as u64).to_le_bytes());
    sealed.extend_from_slice(body);
    let checksum = Sha256::digest(&sealed);
    sealed.extend_from_slice(&checksum);
    sealed.into()
}

fn body(sealed: &Bytes) -> Vec<u8> {
    let empty = encode(&[], u64::MAX).bytes.len() - CHECKSUM;
    sealed[empty..sealed.len() - CHECKSUM].to_vec()
}

fn some_pair() -> impl Strategy<Value = Remembered> {
    let footer = proptest::option::of((0..SIZE, 1..SIZE));
    let heat = prop_oneof![Just(0.0), 0.0..1e12, Just(f64::MIN_POSITIVE)];
    (
        "[a-c]{1,3}/[a-z]{1,8}",
        "[a-d]{1,2}",
        heat,
        any::<u64>(),
        footer,
    )
        .prop_map(|(split, word, heat, at, footer)| {
            let mut pair = pair(&split, &word, heat, at);
            if let Some((start, len)) = footer {
                pair.split = pair.split.with_footer(start..start + len);
            }
            pair
        })
}

proptest! {
    #[test]
    fn a_hot_set_survives_its_bytes(pairs in vec(some_pair(), 0..12)) {
        let encoded = encode(&pairs, u64::MAX);
        prop_assert_eq!((encoded.pairs, encoded.left_out), (pairs.len() as u64, 0));
        let HotSet { pairs: read, plans, entries, rejected } = codec::decode(&encoded.bytes).unwrap();
        prop_assert_eq!(shown(&read), shown(&pairs));
        prop_assert!(read.iter().zip(&pairs).all(|(a, b)| a.identity == b.identity));
        let expected: HashMap<_, _> = pairs.iter().map(|pair| row(&plan(pair, 2))).collect();
        prop_assert_eq!((plans, rejected), (expected, 0));
        for entry in entries {
            prop_assert_eq!(entry.plan().unwrap().search(), [0..5, 10..15]);
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed_anywhere(
        pairs in vec(some_pair(), 0..6), at in any::<prop::sample::Index>(), bit in 0..8,
    ) {
        let mut bytes = encode(&pairs, u64::MAX).bytes.to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        prop_assert!(codec::decode(&bytes.into()).is_err());
    }

    #[test]
    fn a_hot_set_cut_short_or_run_over_is_noticed(
        pairs in vec(some_pair(), 0..6), at in any::<prop::sample::Index>(),
    ) {
        let bytes = encode(&pairs, u64::MAX).bytes;
        let torn = bytes.slice(..at.index(bytes.len()));
        prop_assert!(codec::decode(&torn).is_err());
        let mut more = bytes.to_vec();
        more.push(0);
        prop_assert!(codec::decode(&more.into()).is_err());
    }

    /// The checksum keeps accidents out, not malice: what is sealed may hold anything.
    #[test]
    fn no_bytes_panic_even_when_sealed(
        bytes in vec(any::<u8>(), 0..400), pairs in vec(some_pair(), 1..6),
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let _ = codec::decode(&bytes.clone().into());
        let _ = codec::decode(&seal(&bytes));
        let sealed = encode(&pairs, u64::MAX).bytes;
        let mut body = body(&sealed);
        prop_assert_eq!(&seal(&body), &sealed);
        let at = at.index(body.len());
        body[at] = byte;
        if let Ok(read) = codec::decode(&seal(&body)) {
            prop_assert!(read.pairs.len() <= pairs.len());
            prop_assert!(read.pairs.iter().all(|pair| pair.heat.parts().0 >= 0.0));
            let rows = |pair: &Remembered| Some(row(&plan(pair, 1)));
            let again = codec::encode(&read.pairs, rows, u64::MAX).unwrap();
            prop_assert_eq!(shown(&codec::decode(&again.bytes).unwrap().pairs), shown(&read.pairs));
        }
    }

    #[test]
    fn a_hot_set_is_no_longer_than_it_may_be_and_keeps_the_first(
        pairs in vec(some_pair(), 0..12), max in 0u64..4000,
    ) {
        let encoded = encode(&pairs, max);
        prop_assert_eq!(encoded.pairs + encoded.left_out, pairs.len() as u64);
        prop_assert!(encoded.pairs == 0 || encoded.bytes.len() as u64 <= max);
        let read = codec::decode(&encoded.bytes).unwrap().pairs;
        prop_assert_eq!(read.len() as u64, encoded.pairs);
        // What is left out was too large for what the hotter ones had left.
        let mut left = shown(&pairs).into_iter();
        prop_assert!(shown(&read).into_iter().all(|one| left.any(|other| other == one)));
    }
}

#[test]
fn the_hottest_are_kept_and_one_that_is_too_large_does_not_hold_back_the_rest() {
    let pairs: Vec<_> = (0..100)
        .map(|n| pair(&format!("{n:03}.split"), "sea", 100.0 - f64::from(n), 0))
        .collect();
    let whole = encode(&pairs, u64::MAX).bytes.len() as u64;
    let half = encode(&pairs, whole / 2);
    assert!((40..60).contains(&half.pairs), "{}", half.pairs);
    let read = codec::decode(&half.bytes).unwrap().pairs;
    assert_eq!(shown(&read), shown(&pairs[..read.len()]));

    let rows = |pair: &Remembered| {
        let ranges = if pair.heat.parts().0 == 100.0 {
            50_000
        } else {
            2
        };
        Some(row(&plan(pair, ranges)))
    };
    let without = codec::encode(&pairs, rows, whole).unwrap();
    assert_eq!((without.pairs, without.left_out), (99, 1));
}

#[test]
fn requests_and_plans_are_written_once() {
    let one = encode(&[pair("a.split", "sea", 1.0, 1 << 40)], u64::MAX);
    let again = pair("a.split", "sea", 2.0, 1 << 40);
    let two = encode(&[pair("a.split", "sea", 1.0, 1 << 40), again], u64::MAX);
    let more = two.bytes.len() - one.bytes.len();
    assert!(more < 30, "{more} bytes for a pair of a known request");
}

#[test]
fn another_version_of_the_format_is_left_to_it_and_other_plans_are_left_out_alone() {
    let pairs = [
        pair("a.split", "sea", 1.0, 0),
        pair("b.split", "sea", 1.0, 0),
    ];
    let mut format = encode(&pairs, u64::MAX).bytes.to_vec();
    format[8] += 1;
    let error = codec::decode(&format.into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);

    // Plans of another version of tantivy: pairs outlive them.
    let rows = |pair: &Remembered| {
        let (key, bytes) = row(&plan(pair, 2));
        let mut foreign = bytes[..bytes.len() - CHECKSUM].to_vec();
        foreign[11] = b'F';
        let checksum = Sha256::digest(&foreign);
        foreign.extend_from_slice(&checksum);
        Some((key, foreign.into()))
    };
    let encoded = codec::encode(&pairs, rows, u64::MAX).unwrap();
    let read = codec::decode(&encoded.bytes).unwrap();
    assert_eq!(
        (read.pairs.len(), read.plans.len(), read.rejected),
        (2, 0, 2)
    );
}

#[test]
fn a_request_that_this_version_cannot_read_is_left_out_alone() {
    let pairs = [
        pair("a.split", "sea", 2.0, 0),
        pair("a.split", "man", 1.0, 0),
    ];
    let mut body = body(&codec::encode(&pairs, |_| None, u64::MAX).unwrap().bytes);
    let at = body.windows(5).position(|it| it == b"match").unwrap();
    body[at..at + 5].copy_from_slice(b"munch");
    let read = codec::decode(&seal(&body)).unwrap();
    assert_eq!(shown(&read.pairs), shown(&pairs[1..]));
    assert_eq!(read.rejected, 1);
}

#[test]
fn heat_and_numbers_that_cannot_be_are_corrupt() {
    let pairs = [pair("a.split", "sea", 2.0, 0)];
    let bytes = codec::encode(&pairs, |_| None, u64::MAX).unwrap().bytes;
    let sound = body(&bytes);
    let heat = sound.windows(8).position(|it| it == 2f64.to_le_bytes());
    let heat = heat.unwrap();
    for wrong in [f64::NAN, f64::INFINITY, -1.0] {
        let mut body = sound.clone();
        body[heat..heat + 8].copy_from_slice(&wrong.to_le_bytes());
        let error = codec::decode(&seal(&body)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{wrong}");
    }
    // A pair whose request stands nowhere: behind its kind, its number and the length of its path.
    let path = sound.windows(7).position(|it| it == b"a.split").unwrap();
    assert_eq!(sound[path - 3..path], [2, 0, 7]);
    let error = codec::decode(&seal(&sound[path - 3..])).unwrap_err();
    assert_eq!(error.to_string(), "a hot set says what cannot be");
    assert!(codec::decode(&seal(&sound)).is_ok());
}

#[test]
fn pairs_that_would_swell_are_none() {
    // A thousand empty requests of a few bytes each.
    let mut body = Vec::new();
    for _ in 0..1000 {
        body.extend_from_slice(&[0, 2]);
        body.extend_from_slice(b"{}");
    }
    let error = codec::decode(&seal(&body)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
