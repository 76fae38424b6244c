//! `forewarm pack`: documents or an index into splits.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Instant;

use forewarm::{PackSettings, PackedSplit};
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Serialize;
use tantivy::Directory;
use tantivy::schema::Schema;
use tokio::sync::mpsc;

use crate::args::PackArgs;
use crate::failure::{Failure, Outcome};
use crate::index::{Indexed, Indexer, Indexing};
use crate::ndjson::Lines;
use crate::session::{Progress, Session};
use crate::uploads::TidyStore;
use crate::url::{Place, SPLIT_SUFFIX};
use crate::{schema, units};

/// What the command answers.
#[derive(Debug, Serialize)]
struct Report {
    splits: Vec<Uploaded>,
    docs: u64,
    bad_lines: u64,
    bytes: u64,
    took_ms: u64,
}

/// One split that is in the store.
#[derive(Debug, Serialize)]
struct Uploaded {
    path: String,
    docs: u64,
    bytes: u64,
    /// The footer's first byte and the byte after it, for a catalogue to keep.
    footer: [u64; 2],
    /// Closed before it had all its documents, because its index outgrew `--memory`.
    closed_early: bool,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &PackArgs) -> Outcome {
    let start = Instant::now();
    let schema = args.schema.as_deref().map(read_schema).transpose()?;
    let place = Place::to_write(&args.to, &args.store.option)?;
    let target = Target::new(session, place, args).await?;
    let (splits, indexing) = match (&args.from, &args.index, schema) {
        (Some(from), _, Some(schema)) => {
            pack_documents(session, args, from, schema, &target).await?
        }
        (_, Some(index), _) => (vec![pack_index(index, &target).await?], Indexing::default()),
        // clap asks for one of them; `--from` requires `--schema`.
        _ => return Err(Failure::usage("give --from and --schema, or --index")),
    };
    target.remove_replaced(&splits).await?;
    session.written().keep();
    let report = Report {
        docs: splits.iter().map(|split| split.docs).sum(),
        bad_lines: indexing.bad_lines,
        bytes: splits.iter().map(|split| split.bytes).sum(),
        took_ms: start.elapsed().as_millis() as u64,
        splits,
    };
    if session.json() {
        session.print_json(&report)
    } else {
        print(session, &report)
    }
}

fn print(session: &Session, report: &Report) -> Outcome {
    for split in &report.splits {
        session.print(format!(
            "{}  {}  {}  footer {}..{}{}",
            split.path,
            units::counted(split.docs, "document"),
            units::bytes(split.bytes),
            split.footer[0],
            split.footer[1],
            if split.closed_early {
                "  closed early: --memory"
            } else {
                ""
            }
        ))?;
    }
    session.print(format!(
        "packed {} into {} ({}) in {}{}",
        units::counted(report.docs, "document"),
        units::counted(report.splits.len() as u64, "split"),
        units::bytes(report.bytes),
        units::duration(std::time::Duration::from_millis(report.took_ms)),
        match report.bad_lines {
            0 => String::new(),
            lines => format!(", skipped {}", units::counted(lines, "bad line")),
        }
    ))
}

fn read_schema(path: &str) -> Outcome<Schema> {
    let json = std::fs::read_to_string(path)
        .map_err(|error| Failure::caused(format!("cannot read schema {path}"), &error))?;
    schema::parse(&json).map_err(|reason| Failure::failed(format!("schema {path}: {reason}")))
}

/// Where splits go, and what they are called.
struct Target {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    naming: Naming,
    settings: PackSettings,
    /// Splits of the same name that were there before.
    replaced: Vec<Path>,
}

enum Naming {
    /// The one object that `--to` names.
    Single,
    /// `name-00000.split` and so on.
    Numbered(String),
}

