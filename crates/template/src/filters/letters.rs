//! Upper and lower case.

use super::Args;
use crate::error::TemplateError;
use crate::runtime::Runtime;
use crate::value::Value;

pub(super) fn upcase(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.build(|rt, out| {
        rt.str(text)
            .chars()
            .flat_map(char::to_uppercase)
            .try_for_each(|c| out.push(c))
    })
}

pub(super) fn downcase(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.build(|rt, out| {
        rt.str(text)
            .chars()
            .flat_map(char::to_lowercase)
            .try_for_each(|c| out.push(c))
    })
}

/// The first letter large, the others small.
pub(super) fn capitalize(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.build(|rt, out| {
        let mut letters = rt.str(text).chars();
        let first = letters.next();
        first
            .into_iter()
            .flat_map(char::to_uppercase)
            .try_for_each(|c| out.push(c))?;
        letters
            .flat_map(char::to_lowercase)
            .try_for_each(|c| out.push(c))
    })
}
