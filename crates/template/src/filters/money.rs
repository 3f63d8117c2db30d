//! `money`: an amount with two places, 145 as 145.00. The currency is the author's to write.

use super::Args;
use crate::error::TemplateError;
use crate::number::{Decimal, Number};
use crate::runtime::Runtime;
use crate::value::Value;

const PLACES: u32 = 2;

pub(super) fn money(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    if matches!(input, Value::Nil) {
        return Ok(input);
    }
    let cents = match rt.number(input) {
        Number::Int(n) => n.checked_mul(10_i128.pow(PLACES)),
        Number::Decimal(amount) => cents(amount),
        Number::Float(_) => None,
    };
    // An amount that does not fit stays as it is.
    let Some(cents) = cents else {
        return Ok(input);
    };
    let unit = 10_u128.pow(PLACES);
    let (whole, rest) = (cents.unsigned_abs() / unit, cents.unsigned_abs() % unit);
    let sign = if cents < 0 { "-" } else { "" };
    rt.new_text(&format!("{sign}{whole}.{rest:02}"))
}

/// Half rounds away from zero.
fn cents(amount: Decimal) -> Option<i128> {
    let Some(dropped) = amount.scale.checked_sub(PLACES) else {
        let missing = PLACES - amount.scale;
        return amount.digits.checked_mul(10_i128.pow(missing));
    };
    let unit = 10_i128.checked_pow(dropped)?;
    let (whole, rest) = (amount.digits / unit, amount.digits % unit);
    let up = rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2) && dropped > 0;
    Some(if up {
        whole + amount.digits.signum()
    } else {
        whole
    })
}
