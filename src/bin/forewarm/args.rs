//! The command line as clap reads it, and the help that teaches it.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand};
use forewarm::Component;

use crate::bench::BenchArgs;
use crate::generate::GenerateArgs;
use crate::manage::ManageArgs;
use crate::units::{parse_bandwidth, parse_bytes, parse_duration};
use crate::url::parse_option;
use crate::warm::WarmArgs;

const PLACES: &str = "\
Places (<URL>):
  a split, or a prefix that holds *.split, written as
    splits/            a folder, a file, or file:///data/splits
    s3://bucket/x      Amazon S3 and what speaks its protocol (AWS_* from the environment)
    az://container/x   Azure Blob Storage (AZURE_*)
    gs://bucket/x      Google Cloud Storage (GOOGLE_*)
    memory://x         memory, empty at the start: to try `pack` without keeping anything
  --option key=value adds to the environment, e.g. --option region=eu-central-1
  or --option endpoint=http://127.0.0.1:9000 --option allow_http=true

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
RUST_LOG=forewarm=debug writes what happens to standard error.";

const MAIN_EXAMPLES: &str = "\
Begin with:
  forewarm demo                                  see what warming is worth, no account needed
  forewarm pack --from docs.ndjson --schema schema.json --to splits/
  forewarm explain splits/ --query 'title:rust'
  forewarm search splits/ --query 'title:rust'

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

const PACK_EXAMPLES: &str = "\
Examples:
  forewarm pack --from docs.ndjson --schema schema.json --to splits/
  zcat *.gz | forewarm pack --from - --schema schema.json --to s3://bucket/logs --name logs
  forewarm pack --index /var/lib/my-index --to s3://bucket/logs/0001.split

The schema is tantivy's own JSON, the `schema` of a meta.json:
  [{\"name\": \"title\", \"type\": \"text\", \"options\": {\"stored\": true,
    \"indexing\": {\"record\": \"position\", \"fieldnorms\": true, \"tokenizer\": \"default\"}}},
   {\"name\": \"price\", \"type\": \"f64\", \"options\": {\"indexed\": true, \"fast\": true, \"stored\": true}}]
Keys of a line that the schema does not name are left out; null is the same as no key.
";

const INSPECT_EXAMPLES: &str = "\
Examples:
  forewarm inspect splits/docs-00000.split
  forewarm inspect s3://bucket/logs --json | jq '.splits[].documents'
";

const VERIFY_EXAMPLES: &str = "\
Examples:
  forewarm verify splits/
  forewarm verify s3://bucket/logs/0001.split --json
";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  forewarm explain splits/ --query 'title:rust AND price:[10 TO 20]'
  forewarm explain s3://bucket/logs --body body.json --simulate-latency 30ms
  echo '{\"query\": {\"prefix\": {\"title\": \"rus\"}}}' | forewarm explain splits/ --body -
";

const SEARCH_EXAMPLES: &str = "\
Examples:
  forewarm search splits/ --query 'title:rust'
  forewarm search s3://bucket/logs --body body.json --strict --json | jq .forewarm
  forewarm search splits/ --query rust --simulate-latency 30ms --repeat 3
  forewarm search splits/ --query rust --simulate-latency 30ms --no-warm
  forewarm search splits/ --body bodies.ndjson --strict
  forewarm search s3://bucket/logs --query rust --plans s3://bucket/logs/_plans

A body has the shape of an Elasticsearch _search body:
  {\"query\": {\"bool\": {\"must\": [{\"match\": {\"title\": \"rust\"}}],
                      \"filter\": [{\"range\": {\"price\": {\"gte\": 10, \"lt\": 20}}}]}},
   \"sort\": [{\"price\": \"asc\"}], \"size\": 5}
";

const DEMO_EXAMPLES: &str = "\
Examples:
  forewarm demo
  forewarm demo --simulate-latency 100ms --simulate-bandwidth 20MB/s
  forewarm demo --keep splits/ && forewarm inspect splits/
";

/// Warms tantivy splits in object storage before anyone searches them.
#[derive(Debug, Parser)]
#[command(
    name = "forewarm",
    version,
    about,
    long_about = "Warms tantivy splits in object storage before anyone searches them.\n\n\
        A split is one immutable object that holds a whole tantivy index. Before a search, forewarm\n\
        works out which bytes of each split it will read, fetches just those in as few round trips\n\
        as it can, and proves afterwards that nothing else was read.",
    after_help = MAIN_EXAMPLES,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// Answer in JSON on standard output
    #[arg(long, global = true, display_order = 900)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Pack(PackArgs),
    Inspect(InspectArgs),
    Verify(VerifyArgs),
    Warm(WarmArgs),
    Explain(ExplainArgs),
    Search(SearchArgs),
    Bench(BenchArgs),
    Demo(DemoArgs),
    Generate(GenerateArgs),
    Manage(ManageArgs),
}

/// Options of the object store.
#[derive(Args, Clone, Debug)]
pub(crate) struct StoreArgs {
    /// Set an option of the object store, e.g. region=eu-central-1; may be repeated
    #[arg(long, value_name = "KEY=VALUE", display_order = 800, value_parser = parse_option)]
    pub(crate) option: Vec<(String, String)>,
}

/// A store that is slower than it is.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct SimulateArgs {
    /// Delay each request as object storage does, with this median to the first byte, e.g. 30ms
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) simulate_latency: Option<Duration>,

    /// Pace each request's body to this bandwidth, e.g. 90MB/s
    #[arg(long, value_name = "BYTES/S", value_parser = parse_bandwidth)]
    pub(crate) simulate_bandwidth: Option<u64>,
}

/// Where plans are kept.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlanArgs {
    /// Remember here what is read, and warm by it in one round from the next time on: a folder or
    /// URL, best of its own, e.g. s3://bucket/logs/_plans
    #[arg(long, value_name = "URL")]
    pub(crate) plans: Option<String>,
}

