//! Whatever the bytes of a split are, opening and searching it ends with an answer or an error, within
//! bounded memory.

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock, Once};
use std::time::Duration;

use forewarm::{ErrorKind, SearchRequest, SplitAddress, WarmerSettings, verify};
use futures_util::FutureExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::fixture::{answer, index, packed, requests, settings, warmer};

/// More than opening and searching a split of 60 kB may ever hold.
const MEMORY: u64 = 1 << 20;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
});

/// The split to be damaged, where its footer starts, and where `meta.json` lies.
struct Victim {
    bytes: Vec<u8>,
    footer: usize,
    meta: Range<usize>,
    requests: Vec<SearchRequest>,
    answers: Vec<Value>,
}

static VICTIM: LazyLock<Victim> = LazyLock::new(|| {
    let packed = packed(&index(2, 150, 0));
    let bytes = packed.to_vec().unwrap();
    let meta = packed
        .files()
        .find(|(name, _)| *name == "meta.json")
        .unwrap()
        .1;
    let requests = requests();
    let answers = requests
        .iter()
        .map(|request| match search(bytes.clone(), request) {
            Ok(answer) => answer,
            Err(error) => panic!("the split is sound: {}", error.chain()),
        })
        .collect();
    Victim {
        footer: packed.footer_range().start as usize,
        meta: meta.start as usize..meta.end as usize,
        bytes,
        requests,
        answers,
    }
});

/// tantivy panics on bytes that it does not expect; that is caught, and need not be printed.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let thread = std::thread::current();
            // The pool's threads have no name in tests.
            if thread
                .name()
                .is_some_and(|name| !name.starts_with("forewarm"))
            {
                print(info);
            }
        }));
    });
}

fn bounded() -> WarmerSettings {
    let mut settings = settings();
    settings.cache.capacity_bytes = MEMORY / 2;
    settings.cache.lease_bytes = MEMORY / 2;
    settings
}

/// Opens and searches a split of these bytes.
fn search(bytes: Vec<u8>, request: &SearchRequest) -> forewarm::Result<Value> {
    quiet();
    let searched = async {
        let store = Arc::new(InMemory::new());
        let path = Path::from("a.split");
        store.put(&path, bytes.into()).await.unwrap();
        let warmer = warmer(store, bounded());
        let splits = [SplitAddress::new(path)];
        let explained = warmer.explain(&splits[0], request).await;
        let response = warmer.search(&splits, request).await;
        let statistics = warmer.statistics();
        assert!(statistics.resident_bytes <= MEMORY, "{statistics:?}");
        let _ = warmer.layout(&splits[0]).await;
        if explained.is_err() {
            // It does not open, so it does not answer.
            assert!(response.is_err() || warmer.open(&splits[0]).await.is_ok());
        }
        response.map(|response| answer(&response))
    };
    RUNTIME.block_on(async {
        let searched = AssertUnwindSafe(searched).catch_unwind();
        let searched = tokio::time::timeout(Duration::from_secs(60), searched).await;
        searched.expect("it hangs").expect("a panic came through")
    })
}

fn verified(bytes: Vec<u8>) -> bool {
    RUNTIME.block_on(async {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let path = Path::from("a.split");
        store.put(&path, bytes.into()).await.unwrap();
        let verified = AssertUnwindSafe(verify(store, &path)).catch_unwind().await;
        let verified = verified.expect("a panic came through");
        verified.is_ok_and(|report| report.is_sound())
    })
}

/// Errors that hostile bytes may lead to.
fn is_expected(kind: ErrorKind) -> bool {
    [
        ErrorKind::Budget,
        ErrorKind::Corrupt,
        ErrorKind::Internal,
        ErrorKind::InvalidRequest,
        ErrorKind::Unsupported,
    ]
    .contains(&kind)
}

/// An answer or an expected error; and what answers wrongly does not verify.
fn survives(bytes: Vec<u8>, which: usize) -> Result<(), TestCaseError> {
    let which = which % VICTIM.requests.len();
    match search(bytes.clone(), &VICTIM.requests[which]) {
        Ok(answer) if answer == VICTIM.answers[which] => {}
        Ok(_) => prop_assert!(
            !verified(bytes),
            "a wrong answer from a split that verifies"
        ),
        Err(error) => {
            prop_assert!(
                is_expected(error.kind()),
                "{:?}: {}",
                error.kind(),
                error.chain()
            );
            prop_assert!(!verified(bytes), "verifies, but: {}", error.chain());
        }
    }
    Ok(())
}

/// `FOREWARM_HOSTILE_CASES` sets how often each damage is tried.
fn cases() -> u32 {
    let cases = std::env::var("FOREWARM_HOSTILE_CASES");
    cases.map_or(48, |cases| cases.parse().unwrap())
}

fn hostile_length() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(u32::MAX.to_le_bytes().to_vec()),
        Just(u64::MAX.to_le_bytes().to_vec()),
        Just((i32::MAX as u32).to_le_bytes().to_vec()),
        Just((u64::MAX / 2).to_le_bytes().to_vec()),
        Just(0_u64.to_le_bytes().to_vec()),
        Just(vec![0xff; 10]),
        any::<u32>().prop_map(|value| value.to_le_bytes().to_vec()),
    ]
}

