//! Adding to and stripping from the ends of texts, and line ends inside them.

use super::Args;
use crate::error::TemplateError;
use crate::runtime::Runtime;
use crate::scan::is_space;
use crate::value::{Text, Value};

pub(super) fn append(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    rt.build(|rt, out| {
        rt.print_for_filter(input, out)?;
        rt.print_for_filter(args.at(0), out)
    })
}

pub(super) fn prepend(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    rt.build(|rt, out| {
        rt.print_for_filter(args.at(0), out)?;
        rt.print_for_filter(input, out)
    })
}

/// The part of a text that `trim` leaves: a view, not a copy.
fn view(
    rt: &mut Runtime,
    input: Value,
    trim: impl FnOnce(&str) -> (usize, usize),
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.meter.charge_bytes(text.len as usize)?;
    let (skipped, kept) = trim(rt.str(text));
    let number = |n: usize| u32::try_from(n).unwrap_or(0);
    Ok(Value::Text(Text {
        start: text.start + number(skipped),
        len: number(kept),
        ..text
    }))
}

pub(super) fn strip(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    view(rt, input, |text| {
        let tail = text.trim_start_matches(is_space);
        (
            text.len() - tail.len(),
            tail.trim_end_matches(is_space).len(),
        )
    })
}

pub(super) fn lstrip(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    view(rt, input, |text| {
        let tail = text.trim_start_matches(is_space);
        (text.len() - tail.len(), tail.len())
    })
}

pub(super) fn rstrip(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    view(rt, input, |text| (0, text.trim_end_matches(is_space).len()))
}

/// Writes the text with every `\n` or `\r\n` replaced.
fn replace_line_ends(rt: &mut Runtime, input: Value, with: &str) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.build(|rt, out| {
        let mut lines = rt.str(text).split('\n');
        let mut line = lines.next().unwrap_or_default();
        for next in lines {
            out.push_str(line.strip_suffix('\r').unwrap_or(line))?;
            out.push_str(with)?;
            line = next;
        }
        out.push_str(line)
    })
}

pub(super) fn strip_newlines(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    replace_line_ends(rt, input, "")
}

pub(super) fn newline_to_br(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    replace_line_ends(rt, input, "<br />\n")
}
