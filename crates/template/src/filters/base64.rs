//! Base 64, plain and safe for URLs.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

use super::Args;
use crate::error::{TemplateError, codes};
use crate::runtime::Runtime;
use crate::value::Value;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD_LENIENT: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE_LENIENT: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

fn encode_with(
    rt: &mut Runtime,
    input: Value,
    engine: &GeneralPurpose,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.meter.charge_bytes(text.len as usize)?;
    let encoded = engine.encode(rt.str(text));
    rt.new_text(&encoded)
}

fn decode_with(
    rt: &mut Runtime,
    input: Value,
    name: &str,
    engine: &GeneralPurpose,
) -> Result<Value, TemplateError> {
    let text = match input {
        Value::Text(text) => text,
        Value::Nil => return Ok(input),
        _ => {
            let message = format!("'{name}' works on texts only");
            return Err(TemplateError::new(codes::INVALID_VALUE, message));
        }
    };
    rt.meter.charge_bytes(text.len as usize)?;
    let decoded = engine
        .decode(rt.str(text))
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or_else(|| {
        let message = format!("the input of '{name}' is not base 64 of a text");
        TemplateError::new(codes::INVALID_VALUE, message)
    })?;
    rt.new_text(&decoded)
}

pub(super) fn encode(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    encode_with(rt, input, &STANDARD)
}

pub(super) fn decode(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    decode_with(rt, input, "base64_decode", &STANDARD_LENIENT)
}

pub(super) fn url_safe_encode(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    encode_with(rt, input, &URL_SAFE)
}

pub(super) fn url_safe_decode(
    rt: &mut Runtime,
    input: Value,
    _: &Args<'_>,
) -> Result<Value, TemplateError> {
    decode_with(rt, input, "base64_url_safe_decode", &URL_SAFE_LENIENT)
}
