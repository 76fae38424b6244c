//! A service that is killed at random moments comes up each time, and warm.
//!
//! The service is this test binary, started again: it preloads, searches, and says how far it has
//! come, a line at a time. Its killer picks a line and a moment after it by a seed. `FOREWARM_KILLS`
//! tells how often (50, and 20 in debug builds, which take a second each), and `FOREWARM_SEED` the
//! seed.

use std::env;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use forewarm::{
    HotSetFile, HotSetSettings, HotSetStore, Manager, ManagerSettings, PreloadSettings, Result,
    SearchOptions, SearchRequest, SplitAddress,
};
use object_store::local::LocalFileSystem;
use serde_json::json;

use crate::fixture::{index, packed, request, scattered, strict, warmer, with_documents};
use crate::test_store::TestStore;

const SPLITS: usize = 10;
const REQUESTS: usize = 50;
const PAIRS: u64 = (SPLITS * REQUESTS) as u64;
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a service works.
const FOLDER: &str = "FOREWARM_KILLED_FOLDER";
/// That all pairs were asked before, and written.
const WARM: &str = "FOREWARM_KILLED_WARM";
/// That it ends by itself.
const ENDS: &str = "FOREWARM_KILLED_ENDS";
/// Begins each line that it says.
const MARK: &str = "service: ";

fn say(line: impl AsRef<str>) {
    println!("{MARK}{}", line.as_ref());
}

fn split(n: usize) -> String {
    format!("{n}.split")
}

fn some_request(n: usize) -> SearchRequest {
    match n % 3 {
        0 => with_documents(json!({"match": {"body": format!("w{n} sea1")}})),
        1 => request(json!({"range": {"price": {"gte": n, "lt": n + 20}}})),
        _ => with_documents(json!({"bool": {
            "must": [{"match": {"body": format!("w{n}")}}],
            "filter": [{"term": {"tag": format!("t{}", n % 5)}}],
        }})),
    }
}

/// Says when it is written, which is when killing hurts most.
#[derive(Debug)]
struct Talking(HotSetFile);

#[async_trait]
impl HotSetStore for Talking {
    async fn read(&self, limit: u64) -> Result<Option<Bytes>> {
        self.0.read(limit).await
    }

    async fn write(&self, bytes: Bytes) -> Result<()> {
        say("writing");
        self.0.write(bytes).await?;
        say("written");
        Ok(())
    }
}

#[test]
#[ignore = "is the service that the other test starts and kills"]
fn a_service() {
    let Ok(folder) = env::var(FOLDER) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(serve(Path::new(&folder)));
}

async fn serve(folder: &Path) {
    let splits: Vec<_> = (0..SPLITS)
        .map(|n| SplitAddress::new(split(n).into()))
        .collect();
    let local = LocalFileSystem::new_with_prefix(folder.join("splits")).unwrap();
    let store = TestStore::new(Arc::new(local));
    let hot_set = HotSetSettings::default().with_interval(Duration::from_millis(20));
    let settings = ManagerSettings::default()
        .with_hot_set(hot_set)
        .with_preload(Some(PreloadSettings::default()));
    let manager = Manager::builder(warmer(store.clone(), strict()))
        .settings(settings)
        .hot_set(Talking(HotSetFile::new(folder.join("hot-set")).unwrap()))
        .build()
        .unwrap();
    manager.announce(splits.clone());
    say("started");
    manager.start();
    let readiness = manager.ready(PATIENCE).await;
    assert!(readiness.is_ready(), "{readiness:?}");
    let status = manager.hot_set().unwrap();
    assert_eq!(status.not_loaded, None);
    assert_eq!(readiness.wanted, status.loaded_pairs);
    say(format!("loaded {}", status.loaded_pairs));
    let is_warm = env::var_os(WARM).is_some();
    if is_warm {
        assert_eq!((status.loaded_pairs, status.loaded_plans), (PAIRS, PAIRS));
    }
    store.take();
    for n in 0..REQUESTS {
        for split in &splits {
            let (request, options) = (some_request(n), SearchOptions::default());
            let searched = manager.search(std::slice::from_ref(split), &request, &options);
            // Strict: a late read is an error.
            let report = searched.await.unwrap().report;
            assert!(!is_warm || report.gets == 0, "{split} {n}: {report:?}");
        }
    }
    if is_warm {
        assert_eq!(store.take(), [], "a search sent a GET");
        say("warm");
    }
    if env::var_os(ENDS).is_some() {
        assert!(manager.shutdown(PATIENCE).await.hot_set_written);
        say("ended");
        return;
    }
    say("asked");
    // Goes on being asked until it is killed.
    for n in 0.. {
        let request = some_request(scattered(n) as usize % REQUESTS);
        let options = SearchOptions::default();
        manager.search(&splits, &request, &options).await.unwrap();
        tokio::task::yield_now().await;
    }
}

