//! `{% capture name %}…{% endcapture %}`: output becomes a variable.

use crate::compiler::{Block, Compiler};
use crate::cursor::{Cursor, Literal};
use crate::error::TemplateError;
use crate::op::Op;
use crate::scan::Tag;

struct Capture {
    slot: u32,
}

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let mut cursor = Cursor::tag(c.source, tag.markup);
    let name = match cursor.peek() {
        Some(b'\'' | b'"') => match cursor.literal()? {
            Some(Literal::Text(name)) if !name.is_empty() => Some(name),
            _ => None,
        },
        _ => cursor.target(),
    };
    let name = name.ok_or_else(|| cursor.unexpected("a name to capture into"))?;
    cursor.finish()?;
    let slot = c.slot(name)?;
    c.emit(Op::Capture);
    c.open("capture", tag, Box::new(Capture { slot }))
}

impl Block for Capture {
    fn close(self: Box<Self>, c: &mut Compiler<'_>) -> Result<(), TemplateError> {
        c.emit(Op::CaptureAssign(self.slot));
        c.assigns(self.slot);
        Ok(())
    }

    fn unwind(&self, c: &mut Compiler<'_>) {
        c.emit(Op::CaptureAssign(self.slot));
    }
}
