use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tantivy::directory::CompositeFile;
use tantivy::error::DataCorruption;
use tantivy::schema::{Field, Schema, TantivyDocument};
use tantivy::store::StoreReader;
use tantivy::{DocAddress, Index, Searcher, TantivyError};

use super::SplitAddress;
use super::stored::check_document;
use crate::directory::SplitFiles;
use crate::filter::Fingerprint;
use crate::plan::Component;
use crate::store::{ObjectHandle, Traffic, normalise};

/// An opened split: parsed once, shared by every request.
///
/// Its readers read through forewarm: use [`Warmer::search_with`](crate::Warmer::search_with) to
/// run a query on it.
pub struct Split {
    pub(super) address: SplitAddress,
    pub(super) object: ObjectHandle,
    pub(super) footer: Range<u64>,
    /// What opening read beside the footer.
    pub(super) open: Vec<Range<u64>>,
    pub(super) has_trailer: bool,
    pub(super) files: Arc<SplitFiles>,
    pub(super) readers: Readers,
    pub(super) written_by: Option<String>,
    pub(super) traffic: Traffic,
    pub(super) opening: Duration,
}

/// What tantivy opened.
pub(crate) struct Readers {
    pub(crate) index: Index,
    pub(crate) searcher: Searcher,
    pub(crate) segments: Vec<SegmentFiles>,
    pub(crate) schema_key: SchemaKey,
}

/// Equal for splits of equal schemas.
pub(crate) type SchemaKey = Fingerprint;

/// The files of one segment that are divided by field.
pub(crate) struct SegmentFiles {
    pub(crate) terms: CompositeFile,
    /// What opening the readers of fields takes, which tantivy then keeps open.
    pub(super) openings: Mutex<HashMap<Field, Opening>>,
    pub(crate) postings: CompositeFile,
    pub(crate) positions: CompositeFile,
    pub(crate) store: StoreReader,
}

/// What opening the dictionary of a field reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opening {
    pub(crate) ranges: Vec<Range<u64>>,
    /// Whether the reader is open, and reads them no more.
    pub(crate) is_done: bool,
}

impl SegmentFiles {
    /// What opening the dictionary of `field` read, as far as it was warmed.
    pub(crate) fn opening(&self, field: Field) -> Option<Opening> {
        let openings = self.openings.lock().unwrap_or_else(PoisonError::into_inner);
        openings.get(&field).cloned()
    }

    /// Notes what opening the dictionary of `field` reads, and whether it is open now.
    pub(crate) fn opens(&self, field: Field, ranges: Vec<Range<u64>>, is_done: bool) {
        let mut openings = self.openings.lock().unwrap_or_else(PoisonError::into_inner);
        let opening = openings.entry(field).or_default();
        opening.ranges = normalise(opening.ranges.drain(..).chain(ranges).collect());
        opening.is_done |= is_done;
    }
}

impl Split {
    /// Where the split is; its footer offsets are known now.
    pub fn address(&self) -> SplitAddress {
        self.address.clone().with_footer(self.footer.clone())
    }

    /// The path in the store.
    pub fn path(&self) -> &object_store::path::Path {
        self.address.path()
    }

    /// Length of the object in bytes.
    pub fn size(&self) -> u64 {
        self.object.size()
    }

    /// The ETag seen at open, which every later GET requires.
    pub fn e_tag(&self) -> Option<&str> {
        self.object.version().e_tag.as_deref()
    }

    /// From the start of the bundle metadata to the end of the object, in bytes.
    pub fn footer(&self) -> Range<u64> {
        self.footer.clone()
    }

    /// Whether the object ends in a `QWFT` trailer.
    pub fn has_trailer(&self) -> bool {
        self.has_trailer
    }

    /// Bytes of hot bytes: what the split keeps in memory while it is open.
    pub fn hot_bytes(&self) -> u64 {
        self.files.hot().len() as u64
    }

