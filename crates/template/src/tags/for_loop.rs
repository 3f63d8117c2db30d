//! `{% for item in list reversed limit: n offset: n %}…{% else %}…{% endfor %}`.

use crate::compiler::{Block, Compiler, LoopJumps};
use crate::error::TemplateError;
use crate::op::Op;
use crate::scan::Tag;

use super::loop_head::Head;

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
    let forloop = c.slot("forloop")?;
    let mut head = Head::begin(c, tag, "for", forloop)?;
    head.parameters(c)?;
    let start = head.start(c);
    let variable = head.spec.variable;
    let were_own = (c.set_own(variable, true), c.set_own(forloop, true));
    let block = For {
        start,
        body: c.here(),
        jumps: LoopJumps::default(),
        over_else: None,
        variable,
        forloop,
        were_own,
    };
    c.open("for", tag, Box::new(block))
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
