//! `number_with_delimiter`: 1234567.5 as 1,234,567.5.

use super::Args;
use crate::error::TemplateError;
use crate::runtime::Runtime;
use crate::value::Value;

pub(super) fn number_with_delimiter(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    let delimiter = match args.given(0) {
        Some(delimiter) => Some(rt.text_of(delimiter)?),
        None => None,
    };
    rt.build(|rt, out| {
        let delimiter = delimiter.map_or(",", |delimiter| rt.str(delimiter));
        let content = rt.str(text);
        let unsigned = content.trim_start_matches('-');
        let (whole, rest) = unsigned.split_at(unsigned.find('.').unwrap_or(unsigned.len()));
        if whole.is_empty() || !whole.bytes().all(|b| b.is_ascii_digit()) {
            return out.push_str(content);
        }
        out.push_str(&content[..content.len() - unsigned.len()])?;
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index).is_multiple_of(3) {
                out.push_str(delimiter)?;
            }
            out.push(digit)?;
        }
        out.push_str(rest)
    })
}
