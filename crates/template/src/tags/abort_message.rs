//! `{% abort_message('reason') %}`: this card must not be sent.

use crate::compiler::Compiler;
use crate::cursor::{Cursor, Literal};
use crate::error::TemplateError;
use crate::op::Op;
use crate::scan::Tag;

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let mut cursor = Cursor::tag(c.source, tag.markup);
    let parenthesis = cursor.eat(b'(');
    let reason = match cursor.literal()? {
        Some(Literal::Text(reason)) => Some(c.source_text(reason)),
        Some(_) => return Err(cursor.error("the reason of 'abort_message' is a quoted text")),
        None => None,
    };
    if parenthesis {
        cursor.expect(b')')?;
    }
    cursor.finish()?;
    c.depends_on_data();
    c.emit(Op::Abort { reason });
    Ok(())
}
