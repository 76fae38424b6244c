//! Verifying a split: every byte is read once, in order, and nothing is held but the tails of
//! files and the two small JSON files.
//!
//! tantivy's checksum covers a file without its footer, and where the footer begins is told by
//! the file's last bytes. So the bytes that may still turn out to be the footer are held back from
//! the checksum until the file ends.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tantivy::IndexSettings;
use tantivy::directory::OwnedBytes;
use tantivy::schema::Schema;

use super::composite::FileFooter;
use super::footer::{Footer, FooterParse};
use super::hot::{HotBytes, HotFile};
use super::meta::MetaSummary;
use super::upload::store_error;
use crate::error::{Error, ErrorKind, Result};

/// Longer than the longest footer that tantivy accepts (50,000 bytes and two integers).
const HOLD_BACK: usize = 50_008;
/// The largest `meta.json` that is parsed: beyond any schema, and a bound on what verifying a
/// hostile split holds in memory.
const MAX_JSON: usize = 64 * 1024 * 1024;
/// The tail asked for first, in bytes.
const FIRST_TAIL: u64 = 128 * 1024;

/// What verifying a split found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Size of the object, in bytes.
    pub bytes: u64,
    /// The files of the split, in the order of their bytes.
    pub files: Vec<FileReport>,
    /// Start and end of the footer in the object.
    pub footer_range: Range<u64>,
    /// Hot slices that equal the body.
    pub hot_slices: usize,
    /// What is wrong, one line each; empty when the split is sound.
    pub problems: Vec<String>,
}

/// What verifying one file of a split found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FileReport {
    /// Name of the file.
    pub name: String,
    /// Its size, footer included, in bytes.
    pub bytes: u64,
    /// CRC-32 of its bytes without the footer, where it has one.
    pub crc_actual: Option<u32>,
    /// The CRC-32 that its footer tells, where it has one.
    pub crc_expected: Option<u32>,
    /// The verdict.
    pub outcome: FileOutcome,
}

/// The verdict on one file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileOutcome {
    /// The file is not what was written: its checksum differs, is missing, or its JSON is broken.
    Damaged,
    /// The file carries no checksum, as its kind never does; nothing speaks against it.
    NoChecksum,
    /// The checksum agrees.
    Sound,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks an object that is fed to it in order.
pub(crate) struct Verifier {
    what: String,
    bundle: BTreeMap<String, Range<u64>>,
    hot: HotBytes,
    /// Files that hold bytes, by their place, and the one being read.
    queue: std::vec::IntoIter<(String, Range<u64>)>,
    current: Option<FileCheck>,
    offset: u64,
    report: VerifyReport,
}

/// The state of the file that is being read.
struct FileCheck {
    name: String,
    range: Range<u64>,
    hot: Option<Arc<HotFile>>,
    hasher: crc32fast::Hasher,
    held: Vec<u8>,
    /// Everything, for a JSON file of the index.
    json: Option<Vec<u8>>,
    /// The hot slice that the next byte may belong to, and whether it has agreed so far.
    slice: usize,
    agrees: bool,
}

impl Verifier {
    /// `hot` is empty when the hot bytes could not be parsed.
    pub(crate) fn new(footer: &Footer, hot: HotBytes, what: &str) -> Self {
        let mut queue: Vec<(String, Range<u64>)> = footer
            .files
            .iter()
            .map(|(name, range)| (name.clone(), range.clone()))
            .collect();
        // An empty file may lie anywhere, even inside another: it comes first.
        queue.sort_by_key(|(_, range)| (!range.is_empty(), range.start));
        let mut verifier = Self {
            what: what.to_owned(),
            bundle: footer.files.clone(),
            hot,
            queue: queue.into_iter(),
            current: None,
            offset: 0,
            report: VerifyReport {
                bytes: footer.footer_range.end,
                files: Vec::with_capacity(footer.files.len()),
                footer_range: footer.footer_range.clone(),
                hot_slices: 0,
                problems: Vec::new(),
            },
        };
        verifier.advance();
        verifier
    }

    /// Takes the next bytes of the object. Bytes after the body may be fed too; they are ignored.
    pub(crate) fn feed(&mut self, chunk: &[u8]) {
        let chunk_end = self.offset + chunk.len() as u64;
        while let Some(check) = &mut self.current {
            let start = check.range.start.max(self.offset);
            let end = check.range.end.min(chunk_end);
            if start < end {
                let within = (start - self.offset) as usize..(end - self.offset) as usize;
                check.feed(start - check.range.start, &chunk[within], &mut self.report);
            }
            if check.range.end > chunk_end {
                break;
            }
            self.finish_current();
            self.advance();
        }
        self.offset = chunk_end;
    }

