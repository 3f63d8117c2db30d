//! Where strings, lists and maps lie: three flat vectors that only grow.
//!
//! An arena is either shared and finished (data, template constants), and then its values point into
//! itself; or it is the heap of one render. Coordinates are 32 bits: an arena refuses to grow past
//! 4 GiB, and the limits stop a render long before.

use crate::value::{Seq, Store, Text, Value};

/// Maps longer than this are searched through a sorted index instead of from the front.
const SCAN_LIMIT: usize = 32;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) key: Text,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Arena {
    pub(crate) text: String,
    pub(crate) items: Vec<Value>,
    pub(crate) entries: Vec<Entry>,
    /// The hash of each entry's key. Parallel to `entries`.
    hashes: Vec<u32>,
    /// For each map of more than [`SCAN_LIMIT`] entries, its positions by hash and key. Parallel to
    /// `entries`; empty while no map is that long.
    sorted: Vec<u32>,
    pub(crate) ranges: Vec<(i64, i64)>,
}

/// A number that tells keys apart quickly. Equal numbers decide nothing.
pub(crate) fn hash(key: &str) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |state: u64, word: u64| {
        let mixed = (state ^ word).wrapping_mul(FACTOR);
        mixed ^ (mixed >> 32)
    };
    let (words, rest) = key.as_bytes().as_chunks::<8>();
    let mut state = key.len() as u64;
    for word in words {
        state = mix(state, u64::from_le_bytes(*word));
    }
    let last = rest
        .iter()
        .fold(0, |word, byte| (word << 8) | u64::from(*byte));
    let state = mix(state, last);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "32 of the 64 bits are wanted"
    )]
    {
        (state >> 16) as u32
    }
}

/// More text, items or entries than coordinates can address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ArenaFull;

fn coordinate(n: usize) -> Result<u32, ArenaFull> {
    u32::try_from(n).map_err(|_| ArenaFull)
}

