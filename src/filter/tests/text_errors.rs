//! Wrong clauses over texts, each with the exact message.

use super::errors::{index, message};

#[test]
fn a_wrong_text_is_told_exactly_what_is_wrong() {
    let index = index();
    for (query, expected) in TEXTS {
        let body = format!(r#"{{"query": {query}}}"#);
        assert_eq!(message(&index, &body), *expected, "{body}");
    }
}

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        r#"{"match": {}}"#,
        "query.match: expected a field, got an empty object",
    ),
    (
        r#"{"match": {"title": {"operator": "and"}}}"#,
        "query.match.title: the parameter \"query\" is missing",
    ),
    (
        r#"{"match": {"title": ["a"]}}"#,
        "query.match.title: expected a single value, got an array",
    ),
    (
        r#"{"match": {"title": {"query": null}}}"#,
        "query.match.title.query: expected a single value, got null",
    ),
    (
        r#"{"match": {"title": {"query": "a", "analyzer": "standard"}}}"#,
        "query.match.title: the parameter \"analyzer\" is not supported: a text is cut by the \
         tokenizer of its field: leave it out",
    ),
    (
        r#"{"match": {"title": {"query": "a", "auto_generate_synonyms_phrase_query": false}}}"#,
        "query.match.title: the parameter \"auto_generate_synonyms_phrase_query\" is not \
         supported: a synonym is one word: leave it out",
    ),
    (
        r#"{"match": {"title": {"query": "a", "cutoff_frequency": 0.01}}}"#,
        "query.match.title: the parameter \"cutoff_frequency\" is not supported: Elasticsearch \
         removed it: leave it out, no common word is slow here",
    ),
    (
        r#"{"match": {"title": {"query": "a", "fuzzy_rewrite": "constant_score"}}}"#,
        "query.match.title: the parameter \"fuzzy_rewrite\" is not supported: a word that may \
         differ always scores 1: leave it out",
    ),
    (
        r#"{"match": {"title": {"query": "a", "slop": 1}}}"#,
        "query.match.title: unknown parameter \"slop\" (known: _name, boost, fuzziness, \
         fuzzy_transpositions, lenient, max_expansions, minimum_should_match, operator, \
         prefix_length, query, zero_terms_query)",
    ),
    (
        r#"{"match": {"title": {"query": "a", "fuzziness": 3}}}"#,
        "query.match.title.fuzziness: expected 0, 1, 2, \"AUTO\" or \"AUTO:low,high\", got 3",
    ),
    (
        r#"{"match": {"title": {"query": "a", "fuzziness": "AUTO:6,3"}}}"#,
        "query.match.title.fuzziness: expected 0, 1, 2, \"AUTO\" or \"AUTO:low,high\", got \
         \"AUTO:6,3\"",
    ),
    (
        r#"{"match": {"title": {"query": "a", "fuzziness": true}}}"#,
        "query.match.title.fuzziness: expected 0, 1, 2, \"AUTO\" or \"AUTO:low,high\", got true",
    ),
    (
        r#"{"match": {"title": {"query": "a", "prefix_length": 1}}}"#,
        "query.match.title: the parameter \"prefix_length\" means nothing without \"fuzziness\"",
    ),
    (
        r#"{"match": {"title": {"query": "a", "fuzzy_transpositions": false}}}"#,
        "query.match.title: the parameter \"fuzzy_transpositions\" means nothing without \
         \"fuzziness\"",
    ),
    (
        r#"{"match": {"title": {"query": "a", "fuzzy_transpositions": "no"}}}"#,
        "query.match.title.fuzzy_transpositions: expected a boolean, got a string",
    ),
    (
        r#"{"match": {"title": {"query": "a", "fuzziness": 1, "prefix_length": -1}}}"#,
        "query.match.title.prefix_length: expected a whole number from 0, got -1",
    ),
    (
        r#"{"match": {"title": {"query": "a", "fuzziness": 1, "max_expansions": 10}}}"#,
        "query.match.title.max_expansions: not supported with \"fuzziness\", which finds every \
         term within the distance: leave it out",
    ),
    (
        r#"{"match": {"title": {"query": "a", "minimum_should_match": "3<"}}}"#,
        "query.match.title.minimum_should_match: expected a whole number, a percentage or a \
         combination like \"2<75%\", got \"3<\"",
    ),
    (
        r#"{"match": {"title": {"query": "a", "minimum_should_match": "-1<50%"}}}"#,
        "query.match.title.minimum_should_match: expected a whole number, a percentage or a \
         combination like \"2<75%\", got \"-1<50%\"",
    ),
    (
        r#"{"match": {"title": {"query": "a", "minimum_should_match": 1.5}}}"#,
        "query.match.title.minimum_should_match: expected a whole number, a percentage or a \
         combination like \"2<75%\", got 1.5",
    ),
    (
        r#"{"match": {"title": {"query": "a", "zero_terms_query": "some"}}}"#,
        "query.match.title.zero_terms_query: expected \"all\" or \"none\", got \"some\"",
    ),
    (
        r#"{"match": {"title": {"query": "a", "lenient": "yes"}}}"#,
        "query.match.title.lenient: expected a boolean, got a string",
    ),
    (
        r#"{"match": {"title": {"query": "a", "operator": 1}}}"#,
        "query.match.title.operator: expected a string, got a number",
    ),
    (
        r#"{"match": {"price": "cheap"}}"#,
        "query.match.price: expected a whole number from 0 to 2^64 - 1 for a u64 field, got \
         \"cheap\"",
    ),
    (
        r#"{"match": {"price": {"query": "1", "fuzziness": 1}}}"#,
        "query.match.price: fuzziness needs words, and \"price\", a u64 field, has none: index it as text",
    ),
    (
        r#"{"match": {"nothing": {"query": "a", "lenient": true}}}"#,
        "query.match.nothing: unknown field \"nothing\"",
    ),
    (
        r#"{"match": {"odd": {"query": "a", "lenient": true}}}"#,
        "query.match.odd: the tokenizer \"nobody\" of \"odd\" is not registered: give it to the \
         warmer",
    ),
    (
        r#"{"match": {"repo": "a"}}"#,
        "query.match.repo: \"repo\" is a JSON field: name a path in it, like \"repo.key\"",
    ),
    (
        r#"{"match_phrase": {"title": {"query": "a", "zero_terms_query": 1}}}"#,
        "query.match_phrase.title.zero_terms_query: expected a string, got a number",
    ),
    (
        r#"{"match_phrase": {"title": {"query": "a", "lenient": true}}}"#,
        "query.match_phrase.title: unknown parameter \"lenient\" (known: _name, boost, query, \
         slop, zero_terms_query)",
    ),
    (
        r#"{"match_phrase": {"title": {"query": "a", "slop": 4294967296}}}"#,
        "query.match_phrase.title.slop: expected a whole number from 0, got 4294967296",
    ),
    (
        r#"{"match_phrase_prefix": {"title": {"query": "a b", "slop": 1}}}"#,
        "query.match_phrase_prefix.title.slop: 1 is not supported for a phrase that ends in a \
         prefix, whose words cannot be moved: leave it out",
    ),
    (
        r#"{"match_phrase_prefix": {"title": {"query": "a b", "max_expansions": 1025}}}"#,
        "query.match_phrase_prefix.title.max_expansions: 1025 is more than the 1024 allowed",
    ),
    (
        r#"{"match_phrase_prefix": {"title": {"query": "a b", "max_expansions": "few"}}}"#,
        "query.match_phrase_prefix.title.max_expansions: expected a whole number from 0, got \
         \"few\"",
    ),
    (
        r#"{"match_phrase_prefix": {"flat": "a b"}}"#,
        "query.match_phrase_prefix.flat: \"flat\" has no positions, so its words have no order: \
         index it with positions, or use match",
    ),
    (
        r#"{"match_phrase_prefix": {"price": 1}}"#,
        "query.match_phrase_prefix.price: a prefix needs words, and \"price\", a u64 field, has none: index it as text",
    ),
    (
        r#"{"match_phrase_prefix": {"title": {"query": "a", "operator": "and"}}}"#,
        "query.match_phrase_prefix.title: unknown parameter \"operator\" (known: _name, boost, \
         max_expansions, query, slop, zero_terms_query)",
    ),
    (
        r#"{"match_bool_prefix": {"at": "2024"}}"#,
        "query.match_bool_prefix.at: a prefix needs words, and \"at\", a date field, has none: index it as text",
    ),
    (
        r#"{"match_bool_prefix": {"title": {"query": "a", "lenient": true}}}"#,
        "query.match_bool_prefix.title: unknown parameter \"lenient\" (known: _name, boost, \
         fuzziness, fuzzy_transpositions, max_expansions, minimum_should_match, operator, \
         prefix_length, query)",
    ),
    (
        r#"{"match_bool_prefix": {"title": {"query": "a", "fuzziness": "1~"}}}"#,
        "query.match_bool_prefix.title.fuzziness: expected 0, 1, 2, \"AUTO\" or \
         \"AUTO:low,high\", got \"1~\"",
    ),
    (
        r#"{"match_bool_prefix": {"title": {"query": "a", "fuzziness": "AUTO:1"}}}"#,
        "query.match_bool_prefix.title.fuzziness: expected 0, 1, 2, \"AUTO\" or \
         \"AUTO:low,high\", got \"AUTO:1\"",
    ),
    (
        r#"{"multi_match": {"fields": ["title"]}}"#,
        "query.multi_match: the parameter \"query\" is missing",
    ),
    (
        r#"{"multi_match": {"query": "a", "fields": [1]}}"#,
        "query.multi_match.fields[0]: expected a string, got a number",
    ),
    (
        r#"{"multi_match": {"query": "a", "fields": {"title": 1}}}"#,
        "query.multi_match.fields: expected an array, got an object",
    ),
    (
        r#"{"multi_match": {"query": "a", "fields": ["nothing"]}}"#,
        "query.multi_match.fields[0]: unknown field \"nothing\"",
    ),
    (
        r#"{"multi_match": {"query": "a", "fields": ["title", "title^many"]}}"#,
        "query.multi_match.fields[1]: cannot read the boost of \"title^many\"",
    ),
    (
        r#"{"multi_match": {"query": "a", "fields": ["title^-1"]}}"#,
        "query.multi_match.fields[0]: cannot read the boost of \"title^-1\"",
    ),
    (
        r#"{"multi_match": {"query": "a", "fields": ["title^3e38", "title^3e38"]}}"#,
        "query.multi_match.fields: expected a number from 0 to 3.4028235e38, got inf",
    ),
    (
        r#"{"multi_match": {"query": "a", "fields": ["x*"]}}"#,
        "query.multi_match.fields[0]: no field that can be searched matches \"x*\"",
    ),
    (
        r#"{"multi_match": {"query": "a", "fields": ["repo.*"]}}"#,
        "query.multi_match.fields[0]: the schema does not know the paths of the JSON field \
         \"repo\", so \"repo.*\" finds none: name them",
    ),
    (
        r#"{"multi_match": {"query": "a", "fields": ["title", "price"]}}"#,
        "query.multi_match.price: expected a whole number from 0 to 2^64 - 1 for a u64 field, \
         got \"a\"",
    ),
    (
        r#"{"multi_match": {"query": "a", "fields": ["pri*"]}}"#,
        "query.multi_match.price: expected a whole number from 0 to 2^64 - 1 for a u64 field, \
         got \"a\"",
    ),
    (
        r#"{"multi_match": {"query": "a", "type": "cross_fields"}}"#,
        "query.multi_match.type: \"cross_fields\" is not supported, for it needs statistics \
         across fields: use \"most_fields\", or a field that holds the text of all",
    ),
    (
        r#"{"multi_match": {"query": "a", "type": "best"}}"#,
        "query.multi_match.type: unknown type \"best\" (known: best_fields, bool_prefix, \
         most_fields, phrase, phrase_prefix)",
    ),
    (
        r#"{"multi_match": {"query": "a", "tie_breaker": 2}}"#,
        "query.multi_match.tie_breaker: expected a number from 0 to 1, got 2",
    ),
    (
        r#"{"multi_match": {"query": "a", "tie_breaker": "half"}}"#,
        "query.multi_match.tie_breaker: expected a number, got a string",
    ),
    (
        r#"{"multi_match": {"query": "a", "type": "phrase", "operator": "and"}}"#,
        "query.multi_match.operator: not supported for the type \"phrase\": leave it out",
    ),
    (
        r#"{"multi_match": {"query": "a", "type": "phrase", "fuzziness": "AUTO"}}"#,
        "query.multi_match.fuzziness: not supported for the type \"phrase\": leave it out",
    ),
    (
        r#"{"multi_match": {"query": "a", "type": "phrase_prefix", "minimum_should_match": 1}}"#,
        "query.multi_match.minimum_should_match: not supported for the type \"phrase_prefix\": \
         leave it out",
    ),
    (
        r#"{"multi_match": {"query": "a", "type": "phrase_prefix", "slop": 1}}"#,
        "query.multi_match.slop: not supported for the type \"phrase_prefix\": leave it out",
    ),
    (
        r#"{"multi_match": {"query": "a", "slop": 1}}"#,
        "query.multi_match.slop: not supported for the type \"best_fields\": leave it out",
    ),
    (
        r#"{"multi_match": {"query": "a", "max_expansions": 10}}"#,
        "query.multi_match.max_expansions: not supported for the type \"best_fields\": leave it \
         out",
    ),
    (
        r#"{"multi_match": {"query": "a", "analyzer": "english"}}"#,
        "query.multi_match: the parameter \"analyzer\" is not supported: a text is cut by the \
         tokenizer of its field: leave it out",
    ),
    (
        r#"{"multi_match": {"query": "a", "rewrite": "x"}}"#,
        "query.multi_match: unknown parameter \"rewrite\" (known: _name, boost, fields, \
         fuzziness, fuzzy_transpositions, lenient, max_expansions, minimum_should_match, \
         operator, prefix_length, query, slop, tie_breaker, type, zero_terms_query)",
    ),
    (
        r#"{"multi_match": {"query": "a b", "type": "phrase", "fields": ["flat"]}}"#,
        "query.multi_match.flat: \"flat\" has no positions, so its words have no order: index \
         it with positions, or use match",
    ),
    (
        r#"{"query_string": {"query": 1}}"#,
        "query.query_string.query: expected a string, got a number",
    ),
    (
        r#"{"query_string": {"query": "a", "analyze_wildcard": true}}"#,
        "query.query_string: unknown parameter \"analyze_wildcard\" (known: _name, boost, \
         default_field, default_operator, fields, lenient, minimum_should_match, query)",
    ),
    (
        r#"{"query_string": {"query": "a", "time_zone": "Z"}}"#,
        "query.query_string: unknown parameter \"time_zone\" (known: _name, boost, \
         default_field, default_operator, fields, lenient, minimum_should_match, query)",
    ),
    (
        r#"{"query_string": {"query": "a", "lenient": 1}}"#,
        "query.query_string.lenient: expected a boolean, got a number",
    ),
    (
        r#"{"query_string": {"query": "title:fox~3"}}"#,
        "query.query_string.query: expected a fuzziness of at most 2 edits, or AUTO:low,high \
         with low at most high, got 3",
    ),
    (
        r#"{"query_string": {"query": "price:fox~"}}"#,
        "query.query_string.query: fuzziness needs words, and \"price\", a u64 field, has none: index it as text",
    ),
    (
        r#"{"query_string": {"query": "price:1*"}}"#,
        "query.query_string.query: a u64 field has no prefixes",
    ),
    (
        r#"{"query_string": {"query": "price:?1"}}"#,
        "query.query_string.query.wildcard.price: a u64 field has no patterns: only text and \
         paths of JSON fields do",
    ),
    (
        r#"{"query_string": {"query": "title:/a[/"}}"#,
        "query.query_string.query.regexp.title: the expression ends too early",
    ),
    (
        r#"{"query_string": {"query": "/a@b/", "fields": ["title"]}}"#,
        "query.query_string.query.regexp.title: the operator \"@\" at character 2 is not \
         supported: write \"\\@\" for the character, or leave ANYSTRING out of \"flags\"",
    ),
    (
        r#"{"query_string": {"query": "price:a*b", "lenient": false}}"#,
        "query.query_string.query.wildcard.price: a u64 field has no patterns: only text and \
         paths of JSON fields do",
    ),
    (
        r#"{"query_string": {"query": "\"a b\"*", "fields": ["flat"]}}"#,
        "query.query_string.query: \"flat\" has no positions, so its words have no order: index \
         it with positions, or use match",
    ),
    (
        r#"{"query_string": {"query": "[1 TO 2]"}}"#,
        "query.query_string.query: a range or set needs a field before it",
    ),
    (
        r#"{"query_string": {"query": "nothing:a", "lenient": true}}"#,
        "query.query_string.query: unknown field \"nothing\"",
    ),
    (
        r#"{"query_string": {"query": "nothing:[a TO b]", "lenient": true}}"#,
        "query.query_string.query: unknown field \"nothing\"",
    ),
    (
        r#"{"query_string": {"query": "a", "fields": ["x*"]}}"#,
        "query.query_string.fields[0]: no field that can be searched matches \"x*\"",
    ),
    (
        r#"{"query_string": {"query": "a", "fields": ["price"]}}"#,
        "query.query_string.query: expected a whole number from 0 to 2^64 - 1 for a u64 field, \
         got \"a\"",
    ),
    (
        r#"{"simple_query_string": {"fields": ["title"]}}"#,
        "query.simple_query_string: the parameter \"query\" is missing",
    ),
    (
        r#"{"simple_query_string": {"query": "a", "default_field": "title"}}"#,
        "query.simple_query_string: unknown parameter \"default_field\" (known: _name, boost, \
         default_operator, fields, flags, fuzzy_prefix_length, fuzzy_transpositions, lenient, \
         minimum_should_match, query)",
    ),
    (
        r#"{"simple_query_string": {"query": "a", "flags": "AND|SOME"}}"#,
        "query.simple_query_string.flags: unknown flag \"SOME\" (known: ALL, NONE, AND, ESCAPE, \
         FUZZY, NEAR, NOT, OR, PHRASE, PRECEDENCE, PREFIX, WHITESPACE)",
    ),
    (
        r#"{"simple_query_string": {"query": "a", "flags": 255}}"#,
        "query.simple_query_string.flags: expected a string, got a number",
    ),
    (
        r#"{"simple_query_string": {"query": "a", "default_operator": "not"}}"#,
        "query.simple_query_string.default_operator: expected \"and\" or \"or\", got \"not\"",
    ),
    (
        r#"{"simple_query_string": {"query": "a", "fuzzy_prefix_length": "a"}}"#,
        "query.simple_query_string.fuzzy_prefix_length: expected a whole number from 0, got \
         \"a\"",
    ),
    (
        r#"{"simple_query_string": {"query": "a", "fuzzy_max_expansions": 10}}"#,
        "query.simple_query_string: unknown parameter \"fuzzy_max_expansions\" (known: _name, \
         boost, default_operator, fields, flags, fuzzy_prefix_length, fuzzy_transpositions, \
         lenient, minimum_should_match, query)",
    ),
    (
        r#"{"simple_query_string": {"query": "a", "quote_field_suffix": ".exact"}}"#,
        "query.simple_query_string: unknown parameter \"quote_field_suffix\" (known: _name, \
         boost, default_operator, fields, flags, fuzzy_prefix_length, fuzzy_transpositions, \
         lenient, minimum_should_match, query)",
    ),
    (
        r#"{"simple_query_string": {"query": "a", "fields": ["nothing"]}}"#,
        "query.simple_query_string.fields[0]: unknown field \"nothing\"",
    ),
    (
        r#"{"simple_query_string": {"query": "a", "fields": ["price"]}}"#,
        "query.simple_query_string.query: expected a whole number from 0 to 2^64 - 1 for a u64 \
         field, got \"a\"",
    ),
    (
        r#"{"simple_query_string": {"query": "fox~1", "fields": ["price"]}}"#,
        "query.simple_query_string.query: fuzziness needs words, and \"price\", a u64 field, has \
         none: index it as text",
    ),
    (
        r#"{"simple_query_string": {"query": "\"a b\"", "fields": ["flat"]}}"#,
        "query.simple_query_string.query: \"flat\" has no positions, so its words have no \
         order: index it with positions, or use match",
    ),
];
