//! How values look as text: what an output prints, and the notation of maps inside it.
//!
//! Nested values are walked with an explicit stack: the depth of data never becomes stack depth.

use crate::error::TemplateError;
use crate::runtime::{Print, Runtime};
use crate::value::{Seq, Text, Value};

enum Step {
    Value(Value),
    /// A value in program notation: strings quoted, nil spelled out.
    Inspect(Value),
    Literal(&'static str),
    /// The items of a list from a place on, run together.
    Items(Seq, usize),
    /// The same in program notation, with commas.
    InspectItems(Seq, usize),
    /// The entries of a map from a place on.
    InspectEntries(Seq, usize),
}

impl Runtime {
    /// Writes a value as an output does: lists run together, nil is nothing. It reads the value where it
    /// is: one that was put together a moment ago is slow to copy.
    #[inline]
    pub(crate) fn print(&self, value: &Value, out: &mut impl Print) -> Result<(), TemplateError> {
        match *value {
            Value::Text(text) => {
                self.meter.charge_bytes(text.len as usize)?;
                out.print(self.str(text))
            }
            Value::Nil | Value::Empty | Value::Blank => Ok(()),
            Value::Int(n) => integer(n, out),
            Value::Bool(b) => out.print(if b { "true" } else { "false" }),
            Value::Float(n) => print_float(n, out),
            Value::Range(index) => {
                let (from, to) = self.range(index);
                out.print(&format!("{from}..{to}"))
            }
            Value::Loop(_) => out.print("Liquid::ForloopDrop"),
            Value::List(_) | Value::Map(_) => self.print_nested(*value, out),
        }
    }

    /// Writes a value as filters see it that work on texts: like an output, but lists in program
    /// notation.
    pub(crate) fn print_for_filter(
        &self,
        value: Value,
        out: &mut impl Print,
    ) -> Result<(), TemplateError> {
        match value {
            Value::List(_) => self.print_steps(Step::Inspect(value), out),
            other => self.print(&other, out),
        }
    }

    fn print_nested(&self, value: Value, out: &mut impl Print) -> Result<(), TemplateError> {
        self.print_steps(Step::Value(value), out)
    }

    fn print_steps(&self, first: Step, out: &mut impl Print) -> Result<(), TemplateError> {
        let mut steps = vec![first];
        while let Some(step) = steps.pop() {
            self.meter.charge(1)?;
            match step {
                Step::Literal(text) => out.print(text)?,
                Step::Value(Value::List(seq)) => steps.push(Step::Items(seq, 0)),
                Step::Items(seq, at) => {
                    if let Some(item) = self.item(seq, at) {
                        steps.push(Step::Items(seq, at + 1));
                        steps.push(Step::Value(item));
                    }
                }
                Step::InspectItems(seq, at) => match self.item(seq, at) {
                    Some(item) => {
                        steps.push(Step::InspectItems(seq, at + 1));
                        steps.push(Step::Inspect(item));
                        if at > 0 {
                            out.print(", ")?;
                        }
                    }
                    None => out.print("]")?,
                },
                Step::InspectEntries(seq, at) => match self.entry(seq, at) {
                    Some((key, value)) => {
                        steps.push(Step::InspectEntries(seq, at + 1));
                        steps.push(Step::Inspect(value));
                        steps.push(Step::Literal("=>"));
                        steps.push(Step::Inspect(Value::Text(key)));
                        if at > 0 {
                            out.print(", ")?;
                        }
                    }
                    None => out.print("}")?,
                },
                Step::Value(Value::Map(seq)) | Step::Inspect(Value::Map(seq)) => {
                    out.print("{")?;
                    steps.push(Step::InspectEntries(seq, 0));
                }
                Step::Value(scalar) => self.print(&scalar, out)?,
                Step::Inspect(Value::List(seq)) => {
                    out.print("[")?;
                    steps.push(Step::InspectItems(seq, 0));
                }
                Step::Inspect(Value::Text(text)) => quote(self.str(text), out)?,
                Step::Inspect(Value::Nil) => out.print("nil")?,
                Step::Inspect(scalar) => self.print(&scalar, out)?,
            }
        }
        Ok(())
    }

    /// The value as text, stored: what string filters work on.
    pub(crate) fn text_of(&mut self, value: Value) -> Result<Text, TemplateError> {
        match value {
            Value::Text(text) => Ok(text),
            Value::Nil | Value::Empty | Value::Blank => Ok(Text::EMPTY),
            other => match self.build(|rt, out| rt.print_for_filter(other, out))? {
                Value::Text(text) => Ok(text),
                _ => Ok(Text::EMPTY),
            },
        }
    }
}

/// Digits without an allocation: the commonest output after text.
fn integer(n: i64, out: &mut impl Print) -> Result<(), TemplateError> {
    const LONGEST: usize = 20;
    let mut digits = [b'-'; LONGEST];
    let mut at = LONGEST;
    let mut rest = n.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    at -= usize::from(n < 0);
    out.print(std::str::from_utf8(&digits[at..]).unwrap_or_default())
}

fn quote(text: &str, out: &mut impl Print) -> Result<(), TemplateError> {
    out.print("\"")?;
    for c in text.chars() {
        match c {
            '"' => out.print("\\\"")?,
            '\\' => out.print("\\\\")?,
            '\n' => out.print("\\n")?,
            '\r' => out.print("\\r")?,
            '\t' => out.print("\\t")?,
            other => out.print(other.encode_utf8(&mut [0; 4]))?,
        }
    }
    out.print("\"")
}

/// Prints a float; without an allocation where it has no exponent.
fn print_float(n: f64, out: &mut impl Print) -> Result<(), TemplateError> {
    if (1e-4..1e16).contains(&n.abs()) {
        out.print(zmij::Buffer::new().format_finite(n))
    } else {
        out.print(&float(n))
    }
}

/// A float as Liquid prints it: always with a fraction, exponent outside 1e-4..1e16.
pub(crate) fn float(n: f64) -> String {
    if n.is_nan() {
        return "NaN".to_owned();
    }
    if n.is_infinite() {
        return if n > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = n.abs();
    if magnitude == 0.0 || (1e-4..1e16).contains(&magnitude) {
        let text = format!("{n}");
        return if text.contains('.') {
            text
        } else {
            text + ".0"
        };
    }
    let text = format!("{n:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    let (sign, places) = match exponent.strip_prefix('-') {
        Some(places) => ('-', places),
        None => ('+', exponent),
    };
    format!("{digits}{point}e{sign}{places:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Printed(String);

    impl Print for Printed {
        fn print(&mut self, text: &str) -> Result<(), TemplateError> {
            self.0.push_str(text);
            Ok(())
        }
    }

    #[test]
    fn floats_keep_a_fraction_and_switch_to_an_exponent_at_the_edges() {
        let printed: Vec<String> = [5.0, 0.1, 1e15, 1e16, 1.25e20, 1e-4, 1e-5, -0.0]
            .map(float)
            .into();
        let mut direct = Printed(String::new());
        for n in [
            5.0,
            0.1,
            1e15,
            1e16,
            1e-4,
            9.9e-5,
            -2.5,
            1.0 / 3.0,
            9_999_999_999_999_998.0,
        ] {
            direct.0.clear();
            print_float(n, &mut direct).unwrap();
            assert_eq!(direct.0, float(n));
        }
        let wanted = [
            "5.0",
            "0.1",
            "1000000000000000.0",
            "1.0e+16",
            "1.25e+20",
            "0.0001",
            "1.0e-05",
            "-0.0",
        ];
        assert_eq!(printed, wanted);
    }
}
