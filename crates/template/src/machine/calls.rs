//! Running partials: binding their variables, keeping the caller's, coming back.

use super::Machine;
use super::state::Slot;
use crate::error::{TemplateError, codes};
use crate::op::Interrupt;
use crate::program::Program;
use crate::value::{Text, Value};

/// A partial that is running.
#[derive(Debug)]
pub(super) struct CallFrame {
    back_to: usize,
    /// The caller's cells: a partial may be running already.
    cells: Vec<Value>,
    /// What the bound names meant outside.
    outer: Vec<(u32, Option<Value>)>,
    isolated: Option<Isolated>,
    interrupts: bool,
    /// Bytes that are kept for the caller.
    kept: usize,
}

/// The caller's variables, while a `render` does not see them.
#[derive(Debug)]
struct Isolated {
    slots: Vec<Slot>,
    statuses: Vec<(u32, u16)>,
    last_changed: Option<Value>,
    /// What the caller had not begun to count is not the caller's afterwards.
    counters: Option<Vec<(Text, i64)>>,
    continues: Option<Vec<i64>>,
}

impl Machine {
    pub(super) fn call(&mut self, program: &Program, number: u32) -> Result<(), TemplateError> {
        let Some(call) = program.partial_calls.get(number as usize) else {
            return Ok(());
        };
        let routine = match call.routine {
            Some(routine) => program.routines.get(routine as usize),
            None => {
                let name = self.pop();
                let Value::Text(name) = name else {
                    let message = "the name of a partial is a text";
                    return Err(TemplateError::new(codes::INVALID_VALUE, message));
                };
                let name = self.rt.str(name);
                let routine = program.routines.iter().find(|r| &*r.name == name);
                if routine.is_none() {
                    let shown: String = name.chars().take(60).collect();
                    let message = format!("there is no partial '{shown}'");
                    return Err(TemplateError::new(codes::UNKNOWN_PARTIAL, message));
                }
                self.rt.meter.charge(program.routines.len() as u64)?;
                routine
            }
        };
        let Some(routine) = routine else {
            return Ok(());
        };
        if let Some(failure) = &routine.failure {
            return Err(failure.clone());
        }
        let rendering = || self.calls.iter().any(|frame| frame.isolated.is_some());
        if call.interrupts && rendering() {
            let message = "'include' cannot be used inside 'render'";
            return Err(TemplateError::new(codes::INVALID_VALUE, message));
        }
        if self.calls.len() >= self.limits.depth {
            let message = format!(
                "partials are nested deeper than {} levels",
                self.limits.depth
            );
            return Err(TemplateError::new(codes::NESTING_TOO_DEEP, message));
        }
        let bound = call.bound.map(|slot| slot.unwrap_or(routine.own_name));
        let values = self.pop_many(call.arguments.len() + usize::from(bound.is_some()));
        let names = call.arguments.iter().copied().chain(bound);
        let kept = self.keep(call.isolated)?;
        let mut frame = CallFrame {
            back_to: self.pc,
            cells: self.cells.clone(),
            outer: Vec::new(),
            isolated: call.isolated.then(|| self.isolate()),
            interrupts: call.interrupts,
            kept,
        };
        for (at, (slot, value)) in names.zip(values).enumerate() {
            let Some(place) = self.slots.get_mut(slot as usize) else {
                continue;
            };
            if call.isolated {
                // A partial may assign to its arguments; a missing object is not bound at all.
                if at < call.arguments.len() || !matches!(value, Value::Nil) {
                    place.local = Some(value);
                }
            } else {
                frame.outer.push((slot, place.scoped.replace(value)));
            }
        }
        self.calls.push(frame);
        self.pc = routine.entry as usize;
        Ok(())
    }

    /// Pays for what is kept for the caller.
    fn keep(&mut self, isolated: bool) -> Result<usize, TemplateError> {
        let slots = if isolated { self.slots.len() } else { 0 };
        let kept = slots * size_of::<Slot>() + self.cells.len() * size_of::<Value>();
        self.rt.meter.charge_bytes(kept)?;
        self.rt.keep(kept)?;
        Ok(kept)
    }

    fn isolate(&mut self) -> Isolated {
        let slots = vec![Slot::default(); self.slots.len()];
        let counting = !self.counters.is_empty();
        let looping = self.loop_serial > 0;
        Isolated {
            slots: std::mem::replace(&mut self.slots, slots),
            statuses: std::mem::take(&mut self.statuses),
            last_changed: self.last_changed,
            counters: (!counting).then(Vec::new),
            continues: (!looping).then(|| self.continues.clone()),
        }
    }

    pub(super) fn return_from_call(&mut self, interrupt: Option<Interrupt>) {
        let Some(frame) = self.calls.pop() else {
            self.pc = usize::MAX;
            return;
        };
        self.pc = frame.back_to;
        self.rt.release(frame.kept);
        self.cells = frame.cells;
        for (slot, value) in frame.outer.into_iter().rev() {
            if let Some(place) = self.slots.get_mut(slot as usize) {
                place.scoped = value;
            }
        }
        if let Some(outside) = frame.isolated {
            self.slots = outside.slots;
            self.statuses = outside.statuses;
            self.last_changed = outside.last_changed;
            if let Some(counters) = outside.counters {
                self.counters = counters;
            }
            if let Some(continues) = outside.continues {
                self.continues = continues;
            }
        }
        self.interrupt = interrupt.filter(|_| frame.interrupts);
    }
}