/// tantivy makes a range for each column that a block of the column dictionary counts, and reads
/// past the end of the block as zeros: it would go on until memory ends.
#[test]
fn a_column_dictionary_that_counts_too_many_is_corrupt() {
    let packed = packed(&index(1, 150, 0));
    let mut bytes = packed.to_vec().unwrap();
    let columns = packed.files().find(|(name, _)| name.ends_with(".fast"));
    let range = columns.unwrap().1;
    let file = &bytes[range.start as usize..range.end as usize];
    // The file's own footer ends with its length and a magic number.
    let at = file.len() - 8;
    let footer = u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let tail = at - footer - 20;
    let dictionary = u64::from_le_bytes(file[tail..tail + 8].try_into().unwrap()) as usize;
    let block = &file[tail - dictionary..];
    assert_eq!(block[4], 0, "the block is not compressed");
    let sound = block[..40].to_vec();
    let mut wrong = sound.clone();
    wrong[5..14].fill(0xff);
    wrong[14] = 0x7f;
    let places: Vec<usize> = (0..bytes.len() - sound.len())
        .filter(|&at| bytes[at..].starts_with(&sound))
        .collect();
    assert_eq!(places.len(), 2, "in the file, and hot");
    for at in places {
        bytes[at..at + wrong.len()].copy_from_slice(&wrong);
    }
    let sorted = r#"{"query": {"match_all": {}}, "sort": ["price"]}"#;
    let error = search(bytes, &SearchRequest::from_json(sorted).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{}", error.chain());
    assert!(error.chain().contains("columns in"), "{}", error.chain());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_truncated_split_does_not_open(at in any::<Index>(), which in any::<usize>()) {
        let keep = at.index(VICTIM.bytes.len());
        let error = search(VICTIM.bytes[..keep].to_vec(), &VICTIM.requests[which % VICTIM.requests.len()]);
        let error = error.expect_err("a part of a split");
        prop_assert!(is_expected(error.kind()), "{:?}: {}", error.kind(), error.chain());
    }

    #[test]
    fn bit_flips_in_the_footer_are_survived(
        flips in prop::collection::vec((any::<Index>(), 0_u8..8), 1..5), which in any::<usize>(),
    ) {
        let mut bytes = VICTIM.bytes.clone();
        for (at, bit) in flips {
            let at = VICTIM.footer + at.index(bytes.len() - VICTIM.footer);
            bytes[at] ^= 1 << bit;
        }
        survives(bytes, which)?;
    }

    #[test]
    fn bit_flips_in_the_body_are_survived(
        flips in prop::collection::vec((any::<Index>(), 0_u8..8), 1..20), which in any::<usize>(),
    ) {
        let mut bytes = VICTIM.bytes.clone();
        for (at, bit) in flips {
            bytes[at.index(VICTIM.footer)] ^= 1 << bit;
        }
        survives(bytes, which)?;
    }

    #[test]
    fn damage_to_meta_json_is_survived(
        at in any::<Index>(), value in any::<u8>(), also_hot in any::<bool>(), which in any::<usize>(),
    ) {
        let mut bytes = VICTIM.bytes.clone();
        let at = at.index(VICTIM.meta.len());
        let meta = &VICTIM.bytes[VICTIM.meta.clone()];
        // Where the hot bytes hold it too.
        let hot = bytes[VICTIM.footer..].windows(meta.len()).position(|window| window == meta);
        let consistent = also_hot && hot.is_some();
        bytes[VICTIM.meta.start + at] = value;
        if also_hot && let Some(hot) = hot {
            bytes[VICTIM.footer + hot + at] = value;
        }
        if consistent {
            // Another name or number, in both copies: no checksum tells.
            if let Err(error) = search(bytes, &VICTIM.requests[which % VICTIM.requests.len()]) {
                prop_assert!(is_expected(error.kind()), "{:?}: {}", error.kind(), error.chain());
            }
        } else {
            survives(bytes, which)?;
        }
    }

    #[test]
    fn hostile_lengths_are_survived(
        at in any::<Index>(), end in any::<bool>(), value in hostile_length(), which in any::<usize>(),
    ) {
        let mut bytes = VICTIM.bytes.clone();
        let footer = bytes.len() - VICTIM.footer;
        // Most lengths stand at either end of the footer.
        let at = if end { bytes.len() - 1 - at.index(64.min(footer)) } else { VICTIM.footer + at.index(footer) };
        for (place, byte) in bytes[at..].iter_mut().zip(value) {
            *place = byte;
        }
        survives(bytes, which)?;
    }

    #[test]
    fn splices_are_survived(
        from in any::<Index>(), to in any::<Index>(), length in 1_usize..4000, insert in any::<bool>(), which in any::<usize>(),
    ) {
        let mut bytes = VICTIM.bytes.clone();
        let from = from.index(bytes.len());
        let piece = bytes[from..(from + length).min(bytes.len())].to_vec();
        let to = to.index(bytes.len());
        let end = if insert { to } else { (to + piece.len()).min(bytes.len()) };
        bytes.splice(to..end, piece);
        survives(bytes, which)?;
    }

    #[test]
    fn noise_is_no_split(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let error = search(bytes, &VICTIM.requests[0]).expect_err("noise");
        prop_assert!(is_expected(error.kind()), "{:?}: {}", error.kind(), error.chain());
    }
}

#[test]
fn every_word_of_the_footer_may_be_the_largest_there_is() {
    let victim = &*VICTIM;
    let footer = victim.footer..victim.bytes.len() - 3;
    // All of the last ones, which are lengths, and a sample of the others.
    let last = footer.end.saturating_sub(40)..footer.end;
    for at in footer.step_by(97).chain(last) {
        for value in [u32::MAX, i32::MAX as u32, 0] {
            let mut bytes = victim.bytes.clone();
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            survives(bytes, at).unwrap_or_else(|error| panic!("{value} at {at}: {error}"));
        }
    }
}

#[test]
fn an_object_of_nothing_is_no_split() {
    let error = search(Vec::new(), &VICTIM.requests[0]).unwrap_err();
    assert!(is_expected(error.kind()), "{}", error.chain());
}
