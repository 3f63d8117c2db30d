//! Digests and keyed digests, for links that the receiver checks.
//!
//! MD5 and SHA-1 are here because existing receivers ask for them, not because they protect anything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use ring::{digest, hmac};

use super::Args;
use crate::error::TemplateError;
use crate::runtime::Runtime;
use crate::value::Value;

/// Bytes of text that cost as much as 64 bytes of other filters.
const DEARER: usize = 4;

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn md5(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.meter.charge_bytes(DEARER * text.len as usize)?;
    let digest = Md5::digest(rt.str(text).as_bytes());
    rt.new_text(&hex(&digest))
}

fn digested(
    rt: &mut Runtime,
    input: Value,
    algorithm: &'static digest::Algorithm,
) -> Result<Value, TemplateError> {
    let text = rt.text_of(input)?;
    rt.meter.charge_bytes(DEARER * text.len as usize)?;
    let digest = digest::digest(algorithm, rt.str(text).as_bytes());
    rt.new_text(&hex(digest.as_ref()))
}

pub(super) fn sha1(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    digested(rt, input, &digest::SHA1_FOR_LEGACY_USE_ONLY)
}

pub(super) fn sha256(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    digested(rt, input, &digest::SHA256)
}

pub(super) fn sha512(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    digested(rt, input, &digest::SHA512)
}

/// The first argument is the key.
fn keyed(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
    algorithm: hmac::Algorithm,
    notation: fn(&[u8]) -> String,
) -> Result<Value, TemplateError> {
    let (text, key) = (rt.text_of(input)?, rt.text_of(args.at(0))?);
    let bytes = (text.len as usize).saturating_add(key.len as usize);
    rt.meter.charge_bytes(DEARER.saturating_mul(bytes))?;
    let key = hmac::Key::new(algorithm, rt.str(key).as_bytes());
    let tag = hmac::sign(&key, rt.str(text).as_bytes());
    rt.new_text(&notation(tag.as_ref()))
}

pub(super) fn hmac_sha1_hex(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    keyed(rt, input, args, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, hex)
}

pub(super) fn hmac_sha1_base64(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    keyed(rt, input, args, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, base64)
}

pub(super) fn hmac_sha256_hex(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    keyed(rt, input, args, hmac::HMAC_SHA256, hex)
}

pub(super) fn hmac_sha256_base64(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    keyed(rt, input, args, hmac::HMAC_SHA256, base64)
}

pub(super) fn hmac_sha512_hex(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    keyed(rt, input, args, hmac::HMAC_SHA512, hex)
}

pub(super) fn hmac_sha512_base64(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    keyed(rt, input, args, hmac::HMAC_SHA512, base64)
}
