//! Compiles the conditions of `if`, `elsif` and `unless`.
//!
//! `and` and `or` bind to the right without precedence, and each stops as soon as it is decided. Read
//! from the left that is a chain of jumps: no tree, so no recursion.

use crate::compare::Comparison;
use crate::compiler::Compiler;
use crate::cursor::Cursor;
use crate::error::TemplateError;
use crate::op::Op;

/// Jumps out of a condition. Falling through means true.
#[derive(Debug, Default)]
pub(crate) struct Exits {
    pub(crate) when_true: Vec<usize>,
    pub(crate) when_false: Vec<usize>,
}

impl<'s> Compiler<'s> {
    pub(crate) fn condition(&mut self, cursor: &mut Cursor<'s>) -> Result<Exits, TemplateError> {
        let mut exits = Exits::default();
        loop {
            self.comparison(cursor)?;
            match cursor.name() {
                Some("and") => {
                    let jump = self.emit(Op::JumpIfFalse(u32::MAX));
                    exits.when_false.push(jump);
                }
                Some("or") => {
                    let jump = self.emit(Op::JumpIfTrue(u32::MAX));
                    exits.when_true.push(jump);
                }
                Some(word) => {
                    let message = format!(
                        "'{word}' is no operator; there are == != < > <= >= contains, and, or"
                    );
                    return Err(cursor.error(message));
                }
                None => break,
            }
        }
        cursor.finish()?;
        let jump = self.emit(Op::JumpIfFalse(u32::MAX));
        exits.when_false.push(jump);
        Ok(exits)
    }

    fn comparison(&mut self, cursor: &mut Cursor<'s>) -> Result<(), TemplateError> {
        self.value(cursor)?;
        if let Some(comparison) = operator(cursor) {
            self.value(cursor)?;
            self.emit(Op::Compare(comparison));
        }
        Ok(())
    }
}

fn operator(cursor: &mut Cursor<'_>) -> Option<Comparison> {
    const SIGNS: [(&str, Comparison); 7] = [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<>", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    if let Some((_, comparison)) = SIGNS.iter().find(|(sign, _)| cursor.eat_str(sign)) {
        return Some(*comparison);
    }
    if cursor.peek_name() == Some("contains") {
        cursor.name();
        return Some(Comparison::Contains);
    }
    None
}
