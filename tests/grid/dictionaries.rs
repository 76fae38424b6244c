//! Two kinds of term dictionary: SSTables, of which blocks are read, and FSTs, read whole.

use forewarm::{Clause, Component, PackSettings, SearchRequest, SourceFilter};
use tantivy::schema::{STORED, STRING, Schema, TEXT};
use tantivy::{TantivyDocument, doc};

use crate::corpus::{Corpus, index_of};
use crate::expected::assert_best;
use crate::random::{RUNTIME, search_thrice, strict};

/// A split of two segments whose field `key` has a dictionary that is far too large to be hot.
fn large_dictionary() -> Corpus {
    let mut builder = Schema::builder();
    let key = builder.add_text_field("key", STRING | STORED);
    let body = builder.add_text_field("body", TEXT);
    let schema = builder.build();
    let document = |n: u64| -> TantivyDocument {
        let scattered = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let word = scattered.rotate_left(17);
        doc!(key => format!("{scattered:016x}{word:x}"), body => format!("w{} common", n % 50))
    };
    let segments = [
        (0..6000).map(document).collect(),
        (6000..9000).map(document).collect(),
    ];
    let source = index_of(&schema, &segments);
    let mut settings = PackSettings::default();
    settings.term_dictionary_budget = 4096;
    RUNTIME.block_on(Corpus::of(&[source], &settings))
}

#[test]
fn a_dictionary_is_read_by_blocks_or_as_one_range() {
    let corpus = large_dictionary();
    let split = &corpus.addresses[0];
    let keys = [3, 4000, 7000_u64].map(|n| {
        let scattered = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{scattered:016x}{:x}", scattered.rotate_left(17))
    });
    let request = SearchRequest::new(Clause::terms("key", keys)).source(SourceFilter::None);
    let layout = RUNTIME
        .block_on(strict(&corpus.store).layout(split))
        .unwrap();
    let whole = layout.fields["key"][&Component::Terms];
    let explained = RUNTIME.block_on(strict(&corpus.store).explain(split, &request));
    let explained = explained.unwrap();
    let terms = &explained.components[&Component::Terms];
    for range in &terms.ranges {
        let file = layout
            .files
            .iter()
            .find(|file| file.range.start <= range.start && range.end <= file.range.end);
        assert!(file.unwrap().name.ends_with(".term"));
    }
    if cfg!(feature = "sstable") {
        // Three look-ups in two segments, a block each.
        assert!(terms.bytes < whole / 4, "{} of {whole} bytes", terms.bytes);
    } else {
        // One range for each segment, and all of it.
        assert_eq!((terms.ranges.len(), terms.bytes), (2, whole));
        let read = explained.dictionaries;
        assert_eq!((read.gets, read.bytes, read.rounds), (2, whole, 1));
    }
    let found = search_thrice(&corpus.store, &corpus.addresses, &request);
    let response = RUNTIME.block_on(found);
    assert_eq!(response.hits.total.unwrap().value, 3);
    // A search costs what was explained: opening, dictionaries, postings.
    assert_eq!(response.report.gets, explained.total.gets);
}

#[test]
fn words_beside_a_large_dictionary_are_found_as_in_memory() {
    let corpus = large_dictionary();
    for clause in [
        Clause::from(Clause::match_text("body", "w7 w8")),
        Clause::prefix("key", "00").into(),
        Clause::range("key").gte("fe").into(),
        Clause::bool()
            .must(Clause::term("body", "common"))
            .should(Clause::prefix("key", "a"))
            .into(),
    ] {
        let request = SearchRequest::new(clause).size(50);
        let response = RUNTIME.block_on(search_thrice(&corpus.store, &corpus.addresses, &request));
        assert_best(&response, &request, &corpus);
    }
}

#[cfg(not(feature = "sstable"))]
#[test]
fn a_split_of_the_other_kind_names_the_feature() {
    use forewarm::{ErrorKind, SplitAddress};

    let Some(folder) = crate::shared::shared("peer-splits") else {
        return;
    };
    let store = object_store::local::LocalFileSystem::new_with_prefix(folder).unwrap();
    let store: std::sync::Arc<dyn object_store::ObjectStore> = std::sync::Arc::new(store);
    for name in [
        "quickwit-wiki-1000-docs.split",
        "large-batch-250-docs.split",
    ] {
        let split = [SplitAddress::new(name.into())];
        let request = SearchRequest::new(Clause::match_all());
        let error = RUNTIME.block_on(strict(&store).search(&split, &request));
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("feature `sstable`"), "{error}");
    }
}
