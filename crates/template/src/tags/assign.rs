//! `{% assign name = value | filter %}`.

use crate::compiler::Compiler;
use crate::cursor::Cursor;
use crate::error::TemplateError;
use crate::op::Op;
use crate::scan::Tag;

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let mut cursor = Cursor::tag(c.source, tag.markup);
    let name = cursor
        .target()
        .ok_or_else(|| cursor.unexpected("a name to assign to"))?;
    cursor.expect(b'=')?;
    c.filtered(&mut cursor)?;
    cursor.finish()?;
    let slot = c.slot(name)?;
    c.emit(Op::Assign(slot));
    c.assigns(slot);
    Ok(())
}
