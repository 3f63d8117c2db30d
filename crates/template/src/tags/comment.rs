//! `{% comment %}…{% endcomment %}`: nothing in it is compiled.

use crate::compiler::Compiler;
use crate::error::TemplateError;
use crate::scan::Tag;

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    c.scanner.skip_comment(tag.at)
}
