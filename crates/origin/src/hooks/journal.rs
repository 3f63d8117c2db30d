//! Reading the journal without missing a change.
//!
//! Rows become visible in the order of commits. A row of a transaction that began early may appear
//! after rows of later ones, so "everything after the last number" would miss it. The reader goes by
//! transaction id: from the snapshot it knows the oldest transaction that is still under way (the
//! *horizon*); what lies before it is settled, what lies after it is read again next time and told
//! apart by having been seen.

use std::collections::BTreeSet;

use crate::key::Key;
use crate::source::{Connection, SourceError, XidText};

/// Rows in one statement.
const PAGE: i64 = 500;
/// Rows that may be remembered as seen while some transaction stays open. Beyond that, the reader
/// gives up telling them apart and says that anything may have changed.
const MOST_SEEN: usize = 100_000;

/// Where a reader of the journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// All before this transaction id has been read.
    settled: u64,
    /// Of those after it, what has been read.
    seen: BTreeSet<(u64, i64)>,
}

/// What a statement changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) xid: u64,
    /// As the endpoint names it.
    pub(crate) table: String,
    /// `None`: any of the table's.
    pub(crate) keys: Option<Vec<Key>>,
    /// Microseconds between the change and the reading of it.
    pub(crate) lag_micros: i64,
}

/// What has been read.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) changes: Vec<Change>,
    /// Too much has piled up behind an open transaction: everything may have changed.
    pub(crate) lost_count: bool,
}

impl Cursor {
    /// A reader that knows nothing of what was before now.
    pub(crate) async fn at_the_end(connection: &Connection) -> Result<Self, SourceError> {
        let client = connection.client();
        let row = client.query_one("SELECT pg_snapshot_xmin(pg_current_snapshot())::text", &[]);
        let row = connection.answer("the journal", row).await?;
        Ok(Self::from(number(row.get(0))))
    }

    /// A reader that goes on from this transaction id.
    pub(crate) fn from(settled: u64) -> Self {
        Self {
            settled,
            seen: BTreeSet::new(),
        }
    }

    /// All before this transaction id has been read.
    pub(crate) fn settled(&self) -> u64 {
        self.settled
    }

    /// What is new, in the order of transactions.
    pub(crate) async fn read(&mut self, connection: &Connection) -> Result<News, SourceError> {
        const SQL: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text, c.xid::text, \
             c.change_no, c.table_name, c.keys, \
             (extract(epoch FROM clock_timestamp() - c.changed_at) * 1000000)::bigint \
             FROM (SELECT 1) AS always LEFT JOIN LATERAL ( \
                 SELECT * FROM corkboard_origin.change \
                 WHERE (xid, change_no) > ($1, $2) ORDER BY xid, change_no LIMIT $3) AS c ON true \
             ORDER BY c.xid, c.change_no";
        let mut news = News::default();
        // Change numbers begin at 1.
        let mut after = (self.settled, 0);
        let mut horizon = None;
        loop {
            let (xid, change_no) = (XidText(after.0), after.1);
            let reading = async {
                let client = connection.client();
                client.query(SQL, &[&xid, &change_no, &PAGE]).await
            };
            let rows = connection.answer("the journal", reading).await?;
            if let Some(row) = rows.first() {
                // Of the first page: what later pages add is not settled by it.
                horizon.get_or_insert_with(|| number(row.get(0)));
            }
            let mut count = 0;
            for row in &rows {
                let Some(xid) = row.get::<_, Option<&str>>(1) else {
                    continue;
                };
                count += 1;
                after = (number(xid), row.get(2));
                if !self.seen.insert(after) {
                    continue;
                }
                let keys: Option<Vec<&str>> = row.get(4);
                news.changes.push(Change {
                    xid: after.0,
                    table: row.get(3),
                    keys: keys.map(|keys| keys.into_iter().map(Key::printed).collect()),
                    lag_micros: row.get(5),
                });
            }
            if count < PAGE {
                break;
            }
        }
        if let Some(horizon) = horizon {
            self.settled = self.settled.max(horizon);
            self.seen = self.seen.split_off(&(self.settled, 0));
        }
        if self.seen.len() > MOST_SEEN {
            self.seen.clear();
            news.lost_count = true;
        }
        Ok(news)
    }
}

/// A transaction id as it is printed. The server prints nothing else here.
fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}
