//! Wrong clauses on patterns and ids, each with the exact message.

pub(super) const PATTERNS: &[(&str, &str)] = &[
    (
        r#"{"prefix": {"word": {"value": "a", "rewrite": "constant_score"}}}"#,
        r#"query.prefix.word: "rewrite" is not supported: every match scores the boost"#,
    ),
    (
        r#"{"prefix": {"word": {"prefix": "a"}}}"#,
        r#"query.prefix.word: unknown parameter "prefix" (known: _name, boost, case_insensitive, value)"#,
    ),
    (
        r#"{"prefix": {"price": {"value": "a", "case_insensitive": true}}}"#,
        "query.prefix.price: a u64 field has no patterns: only text and paths of JSON fields do",
    ),
    (
        r#"{"prefix": {"path": {"value": "/a", "case_insensitive": true}}}"#,
        "query.prefix.path: a facet field has no patterns: only text and paths of JSON fields do",
    ),
    (
        r#"{"fuzzy": {"word": ["a"]}}"#,
        "query.fuzzy.word: expected a single value, got an array",
    ),
    (
        r#"{"fuzzy": {"word": {"fuzziness": 1}}}"#,
        r#"query.fuzzy.word: the parameter "value" is missing"#,
    ),
    (
        r#"{"fuzzy": {"word": {"value": "a", "fuzziness": 3}}}"#,
        r#"query.fuzzy.word.fuzziness: expected 0, 1, 2, "AUTO" or "AUTO:low,high", got 3"#,
    ),
    (
        r#"{"fuzzy": {"word": {"value": "a", "fuzziness": "AUTO:6,3"}}}"#,
        r#"query.fuzzy.word.fuzziness: expected 0, 1, 2, "AUTO" or "AUTO:low,high", got "AUTO:6,3""#,
    ),
    (
        r#"{"fuzzy": {"word": {"value": "a", "max_expansions": 10}}}"#,
        r#"query.fuzzy.word.max_expansions: not supported with "fuzziness", which finds every term within the distance: leave it out"#,
    ),
    (
        r#"{"fuzzy": {"word": {"value": "a", "rewrite": "x"}}}"#,
        r#"query.fuzzy.word: "rewrite" is not supported: every match scores the boost"#,
    ),
    (
        r#"{"fuzzy": {"word": {"value": "a", "prefix_length": -1}}}"#,
        "query.fuzzy.word.prefix_length: expected a whole number from 0, got -1",
    ),
    (
        r#"{"fuzzy": {"word": {"value": "a", "transpositions": 1}}}"#,
        "query.fuzzy.word.transpositions: expected a boolean, got a number",
    ),
    (
        r#"{"fuzzy": {"word": {"value": "a", "fuzzy_transpositions": true}}}"#,
        r#"query.fuzzy.word: unknown parameter "fuzzy_transpositions" (known: _name, boost, fuzziness, max_expansions, prefix_length, transpositions, value)"#,
    ),
    (
        r#"{"fuzzy": {"price": 10}}"#,
        "query.fuzzy.price: a u64 field has no patterns: only text and paths of JSON fields do",
    ),
    (
        r#"{"fuzzy": {"word": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}"#,
        "query.fuzzy.word: 257 characters, more than the 256 a fuzzy pattern may have",
    ),
    (
        r#"{"wildcard": {"word": 1}}"#,
        "query.wildcard.word: expected a string, got a number",
    ),
    (
        r#"{"wildcard": {"word": {"boost": 1}}}"#,
        r#"query.wildcard.word: the parameter "value" is missing"#,
    ),
    (
        r#"{"wildcard": {"word": {"value": "a", "wildcard": "b"}}}"#,
        r#"query.wildcard.word: "value" and "wildcard" exclude each other"#,
    ),
    (
        r#"{"wildcard": {"word": {"wildcard": ["b"]}}}"#,
        "query.wildcard.word.wildcard: expected a string, got an array",
    ),
    (
        r#"{"wildcard": {"word": {"value": "a", "rewrite": "scoring_boolean"}}}"#,
        r#"query.wildcard.word: "rewrite" is not supported: every match scores the boost"#,
    ),
    (
        r#"{"wildcard": {"word": {"value": "a", "flags": "ALL"}}}"#,
        r#"query.wildcard.word: unknown parameter "flags" (known: _name, boost, case_insensitive, value, wildcard)"#,
    ),
    (
        r#"{"wildcard": {"price": "1*"}}"#,
        "query.wildcard.price: a u64 field has no patterns: only text and paths of JSON fields do",
    ),
    (
        r#"{"wildcard": {"path": "/a/*"}}"#,
        "query.wildcard.path: a facet field has no patterns: only text and paths of JSON fields do",
    ),
    (
        r#"{"wildcard": {"kept": "a*"}}"#,
        r#"query.wildcard.kept: "kept" is neither indexed nor fast"#,
    ),
    (
        r#"{"wildcard": {"repo": "a*"}}"#,
        r#"query.wildcard.repo: "repo" is a JSON field: name a path in it, like "repo.key""#,
    ),
    (
        r#"{"wildcard": {"word": "*a??????????????????"}}"#,
        "query.wildcard.word: the pattern is too large: Compiled regex exceeds size limit of 1000 states",
    ),
    (
        r#"{"regexp": {"word": {"value": "a", "max_determinized_states": 10}}}"#,
        r#"query.regexp.word: "max_determinized_states" is not supported: an expression may need at most 1000 states"#,
    ),
    (
        r#"{"regexp": {"word": {"value": "a", "rewrite": "x"}}}"#,
        r#"query.regexp.word: "rewrite" is not supported: every match scores the boost"#,
    ),
    (
        r#"{"regexp": {"word": {"value": "a", "flags": "SOME"}}}"#,
        r#"query.regexp.word.flags: unknown flag "SOME" (known: ALL, ANYSTRING, COMPLEMENT, EMPTY, INTERSECTION, INTERVAL, NONE)"#,
    ),
    (
        r#"{"regexp": {"word": {"value": "a", "flags_value": 0}}}"#,
        r#"query.regexp.word: unknown parameter "flags_value" (known: _name, boost, case_insensitive, flags, value)"#,
    ),
    (
        r#"{"regexp": {"word": "a~b"}}"#,
        r#"query.regexp.word: the operator "~" at character 2 is not supported: write "\~" for the character, or leave COMPLEMENT out of "flags""#,
    ),
    (
        r#"{"regexp": {"word": "<1-9>"}}"#,
        r#"query.regexp.word: the operator "<" at character 1 is not supported: write "\<" for the character, or leave INTERVAL out of "flags""#,
    ),
    (
        r#"{"regexp": {"word": {"value": "a&b", "flags": "INTERSECTION"}}}"#,
        r#"query.regexp.word: the operator "&" at character 2 is not supported: write "\&" for the character, or leave INTERSECTION out of "flags""#,
    ),
    (
        r#"{"regexp": {"word": "(a"}}"#,
        r#"query.regexp.word: expected ")" at the end of the expression"#,
    ),
    (
        r#"{"regexp": {"word": "a)"}}"#,
        r#"query.regexp.word: expected the end at character 2, got ")""#,
    ),
    (
        r#"{"regexp": {"word": "a["}}"#,
        "query.regexp.word: the expression ends too early",
    ),
    (
        r#"{"regexp": {"word": "[ab"}}"#,
        r#"query.regexp.word: expected "]" at the end of the expression"#,
    ),
    (
        r#"{"regexp": {"word": "[b-a]"}}"#,
        "query.regexp.word: the range 'b'-'a' is empty",
    ),
    (
        r#"{"regexp": {"word": "a{b}"}}"#,
        r#"query.regexp.word: expected a number at character 3, got "b""#,
    ),
    (
        r#"{"regexp": {"word": "a{1;2}"}}"#,
        r#"query.regexp.word: expected "}" at character 4, got ";""#,
    ),
    (
        r#"{"regexp": {"word": "a{3,2}"}}"#,
        "query.regexp.word: cannot repeat at least 3 and at most 2 times",
    ),
    (
        r#"{"regexp": {"word": "a{99999999999}"}}"#,
        "query.regexp.word: cannot repeat 99999999999 times",
    ),
    (
        r#"{"regexp": {"word": "a{9999}"}}"#,
        "query.regexp.word: the pattern is too large: with repetitions written out it has 19998 steps, more than the 5000 allowed",
    ),
    (
        r#"{"regexp": {"word": "\"a"}}"#,
        r#"query.regexp.word: expected "\"" at the end of the expression"#,
    ),
    (
        r#"{"regexp": {"word": "\\a"}}"#,
        r#"query.regexp.word: unknown class "\a" (known: \d, \D, \s, \S, \w, \W)"#,
    ),
    (
        r#"{"regexp": {"ip": "1.*"}}"#,
        "query.regexp.ip: an IP address field has no patterns: only text and paths of JSON fields do",
    ),
    (
        r#"{"ids": {}}"#,
        r#"query.ids: the parameter "values" is missing"#,
    ),
    (
        r#"{"ids": {"values": [1]}}"#,
        "query.ids.values[0]: expected a string, got a number",
    ),
    (
        r#"{"ids": {"values": {}}}"#,
        "query.ids.values: expected an array, got an object",
    ),
    (
        r#"{"ids": {"values": [], "type": "x"}}"#,
        r#"query.ids: unknown parameter "type" (known: _name, boost, values)"#,
    ),
    (
        r#"{"prefix": {"price": "1"}}"#,
        "query.prefix.price: a u64 field has no prefixes",
    ),
    (
        r#"{"prefix": {"word": 1}}"#,
        "query.prefix.word: expected a string, got a number",
    ),
];
