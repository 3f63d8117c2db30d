//! `{% # words %}`: a comment of one tag; every line begins with `#`.

use crate::compiler::Compiler;
use crate::error::TemplateError;
use crate::scan::Tag;

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let words = c.cut(tag.markup);
    let bare = words
        .lines()
        .skip(1)
        .map(str::trim)
        .find(|l| !l.is_empty() && !l.starts_with('#'));
    match bare {
        Some(_) => Err(TemplateError::syntax(
            "every line of a '#' comment begins with '#'",
        )),
        None => Ok(()),
    }
}
