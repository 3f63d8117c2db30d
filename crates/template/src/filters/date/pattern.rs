//! `strftime` patterns, with the flags that Liquid's authors use: `-`, `0`, `_`, `^` and a width.

use jiff::civil::Weekday;

use super::Moment;
use crate::error::TemplateError;
use crate::runtime::Sink;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WIDEST: usize = 64;

#[derive(Default, Clone, Copy)]
struct Flags {
    bare: bool,
    pad: Option<char>,
    upper: bool,
    /// `#`: the other case.
    swap: bool,
    colons: usize,
    width: usize,
}

pub(super) fn format(
    moment: Moment,
    pattern: &str,
    out: &mut Sink<'_>,
) -> Result<(), TemplateError> {
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at])?;
        let directive = &rest[at + 1..];
        let mut flags = Flags::default();
        let mut letters = directive.char_indices();
        let end = loop {
            match letters.next() {
                Some((_, '-')) => flags.bare = true,
                Some((_, '0')) if flags.width == 0 => flags.pad = Some('0'),
                Some((_, '_')) => flags.pad = Some(' '),
                Some((_, '^')) => flags.upper = true,
                Some((_, '#')) => flags.swap = true,
                Some((_, 'E' | 'O')) => {}
                Some((_, ':')) => flags.colons += 1,
                Some((_, digit)) if digit.is_ascii_digit() => {
                    let digit = digit.to_digit(10).unwrap_or(0) as usize;
                    flags.width = (flags.width * 10 + digit).min(WIDEST);
                }
                Some((place, letter)) => {
                    if !write(moment, letter, flags, out)? {
                        out.push('%')?;
                        out.push_str(&directive[..place + letter.len_utf8()])?;
                    }
                    break place + letter.len_utf8();
                }
                None => {
                    out.push('%')?;
                    out.push_str(directive)?;
                    break directive.len();
                }
            }
        };
        rest = &directive[end..];
    }
    out.push_str(rest)
}

fn number(
    n: i64,
    width: usize,
    pad: char,
    flags: Flags,
    out: &mut Sink<'_>,
) -> Result<(), TemplateError> {
    let width = if flags.bare {
        0
    } else {
        flags.width.max(width)
    };
    let pad = flags.pad.unwrap_or(pad);
    let digits = n.unsigned_abs().to_string();
    let sign = if n < 0 { "-" } else { "" };
    let missing = width.saturating_sub(digits.len() + sign.len());
    if pad == '0' {
        out.push_str(sign)?;
    }
    (0..missing).try_for_each(|_| out.push(pad))?;
    if pad != '0' {
        out.push_str(sign)?;
    }
    out.push_str(&digits)
}

/// Places of a second: a width says how many.
fn fraction(
    nanosecond: i64,
    places: usize,
    flags: Flags,
    out: &mut Sink<'_>,
) -> Result<(), TemplateError> {
    let places = if flags.width > 0 { flags.width } else { places };
    let digits = format!("{nanosecond:09}");
    out.push_str(&digits[..places.min(9)])?;
    (9..places).try_for_each(|_| out.push('0'))
}

fn word(text: &str, flags: Flags, out: &mut Sink<'_>) -> Result<(), TemplateError> {
    let missing = flags.width.saturating_sub(text.len());
    (0..missing).try_for_each(|_| out.push(flags.pad.unwrap_or(' ')))?;
    let all_upper = text.bytes().all(|b| b.is_ascii_uppercase());
    if flags.swap && all_upper {
        out.push_str(&text.to_lowercase())
    } else if flags.upper || flags.swap {
        out.push_str(&text.to_uppercase())
    } else {
        out.push_str(text)
    }
}

fn day_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

