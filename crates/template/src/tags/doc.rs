//! `{% doc %}…{% enddoc %}`: notes for whoever reads the source.

use crate::compiler::Compiler;
use crate::error::TemplateError;
use crate::scan::Tag;

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    if !c.cut(tag.markup).trim().is_empty() {
        return Err(TemplateError::syntax("'doc' takes no arguments"));
    }
    let body = c.scanner.raw_until("enddoc")?;
    let mut rest = c.cut(body);
    while let Some(at) = rest.find("{%") {
        rest = &rest[at + 2..];
        let name = rest.trim_start_matches('-').trim_start();
        let after = name.strip_prefix("doc").map(str::trim_start);
        if after.is_some_and(|after| after.starts_with("%}") || after.starts_with("-%}")) {
            return Err(TemplateError::syntax("'doc' cannot stand inside 'doc'"));
        }
    }
    Ok(())
}
