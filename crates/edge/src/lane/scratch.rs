//! Buffers that belong to a thread: what is read and written at once never needs others.

use std::cell::Cell;
use std::mem;

use bytes::Bytes;

/// Read at a time. Heads are far below it.
const INPUT: usize = 16 * 1024;
/// An output buffer that has grown beyond this is given back.
const OUTPUT: usize = 64 * 1024;
/// Output buffers that are kept for answers that do not go out at once.
const SPARE: usize = 64;

#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) input: Box<[u8]>,
    pub(super) output: Vec<u8>,
    /// A body that is too long to be copied behind its head.
    pub(super) body: Bytes,
    spare: Vec<Vec<u8>>,
}

/// An answer that has left the buffers it was written into.
#[derive(Debug)]
pub(super) struct Written {
    output: Vec<u8>,
    body: Bytes,
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
            spare: Vec::new(),
        })
    }

    /// Room for another answer.
    pub(super) fn begin(&mut self) {
        self.output.clear();
        self.body = Bytes::new();
    }

    /// The answer that was written, to go out later.
    pub(super) fn take_written(&mut self) -> Written {
        let other = self.spare.pop().unwrap_or_default();
        Written {
            output: mem::replace(&mut self.output, other),
            body: mem::take(&mut self.body),
        }
    }

    /// The answer as if it had just been written.
    pub(super) fn put_back(&mut self, written: Written) {
        let other = mem::replace(&mut self.output, written.output);
        if self.spare.len() < SPARE {
            self.spare.push(other);
        }
        self.body = written.body;
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