impl Target {
    async fn new(session: &Session, place: Place, args: &PackArgs) -> Outcome<Self> {
        let naming = if place.is_split() {
            Naming::Single
        } else {
            let source = args
                .from
                .as_deref()
                .or(args.index.as_deref())
                .unwrap_or_default();
            Naming::Numbered(args.name.clone().unwrap_or_else(|| default_name(source)))
        };
        let mut target = Self {
            store: Arc::new(TidyStore::new(place.store, session.written().clone())),
            prefix: place.path,
            naming,
            settings: settings(args),
            replaced: Vec::new(),
        };
        target.replaced = target.existing().await?;
        match target.replaced.first() {
            Some(path) if !args.overwrite => Err(Failure::failed(format!(
                "{} holds {} already: give --overwrite to replace it, or another {}",
                args.to,
                path.filename().unwrap_or_default(),
                if matches!(target.naming, Naming::Single) {
                    "--to"
                } else {
                    "--name"
                }
            ))),
            _ => Ok(target),
        }
    }

    /// The objects at the target that this command would replace or be mixed up with.
    async fn existing(&self) -> Outcome<Vec<Path>> {
        let Naming::Numbered(name) = &self.naming else {
            return match self.store.head(&self.prefix).await {
                Ok(_) => Ok(vec![self.prefix.clone()]),
                Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
                Err(error) => Err(error.into()),
            };
        };
        let prefix = (!self.prefix.as_ref().is_empty()).then_some(&self.prefix);
        let depth = self.prefix.parts().count() + 1;
        let objects = self.store.list(prefix).try_filter_map(|object| async move {
            let path = object.location;
            let same = path.parts().count() == depth
                && path.filename().is_some_and(|file| is_numbered(file, name));
            Ok(same.then_some(path))
        });
        Ok(objects.try_collect().await?)
    }

    fn path(&self, number: usize) -> Outcome<Path> {
        match &self.naming {
            Naming::Single if number > 0 => Err(Failure::failed(format!(
                "the documents make more than the one split {}: give --to a prefix, or raise \
                 --docs-per-split or --memory",
                self.prefix
            ))),
            Naming::Single => Ok(self.prefix.clone()),
            Naming::Numbered(name) => Ok(self
                .prefix
                .clone()
                .join(format!("{name}-{number:05}{SPLIT_SUFFIX}"))),
        }
    }

    async fn upload(
        &self,
        number: usize,
        packed: &PackedSplit,
        docs: u64,
        closed_early: bool,
    ) -> Outcome<Uploaded> {
        let path = self.path(number)?;
        packed.upload(&self.store, &path).await?;
        let footer = packed.footer_range();
        Ok(Uploaded {
            path: path.to_string(),
            docs,
            bytes: packed.len(),
            footer: [footer.start, footer.end],
            closed_early,
        })
    }

    /// Removes splits of an earlier set of the same name that had more members.
    async fn remove_replaced(&self, splits: &[Uploaded]) -> Outcome {
        for path in &self.replaced {
            if !splits.iter().any(|split| split.path == path.as_ref()) {
                self.store.delete(path).await?;
            }
        }
        Ok(())
    }
}

fn settings(args: &PackArgs) -> PackSettings {
    let mut settings = PackSettings::default();
    settings.trailer = args.trailer;
    settings.term_dictionary_budget = args.dictionary_budget;
    settings.column_dictionary_budget = args.dictionary_budget;
    settings
}

