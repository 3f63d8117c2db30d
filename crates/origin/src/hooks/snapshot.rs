//! Which transactions somebody has seen the end of, as PostgreSQL prints it.
//!
//! Numbers of transactions are given out when they begin to write, and rows appear when they commit.
//! So "up to this number" never says what has been seen; a snapshot does, exactly, also while some
//! transaction stays open for hours.

use std::fmt;

/// `xmin:xmax:open,open,…`: everything before `xmax` but what was open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    xmin: u64,
    xmax: u64,
    /// Ascending, at least `xmin`, less than `xmax`.
    open: Vec<u64>,
}

impl Snapshot {
    /// As the server prints it. `None`: that is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (xmin, xmax) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let open = parts.next()?.split(',').filter(|part| !part.is_empty());
        let open = open.map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Self { xmin, xmax, open })
    }

    /// Everything before this transaction has been seen; of the later ones, maybe some.
    pub(crate) fn horizon(&self) -> u64 {
        self.xmin
    }

    /// Whether this transaction had ended.
    pub(crate) fn has(&self, xid: u64) -> bool {
        xid < self.xmin || xid < self.xmax && self.open.binary_search(&xid).is_err()
    }

    /// Whether all that the other one has seen was seen here, too. May say no too often.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let is_missing = |xid: &u64| other.has(*xid);
        self.xmax >= other.xmax && !self.open.iter().any(is_missing)
    }

    /// What of it lies before a transaction.
    pub(crate) fn before(&self, xid: u64) -> Self {
        let open = self.open.iter().copied().filter(|open| *open < xid);
        Self {
            xmin: self.xmin.min(xid),
            xmax: self.xmax.min(xid),
            open: open.collect(),
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (at, xid) in self.open.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{xid}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        Snapshot::parse(text).unwrap()
    }

    #[test]
    fn what_was_open_or_had_not_begun_was_not_seen() {
        let seen = snapshot("10:20:10,14");
        let has: Vec<u64> = (8..23).filter(|xid| seen.has(*xid)).collect();
        assert_eq!(has, [8, 9, 11, 12, 13, 15, 16, 17, 18, 19]);
        assert_eq!(seen.to_string(), "10:20:10,14");
        assert_eq!(snapshot("7:7:").to_string(), "7:7:");
        for none in ["", "7", "7:8", "a:b:", "7:8:x"] {
            assert_eq!(Snapshot::parse(none), None, "{none}");
        }
    }

    #[test]
    fn a_later_snapshot_covers_an_earlier_one_but_not_one_that_saw_more() {
        let early = snapshot("10:20:10,14");
        assert!(snapshot("14:30:14,25").covers(&early));
        assert!(early.covers(&early));
        assert!(!snapshot("10:19:10,14").covers(&early));
        assert!(!snapshot("10:30:10,15").covers(&early));
    }

    #[test]
    fn a_part_of_it_ends_before_a_transaction() {
        let seen = snapshot("10:20:10,14");
        assert_eq!(seen.before(15).to_string(), "10:15:10,14");
        assert_eq!(seen.before(12).to_string(), "10:12:10");
        assert_eq!(seen.before(8).to_string(), "8:8:");
        assert_eq!(seen.before(30), seen);
    }
}
