//! Opening: one suffix GET, or an exact range; then tantivy's own readers over the hot bytes.
//!
//! Opening is probed like everything else: whatever a reader touches that is not in the hot bytes
//! (a split written by a program that puts less there) is fetched, and opening tried again.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use object_store::path::Path as ObjectPath;
use rayon::ThreadPool;
use tantivy::directory::OwnedBytes;
use tantivy::tokenizer::TokenizerManager;
use tracing::Instrument;

use super::readers::{broken, open_readers};
use super::split::Readers;
use super::{FileFooter, Footer, FooterParse, HotBytes, Split, SplitAddress, Versions};
use crate::cache::{ExtentCache, LeaseBuilder, Reader};
use crate::directory::{Probe, ReadScope, SplitFiles};
use crate::error::{Error, ErrorKind, Result};
use crate::pool;
use crate::store::{ObjectHandle, Tail, Traffic, TrafficCounter, normalise};
use crate::telemetry::list;

/// How often opening may find that something more is missing. Without hot bytes it reads one thing
/// at a time, about 20 in each segment.
const MAX_OPEN_ROUNDS: usize = 1024;

/// A footer is found in two reads, or in three when the first tail did not even hold its lengths.
const MAX_FOOTER_READS: usize = 4;

/// A guess never exceeds this, whatever was seen in a folder.
const MAX_GUESS_BYTES: u64 = 4 << 20;

/// Opens splits, one at a time each, and keeps them open.
pub(crate) struct Opener {
    pub(super) cache: ExtentCache,
    pub(super) pool: Arc<ThreadPool>,
    opened: moka::future::Cache<ObjectPath, Arc<Split>>,
    /// How long footers lately were in each folder: the next guess there.
    guesses: Mutex<HashMap<String, u64>>,
    opened_bytes: u64,
    pub(super) tokenizers: Tokenizers,
    /// What the store says there is, to be told.
    versions: Versions,
}

/// What indexes are opened with: how texts are cut.
#[derive(Clone, Default)]
pub(crate) struct Tokenizers {
    /// Those of indexed fields.
    pub(crate) indexed: TokenizerManager,
    /// Those of columns.
    pub(crate) fast: TokenizerManager,
}

impl Opener {
    pub(crate) fn new(
        cache: ExtentCache,
        pool: Arc<ThreadPool>,
        opened_bytes: u64,
        tokenizers: Tokenizers,
        versions: Versions,
    ) -> Self {
        let opened = moka::future::Cache::builder()
            .name("forewarm-opened")
            .max_capacity(opened_bytes)
            .weigher(|_, split: &Arc<Split>| u32::try_from(split.weight()).unwrap_or(u32::MAX))
            .build();
        Self {
            cache,
            pool,
            opened,
            guesses: Mutex::default(),
            opened_bytes,
            tokenizers,
            versions,
        }
    }

    /// The split at `address`: the one already open, or opened now; any number of callers at once
    /// share one opening.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Corrupt`, `Unsupported` (the other kind of dictionary) and those of a GET.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the opening to the next caller that waits for it.
    pub(crate) async fn open(
        &self,
        address: &SplitAddress,
        traffic: &TrafficCounter,
    ) -> Result<Arc<Split>> {
        if let Some(split) = self.opened.get(address.path()).await {
            return Ok(split);
        }
        let span = tracing::info_span!(
            "open", split = %address, gets = tracing::field::Empty,
            bytes = tracing::field::Empty, rounds = tracing::field::Empty,
            outcome = tracing::field::Empty
        );
        let record = span.clone();
        let open = async {
            let before = traffic.snapshot();
            let opened = self.open_now(address, traffic).await;
            let spent = traffic.snapshot().since(before);
            record
                .record("gets", spent.gets)
                .record("bytes", spent.bytes);
            record.record("rounds", spent.rounds);
            record.record("outcome", if opened.is_ok() { "opened" } else { "failed" });
            list::SPLITS_OPENED.add(u64::from(opened.is_ok()));
            opened.map(Arc::new)
        };
        self.opened
            .try_get_with(address.path().clone(), open.instrument(span))
            .await
            .map_err(|error: Arc<Error>| Error::clone(&error))
    }

    /// Forgets that the split at `path` is open: its object was replaced.
    pub(crate) async fn forget(&self, path: &ObjectPath) {
        self.versions.doubt(path);
        self.opened.invalidate(path).await;
    }

    /// Closes everything.
    pub(crate) async fn clear(&self) {
        self.opened.invalidate_all();
        self.opened.run_pending_tasks().await;
    }

    /// Number and weight in bytes of the open splits.
    pub(crate) fn usage(&self) -> (u64, u64) {
        (self.opened.entry_count(), self.opened.weighted_size())
    }

    /// The split at `path`, when it is open.
    pub(crate) async fn opened(&self, path: &ObjectPath) -> Option<Arc<Split>> {
        self.opened.get(path).await
    }

