//! The `corkboard` command; everything is in the library beside it, except for the allocator, which is
//! the process's.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Rendering a card takes and frees many small pieces, on whichever thread has time: the system's
/// allocator was a third of a send's processor time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    corkboard::run(std::env::args_os())
}
