//! `time_zone`: the same moment on another clock.

use jiff::tz::{Offset, TimeZone};

use super::{Moment, read};
use crate::error::{TemplateError, codes};
use crate::filters::Args;
use crate::runtime::Runtime;
use crate::value::Value;

/// The result is a text with its offset, which `date` reads back. What is no date stays as it is.
pub(in crate::filters) fn time_zone(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let name = rt.text_of(args.at(0))?;
    let name = rt.str(name).trim();
    let Some(zone) = offset(name).or_else(|| TimeZone::get(name).ok()) else {
        let shown: String = name.chars().take(40).collect();
        let message =
            format!("'{shown}' is no time zone; write one like 'Europe/Berlin' or '+02:00'");
        return Err(TemplateError::new(codes::INVALID_VALUE, message));
    };
    let Some(moment) = read(rt, input) else {
        return Ok(input);
    };
    let Ok(time) = moment.offset.to_timestamp(moment.local) else {
        return Ok(input);
    };
    let there = time.to_zoned(zone);
    let moment = Moment {
        local: there.datetime(),
        offset: there.offset(),
    };
    rt.build(|_, out| super::pattern::format(moment, "%Y-%m-%d %H:%M:%S %z", out))
}

/// `+02:00`, `-0530`, `+2`.
fn offset(text: &str) -> Option<TimeZone> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() > 2 => rest.split_at_checked(rest.len() - 2)?,
        None => (rest, "0"),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds = hours
        .checked_mul(3_600)?
        .checked_add(minutes.checked_mul(60)?)?;
    Some(TimeZone::fixed(Offset::from_seconds(sign * seconds).ok()?))
}