    /// Opens the version `object` of a split whose footer is known to lie at `footer`; what that
    /// reads should be in memory, or on its way.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); `SplitChanged` when another version is open.
    ///
    /// # Cancel safety
    ///
    /// As [`open`](Self::open).
    pub(crate) async fn open_known(
        &self,
        address: &SplitAddress,
        object: &ObjectHandle,
        footer: Range<u64>,
        traffic: &TrafficCounter,
    ) -> Result<Arc<Split>> {
        let open = async {
            let (started, before) = (Instant::now(), traffic.snapshot());
            let extents = self.cache.split(object);
            let what = address.path().as_ref();
            self.check_fits(footer.end.saturating_sub(footer.start), what)?;
            let bytes = extents
                .read(footer.clone(), Reader::Opening, traffic)
                .await?;
            let footer = Footer::parse_exact(bytes, footer, what)?;
            // An open split outlives the extent that brought its footer.
            let hot = OwnedBytes::new(footer.hot.to_vec());
            let opening = Opening {
                address,
                object: object.clone(),
                started,
                before,
            };
            let split = self.open_with(opening, footer, hot, traffic).await;
            list::SPLITS_OPENED.add(u64::from(split.is_ok()));
            split.map(Arc::new)
        };
        let opened = self.opened.try_get_with(address.path().clone(), open).await;
        let opened = opened.map_err(|error: Arc<Error>| Error::clone(&error))?;
        if opened.object() == object {
            Ok(opened)
        } else {
            let message = format!("{address} is open in another version");
            Err(Error::new(ErrorKind::SplitChanged, message))
        }
    }

    async fn open_now(&self, address: &SplitAddress, traffic: &TrafficCounter) -> Result<Split> {
        let (started, before) = (Instant::now(), traffic.snapshot());
        let (object, footer, tail) = self.read_footer(address, traffic).await?;
        self.versions.notice(&object);
        // The hot bytes are a slice of the tail: a tail much longer than them is not kept for them.
        let hot = if tail.bytes.len() > footer.hot.len() + footer.hot.len() / 4 {
            OwnedBytes::new(footer.hot.to_vec())
        } else {
            footer.hot.clone()
        };
        // Body bytes that came along are fetched for good.
        if tail.start < footer.footer_range.start {
            let body = (footer.footer_range.start - tail.start) as usize;
            let extents = self.cache.split(&object);
            for extent in extents.insert(tail.start, &tail.bytes[..body], traffic) {
                if tail.is_whole {
                    // Whoever is in a hurry has not asked for it yet, and a full cache may not take it.
                    traffic.hold(extent);
                } else {
                    // It came along: if nobody reads it, that was no waste.
                    extent.read_by(Reader::Opening);
                }
            }
        }
        let opening = Opening {
            address,
            object,
            started,
            before,
        };
        self.open_with(opening, footer, hot, traffic).await
    }

    /// Opens a split whose footer is here.
    async fn open_with(
        &self,
        opening: Opening<'_>,
        footer: Footer,
        hot: OwnedBytes,
        traffic: &TrafficCounter,
    ) -> Result<Split> {
        let Opening {
            address,
            object,
            started,
            before,
        } = opening;
        let hot = HotBytes::parse(hot, &footer.files, address.path().as_ref())?;
        let extents = self.cache.split(&object);
        let files = Arc::new(SplitFiles::new(footer.files, hot, extents));
        let (readers, open) = self.readers(&files, traffic).await?;
        Ok(Split {
            address: address.clone(),
            object,
            footer: footer.footer_range,
            has_trailer: footer.has_trailer,
            written_by: written_by(&files),
            open,
            files,
            readers,
            traffic: traffic.snapshot().since(before),
            opening: started.elapsed(),
        })
    }

    async fn read_footer(
        &self,
        address: &SplitAddress,
        traffic: &TrafficCounter,
    ) -> Result<(ObjectHandle, Footer, Body)> {
        let fetcher = self.cache.fetcher();
        let path = address.path();
        let what = path.as_ref();
        if let Some(range) = address.footer() {
            if range.start >= range.end {
                return Err(Error::invalid(format!(
                    "{what}: the footer offsets {range:?} are empty"
                )));
            }
            self.check_fits(range.end - range.start, what)?;
            let is_whole = self.cache.is_little(range.end, traffic);
            let read = if is_whole {
                0..range.end
            } else {
                range.clone()
            };
            let before = (range.start - read.start) as usize;
            let Tail {
                bytes,
                start,
                version,
            } = fetcher.get_first(path, read, traffic).await?;
            if version.size != range.end {
                return Err(Error::invalid(format!(
                    "{what}: the footer was said to end at {}, the object ends at {}",
                    range.end, version.size
                )));
            }
            let bytes = OwnedBytes::new(bytes);
            let footer =
                Footer::parse_exact(bytes.slice(before..bytes.len()), range.clone(), what)?;
            return Ok((
                ObjectHandle::new(path.clone(), version),
                footer,
                Body {
                    start,
                    bytes,
                    is_whole,
                },
            ));
        }
        let small = address.size().filter(|size| *size > 0);
        let small = small.filter(|size| self.cache.is_little(*size, traffic));
        let guess = small.unwrap_or_else(|| self.guess(path));
        let Tail {
            mut bytes,
            mut start,
            version,
        } = fetcher.get_tail(path, guess, traffic).await?;
        let object = ObjectHandle::new(path.clone(), version);
        for _ in 0..MAX_FOOTER_READS {
            let tail = OwnedBytes::new(bytes);
            match Footer::parse(tail.clone(), start, object.size(), what)? {
                FooterParse::Complete(footer) => {
                    self.learn(path, footer.footer_range.end - footer.footer_range.start);
                    let body = Body {
                        start,
                        bytes: tail,
                        is_whole: small.is_some(),
                    };
                    return Ok((object, footer, body));
                }
                FooterParse::NeedMore { from } => {
                    self.check_fits(object.size() - from, what)?;
                    let more = fetcher.get_range(&object, from..start, traffic).await;
                    traffic.count_round();
                    bytes = more?;
                    bytes.extend_from_slice(&tail);
                    start = from;
                }
            }
        }
        Err(Error::corrupt(format!(
            "{what}: the footer's lengths lead nowhere"
        )))
    }

