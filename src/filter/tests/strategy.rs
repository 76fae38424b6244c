//! Random clauses over the fields of the model.

use proptest::prelude::*;
use proptest::sample::select;

use crate::filter::tests::model::{
    ADDRESSES, BYTES, DATES, FIELDS, FLOATS, INTEGERS, Kind, NETWORKS, REGEXPS, UNSIGNED, WORDS,
};
use crate::filter::tests::text_strategy::text_clauses;
use crate::filter::{Clause, FieldValue, Fuzziness, MinimumShouldMatch, MinimumStep, RangeClause};

fn fields(test: impl Fn(&Kind, bool) -> bool) -> impl Strategy<Value = (&'static str, Kind)> {
    let fields: Vec<_> = FIELDS
        .iter()
        .filter(|(_, kind, fast)| test(kind, *fast))
        .map(|(name, kind, _)| (*name, *kind))
        .collect();
    select(fields)
}

fn texts(values: &'static [&'static str]) -> BoxedStrategy<FieldValue> {
    select(values).prop_map(FieldValue::from).boxed()
}

fn integers() -> BoxedStrategy<FieldValue> {
    prop_oneof![
        select(INTEGERS).prop_map(FieldValue::from),
        select(INTEGERS).prop_map(|number| FieldValue::from(number.to_string())),
        (-12_i64..12).prop_map(FieldValue::from),
    ]
    .boxed()
}

/// Values that a field takes in `term`.
fn exact(kind: Kind) -> BoxedStrategy<FieldValue> {
    match kind {
        Kind::Address => {
            let networks: Vec<_> = NETWORKS.iter().map(|(network, ..)| *network).collect();
            prop_oneof![
                texts(ADDRESSES),
                select(networks).prop_map(FieldValue::from),
            ]
            .boxed()
        }
        Kind::Bool => prop_oneof![
            any::<bool>().prop_map(FieldValue::from),
            any::<bool>().prop_map(|value| FieldValue::from(value.to_string())),
        ]
        .boxed(),
        Kind::Bytes => texts(BYTES),
        Kind::Date => prop_oneof![
            texts(DATES),
            texts(&[
                "2024",
                "2024-01",
                "2024-01-01",
                "2024-01-01T12",
                "1500-01-01"
            ]),
            texts(&[
                "now",
                "now-30d",
                "now-30d/d",
                "now/M",
                "now-31d/y",
                "now+1d/w",
                "2024-01-31||-1M/M",
                "2023||/y",
                "1704067200000||+12h/d",
            ]),
            Just(FieldValue::Integer(1_704_067_200_000)),
        ]
        .boxed(),
        Kind::Integer => integers(),
        Kind::Json => prop_oneof![
            texts(WORDS),
            texts(DATES),
            integers(),
            select(FLOATS).prop_map(FieldValue::from),
            select(UNSIGNED).prop_map(FieldValue::from),
            any::<bool>().prop_map(FieldValue::from),
        ]
        .boxed(),
        Kind::Number => select(FLOATS).prop_map(FieldValue::from).boxed(),
        Kind::Text | Kind::Word => texts(WORDS),
        Kind::Unsigned => prop_oneof![
            select(UNSIGNED).prop_map(FieldValue::from),
            (0_u64..12).prop_map(FieldValue::from),
        ]
        .boxed(),
    }
}

/// Values that a field takes as a bound.
fn bound(kind: Kind) -> BoxedStrategy<FieldValue> {
    match kind {
        Kind::Integer | Kind::Number | Kind::Unsigned => prop_oneof![
            exact(Kind::Integer),
            exact(Kind::Unsigned),
            exact(Kind::Number),
            select(vec![-1e300, 1e300, 9.3e18, -0.5]).prop_map(FieldValue::from),
        ]
        .boxed(),
        kind => exact(kind),
    }
}

fn ranges() -> BoxedStrategy<Clause> {
    // Whether a JSON bound such as "2024-01" is a date, and what else, is for the table to say.
    fields(|_, _| true)
        .prop_flat_map(|(field, kind)| {
            let option = || proptest::option::weighted(0.4, bound(kind));
            let zones = select(vec![
                None,
                Some("Z"),
                Some("+02:00"),
                Some("America/New_York"),
            ]);
            (option(), option(), option(), option(), zones).prop_map(
                move |(gt, gte, lt, lte, zone)| {
                    let clause = Clause::range(field);
                    let dated = kind == Kind::Date;
                    Clause::from(RangeClause {
                        gt,
                        gte,
                        lt,
                        lte,
                        time_zone: zone.filter(|_| dated).map(str::to_owned),
                        ..clause
                    })
                },
            )
        })
        .boxed()
}

const WILDCARDS: &[&str] = &[
    "*",
    "",
    "a*",
    "A*H",
    "*h",
    "?sh*",
    "a?h",
    "oak",
    "OAK",
    "*1?",
    "??",
    "*e*",
    r"\*",
    r"as\h*",
    "a**n",
    "*?*?*?*?*?",
];

const FUZZY: &[&str] = &[
    "oak", "oka", "elms", "asch", "ashne", "aldre", "", "1", "rwoan",
];

