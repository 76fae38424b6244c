//! Forms of clauses over texts.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::filter::{
    Clause, Fuzziness, FuzzyWords, MinimumShouldMatch, MultiMatchClause, MultiMatchType, Operator,
    SearchRequest, SimpleQueryFlag, ZeroTermsQuery,
};

fn parse(value: &Value) -> Clause {
    Clause::from_value(value).unwrap()
}

/// A clause over texts that means the same.
pub(super) fn disguise(clause: &Clause) -> Option<Clause> {
    match clause {
        Clause::Match(clause) => Some(Clause::from(MultiMatchClause {
            operator: clause.operator,
            minimum_should_match: clause.minimum_should_match.clone(),
            fuzzy: clause.fuzzy,
            zero_terms_query: clause.zero_terms_query,
            lenient: clause.lenient,
            ..Clause::multi_match(clause.query.clone(), [format!("{}^2", clause.field)])
        })),
        Clause::MultiMatch(clause) => {
            // Scores are another matter.
            let kind = match clause.kind {
                MultiMatchType::BestFields => MultiMatchType::MostFields,
                MultiMatchType::MostFields => MultiMatchType::BestFields,
                other => other,
            };
            let reversed = clause.fields.iter().rev();
            Some(Clause::from(MultiMatchClause {
                fields: reversed.chain(&clause.fields).cloned().collect(),
                kind,
                tie_breaker: Some(0.25),
                boost: 7.0,
                // A name of what is not searched makes it read.
                name: clause.name.clone(),
                ..clause.clone()
            }))
        }
        _ => None,
    }
}

#[test]
fn spellings_of_texts_are_one_clause() {
    let same = [
        (
            json!({"match": {"f": "v"}}),
            json!({"match": {"f": {"query": "v", "lenient": false, "max_expansions": 50,
                "prefix_length": 0, "fuzzy_transpositions": true, "zero_terms_query": "NONE"}}}),
        ),
        (
            json!({"match": {"f": {"query": "v", "fuzziness": "auto"}}}),
            json!({"match": {"f": {"query": "v", "fuzziness": "AUTO:3,6"}}}),
        ),
        (
            json!({"match": {"f": {"query": "v", "fuzziness": 1}}}),
            json!({"match": {"f": {"query": "v", "fuzziness": "1"}}}),
        ),
        (
            json!({"match": {"f": {"query": "v", "minimum_should_match": "2<75% 9<-3"}}}),
            json!({"match": {"f": {"query": "v", "minimum_should_match": " 2 <75%  9< -3"}}}),
        ),
        (
            json!({"match_bool_prefix": {"f": "v"}}),
            json!({"match_bool_prefix": {"f": {"query": "v", "operator": "Or"}}}),
        ),
        (
            json!({"match_phrase_prefix": {"f": "v"}}),
            json!({"match_phrase_prefix": {"f": {"query": "v", "max_expansions": 50, "slop": 0}}}),
        ),
        (
            json!({"multi_match": {"query": "v", "fields": "f"}}),
            json!({"multi_match": {"query": "v", "fields": ["f"], "type": "best_fields"}}),
        ),
        (
            json!({"simple_query_string": {"query": "v"}}),
            json!({"simple_query_string": {"query": "v", "flags": "ALL", "fields": []}}),
        ),
        (
            json!({"simple_query_string": {"query": "v", "flags": "SLOP|or"}}),
            json!({"simple_query_string": {"query": "v", "flags": "OR | NEAR"}}),
        ),
    ];
    for (short, long) in same {
        assert_eq!(parse(&short), parse(&long), "{short}");
    }
}

#[test]
fn the_builder_makes_the_texts_of_the_json() {
    let fuzzy = FuzzyWords::new(Fuzziness::AUTO)
        .prefix_length(1)
        .transpositions(false);
    let combined: MinimumShouldMatch = "1<50%".parse().unwrap();
    let same: Vec<(Clause, Value)> = vec![
        (
            Clause::match_text("f", "v")
                .operator(Operator::And)
                .minimum_should_match(combined)
                .fuzzy(fuzzy)
                .zero_terms_query(ZeroTermsQuery::All)
                .lenient(true)
                .named("n")
                .into(),
            json!({"match": {"f": {"query": "v", "operator": "and",
                "minimum_should_match": "1<50%", "fuzziness": "AUTO", "prefix_length": 1,
                "fuzzy_transpositions": false, "zero_terms_query": "all", "lenient": true,
                "_name": "n"}}}),
        ),
        (
            Clause::match_bool_prefix("f", "v")
                .minimum_should_match(2)
                .boost(2.0)
                .into(),
            json!({"match_bool_prefix": {"f": {"query": "v", "minimum_should_match": 2,
                "boost": 2.0}}}),
        ),
        (
            Clause::match_phrase_prefix("f", "v")
                .max_expansions(7)
                .into(),
            json!({"match_phrase_prefix": {"f": {"query": "v", "max_expansions": 7}}}),
        ),
        (
            Clause::multi_match("v", ["f^2", "g*"])
                .kind(MultiMatchType::PhrasePrefix)
                .tie_breaker(0.5)
                .max_expansions(7)
                .into(),
            json!({"multi_match": {"query": "v", "fields": ["f^2", "g*"],
                "type": "phrase_prefix", "tie_breaker": 0.5, "max_expansions": 7}}),
        ),
        (
            Clause::query_string("v")
                .minimum_should_match(-1)
                .lenient(true)
                .into(),
            json!({"query_string": {"query": "v", "minimum_should_match": -1, "lenient": true}}),
        ),
        (
            Clause::simple_query_string("v")
                .fields(["f"])
                .flags([SimpleQueryFlag::Or, SimpleQueryFlag::And])
                .fuzzy_prefix_length(2)
                .fuzzy_transpositions(false)
                .into(),
            json!({"simple_query_string": {"query": "v", "fields": ["f"], "flags": "AND|OR",
                "fuzzy_prefix_length": 2, "fuzzy_transpositions": false}}),
        ),
        (
            Clause::simple_query_string("v").flags([]).into(),
            json!({"simple_query_string": {"query": "v", "flags": "NONE"}}),
        ),
    ];
    for (built, json) in same {
        assert_eq!(built.to_value(), json);
        assert_eq!(parse(&json), built);
    }
}

