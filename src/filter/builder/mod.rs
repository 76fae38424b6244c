//! Clauses from Rust: the same tree that the JSON makes.

mod fulltext;
mod query_strings;

use crate::filter::clause::{
    BoolClause, Clause, ConstantScoreClause, DisMaxClause, ExistsClause, Fuzziness, FuzzyClause,
    IdsClause, MatchAllClause, MatchBoolPrefixClause, MatchClause, MatchNoneClause,
    MatchPhraseClause, MatchPhrasePrefixClause, MinimumShouldMatch, MultiMatchClause, PrefixClause,
    QueryStringClause, RangeClause, RegexpClause, RegexpFlags, SimpleQueryStringClause, TermClause,
    TermsClause, WildcardClause,
};
use crate::filter::value::FieldValue;

pub(crate) use fulltext::MAX_EXPANSIONS;

impl Clause {
    /// A `bool` without clauses, to which [`must`](BoolClause::must()),
    /// [`filter`](BoolClause::filter()), [`should`](BoolClause::should()) and
    /// [`must_not`](BoolClause::must_not()) are added.
    pub fn bool() -> BoolClause {
        BoolClause {
            must: Vec::new(),
            filter: Vec::new(),
            should: Vec::new(),
            must_not: Vec::new(),
            minimum_should_match: None,
            boost: 1.0,
            name: None,
        }
    }

    /// The documents of `filter`, which is not scored.
    pub fn constant_score(filter: impl Into<Clause>) -> ConstantScoreClause {
        ConstantScoreClause {
            filter: Box::new(filter.into()),
            boost: 1.0,
            name: None,
        }
    }

    /// A `dis_max` without clauses, to which [`query`](DisMaxClause::query) adds one.
    pub fn dis_max() -> DisMaxClause {
        DisMaxClause {
            queries: Vec::new(),
            tie_breaker: 0.0,
            boost: 1.0,
            name: None,
        }
    }

    /// Documents with a value in `field`.
    pub fn exists(field: impl Into<String>) -> ExistsClause {
        ExistsClause {
            field: field.into(),
            boost: 1.0,
            name: None,
        }
    }

    /// A term of `field` that is nearly `value`.
    pub fn fuzzy(field: impl Into<String>, value: impl Into<FieldValue>) -> FuzzyClause {
        FuzzyClause {
            field: field.into(),
            value: value.into(),
            fuzziness: Fuzziness::AUTO,
            prefix_length: 0,
            transpositions: true,
            boost: 1.0,
            name: None,
        }
    }

    /// The documents whose hits have one of these `_id`s.
    pub fn ids<I: Into<String>>(values: impl IntoIterator<Item = I>) -> IdsClause {
        IdsClause {
            values: values.into_iter().map(Into::into).collect(),
            boost: 1.0,
            name: None,
        }
    }

    /// Every document.
    pub fn match_all() -> MatchAllClause {
        MatchAllClause {
            boost: 1.0,
            name: None,
        }
    }

    /// No document.
    pub fn match_none() -> MatchNoneClause {
        MatchNoneClause {
            boost: 1.0,
            name: None,
        }
    }

    /// A term of `field` that begins with `value`.
    pub fn prefix(field: impl Into<String>, value: impl Into<String>) -> PrefixClause {
        PrefixClause {
            field: field.into(),
            value: value.into(),
            case_insensitive: false,
            boost: 1.0,
            name: None,
        }
    }

    /// A range over `field` that has no bounds yet.
    pub fn range(field: impl Into<String>) -> RangeClause {
        RangeClause {
            field: field.into(),
            gt: None,
            gte: None,
            lt: None,
            lte: None,
            format: None,
            time_zone: None,
            boost: 1.0,
            name: None,
        }
    }

    /// A term of `field` that a regular expression of Lucene matches.
    pub fn regexp(field: impl Into<String>, value: impl Into<String>) -> RegexpClause {
        RegexpClause {
            field: field.into(),
            value: value.into(),
            case_insensitive: false,
            flags: RegexpFlags::ALL,
            boost: 1.0,
            name: None,
        }
    }

    /// Exactly `value` in `field`.
    pub fn term(field: impl Into<String>, value: impl Into<FieldValue>) -> TermClause {
        TermClause {
            field: field.into(),
            value: value.into(),
            case_insensitive: false,
            boost: 1.0,
            name: None,
        }
    }

    /// Any of `values` in `field`.
    pub fn terms<V: Into<FieldValue>>(
        field: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> TermsClause {
        TermsClause {
            field: field.into(),
            values: values.into_iter().map(Into::into).collect(),
            boost: 1.0,
            name: None,
        }
    }

    /// A term of `field` that a pattern of `*` and `?` matches.
    pub fn wildcard(field: impl Into<String>, value: impl Into<String>) -> WildcardClause {
        WildcardClause {
            field: field.into(),
            value: value.into(),
            case_insensitive: false,
            boost: 1.0,
            name: None,
        }
    }
}

impl BoolClause {
    /// Adds what must match and is scored.
    #[must_use]
    pub fn must(mut self, clause: impl Into<Clause>) -> Self {
        self.must.push(clause.into());
        self
    }

    /// Adds what must match and is not scored.
    #[must_use]
    pub fn filter(mut self, clause: impl Into<Clause>) -> Self {
        self.filter.push(clause.into());
        self
    }

    /// Adds what may match and is scored.
    #[must_use]
    pub fn should(mut self, clause: impl Into<Clause>) -> Self {
        self.should.push(clause.into());
        self
    }

    /// Adds what must not match.
    #[must_use]
    pub fn must_not(mut self, clause: impl Into<Clause>) -> Self {
        self.must_not.push(clause.into());
        self
    }

