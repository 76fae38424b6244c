//! `forewarm manage` over a folder in which splits come and go.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command};

use serde_json::Value;

use crate::room::{Room, command, documents, forewarm};

/// A manager that runs, and what it tells.
struct Managed {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    told: Vec<Value>,
}

impl Managed {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(&[&["manage", "--json"], arguments].concat())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        Self {
            child,
            lines: BufReader::new(stdout).lines(),
            told: Vec::new(),
        }
    }

    /// Waits until something is told that `is` it.
    fn until(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.lines.next();
            let line = line.unwrap_or_else(|| panic!("it ended, after {:#?}", self.told));
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            self.told.push(line.clone());
            if is(&line) {
                return line;
            }
        }
    }

    fn until_event(&mut self, event: &str, split: &str) -> Value {
        self.until(|line| line["event"] == event && (split.is_empty() || line["split"] == split))
    }

    /// Interrupts it as Ctrl-C does, and reads what it tells to its end.
    fn stop(mut self) -> Vec<Value> {
        let kill = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        for line in self.lines.by_ref() {
            self.told
                .push(serde_json::from_str(&line.unwrap()).unwrap());
        }
        let ended = self.child.wait().unwrap();
        assert_eq!(ended.code(), Some(0), "{:#?}", self.told);
        self.told
    }
}

fn events<'a>(told: &'a [Value], event: &str) -> Vec<&'a Value> {
    told.iter().filter(|line| line["event"] == event).collect()
}

#[test]
fn what_it_prints_is_what_happened_and_the_second_start_is_warm() {
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(900));
    room.pack(&docs, &["--docs-per-split", "300"]).ok();
    let splits = room.path("splits");
    // One of the three comes later.
    let later = room.path("later.split");
    fs::rename(format!("{splits}/docs-00002.split"), &later).unwrap();
    let bodies = room.write(
        "bodies.ndjson",
        "{\"query\": {\"match\": {\"title\": \"alpha\"}}}\n\
         {\"query\": {\"term\": {\"kind\": \"third\"}}, \"sort\": [{\"price\": \"desc\"}]}\n",
    );
    let config = room.write(
        "forewarm.toml",
        format!(
            "url = {splits:?}\n\
             hot_set = {:?}\n\
             statistics_interval = 500\n\
             [manager.refresh.trigger]\n\
             interval = 100\n",
            room.path("hot.set")
        ),
    );
    let arguments = ["--config", &config, "--bodies", &bodies, "--every", "50ms"];

    let mut managed = Managed::start(&arguments);
    managed.until_event("announced", "docs-00000.split");
    managed.until_event("announced", "docs-00001.split");
    for request in [1, 2] {
        managed.until(|line| line["event"] == "searched" && line["request"] == request);
    }
    fs::rename(&later, format!("{splits}/docs-00002.split")).unwrap();
    managed.until_event("announced", "docs-00002.split");
    let warmed = events(&managed.told, "complete");
    assert!(
        warmed
            .iter()
            .any(|job| job["source"] == "refresh" && job["gets"].as_u64() > Some(0)),
        "{warmed:#?}"
    );
    // What was hot is warm in the newcomer, and what its hits bring is there.
    let found = managed.until(|line| line["event"] == "searched");
    assert_eq!(
        (&found["gets"], &found["late_reads"]),
        (&0.into(), &0.into()),
        "{found}"
    );
    fs::remove_file(format!("{splits}/docs-00000.split")).unwrap();
    managed.until_event("retired", "docs-00000.split");
    managed.until(|line| line["event"] == "searched");
    let statistics = managed.until(|line| line["event"] == "statistics");
    assert_eq!(statistics["served"], 2);
    let told = managed.stop();
    let stopped = events(&told, "stopped");
    assert_eq!(stopped.len(), 1);
    assert_eq!(stopped[0]["hot_set_written"], true);
    assert!(events(&told, "failed").is_empty(), "{told:#?}");
    assert!(fs::metadata(room.path("hot.set")).unwrap().len() > 0);

    // Nothing was searched yet, and all is warm.
    let mut managed = Managed::start(&["--config", &config]);
    let ready = managed.until_event("ready", "");
    assert_eq!(
        (&ready["state"], &ready["warm"]),
        (&"ready".into(), &4.into()),
        "{ready}"
    );
    let statistics = managed.until(|line| line["event"] == "statistics");
    assert!(statistics["warmer"]["cached_bytes"].as_u64() > Some(0));
    managed.stop();
    let mut managed = Managed::start(&arguments);
    managed.until_event("ready", "");
    for request in [1, 2] {
        let found = managed.until(|line| line["event"] == "searched" && line["request"] == request);
        assert_eq!(found["late_reads"], 0, "{found}");
    }
    let found = managed.until(|line| line["event"] == "searched");
    assert_eq!(found["gets"], 0, "{found}");
    managed.stop();
}

#[test]
fn settings_that_cannot_be_say_where() {
    let room = Room::new();
    let splits = room.path("splits");
    fs::create_dir(&splits).unwrap();
    for (text, parts) in [
        ("", ["missing field", "url"]),
        ("url = 3", ["forewarm.toml", "string"]),
        (
            "url = \"x\"\n[manager]\nrefreshed = {}",
            ["refreshed", "line 3"],
        ),
    ] {
        let config = room.write("forewarm.toml", text);
        let run = forewarm(&["manage", "--config", &config]);
        assert_eq!(run.code, 2, "{}", run.stderr);
        for part in parts {
            assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
        }
    }
    let config = room.write(
        "forewarm.toml",
        format!("url = {splits:?}\n[manager]\ndemand_reserve = 2.0\nmax_concurrent_warmups = 0"),
    );
    let run = forewarm(&["manage", "--config", &config]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    for part in ["forewarm.toml", "demand_reserve", "max_concurrent_warmups"] {
        assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
    }
}
