//! `{% break %}` and `{% continue %}`.

use crate::compiler::Compiler;
use crate::cursor::Cursor;
use crate::error::TemplateError;
use crate::op::Op;
use crate::scan::Tag;

pub(super) fn start_break(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    Cursor::tag(c.source, tag.markup).finish()?;
    let jump = |c: &mut Compiler<'_>| c.emit(Op::LoopBreak(u32::MAX));
    c.leave_loop(jump, |jumps, jump| jumps.breaks.push(jump));
    Ok(())
}

pub(super) fn start_continue(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    Cursor::tag(c.source, tag.markup).finish()?;
    c.leave_loop(Compiler::jump, |jumps, jump| jumps.continues.push(jump));
    Ok(())
}
