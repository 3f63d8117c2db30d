//! Voids that could not be delivered. Until they are, their keys are not looked for in Redis by
//! this process, and they are delivered before Redis is used again.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::key::Key;

#[derive(Debug)]
pub(super) struct Debts {
    most: usize,
    owed: Mutex<Owed>,
    /// A look at this spares readers the lock.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Owed {
    keys: HashSet<Key>,
    everything: bool,
}

/// What is to be delivered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Keys(Vec<Key>),
    /// There were too many to remember.
    Everything,
}

impl Debts {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            owed: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }

    pub(super) fn owes(&self, key: &Key) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let owed = self.owed();
        owed.everything || owed.keys.contains(key)
    }

    pub(super) fn add(&self, keys: &[Key]) {
        let mut owed = self.owed();
        if !owed.everything {
            owed.keys.extend(keys.iter().cloned());
            if owed.keys.len() > self.most {
                *owed = Owed {
                    keys: HashSet::new(),
                    everything: true,
                };
            }
        }
        self.count(&owed);
    }

    /// What is due now, at most `most` keys of it. It stays due until [`Debts::paid`].
    pub(super) fn due(&self, most: usize) -> Due {
        let owed = self.owed();
        if owed.everything {
            return Due::Everything;
        }
        if owed.keys.is_empty() {
            return Due::Nothing;
        }
        Due::Keys(owed.keys.iter().take(most).cloned().collect())
    }

    pub(super) fn paid(&self, due: &Due) {
        let mut owed = self.owed();
        match due {
            Due::Nothing => {}
            Due::Keys(keys) => keys.iter().for_each(|key| {
                owed.keys.remove(key);
            }),
            Due::Everything => *owed = Owed::default(),
        }
        self.count(&owed);
    }

    fn count(&self, owed: &Owed) {
        let count = if owed.everything {
            usize::MAX
        } else {
            owed.keys.len()
        };
        self.count.store(count, Ordering::Release);
    }

    fn owed(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::from(name.as_bytes())
    }

    #[test]
    fn debts_stay_until_paid_and_too_many_are_everything() {
        let debts = Debts::new(2);
        assert!(!debts.owes(&key("a")));
        debts.add(&[key("a"), key("b")]);
        assert!(debts.owes(&key("a")) && !debts.owes(&key("c")));
        let due = debts.due(1);
        debts.paid(&due);
        assert!(matches!(debts.due(9), Due::Keys(keys) if keys.len() == 1));
        debts.add(&[key("c"), key("d")]);
        assert!(debts.owes(&key("never mentioned")));
        assert_eq!(debts.due(9), Due::Everything);
        debts.paid(&Due::Everything);
        assert_eq!(debts.due(9), Due::Nothing);
        assert!(!debts.owes(&key("a")));
    }
}
