//! Phrases that end in a prefix, scored by the statistics of the search.

use tantivy::Term;
use tantivy::query::{
    BooleanQuery, ConstScoreQuery, EnableScoring, PhrasePrefixQuery, PhraseQuery, Query, Weight,
};

/// The documents of tantivy's `PhrasePrefixQuery`, with its scores: those of the words before the
/// prefix. tantivy 0.27 takes their frequencies from the searcher alone, which is one split of
/// several; the phrase of the words asks for those of the whole search.
#[derive(Clone, Debug)]
pub(crate) struct PhraseEndingQuery {
    whole: PhrasePrefixQuery,
    /// The words before the prefix; a single one has no score of its own.
    words: Option<PhraseQuery>,
}

impl PhraseEndingQuery {
    /// Words and the prefix that follows them, each with its place in the phrase.
    pub(crate) fn new(
        words: &[(usize, Term)],
        prefix: &(usize, Term),
        max_expansions: u32,
    ) -> Self {
        let parts = words.iter().chain([prefix]).cloned().collect();
        let mut whole = PhrasePrefixQuery::new_with_offset(parts);
        whole.set_max_expansions(max_expansions);
        let words = (words.len() > 1).then(|| PhraseQuery::new_with_offset(words.to_vec()));
        Self { whole, words }
    }
}

impl Query for PhraseEndingQuery {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let Some(words) = self.words.as_ref().filter(|_| scoring.is_scoring_enabled()) else {
            return self.whole.weight(scoring);
        };
        let matching = ConstScoreQuery::new(Box::new(self.whole.clone()), 0.0);
        BooleanQuery::intersection(vec![Box::new(words.clone()), Box::new(matching)])
            .weight(scoring)
    }

    fn query_terms<'a>(&'a self, visitor: &mut dyn FnMut(&'a Term, bool)) {
        self.whole.query_terms(visitor);
    }
}
