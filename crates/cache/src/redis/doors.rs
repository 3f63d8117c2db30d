//! Whom to ask where all servers are: a Cluster without the one that the URL names is a Cluster.

use super::address::Address;

/// The address that is configured, and those of a Cluster that were there the last time; in turn.
pub(super) struct Doors {
    addresses: Vec<Address>,
    tried: usize,
}

impl Doors {
    pub(super) fn of(configured: Address) -> Self {
        Self {
            addresses: vec![configured],
            tried: 0,
        }
    }

    /// The next one to be tried.
    pub(super) fn next(&mut self) -> Address {
        let place = self.tried % self.addresses.len();
        self.tried += 1;
        self.addresses[place].clone()
    }

    /// These are there now, beside the configured one, which is tried first the next time.
    pub(super) fn learn(&mut self, others: impl Iterator<Item = Address>) {
        self.addresses.truncate(1);
        self.addresses.extend(others);
        self.tried = 0;
    }
}
