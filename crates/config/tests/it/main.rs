//! The schema as an operator meets it.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod defaults;
mod layers;
mod mistakes;
mod robust;
