use super::*;
use crate::filter::Clause;

const HOUR: Duration = Duration::from_secs(3600);
const HOUR_MS: u64 = 3_600_000;

/// There is no newest split.
fn nobody(_: &str) -> Option<Path> {
    None
}

fn split(n: usize) -> SplitAddress {
    SplitAddress::new(format!("{n:03}.split").into())
}

fn asking(word: &str) -> SearchRequest {
    SearchRequest::new(Clause::match_text("body", word))
}

fn texts(hot: &[HotPair]) -> Vec<(String, String)> {
    let text = |one: &HotPair| {
        let query = one.request.to_value().unwrap()["query"].to_string();
        (one.split.to_string(), query)
    };
    hot.iter().map(text).collect()
}

fn memory(max_bytes: u64) -> Heat {
    let settings = HeatSettings::default().with_half_life(HOUR);
    Heat::new(&settings.with_max_bytes(max_bytes))
}

#[test]
fn an_access_counts_half_after_each_half_life() {
    let heat = memory(1 << 20);
    heat.note(&[split(1)], &asking("sea"), nobody, 0);
    heat.note(&[split(1)], &asking("sea"), nobody, HOUR_MS);
    let hot = heat.pairs(2 * HOUR_MS);
    assert_eq!(hot.len(), 1);
    assert!((hot[0].heat - 0.75).abs() < 1e-9, "{}", hot[0].heat);
    assert_eq!(hot[0].last_asked, HOUR_MS);
    assert!((heat.requests(2 * HOUR_MS)[0].heat - 0.75).abs() < 1e-9);
}

#[test]
fn what_was_asked_often_and_lately_is_hotter() {
    let heat = memory(1 << 20);
    for _ in 0..3 {
        heat.note(&[split(1), split(2)], &asking("old"), nobody, 0);
    }
    heat.note(&[split(2)], &asking("new"), nobody, 2 * HOUR_MS);
    let hot = texts(&heat.pairs(2 * HOUR_MS));
    assert_eq!(hot.len(), 3);
    assert!(hot[0].1.contains("new"), "{hot:?}");
    assert_eq!(
        (hot[1].0.as_str(), hot[2].0.as_str()),
        ("001.split", "002.split")
    );
    heat.succeed(
        &split(9),
        &[split(1).path().clone(), split(2).path().clone()],
        2 * HOUR_MS,
    );
    let newcomer = heat.pairs(2 * HOUR_MS);
    let newcomer = newcomer.iter().filter(|pair| pair.split == split(9));
    let heat_of_newcomer: f64 = newcomer.map(|pair| pair.heat).sum();
    assert!((heat_of_newcomer - 2.5).abs() < 1e-9, "{heat_of_newcomer}");
    heat.forget_split(split(9).path());
    heat.forget_split(split(2).path());
    assert_eq!(heat.pairs(0).len(), 1);
    assert_eq!(heat.requests(0).len(), 2);
}

#[test]
fn what_is_restored_is_as_hot_as_it_was_whenever_it_was_written() {
    let (here, there) = (memory(1 << 20), memory(1 << 20));
    for n in 0..5 {
        here.note(&[split(n), split(0)], &asking("sea"), nobody, HOUR_MS);
    }
    // Asked meanwhile: that counts beside what was.
    there.note(&[split(0)], &asking("sea"), nobody, 2 * HOUR_MS);
    there.restore(&here.remembered());
    let now = 2 * HOUR_MS;
    let (was, is) = (here.pairs(now), there.pairs(now));
    assert_eq!(texts(&was), texts(&is));
    let sum = |hot: &[HotPair]| hot.iter().map(|one| one.heat).sum::<f64>();
    assert!((sum(&was) + 1.0 - sum(&is)).abs() < 1e-9);
    assert!((there.requests(now)[0].heat - 4.0).abs() < 1e-9);
    assert_eq!(there.pairs(now)[0].last_asked, now);
}

