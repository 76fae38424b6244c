//! Which of what is expected fits into the cache: the rest would drive each other out.

use std::collections::HashMap;
use std::ops::Range;

use object_store::path::Path;

use crate::cache::EXTENT_OVERHEAD_BYTES;

/// What is left of the part of the cache that is meant for what is expected.
pub(super) struct Room {
    left: u64,
    /// By split, the ranges that have their place, by where they start: what several requests read
    /// takes it once.
    placed: HashMap<Path, HashMap<u64, u64>>,
}

impl Room {
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            left: bytes,
            placed: HashMap::new(),
        }
    }

    /// Gives ranges of a split their place, if there is room for all of them.
    pub(super) fn place(&mut self, split: &Path, ranges: &[Range<u64>]) -> bool {
        let placed = self.placed.entry(split.clone()).or_default();
        let has_place = |range: &&Range<u64>| {
            let end = placed.get(&range.start);
            end.is_none_or(|end| *end < range.end)
        };
        let new: Vec<_> = ranges.iter().filter(has_place).collect();
        let length = |range: &&Range<u64>| range.end - range.start + EXTENT_OVERHEAD_BYTES;
        let needed: u64 = new.iter().map(length).sum();
        if needed > self.left {
            return false;
        }
        self.left -= needed;
        placed.extend(new.iter().map(|range| (range.start, range.end)));
        true
    }

    /// Takes room for what nobody knows the ranges of.
    pub(super) fn take(&mut self, bytes: u64) -> bool {
        let fits = bytes <= self.left;
        if fits {
            self.left -= bytes;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_read_takes_room_once() {
        let mut room = Room::new(1000 + 2 * EXTENT_OVERHEAD_BYTES);
        let (one, other) = (Path::from("one"), Path::from("other"));
        let place = |room: &mut Room, path: &Path, end: u64| {
            room.place(path, std::slice::from_ref(&(0..end)))
        };
        assert!(place(&mut room, &one, 600));
        assert!(place(&mut room, &one, 500));
        assert!(!place(&mut room, &other, 500));
        assert!(room.place(&one, &[0..600, 700..1100]));
        assert!(!room.take(1) && room.take(0));
    }
}
