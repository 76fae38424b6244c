//! Random requests, as JSON: what fails can be copied into a test of its own.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::aggregations;
use crate::values::{Kind, TARGETS, Target, WORDS};

type Json = BoxedStrategy<Value>;

fn target(fits: impl Fn(&Target) -> bool) -> impl Strategy<Value = &'static Target> {
    let fitting: Vec<&'static Target> = TARGETS.iter().filter(|target| fits(target)).collect();
    select(fitting)
}

/// A value of the target's pool; one in ten is of no document.
fn value(target: &Target) -> Json {
    let kind = target.kind;
    let pooled = (0..kind.pool()).prop_map(move |at| kind.value(at).json());
    let absent = match kind {
        Kind::Raw | Kind::Text | Kind::Mixed => json!("absent"),
        Kind::F64 | Kind::I64 | Kind::U64 => json!(77),
        _ => return pooled.boxed(),
    };
    prop_oneof![9 => pooled, 1 => Just(absent)].boxed()
}

fn boost() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![4 => Just(None), 1 => select(vec![Some(0.0), Some(0.5), Some(2.0), Some(3.25)])]
}

/// Adds a boost to the parameters of a clause.
fn boosted(parameters: Json) -> Json {
    (parameters, boost())
        .prop_map(|(mut parameters, boost)| {
            if let (Some(boost), Some(map)) = (boost, parameters.as_object_mut()) {
                map.insert("boost".into(), json!(boost));
            }
            parameters
        })
        .boxed()
}

fn minimum() -> impl Strategy<Value = Option<Value>> {
    let asked = select(vec![
        json!(0),
        json!(1),
        json!(2),
        json!(3),
        json!(-1),
        json!("50%"),
        json!("-34%"),
        json!("100%"),
    ]);
    prop_oneof![2 => Just(None), 1 => asked.prop_map(Some)]
}

fn term() -> Json {
    target(|_| true)
        .prop_flat_map(|target| {
            let name = target.name;
            let parameters = value(target).prop_map(|value| json!({ "value": value }));
            prop_oneof![
                value(target).prop_map(move |value| json!({"term": {name: value}})),
                boosted(parameters.boxed()).prop_map(move |body| json!({"term": {name: body}})),
            ]
        })
        .boxed()
}

fn terms() -> Json {
    target(|_| true)
        .prop_flat_map(|target| {
            let values = prop::collection::vec(value(target), 0..6);
            let body = values.prop_map(move |values| json!({target.name: values}));
            boosted(body.boxed()).prop_map(|body| json!({ "terms": body }))
        })
        .boxed()
}

fn range() -> Json {
    target(|target| target.kind != Kind::Facet)
        .prop_flat_map(|target| {
            let bound = || prop::option::weighted(0.4, value(target));
            let bounds = (bound(), bound(), bound(), bound()).prop_map(|(gt, gte, lt, lte)| {
                let given = [("gt", gt), ("gte", gte), ("lt", lt), ("lte", lte)];
                let given = given
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.to_owned(), value?)));
                Value::Object(given.collect())
            });
            // A path of several types has no order between its bounds.
            let bounds = match target.kind {
                Kind::Mixed => (value(target), select(vec!["gt", "gte", "lt", "lte"]))
                    .prop_map(|(value, bound)| json!({ bound: value }))
                    .boxed(),
                _ => bounds.boxed(),
            };
            boosted(bounds).prop_map(move |body| json!({"range": {target.name: body}}))
        })
        .boxed()
}

fn exists() -> Json {
    let fast = TARGETS.iter().filter(|target| target.fast);
    let mut fields: Vec<&str> = fast.map(|target| target.name).collect();
    fields.extend(["js", "js.deep"]);
    let body = select(fields).prop_map(|field| json!({ "field": field }));
    boosted(body.boxed())
        .prop_map(|body| json!({ "exists": body }))
        .boxed()
}

fn some_words(count: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(select(WORDS), count).prop_map(|words| words.join(" "))
}

/// What `match` and phrases search for.
fn text_of(target: &'static Target, words: std::ops::Range<usize>) -> Json {
    match (target.kind, target.name) {
        // Without positions a phrase of it is an error.
        (Kind::Text, "body") if words.end == 4 => some_words(1..2).prop_map(Value::from).boxed(),
        (Kind::Text, _) => some_words(words).prop_map(Value::from).boxed(),
        _ => value(target),
    }
}

