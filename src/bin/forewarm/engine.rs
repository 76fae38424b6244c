//! What the commands ask of the library, in one place.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    OnMiss, PlanStore, SearchReport, SearchRequest, SimulatedSettings, SimulatedStore, Warmer,
    WarmerSettings,
};
use object_store::ObjectStore;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::{RequestArgs, SimulateArgs};
use crate::failure::{Failure, Outcome};

/// The longest body read, in bytes.
const MAX_BODY: u64 = 64 << 20;

/// Reads the request that the arguments name.
///
/// # Errors
///
/// When the body cannot be read, or is no request.
pub(crate) async fn request(args: &RequestArgs) -> Outcome<SearchRequest> {
    let (name, json) = match (&args.body, &args.query) {
        // No file is called like this: somebody gave the body itself.
        (Some(body), _) if body.trim_start().starts_with('{') => {
            ("--body".to_owned(), body.clone())
        }
        (Some(body), _) => (body_name(body), read_body(body).await?),
        (None, Some(text)) => (
            "--query".to_owned(),
            json!({"query": {"query_string": {"query": text}}}).to_string(),
        ),
        // clap asks for one of them.
        (None, None) => return Err(Failure::usage("give --body or --query")),
    };
    SearchRequest::from_json(&json)
        .map_err(|error| Failure::failed(format!("{name}: {}", error.chain())))
}

/// The bodies of a file that ends in `.ndjson`, one a line, with the numbers of their lines; `None`
/// when the arguments name something else.
///
/// # Errors
///
/// When the file cannot be read, or a line is no request.
pub(crate) async fn requests(args: &RequestArgs) -> Outcome<Option<Vec<(usize, SearchRequest)>>> {
    let name = args.body.as_ref().filter(|name| name.ends_with(".ndjson"));
    let Some(name) = name.filter(|name| !name.trim_start().starts_with('{')) else {
        return Ok(None);
    };
    bodies(name).await.map(Some)
}

/// The bodies of a file, one a line, with the numbers of their lines.
///
/// # Errors
///
/// As [`requests`].
pub(crate) async fn bodies(name: &str) -> Outcome<Vec<(usize, SearchRequest)>> {
    let text = read_body(name).await?;
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let bodies = lines.filter(|(_, line)| !line.trim().is_empty());
    let requests = bodies.map(|(line, body)| {
        let request = SearchRequest::from_json(body)
            .map_err(|error| Failure::failed(format!("{name}:{line}: {}", error.chain())))?;
        Ok((line, request))
    });
    requests.collect()
}

fn body_name(body: &str) -> String {
    if body == "-" {
        "standard input".to_owned()
    } else {
        body.to_owned()
    }
}

async fn read_body(body: &str) -> Outcome<String> {
    let path = body.to_owned();
    let read = move || {
        let input: Box<dyn Read> = match path.as_str() {
            "-" => Box::new(std::io::stdin()),
            path => Box::new(std::fs::File::open(path)?),
        };
        let mut text = String::new();
        input.take(MAX_BODY).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    tokio::task::spawn_blocking(read)
        .await?
        .map_err(|error| Failure::caused(format!("cannot read {}", body_name(body)), &error))
}

/// The store, slowed down if the arguments ask for that.
pub(crate) fn simulate(store: Arc<dyn ObjectStore>, args: SimulateArgs) -> Arc<dyn ObjectStore> {
    if args.simulate_latency.is_none() && args.simulate_bandwidth.is_none() {
        return store;
    }
    slow_store(
        store,
        args.simulate_latency.unwrap_or_default(),
        // 0: bodies are not paced.
        args.simulate_bandwidth.unwrap_or_default(),
        0,
    )
}

/// A store that answers as S3 does.
pub(crate) fn slow_store(
    store: Arc<dyn ObjectStore>,
    first_byte: Duration,
    bytes_per_second: u64,
    seed: u64,
) -> Arc<dyn ObjectStore> {
    let mut settings = SimulatedSettings::default();
    settings.first_byte = first_byte;
    settings.bytes_per_second = bytes_per_second;
    settings.seed = seed;
    Arc::new(SimulatedStore::new(store, settings))
}

/// A warmer that knows nothing yet.
///
/// # Errors
///
/// When the settings cannot be.
pub(crate) fn warmer(
    store: Arc<dyn ObjectStore>,
    strict: bool,
    deadline: Option<Duration>,
) -> Outcome<Warmer> {
    warmer_with_plans(store, strict, deadline, None)
}

/// A warmer that keeps plans, if there is somewhere to.
///
/// # Errors
///
/// When the settings cannot be.
pub(crate) fn warmer_with_plans(
    store: Arc<dyn ObjectStore>,
    strict: bool,
    deadline: Option<Duration>,
    plans: Option<Arc<dyn PlanStore>>,
) -> Outcome<Warmer> {
    let mut settings = WarmerSettings::default();
    if strict {
        settings.on_miss = OnMiss::Fail;
    }
    if let Some(deadline) = deadline {
        settings.join_deadline = deadline;
    }
    let mut builder = Warmer::builder(store).settings(settings);
    if let Some(plans) = plans {
        builder = builder.plan_store(plans);
    }
    Ok(builder.build()?)
}

/// What a search cost, or several of them together.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Cost {
    pub(crate) outcome: String,
    pub(crate) gets: u64,
    pub(crate) bytes: u64,
    pub(crate) rounds: u64,
    pub(crate) late_reads: u64,
    pub(crate) open_us: u64,
    pub(crate) warmup_us: u64,
    pub(crate) join_us: u64,
    pub(crate) search_us: u64,
    pub(crate) fetch_docs_us: u64,
    pub(crate) splits: u64,
    /// Why a warmup failed, when one did; its search read on demand instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

impl Cost {
    /// The cost of one search.
    pub(crate) fn of(report: &SearchReport) -> Self {
        Self {
            outcome: report.outcome.to_string(),
            gets: report.gets,
            bytes: report.bytes,
            rounds: report.rounds,
            late_reads: report.late_reads,
            open_us: report.open_us,
            warmup_us: report.warmup_us,
            join_us: report.join_us,
            search_us: report.search_us,
            fetch_docs_us: report.fetch_docs_us,
            splits: report.splits as u64,
            failure: report.failure.clone(),
        }
    }

    /// The cost of searches one after another; the outcome is the first one's, which warmed.
    pub(crate) fn sum(costs: &[Self]) -> Self {
        let mut sum = costs.first().cloned().unwrap_or_default();
        for cost in costs.iter().skip(1) {
            sum.gets += cost.gets;
            sum.bytes += cost.bytes;
            sum.rounds += cost.rounds;
            sum.late_reads += cost.late_reads;
            sum.open_us += cost.open_us;
            sum.warmup_us += cost.warmup_us;
            sum.join_us += cost.join_us;
            sum.search_us += cost.search_us;
            sum.fetch_docs_us += cost.fetch_docs_us;
            sum.failure = sum.failure.or_else(|| cost.failure.clone());
        }
        sum
    }
}

/// Any answer of the library as JSON.
///
/// # Errors
///
/// When it has no JSON form, which is a bug.
pub(crate) fn value(answer: &impl Serialize) -> Outcome<Value> {
    serde_json::to_value(answer).map_err(|error| Failure::caused("cannot write JSON", &error))
}
