//! Clauses on exact values.

use super::fuzziness::Fuzziness;
use super::regexp_flags::RegexpFlags;
use crate::filter::value::FieldValue;

/// `exists`: documents that have a value in a field, which must be fast. Score: `boost`.
///
/// For a JSON path a value in any path below it counts. See
/// [`Clause::exists`](super::Clause::exists).
///
/// ```
/// assert_eq!(forewarm::Clause::exists("repo.name").field, "repo.name");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExistsClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `fuzzy`: documents with a term that differs from a word by no more than some edits: characters
/// put in, left out or changed, or two neighbours that changed places. Not analysed. For text and
/// JSON paths, whose strings are matched. Score: `boost`. See
/// [`Clause::fuzzy`](super::Clause::fuzzy).
///
/// Every term within the distance matches, not only the closest 50 as in Elasticsearch, and how
/// close it is does not change the score; `rewrite` is no parameter, and `max_expansions` none but
/// 50. The word has at most 256 characters.
///
/// ```
/// use forewarm::{Clause, Fuzziness};
///
/// let clause = Clause::fuzzy("title", "qiuck").fuzziness(Fuzziness::Edits(1));
/// assert!(clause.transpositions);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FuzzyClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The word.
    pub value: FieldValue,
    /// How many edits, `AUTO` by default.
    pub fuzziness: Fuzziness,
    /// So many characters at the beginning must be the same, 0 by default.
    pub prefix_length: u32,
    /// Whether two neighbours that changed places are one edit, as is the default, or two.
    pub transpositions: bool,
    /// The score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `ids`: the documents whose hits have one of these `_id`s: in forewarm the number of the segment
/// and of the document in it, parted by a colon, within each split that is searched. What is no
/// such id matches nothing, as what is not there does. Nothing is read. Score: `boost`. See
/// [`Clause::ids`](super::Clause::ids).
///
/// ```
/// assert_eq!(forewarm::Clause::ids(["0:7", "1:0"]).values.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IdsClause {
    /// The ids, at most 65,536.
    pub values: Vec<String>,
    /// The score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `prefix`: documents with a term that begins with exactly these characters; `*` and `?` mean
/// themselves. For text, facets and JSON paths. Score: `boost`. See
/// [`Clause::prefix`](super::Clause::prefix).
///
/// ```
/// assert_eq!(forewarm::Clause::prefix("path", "/var/").value, "/var/");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PrefixClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The characters, not analysed.
    pub value: String,
    /// Whether ASCII letters match in either case, `false` by default.
    pub case_insensitive: bool,
    /// The score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `range`: values between bounds; of several bounds on one side the tightest holds. Bounds that
/// exclude each other match nothing, none at all every document with a value. Score: `boost`. See
/// [`Clause::range`](super::Clause::range).
///
/// Whole-number fields round a fractional bound inwards and accept bounds beyond their range.
/// Dates may be shortened (`2024-01-31`, `2024-01`): `gt` and `lte` then mean the end of that day
/// or month, `gte` and `lt` its beginning. They may be arithmetic: `now` or a date and `||`, then
/// any of `+1y`, `-2M`, `/d` (`y M w d h m s`). `/d` rounds to the day: to its end for `gt` and
/// `lte`, to its beginning for `gte` and `lt`. What `now` is, [`SearchRequest::at`] says. Networks
/// of addresses stand for their last and first address in the same way.
///
/// Of other parameters of Elasticsearch, `relation` may be `INTERSECTS`, which changes nothing, and
/// `from`, `to`, `include_lower` and `include_upper` are refused.
///
/// [`SearchRequest::at`]: crate::SearchRequest::at
///
/// ```
/// let clause = forewarm::Clause::range("created_at").gte("2024-01-01").format("yyyy-MM-dd");
/// assert_eq!(clause.format.as_deref(), Some("yyyy-MM-dd"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RangeClause {
    /// The field, or the JSON path.
    pub field: String,
    /// Above this.
    pub gt: Option<FieldValue>,
    /// This or above.
    pub gte: Option<FieldValue>,
    /// Below this.
    pub lt: Option<FieldValue>,
    /// This or below.
    pub lte: Option<FieldValue>,
    /// How dates are written, alternatives parted by `||`: `strict_date_optional_time` (the
    /// default, with `epoch_millis`), `epoch_millis`, `epoch_second`, `yyyy-MM-dd`.
    pub format: Option<String>,
    /// The zone of dates that have no offset, and of the days that `/d` rounds to: an offset
    /// (`+02:00`), or a name of the IANA database (`Europe/Paris`). Default `UTC`.
    pub time_zone: Option<String>,
    /// The score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `regexp`: documents with a term that a regular expression of Lucene matches from beginning to
/// end: `.` `?` `*` `+` `{n,m}` `|` `( )` `[ ]` `[^ ]` `"…"` `\d` `\s` `\w` and their opposites;
/// `^` and `$` mean themselves. For text and JSON paths, whose strings are matched. Score: `boost`.
/// See [`Clause::regexp`](super::Clause::regexp).
///
/// Its optional operators are refused, as is an expression of more than 1,000 characters or one
/// whose automaton would have more than 1,000 states; `rewrite` and `max_determinized_states` are
/// not parameters.
///
/// ```
/// use forewarm::{Clause, RegexpFlags};
///
/// let clause = Clause::regexp("mail", "[a-z]+@.*").flags(RegexpFlags::NONE);
/// assert_eq!(clause.flags, RegexpFlags::NONE);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RegexpClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The expression.
    pub value: String,
    /// Whether ASCII letters match in either case, `false` by default.
    pub case_insensitive: bool,
    /// Which optional operators are none, and so mean themselves.
    pub flags: RegexpFlags,
    /// The score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `term`: documents with exactly this value; text is not analysed. See
/// [`Clause::term`](super::Clause::term).
///
/// A date that is shortened (`2024-01-31`) or rounded (`now/d`) matches the whole day, as in
/// Elasticsearch, and a network (`10.0.0.0/8`) its addresses. On a JSON path the value is looked
/// for as each type it can be read as (`"10"`: a number and a string).
///
/// ```
/// assert_eq!(forewarm::Clause::term("type", "PushEvent").boost(3.0).boost, 3.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TermClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The value.
    pub value: FieldValue,
    /// Whether ASCII letters match in either case, `false` by default. Only text has
    /// cases. Score then: `boost`.
    pub case_insensitive: bool,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `terms`: documents with any of these values; none at all matches nothing. Score: `boost`. See
/// [`Clause::terms`](super::Clause::terms).
///
/// ```
/// assert_eq!(forewarm::Clause::terms("type", ["PushEvent", "ForkEvent"]).values.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TermsClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The values, at most 65,536.
    pub values: Vec<FieldValue>,
    /// The score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `wildcard`: documents with a term that a pattern matches from beginning to end: `*` is any
/// characters, `?` is any one, and after `\` either means itself. For text and JSON paths, whose
/// strings are matched; not analysed. Score: `boost`. See
/// [`Clause::wildcard`](super::Clause::wildcard).
///
/// ```
/// assert_eq!(forewarm::Clause::wildcard("path", "/var/*.lo?").value, "/var/*.lo?");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WildcardClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The pattern.
    pub value: String,
    /// Whether ASCII letters match in either case, `false` by default.
    pub case_insensitive: bool,
    /// The score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}
