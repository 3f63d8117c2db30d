//! Variables, cells and counters of a render, and what native operations may do with them.

use super::Machine;
use crate::error::TemplateError;
use crate::value::{Text, Value};

/// A variable, by where its value comes from. The first one present is the value.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    /// Set by a loop around this point.
    pub(super) scoped: Option<Value>,
    /// Assigned or captured.
    pub(super) local: Option<Value>,
    /// Looked up in the scope, once; or counted.
    pub(super) global: Option<Value>,
}

impl Slot {
    #[inline]
    pub(super) fn value(&self) -> Option<&Value> {
        let assigned = || self.local.as_ref().or(self.global.as_ref());
        self.scoped.as_ref().or_else(assigned)
    }
}

impl Machine {
    pub(crate) fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or(Value::Nil)
    }

    pub(crate) fn pop_many(&mut self, count: usize) -> Vec<Value> {
        self.stack.split_off(self.stack.len().saturating_sub(count))
    }

    pub(crate) fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    /// Prints a value.
    pub(crate) fn emit(&mut self, value: Value) -> Result<(), TemplateError> {
        self.rt.print(&value, &mut self.output)
    }

    pub(crate) fn cell(&self, cell: u32) -> Value {
        self.cells.get(cell as usize).copied().unwrap_or(Value::Nil)
    }

    pub(crate) fn set_cell(&mut self, cell: u32, value: Value) {
        if let Some(place) = self.cells.get_mut(cell as usize) {
            *place = value;
        }
    }

    /// The counter of a name, from 0.
    pub(crate) fn counter(&mut self, name: Text) -> Result<&mut i64, TemplateError> {
        let each = 1 + u64::from(name.len / 64);
        self.rt
            .meter
            .charge(each.saturating_mul(self.counters.len() as u64))?;
        let found = self
            .counters
            .iter()
            .position(|(n, _)| self.rt.str(*n) == self.rt.str(name));
        let index = found.unwrap_or_else(|| {
            self.counters.push((name, 0));
            self.counters.len() - 1
        });
        Ok(&mut self.counters[index].1)
    }

    pub(crate) fn assign(&mut self, slot: u32, value: Value) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            place.local = Some(value);
        }
        self.statuses.retain(|(saved_in, _)| *saved_in != slot);
    }

    /// The value of a name below all assignments.
    pub(crate) fn global(&mut self, slot: u32) -> Value {
        let Some(place) = self.slots.get_mut(slot as usize) else {
            return Value::Nil;
        };
        if let Some(value) = place.global {
            return value;
        }
        let name = self
            .program
            .names
            .get(slot as usize)
            .copied()
            .unwrap_or(Text::EMPTY);
        let value = self
            .scope
            .lookup(self.program.arena.str(name))
            .unwrap_or(Value::Nil);
        place.global = Some(value);
        value
    }

    pub(crate) fn set_global(&mut self, slot: u32, value: Value) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            place.global = Some(value);
        }
    }
}