    /// Sets how many of `should` must match.
    #[must_use]
    pub fn minimum_should_match(mut self, minimum: impl Into<MinimumShouldMatch>) -> Self {
        self.minimum_should_match = Some(minimum.into());
        self
    }
}

impl DisMaxClause {
    /// Adds what may match.
    #[must_use]
    pub fn query(mut self, clause: impl Into<Clause>) -> Self {
        self.queries.push(clause.into());
        self
    }

    /// Sets how much the scores count that are not the greatest, from 0 to 1.
    #[must_use]
    pub fn tie_breaker(mut self, tie_breaker: f32) -> Self {
        self.tie_breaker = tie_breaker;
        self
    }
}

impl FuzzyClause {
    /// Sets how many edits a term may be away.
    #[must_use]
    pub fn fuzziness(mut self, fuzziness: Fuzziness) -> Self {
        self.fuzziness = fuzziness;
        self
    }

    /// Sets how many characters at the beginning must be the same.
    #[must_use]
    pub fn prefix_length(mut self, characters: u32) -> Self {
        self.prefix_length = characters;
        self
    }

    /// Sets whether two neighbours that changed places are one edit.
    #[must_use]
    pub fn transpositions(mut self, transpositions: bool) -> Self {
        self.transpositions = transpositions;
        self
    }
}

impl RangeClause {
    /// Sets the bound "above this".
    #[must_use]
    pub fn gt(mut self, value: impl Into<FieldValue>) -> Self {
        self.gt = Some(value.into());
        self
    }

    /// Sets the bound "this or above".
    #[must_use]
    pub fn gte(mut self, value: impl Into<FieldValue>) -> Self {
        self.gte = Some(value.into());
        self
    }

    /// Sets the bound "below this".
    #[must_use]
    pub fn lt(mut self, value: impl Into<FieldValue>) -> Self {
        self.lt = Some(value.into());
        self
    }

    /// Sets the bound "this or below".
    #[must_use]
    pub fn lte(mut self, value: impl Into<FieldValue>) -> Self {
        self.lte = Some(value.into());
        self
    }

    /// Sets the offset from UTC of dates that have none.
    #[must_use]
    pub fn time_zone(mut self, time_zone: impl Into<String>) -> Self {
        self.time_zone = Some(time_zone.into());
        self
    }

    /// Sets how dates are written.
    #[must_use]
    pub fn format(mut self, format: impl Into<String>) -> Self {
        self.format = Some(format.into());
        self
    }
}

impl RegexpClause {
    /// Sets which optional operators are none, and so mean themselves.
    #[must_use]
    pub fn flags(mut self, flags: RegexpFlags) -> Self {
        self.flags = flags;
        self
    }
}

/// Clauses on text that can disregard case.
macro_rules! case_insensitive {
    ($($clause:ident),+) => {
        $(
            impl $clause {
                /// Sets whether ASCII letters match in either case.
                #[must_use]
                pub fn case_insensitive(mut self, case_insensitive: bool) -> Self {
                    self.case_insensitive = case_insensitive;
                    self
                }
            }
        )+
    };
}

case_insensitive!(PrefixClause, RegexpClause, TermClause, WildcardClause);

/// What every clause has: a boost, a name, and its place in [`Clause`].
macro_rules! clauses {
    ($($variant:ident: $clause:ident),+ $(,)?) => {
        $(
            impl $clause {
                /// Sets the factor of the score: finite, not negative.
                #[must_use]
                pub fn boost(mut self, boost: f32) -> Self {
                    self.boost = boost;
                    self
                }

                /// Names the clause (`_name`).
                #[must_use]
                pub fn named(mut self, name: impl Into<String>) -> Self {
                    self.name = Some(name.into());
                    self
                }
            }

            impl From<$clause> for Clause {
                fn from(clause: $clause) -> Self {
                    Self::$variant(clause)
                }
            }
        )+

        impl Clause {
            /// The factor of the clause's score.
            pub fn boost_factor(&self) -> f32 {
                match self {
                    $(Self::$variant(clause) => clause.boost,)+
                }
            }

            /// The same clause with another factor of its score: finite, not negative.
            #[must_use]
            pub fn boost(mut self, boost: f32) -> Self {
                match &mut self {
                    $(Self::$variant(clause) => clause.boost = boost,)+
                }
                self
            }

            /// The clause's name, if it has one (`_name`).
            pub fn name(&self) -> Option<&str> {
                match self {
                    $(Self::$variant(clause) => clause.name.as_deref(),)+
                }
            }

            /// The same clause with a name (`_name`).
            #[must_use]
            pub fn named(mut self, name: impl Into<String>) -> Self {
                let name = Some(name.into());
                match &mut self {
                    $(Self::$variant(clause) => clause.name = name,)+
                }
                self
            }
        }
    };
}

clauses! {
    Bool: BoolClause,
    ConstantScore: ConstantScoreClause,
    DisMax: DisMaxClause,
    Exists: ExistsClause,
    Fuzzy: FuzzyClause,
    Ids: IdsClause,
    Match: MatchClause,
    MatchAll: MatchAllClause,
    MatchBoolPrefix: MatchBoolPrefixClause,
    MatchNone: MatchNoneClause,
    MatchPhrase: MatchPhraseClause,
    MatchPhrasePrefix: MatchPhrasePrefixClause,
    MultiMatch: MultiMatchClause,
    Prefix: PrefixClause,
    QueryString: QueryStringClause,
    Range: RangeClause,
    Regexp: RegexpClause,
    SimpleQueryString: SimpleQueryStringClause,
    Term: TermClause,
    Terms: TermsClause,
    Wildcard: WildcardClause,
}
