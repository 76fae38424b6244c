//! Warm searches read nothing: over splits of other programs and our own.

#[path = "common/shared.rs"]
mod shared;

use std::sync::Arc;

use forewarm::{OnMiss, SearchRequest, SplitAddress, Warmer, WarmerSettings};
use object_store::local::LocalFileSystem;
use object_store::path::Path;

#[tokio::test(flavor = "multi_thread")]
async fn peer_splits_answer_strictly() {
    let Some(folder) = shared::shared("peer-splits") else {
        return;
    };
    let store = Arc::new(LocalFileSystem::new_with_prefix(&folder).unwrap());
    for (split, body, expected) in [
        (
            "large-batch-250-docs.split",
            r#"{"query":{"match_all":{}}}"#,
            250,
        ),
        (
            "quickwit-wiki-1000-docs.split",
            r#"{"query":{"match":{"body":"sea"}}}"#,
            0,
        ),
        (
            "quickwit-wiki-1000-docs.split",
            r#"{"query":{"match_phrase":{"body":"of the"}}}"#,
            0,
        ),
        (
            "quickwit-gh-2-segments-qwft.split",
            r#"{"query":{"term":{"type":"PushEvent"}}}"#,
            0,
        ),
    ] {
        let settings = WarmerSettings::default().with_on_miss(OnMiss::Fail);
        let warmer = Warmer::builder(store.clone())
            .settings(settings)
            .build()
            .unwrap();
        let address = SplitAddress::new(Path::from(split));
        let request = SearchRequest::from_json(body).unwrap();
        let explained = warmer.explain(&address, &request).await.unwrap();
        println!("{}", serde_json::to_string(&explained).unwrap());
        let response = warmer.search(&[address.clone()], &request).await.unwrap();
        println!(
            "{split} {body} {:?} {:?}",
            response.hits.total, response.report
        );
        let again = warmer.search(&[address], &request).await.unwrap();
        println!("{split} {body} {:?} {:?}", again.hits.total, again.report);
        assert_eq!(again.report.gets, 0);
        if expected > 0 {
            assert_eq!(response.hits.total.unwrap().value, expected);
        }
    }
}
