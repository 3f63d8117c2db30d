//! Who keeps the server from forgetting: old snapshots, forgotten transactions, idle slots.
//!
//! No row that one of these might still want to see can be vacuumed or frozen, however often vacuum
//! runs. Text of statements is not read: it may hold what users sent.

use std::time::Duration;

use super::finding::{Finding, or_ok, short};
use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

/// A snapshot this many ids old holds up freezing.
pub(super) const HELD_IDS: u32 = 50_000_000;
/// A transaction this old holds up retiring and vacuum.
pub(super) const HELD_FOR: Duration = Duration::from_secs(3_600);
/// A prepared transaction this old was forgotten.
pub(super) const PREPARED_FOR: Duration = Duration::from_secs(600);
/// A slot that keeps more log than this will fill the disk.
pub(super) const RETAINED_WAL: u64 = 10 << 30;

/// What holds the horizon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub kind: HolderKind,
    /// A process with its application, a slot, a global transaction id.
    pub who: String,
    /// Age of the oldest id it needs; `None` when it needs none.
    pub ids: Option<u32>,
    /// How long it has been; `None` when that is not known or not told.
    pub since: Option<Duration>,
    /// Bytes of log kept for it.
    pub wal: u64,
    pub active: bool,
}

/// Who can hold the horizon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HolderKind {
    Session,
    Prepared,
    Slot,
    Standby,
}

const HOLDERS: Statement = Statement::new(
    "read the holders of the horizon",
    // Vacuum's own snapshot holds up nobody, and of senders the standby they serve is listed.
    "SELECT 0 AS kind, pid::text || coalesce(' (' || nullif(application_name, '') || ')', '') AS who,
            greatest(age(backend_xmin), age(backend_xid)) AS ids,
            extract(epoch FROM clock_timestamp() - xact_start)::float8 AS since,
            0::bigint AS wal, true AS active
     FROM pg_stat_activity
     WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL OR xact_start IS NOT NULL)
       AND pid <> pg_backend_pid()
       AND backend_type NOT IN ('autovacuum worker', 'walsender')
       AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
     UNION ALL
     SELECT 1, gid, age(transaction),
            extract(epoch FROM clock_timestamp() - prepared)::float8, 0, true
     FROM pg_prepared_xacts
     UNION ALL
     SELECT 2, slot_name, greatest(age(xmin), age(catalog_xmin)), NULL,
            CASE WHEN pg_is_in_recovery() THEN 0
                 ELSE coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint END,
            active
     FROM pg_replication_slots
     UNION ALL
     SELECT 3, application_name, age(backend_xmin), NULL, 0, true
     FROM pg_stat_replication WHERE backend_xmin IS NOT NULL
     ORDER BY ids DESC NULLS LAST, since DESC NULLS LAST
     LIMIT 200",
);

pub(super) async fn read(session: &Session) -> Result<Vec<Holder>> {
    let rows = session.all(&HOLDERS, &[]).await?;
    rows.iter()
        .map(|row| {
            let ids: Option<i32> = get(row, "ids")?;
            let since: Option<f64> = get(row, "since")?;
            Ok(Holder {
                kind: match get::<i32>(row, "kind")? {
                    0 => HolderKind::Session,
                    1 => HolderKind::Prepared,
                    2 => HolderKind::Slot,
                    _ => HolderKind::Standby,
                },
                who: get(row, "who")?,
                ids: ids.map(|ids| u32::try_from(ids).unwrap_or(0)),
                since: since.and_then(|since| Duration::try_from_secs_f64(since).ok()),
                wal: u64::try_from(get::<i64>(row, "wal")?).unwrap_or(0),
                active: get(row, "active")?,
            })
        })
        .collect()
}

pub(super) fn judge(holders: &[Holder]) -> Vec<Finding> {
    let wrong = holders.iter().filter_map(Holder::judge).collect();
    or_ok(wrong, || {
        let oldest = holders.iter().filter_map(|holder| holder.ids).max();
        let oldest = short(oldest.unwrap_or(0).into());
        Finding::ok(
            "horizon",
            format!("the oldest snapshot is {oldest} ids old"),
        )
    })
}

impl Holder {
    fn judge(&self) -> Option<Finding> {
        const NAME: &str = "horizon";
        let (who, ids) = (&self.who, self.ids.unwrap_or(0));
        let since = self.since.unwrap_or_default();
        let held = format!("{} ids, {} min", short(ids.into()), since.as_secs() / 60);
        let finding = match self.kind {
            HolderKind::Prepared if since > PREPARED_FOR || ids > HELD_IDS => Finding::warn(
                NAME,
                format!("prepared transaction '{who}' is waiting ({held})"),
                "COMMIT PREPARED or ROLLBACK PREPARED it; Corkboard prepares none",
            ),
            HolderKind::Slot if !self.active => Finding::warn(
                NAME,
                format!(
                    "replication slot '{who}' is inactive and keeps {} MiB of log",
                    self.wal >> 20
                ),
                "start its consumer, or drop it: SELECT pg_drop_replication_slot(…)",
            ),
            HolderKind::Slot if self.wal > RETAINED_WAL => Finding::warn(
                NAME,
                format!("replication slot '{who}' is {} MiB behind", self.wal >> 20),
                "look at its consumer; bound what it may keep with max_slot_wal_keep_size",
            ),
            HolderKind::Session if since > HELD_FOR || ids > HELD_IDS => Finding::warn(
                NAME,
                format!("the transaction of process {who} is open ({held})"),
                "end it, or its process: SELECT pg_terminate_backend(…)",
            ),
            HolderKind::Slot | HolderKind::Standby if ids > HELD_IDS => Finding::warn(
                NAME,
                format!("'{who}' holds a snapshot of {} ids ago", short(ids.into())),
                "look at the standby's or consumer's oldest transaction",
            ),
            _ => return None,
        };
        Some(finding)
    }
}
