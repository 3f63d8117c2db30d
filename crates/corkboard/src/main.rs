//! The corkboard command.
fn main() {}