fn match_text() -> Json {
    let fields = target(|_| true);
    let clause = fields.prop_flat_map(|target| {
        let parameters =
            (text_of(target, 0..5), any::<bool>(), minimum()).prop_map(|(query, and, minimum)| {
                let mut body = Map::from_iter([("query".to_owned(), query)]);
                if and {
                    body.insert("operator".into(), json!("and"));
                }
                body.extend(minimum.map(|value| ("minimum_should_match".to_owned(), value)));
                Value::Object(body)
            });
        boosted(parameters.boxed()).prop_map(move |body| json!({"match": {target.name: body}}))
    });
    clause.boxed()
}

fn match_phrase() -> Json {
    let clause = target(|_| true).prop_flat_map(|target| {
        let slop = prop_oneof![3 => Just(None), 1 => (1..4_u32).prop_map(Some)];
        let parameters = (text_of(target, 1..4), slop).prop_map(|(query, slop)| match slop {
            None => json!({ "query": query }),
            Some(slop) => json!({"query": query, "slop": slop}),
        });
        boosted(parameters.boxed())
            .prop_map(move |body| json!({"match_phrase": {target.name: body}}))
    });
    clause.boxed()
}

fn prefix() -> Json {
    let texts = |target: &Target| {
        matches!(
            target.kind,
            Kind::Facet | Kind::Mixed | Kind::Raw | Kind::Text
        )
    };
    target(texts)
        .prop_flat_map(|target| {
            let prefixes = match target.kind {
                Kind::Facet => vec!["/", "/a", "/a/b", "/none"],
                Kind::Text => vec!["", "se", "qui", "sea", "absent"],
                _ => vec!["", "k", "k1", "longone", "absent"],
            };
            let body = select(prefixes).prop_map(|value| json!({ "value": value }));
            boosted(body.boxed()).prop_map(move |body| json!({"prefix": {target.name: body}}))
        })
        .boxed()
}

/// Texts whose words may differ, or end in a prefix, in one field or several.
fn loose_text() -> Json {
    const ENDS: &[&str] = &["", " qu", " se", " f", " absent", " seak"];
    let text = || {
        (some_words(0..4), select(ENDS)).prop_map(|(words, end)| (words + end).trim().to_owned())
    };
    let fuzzy = || {
        select(vec![
            json!({}),
            json!({"fuzziness": 1}),
            json!({"fuzziness": "AUTO", "prefix_length": 1}),
            json!({"fuzziness": 2, "fuzzy_transpositions": false}),
            json!({"operator": "and"}),
            json!({"minimum_should_match": "1<-1"}),
        ])
    };
    let with = |text: String, more: &Value| {
        let mut body = json!({ "query": text });
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        body
    };
    let words = || {
        select(vec![
            "title", "body", "tag", "key", "label", "js.s", "doc.s",
        ])
    };
    let expansions = select(vec![json!({}), json!({"max_expansions": 2})]);
    let fields = select(vec![
        json!(["title^3", "body"]),
        json!(["t*", "js.s"]),
        json!(["*", "title"]),
        json!(["label", "key^0.5"]),
        json!([]),
    ]);
    let kinds = select(vec![
        json!({}),
        json!({"type": "most_fields", "operator": "and"}),
        json!({"type": "best_fields", "tie_breaker": 0.3, "fuzziness": 1}),
        json!({"type": "bool_prefix"}),
        json!({"fields": ["title", "tag"], "type": "phrase", "slop": 2}),
        json!({"fields": ["title", "tag"], "type": "phrase_prefix"}),
        json!({"zero_terms_query": "all", "lenient": true}),
    ]);
    let simple = select(vec![
        "sea + -night",
        "\"quick fox\" | zeb*",
        "qiuck~1 -(lazy | dog)",
        "-the",
        "se* + la* fox~2",
        "\"the sea\"~4 +seal",
    ]);
    let string = select(vec![
        "sea* -night",
        "title:qu?ck OR tag:k*1",
        "fxo~1 +title:/se.*/",
        "\"quick f\"*",
        "*ea",
    ]);
    let strings = || {
        prop::option::of(select(vec![
            json!(["title"]),
            json!(["title", "tag", "nu"]),
        ]))
    };
    let string_body = |text: &str, fields: Option<Value>| {
        let mut body = json!({"query": text, "lenient": true});
        if let Some(fields) = fields {
            body["fields"] = fields;
        }
        body
    };
    let clause = prop_oneof![
        (words(), text(), fuzzy())
            .prop_map(move |(field, text, more)| { json!({"match": {field: with(text, &more)}}) }),
        (words(), text(), fuzzy()).prop_map(move |(field, text, more)| {
            json!({"match_bool_prefix": {field: with(text, &more)}})
        }),
        (text(), expansions).prop_map(move |(text, more)| {
            json!({"match_phrase_prefix": {"title": with(text, &more)}})
        }),
        (text(), fields, kinds).prop_map(move |(text, fields, kind)| {
            let mut body = json!({ "fields": fields });
            for (key, value) in kind.as_object().into_iter().flatten() {
                body[key] = value.clone();
            }
            json!({"multi_match": with(text, &body)})
        }),
        (simple, strings()).prop_map(move |(text, fields)| {
            json!({"simple_query_string": string_body(text, fields)})
        }),
        (string, strings())
            .prop_map(move |(text, fields)| { json!({"query_string": string_body(text, fields)}) }),
    ];
    clause.boxed()
}

