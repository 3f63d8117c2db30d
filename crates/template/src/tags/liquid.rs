//! `{% liquid … %}`: one tag per line, without braces.

use crate::compiler::Compiler;
use crate::error::TemplateError;
use crate::scan::Tag;

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    c.enter_lines(tag.markup);
    Ok(())
}
