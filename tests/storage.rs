//! What forewarm relies on in a store, checked on every kind of store; and what the real S3 client
//! makes of the faults that forewarm must survive.

mod common;
#[path = "storage/plans.rs"]
mod plans;
#[path = "storage/whole_way.rs"]
mod whole_way;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt, PutPayload, Result,
};

use common::s3_server::{Fault, S3Server};
use common::stores;

/// Part size of S3 and its kin: all parts but the last have at least 5 MiB.
const PART: usize = 5 * 1024 * 1024;

/// Bytes of which no two nearby runs are the same.
fn noise(size: usize) -> Bytes {
    (0..size as u64)
        .map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
        .collect()
}

async fn get(store: &dyn ObjectStore, path: &Path, options: GetOptions) -> Result<GetResult> {
    store.get_opts(path, options).await
}

fn ranged(range: impl Into<GetRange>) -> GetOptions {
    GetOptions::new().with_range(Some(range))
}

/// The conformance suite. An implementation that passes can hold splits.
async fn conforms(name: &str, store: Arc<dyn ObjectStore>) -> Result<()> {
    eprintln!("{name}: ranges");
    ranges_are_exact(store.as_ref()).await?;
    eprintln!("{name}: suffixes");
    suffixes_tell_size_and_etag(store.as_ref()).await?;
    eprintln!("{name}: conditions");
    conditions_hold(store.as_ref()).await?;
    eprintln!("{name}: missing objects");
    what_is_missing_is_not_found(store.as_ref()).await?;
    eprintln!("{name}: multipart uploads");
    multipart_uploads_arrive_whole(store.as_ref()).await?;
    eprintln!("{name}: lists");
    lists_are_complete(store.as_ref()).await
}

async fn ranges_are_exact(store: &dyn ObjectStore) -> Result<()> {
    let path = Path::from("ranges/a b&c+d é.split");
    let data = noise(100_000);
    store.put(&path, data.clone().into()).await?;
    for range in [0..1, 0..100_000, 99_999..100_000, 1234..56_789] {
        let result = get(store, &path, ranged(range.clone())).await?;
        assert_eq!(
            (result.range.clone(), result.meta.size),
            (range.clone(), 100_000)
        );
        assert!(result.meta.e_tag.is_some(), "an etag comes with every GET");
        let body = result.bytes().await?;
        assert_eq!(body, data[range.start as usize..range.end as usize]);
    }
    // A range that ends behind the object is clipped, and the answer says so.
    let result = get(store, &path, ranged(99_990..100_500)).await?;
    assert_eq!(result.range, 99_990..100_000);
    assert_eq!(result.bytes().await?, data[99_990..]);
    get(store, &path, ranged(200_000..200_001))
        .await
        .expect_err("nothing is there");

    let many = (0..32u64).map(|i| store.get_range(&path, i * 1000..i * 1000 + 10));
    for (i, body) in try_join_all(many).await?.into_iter().enumerate() {
        assert_eq!(body, data[i * 1000..i * 1000 + 10]);
    }
    Ok(())
}

async fn suffixes_tell_size_and_etag(store: &dyn ObjectStore) -> Result<()> {
    let path = Path::from("suffix.split");
    let data = noise(1000);
    store.put(&path, data.clone().into()).await?;
    let head = store.head(&path).await?;
    assert_eq!(head.size, 1000);
    for (suffix, start) in [(1, 999), (100, 900), (1000, 0), (131_072, 0)] {
        match get(store, &path, ranged(GetRange::Suffix(suffix))).await {
            Ok(result) => {
                assert_eq!(
                    (result.range.clone(), result.meta.size),
                    (start..1000, 1000)
                );
                assert_eq!(result.meta.e_tag, head.e_tag);
                assert_eq!(result.bytes().await?, data[start as usize..]);
            }
            // Azure: HEAD and a bounded range do instead, and this must be how it says so.
            Err(Error::NotSupported { .. }) => {}
            Err(error) => panic!("suffix of {suffix}: {error}"),
        }
    }
    Ok(())
}

