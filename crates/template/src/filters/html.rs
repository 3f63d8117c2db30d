//! HTML: escaping and stripping, in time linear in the text.

use super::Args;
use crate::error::TemplateError;
use crate::runtime::Runtime;
use crate::value::{Text, Value};

fn entity(c: char) -> Option<&'static str> {
    Some(match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        _ => return None,
    })
}

pub(super) fn escape(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.build(|rt, out| {
        rt.str(text).chars().try_for_each(|c| match entity(c) {
            Some(entity) => out.push_str(entity),
            None => out.push(c),
        })
    })
}

/// Escapes, but leaves entities that are there already.
pub(super) fn escape_once(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.build(|rt, out| {
        let content = rt.str(text);
        content
            .char_indices()
            .try_for_each(|(at, c)| match entity(c) {
                Some(_) if c == '&' && begins_entity(&content[at + 1..]) => out.push(c),
                Some(entity) => out.push_str(entity),
                None => out.push(c),
            })
    })
}

/// `name;` or `#123;`. Names are short: looking further would make the filter quadratic.
fn begins_entity(rest: &str) -> bool {
    const LONGEST: usize = 40;
    let (digits, rest) = match rest.strip_prefix('#') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let wanted = |b: &u8| {
        if digits {
            b.is_ascii_digit()
        } else {
            b.is_ascii_alphabetic()
        }
    };
    let length = rest.bytes().take(LONGEST).take_while(wanted).count();
    length > 0 && rest.as_bytes().get(length) == Some(&b';')
}

/// Removes scripts, styles and comments with their content, then all tags of what is left.
pub(super) fn strip_html(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    const BLOCKS: [(&str, &str); 3] = [
        ("<script", "</script>"),
        ("<!--", "-->"),
        ("<style", "</style>"),
    ];
    let text = rt.text_of(input)?;
    let without_blocks = if rt.str(text).contains('<') {
        without(rt, text, &BLOCKS)?
    } else {
        input
    };
    let text = rt.text_of(without_blocks)?;
    without(rt, text, &[("<", ">")])
}

/// The text without everything from a start to the next end.
fn without(rt: &mut Runtime, text: Text, pairs: &[(&str, &str)]) -> Result<Value, TemplateError> {
    rt.meter.charge_bytes(text.len as usize)?;
    rt.build(|rt, out| {
        let content = rt.str(text);
        // Once an end is not found, it is not looked for again.
        let mut missing = [false; 3];
        let mut at = 0;
        while let Some(found) = content[at..].find('<') {
            out.push_str(&content[at..at + found])?;
            at += found;
            let rest = &content[at..];
            let mut end = None;
            for ((start, closing), missing) in pairs.iter().zip(&mut missing) {
                if !*missing && rest.starts_with(start) {
                    let inner = &rest[start.len()..];
                    end = inner
                        .find(closing)
                        .map(|end| start.len() + end + closing.len());
                    *missing = end.is_none();
                    break;
                }
            }
            match end {
                Some(end) => at += end,
                None => {
                    out.push('<')?;
                    at += 1;
                }
            }
        }
        out.push_str(&content[at..])
    })
}
