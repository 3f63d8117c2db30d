//! The statements that read cards, over the tables of the live cohorts: for one user, and for many
//! with one start of the executor, which for one user costs more than the rows.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::tables::Tables;

const NO_CARD: &str = "NULL::smallint, NULL::int, NULL::int, NULL::timestamptz, \
                       NULL::timestamptz, NULL::text";
const NO_STATE: &str = "NULL::uuid, NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, \
                        NULL::timestamptz";
/// The columns of the row that says which cohorts there were, and so of all rows.
const VERSION: &str = "0::smallint AS kind, version, NULL::smallint AS cohort_no, \
     NULL::int AS content_no, NULL::int AS occurrence, NULL::timestamptz AS created_at, \
     NULL::timestamptz AS expires_at, NULL::text AS content, NULL::uuid AS card, \
     NULL::timestamptz AS seen_at, NULL::timestamptz AS clicked_at, \
     NULL::timestamptz AS dismissed_at, NULL::timestamptz AS removed_at FROM cohort_set";

/// The texts, the same for hours, so built once.
#[derive(Debug, Default)]
pub(in super::super) struct CardsSql {
    one: Last,
    many: Last,
}

/// A text and the tables it is over.
type Last = Mutex<Option<(Vec<Tables>, Arc<str>)>>;

impl CardsSql {
    pub(super) fn of_one(&self, sources: Vec<Tables>) -> Arc<str> {
        text(&self.one, sources, of_one)
    }

    pub(super) fn of_many(&self, sources: Vec<Tables>) -> Arc<str> {
        text(&self.many, sources, of_many)
    }
}

fn text(last: &Last, sources: Vec<Tables>, build: fn(&[Tables]) -> String) -> Arc<str> {
    // Only whole values are put there.
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    match &*last {
        Some((known, sql)) if *known == sources => Arc::clone(sql),
        _ => {
            let sql: Arc<str> = build(&sources).into();
            *last = Some((sources, Arc::clone(&sql)));
            sql
        }
    }
}

/// For slot `$1` and owner `$2` at `$3`, at most `$4` cards.
pub(in super::super) fn of_one(sources: &[Tables]) -> String {
    let mut sql = format!("SELECT {VERSION}");
    if sources.is_empty() {
        sql.push_str(
            " WHERE $1::smallint IS NOT NULL AND $2::uuid IS NOT NULL \
                      AND $3::timestamptz IS NOT NULL AND $4::bigint IS NOT NULL",
        );
        return sql;
    }
    sql.push_str(" UNION ALL ");
    push_rows(&mut sql, sources, ["$1", "$2", "$3"]);
    sql
}

/// For slots `$1`, owners `$2` and times `$3`, one behind the other, at most `$4` cards of each.
/// Rows tell by their `place`, counted from 1, whose they are.
///
/// The arrays are sub-selects so that the planner cannot look into them: it would take a plan of its
/// own, made anew at every run, for better than the one that is kept.
pub(in super::super) fn of_many(sources: &[Tables]) -> String {
    let mut sql = format!(
        "SELECT NULL::bigint AS place, {VERSION} UNION ALL SELECT k.place, r.* \
         FROM unnest((SELECT $1::smallint[]), (SELECT $2::uuid[]), (SELECT $3::timestamptz[])) \
         WITH ORDINALITY AS k (slot, owner, now, place) CROSS JOIN LATERAL ("
    );
    push_rows(&mut sql, sources, ["k.slot", "k.owner", "k.now"]);
    sql.push_str(") r");
    sql
}

/// The cards and states of one user.
fn push_rows(sql: &mut String, sources: &[Tables], [slot, owner, now]: [&str; 3]) {
    let _ = write!(
        sql,
        "(SELECT 1::smallint, NULL::bigint, cohort_no, content_no, occurrence, created_at, \
         expires_at, CASE WHEN expires_at > {now} THEN content END, {NO_STATE} FROM ("
    );
    for (place, tables) in sources.iter().enumerate() {
        let (union, card) = (
            if place == 0 { "" } else { " UNION ALL " },
            tables.name("card"),
        );
        let _ = write!(
            sql,
            "{union}SELECT cohort_no, content_no, occurrence, created_at, \
             expires_at, content FROM {card} WHERE slot = {slot} AND owner = {owner}"
        );
    }
    let _ = write!(
        sql,
        ") c ORDER BY expires_at > {now} DESC, created_at DESC LIMIT $4)"
    );
    for tables in sources {
        let state = tables.name("card_state");
        let _ = write!(
            sql,
            " UNION ALL SELECT 2::smallint, NULL, {NO_CARD}, card, seen_at, clicked_at, \
             dismissed_at, removed_at FROM {state} WHERE slot = {slot} AND owner = {owner}"
        );
    }
}
