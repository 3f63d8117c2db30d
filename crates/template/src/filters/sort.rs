//! Sorting, with nil last.

use std::cmp::Ordering;

use super::Args;
use crate::error::{TemplateError, codes};
use crate::runtime::Runtime;
use crate::value::Value;

/// Items with what they are sorted by. None when one of them has no properties.
fn keyed(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Option<Vec<(Value, Value)>>, TemplateError> {
    let items = rt.items(input)?;
    let property = args.at(0);
    items
        .into_iter()
        .map(|item| match property {
            Value::Nil => Ok(Some((item, item))),
            property => Ok(rt.property(item, property)?.map(|key| (key, item))),
        })
        .collect()
}

/// Pays for sorting before it begins: each round looks at every key once. A comparison that failed
/// half-way would leave no order at all.
fn charge(rt: &Runtime, keyed: &[(Value, Value)]) -> Result<(), TemplateError> {
    let units = keyed.iter().map(|(key, _)| match key {
        Value::Text(text) => 1 + u64::from(text.len / 64),
        _ => 1,
    });
    let rounds = u64::from(keyed.len().max(1).ilog2() + 1);
    rt.meter.charge(units.sum::<u64>().saturating_mul(rounds))
}

fn items_of(rt: &mut Runtime, keyed: &[(Value, Value)]) -> Result<Value, TemplateError> {
    let items: Vec<Value> = keyed.iter().map(|(_, item)| *item).collect();
    rt.new_list(&items)
}

pub(super) fn sort(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let Some(mut keyed) = keyed(rt, input, args)? else {
        return Ok(Value::Nil);
    };
    // Checked first, so that the comparison is a total order.
    let kind = |value: Value| match value {
        Value::Nil => 0,
        Value::Int(_) | Value::Float(_) => 1,
        Value::Text(_) => 2,
        Value::Bool(true) => 3,
        Value::Bool(false) => 4,
        _ => 5,
    };
    let mut kinds = keyed
        .iter()
        .map(|(key, _)| kind(*key))
        .filter(|kind| *kind > 0);
    if let Some(first) = kinds.next() {
        let mixed = kinds.any(|kind| kind != first);
        if (mixed || first == 5) && keyed.len() > 1 {
            let message = "'sort' of values that cannot be compared with each other";
            return Err(TemplateError::new(codes::INVALID_VALUE, message));
        }
    }
    charge(rt, &keyed)?;
    keyed.sort_by(|(a, _), (b, _)| rt.order(*a, *b).unwrap_or(Ordering::Equal));
    items_of(rt, &keyed)
}

/// Ignores the case of ASCII letters; everything is compared as text.
pub(super) fn sort_natural(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let Some(mut keyed) = keyed(rt, input, args)? else {
        return Ok(Value::Nil);
    };
    for (key, _) in &mut keyed {
        if !matches!(key, Value::Nil) {
            *key = Value::Text(rt.text_of(*key)?);
        }
    }
    charge(rt, &keyed)?;
    keyed.sort_by(|(a, _), (b, _)| match (*a, *b) {
        (Value::Text(a), Value::Text(b)) => {
            let fold = |text| rt.str(text).bytes().map(|b| b.to_ascii_lowercase());
            fold(a).cmp(fold(b))
        }
        (Value::Nil, Value::Nil) => Ordering::Equal,
        (Value::Nil, _) => Ordering::Greater,
        _ => Ordering::Less,
    });
    items_of(rt, &keyed)
}
