//! How many keys of a query one batch may hold.
//!
//! They run one behind the other on a connection, so a batch takes as long as all together, and
//! whoever comes next waits for as long.

use std::time::Duration;

/// What a batch may take.
pub(super) const TARGET: Duration = Duration::from_millis(20);

/// How many keys of a query one batch may hold.
#[derive(Debug)]
pub(super) struct Portion {
    now: usize,
    most: usize,
}

impl Portion {
    pub(super) fn new(most: usize) -> Self {
        Self { now: most, most }
    }

    pub(super) fn get(&self) -> usize {
        self.now
    }

    /// A batch of so many keys, one behind the other, took so long.
    pub(super) fn learn(&mut self, keys: usize, took: Duration) {
        if took > TARGET {
            let part = TARGET.as_secs_f64() / took.as_secs_f64();
            self.now = whole(keys as f64 * part).max(1);
        } else if keys >= self.now && took < TARGET / 2 {
            self.now = (self.now * 2).min(self.most);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a batch: positive and small"
)]
fn whole(keys: f64) -> usize {
    keys as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_portion_follows_what_a_key_takes() {
        let mut portion = Portion::new(128);
        portion.learn(128, MS * 1_280);
        assert_eq!(portion.get(), 2);
        portion.learn(1, MS);
        assert_eq!(portion.get(), 2, "it was not full");
        for _ in 0..9 {
            portion.learn(portion.get(), MS);
        }
        assert_eq!(portion.get(), 128);
        portion.learn(1, MS * 900);
        assert_eq!(portion.get(), 1);
    }
}
