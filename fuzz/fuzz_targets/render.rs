//! Whatever compiles ends within its fuel, with an output or an error that has a place. The text up
//! to the first NUL is the template, the rest a partial `p`, which may call itself.
#![no_main]

use std::collections::BTreeMap;

use corkboard_core::connected::{FetchBody, FetchResponse};
use corkboard_template::{Data, Limits, Machine, Partials, Scope, Step, Template};
use libfuzzer_sys::fuzz_target;

const DATA: &str = r#"{"a":[1,2.5,"x",null,{"b":"é"},[true]],"b":{"a":1,"size":"s"},"user":{"a":"A"},
    "s":"<b>hé🎉</b> & 12","big":123456789012345678901234567890,"d":"2024-03-05T10:20:30Z","p":"p"}"#;

fuzz_target!(|text: &str| {
    let limits = Limits {
        fuel: 20_000,
        ..Limits::default()
    };
    let (source, partial) = text.split_once('\0').unwrap_or((text, ""));
    let named = || BTreeMap::from([("p".to_owned(), partial.to_owned())]);
    let partials = Partials {
        templates: named(),
        content_blocks: named(),
    };
    let Ok(template) = Template::compile_with(source, &partials, &limits) else {
        return;
    };
    let data = Data::from_slice(DATA.as_bytes()).expect("JSON");
    let mut machine = Machine::start(&template, Scope::new().with_globals(data), &limits);
    let mut answers = 0_u16;
    loop {
        match machine.run() {
            Ok(Step::Fetch(_)) => {
                answers += 1;
                let body = match answers % 3 {
                    0 => FetchBody::Empty,
                    1 => FetchBody::Text("text".into()),
                    _ => FetchBody::Empty,
                };
                let response = FetchResponse {
                    status: 200 + answers,
                    body,
                    ..FetchResponse::default()
                };
                if machine.resume(&response).is_err() {
                    return;
                }
            }
            Ok(_) => break,
            Err(error) => {
                assert!(error.line >= 1, "{error}");
                break;
            }
        }
    }
    assert!(machine.take_output().len() <= limits.output_bytes);
});
