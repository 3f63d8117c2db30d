//! The `corkboard` command; everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    corkboard::run(std::env::args_os())
}
