//! Reads dates out of text: ISO 8601, dates with month names, seconds since the epoch.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use super::Moment;

/// Longer texts are no dates.
const LONGEST: usize = 100;

#[derive(Default)]
struct Found {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    time: Option<(i8, i8, i8, i32)>,
    afternoon: Option<bool>,
    offset: Option<Offset>,
}

pub(super) fn moment(text: &str, now: Moment) -> Option<Moment> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    if text.eq_ignore_ascii_case("now") || text.eq_ignore_ascii_case("today") {
        return Some(now);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().and_then(Moment::from_seconds);
    }
    let mut found = Found::default();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = if c.is_ascii_digit() {
            number(rest, &mut found)?
        } else if c.is_ascii_alphabetic() {
            word(rest, &mut found)?
        } else if matches!(c, '+' | '-') && found.time.is_some() {
            offset(rest, &mut found)?
        } else if matches!(c, ' ' | ',' | '.' | '-' | '/') {
            &rest[1..]
        } else {
            return None;
        };
    }
    found.assemble(now)
}

impl Found {
    fn assemble(self, now: Moment) -> Option<Moment> {
        let today = now.local.date();
        let dated = self.month.is_some() || self.day.is_some() || self.year.is_some();
        if !dated && self.time.is_none() {
            return None;
        }
        let date = if dated {
            let year = self.year.unwrap_or(today.year());
            Date::new(year, self.month?, self.day.unwrap_or(1)).ok()?
        } else {
            today
        };
        let (hour, minute, second, nanosecond) = self.time.unwrap_or_default();
        let hour = match self.afternoon {
            Some(true) if hour < 12 => hour + 12,
            Some(false) if hour == 12 => 0,
            _ => hour,
        };
        let time = Time::new(hour, minute, second.min(59), nanosecond).ok()?;
        let local = DateTime::from_parts(date, time);
        Some(Moment {
            local,
            offset: self.offset.unwrap_or(Offset::UTC),
        })
    }
}

/// The digits at the front, and what follows.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn number<'t>(text: &'t str, found: &mut Found) -> Option<&'t str> {
    let (number, rest) = digits(text);
    if rest.starts_with(':') {
        return clock(number, rest, found);
    }
    if number.len() == 4 && rest.starts_with(['-', '/']) && found.year.is_none() {
        let (month, rest) = digits(&rest[1..]);
        found.year = Some(number.parse().ok()?);
        found.month = Some(month.parse().ok()?);
        let Some(rest) = rest.strip_prefix(['-', '/']) else {
            return Some(rest);
        };
        let (day, rest) = digits(rest);
        found.day = Some(day.parse().ok()?);
        return Some(rest);
    }
    if let (8, Some(clock)) = (number.len(), rest.strip_prefix(['t', 'T']))
        && found.year.is_none()
    {
        return compact(number, clock, found);
    }
    let (next, behind) = digits(rest.strip_prefix('/').unwrap_or_default());
    if number.len() <= 2 && !next.is_empty() && found.day.is_none() && found.month.is_none() {
        return slashed(number, next, behind, found);
    }
    if number.len() <= 2 && found.time.is_none() {
        let word = rest.trim_start().get(..2).map(str::to_ascii_lowercase);
        if let Some("am" | "pm") = word.as_deref() {
            found.time = Some((number.parse().ok()?, 0, 0, 0));
            return Some(rest);
        }
    }
    if number.len() <= 2 && found.day.is_none() {
        found.day = Some(number.parse().ok()?);
        let after = ["st", "nd", "rd", "th"]
            .iter()
            .find_map(|suffix| rest.strip_prefix(suffix));
        return Some(after.unwrap_or(rest));
    }
    if number.len() == 4 && found.year.is_none() {
        found.year = Some(number.parse().ok()?);
        return Some(rest);
    }
    None
}

/// `20240305T102030`.
fn compact<'t>(date: &str, clock: &'t str, found: &mut Found) -> Option<&'t str> {
    found.year = Some(date.get(..4)?.parse().ok()?);
    found.month = Some(date.get(4..6)?.parse().ok()?);
    found.day = Some(date.get(6..)?.parse().ok()?);
    let (time, rest) = digits(clock);
    let part = |from: usize| match time.get(from..from + 2) {
        Some(part) => part.parse().ok(),
        None => Some(0),
    };
    found.time = Some((part(0)?, part(2)?, part(4)?, 0));
    Some(rest)
}

