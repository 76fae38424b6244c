//! Which bytes of an index are hot: what opening reads, and small dictionaries.

use std::collections::BTreeMap;
use std::ops::Range;

use tantivy::directory::FileSlice;
use tantivy::{HasLen, Index, Segment, SegmentReader};

use super::check::{COLUMNAR_TAIL, TOKENS_LEN, check_segment};
use super::composite::{Composite, FileFooter};
use super::pack::{PackSettings, tantivy_error};
use super::recording::RecordingDirectory;
use super::wire::{u32_at, u64_at};
use crate::error::{Error, ErrorKind, Result};

/// Slices this near to each other become one: a slice of its own costs its readers more.
const GAP: u64 = 64;

/// Ranges of a file, still unsorted.
type Touched = BTreeMap<String, Vec<Range<u64>>>;

/// The hot ranges of each file, sorted and disjoint. Opens the index over `directory`,
/// which notes what that reads.
pub(crate) fn hot_ranges(
    directory: &RecordingDirectory,
    files: &BTreeMap<String, FileSlice>,
    settings: &PackSettings,
) -> Result<BTreeMap<String, Vec<Range<u64>>>> {
    let index = Index::open(directory.clone())
        .map_err(|error| tantivy_error("the index cannot be opened", error))?;
    let segments = index
        .searchable_segments()
        .map_err(|error| tantivy_error("the segments cannot be listed", error))?;
    let mut touched = Touched::new();
    for segment in &segments {
        let prefix = segment.id().uuid_string();
        // What the checks of opening read is hot too.
        check_segment(segment, "the index")?;
        add_terms(&prefix, files, settings, &mut touched)?;
        add_columns(&prefix, files, settings, &mut touched)?;
        open_segment(segment)?;
    }
    for (name, ranges) in directory.recorded() {
        let ranges = ranges
            .into_iter()
            .map(|range| range.start as u64..range.end as u64);
        touched.entry(name).or_default().extend(ranges);
    }
    Ok(touched
        .into_iter()
        .map(|(name, ranges)| (name, coalesce(ranges)))
        .collect())
}

/// Does all that readers do when they open a segment.
fn open_segment(segment: &Segment) -> Result<()> {
    let failed = |error| {
        let context = format!("segment {} cannot be opened", segment.id().uuid_string());
        tantivy_error(&context, error)
    };
    let reader = SegmentReader::open(segment).map_err(failed)?;
    reader
        .get_store_reader(0)
        .map_err(|error| failed(error.into()))?;
    // An FST dictionary is read whole when it opens, however large: `add_terms` chooses instead.
    if cfg!(feature = "sstable") {
        for (field, entry) in segment.schema().fields() {
            if entry.is_indexed() {
                reader.inverted_index(field).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// Adds the small term dictionaries and the head of each field's postings (its token count).
fn add_terms(
    prefix: &str,
    files: &BTreeMap<String, FileSlice>,
    settings: &PackSettings,
    touched: &mut Touched,
) -> Result<()> {
    for component in ["idx", "term"] {
        let name = format!("{prefix}.{component}");
        let Some(file) = files.get(&name) else {
            continue;
        };
        let composite = Composite::read(body_len(file, &name)?, &name, |range| {
            file.read_bytes_slice(range.start as usize..range.end as usize)
        })?;
        let ranges = touched.entry(name).or_default();
        for range in composite.fields.into_values() {
            if component == "idx" {
                ranges.push(range.start..range.end.min(range.start + TOKENS_LEN));
            } else if range.end - range.start <= settings.term_dictionary_budget {
                ranges.push(range);
            }
        }
    }
    Ok(())
}

/// Adds the dictionary of columns: all of it when it is small, else its first blocks.
fn add_columns(
    prefix: &str,
    files: &BTreeMap<String, FileSlice>,
    settings: &PackSettings,
    touched: &mut Touched,
) -> Result<()> {
    let name = format!("{prefix}.fast");
    let Some(file) = files.get(&name) else {
        return Ok(());
    };
    let body_len = body_len(file, &name)?;
    let too_short = || Error::corrupt(format!("{name}: {body_len} bytes hold no columns"));
    let tail_at = body_len.checked_sub(COLUMNAR_TAIL).ok_or_else(too_short)?;
    let tail = read(file, tail_at..body_len, &name)?;
    let dictionary_len = u64_at(&tail, 0).ok_or_else(too_short)?;
    let start = tail_at.checked_sub(dictionary_len).ok_or_else(too_short)?;
    let budget = settings.column_dictionary_budget;
    let end = if dictionary_len <= budget {
        tail_at
    } else {
        start + whole_blocks(&read(file, start..start + budget, &name)?) as u64
    };
    if end > start {
        touched.entry(name).or_default().push(start..end);
    }
    Ok(())
}

/// How many of the first bytes of an SSTable are whole blocks: a reader can use no part of one.
fn whole_blocks(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(len) = u32_at(bytes, end) {
        // A block of length 0 ends the table.
        let next = (end + 4).checked_add(len as usize);
        match next {
            Some(next) if len > 0 && next <= bytes.len() => end = next,
            _ => break,
        }
    }
    end
}

/// The length of a file without tantivy's footer.
fn body_len(file: &FileSlice, name: &str) -> Result<u64> {
    let len = file.len() as u64;
    let footer = FileFooter::read(len, name, |range| {
        file.read_bytes_slice(range.start as usize..range.end as usize)
    })?;
    Ok(len - footer.len)
}

/// Reads what is known to lie inside the file.
pub(crate) fn read(file: &FileSlice, range: Range<u64>, name: &str) -> Result<Vec<u8>> {
    if range.start >= range.end {
        return Ok(Vec::new());
    }
    if range.end > file.len() as u64 {
        return Err(Error::corrupt(format!(
            "{name}: bytes {}..{} lie outside its {} bytes",
            range.start,
            range.end,
            file.len()
        )));
    }
    let bytes = file
        .read_bytes_slice(range.start as usize..range.end as usize)
        .map_err(|error| {
            Error::with_source(ErrorKind::Store, format!("{name} cannot be read"), error)
        })?;
    Ok(bytes.as_slice().to_vec())
}

/// Sorts ranges and joins those that overlap, touch, or nearly touch.
fn coalesce(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|range| range.start < range.end);
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end + GAP => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}
