//! What to search for: a clause, or any query of tantivy.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use tantivy::Index;
use tantivy::query::Query;

use crate::error::Result;
use crate::filter::clause::Clause;
use crate::filter::expansion::ExpansionSettings;

/// What to search for: a [`Clause`], or any [`Query`] of tantivy.
///
/// An opaque query has no form that could be compared, so its plans are found again by its key:
/// give one with [`query_with_key`](Self::query_with_key) if equal queries are built again and
/// again. Without one, a filter and its clones are equal to nothing else.
///
/// ```
/// use forewarm::{Clause, Filter};
/// use tantivy::query::AllQuery;
///
/// let filter = Filter::from(Clause::term("type", "PushEvent"));
/// assert!(filter.clause().is_some());
/// let opaque = Filter::query_with_key(Box::new(AllQuery), "everything");
/// assert!(opaque.clause().is_none());
/// ```
///
/// Clones are cheap and share everything.
#[derive(Clone)]
#[non_exhaustive]
pub struct Filter(Arc<FilterKind>);

pub(crate) enum FilterKind {
    Clause(Clause),
    Opaque {
        query: Box<dyn Query>,
        key: OpaqueKey,
    },
}

/// What tells opaque queries apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum OpaqueKey {
    /// The caller vouches that equal keys are equal queries.
    Named(String),
    /// Nobody vouches. The first number belongs to the process, so that a plan that outlives it
    /// is never taken for another query's.
    Unique(u64, u64),
}

impl Filter {
    /// A filter that is any query of tantivy, equal only to its own clones.
    pub fn query(query: Box<dyn Query>) -> Self {
        static PROCESS: LazyLock<u64> =
            LazyLock::new(|| RandomState::new().build_hasher().finish());
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let key = OpaqueKey::Unique(*PROCESS, NEXT.fetch_add(1, Ordering::Relaxed));
        Self(Arc::new(FilterKind::Opaque { query, key }))
    }

    /// A filter that is any query of tantivy, equal to every other with the same `key`.
    ///
    /// The caller vouches that queries of one key read the same: a wrong key never gives wrong
    /// hits, but a warmup that fetches the wrong bytes.
    pub fn query_with_key(query: Box<dyn Query>, key: &str) -> Self {
        Self(Arc::new(FilterKind::Opaque {
            query,
            key: OpaqueKey::Named(key.to_owned()),
        }))
    }

    pub(crate) fn kind(&self) -> &FilterKind {
        &self.0
    }

    /// The clause, unless the filter is an opaque query.
    pub fn clause(&self) -> Option<&Clause> {
        match self.kind() {
            FilterKind::Clause(clause) => Some(clause),
            FilterKind::Opaque { .. } => None,
        }
    }

    /// Whether another process can mean the same filter.
    pub(crate) fn is_named(&self) -> bool {
        let unique = |key: &OpaqueKey| matches!(key, OpaqueKey::Unique(..));
        !matches!(self.kind(), FilterKind::Opaque { key, .. } if unique(key))
    }

    /// Whether both are clones of one.
    pub(crate) fn is_clone_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether both surely compile to the same query, boosts and all: fingerprints only tell that
    /// two filters read the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        if self.is_clone_of(other) {
            return true;
        }
        match (self.kind(), other.kind()) {
            (FilterKind::Clause(left), FilterKind::Clause(right)) => left == right,
            (FilterKind::Opaque { key: left, .. }, FilterKind::Opaque { key: right, .. }) => {
                // A named key is only a promise about what is read.
                matches!(left, OpaqueKey::Unique(..)) && left == right
            }
            _ => false,
        }
    }

    /// The query of tantivy that the filter is for an index: fields found in its schema, values
    /// read as their types, texts cut by its tokenizers. It runs on any searcher of that index.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), naming clause and field, when the
    /// filter does not fit the schema.
    ///
    /// ```
    /// use forewarm::{Clause, Filter};
    /// use tantivy::schema::{STRING, Schema};
    /// use tantivy::{Index, collector::Count, doc};
    ///
    /// let mut schema = Schema::builder();
    /// let kind = schema.add_text_field("type", STRING);
    /// let index = Index::create_in_ram(schema.build());
    /// let mut writer = index.writer_with_num_threads(1, 15_000_000)?;
    /// writer.add_document(doc!(kind => "PushEvent"))?;
    /// writer.commit()?;
    ///
    /// let query = Filter::from(Clause::term("type", "PushEvent")).to_query(&index)?;
    /// assert_eq!(index.reader()?.searcher().search(&query, &Count)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_query(&self, index: &Index) -> Result<Box<dyn Query>> {
        Ok(self
            .bind(index, "query")?
            .query(&ExpansionSettings::default()))
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            FilterKind::Clause(clause) => f.debug_tuple("Filter").field(clause).finish(),
            FilterKind::Opaque { query, key } => f
                .debug_struct("Filter")
                .field("query", query)
                .field("key", key)
                .finish(),
        }
    }
}

impl<C: Into<Clause>> From<C> for Filter {
    fn from(clause: C) -> Self {
        Self(Arc::new(FilterKind::Clause(clause.into())))
    }
}

impl From<Box<dyn Query>> for Filter {
    fn from(query: Box<dyn Query>) -> Self {
        Self::query(query)
    }
}