/// `5/3/2024` is the fifth of March; `5/3` the third of May. That is how Liquid's host reads them.
fn slashed<'t>(first: &str, second: &str, rest: &'t str, found: &mut Found) -> Option<&'t str> {
    let (first, second) = (first.parse().ok()?, second.parse().ok()?);
    let (year, behind) = digits(rest.strip_prefix('/').unwrap_or_default());
    match year.len() {
        0 => {
            (found.month, found.day) = (Some(first), Some(second));
            return Some(rest);
        }
        4 => found.year = Some(year.parse().ok()?),
        _ => return None,
    }
    (found.day, found.month) = (Some(first), Some(second));
    Some(behind)
}

fn clock<'t>(hour: &str, text: &'t str, found: &mut Found) -> Option<&'t str> {
    let (minute, mut rest) = digits(&text[1..]);
    let mut second = 0;
    let mut nanosecond = 0;
    if let Some(after) = rest.strip_prefix(':') {
        let (digits_of_second, after) = digits(after);
        second = digits_of_second.parse().ok()?;
        rest = after;
        if let Some(after) = rest.strip_prefix('.') {
            let (fraction, after) = digits(after);
            let padded = format!("{fraction:0<9}");
            nanosecond = padded.get(..9)?.parse().ok()?;
            rest = after;
        }
    }
    found.time = Some((hour.parse().ok()?, minute.parse().ok()?, second, nanosecond));
    Some(rest)
}

fn offset<'t>(text: &'t str, found: &mut Found) -> Option<&'t str> {
    let negative = text.starts_with('-');
    let (front, mut rest) = digits(&text[1..]);
    let (hours, minutes) = if let Some(after) = rest.strip_prefix(':') {
        let (minutes, after) = digits(after);
        rest = after;
        (front, minutes)
    } else {
        (
            front.get(..2)?,
            front.get(2..).filter(|m| !m.is_empty()).unwrap_or("0"),
        )
    };
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    found.offset = Some(Offset::from_seconds(if negative { -seconds } else { seconds }).ok()?);
    Some(rest)
}

fn hours(hours: i8) -> Option<Offset> {
    Offset::from_hours(hours).ok()
}

fn word<'t>(text: &'t str, found: &mut Found) -> Option<&'t str> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    const DAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let length = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, rest) = text.split_at(length);
    let word = word.to_ascii_lowercase();
    match word.as_str() {
        "t" => {}
        "z" | "utc" | "gmt" => found.offset = Some(Offset::UTC),
        "edt" | "ast" => found.offset = hours(-4),
        "est" | "cdt" => found.offset = hours(-5),
        "cst" | "mdt" => found.offset = hours(-6),
        "mst" | "pdt" => found.offset = hours(-7),
        "pst" => found.offset = hours(-8),
        "bst" | "cet" => found.offset = hours(1),
        "cest" | "eet" => found.offset = hours(2),
        "jst" => found.offset = hours(9),
        "am" => found.afternoon = Some(false),
        "pm" => found.afternoon = Some(true),
        _ if length < 3 => return None,
        word => match MONTHS.iter().position(|month| month.starts_with(word)) {
            Some(month) => found.month = i8::try_from(month + 1).ok(),
            None if DAYS.iter().any(|day| day.starts_with(word)) => {}
            None => return None,
        },
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_the_usual_notations_are_read() {
        let now = Moment::from_seconds(1_795_255_200).unwrap();
        let read = |text| moment(text, now).map(Moment::seconds);
        assert_eq!(read("now"), Some(1_795_255_200));
        assert_eq!(read("1700000000"), Some(1_700_000_000));
        for same in [
            "2024-03-05T10:20:30Z",
            "2024-03-05 11:20:30 +0100",
            "2024-03-05T10:20:30.123+00:00",
            "March 5, 2024 10:20:30 AM",
            "Tue, 05 Mar 2024 10:20:30 GMT",
            "5th mar 2024 10:20:30",
            "2024-03-05 05:20:30 EST",
            "2024-03-05 19:20:30 JST",
        ] {
            assert_eq!(read(same), Some(1_709_634_030), "{same}");
        }
        assert_eq!(read("2024/03/05"), Some(1_709_596_800));
        assert_eq!(read("5/3/2024"), Some(1_709_596_800));
        assert_eq!(read("20240305T102030Z"), Some(1_709_634_030));
        assert_eq!(read("5 March 2024, 10 am"), Some(1_709_632_800));
        assert_eq!(read("March 5 2024 12am"), Some(1_709_596_800));
        for none in [
            "",
            "hello",
            "-1152098955",
            "2024-13-05",
            "99:99",
            "1 2 3 4",
            "۵ march",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
