//! `{% for item in list reversed limit: n offset: n %}…{% else %}…{% endfor %}`.

use crate::compiler::{Block, Compiler, LoopJumps};
use crate::cursor::Cursor;
use crate::error::TemplateError;
use crate::op::{LoopSpec, Offset, Op};
use crate::scan::{Span, Tag};

struct For {
    start: usize,
    body: u32,
    jumps: LoopJumps,
    /// The jump from the end of the body over `else`.
    over_else: Option<usize>,
    variable: u32,
    forloop: u32,
    were_own: (bool, bool),
}

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let mut cursor = Cursor::tag(c.source, tag.markup);
    let name = cursor
        .name()
        .ok_or_else(|| cursor.unexpected("a name for the items"))?;
    if cursor.name() != Some("in") {
        return Err(cursor.error("'for' is written 'for item in list'"));
    }
    cursor.skip_space();
    let from = cursor.pos;
    c.value(&mut cursor)?;
    let collection = c
        .cut(Span {
            start: from,
            end: cursor.pos,
        })
        .trim_end();
    let name_text = format!("{name}-{collection}");
    let continues = continues(c, &name_text);
    let mut spec = LoopSpec {
        variable: c.slot(name)?,
        name: c.new_text(&name_text)?,
        continues,
        limit_at: 0,
        offset_at: 0,
        operands: 0,
        offset: Offset::None,
        reversed: false,
    };
    parameters(c, &mut cursor, &mut spec)?;
    let index = u32::try_from(c.program.loops.len()).unwrap_or(u32::MAX);
    c.program.loops.push(spec);
    let start = c.emit(Op::LoopStart {
        spec: index,
        empty: u32::MAX,
    });
    let forloop = c.slot("forloop")?;
    c.program.forloop = Some(forloop);
    let were_own = (c.set_own(spec.variable, true), c.set_own(forloop, true));
    let body = c.here();
    let jumps = LoopJumps::default();
    let variable = spec.variable;
    let block = For {
        start,
        body,
        jumps,
        over_else: None,
        variable,
        forloop,
        were_own,
    };
    c.open("for", tag, Box::new(block))
}

fn continues(c: &mut Compiler<'_>, name: &str) -> u32 {
    let next = u32::try_from(c.continues.len()).unwrap_or(u32::MAX);
    *c.continues.entry(name.to_owned()).or_insert(next)
}

fn parameters<'s>(
    c: &mut Compiler<'s>,
    cursor: &mut Cursor<'s>,
    spec: &mut LoopSpec,
) -> Result<(), TemplateError> {
    loop {
        cursor.eat(b',');
        let Some(word) = cursor.name() else { break };
        match word {
            "reversed" => spec.reversed = true,
            "limit" | "offset" => {
                cursor.expect(b':')?;
                if word == "offset" && cursor.peek_name() == Some("continue") {
                    cursor.name();
                    spec.offset = Offset::Continue;
                    continue;
                }
                c.value(cursor)?;
                spec.operands = spec.operands.saturating_add(1);
                if word == "limit" {
                    spec.limit_at = spec.operands;
                } else {
                    spec.offset = Offset::Given;
                    spec.offset_at = spec.operands;
                }
                if spec.operands > 16 {
                    return Err(cursor.error("'for' takes one 'limit' and one 'offset'"));
                }
            }
            other => {
                let message =
                    format!("'for' has no parameter '{other}'; there are limit, offset, reversed");
                return Err(cursor.error(message));
            }
        }
    }
    cursor.finish()
}

impl For {
    fn end_body(&mut self, c: &mut Compiler<'_>) {
        c.land_all(&self.jumps.continues);
        c.emit(Op::LoopNext { body: self.body });
        c.set_own(self.variable, self.were_own.0);
        c.set_own(self.forloop, self.were_own.1);
    }
}

impl Block for For {
    fn inner(&mut self, c: &mut Compiler<'_>, tag: Tag) -> Result<bool, TemplateError> {
        if c.cut(tag.name) != "else" || self.over_else.is_some() {
            return Ok(false);
        }
        self.end_body(c);
        self.over_else = Some(c.jump());
        c.land(self.start);
        Ok(true)
    }

    fn close(mut self: Box<Self>, c: &mut Compiler<'_>) -> Result<(), TemplateError> {
        match self.over_else {
            Some(jump) => c.land(jump),
            None => {
                self.end_body(c);
                c.land(self.start);
            }
        }
        c.land_all(&self.jumps.breaks);
        Ok(())
    }

    fn loop_jumps(&mut self) -> Option<&mut LoopJumps> {
        if self.over_else.is_some() {
            None
        } else {
            Some(&mut self.jumps)
        }
    }
}
