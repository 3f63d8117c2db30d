//! Lists as wholes: joining, ends, order, duplicates.

use super::Args;
use crate::error::{TemplateError, codes};
use crate::runtime::Runtime;
use crate::value::Value;

pub(super) fn join(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let items = rt.items(input)?;
    let glue = match args.given(0) {
        Some(glue) => Some(rt.text_of(glue)?),
        None => None,
    };
    rt.build(|rt, out| {
        let glue = glue.map_or(" ", |glue| rt.str(glue));
        items.iter().enumerate().try_for_each(|(index, item)| {
            if index > 0 {
                out.push_str(glue)?;
            }
            rt.print(item, out)
        })
    })
}

pub(super) fn first(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    rt.first(input)
}

pub(super) fn last(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    Ok(rt.last(input))
}

/// An integer has the size of its representation, as Liquid has it.
pub(super) fn size(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    let otherwise = if matches!(input, Value::Int(_)) { 8 } else { 0 };
    Ok(Value::Int(rt.size(input)?.unwrap_or(otherwise)))
}

pub(super) fn reverse(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    let mut items = rt.items(input)?;
    items.reverse();
    rt.new_list(&items)
}

pub(super) fn concat(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let Value::List(more) = args.at(0) else {
        return Err(TemplateError::new(
            codes::INVALID_VALUE,
            "'concat' needs a list to add",
        ));
    };
    let mut items = rt.items(input)?;
    items.extend((0..more.len as usize).filter_map(|index| rt.item(more, index)));
    rt.new_list(&items)
}

/// What decides about an item: itself, or its property if one is named. `None` when it has none.
fn decisive(
    rt: &mut Runtime,
    item: Value,
    args: &Args<'_>,
) -> Result<Option<Value>, TemplateError> {
    match args.given(0) {
        None | Some(Value::Nil) => Ok(Some(item)),
        Some(property) => rt.property(item, property),
    }
}

/// Drops nil items, or items whose property is nil.
pub(super) fn compact(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let mut kept = Vec::new();
    for item in rt.items(input)? {
        let Some(decisive) = decisive(rt, item, args)? else {
            return Ok(Value::Nil);
        };
        if !matches!(decisive, Value::Nil) {
            kept.push(item);
        }
    }
    rt.new_list(&kept)
}

/// Keeps the first of equal items, or of items with equal properties. Every comparison costs fuel.
pub(super) fn uniq(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let mut kept: Vec<Value> = Vec::new();
    let mut seen: Vec<Value> = Vec::new();
    for item in rt.items(input)? {
        let Some(decisive) = decisive(rt, item, args)? else {
            return Ok(Value::Nil);
        };
        rt.meter.charge(seen.len() as u64)?;
        let mut known = false;
        for other in &seen {
            if rt.same(*other, decisive)? {
                known = true;
                break;
            }
        }
        if !known {
            seen.push(decisive);
            kept.push(item);
        }
    }
    rt.new_list(&kept)
}

impl Runtime {
    /// Equal and of one kind: 1 and 1.0 are two items.
    fn same(&mut self, a: Value, b: Value) -> Result<bool, TemplateError> {
        let numbers = matches!(
            (a, b),
            (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_))
        );
        Ok(!numbers && self.equal(a, b)?)
    }
}
