//! Reading the journal without missing a change.
//!
//! Rows become visible in the order of commits. A row of a transaction that began early may appear
//! after rows of later ones, so "everything after the last number" would miss it. The reader goes by
//! [snapshot](Snapshot): what is visible now and was not in the last one is new.
//!
//! It reads in *passes*, page by page, so that a statement over millions of rows takes no more memory
//! than a small one. A pass is as new as its first page; what commits meanwhile may be read twice,
//! which does no harm, and is never left out.

use super::snapshot::Snapshot;
use crate::key::Key;
use crate::source::{Connection, Printed, SourceError};

/// Rows in one page, of up to 1,000 keys each.
const PAGE: usize = 100;

/// Where a reader of the journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// All that this one has seen has been read.
    read: Snapshot,
    pass: Option<Pass>,
}

/// A pass that has more pages.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pass {
    /// From its first page.
    snapshot: Snapshot,
    /// The last row of the last page: transaction and number.
    after: (u64, i64),
}

/// What a statement changed, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) xid: u64,
    /// With its schema.
    pub(crate) table: String,
    /// `None`: any of the table's.
    pub(crate) keys: Option<Vec<Key>>,
    /// Microseconds between the change and the reading of it.
    pub(crate) lag_micros: i64,
}

/// A page.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) changes: Vec<Change>,
    /// There is another one.
    pub(crate) has_more: bool,
}

impl Cursor {
    /// A reader that goes on where this snapshot has been read.
    pub(crate) fn from(read: Snapshot) -> Self {
        Self { read, pass: None }
    }

    /// What has been read, as far as it can be told in the middle of a pass.
    pub(crate) fn read_so_far(&self) -> Snapshot {
        match &self.pass {
            None => self.read.clone(),
            // The last transaction may have more rows.
            Some(pass) => pass.snapshot.before(pass.after.0),
        }
    }

    /// Whether the last page was not the last of its pass.
    pub(crate) fn is_in_a_pass(&self) -> bool {
        self.pass.is_some()
    }

    /// A snapshot that has seen all that was read, and maybe more.
    pub(crate) fn seen(&self) -> &Snapshot {
        self.pass.as_ref().map_or(&self.read, |pass| &pass.snapshot)
    }

    /// The next page of what is new, in the order of transactions.
    pub(crate) async fn next(&mut self, connection: &Connection) -> Result<News, SourceError> {
        const SQL: &str = "SELECT pg_current_snapshot()::text, c.xid::text, c.change_no, \
             c.table_name, c.keys, \
             (extract(epoch FROM clock_timestamp() - c.changed_at) * 1000000)::bigint \
             FROM (SELECT 1) AS always LEFT JOIN LATERAL ( \
                 SELECT * FROM corkboard_origin.change \
                 WHERE (xid, change_no) > ($1, $2) AND NOT pg_visible_in_snapshot(xid, $3) \
                 ORDER BY xid, change_no LIMIT $4) AS c ON true \
             ORDER BY c.xid, c.change_no";
        // Change numbers begin at 1.
        let first = (self.read.horizon(), 0);
        let (xid, number) = self.pass.as_ref().map_or(first, |pass| pass.after);
        let (xid, read) = (xid.to_string(), self.read.to_string());
        let (xid, read) = (Printed::new(&xid), Printed::new(&read));
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let reading = async {
            let client = connection.client();
            client.query(SQL, &[&xid, &number, &read, &limit]).await
        };
        let rows = connection.answer("the journal", reading).await?;
        let mut news = News::default();
        let mut after = None;
        for row in &rows {
            // Without a change there is one row that tells the snapshot.
            let Some(xid) = row.get::<_, Option<&str>>(1) else {
                continue;
            };
            let xid = xid.parse().map_err(|_| SourceError::Journal)?;
            after = Some((xid, row.get(2)));
            let keys: Option<Vec<&str>> = row.get(4);
            news.changes.push(Change {
                xid,
                table: row.get(3),
                keys: keys.map(|keys| keys.into_iter().map(Key::printed).collect()),
                lag_micros: row.get(5),
            });
        }
        let Some(head) = rows.first() else {
            return Err(SourceError::Journal);
        };
        let snapshot = match self.pass.take() {
            Some(pass) => pass.snapshot,
            None => snapshot(head, 0)?,
        };
        match after.filter(|_| news.changes.len() == PAGE) {
            Some(after) => {
                news.has_more = true;
                self.pass = Some(Pass { snapshot, after });
            }
            None => self.read = snapshot,
        }
        Ok(news)
    }
}

/// A snapshot out of an answer.
pub(super) fn snapshot(row: &tokio_postgres::Row, at: usize) -> Result<Snapshot, SourceError> {
    Snapshot::parse(row.get(at)).ok_or(SourceError::Journal)
}
