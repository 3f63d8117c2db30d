//! Arithmetic. Integers stay integers, everything else is decimal (see [`crate::number`]).

use super::Args;
use crate::error::TemplateError;
use crate::number::{Decimal, Number, Operation, calculate};
use crate::runtime::Runtime;
use crate::value::Value;

fn binary(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
    op: Operation,
) -> Result<Value, TemplateError> {
    let result = calculate(rt.number(input), op, rt.number(args.at(0)))?;
    rt.number_value(result)
}

pub(super) fn plus(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    binary(rt, input, args, Operation::Plus)
}

pub(super) fn minus(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    binary(rt, input, args, Operation::Minus)
}

pub(super) fn times(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    binary(rt, input, args, Operation::Times)
}

pub(super) fn divided_by(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    binary(rt, input, args, Operation::DividedBy)
}

pub(super) fn modulo(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    binary(rt, input, args, Operation::Modulo)
}

pub(super) fn abs(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    let result = match rt.number(input) {
        Number::Int(n) => Number::Int(n.saturating_abs()),
        Number::Decimal(d) => Number::Decimal(Decimal {
            digits: d.digits.saturating_abs(),
            ..d
        }),
        Number::Float(n) => Number::Float(n.abs()),
    };
    rt.number_value(result)
}

pub(super) fn at_least(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let (a, b) = (rt.number(input), rt.number(args.at(0)));
    rt.number_value(if b.compare(a).is_gt() { b } else { a })
}

pub(super) fn at_most(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let (a, b) = (rt.number(input), rt.number(args.at(0)));
    rt.number_value(if b.compare(a).is_lt() { b } else { a })
}

pub(super) fn ceil(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    let result = to_integer(rt.number(input), f64::ceil, |whole, rest| {
        whole + i128::from(rest > 0)
    });
    rt.number_value(result)
}

pub(super) fn floor(rt: &mut Runtime, input: Value, _: &Args<'_>) -> Result<Value, TemplateError> {
    let result = to_integer(rt.number(input), f64::floor, |whole, rest| {
        whole - i128::from(rest < 0)
    });
    rt.number_value(result)
}

/// Cuts the places off; `adjust` gets the whole part and what was cut off.
fn to_integer(n: Number, float: fn(f64) -> f64, adjust: fn(i128, i128) -> i128) -> Number {
    match n {
        Number::Int(_) => n,
        Number::Decimal(d) => {
            let Some(unit) = 10_i128.checked_pow(d.scale) else {
                return Number::Int(0);
            };
            Number::Int(adjust(d.digits / unit, d.digits % unit))
        }
        Number::Float(n) => whole_float(float(n)),
    }
}

fn whole_float(n: f64) -> Number {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates; the bound is checked first"
    )]
    if n.abs() < 1e38 {
        Number::Int(n as i128)
    } else {
        Number::Float(n)
    }
}

/// Half rounds away from zero.
pub(super) fn round(
    rt: &mut Runtime,
    input: Value,
    args: &Args<'_>,
) -> Result<Value, TemplateError> {
    let places = match rt.number(args.at(0)) {
        Number::Int(n) => n.clamp(-40, 40),
        #[expect(clippy::cast_possible_truncation, reason = "saturating, and clamped")]
        other => (other.to_f64() as i128).clamp(-40, 40),
    };
    let input = rt.number(input);
    let (digits, scale) = match input {
        Number::Int(n) => (n, 0),
        Number::Decimal(d) => (d.digits, i128::from(d.scale)),
        Number::Float(n) => {
            return rt.number_value(if places <= 0 {
                whole_float(n.round())
            } else {
                input
            });
        }
    };
    if places >= scale {
        return rt.number_value(input);
    }
    let dropped = u32::try_from(scale - places).unwrap_or(u32::MAX);
    let rounded = 10_i128.checked_pow(dropped).map_or(0, |unit| {
        let (whole, rest) = (digits / unit, digits % unit);
        let up = rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2);
        if up { whole + digits.signum() } else { whole }
    });
    let result = if places > 0 {
        Number::Decimal(Decimal {
            digits: rounded,
            scale: u32::try_from(places).unwrap_or(0),
        })
    } else {
        let zeros = u32::try_from(-places).unwrap_or(0);
        let unit = 10_i128.checked_pow(zeros).unwrap_or(0);
        Number::Int(rounded.saturating_mul(unit))
    };
    rt.number_value(result)
}
