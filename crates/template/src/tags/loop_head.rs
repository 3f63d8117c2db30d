//! `item in list limit: n offset: n …`: what `for` and `tablerow` have in common.

use crate::compiler::Compiler;
use crate::cursor::Cursor;
use crate::error::TemplateError;
use crate::op::{LoopSpec, Offset, Op};
use crate::scan::{Span, Tag};

/// More operands than any sensible tag has.
const MOST_OPERANDS: u8 = 16;

/// The head of a loop tag being compiled.
pub(super) struct Head<'s> {
    name: &'static str,
    cursor: Cursor<'s>,
    pub(super) spec: LoopSpec,
}

impl<'s> Head<'s> {
    /// Compiles `item in list`; the list is on the stack then. `object` is the slot of the loop's
    /// own object.
    pub(super) fn begin(
        c: &mut Compiler<'s>,
        tag: Tag,
        name: &'static str,
        object: u32,
    ) -> Result<Self, TemplateError> {
        let mut cursor = Cursor::tag(c.source, tag.markup);
        let item = cursor
            .name()
            .ok_or_else(|| cursor.unexpected("a name for the items"))?;
        if cursor.name() != Some("in") {
            return Err(cursor.error(format!("'{name}' is written '{name} item in list'")));
        }
        cursor.skip_space();
        let from = cursor.pos;
        c.value(&mut cursor)?;
        let list = c
            .cut(Span {
                start: from,
                end: cursor.pos,
            })
            .trim_end();
        let full_name = format!("{item}-{list}");
        let spec = LoopSpec {
            variable: c.slot(item)?,
            object,
            name: c.new_text(&full_name)?,
            continues: c.continued(full_name),
            limit_at: 0,
            offset_at: 0,
            columns_at: 0,
            operands: 0,
            offset: Offset::None,
            reversed: false,
            is_table: name == "tablerow",
            is_partial: false,
        };
        Ok(Self { name, cursor, spec })
    }

    /// Compiles the parameters; their values lie above the list, in the order they are written.
    pub(super) fn parameters(&mut self, c: &mut Compiler<'s>) -> Result<(), TemplateError> {
        let cursor = &mut self.cursor;
        loop {
            cursor.eat(b',');
            let Some(word) = cursor.name() else { break };
            let spec = &mut self.spec;
            let next = spec.operands + 1;
            match word {
                "reversed" if !spec.is_table => {
                    spec.reversed = true;
                    continue;
                }
                "limit" => spec.limit_at = next,
                "offset" => spec.offset_at = next,
                "cols" if spec.is_table => spec.columns_at = next,
                other => {
                    let more = if spec.is_table { "cols" } else { "reversed" };
                    let name = self.name;
                    return Err(cursor.error(format!(
                        "'{name}' has no parameter '{other}'; there are limit, offset, {more}"
                    )));
                }
            }
            cursor.expect(b':')?;
            if word == "offset" {
                spec.offset = Offset::Given;
                if cursor.peek_name() == Some("continue") && !spec.is_table {
                    cursor.name();
                    spec.offset = Offset::Continue;
                    spec.offset_at = 0;
                    continue;
                }
            }
            c.value(cursor)?;
            spec.operands = next;
            if next > MOST_OPERANDS {
                return Err(cursor.error("the same parameter is given again and again"));
            }
        }
        cursor.finish()
    }

    /// Emits the start of the loop and returns its place.
    pub(super) fn start(&self, c: &mut Compiler<'s>) -> usize {
        let spec = u32::try_from(c.program.loops.len()).unwrap_or(u32::MAX);
        c.program.loops.push(self.spec);
        c.emit(Op::LoopStart {
            spec,
            empty: u32::MAX,
        })
    }
}
