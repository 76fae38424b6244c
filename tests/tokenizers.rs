//! Texts are cut as their index was: by tantivy's tokenizers, and by those of the caller.

use std::sync::Arc;

use forewarm::{
    ErrorKind, OnMiss, PackSettings, SearchRequest, SplitAddress, StoreSettings, Warmer,
    WarmerSettings, pack,
};
use object_store::memory::InMemory;
use serde_json::{Value, json};
use tantivy::directory::RamDirectory;
use tantivy::schema::{
    FAST, IndexRecordOption, JsonObjectOptions, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{
    Language, LowerCaser, NgramTokenizer, RawTokenizer, SimpleTokenizer, Stemmer, StopWordFilter,
    TextAnalyzer, Token, TokenFilter, TokenStream, Tokenizer, TokenizerManager,
};
use tantivy::{Index, IndexSettings, TantivyDocument};

/// A filter of the caller: each word, then its synonym at the same place.
#[derive(Clone)]
struct Synonyms;

#[derive(Clone)]
struct SynonymsTokenizer<T>(T);

struct SynonymsStream<S> {
    words: S,
    synonym: Option<Token>,
    is_synonym: bool,
}

impl TokenFilter for Synonyms {
    type Tokenizer<T: Tokenizer> = SynonymsTokenizer<T>;

    fn transform<T: Tokenizer>(self, tokenizer: T) -> SynonymsTokenizer<T> {
        SynonymsTokenizer(tokenizer)
    }
}

impl<T: Tokenizer> Tokenizer for SynonymsTokenizer<T> {
    type TokenStream<'a> = SynonymsStream<T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        SynonymsStream {
            words: self.0.token_stream(text),
            synonym: None,
            is_synonym: false,
        }
    }
}

impl<S: TokenStream> TokenStream for SynonymsStream<S> {
    fn advance(&mut self) -> bool {
        self.is_synonym = !self.is_synonym && self.synonym.is_some();
        if self.is_synonym {
            return true;
        }
        let more = self.words.advance();
        let synonym = match self.words.token().text.as_str() {
            "quick" => Some("fast"),
            "fast" => Some("quick"),
            _ => None,
        };
        self.synonym = synonym.map(|text| Token {
            text: text.to_owned(),
            ..self.words.token().clone()
        });
        more
    }

    fn token(&self) -> &Token {
        match &self.synonym {
            Some(synonym) if self.is_synonym => synonym,
            _ => self.words.token(),
        }
    }

    fn token_mut(&mut self) -> &mut Token {
        match &mut self.synonym {
            Some(synonym) if self.is_synonym => synonym,
            _ => self.words.token_mut(),
        }
    }
}

fn tokenizers() -> TokenizerManager {
    let tokenizers = TokenizerManager::default();
    let words = || TextAnalyzer::builder(SimpleTokenizer::default()).filter(LowerCaser);
    tokenizers.register("synonyms", words().filter(Synonyms).build());
    tokenizers.register("ngrams", NgramTokenizer::all_ngrams(2, 3).unwrap());
    let german = words()
        .filter(StopWordFilter::new(Language::German).unwrap())
        .filter(Stemmer::new(Language::German));
    tokenizers.register("german", german.build());
    tokenizers
}

fn fast_tokenizers() -> TokenizerManager {
    let tokenizers = TokenizerManager::default();
    let lower = TextAnalyzer::builder(RawTokenizer::default()).filter(LowerCaser);
    tokenizers.register("lower", lower.build());
    tokenizers
}

const DOCUMENTS: &[&str] = &[
    "The quick brown foxes",
    "A fast red fox",
    "Die Häuser am Fluss",
    "slow",
];

/// A store with one split, every field of which holds the same texts.
async fn store() -> Arc<InMemory> {
    let indexed = |tokenizer: &str| {
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(tokenizer)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions);
        TextOptions::default().set_indexing_options(indexing)
    };
    let mut schema = Schema::builder();
    let names = [
        "default",
        "en_stem",
        "german",
        "ngrams",
        "raw",
        "synonyms",
        "whitespace",
    ];
    for name in names {
        schema.add_text_field(name, indexed(name));
    }
    let indexing = TextFieldIndexing::default().set_tokenizer("synonyms");
    let json = JsonObjectOptions::default().set_indexing_options(indexing);
    schema.add_json_field("json", json);
    schema.add_text_field("lower", TextOptions::default().set_fast("lower"));
    schema.add_text_field("exact", TextOptions::from(FAST));
    let schema = schema.build();
    let directory = RamDirectory::create();
    let mut index = Index::create(directory.clone(), schema.clone(), IndexSettings::default());
    let index = index.as_mut().unwrap();
    index.set_tokenizers(tokenizers());
    index.set_fast_field_tokenizers(fast_tokenizers());
    let mut writer = index.writer_with_num_threads(1, 15_000_000).unwrap();
    for text in DOCUMENTS {
        let mut document = json!({"lower": text, "exact": text, "json": {"text": text}});
        for name in names {
            document[name] = json!(text);
        }
        let document = TantivyDocument::parse_json(&schema, &document.to_string()).unwrap();
        writer.add_document(document).unwrap();
    }
    writer.commit().unwrap();
    let store = Arc::new(InMemory::new());
    let packed = pack(&directory, &PackSettings::default()).unwrap();
    packed
        .upload(store.as_ref(), &"a.split".into())
        .await
        .unwrap();
    store
}

