//! How fast, and how truly, splits are told apart before anything runs.
//!
//! A request that some kinds of splits match and others do not, over splits in five states: warm; known
//! by a plan; known by a plan and partly in memory; open, with what a request of a part of it has
//! proven absent; never seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarm::{
    CacheSettings, Manager, ManagerSettings, SearchRequest, SplitAddress, StoreSettings, Warmer,
    WarmerSettings, Warmth,
};
use object_store::ObjectStore;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::index::sample;
use serde_json::{Value, json};

use super::corpus::{self, Bench, Corpus};
use crate::soaked::{self, Outcome, SHAPES};
use crate::targets::{Targets, median};

/// Microseconds a split.
const TARGET: f64 = 10.0;
const STATES: usize = 5;
/// Kinds of splits that the request matches something in.
const MATCHED: usize = 5;
/// Splits warmed at once while the states are made.
const AT_ONCE: usize = 256;

pub async fn run(bench: &Bench) -> Outcome<usize> {
    let (count, samples) = if bench.is_test {
        (400, 100)
    } else {
        (10_000, 1_000)
    };
    let corpus = Corpus::write(SHAPES, 200).await?;
    let store = corpus.in_memory(count).await?;
    let splits = corpus::addresses(count);
    let (asked, absent) = requests(&corpus)?;
    let manager = Manager::new(prepared(bench, store, &splits, (&asked, &absent)).await?, {
        ManagerSettings::default()
    })?;
    let mut targets = Targets::default();
    time(bench, &manager, (&splits, &asked), &mut targets);
    check(&manager, (&splits, &asked), samples, &mut targets).await?;
    Ok(targets.print(&format!("classify: {count} splits")))
}

/// A request for keys that only some kinds of splits have, and one for the keys alone.
fn requests(corpus: &Corpus) -> Outcome<(SearchRequest, SearchRequest)> {
    let mut keys: [Option<&Value>; MATCHED] = [None; MATCHED];
    for question in &corpus.questions {
        let key = &question.body["query"]["term"]["key"];
        let shape = question.counts.iter().position(|count| *count > 0);
        if let Some(place) = shape.and_then(|shape| keys.get_mut(shape))
            && key.is_string()
        {
            *place = Some(key);
        }
    }
    let keys: Vec<&Value> = keys.iter().flatten().copied().collect();
    if keys.len() < MATCHED {
        return Err("no question asks for a key of each kind of splits".into());
    }
    let keys = json!({"terms": {"key": keys}});
    let asked = json!({
        "query": {"bool": {"must": {"match": {"body": "old man3"}}, "filter": keys}},
        "_source": false,
    });
    let absent = json!({"query": keys, "size": 0});
    Ok((
        SearchRequest::from_value(&asked)?,
        SearchRequest::from_value(&absent)?,
    ))
}

fn state(split: usize) -> usize {
    split / SHAPES % STATES
}

fn warmer(bench: &Bench, store: Arc<dyn ObjectStore>) -> Outcome<Warmer> {
    let cache = CacheSettings::default()
        .with_capacity_bytes(2 << 30)
        .with_lease_bytes(2 << 30)
        .with_opened_bytes(2 << 30)
        .with_plan_bytes(256 << 20)
        .with_absence_bytes(256 << 20);
    // The footer alone, so that opening leaves something to fetch.
    let gets = StoreSettings::default().with_footer_guess_bytes(8 << 10);
    let settings = WarmerSettings::default().with_cache(cache).with_store(gets);
    let builder = Warmer::builder(store).settings(settings);
    Ok(builder.pool(Arc::clone(&bench.pool)).build()?)
}

/// A warmer that has brought the splits into their states.
async fn prepared(
    bench: &Bench,
    store: Arc<dyn ObjectStore>,
    splits: &[SplitAddress],
    (asked, absent): (&SearchRequest, &SearchRequest),
) -> Outcome<Warmer> {
    let of_state = |wanted: usize| -> Vec<SplitAddress> {
        let all = splits.iter().enumerate();
        let all = all.filter(|(number, _)| state(*number) == wanted);
        all.map(|(_, split)| split.clone()).collect()
    };
    let (teacher, warmer) = (warmer(bench, Arc::clone(&store))?, warmer(bench, store)?);
    for planned in [of_state(1), of_state(2)] {
        warm(&teacher, &planned, asked).await?;
    }
    corpus::hand_over(&teacher, &warmer);
    warm(&warmer, &of_state(0), asked).await?;
    let part = json!({"query": {"match": {"body": "old"}}, "_source": false});
    warm(&warmer, &of_state(2), &SearchRequest::from_value(&part)?).await?;
    warm(&warmer, &of_state(3), absent).await?;
    Ok(warmer)
}

