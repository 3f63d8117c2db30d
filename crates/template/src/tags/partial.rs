//! `{% render 'name' with value as item, key: value %}` and `{% include name … %}`.
//!
//! A `render` has variables of its own and sees only data and what it is given; an `include` shares
//! the caller's. With `for`, a `render` runs once per item; an `include` does so for any list.

use crate::compiler::{Compiler, last_part};
use crate::cursor::{Cursor, Literal};
use crate::error::TemplateError;
use crate::machine::Machine;
use crate::op::{Interrupt, LoopSpec, Offset, Op, PartialCall};
use crate::partials::Kind;
use crate::scan::{Span, Tag};
use crate::value::Value;

/// More arguments than any sensible tag has.
const MOST_ARGUMENTS: usize = 100;

struct Partial {
    call: PartialCall,
    /// The values of the arguments, to be compiled where they are needed.
    values: Vec<Span>,
    /// Holds the value of `with` or `for`.
    item: u32,
    /// Holds a computed name.
    name: Option<u32>,
}

pub(super) fn start_render(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let mut cursor = Cursor::tag(c.source, tag.markup);
    let Some(Literal::Text(name)) = cursor.literal()? else {
        return Err(cursor.unexpected("the quoted name of a partial"));
    };
    let routine = c.routine(Kind::Template, name)?;
    let mut partial = Partial::new(c, Some(routine), true);
    let how = with_or_for(&mut cursor);
    if how.is_some() {
        c.value(&mut cursor)?;
    }
    partial.alias(c, &mut cursor, Some(name))?;
    if how.is_none() {
        partial.call.bound = None;
    }
    partial.arguments(c, &mut cursor)?;
    match how {
        None => partial.call(c, None),
        Some(Spread::No) => {
            c.store(partial.item);
            partial.call(c, None)
        }
        Some(Spread::Yes) => partial.spread(c, any_collection),
    }
}

pub(super) fn start_include(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let mut cursor = Cursor::tag(c.source, tag.markup);
    let name = constant_name(&mut cursor)?;
    let routine = match name {
        Some(name) => Some(c.routine(Kind::Template, name)?),
        None => {
            c.value(&mut cursor)?;
            c.all_routines()?;
            None
        }
    };
    let mut partial = Partial::new(c, routine, false);
    if let Some(cell) = partial.name {
        c.store(cell);
    }
    if with_or_for(&mut cursor).is_some() {
        c.value(&mut cursor)?;
    } else {
        // Without a value of its own it takes the variable of its name.
        match name {
            Some(name) => {
                let text = c.source_text(name);
                c.push(Value::Text(text));
            }
            None => c.load_cell(partial.name.unwrap_or(partial.item)),
        }
        c.depends_on_data();
        c.emit(Op::LoadNamed);
    }
    partial.alias(c, &mut cursor, name)?;
    partial.arguments(c, &mut cursor)?;
    partial.spread(c, only_lists)
}

/// A quoted name that is the whole name: `'a'.b` is no such thing, but then no name at all.
fn constant_name<'s>(cursor: &mut Cursor<'s>) -> Result<Option<&'s str>, TemplateError> {
    Ok(match cursor.literal()? {
        Some(Literal::Text(name)) => Some(name),
        Some(_) => return Err(cursor.unexpected("the name of a partial")),
        None => None,
    })
}

enum Spread {
    No,
    Yes,
}

fn with_or_for(cursor: &mut Cursor<'_>) -> Option<Spread> {
    let how = match cursor.peek_name() {
        Some("with") => Spread::No,
        Some("for") => Spread::Yes,
        _ => return None,
    };
    cursor.name();
    // `with key: value` goes straight to the arguments.
    let behind = cursor.pos;
    let is_key = cursor.name().is_some() && cursor.eat(b':');
    cursor.pos = behind;
    (!is_key).then_some(how)
}

impl Partial {
    fn new(c: &mut Compiler<'_>, routine: Option<u32>, isolated: bool) -> Self {
        Self {
            call: PartialCall {
                routine,
                isolated,
                interrupts: !isolated,
                arguments: Vec::new(),
                bound: Some(None),
            },
            values: Vec::new(),
            item: c.cell(),
            name: routine.is_none().then(|| c.cell()),
        }
    }

