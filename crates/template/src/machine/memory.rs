//! What a render works in, kept from one render to the next: the same buffers instead of new ones.

use std::sync::Arc;

use super::calls::CallFrame;
use super::loops::LoopFrame;
use super::state::Slot;
use crate::arena::Arena;
use crate::value::{Text, Value};

/// Most bytes of computed values that are kept for the next render.
const MOST_KEPT: usize = 64 << 10;

/// The buffers of a finished render, for [`Machine::start_in`](super::Machine::start_in). Nothing of
/// the render is left in them.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) stack: Vec<Value>,
    pub(super) captures: Vec<usize>,
    pub(super) slots: Vec<Slot>,
    pub(super) loops: Vec<LoopFrame>,
    pub(super) calls: Vec<CallFrame>,
    pub(super) continues: Vec<i64>,
    pub(super) cells: Vec<Value>,
    pub(super) counters: Vec<(Text, i64)>,
    pub(super) statuses: Vec<(u32, u16)>,
    pub(crate) values: Values,
}

/// The part of it that filters work in.
#[derive(Debug, Default)]
pub(crate) struct Values {
    pub(crate) stores: Vec<Arc<Arena>>,
    pub(crate) heap: Arena,
    pub(crate) scratch: String,
}

impl Memory {
    /// Forgets the render.
    pub(super) fn clear(&mut self) {
        self.stack.clear();
        self.captures.clear();
        self.slots.clear();
        self.loops.clear();
        self.calls.clear();
        self.continues.clear();
        self.cells.clear();
        self.counters.clear();
        self.statuses.clear();
        self.values.stores.clear();
        self.values.scratch.clear();
        if self.values.heap.capacity() > MOST_KEPT || self.values.scratch.capacity() > MOST_KEPT {
            self.values = Values::default();
        } else {
            self.values.heap.clear();
        }
    }
}