/// Targets whose strings patterns are held against.
fn strings() -> impl Strategy<Value = &'static Target> {
    target(|target| matches!(target.kind, Kind::Mixed | Kind::Raw | Kind::Text))
}

/// Terms by a pattern, or in either case.
fn pattern() -> Json {
    let any = |name: &'static str, values: &'static [&'static str], with: Json| {
        (strings(), select(values), with)
            .prop_flat_map(move |(target, value, with)| {
                let mut body = json!({ "value": value });
                if let (Some(body), Some(with)) = (body.as_object_mut(), with.as_object()) {
                    body.extend(with.clone());
                }
                boosted(Just(body).boxed()).prop_map(move |body| json!({name: {target.name: body}}))
            })
            .boxed()
    };
    let cases = || {
        let either = select(vec![json!({}), json!({"case_insensitive": true})]);
        either.boxed()
    };
    let fuzziness = select(vec![
        json!({}),
        json!({"fuzziness": 1}),
        json!({"fuzziness": 2, "prefix_length": 1}),
        json!({"fuzziness": "AUTO:1,4", "transpositions": false}),
        json!({"fuzziness": 0}),
    ]);
    let wildcards = &[
        "*", "k*", "K1*", "*1", "?1*", "k?", "k1", "", "se*", "*ea*", "S?A", "z*a", "*l*n*",
        "absent*",
    ];
    let regexps = &[
        "k.*",
        "[k-l]1?.*",
        "k(1|2)",
        "(sea|dog)l?",
        ".*o.*",
        "S[^x]a",
        "k1",
        "",
        "absent.*",
        "\\w+",
    ];
    let words = &["k1", "k01", "quik", "zbera", "aes", "longoen", "the", "K10"];
    prop_oneof![
        3 => any("wildcard", wildcards, cases()),
        3 => any("regexp", regexps, cases()),
        3 => any("fuzzy", words, fuzziness.boxed()),
        1 => any("prefix", &["K", "SE", "1"], Just(json!({"case_insensitive": true})).boxed()),
        1 => any("term", &["K1", "Sea", "12"], Just(json!({"case_insensitive": true})).boxed()),
    ]
    .boxed()
}

/// Networks of addresses.
fn network() -> Json {
    let networks = select(vec![
        "10.0.0.0/30",
        "10.0.0.0/8",
        "2001:db8::/127",
        "::/0",
        "11.0.0.0/8",
    ]);
    networks
        .prop_flat_map(|network| {
            select(vec![
                json!({"term": {"ip": network}}),
                json!({"terms": {"ip": [network, "10.0.0.7"]}}),
                json!({"range": {"ip": {"gt": network}}}),
                json!({"range": {"ip": {"lte": network}}}),
            ])
        })
        .boxed()
}

/// Texts that `model` can read: see there.
fn query_string() -> Json {
    let word = select(WORDS).prop_map(str::to_owned);
    let named = target(|target| {
        let kind = matches!(target.kind, Kind::Raw | Kind::Text | Kind::U64);
        kind && !target.name.contains('\\')
    })
    .prop_flat_map(|target| {
        value(target).prop_map(|value| match value {
            Value::String(text) => format!("{}:{text}", target.name),
            value => format!("{}:{value}", target.name),
        })
    });
    let phrase = some_words(2..4).prop_map(|words| format!("title:\"{words}\""));
    let range = (select(vec!["nu", "ix", "count", "ni"]), 0..9, 0..9)
        .prop_map(|(field, a, b)| format!("{field}:[{a} TO {b}]"));
    let leaf = prop_oneof![3 => word, 3 => named, 1 => phrase, 1 => range];
    let part =
        (select(vec!["", "", "", "+", "-"]), leaf).prop_map(|(sign, leaf)| sign.to_owned() + &leaf);
    let text = prop::collection::vec(part, 1..5).prop_map(|parts| parts.join(" "));
    let fields = prop_oneof![
        Just(vec!["title"]),
        Just(vec!["title", "body^2.5"]),
        Just(vec!["body", "key", "js.s"]),
    ];
    let clause = (text, prop::option::of(fields), any::<bool>()).prop_map(|(text, fields, and)| {
        let mut body = Map::from_iter([("query".to_owned(), json!(text))]);
        body.extend(fields.map(|fields| ("fields".to_owned(), json!(fields))));
        if and {
            body.insert("default_operator".into(), json!("and"));
        }
        Value::Object(body)
    });
    boosted(clause.boxed())
        .prop_map(|body| json!({ "query_string": body }))
        .boxed()
}

