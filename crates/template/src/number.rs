//! Numbers as the math filters see them: integers, and decimals instead of binary floats.
//!
//! `10.1 | minus: 2.2` is 7.9 in Liquid, not 7.8999999999999995: floats are read as the decimals they
//! print as. A decimal is `digits / 10^scale`; what does not fit falls back to binary floats.

use std::borrow::Cow;

use crate::error::{TemplateError, codes};
use crate::print;
use crate::runtime::Runtime;
use crate::value::Value;

/// More decimal places than this are cut: beyond what a float can hold.
const MAX_SCALE: u32 = 30;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Int(i128),
    Decimal(Decimal),
    /// Too large or too small for a decimal.
    Float(f64),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal {
    pub(crate) digits: i128,
    pub(crate) scale: u32,
}

impl Decimal {
    /// From `-12.34` notation; none when it does not fit.
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let scale = u32::try_from(fraction.len())
            .ok()
            .filter(|scale| *scale <= MAX_SCALE)?;
        let negative = whole.starts_with('-');
        let whole: i128 = whole.parse().ok()?;
        let part: i128 = if fraction.is_empty() {
            0
        } else {
            fraction.parse().ok()?
        };
        let shifted = whole.checked_mul(10_i128.checked_pow(scale)?)?;
        let digits = if negative {
            shifted.checked_sub(part)?
        } else {
            shifted.checked_add(part)?
        };
        Some(Self { digits, scale })
    }

    fn rescale(self, scale: u32) -> Option<i128> {
        self.digits
            .checked_mul(10_i128.checked_pow(scale.checked_sub(self.scale)?)?)
    }

    fn to_f64(self) -> f64 {
        format!("{}e-{}", self.digits, self.scale)
            .parse()
            .unwrap_or_default()
    }
}

impl Number {
    pub(crate) fn to_f64(self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "the nearest float is what is asked for"
        )]
        match self {
            Self::Int(n) => n as f64,
            Self::Decimal(d) => d.to_f64(),
            Self::Float(n) => n,
        }
    }

    fn as_decimal(self) -> Option<Decimal> {
        match self {
            Self::Int(digits) => Some(Decimal { digits, scale: 0 }),
            Self::Decimal(d) => Some(d),
            Self::Float(_) => None,
        }
    }

    fn from_f64(n: f64) -> Self {
        let text = format!("{n}");
        let decimal = if n.is_finite() && text.len() < 30 {
            Decimal::parse(&text)
        } else {
            None
        };
        decimal.map_or(Self::Float(n), Self::Decimal)
    }

    pub(crate) fn is_zero(self) -> bool {
        match self {
            Self::Int(n) => n == 0,
            Self::Decimal(d) => d.digits == 0,
            Self::Float(n) => n == 0.0,
        }
    }

    pub(crate) fn compare(self, other: Self) -> std::cmp::Ordering {
        if let (Some(a), Some(b)) = (self.as_decimal(), other.as_decimal()) {
            let scale = a.scale.max(b.scale);
            if let (Some(a), Some(b)) = (a.rescale(scale), b.rescale(scale)) {
                return a.cmp(&b);
            }
        }
        self.to_f64().total_cmp(&other.to_f64())
    }
}

/// What the math filters do. Integers stay integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Plus,
    Minus,
    Times,
    DividedBy,
    Modulo,
}

pub(crate) fn calculate(a: Number, op: Operation, b: Number) -> Result<Number, TemplateError> {
    let divides = matches!(op, Operation::DividedBy | Operation::Modulo);
    if divides && b.is_zero() {
        return Err(TemplateError::new(codes::ZERO_DIVISION, "divided by zero"));
    }
    if let (Number::Int(a), Number::Int(b)) = (a, b) {
        let result = match op {
            Operation::Plus => a.checked_add(b),
            Operation::Minus => a.checked_sub(b),
            Operation::Times => a.checked_mul(b),
            Operation::DividedBy => floor_divide(a, b),
            Operation::Modulo => floor_modulo(a, b),
        };
        if let Some(result) = result {
            return Ok(Number::Int(result));
        }
    } else if let (Some(a), Some(b)) = (a.as_decimal(), b.as_decimal())
        && let Some(result) = decimal(a, op, b)
    {
        return Ok(Number::Decimal(result));
    }
    let (x, y) = (a.to_f64(), b.to_f64());
    Ok(Number::Float(match op {
        Operation::Plus => x + y,
        Operation::Minus => x - y,
        Operation::Times => x * y,
        Operation::DividedBy => x / y,
        Operation::Modulo => x - y * (x / y).floor(),
    }))
}

fn floor_divide(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    let exact = a.checked_rem(b)? == 0;
    if exact || (a < 0) == (b < 0) {
        Some(quotient)
    } else {
        quotient.checked_sub(1)
    }
}

fn floor_modulo(a: i128, b: i128) -> Option<i128> {
    let rest = a.checked_rem(b)?;
    if rest == 0 || (rest < 0) == (b < 0) {
        Some(rest)
    } else {
        rest.checked_add(b)
    }
}

