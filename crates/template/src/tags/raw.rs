//! `{% raw %}…{% endraw %}`: Liquid that is printed, not run.

use crate::compiler::Compiler;
use crate::error::TemplateError;
use crate::op::Op;
use crate::scan::Tag;

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    if !c.cut(tag.markup).trim().is_empty() {
        return Err(TemplateError::syntax("'raw' takes no arguments"));
    }
    if c.scanner.in_lines() {
        return Err(TemplateError::syntax("'raw' cannot stand inside 'liquid'"));
    }
    let body = c.scanner.raw_until("endraw")?;
    if body.start < body.end {
        c.prints();
        c.emit(Op::Text(c.source_text(c.cut(body))));
    }
    Ok(())
}
