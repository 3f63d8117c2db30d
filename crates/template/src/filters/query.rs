//! Lists of objects: picking by a property, and picking the property out.

use super::Args;
use crate::error::{TemplateError, codes};
use crate::number::{Number, Operation, calculate};
use crate::runtime::Runtime;
use crate::value::{Text, Value};

impl Runtime {
    /// `item[property]` as list filters read it. None when the item has no properties at all; an
    /// error for items, such as numbers, that answer other questions.
    pub(super) fn property(
        &self,
        item: Value,
        property: Value,
    ) -> Result<Option<Value>, TemplateError> {
        let refused = || {
            let message = "a list filter was asked for a property of something that has none";
            Err(TemplateError::new(codes::INVALID_VALUE, message))
        };
        match (item, property) {
            (Value::Map(seq), Value::Text(name)) => {
                Ok(Some(self.get(seq, self.str(name)).unwrap_or(Value::Nil)))
            }
            (Value::Map(_), _) => Ok(Some(Value::Nil)),
            // A text has as properties the texts it contains.
            (Value::Text(text), Value::Text(part)) => {
                self.meter.charge_bytes(text.len as usize)?;
                let found = self.str(text).contains(self.str(part));
                Ok(Some(if found { property } else { Value::Nil }))
            }
            (Value::Text(_), Value::Nil) => Ok(Some(Value::Text(Text::EMPTY))),
            // A number answers with its bits.
            (Value::Int(n), Value::Int(bit)) => Ok(Some(Value::Int(
                u32::try_from(bit).map_or(0, |bit| n >> bit.min(63) & 1),
            ))),
            (Value::Int(_) | Value::Text(_), _) => refused(),
            _ => Ok(None),
        }
    }

    /// Whether an item has a property, or has it with a value. None: the item has no properties.
    fn matches(&mut self, item: Value, args: &Args<'_>) -> Result<Option<bool>, TemplateError> {
        self.meter.charge(1)?;
        let Some(found) = self.property(item, args.at(0))? else {
            return Ok(None);
        };
        match args.at(1) {
            Value::Nil => Ok(Some(found.is_truthy())),
            wanted => self.equal(found, wanted).map(Some),
        }
    }
}

fn select(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
    wanted: bool,
) -> Result<Value, TemplateError> {
    let mut kept = Vec::new();
    for item in rt.items(input)? {
        match rt.matches(item, args)? {
            Some(verdict) if verdict == wanted => kept.push(item),
            Some(_) => {}
            None => return Ok(Value::Nil),
        }
    }
    rt.new_list(&kept)
}

pub(super) fn where_(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    select(rt, input, args, true)
}

pub(super) fn reject(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    select(rt, input, args, false)
}

/// The place and the item that match first. `Err(())` inside: an item has no properties.
fn position(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Result<Option<(usize, Value)>, ()>, TemplateError> {
    for (index, item) in rt.items(input)?.into_iter().enumerate() {
        match rt.matches(item, args)? {
            Some(true) => return Ok(Ok(Some((index, item)))),
            Some(false) => {}
            None => return Ok(Err(())),
        }
    }
    Ok(Ok(None))
}

pub(super) fn find(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    Ok(position(rt, input, args)?
        .ok()
        .flatten()
        .map_or(Value::Nil, |(_, item)| item))
}

pub(super) fn find_index(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let found = position(rt, input, args)?.ok().flatten();
    Ok(found
        .and_then(|(at, _)| i64::try_from(at).ok())
        .map_or(Value::Nil, Value::Int))
}

pub(super) fn has(rt: &mut Runtime, input: Value, args: &Args<'_>) -> Result<Value, TemplateError> {
    Ok(match position(rt, input, args)? {
        Ok(found) => Value::Bool(found.is_some()),
        Err(()) => Value::Nil,
    })
}

pub(super) fn map(rt: &mut Runtime, input: Value, args: &Args<'_>) -> Result<Value, TemplateError> {
    let mut values = Vec::new();
    for item in rt.items(input)? {
        rt.meter.charge(1)?;
        values.push(rt.property(item, args.at(0))?.unwrap_or(Value::Nil));
    }
    rt.new_list(&values)
}

pub(super) fn sum(rt: &mut Runtime, input: Value, args: &Args<'_>) -> Result<Value, TemplateError> {
    let mut total = Number::Int(0);
    for item in rt.items(input)? {
        let summand = match args.at(0) {
            Value::Nil => item,
            property => rt.property(item, property)?.unwrap_or(Value::Nil),
        };
        for part in rt.items(summand)? {
            total = calculate(total, Operation::Plus, rt.number(part))?;
        }
    }
    rt.number_value(total)
}

/// `hash | property_accessor: 'key'`: the member of an object.
pub(super) fn property_accessor(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    if let Value::Text(key) = args.at(0) {
        rt.meter.charge_bytes(16 * key.len as usize)?;
    }
    Ok(rt.member(input, args.at(0)))
}
