//! Replacing and removing parts of texts.

use super::Args;
use crate::error::TemplateError;
use crate::runtime::Runtime;
use crate::value::Value;

#[derive(Clone, Copy)]
enum Which {
    All,
    First,
    Last,
}

fn substitute(
    rt: &mut Runtime,
    input: Value,
    pattern: Value,
    with: Value,
    which: Which,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    let pattern = rt.text_of(pattern)?;
    let with = rt.text_of(with)?;
    rt.meter.charge_bytes(text.len as usize)?;
    rt.build(|rt, out| {
        let (text, pattern, with) = (rt.str(text), rt.str(pattern), rt.str(with));
        let single = match which {
            Which::All => {
                let mut from = 0;
                for (at, found) in text.match_indices(pattern) {
                    out.push_str(&text[from..at])?;
                    out.push_str(with)?;
                    from = at + found.len();
                }
                return out.push_str(&text[from..]);
            }
            Which::First => text.find(pattern),
            Which::Last => text.rfind(pattern),
        };
        let Some(at) = single else {
            return out.push_str(text);
        };
        out.push_str(&text[..at])?;
        out.push_str(with)?;
        out.push_str(&text[at + pattern.len()..])
    })
}

pub(super) fn replace(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    substitute(rt, input, args.at(0), args.at(1), Which::All)
}

pub(super) fn replace_first(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    substitute(rt, input, args.at(0), args.at(1), Which::First)
}

pub(super) fn replace_last(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    substitute(rt, input, args.at(0), args.at(1), Which::Last)
}

pub(super) fn remove(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    substitute(rt, input, args.at(0), Value::Nil, Which::All)
}

pub(super) fn remove_first(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    substitute(rt, input, args.at(0), Value::Nil, Which::First)
}

pub(super) fn remove_last(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    substitute(rt, input, args.at(0), Value::Nil, Which::Last)
}
