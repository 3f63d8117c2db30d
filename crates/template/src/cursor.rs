//! Reads the words of an expression: names, literals, punctuation.

use crate::error::TemplateError;
use crate::scan::{Span, is_space};

/// A position inside one output or tag.
#[derive(Debug)]
pub(crate) struct Cursor<'s> {
    pub(crate) source: &'s str,
    pub(crate) pos: usize,
    end: usize,
    /// In tags, `{{` and `}}` around a value mean nothing: the marketing dialect allows them.
    braces: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Literal<'s> {
    Int(i64),
    Float(f64),
    /// Quoted text, or an integer beyond 64 bits, by its digits.
    Text(&'s str),
}

impl<'s> Cursor<'s> {
    pub(crate) fn output(source: &'s str, markup: Span) -> Self {
        Self {
            source,
            pos: markup.start,
            end: markup.end,
            braces: None,
        }
    }

    pub(crate) fn tag(source: &'s str, markup: Span) -> Self {
        Self {
            braces: Some(0),
            ..Self::output(source, markup)
        }
    }

    pub(crate) fn rest(&self) -> &'s str {
        &self.source[self.pos..self.end]
    }

    pub(crate) fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            self.pos += rest.len() - rest.trim_start_matches(is_space).len();
            let Some(depth) = &mut self.braces else {
                return;
            };
            let rest = &self.source[self.pos..self.end];
            if rest.starts_with("{{") {
                *depth += 1;
            } else if rest.starts_with("}}") {
                *depth -= 1;
            } else {
                return;
            }
            self.pos += 2;
        }
    }

    /// The next byte after white space.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.rest().bytes().next()
    }

    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.pos += usize::from(found);
        found
    }

    pub(crate) fn eat_str(&mut self, text: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(text);
        self.pos += if found { text.len() } else { 0 };
        found
    }

    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), TemplateError> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("'{}'", byte as char)))
        }
    }

    /// Nothing may follow.
    pub(crate) fn finish(&mut self) -> Result<(), TemplateError> {
        if self.peek().is_some() {
            return Err(self.unexpected("the end of the tag"));
        }
        if self.braces.is_some_and(|depth| depth != 0) {
            return Err(self.error("'{{' and '}}' inside this tag do not pair up"));
        }
        Ok(())
    }

    pub(crate) fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError::syntax(message).at(self.source, self.pos)
    }

    pub(crate) fn unexpected(&mut self, wanted: &str) -> TemplateError {
        self.skip_space();
        let found: String = self.rest().chars().take(20).collect();
        if found.is_empty() {
            self.error(format!("expected {wanted}, found the end"))
        } else {
            self.error(format!("expected {wanted}, found '{found}'"))
        }
    }

    /// A name: letters, digits, `_`, `-`, and a `?` at the end.
    pub(crate) fn name(&mut self) -> Option<&'s str> {
        self.skip_space();
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return None;
        }
        let mut length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
            .unwrap_or(rest.len());
        if rest[length..].starts_with('?') {
            length += 1;
        }
        self.pos += length;
        Some(&rest[..length])
    }

    /// A name, without moving.
    pub(crate) fn peek_name(&mut self) -> Option<&'s str> {
        self.skip_space();
        let before = self.pos;
        let name = self.name();
        self.pos = before;
        name
    }

    /// What can be assigned to: a name, or only digits.
    pub(crate) fn target(&mut self) -> Option<&'s str> {
        self.skip_space();
        if let Some(name) = self.name() {
            return (!name.ends_with('?')).then_some(name);
        }
        let rest = self.rest();
        let length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
            .unwrap_or(rest.len());
        (length > 0 && rest.as_bytes()[0] != b'-').then(|| {
            self.pos += length;
            &rest[..length]
        })
    }

    /// `${…}`: any text up to the closing brace.
    pub(crate) fn dollar(&mut self) -> Result<Option<&'s str>, TemplateError> {
        self.skip_space();
        let Some(inner) = self.rest().strip_prefix("${") else {
            return Ok(None);
        };
        let Some(length) = inner.find('}') else {
            return Err(self.error("this '${' is never closed"));
        };
        let name = inner[..length].trim_matches(is_space);
        if name.is_empty() {
            return Err(self.error("'${}' names nothing"));
        }
        self.pos += length + 3;
        Ok(Some(name))
    }

    /// A number or a quoted text.
    pub(crate) fn literal(&mut self) -> Result<Option<Literal<'s>>, TemplateError> {
        match self.peek() {
            Some(quote @ (b'\'' | b'"')) => {
                let inner = &self.rest()[1..];
                let Some(length) = inner.find(quote as char) else {
                    return Err(self.error("this quoted text is never closed"));
                };
                self.pos += length + 2;
                Ok(Some(Literal::Text(&inner[..length])))
            }
            Some(b'0'..=b'9' | b'-') => Ok(self.number()),
            _ => Ok(None),
        }
    }

    fn number(&mut self) -> Option<Literal<'s>> {
        let rest = self.rest();
        let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
        let sign = usize::from(rest.starts_with('-'));
        let whole = digits(sign);
        if whole == 0 {
            return None;
        }
        let mut length = sign + whole;
        let fraction = if rest[length..].starts_with('.') {
            digits(length + 1)
        } else {
            0
        };
        if fraction > 0 {
            length += 1 + fraction;
        }
        let text = &rest[..length];
        self.pos += length;
        Some(if fraction > 0 {
            Literal::Float(text.parse().unwrap_or_default())
        } else {
            text.parse().map_or(Literal::Text(text), Literal::Int)
        })
    }
}