fn leaf() -> Json {
    let constant = |name: &'static str| {
        boosted(Just(json!({})).boxed()).prop_map(move |body| json!({name: body}))
    };
    prop_oneof![
        1 => constant("match_all"),
        1 => constant("match_none"),
        4 => term(),
        3 => terms(),
        4 => range(),
        2 => exists(),
        4 => match_text(),
        3 => match_phrase(),
        4 => loose_text(),
        3 => prefix(),
        4 => pattern(),
        1 => network(),
        2 => query_string(),
    ]
    .boxed()
}

/// Clauses, five levels deep.
pub fn clause() -> Json {
    leaf()
        .prop_recursive(4, 24, 4, |inner| {
            let some = || prop::collection::vec(inner.clone(), 0..3);
            let parts = (
                some(),
                some(),
                some(),
                prop::collection::vec(inner.clone(), 0..2),
            );
            let body =
                (parts, minimum()).prop_map(|((must, should, filter, must_not), minimum)| {
                    let mut body = Map::new();
                    for (name, clauses) in [
                        ("must", must),
                        ("should", should),
                        ("filter", filter),
                        ("must_not", must_not),
                    ] {
                        if !clauses.is_empty() {
                            body.insert(name.into(), Value::Array(clauses));
                        }
                    }
                    body.extend(minimum.map(|value| ("minimum_should_match".to_owned(), value)));
                    Value::Object(body)
                });
            let bool = boosted(body.boxed()).prop_map(|body| json!({ "bool": body }));
            let constant = inner.clone().prop_map(|filter| json!({ "filter": filter }));
            let constant =
                boosted(constant.boxed()).prop_map(|body| json!({ "constant_score": body }));
            let best = (prop::collection::vec(inner, 0..4), select(vec![0.0, 0.3, 1.0])).prop_map(
                |(queries, tie_breaker)| json!({"queries": queries, "tie_breaker": tie_breaker}),
            );
            let best = boosted(best.boxed()).prop_map(|body| json!({ "dis_max": body }));
            prop_oneof![4 => bool, 1 => constant, 1 => best]
        })
        .boxed()
}

/// One key of a sort.
pub fn sort() -> impl Strategy<Value = Value> {
    let sortable =
        |target: &&Target| target.fast && !matches!(target.kind, Kind::Facet | Kind::Mixed);
    let mut keys: Vec<&str> = TARGETS
        .iter()
        .filter(sortable)
        .map(|target| target.name)
        .collect();
    keys.extend(["id", "_score", "_doc"]);
    (
        select(keys),
        select(vec!["asc", "desc"]),
        prop::option::of(select(vec!["_first", "_last"])),
    )
        .prop_map(|(key, order, missing)| match missing {
            Some(missing) => json!({key: {"order": order, "missing": missing}}),
            None => json!({ key: order }),
        })
}

/// Whole `_search` bodies.
pub fn request() -> Json {
    let sorts = prop_oneof![
        1 => Just(Vec::new()),
        1 => prop::collection::vec(sort(), 1..=3),
    ];
    let track = prop_oneof![
        2 => Just(None),
        1 => select(vec![json!(true), json!(false), json!(3), json!(1000)]).prop_map(Some),
    ];
    let size = prop_oneof![1 => Just(0_usize), 6 => 1..20_usize, 1 => Just(1000)];
    let from = prop_oneof![3 => Just(0_usize), 1 => 1..12_usize];
    let source = prop_oneof![
        3 => Just(None),
        1 => select(vec![json!(false), json!(["id"]), json!(true)]).prop_map(Some),
    ];
    // Room for all buckets: which of equal ones are cut off is left to a hash map.
    let aggregations = prop_oneof![3 => Just(None), 1 => aggregations::roomy_tree().prop_map(Some)];
    (clause(), size, from, sorts, track, source, aggregations)
        .prop_map(|(query, size, from, sorts, track, source, aggregations)| {
            let mut body = json!({"query": query, "size": size, "from": from});
            let map = body.as_object_mut().expect("an object");
            map.extend(aggregations.map(|tree| ("aggs".to_owned(), tree)));
            if !sorts.is_empty() {
                map.insert("sort".into(), Value::Array(sorts));
            }
            map.extend(track.map(|track| ("track_total_hits".to_owned(), track)));
            map.extend(source.map(|source| ("_source".to_owned(), source)));
            body
        })
        .boxed()
}
