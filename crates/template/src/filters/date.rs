//! `date`: points in time, read from what templates hold and printed by a pattern.
//!
//! The time of the render stands in for `now`; nothing here reads a clock. A date without a zone is
//! UTC; a date with an offset keeps it.

mod parse;
mod pattern;
pub(super) mod zone;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::Args;
use crate::error::TemplateError;
use crate::runtime::Runtime;
use crate::value::Value;

/// A local time with its distance from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    local: DateTime,
    offset: Offset,
}

impl Moment {
    fn utc(time: jiff::Timestamp) -> Self {
        Self {
            local: time.to_zoned(TimeZone::UTC).datetime(),
            offset: Offset::UTC,
        }
    }

    fn from_seconds(seconds: i64) -> Option<Self> {
        jiff::Timestamp::from_second(seconds).ok().map(Self::utc)
    }

    /// Seconds since the epoch.
    fn seconds(self) -> i64 {
        self.offset
            .to_timestamp(self.local)
            .map_or(0, jiff::Timestamp::as_second)
    }
}

/// What is no date, and what has no pattern, stays as it is.
pub(super) fn date(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let pattern = rt.text_of(args.at(0))?;
    if pattern.len == 0 {
        return Ok(input);
    }
    match read(rt, input) {
        Some(moment) => rt.build(|rt, out| pattern::format(moment, rt.str(pattern), out)),
        None => Ok(input),
    }
}

/// The point in time that a value stands for.
fn read(rt: &Runtime, input: Value) -> Option<Moment> {
    match input {
        Value::Int(seconds) => Moment::from_seconds(seconds),
        Value::Text(text) => parse::moment(rt.str(text), Moment::utc(rt.now.to_jiff())),
        _ => None,
    }
}