#[test]
fn a_change_of_a_text_changes_the_fingerprint() {
    let text = |more: Value| {
        let mut body = json!({"query": "a b"});
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        body
    };
    let bodies = [
        json!({}),
        json!({"query": "a c"}),
        json!({"operator": "and"}),
        json!({"operator": "and", "minimum_should_match": 1}),
        json!({"minimum_should_match": 2}),
        json!({"minimum_should_match": "2%"}),
        json!({"minimum_should_match": "2<2"}),
        json!({"fuzziness": 1}),
        json!({"fuzziness": "AUTO"}),
        json!({"fuzziness": 1, "prefix_length": 1}),
        json!({"fuzziness": 1, "fuzzy_transpositions": false}),
    ];
    let mut forms = Vec::new();
    for body in bodies {
        forms.push(json!({"match": {"f": text(body.clone())}}));
        forms.push(json!({"match_bool_prefix": {"f": text(body.clone())}}));
        let mut multi = text(body);
        multi["fields"] = json!(["f", "g"]);
        forms.push(json!({"multi_match": multi}));
    }
    for body in [
        json!({}),
        json!({"slop": 1}),
        json!({"zero_terms_query": "all"}),
    ] {
        forms.push(json!({"match_phrase": {"f": text(body.clone())}}));
        forms.push(json!({"match_phrase_prefix": {"f": text(body)}}));
    }
    for body in [json!({"zero_terms_query": "all"}), json!({"lenient": true})] {
        forms.push(json!({"match": {"f": text(body)}}));
    }
    forms.push(json!({"match_phrase_prefix": {"f": text(json!({"max_expansions": 9}))}}));
    for kind in ["bool_prefix", "phrase", "phrase_prefix"] {
        forms.push(json!({"multi_match": text(json!({"type": kind}))}));
        forms.push(json!({"multi_match": text(json!({"type": kind, "fields": ["f", "g"]}))}));
        forms.push(json!({"multi_match": text(json!({"type": kind, "fields": ["f*"]}))}));
    }
    for body in [
        json!({}),
        json!({"fields": ["f"]}),
        json!({"default_operator": "and"}),
        json!({"minimum_should_match": 1}),
        json!({"lenient": true}),
    ] {
        forms.push(json!({"query_string": text(body.clone())}));
        forms.push(json!({"simple_query_string": text(body)}));
    }
    for body in [
        json!({"flags": "NONE"}),
        json!({"flags": "AND"}),
        json!({"fuzzy_prefix_length": 1}),
        json!({"fuzzy_transpositions": false}),
    ] {
        forms.push(json!({"simple_query_string": text(body)}));
    }
    let mut seen = HashMap::new();
    for form in forms {
        let fingerprint = SearchRequest::new(parse(&form)).fingerprint();
        if let Some(other) = seen.insert(fingerprint, form.clone()) {
            panic!("{form} and {other} have one fingerprint");
        }
    }
}

#[test]
fn minimums_are_counted_as_elasticsearch_does() {
    let resolve = |text: &str, total| text.parse::<MinimumShouldMatch>().unwrap().resolve(total);
    for (text, total, expected) in [
        ("3", 2, 3),
        ("-2", 5, 3),
        ("-9", 5, 0),
        ("75%", 5, 3),
        ("-25%", 5, 4),
        ("2<75%", 2, 2),
        ("2<75%", 4, 3),
        ("2<-25% 9<-3", 2, 2),
        ("2<-25% 9<-3", 9, 7),
        ("2<-25% 9<-3", 10, 7),
        ("0<1", 9, 1),
        // The first that is not exceeded ends the search.
        ("9<1 2<2", 5, 5),
    ] {
        assert_eq!(resolve(text, total), expected, "{text} of {total}");
    }
    for text in [
        "", "a", "1.5", "5%%", "<3", "2<", "2<<3", "2<a%", "2<3 4", "-1<2",
    ] {
        assert!(text.parse::<MinimumShouldMatch>().is_err(), "{text}");
    }
}
