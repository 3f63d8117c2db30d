//! Cohorts as the operator sees them: their size, whether databases agree, how far ahead they reach.

use std::collections::BTreeMap;
use std::time::Duration;

use corkboard_core::cohort::Cohort;
use corkboard_core::time::Timestamp;

use super::{Cohorts, State};
use crate::card_store::{CohortInfo, CohortStage};
use crate::error::Result;
use crate::postgres::cards::CardDatabase;
use crate::postgres::cards::attempt::{self, Attempt, Attempts, Stop};
use crate::postgres::cards::tables::{self, CardLayout};
use crate::postgres::session::Session;
use crate::postgres::values::get;

/// Tables up to this size are counted, larger ones are estimated.
const COUNTED_BYTES: i64 = 8 * 1024 * 1024;
/// The parts of a cohort that take space.
const PARTS: [&str; 6] = [
    "card",
    "card_state",
    "card_event",
    "card_content",
    "card_count",
    "card_fence",
];

/// The cohorts of one database that can be written to, and how far they reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortSet {
    /// Those with tables that take cards, and whether they have got any.
    pub all: BTreeMap<Cohort, bool>,
    /// For this long from now on no dispatch will find its cohort missing; zero when one planned
    /// now might.
    pub headroom: Duration,
}

impl CohortSet {
    fn of(all: BTreeMap<Cohort, bool>, now: Timestamp) -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        let enough = |days: &u32| {
            let mut wanted = Cohort::all_of(now.plus(*days * DAY)).into_iter();
            wanted.all(|cohort| all.contains_key(&cohort))
        };
        let headroom = DAY * (0..15).take_while(enough).count().saturating_sub(1) as u32;
        Self { all, headroom }
    }

    /// How many are in this stage.
    #[must_use]
    pub fn count(&self, stage: CohortStage, now: Timestamp) -> usize {
        let all = self.all.iter();
        all.filter(|(cohort, used)| CohortStage::of(**cohort, **used, now) == stage)
            .count()
    }
}

/// Every cohort that has tables, oldest first.
pub(in crate::postgres::cards) async fn list(store: &CardDatabase) -> Result<Vec<CohortInfo>> {
    let mut attempts = Attempts::default();
    loop {
        let session = store.pool.session().await?;
        match store.cohorts.list(&session).await {
            Ok(list) => return Ok(list),
            Err(Stop::Failed(error)) => return Err(error),
            Err(_) => attempts.pause().await?,
        }
    }
}

impl Cohorts {
    /// Which cohorts take cards, as of now, and how far they reach.
    pub(in crate::postgres::cards) async fn set(&self, now: Timestamp) -> Result<CohortSet> {
        let known = self.look_again().await?;
        let live = known.all.iter().filter(|(_, state)| state.is_live());
        let all = live.map(|(cohort, state)| (*cohort, *state == State::Used));
        Ok(CohortSet::of(all.collect(), now))
    }

    /// How far the cohorts reach. The database is asked only when those that this process knows of
    /// would not do for so long.
    pub(in crate::postgres::cards) async fn headroom(
        &self,
        now: Timestamp,
        enough: Duration,
    ) -> Result<Duration> {
        let known = self.known();
        let live = known.all.iter().filter(|(_, state)| state.is_live());
        let known = live.map(|(cohort, _)| (*cohort, false)).collect();
        let headroom = CohortSet::of(known, now).headroom;
        if headroom >= enough {
            return Ok(headroom);
        }
        Ok(self.set(now).await?.headroom)
    }

    async fn list(&self, session: &Session) -> Attempt<Vec<CohortInfo>> {
        let known = self.look(session).await?;
        let live = known.all.iter().filter(|(_, state)| state.is_live());
        let mut list = Vec::new();
        for (cohort, state) in live.map(|(cohort, state)| (*cohort, *state)) {
            let (rows, bytes) = self.size(session, cohort).await?;
            list.push(CohortInfo {
                cohort,
                used: state == State::Used,
                rows,
                bytes,
            });
        }
        list.sort_by_key(|info| (info.cohort.ends_at(), info.cohort));
        Ok(list)
    }

    /// Cards and states, and the bytes of everything.
    pub(super) async fn size(&self, session: &Session, cohort: Cohort) -> Attempt<(u64, u64)> {
        if self.layout == CardLayout::Flat {
            return flat_size(session, cohort).await;
        }
        let tables = self.tables(cohort);
        let names = PARTS.map(|part| tables.name(part));
        let sizes = "SELECT c.relname, c.reltuples::bigint AS rows, pg_relation_size(c.oid) AS heap, \
             pg_total_relation_size(c.oid) AS bytes FROM pg_class c \
             WHERE c.oid = ANY (SELECT to_regclass(n) FROM unnest($1::text[]) n)";
        let names: &[String] = &names;
        let (mut rows, mut bytes) = (0_i64, 0_i64);
        for row in attempt::all(session, "size of cohort", sizes, &[&names]).await? {
            let name: &str = get(&row, "relname")?;
            bytes += get::<i64>(&row, "bytes")?;
            if name != tables.name("card") && name != tables.name("card_state") {
                continue;
            }
            let estimate: i64 = get(&row, "rows")?;
            rows += if get::<i64>(&row, "heap")? <= COUNTED_BYTES || estimate < 0 {
                let sql = format!("SELECT count(*) AS rows FROM {name}");
                let counted = attempt::all(session, "count cohort", &sql, &[]).await?;
                counted.first().map_or(Ok(0), |row| get(row, "rows"))?
            } else {
                estimate
            };
        }
        Ok((
            u64::try_from(rows).unwrap_or(0),
            u64::try_from(bytes).unwrap_or(0),
        ))
    }
}

/// A cohort's share of the tables that all cohorts share: its rows, and their bytes without what
/// indexes take.
async fn flat_size(session: &Session, cohort: Cohort) -> Attempt<(u64, u64)> {
    const SIZE: &str = "SELECT sum(rows)::bigint AS rows, coalesce(sum(bytes), 0)::bigint AS bytes FROM ( \
         SELECT count(*) AS rows, sum(pg_column_size(c.*)) AS bytes FROM card c WHERE cohort_no = $1 \
         UNION ALL \
         SELECT count(*), sum(pg_column_size(s.*)) FROM card_state s WHERE cohort_no = $1 \
         UNION ALL \
         SELECT 0, sum(pg_column_size(n.*)) FROM card_count n WHERE cohort_no = $1) parts";
    let number = tables::stored(cohort)?;
    let rows = attempt::all(session, "size of cohort", SIZE, &[&number]).await?;
    let Some(row) = rows.first() else {
        return Ok((0, 0));
    };
    let count = |column| crate::postgres::values::count(row, column);
    Ok((count("rows")?, count("bytes")?))
}

#[cfg(test)]
mod tests {
    use super::super::create::needed;
    use super::*;

    #[test]
    fn headroom_is_what_is_left_of_the_two_weeks() {
        const DAY: Duration = Duration::from_secs(86_400);
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let made: BTreeMap<_, _> = needed(now).into_iter().map(|one| (one, false)).collect();
        for (later, left) in [(0, 14), (5, 9), (13, 1), (14, 0), (20, 0)] {
            let set = CohortSet::of(made.clone(), now.plus(later * DAY));
            assert_eq!(set.headroom, left * DAY, "{later} days later");
        }
    }
}
