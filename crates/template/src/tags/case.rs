//! `{% case value %}{% when a, b or c %}…{% else %}…{% endcase %}`.
//!
//! Every `when` is asked, also after one has matched, and its body runs once per value that matches;
//! an `else` runs when none has matched before it. That is what Liquid does, however odd.
//! State lies in three cells: the value, how often the body is still to run, whether any matched.

use crate::compiler::{Block, Compiler};
use crate::cursor::Cursor;
use crate::error::TemplateError;
use crate::machine::Machine;
use crate::op::Op;
use crate::scan::Tag;
use crate::value::Value;

struct Case {
    cell: u32,
    /// The jump to the next branch.
    next: usize,
    /// Where the open `when` asks whether to run again.
    again: Option<u32>,
}

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let mut cursor = Cursor::tag(c.source, tag.markup);
    c.value(&mut cursor)?;
    cursor.finish()?;
    let cell = c.cell();
    c.cell();
    c.cell();
    c.emit(Op::Native {
        run: begin,
        arg: cell,
    });
    let next = c.jump();
    c.open(
        "case",
        tag,
        Box::new(Case {
            cell,
            next,
            again: None,
        }),
    )
}

impl Case {
    /// Ends the open branch and lands before the next one.
    fn branch(&mut self, c: &mut Compiler<'_>) {
        if let Some(again) = self.again.take() {
            c.emit(Op::Jump(again));
        }
        c.land(self.next);
    }
}

impl Block for Case {
    fn inner(&mut self, c: &mut Compiler<'_>, tag: Tag) -> Result<bool, TemplateError> {
        match c.cut(tag.name) {
            "when" => {
                self.branch(c);
                let mut cursor = Cursor::tag(c.source, tag.markup);
                loop {
                    c.value(&mut cursor)?;
                    c.emit(Op::Native {
                        run: ask,
                        arg: self.cell,
                    });
                    if !(cursor.eat(b',') || eat_or(&mut cursor)) {
                        break;
                    }
                }
                cursor.finish()?;
                self.again = Some(c.here());
                c.emit(Op::Native {
                    run: enter,
                    arg: self.cell,
                });
            }
            "else" => {
                self.branch(c);
                c.emit(Op::Native {
                    run: otherwise,
                    arg: self.cell,
                });
            }
            _ => return Ok(false),
        }
        self.next = c.emit(Op::JumpIfFalse(u32::MAX));
        Ok(true)
    }

    fn close(mut self: Box<Self>, c: &mut Compiler<'_>) -> Result<(), TemplateError> {
        self.branch(c);
        Ok(())
    }
}

fn eat_or(cursor: &mut Cursor<'_>) -> bool {
    cursor.peek_name() == Some("or") && cursor.name().is_some()
}

fn begin(m: &mut Machine, cell: u32) -> Result<(), TemplateError> {
    let value = m.pop();
    m.set_cell(cell, value);
    m.set_cell(cell + 1, Value::Int(0));
    m.set_cell(cell + 2, Value::Bool(false));
    Ok(())
}

fn ask(m: &mut Machine, cell: u32) -> Result<(), TemplateError> {
    let candidate = m.pop();
    let value = m.cell(cell);
    if m.rt.equal(value, candidate)?
        && let Value::Int(runs) = m.cell(cell + 1)
    {
        m.set_cell(cell + 1, Value::Int(runs.saturating_add(1)));
    }
    Ok(())
}

fn enter(m: &mut Machine, cell: u32) -> Result<(), TemplateError> {
    let runs = match m.cell(cell + 1) {
        Value::Int(runs) => runs,
        _ => 0,
    };
    if runs > 0 {
        m.set_cell(cell + 1, Value::Int(runs - 1));
        m.set_cell(cell + 2, Value::Bool(true));
    }
    m.push(Value::Bool(runs > 0));
    Ok(())
}

fn otherwise(m: &mut Machine, cell: u32) -> Result<(), TemplateError> {
    let matched = m.cell(cell + 2).is_truthy();
    m.push(Value::Bool(!matched));
    Ok(())
}