impl Arena {
    /// Bytes in use, as the memory limit counts them.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
            + size_of_val(self.items.as_slice())
            + size_of_val(self.entries.as_slice())
            + size_of_val(self.hashes.as_slice())
            + size_of_val(self.sorted.as_slice())
            + size_of_val(self.ranges.as_slice())
    }

    /// Bytes that are held, in use or not.
    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity()
            + self.items.capacity() * size_of::<Value>()
            + self.entries.capacity() * size_of::<Entry>()
            + (self.hashes.capacity() + self.sorted.capacity()) * size_of::<u32>()
            + self.ranges.capacity() * size_of::<(i64, i64)>()
    }

    /// Forgets the values and keeps the room for others.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.items.clear();
        self.entries.clear();
        self.hashes.clear();
        self.sorted.clear();
        self.ranges.clear();
    }

    /// Makes room for as many entries, and for some items.
    pub(crate) fn expect(&mut self, entries: usize) {
        self.entries.reserve(entries);
        self.hashes.reserve(entries);
        self.items.reserve(entries.div_ceil(3));
    }

    #[inline]
    pub(crate) fn str(&self, text: Text) -> &str {
        let start = text.start as usize;
        self.text
            .get(start..start + text.len as usize)
            .unwrap_or_default()
    }

    pub(crate) fn list(&self, seq: Seq) -> &[Value] {
        let start = seq.start as usize;
        self.items
            .get(start..start + seq.len as usize)
            .unwrap_or_default()
    }

    pub(crate) fn map(&self, seq: Seq) -> &[Entry] {
        let start = seq.start as usize;
        self.entries
            .get(start..start + seq.len as usize)
            .unwrap_or_default()
    }

    /// The value under `key` of a map whose keys lie in this arena.
    pub(crate) fn get(&self, seq: Seq, key: &str) -> Option<Value> {
        self.find(seq, key, hash(key)).copied()
    }

    /// Like [`Self::get`] where it lies, for a key whose hash is known.
    #[inline]
    pub(crate) fn find(&self, seq: Seq, key: &str, hash: u32) -> Option<&Value> {
        let entries = self.map(seq);
        let start = seq.start as usize;
        let hashes = self.hashes.get(start..start + entries.len())?;
        if entries.len() <= SCAN_LIMIT {
            let mut from = 0;
            while let Some(place) = hashes[from..].iter().position(|other| *other == hash) {
                let entry = &entries[from + place];
                if self.str(entry.key) == key {
                    return Some(&entry.value);
                }
                from += place + 1;
            }
            return None;
        }
        let order = self.sorted.get(start..start + entries.len())?;
        let found = order.binary_search_by(|place| {
            let place = *place as usize;
            let other = hashes.get(place).copied().unwrap_or(0);
            other
                .cmp(&hash)
                .then_with(|| entries.get(place).map_or("", |e| self.str(e.key)).cmp(key))
        });
        let place = *order.get(found.ok()?)?;
        entries.get(place as usize).map(|e| &e.value)
    }

    pub(crate) fn add_text(&mut self, store: Store, text: &str) -> Result<Text, ArenaFull> {
        let start = coordinate(self.text.len())?;
        let len = coordinate(text.len())?;
        coordinate(self.text.len() + text.len())?;
        self.text.push_str(text);
        Ok(Text { store, start, len })
    }

    pub(crate) fn add_list(&mut self, store: Store, items: &[Value]) -> Result<Seq, ArenaFull> {
        let start = coordinate(self.items.len())?;
        let len = coordinate(items.len())?;
        coordinate(self.items.len() + items.len())?;
        self.items.extend_from_slice(items);
        Ok(Seq { store, start, len })
    }

    /// Adds a map of the entries from a place on, which are taken away. Their keys lie in this arena.
    /// Of equal keys the last one wins, at the place of the first.
    pub(crate) fn add_map(
        &mut self,
        store: Store,
        entries: &mut Vec<Entry>,
        from: usize,
    ) -> Result<Seq, ArenaFull> {
        let start = coordinate(self.entries.len())?;
        let added = entries.get(from..).unwrap_or_default();
        coordinate(self.entries.len() + added.len())?;
        self.entries.extend_from_slice(added);
        entries.truncate(from);
        let mut hashes = std::mem::take(&mut self.hashes);
        let keys = self.entries.get(start as usize..).unwrap_or_default();
        hashes.extend(keys.iter().map(|entry| hash(self.str(entry.key))));
        self.hashes = hashes;
        if self.entries.len() - start as usize <= SCAN_LIMIT {
            self.merge_few(start as usize);
        } else {
            self.merge_and_sort(start as usize);
        }
        let len = coordinate(self.entries.len() - start as usize)?;
        Ok(Seq { store, start, len })
    }

    /// Merges repeated keys of the map at the end.
    fn merge_few(&mut self, start: usize) {
        let mut at = start + 1;
        while at < self.entries.len() {
            let hash = self.hashes[at];
            let earlier = self.hashes[start..at]
                .iter()
                .position(|other| *other == hash);
            let first = earlier.map(|place| start + place);
            match first {
                Some(first)
                    if self.str(self.entries[first].key) == self.str(self.entries[at].key) =>
                {
                    self.entries[first].value = self.entries[at].value;
                    self.entries.remove(at);
                    self.hashes.remove(at);
                }
                // Two keys of one hash: the second one is found by looking on, and so is a third.
                Some(_) if self.merge_into_any(start, at) => {}
                _ => at += 1,
            }
        }
    }

    /// The same by comparing keys, for the rare case of different keys with equal hashes.
    fn merge_into_any(&mut self, start: usize, at: usize) -> bool {
        let key = self.entries[at].key;
        let same = |entry: &Entry| self.str(entry.key) == self.str(key);
        let Some(place) = self.entries[start..at].iter().position(same) else {
            return false;
        };
        self.entries[start + place].value = self.entries[at].value;
        self.entries.remove(at);
        self.hashes.remove(at);
        true
    }

    /// Merges repeated keys of the long map at the end and sorts an index of it.
    fn merge_and_sort(&mut self, start: usize) {
        let entries = &self.entries[start..];
        let hashes = &self.hashes[start..];
        let key = |place: u32| self.str(entries[place as usize].key);
        let by_key = |a: &u32, b: &u32| {
            hashes[*a as usize]
                .cmp(&hashes[*b as usize])
                .then_with(|| key(*a).cmp(key(*b)))
                .then(a.cmp(b))
        };
        // The entries were counted in 32 bits.
        let mut order: Vec<u32> = (0..u32::try_from(entries.len()).unwrap_or(0)).collect();
        order.sort_unstable_by(by_key);
        let mut drop = vec![false; entries.len()];
        let mut values: Vec<(usize, Value)> = Vec::new();
        let mut first = 0;
        for next in 1..order.len() {
            let (a, b) = (order[first], order[next]);
            if hashes[a as usize] == hashes[b as usize] && key(a) == key(b) {
                drop[b as usize] = true;
                values.push((a as usize, entries[b as usize].value));
            } else {
                first = next;
            }
        }
        if values.is_empty() {
            self.sorted.resize(start, 0);
            self.sorted.extend_from_slice(&order);
            return;
        }
        for (place, value) in values {
            self.entries[start + place].value = value;
        }
        let mut place = 0;
        let mut kept = self.entries.split_off(start);
        kept.retain(|_| {
            place += 1;
            !drop[place - 1]
        });
        self.entries.append(&mut kept);
        let mut place = 0;
        let mut hashes = self.hashes.split_off(start);
        hashes.retain(|_| {
            place += 1;
            !drop[place - 1]
        });
        self.hashes.append(&mut hashes);
        if self.entries.len() - start > SCAN_LIMIT {
            self.merge_and_sort(start);
        }
    }

    pub(crate) fn add_range(&mut self, from: i64, to: i64) -> Result<Value, ArenaFull> {
        let index = coordinate(self.ranges.len())?;
        self.ranges.push((from, to));
        Ok(Value::Range(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map_of(arena: &mut Arena, keys: &[String]) -> Seq {
        let mut entries: Vec<Entry> = keys
            .iter()
            .enumerate()
            .map(|(i, key)| Entry {
                key: arena.add_text(Store::DATA, key).unwrap(),
                value: Value::Int(i64::try_from(i).unwrap()),
            })
            .collect();
        arena.add_map(Store::DATA, &mut entries, 0).unwrap()
    }

    #[test]
    fn long_and_short_maps_find_their_keys() {
        let mut arena = Arena::default();
        for size in [1_usize, SCAN_LIMIT, SCAN_LIMIT + 1, 500] {
            let keys: Vec<String> = (0..size).map(|i| format!("k{}", i * 7919 % 1000)).collect();
            let map = map_of(&mut arena, &keys);
            for (i, key) in keys.iter().enumerate() {
                let wanted = i64::try_from(i).unwrap();
                assert!(matches!(arena.get(map, key), Some(Value::Int(n)) if n == wanted));
            }
            assert!(arena.get(map, "absent").is_none());
        }
    }

    #[test]
    fn equal_keys_of_long_maps_are_merged_too() {
        for size in [3_usize, 20, 33, 70, 600] {
            let mut arena = Arena::default();
            let keys: Vec<String> = (0..size).map(|i| format!("k{}", i % (size / 2))).collect();
            let map = map_of(&mut arena, &keys);
            assert_eq!(map.len as usize, size / 2);
            for place in 0..size / 2 {
                let last = (place..size).step_by(size / 2).next_back().unwrap();
                let wanted = i64::try_from(last).unwrap();
                let found = arena.get(map, &format!("k{place}"));
                assert!(
                    matches!(found, Some(Value::Int(n)) if n == wanted),
                    "{size} {place}"
                );
            }
        }
    }

    #[test]
    fn of_equal_keys_the_last_one_wins_at_the_place_of_the_first() {
        let mut arena = Arena::default();
        let map = map_of(&mut arena, &["a".into(), "b".into(), "a".into()]);
        assert_eq!(map.len, 2);
        assert!(matches!(arena.get(map, "a"), Some(Value::Int(2))));
        assert_eq!(arena.str(arena.map(map)[0].key), "a");
    }
}