/// Writes one directive. False: there is no such directive.
fn write(m: Moment, letter: char, flags: Flags, out: &mut Sink<'_>) -> Result<bool, TemplateError> {
    let time = m.local;
    let (hour, day_of_year) = (i64::from(time.hour()), i64::from(time.day_of_year()));
    let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
    let weekday = time.weekday();
    let month = MONTHS
        .get(usize::try_from(time.month()).unwrap_or(1) - 1)
        .copied()
        .unwrap_or("");
    let from_sunday = i64::from(weekday.to_sunday_zero_offset());
    let from_monday = i64::from(weekday.to_monday_zero_offset());
    let nanosecond = i64::from(time.subsec_nanosecond());
    let iso = time.date().iso_week_date();
    match letter {
        'Y' => number(time.year().into(), 0, '0', flags, out)?,
        'C' => number(i64::from(time.year()).div_euclid(100), 2, '0', flags, out)?,
        'y' => number(i64::from(time.year()).rem_euclid(100), 2, '0', flags, out)?,
        'm' => number(time.month().into(), 2, '0', flags, out)?,
        'B' => word(month, flags, out)?,
        'b' | 'h' => word(&month[..3.min(month.len())], flags, out)?,
        'd' => number(time.day().into(), 2, '0', flags, out)?,
        'e' => number(time.day().into(), 2, ' ', flags, out)?,
        'j' => number(day_of_year, 3, '0', flags, out)?,
        'H' => number(hour, 2, '0', flags, out)?,
        'k' => number(hour, 2, ' ', flags, out)?,
        'I' => number(hour12, 2, '0', flags, out)?,
        'l' => number(hour12, 2, ' ', flags, out)?,
        'M' => number(time.minute().into(), 2, '0', flags, out)?,
        'S' => number(time.second().into(), 2, '0', flags, out)?,
        'L' => fraction(nanosecond, 3, flags, out)?,
        'N' => fraction(nanosecond, 9, flags, out)?,
        'p' => word(if hour < 12 { "AM" } else { "PM" }, flags, out)?,
        'P' => word(if hour < 12 { "am" } else { "pm" }, flags, out)?,
        'A' => word(day_name(weekday), flags, out)?,
        'a' => word(&day_name(weekday)[..3], flags, out)?,
        'u' => number(from_monday + 1, 0, '0', flags, out)?,
        'w' => number(from_sunday, 0, '0', flags, out)?,
        'G' => number(iso.year().into(), 0, '0', flags, out)?,
        'g' => number(i64::from(iso.year()).rem_euclid(100), 2, '0', flags, out)?,
        'V' => number(iso.week().into(), 2, '0', flags, out)?,
        'U' => number((day_of_year + 6 - from_sunday) / 7, 2, '0', flags, out)?,
        'W' => number((day_of_year + 6 - from_monday) / 7, 2, '0', flags, out)?,
        's' => number(m.seconds(), 0, '0', flags, out)?,
        'z' => zone(m, flags, out)?,
        'Z' => {
            if m.offset.is_zero() {
                word("UTC", flags, out)?;
            }
        }
        'n' => out.push('\n')?,
        't' => out.push('\t')?,
        '%' => out.push('%')?,
        'c' => format(m, "%a %b %e %H:%M:%S %Y", out)?,
        'D' | 'x' => format(m, "%m/%d/%y", out)?,
        'F' => format(m, "%Y-%m-%d", out)?,
        'T' | 'X' => format(m, "%H:%M:%S", out)?,
        'R' => format(m, "%H:%M", out)?,
        'r' => format(m, "%I:%M:%S %p", out)?,
        'v' => format(m, "%e-%^b-%Y", out)?,
        '+' => format(m, "%a %b %e %H:%M:%S %Z %Y", out)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn zone(m: Moment, flags: Flags, out: &mut Sink<'_>) -> Result<(), TemplateError> {
    let seconds = m.offset.seconds();
    out.push(if seconds < 0 { '-' } else { '+' })?;
    let minutes = seconds.unsigned_abs() / 60;
    let colon = if flags.colons > 0 { ":" } else { "" };
    out.push_str(&format!("{:02}{colon}{:02}", minutes / 60, minutes % 60))?;
    if flags.colons > 1 {
        out.push_str(&format!(":{:02}", seconds.unsigned_abs() % 60))?;
    }
    Ok(())
}