async fn conditions_hold(store: &dyn ObjectStore) -> Result<()> {
    let path = Path::from("conditional.split");
    store.put(&path, noise(1000).into()).await?;
    let etag = store.get(&path).await?.meta.e_tag.expect("an etag");
    assert_eq!(store.head(&path).await?.e_tag.as_ref(), Some(&etag));
    let conditional = || ranged(10..20).with_if_match(Some(etag.clone()));
    let result = get(store, &path, conditional()).await?;
    assert_eq!(result.bytes().await?, noise(1000)[10..20]);

    store.put(&path, vec![1; 1001].into()).await?;
    let error = get(store, &path, conditional())
        .await
        .expect_err("a refusal");
    assert!(matches!(error, Error::Precondition { .. }), "{error:?}");
    let replaced = store.get(&path).await?;
    assert_ne!(replaced.meta.e_tag, Some(etag));
    Ok(())
}

async fn what_is_missing_is_not_found(store: &dyn ObjectStore) -> Result<()> {
    let path = Path::from("missing/never.split");
    let errors = [
        store.get(&path).await.err(),
        store.head(&path).await.err(),
        get(store, &path, ranged(0..10)).await.err(),
    ];
    for error in errors {
        assert!(matches!(error, Some(Error::NotFound { .. })), "{error:?}");
    }
    // Azurite says that the condition does not hold: an object deleted under its reader shows as
    // either of the two.
    let conditional = GetOptions::new().with_if_match(Some("\"e\""));
    let error = get(store, &path, conditional)
        .await
        .expect_err("nothing to match");
    let expected = matches!(error, Error::NotFound { .. } | Error::Precondition { .. });
    assert!(expected, "{error:?}");
    Ok(())
}

async fn multipart_uploads_arrive_whole(store: &dyn ObjectStore) -> Result<()> {
    let path = Path::from("multipart/large.split");
    let data = noise(2 * PART + 77);
    let mut upload = store.put_multipart(&path).await?;
    let parts: Vec<_> = (0..data.len())
        .step_by(PART)
        .map(|start| upload.put_part(data.slice(start..data.len().min(start + PART)).into()))
        .collect();
    try_join_all(parts).await?;
    upload.complete().await?;
    assert_eq!(store.head(&path).await?.size, data.len() as u64);
    let body = store.get(&path).await?.bytes().await?;
    assert!(body == data, "another body than was uploaded");
    let seam = PART as u64 - 5..PART as u64 + 5;
    let body = store.get_range(&path, seam).await?;
    assert_eq!(body, data[PART - 5..PART + 5]);

    let given_up = Path::from("multipart/given-up.split");
    let mut upload = store.put_multipart(&given_up).await?;
    upload
        .put_part(PutPayload::from(data.slice(..PART)))
        .await?;
    upload.abort().await?;
    let error = store.head(&given_up).await.expect_err("a refusal");
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    Ok(())
}

async fn lists_are_complete(store: &dyn ObjectStore) -> Result<()> {
    let paths: Vec<_> = (0..10)
        .map(|i| Path::from(format!("lists/{}/{i} &.split", i % 2)))
        .collect();
    for (i, path) in paths.iter().enumerate() {
        store.put(path, noise(i).into()).await?;
    }
    let folder = Path::from("lists");
    let mut listed: Vec<_> = store.list(Some(&folder)).try_collect().await?;
    listed.sort_by_key(|meta| meta.size);
    let listed: Vec<_> = listed
        .into_iter()
        .map(|meta| (meta.location, meta.size))
        .collect();
    let expected: Vec<_> = paths.iter().cloned().zip(0..).collect();
    assert_eq!(listed, expected);

    let shallow = store.list_with_delimiter(Some(&folder)).await?;
    assert_eq!(
        shallow.common_prefixes,
        [Path::from("lists/0"), Path::from("lists/1")]
    );
    assert_eq!(shallow.objects.len(), 0);

    let empty = store.get(&paths[0]).await?;
    assert_eq!((empty.meta.size, empty.bytes().await?.len()), (0, 0));

    let all = futures_util::stream::iter(paths.clone()).map(Ok).boxed();
    store.delete_stream(all).try_collect::<Vec<_>>().await?;
    assert!(
        store.list(Some(&folder)).next().await.is_none(),
        "all were deleted"
    );
    Ok(())
}

