//! Values as JSON text, and back.

use super::Args;
use crate::data::Data;
use crate::error::{TemplateError, codes};
use crate::print::float;
use crate::runtime::{Runtime, Sink};
use crate::value::{Seq, Value};

enum Step {
    Value(Value),
    /// The items of a list from a place on, and its end.
    Items(Seq, usize),
    /// The entries of a map from a place on, and its end.
    Entries(Seq, usize),
}

/// The value as JSON. Nested values are walked with an explicit stack.
pub(super) fn json(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    rt.build(|rt, out| {
        let mut steps = vec![Step::Value(input)];
        while let Some(step) = steps.pop() {
            rt.meter.charge(1)?;
            match step {
                Step::Value(Value::List(seq)) => {
                    out.push('[')?;
                    steps.push(Step::Items(seq, 0));
                }
                Step::Value(Value::Map(seq)) => {
                    out.push('{')?;
                    steps.push(Step::Entries(seq, 0));
                }
                Step::Items(seq, at) => match rt.item(seq, at) {
                    Some(item) => {
                        if at > 0 {
                            out.push(',')?;
                        }
                        steps.push(Step::Items(seq, at + 1));
                        steps.push(Step::Value(item));
                    }
                    None => out.push(']')?,
                },
                Step::Entries(seq, at) => match rt.entry(seq, at) {
                    Some((key, value)) => {
                        if at > 0 {
                            out.push(',')?;
                        }
                        quoted(rt.str(key), out)?;
                        out.push(':')?;
                        steps.push(Step::Entries(seq, at + 1));
                        steps.push(Step::Value(value));
                    }
                    None => out.push('}')?,
                },
                Step::Value(Value::Text(text)) => quoted(rt.str(text), out)?,
                Step::Value(Value::Nil) => out.push_str("null")?,
                Step::Value(Value::Float(n)) if !n.is_finite() => out.push_str("null")?,
                Step::Value(Value::Float(n)) => out.push_str(&float(n))?,
                Step::Value(number @ (Value::Int(_) | Value::Bool(_))) => rt.print(&number, out)?,
                Step::Value(other) => {
                    out.push('"')?;
                    rt.print(&other, out)?;
                    out.push('"')?;
                }
            }
        }
        Ok(())
    })
}

/// The text as it stands between the quotes of a JSON string.
pub(super) fn json_escape(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.build(|rt, out| escaped(rt.str(text), out))
}

/// JSON text as a value. Nothing stays nothing; what is no JSON is an error.
pub(super) fn json_parse(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    if text.len == 0 {
        return Ok(Value::Nil);
    }
    // Parsing costs more than reading, and what comes of it more than the text.
    rt.meter.charge_bytes(16 * text.len as usize)?;
    let data = Data::from_slice(rt.str(text).as_bytes()).map_err(|_| {
        let message = "'json_parse' of a text that is not JSON";
        TemplateError::new(codes::INVALID_VALUE, message)
    })?;
    rt.keep(data.arena.bytes())?;
    let store = rt.add_store(data.arena)?;
    Ok(data.root.seen_from(store))
}

fn quoted(text: &str, out: &mut Sink<'_>) -> Result<(), TemplateError> {
    out.push('"')?;
    escaped(text, out)?;
    out.push('"')
}

fn escaped(text: &str, out: &mut Sink<'_>) -> Result<(), TemplateError> {
    text.chars().try_for_each(|c| match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => out.push(c),
    })
}
