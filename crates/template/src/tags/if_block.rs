//! `{% if %}…{% elsif %}…{% else %}…{% endif %}` and `{% unless %}`.

use crate::compiler::{Block, Compiler};
use crate::condition::Exits;
use crate::cursor::Cursor;
use crate::error::TemplateError;
use crate::scan::Tag;

#[derive(Default)]
struct If {
    /// Jumps taken when the branch being compiled is not the one.
    to_next: Vec<usize>,
    /// Jumps from the ends of branches.
    to_end: Vec<usize>,
    /// After `else`, further branches never run.
    decided: bool,
}

pub(super) fn start_if(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let exits = c.condition(&mut Cursor::tag(c.source, tag.markup))?;
    let mut block = If::default();
    block.enter_if(c, exits);
    c.open("if", tag, Box::new(block))
}

pub(super) fn start_unless(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let exits = c.condition(&mut Cursor::tag(c.source, tag.markup))?;
    let mut block = If {
        to_next: exits.when_true,
        ..If::default()
    };
    let fell_through = c.jump();
    block.to_next.push(fell_through);
    c.land_all(&exits.when_false);
    c.open("unless", tag, Box::new(block))
}

impl If {
    fn enter_if(&mut self, c: &mut Compiler<'_>, exits: Exits) {
        c.land_all(&exits.when_true);
        self.to_next = exits.when_false;
    }

    /// Ends the open branch and lands before the next one.
    fn branch(&mut self, c: &mut Compiler<'_>) {
        let jump = c.jump();
        self.to_end.push(jump);
        c.land_all(&std::mem::take(&mut self.to_next));
        if self.decided {
            let jump = c.jump();
            self.to_end.push(jump);
        }
    }
}

impl Block for If {
    fn inner(&mut self, c: &mut Compiler<'_>, tag: Tag) -> Result<bool, TemplateError> {
        match c.cut(tag.name) {
            "elsif" => {
                self.branch(c);
                let exits = c.condition(&mut Cursor::tag(c.source, tag.markup))?;
                self.enter_if(c, exits);
            }
            "else" => {
                self.branch(c);
                self.decided = true;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn close(self: Box<Self>, c: &mut Compiler<'_>) -> Result<(), TemplateError> {
        c.land_all(&self.to_next);
        c.land_all(&self.to_end);
        Ok(())
    }
}