/// How much words may differ.
fn fuzziness() -> impl Strategy<Value = Fuzziness> {
    select(vec![
        Fuzziness::AUTO,
        Fuzziness::Auto { low: 1, high: 4 },
        Fuzziness::Edits(0),
        Fuzziness::Edits(1),
        Fuzziness::Edits(2),
    ])
}

const IDS: &[&str] = &[
    "0:0",
    "0:1",
    "1:79",
    "1:80",
    "2:7",
    "3:0",
    "01:0",
    "+1:0",
    "1:-1",
    "1:",
    "x",
    "",
    "0:0:0",
    "99999999999:0",
];

fn leaf() -> impl Strategy<Value = Clause> {
    let has_case = |kind: &Kind, _| matches!(kind, Kind::Text | Kind::Word | Kind::Json);
    let has_prefix = |kind: &Kind, _| matches!(kind, Kind::Text | Kind::Word | Kind::Json);
    let prefixes = select(vec!["", "a", "as", "ash", "1", "z", "*"]);
    prop_oneof![
        1 => Just(Clause::match_all().into()),
        1 => Just(Clause::match_none().into()),
        6 => fields(|_, _| true).prop_flat_map(|(field, kind)| {
            exact(kind).prop_map(move |value| Clause::from(Clause::term(field, value)))
        }),
        4 => fields(|_, _| true).prop_flat_map(|(field, kind)| {
            proptest::collection::vec(exact(kind), 0..5)
                .prop_map(move |values| Clause::from(Clause::terms(field, values)))
        }),
        6 => ranges(),
        2 => fields(|_, fast| fast)
            .prop_map(|(field, _)| Clause::from(Clause::exists(field))),
        2 => (fields(has_prefix), prefixes)
            .prop_map(|((field, _), prefix)| Clause::from(Clause::prefix(field, prefix))),
        1 => (fields(has_prefix), select(vec!["", "A", "aSh", "10", "*"])).prop_map(
            |((field, _), prefix)| Clause::prefix(field, prefix).case_insensitive(true).into()
        ),
        2 => (fields(has_case), select(vec!["ASH", "Oak", "elm", "10", "TRUE", "?"])).prop_map(
            |((field, _), value)| Clause::term(field, value).case_insensitive(true).into()
        ),
        3 => (fields(has_prefix), select(WILDCARDS), any::<bool>()).prop_map(
            |((field, _), value, insensitive)| {
                Clause::wildcard(field, value).case_insensitive(insensitive).into()
            }
        ),
        3 => (fields(has_prefix), select(REGEXPS), any::<bool>()).prop_map(
            |((field, _), (value, _), insensitive)| {
                Clause::regexp(field, value).case_insensitive(insensitive).into()
            }
        ),
        3 => (fields(has_prefix), select(FUZZY), fuzziness(), 0..4_u32, any::<bool>()).prop_map(
            |((field, _), value, fuzziness, prefix_length, transpositions)| {
                let clause = Clause::fuzzy(field, value).fuzziness(fuzziness);
                clause.prefix_length(prefix_length).transpositions(transpositions).into()
            }
        ),
        1 => proptest::collection::vec(select(IDS), 0..4)
            .prop_map(|values| Clause::ids(values).into()),
        6 => text_clauses(),
    ]
}

pub(super) fn minimum() -> impl Strategy<Value = Option<MinimumShouldMatch>> {
    proptest::option::weighted(
        0.4,
        prop_oneof![
            (-3..4).prop_map(MinimumShouldMatch::Count),
            (-100..=100).prop_map(MinimumShouldMatch::Percent),
            ((0_u32..3, -3..4), (0_u32..4, -100..=100)).prop_map(
                |((first, count), (more, percent))| {
                    let above = first + more;
                    MinimumShouldMatch::Combined(vec![
                        MinimumStep::Count {
                            above: first,
                            count,
                        },
                        MinimumStep::Percent { above, percent },
                    ])
                }
            ),
        ],
    )
}

/// Clauses that the model knows, nested up to three deep.
pub(super) fn clauses() -> impl Strategy<Value = Clause> {
    leaf().prop_recursive(3, 24, 4, |inner| {
        let list = || proptest::collection::vec(inner.clone(), 0..3);
        let boost = select(vec![1.0_f32, 0.1, 2.5]);
        let bool = (list(), list(), list(), list(), minimum(), boost.clone()).prop_map(
            |(must, filter, should, must_not, minimum_should_match, boost)| {
                let clause = Clause::bool().boost(boost);
                Clause::from(crate::filter::BoolClause {
                    must,
                    filter,
                    should,
                    must_not,
                    minimum_should_match,
                    ..clause
                })
            },
        );
        let constant = (inner.clone(), boost.clone())
            .prop_map(|(filter, boost)| Clause::constant_score(filter).boost(boost).into());
        let tie_breaker = select(vec![0.0_f32, 0.3, 1.0]);
        let best = (list(), tie_breaker, boost).prop_map(|(queries, tie_breaker, boost)| {
            let clause = Clause::dis_max().tie_breaker(tie_breaker).boost(boost);
            Clause::from(crate::filter::DisMaxClause { queries, ..clause })
        });
        prop_oneof![4 => bool, 1 => constant, 1 => best]
    })
}