/// The documents that a clause finds, in a warmer where a late read fails.
async fn search(warmer: &Warmer, clause: Value) -> forewarm::Result<Vec<String>> {
    let request = SearchRequest::from_value(&json!({"query": clause, "_source": false}))?;
    let splits = [SplitAddress::new("a.split".into())];
    let response = warmer.search(&splits, &request).await?;
    assert_eq!(response.report.late_reads, 0, "{clause}");
    let mut ids: Vec<String> = response
        .hits
        .hits
        .iter()
        .map(|hit| hit.id.rsplit(':').next().unwrap().to_owned())
        .collect();
    ids.sort();
    Ok(ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_cut_by_the_tokenizer_of_their_field() {
    let settings = WarmerSettings::default()
        .with_on_miss(OnMiss::Fail)
        .with_store(StoreSettings::default().with_whole_split_bytes(0));
    let warmer = Warmer::builder(store().await)
        .settings(settings)
        .tokenizers(tokenizers())
        .fast_field_tokenizers(fast_tokenizers())
        .build()
        .unwrap();
    let and =
        |field: &str, text: &str| json!({"match": {field: {"query": text, "operator": "and"}}});
    let cases: &[(Value, &[&str])] = &[
        (json!({"match": {"default": "FOXES"}}), &["0"]),
        (json!({"match": {"en_stem": "FOXES"}}), &["0", "1"]),
        (json!({"match_phrase": {"en_stem": "brown fox"}}), &["0"]),
        (
            json!({"query_string": {"query": "en_stem:foxes*"}}),
            &["0", "1"],
        ),
        (json!({"match": {"whitespace": "fox"}}), &["1"]),
        (json!({"match": {"whitespace": "FOX"}}), &[]),
        (json!({"match": {"raw": "slow"}}), &["3"]),
        (json!({"match": {"raw": "fox"}}), &[]),
        (json!({"match": {"german": "das Haus"}}), &["2"]),
        (json!({"match": {"german": "die"}}), &[]),
        (
            json!({"match": {"german": {"query": "die", "zero_terms_query": "all"}}}),
            &["0", "1", "2", "3"],
        ),
        // All of them are at one position, but of different characters: each counts.
        (and("ngrams", "row"), &["0"]),
        (and("ngrams", "rowing"), &[]),
        (json!({"match": {"ngrams": "rowing"}}), &["0", "3"]),
        (json!({"match_phrase": {"ngrams": "low"}}), &["3"]),
        // A synonym is the same word.
        (and("synonyms", "quick"), &["0", "1"]),
        (and("synonyms", "quick fox"), &["1"]),
        (json!({"match_phrase": {"synonyms": "fast brown"}}), &["0"]),
        (
            json!({"match_phrase": {"synonyms": "quick red fox"}}),
            &["1"],
        ),
        (
            json!({"match_phrase_prefix": {"synonyms": "quick re"}}),
            &["1"],
        ),
        (
            json!({"match_phrase_prefix": {"synonyms": "a quick"}}),
            &["1"],
        ),
        (
            json!({"match_bool_prefix": {"synonyms": "fox quick"}}),
            &["0", "1"],
        ),
        (json!({"match": {"json.text": "quick"}}), &["0", "1"]),
        (
            json!({"match": {"synonyms": {"query": "quikc", "fuzziness": 1}}}),
            &["0", "1"],
        ),
        // Columns are cut by tokenizers of their own.
        (json!({"match": {"lower": "SLOW"}}), &["3"]),
        (
            json!({"match": {"lower": {"query": "SLWO", "fuzziness": 1}}}),
            &["3"],
        ),
        (json!({"match_bool_prefix": {"lower": "A FAST"}}), &["1"]),
        (json!({"match": {"exact": "slow"}}), &["3"]),
        (json!({"match": {"exact": "SLOW"}}), &[]),
        (
            json!({"multi_match": {"query": "foxes", "fields": ["*_stem", "white*", "raw"]}}),
            &["0", "1"],
        ),
        (
            json!({"simple_query_string": {"query": "quick + -brown", "fields": ["synonyms"]}}),
            &["1"],
        ),
    ];
    for (clause, expected) in cases {
        let found = search(&warmer, clause.clone()).await;
        let found = found.unwrap_or_else(|error| panic!("{clause}: {}", error.chain()));
        assert_eq!(found, *expected, "{clause}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tokenizer_that_nobody_registered_is_an_error_of_who_needs_it() {
    let registered = TokenizerManager::default();
    let warmer = Warmer::builder(store().await).tokenizers(registered.clone());
    let warmer = warmer.build().unwrap();
    assert_eq!(
        search(&warmer, json!({"match": {"default": "slow"}}))
            .await
            .unwrap(),
        ["3"]
    );
    for (field, tokenizer) in [("synonyms", "synonyms"), ("lower", "lower")] {
        let error = search(&warmer, json!({"match": {field: "fast"}}))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        let message = format!("the tokenizer \"{tokenizer}\" of \"{field}\" is not registered");
        assert!(error.chain().contains(&message), "{}", error.chain());
    }
    // Nor is it passed over where nobody named the field.
    let error = search(&warmer, json!({"multi_match": {"query": "slow"}}))
        .await
        .unwrap_err();
    assert!(
        error.chain().contains("is not registered"),
        "{}",
        error.chain()
    );
    // A split that is open sees what is registered later.
    let words = TextAnalyzer::builder(SimpleTokenizer::default()).filter(Synonyms);
    registered.register("synonyms", words.build());
    assert_eq!(
        search(&warmer, json!({"match": {"synonyms": "fast"}}))
            .await
            .unwrap(),
        ["0", "1"]
    );
}
