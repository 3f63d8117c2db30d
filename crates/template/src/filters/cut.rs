//! Taking texts apart: slices, shortening, splitting. Positions count characters.

use super::Args;
use crate::error::TemplateError;
use crate::runtime::Runtime;
use crate::scan::is_space;
use crate::value::{Seq, Text, Value};

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The part of a text between two byte positions: a view, not a copy.
fn part(text: Text, from: usize, to: usize) -> Value {
    Value::Text(Text {
        start: text.start + number(from),
        len: number(to - from),
        ..text
    })
}

/// Byte position of character number `n`, or the end.
fn byte_of(text: &str, n: usize) -> usize {
    text.char_indices().nth(n).map_or(text.len(), |(at, _)| at)
}

/// Start and end within `0..=size`; none when the start lies outside.
fn window(offset: i64, length: i64, size: usize) -> Option<(usize, usize)> {
    let signed_size = i64::try_from(size).ok()?;
    let start = if offset < 0 {
        offset.checked_add(signed_size)?
    } else {
        offset
    };
    if start < 0 || start > signed_size || length < 0 {
        return None;
    }
    let end = start.saturating_add(length).min(signed_size);
    Some((usize::try_from(start).ok()?, usize::try_from(end).ok()?))
}

pub(super) fn slice(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let offset = rt.integer(args.at(0))?;
    let length = match args.at(1) {
        Value::Nil => 1,
        given => rt.integer(given)?,
    };
    if let Value::List(seq) = input {
        let (from, to) = window(offset, length, seq.len as usize).unwrap_or((0, 0));
        let items = Seq {
            start: seq.start + number(from),
            len: number(to - from),
            ..seq
        };
        return Ok(Value::List(items));
    }
    let text = rt.text_of(input)?;
    rt.meter.charge_bytes(text.len as usize)?;
    let content = rt.str(text);
    let Some((from, to)) = window(offset, length, content.chars().count()) else {
        return Ok(Value::Text(Text::EMPTY));
    };
    let start = byte_of(content, from);
    let end = start + byte_of(&content[start..], to - from);
    Ok(part(text, start, end))
}

pub(super) fn truncate(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    if matches!(input, Value::Nil) {
        return Ok(input);
    }
    let length = match args.given(0) {
        Some(given) => rt.integer(given)?,
        None => 50,
    };
    let (short, length) = (length < 0, usize::try_from(length).unwrap_or(0));
    let text = rt.text_of(input)?;
    rt.meter.charge_bytes(text.len as usize)?;
    if !short && rt.str(text).chars().nth(length).is_none() {
        return Ok(Value::Text(text));
    }
    let ending = match args.given(1) {
        Some(given) => Some(rt.text_of(given)?),
        None => None,
    };
    rt.build(|rt, out| {
        let ending = ending.map_or("...", |ending| rt.str(ending));
        let content = rt.str(text);
        let kept = length.saturating_sub(ending.chars().count());
        out.push_str(&content[..byte_of(content, kept)])?;
        out.push_str(ending)
    })
}

pub(super) fn truncatewords(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    if matches!(input, Value::Nil) {
        return Ok(input);
    }
    let limit = match args.given(0) {
        Some(given) => usize::try_from(rt.integer(given)?).unwrap_or(0).max(1),
        None => 15,
    };
    let text = rt.text_of(input)?;
    rt.meter.charge_bytes(text.len as usize)?;
    // White space behind the last word counts as one more, as Liquid has it.
    let content = rt.str(text);
    let behind = words(content).nth(limit - 1).map_or("", |last| {
        let end = last.as_ptr().addr() - content.as_ptr().addr() + last.len();
        &content[end..]
    });
    if behind.is_empty() {
        return Ok(Value::Text(text));
    }
    let ending = match args.given(1) {
        Some(given) => Some(rt.text_of(given)?),
        None => None,
    };
    rt.build(|rt, out| {
        for (index, word) in words(rt.str(text)).take(limit).enumerate() {
            if index > 0 {
                out.push_str(" ")?;
            }
            out.push_str(word)?;
        }
        out.push_str(ending.map_or("...", |ending| rt.str(ending)))
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

pub(super) fn split(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    let separator = rt.text_of(args.at(0))?;
    rt.meter.charge_bytes(text.len as usize)?;
    let (content, separator) = (rt.str(text), rt.str(separator));
    let base = content.as_ptr().addr();
    let bounds = |piece: &str| {
        let from = piece.as_ptr().addr() - base;
        part(text, from, from + piece.len())
    };
    // One more than fits, so that too many are refused and not dropped.
    let most = rt.room_for_items().saturating_add(1);
    let mut parts: Vec<Value> = match separator {
        "" => {
            let letters = content.split_inclusive(|_| true);
            letters.map(bounds).take(most).collect()
        }
        " " => words(content).map(bounds).take(most).collect(),
        separator => content.split(separator).map(bounds).take(most).collect(),
    };
    if parts.len() == most {
        return rt.new_list(&parts);
    }
    // Empty parts at the end do not count.
    while parts
        .last()
        .is_some_and(|last| matches!(last, Value::Text(t) if t.len == 0))
    {
        parts.pop();
    }
    rt.new_list(&parts)
}
