//! How domain values stand in PostgreSQL's types: ids as `uuid`, times as `timestamptz`, documents
//! as JSON text.

use std::error::Error;

use bytes::BytesMut;
use corkboard_core::id::Id;
use corkboard_core::time::{Day, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use super::failure;
use crate::error::Result;

type Refusal = Box<dyn Error + Sync + Send>;

/// Sixteen bytes of a `uuid` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Uuid(pub(super) [u8; 16]);

impl Uuid {
    pub(super) fn of(id: impl Id) -> Self {
        Self(id.to_bytes())
    }
}

impl ToSql for Uuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Refusal> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
    accepts!(UUID);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Uuid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> std::result::Result<Self, Refusal> {
        Ok(Self(raw.try_into()?))
    }
    accepts!(UUID);
}

/// A time of a `timestamptz` column: microseconds, as in the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Timestamp);

/// 2000-01-01, from which PostgreSQL counts.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;
/// The same as a day.
const POSTGRES_FIRST_DAY: i32 = 10_957;
/// The year 4714 before our era; PostgreSQL has no earlier time.
const EARLIEST: i64 = -211_813_488_000_000_000;

impl Time {
    /// As PostgreSQL keeps it.
    pub(super) fn stored(self) -> i64 {
        (self.0.as_micros() - POSTGRES_EPOCH).max(EARLIEST)
    }
}

impl ToSql for Time {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Refusal> {
        out.extend_from_slice(&self.stored().to_be_bytes());
        Ok(IsNull::No)
    }
    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Time {
    fn from_sql(_: &Type, raw: &'a [u8]) -> std::result::Result<Self, Refusal> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        Ok(Self(Timestamp::from_micros(
            micros.saturating_add(POSTGRES_EPOCH),
        )))
    }
    accepts!(TIMESTAMPTZ);
}

/// A day of a `date` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date(pub(super) Day);

impl ToSql for Date {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Refusal> {
        let days = self.0.number().saturating_sub(POSTGRES_FIRST_DAY);
        out.extend_from_slice(&days.to_be_bytes());
        Ok(IsNull::No)
    }
    accepts!(DATE);
    to_sql_checked!();
}

/// A JSON document as text. `json` columns keep it letter by letter, `jsonb` columns do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Json<T>(pub(super) T);

/// The version number that begins a `jsonb` value on the wire.
const JSONB_VERSION: u8 = 1;

impl<T: AsRef<str> + std::fmt::Debug> ToSql for Json<T> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Refusal> {
        if *of == Type::JSONB {
            out.extend_from_slice(&[JSONB_VERSION]);
        }
        out.extend_from_slice(self.0.as_ref().as_bytes());
        Ok(IsNull::No)
    }
    accepts!(JSON, JSONB);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Json<&'a str> {
    fn from_sql(of: &Type, raw: &'a [u8]) -> std::result::Result<Self, Refusal> {
        let text = if *of == Type::JSONB {
            raw.strip_prefix(&[JSONB_VERSION])
                .ok_or("an unknown version of jsonb")?
        } else {
            raw
        };
        Ok(Self(std::str::from_utf8(text)?))
    }
    accepts!(JSON, JSONB);
}

/// A column's value.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T> {
    row.try_get(column).map_err(failure::column)
}

/// An id from its column.
pub(super) fn id<T: Id>(row: &Row, column: &str) -> Result<T> {
    get(row, column).map(|Uuid(bytes)| T::from_bytes(bytes))
}

/// An id that may be absent.
pub(super) fn optional_id<T: Id>(row: &Row, column: &str) -> Result<Option<T>> {
    let id: Option<Uuid> = get(row, column)?;
    Ok(id.map(|Uuid(bytes)| T::from_bytes(bytes)))
}

/// A time from its column.
pub(super) fn time(row: &Row, column: &str) -> Result<Timestamp> {
    get(row, column).map(|Time(time)| time)
}

/// A time that may be absent.
pub(super) fn optional_time(row: &Row, column: &str) -> Result<Option<Timestamp>> {
    let time: Option<Time> = get(row, column)?;
    Ok(time.map(|Time(time)| time))
}

/// A count from its column. PostgreSQL knows signed numbers only; we never store a negative one.
pub(super) fn count(row: &Row, column: &str) -> Result<u64> {
    let stored: i64 = get(row, column)?;
    Ok(u64::try_from(stored).unwrap_or(0))
}

/// A count as PostgreSQL keeps it; nothing is counted beyond 2^63.
pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