fn decimal(a: Decimal, op: Operation, b: Decimal) -> Option<Decimal> {
    let scale = a.scale.max(b.scale);
    let common = || Some((a.rescale(scale)?, b.rescale(scale)?));
    match op {
        Operation::Plus => {
            let (x, y) = common()?;
            Some(Decimal {
                digits: x.checked_add(y)?,
                scale,
            })
        }
        Operation::Minus => {
            let (x, y) = common()?;
            Some(Decimal {
                digits: x.checked_sub(y)?,
                scale,
            })
        }
        Operation::Modulo => {
            let (x, y) = common()?;
            Some(Decimal {
                digits: floor_modulo(x, y)?,
                scale,
            })
        }
        Operation::Times => {
            let scale = a.scale + b.scale;
            let digits = a.digits.checked_mul(b.digits)?;
            (scale <= 2 * MAX_SCALE).then_some(Decimal { digits, scale })
        }
        Operation::DividedBy => {
            // As many places as fit: 20 are more than a float can hold.
            let (x, y) = common()?;
            let places = (0..=20).rev().find(|p| {
                10_i128
                    .checked_pow(*p)
                    .and_then(|power| x.checked_mul(power))
                    .is_some()
            })?;
            let digits = x
                .checked_mul(10_i128.checked_pow(places)?)?
                .checked_div(y)?;
            (digits == 0 || places >= 17).then_some(Decimal {
                digits,
                scale: places,
            })
        }
    }
}

/// `-?digits.digits`, nothing else.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(whole, part)| all_digits(whole) && all_digits(part))
}

/// `12`, `1_000`, `0x1f`, `0b11`, `0o17` or `017`, with a sign, as Liquid's host language reads it.
fn strict_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = [("0x", 16), ("0b", 2), ("0o", 8), ("0d", 10), ("0", 8)]
        .into_iter()
        .find_map(|(prefix, radix)| {
            let rest = lower.strip_prefix(prefix)?;
            (!rest.is_empty()).then_some((radix, rest))
        })
        .unwrap_or((10, &lower));
    let grouped = digits.split('_').all(|group| !group.is_empty());
    let plain = digits.replace('_', "");
    if !grouped || plain.starts_with(['+', '-']) {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{plain}"), radix).ok()
}

/// The number at the front of a text, as far as it goes; 0 when there is none.
fn leading_integer(text: &str) -> Number {
    let text = text.trim_start();
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    let grouped = digits > 0 && text[sign + digits..].starts_with('_');
    let number = if grouped {
        grouped_digits(text, sign)
    } else {
        Cow::Borrowed(&text[..sign + digits])
    };
    match number.parse::<i128>() {
        Ok(n) => Number::Int(n),
        Err(_) if digits == 0 => Number::Int(0),
        Err(_) => Number::Float(number.parse().unwrap_or_default()),
    }
}

/// The sign and digits at the front, without the single `_` between them.
fn grouped_digits(text: &str, sign: usize) -> Cow<'_, str> {
    let mut number = text[..sign].to_owned();
    let mut rest = text[sign..].chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '0'..='9' => number.push(c),
            '_' if rest.peek().is_some_and(char::is_ascii_digit) => {}
            _ => break,
        }
    }
    Cow::Owned(number)
}

impl Runtime {
    /// The number in a value, as the math filters coerce it; what is no number is 0.
    pub(crate) fn number(&self, value: Value) -> Number {
        match value {
            Value::Int(n) => Number::Int(n.into()),
            Value::Float(n) => Number::from_f64(n),
            Value::Text(text) => {
                let text = self.str(text);
                let trimmed = text.trim();
                if is_decimal(trimmed) {
                    Decimal::parse(trimmed).map_or_else(
                        || Number::Float(trimmed.parse().unwrap_or_default()),
                        Number::Decimal,
                    )
                } else {
                    leading_integer(text)
                }
            }
            _ => Number::Int(0),
        }
    }

    /// A computed number as a value. Integers beyond 64 bits keep their digits as text.
    pub(crate) fn number_value(&mut self, number: Number) -> Result<Value, TemplateError> {
        match number {
            Number::Int(n) => match i64::try_from(n) {
                Ok(n) => Ok(Value::Int(n)),
                Err(_) => self.new_text(&n.to_string()),
            },
            Number::Decimal(d) => Ok(Value::Float(d.to_f64())),
            Number::Float(n) => Ok(Value::Float(n)),
        }
    }

    /// A whole number, strictly: for positions and lengths.
    pub(crate) fn integer(&self, value: Value) -> Result<i64, TemplateError> {
        let parsed = match value {
            Value::Int(n) => Some(n),
            Value::Text(text) => strict_integer(self.str(text)),
            _ => None,
        };
        parsed.ok_or_else(|| {
            let shown = match value {
                Value::Text(text) => {
                    format!("'{}'", self.str(text).chars().take(40).collect::<String>())
                }
                Value::Float(n) => print::float(n),
                Value::Nil => "nothing".to_owned(),
                _ => "this value".to_owned(),
            };
            TemplateError::new(
                codes::INVALID_VALUE,
                format!("{shown} is not a whole number"),
            )
        })
    }

    /// A bound of a range: texts are read as far as they are numbers, floats are cut.
    pub(crate) fn range_bound(&self, value: Value) -> i64 {
        match self.number(value) {
            Number::Int(n) => saturate(n),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "saturating, which is what is wanted"
            )]
            other => other.to_f64() as i64,
        }
    }
}

/// The nearest 64-bit integer.
pub(crate) fn saturate(n: i128) -> i64 {
    i64::try_from(n).unwrap_or(if n < 0 { i64::MIN } else { i64::MAX })
}
