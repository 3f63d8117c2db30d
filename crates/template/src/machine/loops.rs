//! `for`: what it iterates over, where it stands, and `forloop`.

use super::Machine;
use crate::error::TemplateError;
use crate::op::{LoopSpec, Offset};
use crate::program::Program;
use crate::value::{LoopRef, Seq, Text, Value};

/// A loop that is running. Items are fetched one by one: nothing is expanded.
#[derive(Debug)]
pub(super) struct LoopFrame {
    items: Items,
    /// Iterations before this one.
    done: u64,
    /// Iterations altogether.
    length: u64,
    reversed: bool,
    spec: LoopSpec,
    serial: u32,
    /// Columns of a table; 0 for one row.
    columns: u64,
    /// What the two names meant outside.
    outer: (Option<Value>, Option<Value>),
}

#[derive(Debug, Clone, Copy)]
enum Items {
    List(Seq, u64),
    Map(Seq, u64),
    /// First number.
    Range(i64),
    One(Value),
}

impl Machine {
    pub(super) fn start_loop(
        &mut self,
        program: &Program,
        spec: u32,
        empty: u32,
    ) -> Result<(), TemplateError> {
        let Some(spec) = program.loops.get(spec as usize).copied() else {
            return Ok(());
        };
        let operands = self.pop_many(spec.operands.into());
        let collection = self.pop();
        let operand = |at: u8| {
            usize::from(at)
                .checked_sub(1)
                .and_then(|at| operands.get(at))
                .copied()
        };
        let whole = |machine: &Self, value: Option<Value>| match value {
            None => Ok(None),
            // A table takes what it can get for a number.
            Some(Value::Nil | Value::Text(_) | Value::Float(_)) if spec.is_table => {
                Ok(value.map(|value| machine.rt.range_bound(value)))
            }
            Some(Value::Nil) => Ok(None),
            Some(value) => machine.rt.integer(value).map(Some),
        };
        let from = match spec.offset {
            Offset::None => 0,
            Offset::Given => whole(self, operand(spec.offset_at))?.unwrap_or(0),
            Offset::Continue => self
                .continues
                .get(spec.continues as usize)
                .copied()
                .unwrap_or(0),
        };
        let limit = whole(self, operand(spec.limit_at))?;
        let columns = operand(spec.columns_at).map(|columns| self.rt.range_bound(columns));
        let (items, length) = self.cut(collection, from, limit);
        if let Some(place) = self.continues.get_mut(spec.continues as usize) {
            *place = from.saturating_add(i64::try_from(length).unwrap_or(i64::MAX));
        }
        if length == 0 {
            self.pc = empty as usize;
            return Ok(());
        }
        self.loop_serial = self.loop_serial.wrapping_add(1);
        let serial = self.loop_serial;
        let depth = u32::try_from(self.loops.len()).unwrap_or(u32::MAX);
        let running = Value::Loop(LoopRef { depth, serial });
        let outer = (
            self.slots
                .get(spec.variable as usize)
                .and_then(|slot| slot.scoped),
            self.slots
                .get(spec.object as usize)
                .and_then(|slot| slot.scoped),
        );
        let reversed = spec.reversed;
        self.loops.push(LoopFrame {
            items,
            done: 0,
            length,
            columns: columns.map_or(length, |columns| u64::try_from(columns).unwrap_or(0)),
            reversed,
            spec,
            serial,
            outer,
        });
        self.set_scoped(spec.object, Some(running));
        self.bind_item()
    }

    /// The part of a collection that `offset` and `limit` leave.
    fn cut(&self, collection: Value, from: i64, limit: Option<i64>) -> (Items, u64) {
        let (items, length) = match collection {
            Value::List(seq) => (Items::List(seq, 0), u64::from(seq.len)),
            Value::Map(seq) => (Items::Map(seq, 0), u64::from(seq.len)),
            Value::Range(index) => (
                Items::Range(self.rt.range(index).0),
                self.rt.range_len(index),
            ),
            // A text is one item, whatever offset and limit say.
            Value::Text(text) => return (Items::One(collection), u64::from(text.len > 0)),
            _ => (Items::One(Value::Nil), 0),
        };
        let skipped = u64::try_from(from).unwrap_or(0).min(length);
        // With a negative offset the limit counts from there, too.
        let end = match limit {
            Some(limit) => {
                let end = i128::from(from) + i128::from(limit);
                u64::try_from(end.max(0)).map_or(length, |end| end.min(length))
            }
            None => length,
        };
        let items = match items {
            Items::List(seq, _) => Items::List(seq, skipped),
            Items::Map(seq, _) => Items::Map(seq, skipped),
            Items::Range(first) => {
                Items::Range(first.saturating_add(i64::try_from(skipped).unwrap_or(i64::MAX)))
            }
            one @ Items::One(_) => one,
        };
        (items, end.saturating_sub(skipped))
    }

