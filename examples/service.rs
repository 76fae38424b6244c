//! A search service on axum: `POST /_search` with an Elasticsearch body, `GET /_ready`, `GET /_stats`.
//!
//! ```sh
//! cargo run --release --example service
//! curl localhost:8080/_search -H 'content-type: application/json' \
//!     -d '{"query": {"match": {"name": "red lamp"}}, "sort": [{"price": "asc"}], "size": 3}'
//! ```

mod shop;

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use forewarm::{
    ErrorKind, Manager, ManagerSettings, PreloadSettings, RefreshSettings, SearchOptions,
    SearchRequest, Warmer,
};
use serde_json::{Value, json};

type Failure = (StatusCode, Json<Value>);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Yours: `object_store::aws::AmazonS3Builder::from_env()`, and `refresh` lists the prefix.
    let (store, _) = shop::open(8).await?;
    let settings = ManagerSettings::default()
        .with_refresh(Some(
            RefreshSettings::default().with_prefix(Some("shop".to_owned())),
        ))
        .with_preload(Some(PreloadSettings::default()));
    let manager = Manager::new(Warmer::builder(store).build()?, settings)?;
    manager.start();

    let routes = Router::new()
        .route("/_search", post(search))
        .route("/_ready", get(ready))
        .route(
            "/_stats",
            get(async |State(manager): State<Manager>| Json(json!(manager.snapshot()))),
        )
        .with_state(manager.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on {}", listener.local_addr()?);
    let stopped = async {
        // Where it cannot be listened to there is no stopping in good order.
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, routes)
        .with_graceful_shutdown(stopped)
        .await?;
    // No request is left: finish or give up warmups, write what was learnt.
    manager.shutdown(Duration::from_secs(10)).await;
    Ok(())
}

async fn search(
    State(manager): State<Manager>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Failure> {
    let request = SearchRequest::from_value(&body).map_err(failure)?;
    let splits = manager.splits();
    // Joins what others warm, begins the rest, and searches in memory.
    let found = manager
        .search(&splits, &request, &SearchOptions::default())
        .await;
    found.map(|response| Json(json!(response))).map_err(failure)
}

async fn ready(State(manager): State<Manager>) -> (StatusCode, Json<Value>) {
    let readiness = manager.ready(Duration::ZERO).await;
    let status = match readiness.is_ready() && !manager.splits().is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(json!(readiness)))
}

fn failure(error: forewarm::Error) -> Failure {
    let status = match error.kind() {
        ErrorKind::InvalidRequest | ErrorKind::LimitExceeded => StatusCode::BAD_REQUEST,
        ErrorKind::Store | ErrorKind::Timeout => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, Json(json!({"error": error.chain()})))
}