    /// `as name`, or else the partial's own name.
    fn alias<'s>(
        &mut self,
        c: &mut Compiler<'s>,
        cursor: &mut Cursor<'s>,
        name: Option<&'s str>,
    ) -> Result<(), TemplateError> {
        let alias = if cursor.peek_name() == Some("as") {
            cursor.name();
            let alias = cursor.name();
            Some(alias.ok_or_else(|| cursor.unexpected("a name behind 'as'"))?)
        } else {
            name.map(last_part)
        };
        self.call.bound = Some(match alias {
            Some(alias) => Some(c.slot(alias)?),
            None => None,
        });
        Ok(())
    }

    /// `key: value, …`. The values are compiled once to check them, and again where they are used.
    fn arguments<'s>(
        &mut self,
        c: &mut Compiler<'s>,
        cursor: &mut Cursor<'s>,
    ) -> Result<(), TemplateError> {
        cursor.eat(b',');
        while let Some(key) = cursor.name() {
            cursor.expect(b':')?;
            cursor.skip_space();
            let start = cursor.pos;
            let before = c.program.ops.len();
            c.value(cursor)?;
            c.take_back(before);
            let slot = c.slot(key)?;
            self.call.arguments.push(slot);
            self.values.push(Span {
                start,
                end: cursor.pos,
            });
            if self.values.len() > MOST_ARGUMENTS {
                return Err(cursor.error("a partial takes at most 100 arguments"));
            }
            cursor.eat(b',');
        }
        cursor.finish()
    }

    /// Pushes the arguments and calls. `forloop` is the slot of the loop that runs the partial.
    fn call(
        &self,
        c: &mut Compiler<'_>,
        from_loop: Option<(u32, u32)>,
    ) -> Result<(), TemplateError> {
        let mut call = self.call.clone();
        if let Some((_, forloop)) = from_loop
            && call.isolated
        {
            let visible = c.slot("forloop")?;
            call.arguments.insert(0, visible);
            c.load_slot(forloop);
        }
        for value in &self.values {
            c.value(&mut Cursor::tag(c.source, *value))?;
        }
        if call.bound.is_some() {
            match from_loop {
                Some((item, _)) => c.load_slot(item),
                None => c.load_cell(self.item),
            }
        }
        if let Some(name) = self.name {
            c.load_cell(name);
        }
        c.call(call);
        if !self.call.isolated {
            let quiet = c.emit(Op::JumpUnlessInterrupted(u32::MAX));
            if from_loop.is_some() {
                let next = c.here() + 1;
                c.emit(Op::LoopBreak(next));
            }
            let goes_on = c.emit(Op::JumpUnlessBreak(u32::MAX));
            c.leave_loop(Interrupt::Break);
            c.land(goes_on);
            c.leave_loop(Interrupt::Continue);
            c.land(quiet);
        }
        Ok(())
    }

    /// Calls once for each item of the value on the stack, or once with a value that has no items.
    fn spread(
        &self,
        c: &mut Compiler<'_>,
        has_items: crate::op::Native,
    ) -> Result<(), TemplateError> {
        c.emit(Op::Native {
            run: has_items,
            arg: 0,
        });
        let single = c.emit(Op::JumpIfFalse(u32::MAX));
        let (item, forloop) = (c.hidden_slot()?, c.hidden_slot()?);
        let name = match self.call.routine {
            Some(routine) => c.routine_name(routine)?,
            None => crate::value::Text::EMPTY,
        };
        let spec = u32::try_from(c.program.loops.len()).unwrap_or(u32::MAX);
        c.program.loops.push(LoopSpec {
            variable: item,
            object: forloop,
            name,
            continues: u32::MAX,
            limit_at: 0,
            offset_at: 0,
            columns_at: 0,
            operands: 0,
            offset: Offset::None,
            reversed: false,
            is_table: false,
            is_partial: true,
        });
        let start = c.emit(Op::LoopStart {
            spec,
            empty: u32::MAX,
        });
        let body = c.here();
        self.call(c, Some((item, forloop)))?;
        c.emit(Op::LoopNext { body });
        let over = c.jump();
        c.land(single);
        c.store(self.item);
        self.call(c, None)?;
        c.land(over);
        c.land(start);
        Ok(())
    }
}

/// Leaves the value, and above it whether it is gone through item by item.
fn any_collection(m: &mut Machine, _: u32) -> Result<(), TemplateError> {
    let value = m.pop();
    m.push(value);
    let has_items = matches!(value, Value::List(_) | Value::Map(_) | Value::Range(_));
    m.push(Value::Bool(has_items));
    Ok(())
}

fn only_lists(m: &mut Machine, _: u32) -> Result<(), TemplateError> {
    let value = m.pop();
    m.push(value);
    m.push(Value::Bool(matches!(value, Value::List(_))));
    Ok(())
}