async fn warm(warmer: &Warmer, splits: &[SplitAddress], request: &SearchRequest) -> Outcome<()> {
    for some in splits.chunks(AT_ONCE) {
        for warmup in warmer.warm_many(some, request) {
            let outcome = warmup.join(Duration::from_secs(120)).await;
            if !outcome.is_warm() {
                return Err(format!("{}: {outcome}", warmup.path()).into());
            }
        }
    }
    warmer.forget_warmups();
    Ok(())
}

fn time(
    bench: &Bench,
    manager: &Manager,
    (splits, asked): (&[SplitAddress], &SearchRequest),
    targets: &mut Targets,
) {
    let passes = if bench.is_test { 3 } else { 21 };
    let timed = |splits: &[SplitAddress]| {
        let pass = || {
            let started = Instant::now();
            let told = manager.classify(splits, asked);
            assert_eq!(told.len(), splits.len());
            started.elapsed().as_secs_f64() * 1e6 / splits.len() as f64
        };
        median((0..passes).map(|_| pass()).collect())
    };
    let all = timed(splits);
    targets.add(
        "all, µs a split",
        format!("< {TARGET}"),
        format!("{all:.2}"),
        all < TARGET,
    );
    let mut kinds: BTreeMap<&str, Vec<SplitAddress>> = BTreeMap::new();
    let told = manager.classify(splits, asked);
    for (split, warmth) in splits.iter().zip(&told) {
        let kind = kind(*warmth);
        kinds.entry(kind).or_default().push(split.clone());
    }
    for (kind, splits) in kinds {
        let took = timed(&splits);
        targets.tell(
            format!("{kind}, µs a split"),
            format!("{took:.2} ({} splits)", splits.len()),
        );
    }
}

fn kind(warmth: Warmth) -> &'static str {
    match warmth {
        Warmth::Cold(None) => "cold, no plan",
        Warmth::Cold(Some(_)) => "cold, plan known",
        other => other.name(),
    }
}

/// Warms a sample of the splits, each for itself, and compares with what is told of it just before: how
/// many GETs ranges become depends on how fast the store was found to be by then.
async fn check(
    manager: &Manager,
    (splits, asked): (&[SplitAddress], &SearchRequest),
    samples: usize,
    targets: &mut Targets,
) -> Outcome<()> {
    let told = manager.classify(splits, asked);
    let mut rng = StdRng::seed_from_u64(7);
    // By kind: how many there were, and how many were otherwise.
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for number in sample(&mut rng, splits.len(), samples) {
        let warmth = manager.classify(&splits[number..=number], asked)[0];
        let is_right = kind(warmth) == kind(told[number])
            && is_as_told(manager, number, asked, warmth).await?;
        let (all, wrong) = kinds.entry(kind(warmth)).or_default();
        *all += 1;
        *wrong += usize::from(!is_right);
    }
    for kind in [
        "cached",
        "cold, no plan",
        "cold, plan known",
        "partial",
        "provably_empty",
    ] {
        let (all, wrong) = kinds.get(kind).copied().unwrap_or_default();
        targets.add(
            format!("{kind}, as warming and searching show"),
            "all right, some there",
            format!("{} of {all}", all - wrong),
            wrong == 0 && all > 0,
        );
    }
    Ok(())
}

/// Whether warming a split sends what was told of it, and a search finds nothing where nothing was
/// told to be.
async fn is_as_told(
    manager: &Manager,
    number: usize,
    asked: &SearchRequest,
    told: Warmth,
) -> Outcome<bool> {
    let (warmer, split) = (manager.warmer(), soaked::address(number));
    let before = warmer.statistics();
    let outcome = warmer.warm(&split, asked).join(Duration::MAX).await;
    let after = warmer.statistics();
    let sent = (after.gets - before.gets, after.bytes - before.bytes);
    let found = warmer.search(&[split], asked).await?;
    let matches = found.hits.total.map_or(0, |total| total.value);
    let is_sent = match told {
        Warmth::Cached => sent == (0, 0),
        Warmth::Partial(traffic) | Warmth::Cold(Some(traffic)) => {
            sent == (traffic.gets, traffic.bytes)
        }
        Warmth::Cold(None) => sent.0 > 0,
        // What it sends is sent in vain.
        _ => matches == 0,
    };
    let is_matched = (number % SHAPES < MATCHED) == (matches > 0);
    Ok(outcome.is_warm() && is_sent && is_matched && found.report.late_reads == 0)
}
