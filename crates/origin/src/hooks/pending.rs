//! Changes that are to be forgotten a second time, once they are applied to Redis.
//!
//! Between the change and its application a fill may have taken the old row from Redis. What is kept
//! for that is bounded: beyond it, everything is forgotten instead.

use super::journal::Change;
use super::snapshot::Snapshot;

/// Keys that are kept.
const MOST: usize = 100_000;

/// What waits for the applier.
#[derive(Debug, Default)]
pub(super) struct Pending {
    changes: Vec<Change>,
    keys: usize,
    /// Too much has waited: when this has been applied, everything is to be forgotten.
    all_at: Option<Snapshot>,
    /// And once more for what came since.
    again: bool,
}

/// What can be forgotten now.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) changes: Vec<Change>,
    pub(super) all: bool,
}

impl Pending {
    /// Takes what was just read; `read` has seen all of it.
    pub(super) fn add(&mut self, changes: Vec<Change>, read: &Snapshot) {
        self.keys += changes.iter().map(weight).sum::<usize>();
        self.changes.extend(changes);
        if self.keys > MOST {
            self.changes.clear();
            self.keys = 0;
            // Not put off again and again by a source that never rests.
            match self.all_at {
                Some(_) => self.again = true,
                None => self.all_at = Some(read.clone()),
            }
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.all_at.is_none()
    }

    /// Whether more waits than is known one by one.
    pub(super) fn is_too_much(&self) -> bool {
        self.all_at.is_some()
    }

    /// What is known one by one.
    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// What has been applied.
    pub(super) fn due(&mut self, applied: &Snapshot, read: &Snapshot) -> Due {
        let all = std::mem::take(&mut self.changes).into_iter();
        let (changes, waiting) = all.partition(|change| applied.has(change.xid));
        self.changes = waiting;
        self.keys = self.changes.iter().map(weight).sum();
        let all = self.all_at.take_if(|seen| applied.covers(seen)).is_some();
        if all && std::mem::take(&mut self.again) {
            self.all_at = Some(read.clone());
        }
        Due { changes, all }
    }
}

/// What keeping a change costs, in keys.
fn weight(change: &Change) -> usize {
    1 + change.keys.as_ref().map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;

    fn snapshot(text: &str) -> Snapshot {
        Snapshot::parse(text).unwrap()
    }

    fn change(xid: u64, keys: usize) -> Change {
        let keys = (0..keys).map(|key| Key::printed(&key.to_string()));
        Change {
            xid,
            table: "public.offers".to_owned(),
            keys: Some(keys.collect()),
            lag_micros: 0,
        }
    }

    #[test]
    fn a_change_is_due_when_its_own_transaction_was_applied() {
        let mut pending = Pending::default();
        let read = snapshot("12:12:");
        pending.add(vec![change(10, 1), change(11, 1)], &read);
        // An older one, 5, stays open: it keeps nobody else back.
        let due = pending.due(&snapshot("5:11:5"), &read);
        assert_eq!((due.changes, due.all), (vec![change(10, 1)], false));
        let due = pending.due(&snapshot("5:12:5"), &read);
        assert_eq!(due.changes, [change(11, 1)]);
    }

    #[test]
    fn more_than_can_be_kept_is_all_once_it_was_applied() {
        let mut pending = Pending::default();
        pending.add(vec![change(10, MOST)], &snapshot("11:11:"));
        pending.add(vec![change(12, MOST)], &snapshot("13:13:"));
        let read = snapshot("13:13:");
        assert!(!pending.due(&snapshot("10:10:"), &read).all);
        assert!(pending.due(&snapshot("11:11:"), &read).all);
        assert!(!pending.due(&snapshot("12:12:"), &read).all);
        assert!(pending.due(&snapshot("13:13:"), &read).all);
        assert!(!pending.due(&snapshot("14:14:"), &read).all);
    }
}
