//! Wrong clauses, each with the exact message.

pub(super) const QUERIES: &[(&str, &str)] = &[
    ("null", "query: expected an object, got null"),
    ("{}", "query: expected a clause, got an empty object"),
    (
        r#"{"term": {"word": "a"}, "match_all": {}}"#,
        "query: expected one clause, got 2: \"term\", \"match_all\"",
    ),
    (
        r#"{"fuzz": {"word": "a"}}"#,
        "query.fuzz: unknown clause (known: bool, constant_score, dis_max, exists, fuzzy, ids, match, match_all, \
         match_bool_prefix, match_none, match_phrase, match_phrase_prefix, \
         multi_match, prefix, query_string, range, regexp, \
         simple_query_string, term, terms, wildcard)",
    ),
    (
        r#"{"bool": {"must": [{"match_all": {}}, {"range": {"price": {"gtt": 1}}}]}}"#,
        "query.bool.must[1].range.price: unknown parameter \"gtt\" (known: _name, boost, \
         format, gt, gte, lt, lte, relation, time_zone)",
    ),
    (
        r#"{"bool": {"must_not": {"term": 5}}}"#,
        "query.bool.must_not.term: expected an object, got a number",
    ),
    (
        r#"{"bool": {"musts": []}}"#,
        "query.bool: unknown parameter \"musts\" (known: _name, boost, filter, minimum_should_match, \
         must, must_not, should)",
    ),
    (
        r#"{"bool": {"minimum_should_match": "2<75%<3"}}"#,
        "query.bool.minimum_should_match: expected a whole number, a percentage or a combination \
         like \"2<75%\", got \"2<75%<3\"",
    ),
    (
        r#"{"bool": {"boost": -1}}"#,
        "query.bool.boost: expected a number from 0 to 3.4028235e38, got -1e0",
    ),
    (
        r#"{"boosting": {"positive": {"match_all": {}}}}"#,
        "query.boosting: boosting is not supported: leave documents out with bool.must_not, or \
         raise the others with a bool.should that has a boost",
    ),
    (
        r#"{"constant_score": {}}"#,
        "query.constant_score: the parameter \"filter\" is missing",
    ),
    (
        r#"{"constant_score": {"filter": []}}"#,
        "query.constant_score.filter: expected an object, got an array",
    ),
    (
        r#"{"constant_score": {"filter": {"match_all": {}}, "tie_breaker": 1}}"#,
        "query.constant_score: unknown parameter \"tie_breaker\" (known: _name, boost, filter)",
    ),
    (
        r#"{"constant_score": {"filter": {"term": {"nothing": 1}}}}"#,
        "query.constant_score.filter.term.nothing: unknown field \"nothing\"",
    ),
    (
        r#"{"dis_max": {"tie_breaker": 0.5}}"#,
        "query.dis_max: the parameter \"queries\" is missing",
    ),
    (
        r#"{"dis_max": {"queries": [{"match_all": {}}, 1]}}"#,
        "query.dis_max.queries[1]: expected an object, got a number",
    ),
    (
        r#"{"dis_max": {"queries": [{"term": {"nothing": 1}}]}}"#,
        "query.dis_max.queries[0].term.nothing: unknown field \"nothing\"",
    ),
    (
        r#"{"dis_max": {"queries": [], "tie_breaker": 1.5}}"#,
        "query.dis_max.tie_breaker: expected a number from 0 to 1, got 1.5",
    ),
    (
        r#"{"dis_max": {"queries": [], "tie_breaker": "x"}}"#,
        "query.dis_max.tie_breaker: expected a number, got a string",
    ),
    (
        r#"{"dis_max": {"query": []}}"#,
        "query.dis_max: unknown parameter \"query\" (known: _name, boost, queries, tie_breaker)",
    ),
    (
        r#"{"match_all": {"_name": 1}}"#,
        "query.match_all._name: expected a string, got a number",
    ),
    (
        r#"{"terms": {"word": ["a"], "_name": ["x"]}}"#,
        "query.terms: expected one field, got 2: \"word\", \"_name\"",
    ),
    (
        r#"{"match_all": {"boost": "x"}}"#,
        "query.match_all.boost: expected a number, got a string",
    ),
    (
        r#"{"term": {}}"#,
        "query.term: expected a field, got an empty object",
    ),
    (
        r#"{"term": {"word": "a", "title": "b"}}"#,
        "query.term: expected one field, got 2: \"word\", \"title\"",
    ),
    (
        r#"{"term": {"word": null}}"#,
        "query.term.word: expected a single value, got null",
    ),
    (
        r#"{"term": {"word": ["a"]}}"#,
        "query.term.word: expected a single value, got an array",
    ),
    (
        r#"{"term": {"word": {"boost": 2}}}"#,
        "query.term.word: the parameter \"value\" is missing",
    ),
    (
        r#"{"term": {"word": {"value": "a", "case_insensitive": "yes"}}}"#,
        "query.term.word.case_insensitive: expected a boolean, got a string",
    ),
    (
        r#"{"term": {"price": {"value": 1, "case_insensitive": true}}}"#,
        r#"query.term.price: a u64 field has no case: leave out "case_insensitive""#,
    ),
    (
        r#"{"term": {"path": {"value": "/a", "case_insensitive": true}}}"#,
        r#"query.term.path: a facet field has no case: leave out "case_insensitive""#,
    ),
    (
        r#"{"term": {"word": {"value": "a", "analyzer": "x"}}}"#,
        r#"query.term.word: unknown parameter "analyzer" (known: _name, boost, case_insensitive, value)"#,
    ),
    (
        r#"{"term": {"at": "now+"}}"#,
        r#"query.term.at: expected a date for a date field, got "now+""#,
    ),
    (
        r#"{"terms": {"at": ["now", "soon"]}}"#,
        r#"query.terms.at[1]: expected a date for a date field, got "soon""#,
    ),
    (
        r#"{"terms": {"word": ["a", null]}}"#,
        "query.terms.word[1]: expected a single value, got null",
    ),
    (
        r#"{"term": {"ip": "10.0.0.0/33"}}"#,
        r#"query.term.ip: expected an IP address for an IP address field, got "10.0.0.0/33""#,
    ),
    (
        r#"{"range": {"ip": {"gte": "10.0.0.0/x"}}}"#,
        r#"query.range.ip.gte: expected an IP address for an IP address field, got "10.0.0.0/x""#,
    ),
    (
        r#"{"match": {"at": "now/d"}}"#,
        r#"query.match.at: expected a date for a date field, got "now/d""#,
    ),
    (
        r#"{"range": {"at": {"gte": "2024||/2d"}}}"#,
        r#"query.range.at.gte: expected a date for a date field, got "2024||/2d""#,
    ),
    (
        r#"{"range": {"at": {"gte": "2024", "time_zone": "Mars/Olympus"}}}"#,
        r#"query.range.at.time_zone: unknown time zone "Mars/Olympus": write an offset from UTC like "+02:00", or a name like "Europe/Paris""#,
    ),
    (
        r#"{"range": {"at": {"gte": "2024", "time_zone": 2}}}"#,
        "query.range.at.time_zone: expected a string, got a number",
    ),
    (
        r#"{"range": {"price": {"gte": 1, "time_zone": "Z"}}}"#,
        "query.range.price.time_zone: a u64 field has no time zone",
    ),
    (
        r#"{"range": {"price": {"gte": 1, "relation": "WITHIN"}}}"#,
        r#"query.range.price.relation: "WITHIN" is for fields of ranges, which there are none of: leave it out"#,
    ),
    (
        r#"{"range": {"price": {"from": 1}}}"#,
        r#"query.range.price: "from" is not supported: write "gte", or "gt" to leave it out"#,
    ),
    (
        r#"{"range": {"price": {"to": 1}}}"#,
        r#"query.range.price: "to" is not supported: write "lte", or "lt" to leave it out"#,
    ),
    (
        r#"{"range": {"price": {"gte": 1, "include_lower": true}}}"#,
        r#"query.range.price: "include_lower" is not supported: write "gte" or "gt""#,
    ),
    (
        r#"{"range": {"price": {"lte": 1, "include_upper": true}}}"#,
        r#"query.range.price: "include_upper" is not supported: write "lte" or "lt""#,
    ),
    (
        r#"{"range": {"repo.at": {"gte": "yesterday", "format": "yyyy-MM-dd"}}}"#,
        r#"query.range.repo.at.gte: expected a date for a JSON field, got "yesterday""#,
    ),
    (
        r#"{"query_string": {"query": "at:[now-1x TO now]"}}"#,
        r#"query.query_string.query.range.at.gte: expected a date for a date field, got "now-1x""#,
    ),
    (
        r#"{"terms": {"boost": 2}}"#,
        "query.terms: expected a field, got none",
    ),
    (
        r#"{"terms": {"word": "a"}}"#,
        "query.terms.word: expected an array, got a string",
    ),
    (
        r#"{"terms": {"price": [1, "x"]}}"#,
        "query.terms.price[1]: expected a whole number from 0 to 2^64 - 1 for a u64 field, got \"x\"",
    ),
    (
        r#"{"exists": {"field": 1}}"#,
        "query.exists.field: expected a string, got a number",
    ),
    (
        r#"{"exists": {"field": "word"}}"#,
        "query.exists.field: \"word\" is not fast, so which documents have it is not known: make \
         it fast",
    ),
    (
        r#"{"term": {"nothing": 1}}"#,
        "query.term.nothing: unknown field \"nothing\"",
    ),
    (
        r#"{"term": {"word.a": 1}}"#,
        "query.term.word.a: unknown field \"word.a\": \"word\" is a text field, which has no paths",
    ),
    (
        r#"{"term": {"repo": 1}}"#,
        "query.term.repo: \"repo\" is a JSON field: name a path in it, like \"repo.key\"",
    ),
    (
        "{\"term\": {\"repo.a\\u0000b\": 1}}",
        "query.term.repo.a\0b: the path \"repo.a\\0b\" contains a NUL",
    ),
    (
        r#"{"term": {"kept": "a"}}"#,
        "query.term.kept: \"kept\" is neither indexed nor fast",
    ),
    (
        r#"{"term": {"kept_json.a": "a"}}"#,
        "query.term.kept_json.a: \"kept_json\" is neither indexed nor fast",
    ),
    (
        r#"{"term": {"price": -1}}"#,
        "query.term.price: expected a whole number from 0 to 2^64 - 1 for a u64 field, got -1",
    ),
    (
        r#"{"term": {"delta": 1.5}}"#,
        "query.term.delta: expected a whole number from -2^63 to 2^63 - 1 for an i64 field, got 1.5",
    ),
    (
        r#"{"term": {"ratio": "NaN"}}"#,
        "query.term.ratio: expected a number for an f64 field, got \"NaN\"",
    ),
    (
        r#"{"term": {"flag": 1}}"#,
        "query.term.flag: expected true or false for a bool field, got 1",
    ),
    (
        r#"{"term": {"at": "yesterday"}}"#,
        "query.term.at: expected a date for a date field, got \"yesterday\"",
    ),
    (
        r#"{"term": {"ip": "10.0.0.256"}}"#,
        "query.term.ip: expected an IP address for an IP address field, got \"10.0.0.256\"",
    ),
    (
        r#"{"term": {"blob": "?"}}"#,
        "query.term.blob: expected bytes in base64 for a bytes field, got \"?\"",
    ),
    (
        r#"{"term": {"path": "a/b"}}"#,
        "query.term.path: expected a facet like \"/a/b\" for a facet field, got \"a/b\"",
    ),
    (
        r#"{"range": {"price": 5}}"#,
        "query.range.price: expected an object, got a number",
    ),
    (
        r#"{"range": {"price": {"gte": "cheap"}}}"#,
        "query.range.price.gte: expected a number for a u64 field, got \"cheap\"",
    ),
    (
        r#"{"range": {"price": {"gte": 1, "format": "epoch_millis"}}}"#,
        "query.range.price.format: a u64 field has no date format",
    ),
    (
        r#"{"range": {"at": {"gte": 1, "format": "dd/MM"}}}"#,
        "query.range.at.format: unknown date format \"dd/MM\" (known: date, date_optional_time, \
         epoch_millis, epoch_second, strict_date, strict_date_optional_time, yyyy-MM-dd)",
    ),
    (
        r#"{"range": {"at": {"lt": "now-1x"}}}"#,
        "query.range.at.lt: expected a date for a date field, got \"now-1x\"",
    ),
    (
        r#"{"range": {"path": {"gt": "/a"}}}"#,
        "query.range.path: a facet field has no ranges",
    ),
    (
        r#"{"match": {"title": {"query": "a", "operator": "xor"}}}"#,
        "query.match.title.operator: expected \"and\" or \"or\", got \"xor\"",
    ),
    (
        r#"{"match": {"odd": "a"}}"#,
        "query.match.odd: the tokenizer \"nobody\" of \"odd\" is not registered: give it to the \
         warmer",
    ),
    (
        r#"{"match_phrase": {"flat": "a b"}}"#,
        "query.match_phrase.flat: \"flat\" has no positions, so its words have no order: index it \
         with positions, or use match",
    ),
    (
        r#"{"match_phrase": {"title": {"query": "a b", "slop": -1}}}"#,
        "query.match_phrase.title.slop: expected a whole number from 0, got -1",
    ),
    (
        r#"{"query_string": {}}"#,
        "query.query_string: the parameter \"query\" is missing",
    ),
    (
        r#"{"query_string": {"query": "a", "default_field": "title", "fields": ["word"]}}"#,
        "query.query_string: \"default_field\" and \"fields\" exclude each other",
    ),
    (
        r#"{"query_string": {"query": "title:"}}"#,
        "query.query_string.query: cannot parse \"title:\"",
    ),
    (
        r#"{"query_string": {"query": "nothing:a"}}"#,
        "query.query_string.query: unknown field \"nothing\"",
    ),
    (
        r#"{"query_string": {"query": "price:[a TO b]"}}"#,
        "query.query_string.query.range.price.gte: expected a number for a u64 field, got \"a\"",
    ),
    (
        r#"{"query_string": {"query": "a", "fields": ["title^x"]}}"#,
        "query.query_string.fields[0]: cannot read the boost of \"title^x\"",
    ),
    (
        r#"{"query_string": {"query": "title:[a-b TO c]"}}"#,
        "query.query_string.query: \"a-b\" is 2 words, expected one",
    ),
];
