//! Upper and lower case.

use super::Args;
use crate::error::TemplateError;
use crate::runtime::{Runtime, Sink};
use crate::value::Value;

pub(super) fn upcase(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.build(|rt, out| upper(rt.str(text), out))
}

pub(super) fn downcase(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.build(|rt, out| lower(rt.str(text), out))
}

/// The first letter large, the others small.
pub(super) fn capitalize(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.build(|rt, out| {
        let text = rt.str(text);
        let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
        upper(first, out)?;
        lower(rest, out)
    })
}

fn upper(text: &str, out: &mut Sink<'_>) -> Result<(), TemplateError> {
    if text.is_ascii() {
        return out.push_changed(text, str::make_ascii_uppercase);
    }
    let mut letters = text.chars().flat_map(char::to_uppercase);
    letters.try_for_each(|c| out.push(c))
}

fn lower(text: &str, out: &mut Sink<'_>) -> Result<(), TemplateError> {
    if text.is_ascii() {
        return out.push_changed(text, str::make_ascii_lowercase);
    }
    let mut letters = text.chars().flat_map(char::to_lowercase);
    letters.try_for_each(|c| out.push(c))
}