    /// Ranges of the object with the component that each belongs to, cut where one file ends.
    pub(crate) fn by_component(
        &self,
        ranges: impl IntoIterator<Item = Range<u64>>,
    ) -> Vec<(Component, Range<u64>)> {
        let files = self.files.ranges().iter();
        let mut files: Vec<_> = files.map(|(name, at)| (at.start, at.end, name)).collect();
        files.sort_unstable();
        let mut found = Vec::new();
        for range in ranges {
            let first = files.partition_point(|(_, end, _)| *end <= range.start);
            let within = files[first..].iter();
            for (start, end, name) in within.take_while(|(start, _, _)| *start < range.end) {
                let part = range.start.max(*start)..range.end.min(*end);
                found.push((Component::of_file(name), part));
            }
        }
        found
    }

    /// Documents that are not deleted.
    pub fn num_docs(&self) -> u64 {
        self.readers.searcher.num_docs()
    }

    /// Number of segments.
    pub fn num_segments(&self) -> usize {
        self.readers.searcher.segment_readers().len()
    }

    /// The schema of the index in the split.
    pub fn schema(&self) -> &Schema {
        self.readers.searcher.schema()
    }

    /// The index in the split: its schema, settings and tokenizers.
    pub fn index(&self) -> &Index {
        &self.readers.index
    }

    /// tantivy's view of the split.
    pub fn searcher(&self) -> &Searcher {
        &self.readers.searcher
    }

    /// What opening it cost, the first time.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// How long opening it took, the first time.
    pub fn opening(&self) -> Duration {
        self.opening
    }

    /// Reads a stored document, checked before it is decoded. Reads through the scope of the
    /// calling thread.
    pub(crate) fn document(&self, address: DocAddress) -> tantivy::Result<TantivyDocument> {
        let files = self.readers.segments.get(address.segment_ord as usize);
        let Some(SegmentFiles { store, .. }) = files else {
            return Err(TantivyError::InvalidArgument(format!(
                "{address:?} is not in the split"
            )));
        };
        let bytes = store.get_document_bytes(address.doc_id)?;
        check_document(&bytes).map_err(|detail| {
            let what = format!("the stored document {address:?}: {detail}");
            TantivyError::DataCorruption(DataCorruption::comment_only(what))
        })?;
        // From the block that was decompressed just now.
        store.get(address.doc_id)
    }

    pub(crate) fn files(&self) -> &Arc<SplitFiles> {
        &self.files
    }

    /// What opening reads beside the footer: nothing where the hot bytes are complete.
    pub(crate) fn open_ranges(&self) -> &[Range<u64>] {
        &self.open
    }

    /// The object in the version that was opened.
    pub(crate) fn object(&self) -> &ObjectHandle {
        &self.object
    }

    /// What is bound to the schema of a split holds for all with the same key.
    pub(crate) fn schema_key(&self) -> SchemaKey {
        self.readers.schema_key
    }

    /// Identifies the split, in this version, among all of this process.
    pub(crate) fn id(&self) -> u64 {
        self.files.extents().id()
    }

    pub(crate) fn segments(&self) -> &[SegmentFiles] {
        &self.readers.segments
    }

    /// Bytes that the split keeps alive while it is open.
    pub(crate) fn weight(&self) -> u64 {
        /// tantivy's readers of one segment, the decompressed blocks of its document store
        /// included.
        const SEGMENT_BYTES: u64 = 96 << 10;
        let hot = self.files.hot().weight() as u64;
        let mut weight = hot + SEGMENT_BYTES * self.num_segments() as u64;
        if cfg!(not(feature = "sstable")) {
            // An FST is read whole when its field's reader opens, and stays.
            let terms = self
                .files
                .ranges()
                .iter()
                .filter(|(name, _)| name.ends_with(".term"));
            weight += terms.map(|(_, range)| range.end - range.start).sum::<u64>();
        }
        weight
    }
}

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Split")
            .field("path", &self.path().as_ref())
            .field("size", &self.size())
            .field("num_docs", &self.num_docs())
            .field("segments", &self.num_segments())
            .finish_non_exhaustive()
    }
}
