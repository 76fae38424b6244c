//! Running the program, and room for what it writes.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const SCHEMA: &str = r#"[
    {"name": "id", "type": "u64", "options": {"indexed": true, "fast": true, "stored": true}},
    {"name": "title", "type": "text", "options": {"stored": true,
        "indexing": {"record": "position", "fieldnorms": true, "tokenizer": "default"}}},
    {"name": "kind", "type": "text", "options": {"stored": true, "fast": true,
        "indexing": {"record": "basic", "fieldnorms": false, "tokenizer": "raw"}}},
    {"name": "price", "type": "f64", "options": {"indexed": true, "fast": true, "stored": true}}
]"#;

pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: std::process::Output) -> Self {
        Self {
            code: output.status.code().expect("ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forewarm"));
    command.args(arguments).env_remove("RUST_LOG");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn forewarm(arguments: &[&str]) -> Run {
    Run::of(command(arguments).output().unwrap())
}

pub(crate) fn start_with_input(arguments: &[&str], input: &[u8]) -> Child {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    child.stdin = Some(stdin);
    child
}

pub(crate) fn forewarm_with_input(arguments: &[&str], input: &[u8]) -> Run {
    // `wait_with_output` closes the input first.
    Run::of(
        start_with_input(arguments, input)
            .wait_with_output()
            .unwrap(),
    )
}

/// A folder with a schema, documents and room for splits.
pub(crate) struct Room {
    pub(crate) folder: TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("schema.json"), SCHEMA).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.folder.path().join(name), bytes).unwrap();
        self.path(name)
    }

    pub(crate) fn pack(&self, from: &str, more: &[&str]) -> Run {
        let (schema, to) = (self.path("schema.json"), self.path("splits"));
        let arguments = [
            "pack", "--from", from, "--schema", &schema, "--to", &to, "--json",
        ];
        forewarm(&[&arguments, more].concat())
    }

    pub(crate) fn files(&self, name: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder.path().join(name)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }
}

pub(crate) fn documents(count: u64) -> String {
    const WORDS: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];
    let line = |id: u64| {
        let word = |n: u64| WORDS[(n % 5) as usize];
        let title = format!("{} {} number{id}", word(id), word(id / 5));
        let kind = if id.is_multiple_of(3) {
            "third"
        } else {
            "other"
        };
        json!({"id": id, "title": title, "kind": kind, "price": id as f64 / 4.0}).to_string() + "\n"
    };
    (0..count).map(line).collect()
}
