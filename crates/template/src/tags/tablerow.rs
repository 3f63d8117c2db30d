//! `{% tablerow item in list cols: n %}…{% endtablerow %}`: rows of an HTML table.
//!
//! Compiles to a `for` loop with native operations around the table and around each item.

use crate::compiler::{Block, Compiler, LoopJumps};
use crate::error::TemplateError;
use crate::machine::Machine;
use crate::op::Op;
use crate::runtime::Print as _;
use crate::scan::Tag;
use crate::value::Value;

use super::loop_head::Head;

struct TableRow {
    start: usize,
    body: u32,
    jumps: LoopJumps,
    /// Whether there is a table at all: a list that is nil has none.
    cell: u32,
    variable: u32,
    tablerowloop: u32,
    were_own: (bool, bool),
}

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let tablerowloop = c.slot("tablerowloop")?;
    let cell = c.cell();
    let mut head = Head::begin(c, tag, "tablerow", tablerowloop)?;
    c.emit(Op::Native {
        run: open_table,
        arg: cell,
    });
    head.parameters(c)?;
    let start = head.start(c);
    let variable = head.spec.variable;
    let were_own = (c.set_own(variable, true), c.set_own(tablerowloop, true));
    let body = c.here();
    c.emit(Op::Native {
        run: open_column,
        arg: 0,
    });
    let jumps = LoopJumps::default();
    let block = TableRow {
        start,
        body,
        jumps,
        cell,
        variable,
        tablerowloop,
        were_own,
    };
    c.open("tablerow", tag, Box::new(block))
}

impl Block for TableRow {
    fn close(self: Box<Self>, c: &mut Compiler<'_>) -> Result<(), TemplateError> {
        c.land_all(&self.jumps.continues);
        c.emit(Op::Native {
            run: close_column,
            arg: 0,
        });
        c.emit(Op::LoopNext { body: self.body });
        let over = c.jump();
        c.land_all(&self.jumps.breaks);
        let end_of_column = c.new_text("</td>")?;
        c.emit(Op::Text(end_of_column));
        c.land(over);
        c.land(self.start);
        c.emit(Op::Native {
            run: close_table,
            arg: self.cell,
        });
        c.set_own(self.variable, self.were_own.0);
        c.set_own(self.tablerowloop, self.were_own.1);
        Ok(())
    }

    fn loop_jumps(&mut self) -> Option<&mut LoopJumps> {
        Some(&mut self.jumps)
    }
}

fn open_table(m: &mut Machine, cell: u32) -> Result<(), TemplateError> {
    let list = m.pop();
    m.push(list);
    m.set_cell(cell, Value::Bool(list.is_truthy()));
    if list.is_truthy() {
        m.output.print("<tr class=\"row1\">\n")
    } else {
        Ok(())
    }
}

fn open_column(m: &mut Machine, _: u32) -> Result<(), TemplateError> {
    let column = m.table_place().map_or(1, |place| place.column);
    m.output.print(&format!("<td class=\"col{column}\">"))
}

fn close_column(m: &mut Machine, _: u32) -> Result<(), TemplateError> {
    m.output.print("</td>")?;
    match m.table_place() {
        Some(place) if place.ends_row && !place.ends_table => m
            .output
            .print(&format!("</tr>\n<tr class=\"row{}\">", place.row + 1)),
        _ => Ok(()),
    }
}

fn close_table(m: &mut Machine, cell: u32) -> Result<(), TemplateError> {
    if m.cell(cell).is_truthy() {
        m.output.print("</tr>\n")
    } else {
        Ok(())
    }
}
