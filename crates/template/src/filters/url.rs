//! Percent encoding, in the flavours templates ask for.

use std::fmt::Write as _;

use super::Args;
use crate::error::{TemplateError, codes};
use crate::runtime::{Runtime, Sink};
use crate::value::Value;

fn percent(byte: u8, out: &mut Sink<'_>) -> Result<(), TemplateError> {
    let mut code = String::with_capacity(3);
    // Writing to a string cannot fail.
    let _ = write!(code, "%{byte:02X}");
    out.push_str(&code)
}

fn encode(
    rt: &mut Runtime,
    input: Value,
    keep: fn(u8) -> bool,
    plus_for_space: bool,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.build(|rt, out| {
        rt.str(text).bytes().try_for_each(|byte| match byte {
            b' ' if plus_for_space => out.push('+'),
            byte if keep(byte) => out.push(byte.into()),
            byte => percent(byte, out),
        })
    })
}

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

/// For values in forms and queries: space becomes `+`.
pub(super) fn url_encode(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    encode(rt, input, unreserved, true)
}

/// For whole URLs: what has a meaning in a URL stays.
pub(super) fn url_escape(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    let keep = |b: u8| unreserved(b) || b"!*'();:@&=+$,/?#[]%".contains(&b);
    encode(rt, input, keep, false)
}

/// For one part of a URL: everything with a meaning is encoded.
pub(super) fn url_param_escape(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    encode(rt, input, unreserved, false)
}

pub(super) fn url_decode(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.meter.charge_bytes(text.len as usize)?;
    let bytes = rt.str(text).as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digit = |place: usize| {
            bytes
                .get(place)
                .and_then(|b| char::from(*b).to_digit(16))
                .and_then(|d| u8::try_from(d).ok())
        };
        at += 1;
        decoded.push(match (byte, digit(at), digit(at + 1)) {
            (b'%', Some(high), Some(low)) => {
                at += 2;
                high * 16 + low
            }
            (b'+', _, _) => b' ',
            (byte, _, _) => *byte,
        });
    }
    let decoded = String::from_utf8(decoded).map_err(|_| {
        TemplateError::new(
            codes::INVALID_VALUE,
            "'url_decode' of something that is not UTF-8",
        )
    })?;
    rt.new_text(&decoded)
}