    fn bind_item(&mut self) -> Result<(), TemplateError> {
        self.rt.meter.charge(1)?;
        let Some(frame) = self.loops.last() else {
            return Ok(());
        };
        let place = if frame.reversed {
            frame.length - 1 - frame.done
        } else {
            frame.done
        };
        let variable = frame.spec.variable;
        let index = |first: u64| usize::try_from(first.saturating_add(place)).unwrap_or(usize::MAX);
        let item = match frame.items {
            Items::List(seq, first) => self.rt.item(seq, index(first)).unwrap_or(Value::Nil),
            Items::Map(seq, first) => match self.rt.entry(seq, index(first)) {
                Some((key, value)) => self.rt.new_pair(key, value)?,
                None => Value::Nil,
            },
            Items::Range(first) => {
                Value::Int(first.saturating_add(i64::try_from(place).unwrap_or(i64::MAX)))
            }
            Items::One(value) => value,
        };
        self.set_scoped(variable, Some(item));
        Ok(())
    }

    pub(super) fn next_iteration(&mut self, body: u32) -> Result<(), TemplateError> {
        let Some(frame) = self.loops.last_mut() else {
            return Ok(());
        };
        frame.done += 1;
        if frame.done >= frame.length {
            self.end_loop();
            return Ok(());
        }
        self.pc = body as usize;
        self.bind_item()
    }

    pub(super) fn end_loop(&mut self) {
        if let Some(frame) = self.loops.pop() {
            self.set_scoped(frame.spec.object, frame.outer.1);
            self.set_scoped(frame.spec.variable, frame.outer.0);
        }
    }

    fn set_scoped(&mut self, slot: u32, value: Option<Value>) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            place.scoped = value;
        }
    }

    /// `forloop.name`. Nil once the loop is over.
    pub(super) fn loop_property(&self, running: LoopRef, name: Text) -> Value {
        let depth = running.depth as usize;
        let Some(frame) = self
            .loops
            .get(depth)
            .filter(|frame| frame.serial == running.serial)
        else {
            return Value::Nil;
        };
        let number = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        match self.rt.str(name) {
            "index" => number(frame.done + 1),
            "index0" => number(frame.done),
            "rindex" => number(frame.length - frame.done),
            "rindex0" => number(frame.length - frame.done - 1),
            "first" => Value::Bool(frame.done == 0),
            "last" => Value::Bool(frame.done + 1 == frame.length),
            "length" => number(frame.length),
            "name" if !frame.spec.is_table => Value::Text(frame.spec.name),
            "parentloop" if frame.spec.has_parent() => self.parent_of(depth),
            name if frame.spec.is_table => frame.table_property(name),
            _ => Value::Nil,
        }
    }

    fn parent_of(&self, depth: usize) -> Value {
        let outer = self
            .loops
            .get(..depth)
            .unwrap_or_default()
            .iter()
            .enumerate();
        let parent = outer.rev().find(|(_, frame)| frame.spec.has_parent());
        parent.map_or(Value::Nil, |(depth, frame)| {
            let depth = u32::try_from(depth).unwrap_or(u32::MAX);
            Value::Loop(LoopRef {
                depth,
                serial: frame.serial,
            })
        })
    }

    /// Where the innermost loop, a `tablerow`, stands in its table.
    pub(crate) fn table_place(&self) -> Option<TablePlace> {
        self.loops.last().map(LoopFrame::place)
    }
}

/// A place in a table; rows and columns are counted from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TablePlace {
    pub(crate) column: u64,
    pub(crate) row: u64,
    pub(crate) ends_row: bool,
    pub(crate) ends_table: bool,
}

impl LoopFrame {
    fn place(&self) -> TablePlace {
        let row = self.done.checked_div(self.columns).unwrap_or(0);
        let column = self.done - row * self.columns + 1;
        TablePlace {
            column,
            row: row + 1,
            ends_row: column == self.columns,
            ends_table: self.done + 1 == self.length,
        }
    }

    fn table_property(&self, name: &str) -> Value {
        let place = self.place();
        let number = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        match name {
            "col" => number(place.column),
            "col0" => number(place.column - 1),
            "col_first" => Value::Bool(place.column == 1),
            "col_last" => Value::Bool(place.ends_row),
            "row" => number(place.row),
            _ => Value::Nil,
        }
    }
}
