//! `{% ifchanged %}…{% endifchanged %}`: prints unless the last one printed the same.

use crate::compiler::{Block, Compiler};
use crate::error::TemplateError;
use crate::machine::Machine;
use crate::op::Op;
use crate::scan::Tag;
use crate::value::{Text, Value};

struct IfChanged;

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    c.emit(Op::Capture);
    c.open("ifchanged", tag, Box::new(IfChanged))
}

impl Block for IfChanged {
    fn close(self: Box<Self>, c: &mut Compiler<'_>) -> Result<(), TemplateError> {
        self.unwind(c);
        Ok(())
    }

    fn unwind(&self, c: &mut Compiler<'_>) {
        c.emit(Op::CapturePush);
        c.emit(Op::Native {
            run: print_if_changed,
            arg: 0,
        });
    }
}

/// All `ifchanged` tags of a template share what was printed last.
fn print_if_changed(m: &mut Machine, _: u32) -> Result<(), TemplateError> {
    let printed = m.pop();
    let last = m.last_changed.unwrap_or(Value::Text(Text::EMPTY));
    if !m.rt.equal(printed, last)? {
        m.last_changed = Some(printed);
        m.emit(printed)?;
    }
    Ok(())
}
