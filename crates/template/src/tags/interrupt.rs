//! `{% break %}` and `{% continue %}`.

use crate::compiler::Compiler;
use crate::cursor::Cursor;
use crate::error::TemplateError;
use crate::op::Interrupt;
use crate::scan::Tag;

pub(super) fn start_break(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    Cursor::tag(c.source, tag.markup).finish()?;
    c.leave_loop(Interrupt::Break);
    Ok(())
}

pub(super) fn start_continue(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    Cursor::tag(c.source, tag.markup).finish()?;
    c.leave_loop(Interrupt::Continue);
    Ok(())
}