    /// The report, once all has been fed.
    pub(crate) fn finish(mut self) -> VerifyReport {
        if let Some(check) = &self.current {
            let problem = format!("{}: the object ends inside the file", check.name);
            self.report.problems.push(problem);
        }
        if !self.bundle.contains_key("meta.json") {
            self.report.problems.push("meta.json is missing".to_owned());
        }
        self.report
            .files
            .sort_by_key(|file| self.bundle.get(&file.name).map(|range| range.start));
        self.report
    }

    /// Records a defect found outside of the files.
    pub(crate) fn problem(&mut self, problem: String) {
        self.report.problems.push(problem);
    }

    /// Goes on to the next file; empty ones are done at once.
    fn advance(&mut self) {
        for (name, range) in self.queue.by_ref() {
            let hot = self.hot.file(&name).cloned();
            let is_json = ["meta.json", ".managed.json"].contains(&name.as_str());
            let check = FileCheck {
                name,
                range,
                hot,
                hasher: crc32fast::Hasher::new(),
                held: Vec::new(),
                json: is_json.then(Vec::new),
                slice: 0,
                agrees: true,
            };
            if !check.range.is_empty() {
                self.current = Some(check);
                return;
            }
            let done = check.finish(&self.bundle, &self.what, &mut self.report.problems);
            self.report.files.push(done);
        }
    }

    fn finish_current(&mut self) {
        if let Some(check) = self.current.take() {
            let done = check.finish(&self.bundle, &self.what, &mut self.report.problems);
            self.report.files.push(done);
        }
    }
}

impl FileCheck {
    /// Takes the bytes at `offset` of the file.
    fn feed(&mut self, offset: u64, bytes: &[u8], report: &mut VerifyReport) {
        self.compare_hot(offset as usize, bytes, report);
        if let Some(json) = &mut self.json {
            if json.len() + bytes.len() <= MAX_JSON {
                json.extend_from_slice(bytes);
            } else {
                report
                    .problems
                    .push(format!("{}: longer than {MAX_JSON} bytes", self.name));
                self.json = None;
            }
        }
        self.held.extend_from_slice(bytes);
        // Let twice as much gather before it is moved, so that moving is amortised.
        if self.held.len() > 2 * HOLD_BACK {
            let sure = self.held.len() - HOLD_BACK;
            self.hasher.update(&self.held[..sure]);
            self.held.drain(..sure);
        }
    }

    fn compare_hot(&mut self, offset: usize, bytes: &[u8], report: &mut VerifyReport) {
        let Some(hot) = &self.hot else { return };
        let end = offset + bytes.len();
        while let Some(slice) = hot.slices().get(self.slice) {
            let start = slice.range.start.max(offset);
            let stop = slice.range.end.min(end);
            if start < stop {
                let body = &bytes[start - offset..stop - offset];
                let copy = &slice.bytes[start - slice.range.start..stop - slice.range.start];
                self.agrees &= body == copy;
            }
            if slice.range.end > end {
                return;
            }
            if self.agrees {
                report.hot_slices += 1;
            } else {
                report.problems.push(format!(
                    "{}: hot bytes {}..{} differ from the body",
                    self.name, slice.range.start, slice.range.end
                ));
            }
            self.slice += 1;
            self.agrees = true;
        }
    }

    fn finish(
        mut self,
        bundle: &BTreeMap<String, Range<u64>>,
        what: &str,
        problems: &mut Vec<String>,
    ) -> FileReport {
        let bytes = self.range.end - self.range.start;
        let mut report = FileReport {
            name: self.name.clone(),
            bytes,
            crc_actual: None,
            crc_expected: None,
            outcome: FileOutcome::NoChecksum,
        };
        let problem = if self.is_of_segment() {
            match FileFooter::parse(&self.held, bytes, &self.name) {
                Ok(footer) => {
                    self.hasher
                        .update(&self.held[..self.held.len() - footer.len as usize]);
                    let actual = self.hasher.clone().finalize();
                    report.crc_actual = Some(actual);
                    report.crc_expected = Some(footer.crc);
                    report.outcome = FileOutcome::Sound;
                    (actual != footer.crc).then(|| {
                        format!(
                            "{}: CRC-32 {actual:08x}, expected {:08x}",
                            self.name, footer.crc
                        )
                    })
                }
                Err(error) => Some(error.chain()),
            }
        } else {
            self.json_problem(bundle, what)
        };
        if let Some(problem) = problem {
            report.outcome = FileOutcome::Damaged;
            problems.push(problem);
        }
        report
    }