/// What to search for: one of them. Whether it may be left out, the command says.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("request").args(["body", "query"]))]
pub(crate) struct RequestArgs {
    /// Read the request from a JSON file (`-`: standard input); `{…}` is the request itself, and
    /// `search` takes one request a line from a file that ends in .ndjson
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<String>,

    /// Search for a text in tantivy's query grammar, e.g. 'title:rust AND price:[10 TO 20]'
    #[arg(long, value_name = "TEXT")]
    pub(crate) query: Option<String>,
}

/// Which parts of splits.
#[derive(Args, Clone, Debug)]
pub(crate) struct SelectionArgs {
    /// Warm only these components, e.g. terms,postings
    #[arg(long, value_name = "LIST", value_delimiter = ',',
          value_parser = PossibleValuesParser::new(Component::SEARCHED.map(Component::name))
              .try_map(|name| name.parse::<Component>()))]
    pub(crate) component: Vec<Component>,

    /// Warm only this field, or this path of a JSON field (repo.stars) and what is below it; may be
    /// repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) field: Vec<String>,
}

/// Pack documents or an index into splits
///
/// From NDJSON (a file, or `-` for standard input, gzipped or not) it makes one split for every N
/// documents, each with one segment; from an index that exists, it makes one split. A split that
/// is interrupted half-way is not left behind.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = PACK_EXAMPLES,
    after_long_help = format!("{PACK_EXAMPLES}\n{PLACES}"),
    group = ArgGroup::new("source").required(true).args(["from", "index"])
)]
pub(crate) struct PackArgs {
    /// Index the documents of this NDJSON file (`-`: standard input)
    #[arg(long, value_name = "FILE", requires = "schema")]
    pub(crate) from: Option<String>,

    /// Pack the tantivy index in this folder as it is
    #[arg(long, value_name = "DIR", conflicts_with_all = ["schema", "skip_bad_lines"])]
    pub(crate) index: Option<String>,

    /// The fields, as a JSON file in tantivy's own form
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<String>,

    /// Write to this prefix, or to this one object if it ends in `.split`
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,

    /// Put this many documents into each split
    #[arg(long, value_name = "N", default_value_t = 500_000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) docs_per_split: u64,

    /// Name the splits NAME-00000.split and so on [default: the name of the file or folder]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub(crate) name: Option<String>,

    /// Leave out lines that are no document of the schema, and count them
    #[arg(long)]
    pub(crate) skip_bad_lines: bool,

    /// Replace splits of the same name
    #[arg(long)]
    pub(crate) overwrite: bool,

    /// Close a split early when its index outgrows this much memory
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = parse_bytes)]
    pub(crate) memory: u64,

    /// Put dictionaries of up to this many bytes into the hot bytes, where they cost no round
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = parse_bytes)]
    pub(crate) dictionary_budget: u64,

    /// End the splits with the 16-byte trailer, which older readers do not understand
    #[arg(long)]
    pub(crate) trailer: bool,

    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Show what is in a split
