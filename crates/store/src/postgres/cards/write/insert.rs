//! Inserting a batch's rows: all at once, or around those that are there.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::join;
use tokio_postgres::CopyInSink;

use super::Writing;
use super::counting::Counting;
use super::rows::{Row, Rows};
use crate::error::Result;
use crate::postgres::cards::attempt::{self, Attempt};
use crate::postgres::cards::contents::json;
use crate::postgres::cards::owner::Owner;
use crate::postgres::cards::tables::Tables;
use crate::postgres::session::{Params, Session};
use crate::postgres::values::{Time, Uuid, get};

pub(super) const COPY: &str = "COPY card@ (created_at, expires_at, owner, content_no, cohort_no, \
                               slot, occurrence, content) FROM STDIN BINARY";
pub(in crate::postgres::cards) const INSERT: &str = "INSERT INTO card@ (created_at, expires_at, owner, content_no, \
     cohort_no, slot, occurrence, content) \
     SELECT $1::timestamptz, e, o, n, $2::smallint, s, c, t FROM unnest($3::timestamptz[], $4::uuid[], $5::int[], \
     $6::smallint[], $7::int[], $8::text[]) AS k(e, o, n, s, c, t) ORDER BY s, o, n \
     ON CONFLICT (slot, owner, content_no) DO NOTHING RETURNING slot, owner";

/// Copies the rows, counts them and commits. All of them are new, or it fails. Returns whose they
/// are.
pub(super) async fn copy(
    session: &Session,
    tables: &Tables,
    begun: Option<CopyInSink<Bytes>>,
    rows: Rows<'_>,
    counting: &Counting<'_>,
) -> Attempt<Vec<usize>> {
    if rows.rows.is_empty() && begun.is_none() {
        counting.and_commit(&rows.places).await?;
        return Ok(rows.places);
    }
    let name = "copy cards";
    let copy = match begun {
        Some(copy) => copy,
        None => {
            let statement = attempt::prepare(session, name, &tables.sql(COPY)).await?;
            attempt::begin_copy(session, name, &statement).await?
        }
    };
    let encoded = rows.encode()?;
    // The server reads the rest when it is done with the rows.
    let (copied, counted) = join!(
        attempt::finish_copy(session, name, copy, encoded),
        counting.and_commit(&rows.places)
    );
    copied?;
    counted?;
    Ok(rows.places)
}

/// Row by row, going on around cards that are there. Returns whose are new.
pub(super) async fn around(
    writing: &Writing<'_>,
    session: &Session,
    tables: &Tables,
    rows: &Rows<'_>,
) -> Attempt<Vec<usize>> {
    if rows.rows.is_empty() {
        return Ok(Vec::new());
    }
    let all = rows.rows.as_slice();
    fn column<'a, T>(rows: &'a [Row<'a>], of: impl Fn(&'a Row<'a>) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    let expires = column(all, |row| Time(row.card.expires_at));
    let owners = column(all, |row| row.owner.key);
    let numbers = column(all, |row| row.content_no);
    let slots = column(all, |row| row.owner.slot);
    let occurrences = column(all, |row| row.occurrence);
    let contents: Result<Vec<Option<String>>> = all
        .iter()
        .map(|row| row.card.content.as_ref().map(json).transpose())
        .collect();
    let (created_at, contents) = (Time(writing.now), contents?);
    let params: Params<'_> = &[
        &created_at,
        &writing.cohort_no,
        &expires,
        &owners,
        &numbers,
        &slots,
        &occurrences,
        &contents,
    ];
    let new = attempt::all(session, "insert cards", &tables.sql(INSERT), params).await?;
    let new: Result<BTreeSet<(i16, Uuid)>> = new
        .iter()
        .map(|row| Ok((get(row, "slot")?, get(row, "owner")?)))
        .collect();
    let new = new?;
    let is_new = |row: &Row<'_>| {
        let Owner { slot, key } = row.owner;
        new.contains(&(slot, key))
    };
    let places = rows.places.iter().zip(all);
    Ok(places
        .filter(|(_, row)| is_new(row))
        .map(|(place, _)| *place)
        .collect())
}
