//! `default`: another value for nil, false and what is empty.

use super::Args;
use crate::error::TemplateError;
use crate::runtime::Runtime;
use crate::value::{Text, Value};

pub(super) fn default(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let allow_false = args.keyword.is_some_and(Value::is_truthy);
    let missing = match input {
        Value::Nil | Value::Empty => true,
        Value::Bool(false) => !allow_false,
        other => rt.is_empty(other),
    };
    let otherwise = args.given(0).unwrap_or(Value::Text(Text::EMPTY));
    Ok(if missing { otherwise } else { input })
}