#[test]
fn each_who_asks_what_is_hot_has_a_moment_of_his_own() {
    let heat = memory(1 << 20);
    let today = SearchRequest::new(Clause::range("at").gte("now/d"));
    heat.note(&[split(1), split(2)], &today, nobody, 0);
    let (first, second) = (heat.pairs(0), heat.pairs(0));
    assert!(Arc::ptr_eq(&first[0].request, &first[1].request));
    assert!(!Arc::ptr_eq(&first[0].request, &second[0].request));
}

#[test]
fn heat_that_cannot_be_is_none() {
    for sum in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(Decayed::new(sum, 0).is_none());
    }
    assert_eq!(Decayed::new(2.5, 7).map(Decayed::parts), Some((2.5, 7)));
}

#[test]
fn memory_is_bounded_and_the_frequent_stay() {
    let heat = memory(256 << 10);
    for n in 0..4000 {
        heat.note(&[split(0)], &asking("common"), nobody, n);
        heat.note(
            &[split(1 + n as usize)],
            &asking(&format!("w{n}")),
            nobody,
            n,
        );
    }
    heat.pairs.run_pending_tasks();
    heat.requests.run_pending_tasks();
    let hot = heat.pairs(4000);
    assert!(hot.len() < 1000, "{}", hot.len());
    assert!(hot[0].heat > 3000.0, "{:?}", hot[0]);
    assert!(heat.requests(4000)[0].heat > 3000.0);
}

/// A request of about so many bytes of JSON.
fn large(name: usize, bytes: usize) -> SearchRequest {
    asking(&format!("{name} {}", "w".repeat(bytes)))
}

#[test]
fn large_requests_take_no_more_than_their_part_whoever_remembers_them() {
    const MAX: u64 = 1 << 20;
    let heat = memory(MAX);
    let held = || heat.held.load(Ordering::Relaxed);
    for n in 0..2000 {
        // Each in a split of its own, and in one of all.
        heat.note(&[split(0), split(n)], &large(n, 1500), nobody, n as u64);
        heat.note(&[split(0)], &asking("common"), nobody, n as u64);
        assert!(held() <= requests_bytes(MAX), "{}", held());
    }
    heat.pairs.run_pending_tasks();
    let mut asked: HashMap<_, u64> = HashMap::new();
    for (_, pair) in &heat.pairs {
        if !pair.asked.is_forgotten() {
            asked.insert(Arc::as_ptr(&pair.asked), pair.asked.bytes as u64);
        }
    }
    assert!(asked.values().sum::<u64>() <= held());
    assert!(heat.pairs.weighted_size() <= MAX / 2);
    // What is told is what is known.
    let pairs = heat.pairs(2000);
    assert!(!pairs.is_empty() && pairs.len() <= 2 * asked.len());
    assert_eq!(pairs.len(), heat.remembered().len());
    assert!(pairs[0].heat > 1900.0, "{:?}", pairs[0]);
    heat.clear();
    heat.requests.run_pending_tasks();
    assert_eq!(held(), 0);
}

#[test]
fn a_request_that_is_too_large_leaves_no_trace_and_bounds_weigh() {
    let heat = memory(1 << 20);
    heat.note(&[split(1)], &large(1, 3000), nobody, 0);
    assert_eq!((heat.pairs(0).len(), heat.requests(0).len()), (0, 0));
    let bounded = split(1).with_bounds("at", 1_i64, 2_i64).unwrap();
    assert!(pair_weight(&bounded) > pair_weight(&split(1)) + 100);
}

#[test]
fn a_request_that_was_forgotten_is_as_hot_as_it_was_when_it_is_asked_again() {
    let heat = memory(1 << 20);
    let note = || heat.note(&[split(1)], &asking("sea"), nobody, 0);
    note();
    heat.requests.invalidate_all();
    heat.requests.run_pending_tasks();
    assert!(heat.pairs(0).is_empty() && heat.remembered().is_empty());
    note();
    assert_eq!(heat.pairs(0)[0].heat.round(), 2.0);
}
