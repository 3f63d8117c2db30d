//! Equality, order and `contains`, as conditions and list filters use them.

use std::cmp::Ordering;

use crate::error::{TemplateError, codes};
use crate::number::Number;
use crate::runtime::Runtime;
use crate::value::Value;

/// The operators of conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
}

impl Runtime {
    pub(crate) fn compare(
        &mut self,
        left: Value,
        comparison: Comparison,
        right: Value,
    ) -> Result<bool, TemplateError> {
        let wanted: fn(Ordering) -> bool = match comparison {
            Comparison::Equal => return self.equal(left, right),
            Comparison::NotEqual => return Ok(!self.equal(left, right)?),
            Comparison::Contains => return self.contains(left, right),
            Comparison::Less => Ordering::is_lt,
            Comparison::LessOrEqual => Ordering::is_le,
            Comparison::Greater => Ordering::is_gt,
            Comparison::GreaterOrEqual => Ordering::is_ge,
        };
        match (left, right) {
            (Value::Int(a), Value::Int(b)) => Ok(wanted(a.cmp(&b))),
            (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
                Ok(wanted(self.number(left).compare(self.number(right))))
            }
            (Value::Text(a), Value::Text(b)) => {
                self.meter.charge_bytes(a.len.min(b.len) as usize)?;
                Ok(wanted(self.str(a).cmp(self.str(b))))
            }
            (Value::Text(_), Value::Int(_) | Value::Float(_))
            | (Value::Int(_) | Value::Float(_), Value::Text(_)) => Err(TemplateError::new(
                codes::INVALID_VALUE,
                "a text cannot be compared with a number; use 'plus: 0' to read it as a number",
            )),
            _ => Ok(false),
        }
    }

    /// Equality without recursion; every compared pair costs fuel.
    pub(crate) fn equal(&self, left: Value, right: Value) -> Result<bool, TemplateError> {
        if let Some(verdict) = self.equal_scalars(left, right)? {
            return Ok(verdict);
        }
        let mut pairs = vec![(left, right)];
        while let Some((left, right)) = pairs.pop() {
            self.meter.charge(1)?;
            if let Some(verdict) = self.equal_scalars(left, right)? {
                if !verdict {
                    return Ok(false);
                }
                continue;
            }
            match (left, right) {
                (Value::List(a), Value::List(b)) => {
                    self.meter.charge(a.len.into())?;
                    let items = |i| Some((self.item(a, i)?, self.item(b, i)?));
                    pairs.extend((0..a.len as usize).filter_map(items));
                }
                (Value::Map(a), Value::Map(b)) => {
                    for index in 0..a.len as usize {
                        let Some((key, value)) = self.entry(a, index) else {
                            continue;
                        };
                        match self.get(b, self.str(key)) {
                            Some(other) => pairs.push((value, other)),
                            None => return Ok(false),
                        }
                    }
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// None when the two are lists or maps of equal size, whose members decide.
    fn equal_scalars(&self, left: Value, right: Value) -> Result<Option<bool>, TemplateError> {
        #[expect(clippy::float_cmp, reason = "templates compare exactly")]
        Ok(Some(match (left, right) {
            (Value::Empty, other) | (other, Value::Empty) => self.is_empty(other),
            (Value::Blank, other) | (other, Value::Blank) => self.is_blank(other),
            (Value::Nil, Value::Nil) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => {
                self.number(left).compare(self.number(right)).is_eq()
            }
            (Value::Text(a), Value::Text(b)) => {
                if a == b || a.len != b.len {
                    return Ok(Some(a.len == b.len));
                }
                self.meter.charge_bytes(a.len as usize)?;
                self.str(a) == self.str(b)
            }
            (Value::Range(a), Value::Range(b)) => self.range(a) == self.range(b),
            (Value::Loop(a), Value::Loop(b)) => a == b,
            (Value::List(a), Value::List(b)) | (Value::Map(a), Value::Map(b)) => {
                if a.len == b.len && a != b {
                    return Ok(None);
                }
                a == b
            }
            _ => false,
        }))
    }

    /// What equals `empty`.
    pub(crate) fn is_empty(&self, value: Value) -> bool {
        match value {
            Value::Text(text) => text.len == 0,
            Value::List(seq) | Value::Map(seq) => seq.len == 0,
            _ => false,
        }
    }

    /// What equals `blank`.
    fn is_blank(&self, value: Value) -> bool {
        match value {
            Value::Nil | Value::Bool(false) => true,
            Value::Text(text) => self.str(text).trim().is_empty(),
            other => self.is_empty(other),
        }
    }

    fn contains(&mut self, left: Value, right: Value) -> Result<bool, TemplateError> {
        if !right.is_truthy() {
            return Ok(false);
        }
        match left {
            Value::Text(text) => {
                let needle = self.text_of(right)?;
                self.meter.charge_bytes(text.len as usize)?;
                Ok(self.str(text).contains(self.str(needle)))
            }
            Value::List(seq) => {
                for index in 0..seq.len as usize {
                    self.meter.charge(1)?;
                    let Some(item) = self.item(seq, index) else {
                        continue;
                    };
                    if self.equal(item, right)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Value::Map(seq) => Ok(match right {
                Value::Text(key) => self.get(seq, self.str(key)).is_some(),
                _ => false,
            }),
            Value::Range(index) => {
                let (from, to) = self.range(index);
                let within = |n: Number| {
                    let (from, to) = (Number::Int(from.into()), Number::Int(to.into()));
                    n.compare(from).is_ge() && n.compare(to).is_le()
                };
                Ok(match right {
                    Value::Int(n) => (from..=to).contains(&n),
                    Value::Float(_) => within(self.number(right)),
                    _ => false,
                })
            }
            _ => Ok(false),
        }
    }

    /// The order of `sort`: none when the two cannot be ordered.
    pub(crate) fn order(&self, a: Value, b: Value) -> Option<Ordering> {
        match (a, b) {
            (Value::Nil, Value::Nil) => Some(Ordering::Equal),
            (Value::Nil, _) => Some(Ordering::Greater),
            (_, Value::Nil) => Some(Ordering::Less),
            (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
                Some(self.number(a).compare(self.number(b)))
            }
            (Value::Text(a), Value::Text(b)) => Some(self.str(a).cmp(self.str(b))),
            (Value::Bool(a), Value::Bool(b)) if a == b => Some(Ordering::Equal),
            _ => None,
        }
    }
}
