//! What canonical forms tell apart, and the moment of a request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::filter::tests::queries::matching;
use crate::filter::tests::strategy::clauses;
use crate::filter::{
    Aggregations, Clause, FieldValue, Fingerprint, Fuzziness, MinimumShouldMatch, SearchRequest,
    Sort,
};

/// Changes something small at the clause that `at` counts down to.
fn change(clause: &mut Clause, at: &mut usize, how: usize) {
    if *at == 0 {
        change_here(clause, how);
    } else {
        clause.visit_inner_mut(&mut |inner| {
            if let Some(next) = at.checked_sub(1) {
                *at = next;
                change(inner, at, how);
                if *at == 0 {
                    // It was within: nothing else is to change.
                    *at = usize::MAX;
                }
            }
        });
    }
}

fn change_here(clause: &mut Clause, how: usize) {
    match clause {
        Clause::Bool(clause) => match how % 7 {
            0 => std::mem::swap(&mut clause.must, &mut clause.filter),
            1 => std::mem::swap(&mut clause.must, &mut clause.should),
            2 => std::mem::swap(&mut clause.filter, &mut clause.must_not),
            3 => drop(clause.must.pop()),
            4 => drop(clause.should.pop()),
            5 => clause.minimum_should_match = Some(MinimumShouldMatch::Count(2)),
            _ => clause.minimum_should_match = None,
        },
        Clause::DisMax(clause) => drop(clause.queries.pop()),
        Clause::Exists(clause) => clause.field = "tags".to_owned(),
        Clause::Fuzzy(clause) => match how % 4 {
            0 => clause.prefix_length += 1,
            1 => clause.transpositions = !clause.transpositions,
            2 => clause.fuzziness = Fuzziness::Edits(1),
            _ => clause.value = FieldValue::from(format!("{}s", clause.value)),
        },
        Clause::Ids(clause) => drop(clause.values.pop()),
        Clause::Prefix(clause) => match how % 2 {
            0 => clause.case_insensitive = !clause.case_insensitive,
            _ => clause.value.push('A'),
        },
        Clause::Range(clause) => match how % 5 {
            0 => std::mem::swap(&mut clause.gt, &mut clause.gte),
            1 => std::mem::swap(&mut clause.lt, &mut clause.lte),
            2 => std::mem::swap(&mut clause.gt, &mut clause.lt),
            3 => clause.lte = None,
            _ => clause.time_zone = None,
        },
        Clause::Regexp(clause) => clause.case_insensitive = !clause.case_insensitive,
        Clause::Term(clause) => match how % 2 {
            0 => clause.field = "word".to_owned(),
            _ => clause.value = FieldValue::from("oak"),
        },
        Clause::Terms(clause) => drop(clause.values.pop()),
        Clause::Wildcard(clause) => match how % 4 {
            0 => clause.case_insensitive = !clause.case_insensitive,
            1 => clause.value.push('?'),
            2 => clause.value.push('*'),
            _ => clause.value.insert(0, '\\'),
        },
        clause => *clause = Clause::match_all().into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn equal_fingerprints_are_equal_meanings(
        clause in clauses(), at in 0_usize..6, how in 0_usize..420, by_score: bool,
    ) {
        let mut changed = clause.clone();
        change(&mut changed, &mut at.clone(), how);
        let sort = if by_score { Sort::score() } else { Sort::doc() };
        let fingerprint = |clause: &Clause| {
            let request = SearchRequest::new(clause.clone()).sort([sort.clone()]);
            request.at(UNIX_EPOCH).fingerprint()
        };
        if fingerprint(&clause) == fingerprint(&changed)
            && let (Some(before), Some(after)) = (matching(&clause), matching(&changed))
        {
            prop_assert_eq!(before, after, "{} {}", clause.to_value(), changed.to_value());
        }
    }
}

/// So many hours after midnight, 2024-02-29.
fn hour(hours: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_709_164_800 + hours * 3_600)
}

fn fingerprint_at(clause: &Value, time: SystemTime) -> Fingerprint {
    let clause = Clause::from_value(clause).unwrap();
    SearchRequest::new(clause).at(time).fingerprint()
}

#[test]
fn arithmetic_counts_by_what_it_comes_to() {
    let same_all_day = [
        json!({"range": {"f": {"gte": "now/d"}}}),
        json!({"range": {"f": {"gte": "now-7d/d", "lt": "now/d"}}}),
        json!({"term": {"f": "now/M"}}),
        json!({"terms": {"f": ["now/y", "now-1y/y"]}}),
        json!({"bool": {"filter": {"constant_score": {"filter": {"dis_max": {"queries": [
            {"range": {"f": {"gt": "now/d"}}}]}}}}}}),
    ];
    for clause in same_all_day {
        let of = |hours| fingerprint_at(&clause, hour(hours));
        assert_eq!(of(1), of(22), "{clause}");
        assert_ne!(of(1), of(24 * 400), "{clause}");
    }
    let of_the_moment = [
        json!({"range": {"f": {"gte": "now"}}}),
        json!({"range": {"f": {"gte": "now-7d"}}}),
        json!({"query_string": {"query": "at:[now-1d TO now]"}}),
        json!({"query_string": {"query": "at:>now"}}),
    ];
    for clause in of_the_moment {
        let of = |hours| fingerprint_at(&clause, hour(hours));
        assert_ne!(of(1), of(2), "{clause}");
    }
    // Only the text that it is in tells a word from a date.
    let independent = [
        json!({"match": {"f": "now"}}),
        json!({"query_string": {"query": "snow nowhere"}}),
        json!({"range": {"f": {"gte": "2024-01-01"}}}),
        json!({"range": {"f": {"gte": "2024-01-01||+1M/d"}}}),
        json!({"range": {"f": {"gte": "nowhere"}}}),
        json!({"term": {"f": "no now"}}),
    ];
    for clause in independent {
        let of = |hours| fingerprint_at(&clause, hour(hours));
        assert_eq!(of(1), of(24 * 400), "{clause}");
    }
    // A zone moves the day.
    let zoned = json!({"range": {"f": {"gte": "now/d", "time_zone": "+02:00"}}});
    let of = |hours| fingerprint_at(&zoned, hour(hours));
    assert_eq!(of(0), of(21));
    assert_ne!(of(21), of(22));
}

#[test]
fn filters_of_aggregations_have_the_moment_of_the_request() {
    let recent = r#"{"recent": {"filter": {"range": {"f": {"gte": "now/d"}}}}}"#;
    let of = |hours| {
        let request = SearchRequest::new(Clause::match_all()).at(hour(hours));
        let aggregations = Aggregations::from_json(recent).unwrap();
        request.aggregations(aggregations).fingerprint()
    };
    assert_eq!(of(1), of(2));
    assert_ne!(of(1), of(25));
}

#[test]
fn a_request_has_one_moment() {
    let request = SearchRequest::new(Clause::range("f").gte("now"));
    let first = request.fingerprint();
    let moment = request.moment();
    while crate::filter::Moment::now() == moment {
        std::thread::yield_now();
    }
    assert_eq!(request.fingerprint(), first);
    let clone = request.clone().size(3);
    assert_eq!(clone.moment(), moment);
    assert_eq!(clone.fingerprint(), first);
    assert_ne!(request.at(hour(0)).fingerprint(), first);
}
