//! The built binary as its users meet it: command line, exit status, demo and node.
#![expect(
    clippy::unwrap_used,
    reason = "a failed expectation of a test ends the test"
)]

mod certificates;
mod command_line;
mod configuration;
mod demo;
mod faults;
mod kills;
mod leaving;
mod origin;
mod postgres;
mod process;
mod rendering;
mod secrets;
mod tenants;
