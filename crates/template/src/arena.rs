//! Where strings, lists and maps lie: three flat vectors that only grow.
//!
//! An arena is either shared and finished (data, template constants), and then its values point into
//! itself; or it is the heap of one render. Coordinates are 32 bits: an arena refuses to grow past
//! 4 GiB, and the limits stop a render long before.

use crate::value::{Seq, Store, Text, Value};

/// Maps longer than this are searched through a sorted index instead of from the front.
const SCAN_LIMIT: usize = 12;

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
    /// For each map of more than [`SCAN_LIMIT`] entries, its positions in key order. Parallel to
    /// `entries`; empty while no map is that long.
    sorted: Vec<u32>,
    pub(crate) ranges: Vec<(i64, i64)>,
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
            + size_of_val(self.sorted.as_slice())
            + size_of_val(self.ranges.as_slice())
    }

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
        let entries = self.map(seq);
        if entries.len() <= SCAN_LIMIT {
            return entries
                .iter()
                .find(|e| self.str(e.key) == key)
                .map(|e| e.value);
        }
        let start = seq.start as usize;
        let order = self.sorted.get(start..start + entries.len())?;
        let found = order
            .binary_search_by(|place| {
                entries
                    .get(*place as usize)
                    .map_or("", |e| self.str(e.key))
                    .cmp(key)
            })
            .ok()?;
        entries.get(order[found] as usize).map(|e| e.value)
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

    /// Adds a map whose keys lie in this arena. Of equal keys the last one wins, at the place of
    /// the first.
    pub(crate) fn add_map(
        &mut self,
        store: Store,
        entries: &mut Vec<Entry>,
    ) -> Result<Seq, ArenaFull> {
        let order = self.order_without_repeats(entries)?;
        let start = coordinate(self.entries.len())?;
        let len = coordinate(entries.len())?;
        coordinate(self.entries.len() + entries.len())?;
        self.entries.extend_from_slice(entries);
        if entries.len() > SCAN_LIMIT {
            self.sorted.resize(start as usize, 0);
            self.sorted.extend_from_slice(&order);
        }
        Ok(Seq { store, start, len })
    }

    /// Positions of `entries` in key order, after repeated keys were merged.
    fn order_without_repeats(&self, entries: &mut Vec<Entry>) -> Result<Vec<u32>, ArenaFull> {
        coordinate(entries.len())?;
        #[expect(clippy::cast_possible_truncation, reason = "checked in the line above")]
        let sorted = |entries: &[Entry]| {
            let mut order: Vec<u32> = (0..entries.len() as u32).collect();
            order.sort_by(|a, b| {
                let key = |place: &u32| self.str(entries[*place as usize].key);
                key(a).cmp(key(b)).then(a.cmp(b))
            });
            order
        };
        let order = sorted(entries);
        let mut repeated = false;
        for pair in order.windows(2) {
            let (first, next) = (pair[0] as usize, pair[1] as usize);
            if self.str(entries[first].key) == self.str(entries[next].key) {
                repeated = true;
                break;
            }
        }
        if !repeated {
            return Ok(order);
        }
        let mut drop = vec![false; entries.len()];
        let mut at = 0;
        while at < order.len() {
            let first = order[at] as usize;
            let mut next = at + 1;
            while next < order.len()
                && self.str(entries[order[next] as usize].key) == self.str(entries[first].key)
            {
                drop[order[next] as usize] = true;
                entries[first].value = entries[order[next] as usize].value;
                next += 1;
            }
            at = next;
        }
        let mut place = 0;
        entries.retain(|_| {
            place += 1;
            !drop[place - 1]
        });
        Ok(sorted(entries))
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
        arena.add_map(Store::DATA, &mut entries).unwrap()
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
    fn of_equal_keys_the_last_one_wins_at_the_place_of_the_first() {
        let mut arena = Arena::default();
        let map = map_of(&mut arena, &["a".into(), "b".into(), "a".into()]);
        assert_eq!(map.len, 2);
        assert!(matches!(arena.get(map, "a"), Some(Value::Int(2))));
        assert_eq!(arena.str(arena.map(map)[0].key), "a");
    }
}
