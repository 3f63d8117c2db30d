//! `{% echo value | filter %}`: an output in the form of a tag.

use crate::compiler::Compiler;
use crate::cursor::Cursor;
use crate::error::TemplateError;
use crate::scan::Tag;

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let mut cursor = Cursor::tag(c.source, tag.markup);
    c.print_expression(&mut cursor)
}