/// Whether a file is called `name-<digits>.split`.
fn is_numbered(file: &str, name: &str) -> bool {
    file.strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('-'))
        .and_then(|rest| rest.strip_suffix(SPLIT_SUFFIX))
        .is_some_and(|digits| digits.len() >= 5 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// `logs/wiki.ndjson.gz` → `wiki`.
fn default_name(source: &str) -> String {
    let file = FilePath::new(source)
        .file_name()
        .and_then(|name| name.to_str());
    let stem = file.and_then(|name| name.split('.').find(|part| !part.is_empty()));
    match stem {
        Some(stem) if source != "-" => stem.to_owned(),
        _ => "docs".to_owned(),
    }
}

async fn pack_documents(
    session: &Session,
    args: &PackArgs,
    from: &str,
    schema: Schema,
    target: &Target,
) -> Outcome<(Vec<Uploaded>, Indexing)> {
    let (input, size) = open_input(from)?;
    let progress = Progress::over_bytes("indexing", size);
    let bar = progress.bar().clone();
    // Standard input may not answer for a while: it is first read on the worker's thread.
    let source = source_name(from);
    let interrupt = session.interrupt().clone();
    let (docs_per_split, memory, skip_bad_lines) =
        (args.docs_per_split, args.memory, args.skip_bad_lines);
    let (sender, mut receiver) = mpsc::channel::<Indexed>(1);
    let worker = tokio::task::spawn_blocking(move || {
        let lines = Lines::new(bar.wrap_read(input))
            .map_err(|error| Failure::caused(format!("cannot read {source}"), &error))?;
        let indexer = Indexer {
            lines,
            source,
            schema,
            docs_per_split,
            memory,
            skip_bad_lines,
            interrupt,
            bar,
        };
        // The receiver is gone when an upload failed: then that failure is the one to report.
        indexer.run(|indexed| {
            sender
                .blocking_send(indexed)
                .map_err(|_| Failure::failed("upload stopped"))
        })
    });
    let mut splits = Vec::new();
    while let Some(indexed) = receiver.recv().await {
        let packed = pack_directory(indexed.directory, target.settings.clone()).await?;
        let number = splits.len();
        splits.push(
            target
                .upload(number, &packed, indexed.docs, indexed.early)
                .await?,
        );
    }
    let indexing = worker.await??;
    drop(progress);
    for example in &indexing.examples {
        session.note(format!("skipped {example}"));
    }
    let unseen = indexing
        .bad_lines
        .saturating_sub(indexing.examples.len() as u64);
    if unseen > 0 {
        session.note(format!(
            "skipped {} more",
            units::counted(unseen, "bad line")
        ));
    }
    if splits.is_empty() {
        return Err(Failure::failed(format!(
            "{} holds no documents",
            source_name(from)
        )));
    }
    Ok((splits, indexing))
}

fn source_name(from: &str) -> String {
    if from == "-" {
        "standard input".to_owned()
    } else {
        from.to_owned()
    }
}

/// The input and its size in bytes where it has one.
fn open_input(from: &str) -> Outcome<(Box<dyn Read + Send>, Option<u64>)> {
    if from == "-" {
        return Ok((Box::new(io::stdin()), None));
    }
    let open = || {
        let file = File::open(from)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        Ok((file, metadata.is_file().then_some(metadata.len())))
    };
    let (file, size) =
        open().map_err(|error| Failure::caused(format!("cannot read {from}"), &error))?;
    Ok((Box::new(file), size))
}

/// Packs on a thread that may block: packing computes.
pub(crate) async fn pack_directory(
    directory: impl Directory,
    settings: PackSettings,
) -> Outcome<PackedSplit> {
    Ok(tokio::task::spawn_blocking(move || forewarm::pack(&directory, &settings)).await??)
}

async fn pack_index(index: &str, target: &Target) -> Outcome<Uploaded> {
    let progress = Progress::spinner("packing");
    let path = FilePath::new(index).to_owned();
    let settings = target.settings.clone();
    let (packed, docs) = tokio::task::spawn_blocking(move || {
        let packed = forewarm::pack_path(&path, &settings)?;
        let metas = tantivy::Index::open_in_dir(&path)?.load_metas()?;
        let docs = metas
            .segments
            .iter()
            .map(|segment| u64::from(segment.num_docs()))
            .sum();
        Outcome::Ok((packed, docs))
    })
    .await??;
    let uploaded = target.upload(0, &packed, docs, false).await?;
    drop(progress);
    Ok(uploaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_called_after_what_they_are_made_from() {
        assert_eq!(default_name("logs/wiki.ndjson.gz"), "wiki");
        assert_eq!(default_name("/var/lib/index/"), "index");
        assert_eq!(default_name("-"), "docs");
        assert_eq!(default_name(".hidden"), "hidden");
        assert_eq!(default_name(".."), "docs");
    }

    #[test]
    fn only_numbered_splits_of_the_same_name_are_replaced() {
        assert!(is_numbered("wiki-00012.split", "wiki"));
        assert!(is_numbered("wiki-100000.split", "wiki"));
        for other in [
            "wiki-x.split",
            "wiki-00012.split.bak",
            "wiki2-00012.split",
            "wiki-1.split",
        ] {
            assert!(!is_numbered(other, "wiki"), "{other}");
        }
    }
}
