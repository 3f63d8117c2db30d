//! The layout `flat`: a cohort is retired by deleting its rows, a portion at a time.

use super::attempt::{self, Attempt};
use super::cohorts::FOLD;
use super::tables::Tables;
use crate::error::Result;
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;

/// Most rows deleted in one transaction.
const PORTION: i64 = 5_000;

const FORGET_WRITTEN: Statement = Statement::new(
    "forget written",
    "DELETE FROM card_written WHERE cohort_no = $1",
);

/// Keeps the counts, then deletes the rows. May be interrupted anywhere and repeated.
pub(super) async fn delete(keeper: &Session, number: i16) -> Attempt<()> {
    let all = Tables {
        suffix: String::new(),
    };
    keeper.begin_holding(Lock::only(Protects::Cohorts)).await?;
    // Writers of the cohort are waited for, and then refused by its state.
    let close = "LOCK TABLE card_count IN SHARE ROW EXCLUSIVE MODE";
    attempt::run(keeper, "close cohort", close).await?;
    attempt::change(keeper, "keep counts", &all.sql(FOLD), &[&number]).await?;
    for sql in [
        "DELETE FROM card_count WHERE cohort_no = $1",
        "DELETE FROM card_fence WHERE cohort_no = $1",
        "UPDATE cohort SET state = 2 WHERE cohort_no = $1 AND state < 2",
    ] {
        attempt::change(keeper, "close cohort", sql, &[&number]).await?;
    }
    let next = "UPDATE cohort_set SET version = version + 1";
    attempt::change(keeper, "change cohorts", next, &[]).await?;
    keeper.commit().await?;
    for table in ["card", "card_state", "card_event", "card_content"] {
        let sql = format!(
            "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} \
             WHERE cohort_no = $1 LIMIT $2))"
        );
        while attempt::change(keeper, "delete cohort", &sql, &[&number, &PORTION]).await? > 0 {}
    }
    let done = "UPDATE cohort SET state = 3 WHERE cohort_no = $1";
    attempt::change(keeper, "mark cohort", done, &[&number]).await?;
    Ok(())
}

/// Deletes what is remembered of a cohort's dispatches.
pub(super) async fn forget_written(keeper: &Session, number: i16) -> Result<()> {
    keeper.change(&FORGET_WRITTEN, &[&number]).await.map(drop)
}
