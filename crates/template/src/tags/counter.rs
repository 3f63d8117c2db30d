//! `{% increment name %}` and `{% decrement name %}`: counters beside the assigned variables.

use crate::compiler::Compiler;
use crate::cursor::Cursor;
use crate::error::TemplateError;
use crate::machine::Machine;
use crate::op::{Native, Op};
use crate::scan::Tag;
use crate::value::Value;

pub(super) fn start_increment(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    start(c, tag, increment)
}

pub(super) fn start_decrement(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    start(c, tag, decrement)
}

fn start(c: &mut Compiler<'_>, tag: Tag, run: Native) -> Result<(), TemplateError> {
    let mut cursor = Cursor::tag(c.source, tag.markup);
    let name = cursor
        .target()
        .ok_or_else(|| cursor.unexpected("the name of a counter"))?;
    cursor.finish()?;
    let slot = c.slot(name)?;
    // A counter starts from data of its name, if there is any.
    c.reads(slot, || name.to_owned());
    c.emit(Op::Native { run, arg: slot });
    Ok(())
}

fn increment(m: &mut Machine, slot: u32) -> Result<(), TemplateError> {
    let count = count(m, slot);
    m.set_global(slot, Value::Int(count.saturating_add(1)));
    m.emit(Value::Int(count))
}

fn decrement(m: &mut Machine, slot: u32) -> Result<(), TemplateError> {
    let count = count(m, slot).saturating_sub(1);
    m.set_global(slot, Value::Int(count));
    m.emit(Value::Int(count))
}

fn count(m: &mut Machine, slot: u32) -> i64 {
    match m.global(slot) {
        Value::Int(count) => count,
        _ => 0,
    }
}