    /// A footer is held in memory while its split is open.
    fn check_fits(&self, footer_len: u64, what: &str) -> Result<()> {
        if footer_len <= self.opened_bytes {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Budget,
            format!(
                "{what}: a footer of at least {footer_len} bytes does not fit cache.opened_bytes \
                 ({})",
                self.opened_bytes
            ),
        ))
    }

    fn guess(&self, path: &ObjectPath) -> u64 {
        let guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let default = self.cache.fetcher().settings().footer_guess_bytes;
        guesses.get(folder(path)).copied().unwrap_or(default)
    }

    /// The next guess in this folder: a quarter more than the longest footer lately seen, so that
    /// splits a little larger still open in one round, and no more, so that small ones are cheap.
    fn learn(&self, path: &ObjectPath, footer_len: u64) {
        let with_room = (footer_len + footer_len / 4)
            .next_multiple_of(4096)
            .min(MAX_GUESS_BYTES);
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let guess = guesses.entry(folder(path).to_owned()).or_insert(with_room);
        // One split of a kind of its own does not make all later guesses too long.
        *guess = with_room.max(*guess - *guess / 4);
    }

    /// Opens tantivy's readers, fetching what they miss, a round at a time; answers what that was,
    /// too.
    async fn readers(
        &self,
        files: &Arc<SplitFiles>,
        traffic: &TrafficCounter,
    ) -> Result<(Readers, Vec<Range<u64>>)> {
        let mut builder = LeaseBuilder::default();
        let mut read = Vec::new();
        for _ in 0..MAX_OPEN_ROUNDS {
            let probe = Arc::new(Probe::default());
            let lease = Arc::new(builder.build());
            let leases = [(files.extents().id(), lease)].into();
            let scope = ReadScope::probe(Arc::clone(&probe), leases, Reader::Opening);
            let attempt = Arc::clone(files);
            let tokenizers = self.tokenizers.clone();
            let open = move || scope.enter(|| open_readers(&attempt, tokenizers));
            let opened = pool::run(&self.pool, open).await;
            let misses = probe.take();
            if misses.is_empty() {
                let opened = opened.map_err(|error| match error.kind() {
                    ErrorKind::Internal => broken(files, error),
                    _ => error,
                })?;
                return Ok((opened, normalise(read)));
            }
            read.extend(misses.index.iter().cloned());
            let extents = files.extents();
            let acquired = extents.acquire_to_open(misses.index, traffic).await?;
            if acquired.waited {
                traffic.count_round();
            }
            acquired
                .extents
                .into_iter()
                .for_each(|extent| builder.add(extent));
        }
        Err(Error::corrupt(format!(
            "{}: opening still misses bytes after {MAX_OPEN_ROUNDS} rounds",
            files.extents().object()
        )))
    }
}

/// What is opened, and since when.
struct Opening<'a> {
    address: &'a SplitAddress,
    object: ObjectHandle,
    started: Instant,
    /// What had been sent by then.
    before: Traffic,
}

/// The tail that held the footer, and where it starts in the object.
struct Body {
    start: u64,
    bytes: OwnedBytes,
    /// Whether all of the object was asked for, because it is small.
    is_whole: bool,
}

/// The version in the file footers, which are in the hot bytes of whoever read them.
fn written_by(files: &SplitFiles) -> Option<String> {
    files.ranges().iter().find_map(|(name, range)| {
        let len = range.end - range.start;
        let read = |part: std::ops::Range<u64>| {
            let part = part.start as usize..part.end as usize;
            files
                .hot()
                .read(name, part)
                .ok_or(io::ErrorKind::WouldBlock.into())
        };
        FileFooter::read(len, name, read)
            .ok()
            .map(|footer| footer.version)
    })
}

fn folder(path: &ObjectPath) -> &str {
    path.as_ref()
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder)
}