///
/// Format, tantivy version, segments, documents, schema, bytes per component and field, and the
/// hot bytes: what opening a split fetches.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = INSPECT_EXAMPLES,
    after_long_help = format!("{INSPECT_EXAMPLES}\n{PLACES}")
)]
pub(crate) struct InspectArgs {
    /// A split, or a prefix that holds *.split
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Check every byte of a split that can be checked
///
/// Footers, hot bytes against the body, and tantivy's checksum of every file. Exits with 1 if
/// anything is wrong with any split.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = VERIFY_EXAMPLES,
    after_long_help = format!("{VERIFY_EXAMPLES}\n{PLACES}")
)]
pub(crate) struct VerifyArgs {
    /// A split, or a prefix that holds *.split
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Show what a warmup would fetch
///
/// Ranges, GETs, bytes and rounds, per split and component. Only opens the splits and looks terms
/// up: no data beyond dictionaries is fetched, but for small splits, which come whole.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = EXPLAIN_EXAMPLES,
    after_long_help = format!("{EXPLAIN_EXAMPLES}\n{PLACES}"),
    group = ArgGroup::new("what").required(true).args(["body", "query"])
)]
pub(crate) struct ExplainArgs {
    /// A split, or a prefix that holds *.split
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    #[command(flatten)]
    pub(crate) request: RequestArgs,

    #[command(flatten)]
    pub(crate) simulate: SimulateArgs,

    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Warm splits, join the warmup, and search them
///
/// Prints the hits and what they cost. With --json the answer has the shape of an Elasticsearch
/// _search response, with the cost of the whole command under the key "forewarm".
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = SEARCH_EXAMPLES,
    after_long_help = format!("{SEARCH_EXAMPLES}\n{PLACES}"),
    group = ArgGroup::new("what").required(true).args(["body", "query"])
)]
pub(crate) struct SearchArgs {
    /// A split, or a prefix that holds *.split
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    #[command(flatten)]
    pub(crate) request: RequestArgs,

    /// Return this many hits, whatever the body says
    #[arg(long, value_name = "N")]
    pub(crate) size: Option<usize>,

    /// Read on demand instead of warming
    #[arg(long, conflicts_with_all = ["strict", "plans"])]
    pub(crate) no_warm: bool,

    /// Fail if the search reads anything that its warmup did not fetch
    #[arg(long)]
    pub(crate) strict: bool,

    /// Search this many times with one warmer: from the second on everything is warm
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) repeat: u32,

    /// Wait this long for a warmup before searching without it [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) deadline: Option<Duration>,

    #[command(flatten)]
    pub(crate) plans: PlanArgs,

    #[command(flatten)]
    pub(crate) simulate: SimulateArgs,

    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Show cold, warmed and warm searches side by side
///
/// Makes seeded documents that look real, packs them into splits in a temporary folder, and
/// searches them through a store that behaves like S3: each request cold without warming, cold
/// with warming, and warm.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_help = DEMO_EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Make this many documents
    #[arg(long, value_name = "N", default_value_t = 200_000,
          value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) docs: u64,

    /// Pack them into this many splits
    #[arg(long, value_name = "N", default_value_t = 8,
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) splits: u64,

    /// Begin the random numbers of documents and store here
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub(crate) seed: u64,

    /// The store's median time to the first byte
    #[arg(long, value_name = "DURATION", default_value = "30ms", value_parser = parse_duration)]
    pub(crate) simulate_latency: Duration,

    /// The store's bandwidth per connection
    #[arg(long, value_name = "BYTES/S", default_value = "90MB/s", value_parser = parse_bandwidth)]
    pub(crate) simulate_bandwidth: u64,

    /// Write the splits to this folder and keep them
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<String>,
}

/// A name for splits: one part of a path.
fn parse_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('.') || text.contains(['/', '\\']) {
        return Err("a name is not empty, holds no slash and does not begin with a dot".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_request_is_a_body_or_a_query_but_not_both() {
        let parse = |arguments: &[&str]| {
            Cli::try_parse_from([&["forewarm", "search", "x"], arguments].concat())
        };
        assert!(parse(&["--query", "a"]).is_ok());
        assert!(parse(&["--body", "-"]).is_ok());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--query", "a", "--body", "b.json"]).is_err());
        assert!(parse(&["--query", "a", "--strict", "--no-warm"]).is_err());
        assert!(parse(&["--query", "a", "--plans", "b", "--no-warm"]).is_err());
    }

    #[test]
    fn documents_need_a_schema_and_an_index_has_its_own() {
        let parse = |arguments: &[&str]| {
            Cli::try_parse_from([&["forewarm", "pack", "--to", "x"], arguments].concat())
        };
        assert!(parse(&["--from", "a", "--schema", "b"]).is_ok());
        assert!(parse(&["--index", "a"]).is_ok());
        assert!(parse(&["--from", "a"]).is_err());
        assert!(parse(&["--index", "a", "--schema", "b"]).is_err());
        assert!(parse(&["--index", "a", "--name", "../b"]).is_err());
        assert!(parse(&[]).is_err());
    }
}
