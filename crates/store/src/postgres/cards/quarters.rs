//! The partitions of receipts: one for the campaigns that were numbered in the same quarter.
//!
//! A campaign's receipts stay in one partition however long it sends, so that one key guards them.
//! When no campaign of a quarter can send any more, nobody will ask what its users have had: the
//! partition is dropped as a whole.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use corkboard_core::expiry::MAX_LIFETIME;
use corkboard_core::id::CampaignId;
use corkboard_core::time::Timestamp;

use super::CardDatabase;
use super::attempt::Stop;
use crate::error::Result;
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, Uuid, get};

const STATEMENT: Duration = Duration::from_secs(30);
const LOCK: Duration = Duration::from_millis(500);

const EXISTS: Statement = Statement::new(
    "look for quarter of receipts",
    "SELECT 1 FROM pg_class WHERE oid = to_regclass($1)",
);
/// The partitions whose quarter was over at a time and whose campaigns are none of these.
const OVER: Statement = Statement::new(
    "look for old quarters of receipts",
    "SELECT q.quarter FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
     JOIN LATERAL (SELECT substring(c.relname FROM '[0-9]+$')::smallint AS quarter) q ON true \
     WHERE i.inhparent = 'receipt'::regclass AND q.quarter < \
     extract(year FROM $1::timestamptz) * 4 + extract(quarter FROM $1::timestamptz) - 8081 \
     AND NOT EXISTS (SELECT FROM campaign_number n WHERE n.quarter = q.quarter \
     AND n.campaign = ANY ($2)) ORDER BY q.quarter",
);

/// The quarters that have a partition, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Quarters {
    known: Mutex<BTreeSet<i16>>,
}

fn table(quarter: i16) -> String {
    format!("receipt_q{quarter}")
}

impl Quarters {
    pub(super) fn is_known(&self, quarter: i16) -> bool {
        // Only inserted into and removed from.
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&quarter)
    }

    fn set_known(&self, quarter: i16, is_known: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if is_known {
            known.insert(quarter);
        } else {
            known.remove(&quarter);
        }
    }

    /// Makes a quarter's partition, unless it is there.
    pub(super) async fn ensure(&self, store: &CardDatabase, quarter: i16) -> Result<()> {
        let keeper = store.pool.maintenance(STATEMENT, LOCK).await?;
        keeper.begin_holding(Lock::only(Protects::Cohorts)).await?;
        let table = table(quarter);
        if keeper.first(&EXISTS, &[&table]).await?.is_none() {
            // Attached like a cohort: nobody's statement waits.
            let sql = format!(
                "CREATE TABLE {table} (LIKE receipt) WITH (fillfactor = 95);
                 ALTER TABLE {table} ADD PRIMARY KEY (slot, owner, campaign_no, quarter),
                     ADD CONSTRAINT {table}_is CHECK (quarter = {quarter});
                 ALTER TABLE receipt ATTACH PARTITION {table} FOR VALUES IN ({quarter});
                 ALTER TABLE {table} DROP CONSTRAINT {table}_is;"
            );
            keeper.run("create quarter of receipts", &sql).await?;
            tracing::info!(place = %store.pool.place(), table, "quarter of receipts made");
        }
        keeper.commit().await?;
        self.set_known(quarter, true);
        Ok(())
    }

    /// Drops the partitions whose quarter was over before the oldest dispatch that may still run,
    /// and of whose campaigns none can send. Returns how many. One that somebody holds on to is
    /// left for the next time.
    pub(super) async fn retire(
        &self,
        store: &CardDatabase,
        sending: &[CampaignId],
        now: Timestamp,
    ) -> Result<u32> {
        let keeper = store.pool.maintenance(STATEMENT, LOCK).await?;
        // Those that an earlier pass left half detached.
        store.cohorts.finalize(&keeper).await?;
        let sending: Vec<Uuid> = sending.iter().map(|id| Uuid::of(*id)).collect();
        let oldest = Time(now.minus(MAX_LIFETIME));
        let mut dropped = 0;
        for row in keeper.all(&OVER, &[&oldest, &sending]).await? {
            let quarter: i16 = get(&row, "quarter")?;
            let table = table(quarter);
            self.set_known(quarter, false);
            let detached = store.cohorts.detach(&keeper, "receipt", &table).await;
            match detached {
                Ok(()) => {}
                Err(Stop::Failed(crate::StoreError::Overloaded) | Stop::Again) => continue,
                Err(stop) => return Err(stop.into_error()),
            }
            let drop = format!("DROP TABLE IF EXISTS {table}");
            keeper.run("drop quarter of receipts", &drop).await?;
            tracing::info!(place = %store.pool.place(), table, "quarter of receipts dropped");
            dropped += 1;
        }
        Ok(dropped)
    }
}
