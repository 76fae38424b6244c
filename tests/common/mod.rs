//! What integration tests over stores share.

pub mod s3_server;

use std::any::Any;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use forewarm::{SimulatedSettings, SimulatedStore};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore};

use self::s3_server::S3Server;

/// The account and key of every Azurite, from Microsoft's documentation.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// An empty store, kept alive by the value.
pub struct StoreUnderTest {
    /// What to call it in messages.
    pub name: &'static str,
    /// The store itself.
    pub store: Arc<dyn ObjectStore>,
    /// The folder or server behind it.
    _behind: Box<dyn Any + Send>,
}

impl StoreUnderTest {
    fn new(name: &'static str, store: impl ObjectStore, behind: impl Any + Send) -> Self {
        Self {
            name,
            store: Arc::new(store),
            _behind: Box::new(behind),
        }
    }
}

impl fmt::Debug for StoreUnderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Every kind of store that a test can have here, each of them empty.
///
/// SeaweedFS takes part when `FOREWARM_TEST_S3_ENDPOINT` is set (`http://127.0.0.1:8333`; bucket
/// `forewarm`, access key `forewarm`, secret key `forewarm-secret`), Azurite when
/// `FOREWARM_TEST_AZURE_ENDPOINT` is (`http://127.0.0.1:10000`; container `forewarm`). `.ci/run` starts
/// both and sets these.
pub fn stores() -> Vec<StoreUnderTest> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let local = LocalFileSystem::new_with_prefix(folder.path()).expect("a folder that exists");
    let mut settings = SimulatedSettings::default();
    settings.first_byte = Duration::from_millis(2);
    let simulated = SimulatedStore::new(Arc::new(InMemory::new()), settings);
    let server = S3Server::start();
    server.set_latency(Duration::from_millis(1), 1);
    let mut stores = vec![
        StoreUnderTest::new("memory", InMemory::new(), ()),
        StoreUnderTest::new("local", local, folder),
        StoreUnderTest::new("simulated", simulated, ()),
        StoreUnderTest::new("s3 server", server.store(), server),
    ];
    stores.extend(seaweedfs());
    stores.extend(azurite());
    stores
}

fn seaweedfs() -> Option<StoreUnderTest> {
    let endpoint = endpoint("SeaweedFS", "FOREWARM_TEST_S3_ENDPOINT")?;
    let store = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_bucket_name("forewarm")
        .with_region("us-east-1")
        .with_access_key_id("forewarm")
        .with_secret_access_key("forewarm-secret")
        .with_virtual_hosted_style_request(false)
        .with_client_options(client())
        .build()
        .expect("valid settings of SeaweedFS");
    Some(StoreUnderTest::new(
        "SeaweedFS",
        PrefixStore::new(store, fresh_prefix()),
        (),
    ))
}

fn azurite() -> Option<StoreUnderTest> {
    let endpoint = endpoint("Azurite", "FOREWARM_TEST_AZURE_ENDPOINT")?;
    // Not `with_use_emulator`, which takes a port only from a variable of the process.
    let store = MicrosoftAzureBuilder::new()
        .with_endpoint(format!(
            "{}/{AZURITE_ACCOUNT}",
            endpoint.trim_end_matches('/')
        ))
        .with_account(AZURITE_ACCOUNT)
        .with_access_key(AZURITE_KEY)
        .with_container_name("forewarm")
        .with_client_options(client())
        .build()
        .expect("valid settings of Azurite");
    Some(StoreUnderTest::new(
        "Azurite",
        PrefixStore::new(store, fresh_prefix()),
        (),
    ))
}

fn endpoint(name: &str, variable: &str) -> Option<String> {
    let endpoint = std::env::var(variable)
        .ok()
        .filter(|endpoint| !endpoint.is_empty());
    if endpoint.is_none() {
        eprintln!("skipped: {name}, because {variable} is not set");
    }
    endpoint
}

fn client() -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(true)
        .with_read_timeout(Duration::from_secs(20))
}

/// A prefix that no other test and no earlier run has used: servers outlive tests.
fn fresh_prefix() -> String {
    format!("run-{:016x}", RandomState::new().build_hasher().finish())
}
