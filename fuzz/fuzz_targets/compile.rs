//! Any text compiles or is refused with a place inside of it, in time linear in its length.
#![no_main]

use corkboard_template::{Limits, Template};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    match Template::compile(source, &Limits::default()) {
        Ok(template) => assert_eq!(template.source(), source),
        Err(error) => {
            let lines = source.bytes().filter(|b| *b == b'\n').count() + 1;
            assert!(error.line >= 1 && error.line as usize <= lines, "{error}");
            assert!(!error.message.is_empty());
        }
    }
});