#[tokio::test]
async fn every_store_does_what_forewarm_relies_on() {
    for under_test in stores() {
        let store = Arc::clone(&under_test.store);
        conforms(under_test.name, store).await.unwrap();
    }
}

/// A server that holds one object of 100,000 bytes.
async fn server_with_object() -> (S3Server, Path, Bytes) {
    let server = S3Server::start();
    let (path, data) = (Path::from("a/b.split"), noise(100_000));
    let put = server.store().put(&path, data.clone().into()).await;
    put.expect("a server that takes objects");
    (server, path, data)
}

async fn body(store: &dyn ObjectStore, path: &Path) -> Result<Bytes> {
    get(store, path, ranged(0..100_000)).await?.bytes().await
}

#[tokio::test]
async fn faults_that_announce_themselves_are_retried_by_the_client() {
    let (server, path, data) = server_with_object().await;
    for (fault, times) in [
        (Fault::SlowDown, 2),
        (Fault::Reset, 1),
        (Fault::Truncate, 2),
    ] {
        server.reset_counts();
        server.inject(fault, times);
        assert_eq!(
            body(&server.store(), &path).await.unwrap(),
            data,
            "{fault:?}"
        );
        assert_eq!(
            server.counts().gets["a/b.split"],
            times as u64 + 1,
            "{fault:?}"
        );

        server.inject(fault, 1);
        let error = body(&server.store_with_retries(0), &path)
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::Generic { .. }),
            "{fault:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_stalled_body_ends_with_the_read_timeout() {
    let (server, path, _) = server_with_object().await;
    server.inject(Fault::Stall, 1);
    let store = server.store_with_retries(0);
    let stalled = tokio::time::timeout(Duration::from_secs(30), body(&store, &path)).await;
    stalled
        .expect("it does not hang")
        .expect_err("it does not succeed");
}

#[tokio::test]
async fn a_range_other_than_the_one_asked_for_is_an_error() {
    let (server, path, _) = server_with_object().await;
    server.inject(Fault::WrongRange, 1);
    let error = body(&server.store(), &path).await.unwrap_err();
    assert!(matches!(error, Error::Generic { .. }), "{error:?}");
}

/// Why forewarm checks the length of each body itself, and has checksums verified on demand.
#[tokio::test]
async fn the_client_takes_short_and_flipped_bodies_for_good() {
    let (server, path, data) = server_with_object().await;
    server.inject(Fault::ShortBody, 1);
    assert_eq!(body(&server.store(), &path).await.unwrap().len(), 50_000);
    server.inject(Fault::FlippedBit, 1);
    let flipped = body(&server.store(), &path).await.unwrap();
    assert!(flipped != data && flipped.len() == data.len());
}

#[tokio::test]
async fn an_object_replaced_between_two_gets_fails_the_condition() {
    let (server, path, _) = server_with_object().await;
    let store = server.store();
    let etag = store.head(&path).await.unwrap().e_tag;
    server.inject(Fault::Replaced, 1);
    let options = ranged(0..10).with_if_match(etag);
    let error = get(&store, &path, options).await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }), "{error:?}");
}

#[tokio::test]
async fn the_server_counts_what_it_serves() {
    let (server, path, _) = server_with_object().await;
    server.set_latency(Duration::from_millis(100), 7);
    let (store, other) = (server.store(), Path::from("other"));
    store.copy(&path, &other).await.unwrap();
    let gets = join_all((0..8u64).map(|i| store.get_range(&path, i..i + 10))).await;
    assert!(gets.iter().all(Result::is_ok));
    store.get(&other).await.unwrap().bytes().await.unwrap();
    store.head(&other).await.unwrap();
    let counts = server.counts();
    assert_eq!((counts.gets["a/b.split"], counts.gets["other"]), (8, 1));
    assert_eq!((counts.all_gets(), counts.heads), (9, 1));
    assert_eq!(counts.bytes, 8 * 10 + 100_000);
    assert!(
        (2..=8).contains(&counts.peak),
        "{} at one time",
        counts.peak
    );
}
