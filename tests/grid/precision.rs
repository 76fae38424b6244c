//! Precision: a warmup fetches little more than the search then reads.

use std::sync::Arc;

use forewarm::{
    Component, OnMiss, PackSettings, SearchOptions, SearchRequest, StoreSettings, Warmer,
    WarmerSettings, pack,
};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::{Value, json};
use tantivy::TantivyDocument;

use crate::bodies::{DEBIAN, Documents, GH, WIKI};
use crate::corpus::{empty_index, large_writer};
use crate::random::{POOL, RUNTIME};

/// What one body cost on a split that was open, and nothing else known of it.
struct Cost {
    line: usize,
    body: Value,
    fetched: u64,
    read: u64,
    gets: u64,
    components: Vec<(Component, u64)>,
}

impl Cost {
    /// Bytes fetched for each byte read.
    fn ratio(&self) -> f64 {
        match (self.fetched, self.read) {
            (0, _) => 1.0,
            (fetched, read) => fetched as f64 / read as f64,
        }
    }

    /// Whether only a little was fetched that was not read. Less than a kibibyte for each GET is
    /// less than the headers of another would be. What turns out to be absent is found in
    /// dictionaries, and then the search reads nothing.
    fn is_precise(&self) -> bool {
        if self.read == 0 {
            let data = self.components.iter().filter(|it| it.0 != Component::Terms);
            return data.count() == 0;
        }
        self.fetched <= 3 * self.read + 1024 * self.gets
    }
}

/// One split of two segments that holds each document `copies` times, told apart.
fn split(documents: &Documents, copies: usize) -> (Arc<dyn ObjectStore>, forewarm::SplitAddress) {
    let (directory, index) = empty_index(documents.schema.clone());
    let mut writer = large_writer(&index);
    let lines: Vec<&str> = documents.text.lines().collect();
    for half in lines.chunks(lines.len().div_ceil(2)) {
        for copy in 0..copies {
            for line in half {
                let mut document: Value = serde_json::from_str(line).unwrap();
                tell_apart(&mut document, documents.id, copy);
                let document = document.to_string();
                let document = TantivyDocument::parse_json(&documents.schema, &document).unwrap();
                writer.add_document(document).unwrap();
            }
        }
        writer.commit().unwrap();
    }
    writer.wait_merging_threads().unwrap();
    assert_eq!(index.searchable_segment_ids().unwrap().len(), 2);
    let store = Arc::new(InMemory::new());
    let path = "a.split".into();
    let packed = pack(&directory, &PackSettings::default()).unwrap();
    let upload = packed.upload(store.as_ref(), &path);
    let report = RUNTIME.block_on(upload).unwrap();
    let address = forewarm::SplitAddress::new(path).with_footer(report.footer_range);
    (store, address)
}

/// Gives a copy of a document names, numbers and a word that no other copy has.
fn tell_apart(document: &mut Value, id: &str, copy: usize) {
    if copy == 0 {
        return;
    }
    let named = format!("{}{copy}", document[id].as_str().unwrap());
    document[id] = json!(named);
    if let Some(body) = document.get("body").and_then(Value::as_str) {
        document["body"] = json!(format!("{body} copy{copy}"));
    }
    if let Some(push) = document["payload"]["push_id"].as_u64() {
        document["payload"]["push_id"] = json!(push + copy as u64 * 1_000_000);
    }
}

fn costs(documents: &Documents, copies: usize, merge_gap: Option<u64>) -> Vec<Cost> {
    let (store, address) = split(documents, copies);
    let mut costs = Vec::new();
    for (line, mut body) in documents.bodies() {
        // Documents of the hits are read beside the search.
        body["_source"] = json!(false);
        let keys = body.as_object_mut().unwrap();
        keys.retain(|key, _| !["docvalue_fields", "fields", "highlight"].contains(&key.as_str()));
        let request = SearchRequest::from_value(&body).unwrap();
        let settings = StoreSettings::default();
        let settings = match merge_gap {
            None => settings,
            Some(bytes) => settings.with_merge_gap_bytes(bytes),
        };
        let settings = WarmerSettings::default()
            .with_on_miss(OnMiss::Fail)
            .with_store(settings);
        let warmer = || {
            Warmer::builder(Arc::clone(&store))
                .settings(settings.clone())
                .runtime(RUNTIME.handle().clone())
                .pool(Arc::clone(&POOL))
                .build()
                .unwrap()
        };
        let options = SearchOptions::default().with_record_reads(true);
        let searched = RUNTIME.block_on(async {
            let warmer = warmer();
            warmer.open(&address).await?;
            let splits = [address.clone()];
            warmer
                .search_with_options(&splits, &request, &options)
                .await
        });
        let response = searched.unwrap_or_else(|error| panic!("line {line}: {}", error.chain()));
        let explained = RUNTIME.block_on(warmer().explain(&address, &request));
        let components = explained.unwrap().components.into_iter();
        costs.push(Cost {
            line,
            body,
            fetched: response.report.bytes,
            read: response.report.read_bytes.unwrap(),
            gets: response.report.gets,
            components: components.map(|(name, cost)| (name, cost.bytes)).collect(),
        });
    }
    costs.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()));
    costs
}

fn print(documents: &Documents, costs: &[Cost], title: &str) -> f64 {
    let ratios: Vec<f64> = costs
        .iter()
        .filter(|cost| cost.read > 0)
        .map(Cost::ratio)
        .collect();
    let median = ratios[ratios.len() / 2];
    let least = costs.iter().filter(|cost| cost.fetched > 0);
    println!(
        "{} {title}: {} bodies, median {median:.2}, worst:",
        documents.name,
        costs.len()
    );
    for cost in least.take(10) {
        println!(
            "  {:5.2} = {:9} / {:9} by {} GETs {:?} {}.ndjson:{}: {}",
            cost.ratio(),
            cost.fetched,
            cost.read,
            cost.gets,
            cost.components,
            documents.name,
            cost.line,
            cost.body,
        );
    }
    median
}

fn assert_precise(documents: &Documents, copies: usize) {
    for (title, merge_gap) in [("without gaps", Some(0)), ("with gaps", None)] {
        let costs = costs(documents, copies, merge_gap);
        let median = print(documents, &costs, title);
        assert!(median <= 1.3, "{median}");
        for cost in &costs {
            assert!(cost.is_precise(), "{}.ndjson:{}", documents.name, cost.line);
            // Nothing is known but what was read: then at most the dictionary was too much.
            assert!(cost.ratio() <= 3.0 || merge_gap.is_none() || cost.read == 0);
        }
    }
}

#[test]
fn little_more_of_debian_packages_is_fetched_than_read() {
    if let Some(documents) = &*DEBIAN {
        assert_precise(documents, 1);
    }
}

#[test]
fn little_more_of_github_events_is_fetched_than_read() {
    if let Some(documents) = &*GH {
        assert_precise(documents, 20);
    }
}

#[test]
fn little_more_of_wikipedia_articles_is_fetched_than_read() {
    if let Some(documents) = &*WIKI {
        assert_precise(documents, 20);
    }
}
