//! Buffers that belong to a thread: what is read and written at once never needs others.

use std::cell::Cell;

use bytes::Bytes;

/// Read at a time. Heads are far below it.
const INPUT: usize = 16 * 1024;
/// An output buffer that has grown beyond this is given back.
const OUTPUT: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) input: Box<[u8]>,
    pub(super) output: Vec<u8>,
    /// A body that is too long to be copied behind its head.
    pub(super) body: Bytes,
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

impl Scratch {
    fn new() -> Box<Self> {
        Box::new(Self {
            input: vec![0; INPUT].into(),
            output: Vec::with_capacity(4 * 1024),
            body: Bytes::new(),
        })
    }

    /// Room for another answer.
    pub(super) fn begin(&mut self) {
        self.output.clear();
        self.body = Bytes::new();
    }
}

/// Lends the thread's buffers, the output empty. Inside of another loan there are new ones.
pub(super) fn lend<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    let mut scratch = SCRATCH.take().unwrap_or_else(Scratch::new);
    scratch.begin();
    let result = work(&mut scratch);
    scratch.begin();
    if scratch.output.capacity() > OUTPUT {
        scratch.output = Vec::new();
    }
    SCRATCH.set(Some(scratch));
    result
}