    /// Files named after a segment are tantivy's, and all of those have a checksum.
    fn is_of_segment(&self) -> bool {
        self.name.split_once('.').is_some_and(|(stem, _)| {
            stem.len() == 32 && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    }

    fn json_problem(&self, bundle: &BTreeMap<String, Range<u64>>, what: &str) -> Option<String> {
        let json = self.json.as_ref()?;
        if self.name == "meta.json" {
            return match MetaSummary::parse(json, bundle, what) {
                Ok(_) => read_as_tantivy(json)
                    .err()
                    .map(|error| format!("{what}: meta.json cannot be read: {error}")),
                Err(error) => Some(error.chain()),
            };
        }
        serde_json::from_slice::<Vec<String>>(json)
            .err()
            .map(|error| format!("{}: not a list of file names: {error}", self.name))
    }
}

/// Reads all of `meta.json` as tantivy does when it opens the index, where it has no checksum.
fn read_as_tantivy(json: &[u8]) -> serde_json::Result<()> {
    /// The fields of tantivy's own type, but for segments, which [`MetaSummary`] reads.
    #[derive(Deserialize)]
    struct Meta {
        #[serde(default, rename = "index_settings")]
        _settings: IndexSettings,
        #[serde(rename = "opstamp")]
        _opstamp: u64,
        #[serde(default, rename = "payload")]
        _payload: Option<String>,
        #[serde(rename = "schema")]
        _schema: Schema,
    }
    std::str::from_utf8(json).map_err(serde::de::Error::custom)?;
    serde_json::from_slice::<Meta>(json).map(drop)
}

/// Verifies the split at `path` of `store`: its footer, tantivy's checksum of every file that has
/// one, the hot bytes against the body, and `meta.json` against the list of files. Reads the whole
/// object once, as a stream.
///
/// Defects of files are told in the report. A footer that cannot be parsed is an error: nothing
/// else can be found then.
///
/// # Errors
///
/// `NotFound`, `Corrupt` or `Unsupported` for the footer, `SplitChanged` when the object is
/// replaced meanwhile, `Store` when reading fails.
///
/// # Cancel safety
///
/// Dropping the future stops the reading; nothing goes on after it.
pub async fn verify(store: Arc<dyn ObjectStore>, path: &Path) -> Result<VerifyReport> {
    let head = store
        .head(path)
        .await
        .map_err(|error| store_error(path, error))?;
    let what = path.as_ref();
    let footer = read_footer(store.as_ref(), path, &head).await?;
    let (hot, hot_problem) = match HotBytes::parse(footer.hot.clone(), &footer.files, what) {
        Ok(hot) => (hot, None),
        Err(error) => (HotBytes::default(), Some(error.chain())),
    };
    let mut verifier = Verifier::new(&footer, hot, what);
    if let Some(problem) = hot_problem {
        verifier.problem(problem);
    }
    let body = 0..footer.footer_range.start;
    if !body.is_empty() {
        stream_range(store.as_ref(), path, &head, body, |chunk| {
            verifier.feed(chunk)
        })
        .await?;
    }
    Ok(verifier.finish())
}

/// Reads and parses the footer, growing the tail as the parser asks.
async fn read_footer(store: &dyn ObjectStore, path: &Path, head: &ObjectMeta) -> Result<Footer> {
    let mut from = head.size.saturating_sub(FIRST_TAIL);
    loop {
        let mut tail = Vec::new();
        if from < head.size {
            stream_range(store, path, head, from..head.size, |chunk| {
                tail.extend_from_slice(chunk)
            })
            .await?;
        }
        match Footer::parse(OwnedBytes::new(tail), from, head.size, path.as_ref())? {
            FooterParse::Complete(footer) => return Ok(footer),
            FooterParse::NeedMore { from: earlier } => from = earlier,
        }
    }
}

/// Feeds `range` of the object, of the version seen at `head`, to `sink`.
async fn stream_range(
    store: &dyn ObjectStore,
    path: &Path,
    head: &ObjectMeta,
    range: Range<u64>,
    mut sink: impl FnMut(&Bytes),
) -> Result<()> {
    let failed = |error| store_error(path, error);
    let options = GetOptions {
        if_match: head.e_tag.clone(),
        range: Some(GetRange::Bounded(range.clone())),
        ..GetOptions::default()
    };
    let mut body = store
        .get_opts(path, options)
        .await
        .map_err(failed)?
        .into_stream();
    let expected = range.end - range.start;
    let mut got = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(failed)?;
        got += chunk.len() as u64;
        if got > expected {
            break;
        }
        sink(&chunk);
    }
    if got != expected {
        return Err(Error::new(
            ErrorKind::Store,
            format!("{path}: the store sent {got} bytes or more for a range of {expected}"),
        ));
    }
    Ok(())
}