/// A service, killed when it is dropped.
struct Service {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Service {
    fn start(folder: &Path, settings: &[&str]) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "killed::a_service", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped());
        command.envs(settings.iter().map(|name| (name, "1")));
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What it says next; nothing when it has ended.
    fn line(&mut self) -> Option<String> {
        loop {
            let line = self.lines.next()?.unwrap();
            // What the test harness says may stand before it.
            if let Some((_, said)) = line.split_once(MARK) {
                return Some(said.to_owned());
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was seen of all services.
#[derive(Debug, Default)]
struct Seen {
    /// The most pairs that one found.
    loaded: u64,
    /// That all pairs were asked, and written since.
    is_full: bool,
    /// Services that found everything warm.
    warm: usize,
    /// Kills between the beginning and the end of a write.
    in_writes: usize,
    before_ready: usize,
}

/// Runs a service until a moment that `random` tells, and kills it.
fn run_and_kill(folder: &Path, mut random: u64, seen: &mut Seen) {
    let mut draw = |below: u64| {
        random = scattered(random + 1);
        (random >> 8) % below
    };
    let after = [
        "started", "loaded", "warm", "asked", "writing", "writing", "writing", "written",
    ];
    let after = after[draw(8) as usize];
    // So many of those lines, for writes come many times.
    let mut skip = if after.starts_with("writ") {
        draw(15)
    } else {
        0
    };
    // Mostly short: a write takes about a millisecond.
    let moment = Duration::from_micros(draw(20_000) >> draw(10));
    let warm: &[_] = if seen.is_full { &[WARM] } else { &[] };
    let mut service = Service::start(folder, warm);
    let (mut is_asked, mut writes, mut is_writing, mut is_ready) = (false, 0, false, false);
    loop {
        let line = service
            .line()
            .expect("a service that runs until it is killed");
        is_writing = line == "writing" || (is_writing && line != "written");
        is_ready |= line.starts_with("loaded");
        is_asked |= line == "asked";
        // The second write that ends was begun after all was asked.
        writes += u64::from(is_asked && line == "written");
        seen.is_full |= writes >= 2;
        seen.warm += usize::from(line == "warm");
        if let Some(loaded) = line.strip_prefix("loaded ") {
            let loaded = loaded.parse().unwrap();
            assert!(loaded >= seen.loaded, "{loaded} pairs of {seen:?}");
            assert!(
                loaded == PAIRS || !seen.is_full,
                "{loaded} pairs of {seen:?}"
            );
            seen.loaded = loaded;
        }
        // A service that is not warm does not say so.
        let is_it = line.starts_with(after) || (after == "warm" && line == "asked");
        if is_it && skip == 0 {
            break;
        }
        skip -= u64::from(is_it);
    }
    // A moment that nobody waits for: it is to be any.
    std::thread::sleep(moment);
    service.child.kill().unwrap();
    let status = service.child.wait().unwrap();
    assert!(!status.success(), "{status}");
    // What it said before it was gone.
    while let Some(line) = service.line() {
        is_writing = line == "writing" || (is_writing && line != "written");
        is_ready |= line.starts_with("loaded");
    }
    seen.in_writes += usize::from(is_writing);
    seen.before_ready += usize::from(!is_ready);
}

const DEFAULT_KILLS: u64 = if cfg!(debug_assertions) { 20 } else { 50 };

#[test]
fn a_service_that_is_killed_at_any_moment_comes_up_warm() {
    let number = |name: &str, default: u64| {
        let given = env::var(name).ok();
        given.map_or(default, |given| given.parse().expect("a number"))
    };
    let kills = number("FOREWARM_KILLS", DEFAULT_KILLS);
    let seed = number("FOREWARM_SEED", 5);
    let folder = tempfile::tempdir().unwrap();
    write_splits(&folder.path().join("splits"));
    let mut seen = Seen::default();
    for kill in 0..kills {
        run_and_kill(folder.path(), scattered(seed << 32 | kill), &mut seen);
    }
    let staged = names(folder.path())
        .iter()
        .filter(|name| name.starts_with(".staged-"))
        .count();
    let bytes = std::fs::metadata(folder.path().join("hot-set")).map_or(0, |it| it.len());
    println!("{kills} kills, seed {seed}: {seen:?}, {bytes} bytes, {staged} staged files left");

    // A few kills may miss the writes.
    if kills >= DEFAULT_KILLS {
        let at_bad_moments = seen.in_writes + seen.before_ready;
        assert!(at_bad_moments > 0, "{seen:?}");
    }

    // One that nobody kills tells all who came before, and who never asked.
    while !seen.is_full {
        let mut service = Service::start(folder.path(), &[]);
        while service.line().expect("a service that runs") != "asked" {}
        let mut writes = 0;
        while writes < 2 {
            let line = service.line().expect("a service that runs");
            writes += usize::from(line == "written");
        }
        seen.is_full = true;
    }
    let mut service = Service::start(folder.path(), &[WARM, ENDS]);
    let said: Vec<_> = std::iter::from_fn(|| service.line()).collect();
    assert!(service.child.wait().unwrap().success());
    for expected in [&format!("loaded {PAIRS}"), "warm", "ended"] {
        assert!(
            said.iter().any(|line| line == expected),
            "{expected}: {said:?}"
        );
    }
}

fn write_splits(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    for n in 0..SPLITS {
        let packed = packed(&index(1, 150 + n as u64, n as u64));
        std::fs::write(folder.join(split(n)), packed.to_vec().unwrap()).unwrap();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.collect::<Vec<_>>()
}
