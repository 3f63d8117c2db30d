//! The same engines with an allocator that counts. A program of its own: counting takes time, most
//! from whoever allocates most.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn made() -> usize {
    let stats = COUNTING.stats();
    stats.allocations + stats.reallocations
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    corkboard_engines::serve(Some(made))
}
