//! `{% cycle 'group': a, b, c %}`: the next of its values each time.

use crate::compiler::Compiler;
use crate::cursor::Cursor;
use crate::error::TemplateError;
use crate::machine::Machine;
use crate::op::Op;
use crate::scan::Tag;
use crate::value::Value;

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let mut cursor = Cursor::tag(c.source, tag.markup);
    let mut count = 0_u32;
    // A value that ':' follows is the group's name; without one the values are.
    let named = {
        c.value(&mut cursor)?;
        cursor.eat(b':')
    };
    if named {
        c.emit(Op::Native {
            run: name_group,
            arg: 0,
        });
    } else {
        count += 1;
        cursor.eat(b',');
    }
    while cursor.peek().is_some() {
        c.value(&mut cursor)?;
        count += 1;
        if !cursor.eat(b',') {
            break;
        }
    }
    cursor.finish()?;
    if named {
        c.emit(Op::Native {
            run: next,
            arg: count,
        });
    } else {
        let group = c.new_text(&format!("\u{1}{}", c.cut(tag.markup).trim()))?;
        c.push(Value::Text(group));
        c.emit(Op::Native {
            run: next_unnamed,
            arg: count,
        });
    }
    Ok(())
}

/// Names given by authors never meet the names made up for groups without one.
fn name_group(m: &mut Machine, _: u32) -> Result<(), TemplateError> {
    let name = m.pop();
    let kind = if matches!(name, Value::Text(_)) {
        '\u{2}'
    } else {
        '\u{3}'
    };
    let group = m.rt.build(|rt, out| {
        out.push(kind)?;
        rt.print(&name, out)
    })?;
    m.push(group);
    Ok(())
}

fn next(m: &mut Machine, count: u32) -> Result<(), TemplateError> {
    let values = m.pop_many(count as usize);
    let group = m.pop();
    advance(m, group, &values)
}

/// Here the group lies above the values.
fn next_unnamed(m: &mut Machine, count: u32) -> Result<(), TemplateError> {
    let group = m.pop();
    let values = m.pop_many(count as usize);
    advance(m, group, &values)
}

fn advance(m: &mut Machine, group: Value, values: &[Value]) -> Result<(), TemplateError> {
    let Value::Text(group) = group else {
        return Ok(());
    };
    let place = m.counter(group)?;
    let value = usize::try_from(*place)
        .ok()
        .and_then(|at| values.get(at))
        .copied();
    *place += 1;
    if usize::try_from(*place).is_ok_and(|at| at >= values.len()) {
        *place = 0;
    }
    m.emit(value.unwrap_or(Value::Nil))
}
