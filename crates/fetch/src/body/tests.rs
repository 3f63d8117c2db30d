//! What templates get for what arrived.

use serde_json::json;

use super::*;

const LIMITS: BodyLimits = BodyLimits {
    max_body: 1024 * 1024,
    max_json_values: 100,
};

fn read(content: impl AsRef<[u8]>) -> Result<FetchBody, Problem> {
    interpret(200, content.as_ref(), &LIMITS)
}

fn json_body(value: Value) -> Result<FetchBody, Problem> {
    Ok(FetchBody::Json(Arc::new(value)))
}

fn text_body(text: &str) -> Result<FetchBody, Problem> {
    Ok(FetchBody::Text(text.into()))
}

#[test]
fn json_of_any_shape_is_json_and_the_rest_is_text() {
    assert_eq!(read(r#" {"a":[1]} "#), json_body(json!({"a": [1]})));
    assert_eq!(read("[1,2]"), json_body(json!([1, 2])));
    assert_eq!(read("12"), json_body(json!(12)));
    assert_eq!(read("\u{feff}{}"), json_body(json!({})));
    assert_eq!(read("hello"), text_body("hello"));
    assert_eq!(read(r#"{"a":"#), text_body(r#"{"a":"#));
    assert_eq!(read(b"caf\xe9"), text_body("caf\u{fffd}"));
    assert_eq!(read(b"{\"a\":\"\xff\"}"), text_body("{\"a\":\"\u{fffd}\"}"));
    assert_eq!(read(""), Ok(FetchBody::Empty));
}

#[test]
fn deep_json_is_refused_before_it_is_built() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let roomy = BodyLimits {
        max_json_values: usize::MAX,
        ..LIMITS
    };
    let deepest = interpret(200, nested(MAX_JSON_DEPTH).as_bytes(), &roomy);
    assert!(matches!(deepest, Ok(FetchBody::Json(_))), "{deepest:?}");
    for depth in [MAX_JSON_DEPTH + 1, 100_000] {
        let refused = interpret(200, nested(depth).as_bytes(), &roomy).unwrap_err();
        assert_eq!(
            refused,
            Problem::JsonTooDeep {
                status: 200,
                limit: MAX_JSON_DEPTH
            }
        );
        assert_eq!(refused.status(), 599);
    }
}

#[test]
fn json_of_too_many_values_is_refused_before_it_is_built() {
    let list = |values: usize| format!("[{}1]", "1,".repeat(values - 1));
    assert!(read(list(98)).is_ok());
    let refused = Problem::JsonTooLarge {
        status: 200,
        limit: 100,
    };
    assert_eq!(read(list(200)).unwrap_err(), refused);
    let maps = format!("[{}{{}}]", r#"{"":0},"#.repeat(60));
    assert_eq!(read(maps).unwrap_err(), refused);
    // Commas inside strings and in plain texts are no values.
    assert!(
        read(format!(
            r#"{{"a":"{}\"{}"}}"#,
            ",[{".repeat(200),
            ",".repeat(200)
        ))
        .is_ok()
    );
    assert!(read(",".repeat(500)).is_ok());
}

#[test]
fn the_weight_counts_memory_and_not_text() {
    let weigh = |text: &str| weight(&read(text).unwrap());
    assert_eq!(weigh("hello"), 5);
    assert!(weigh("[{},{},{},{}]") > 4 * 600);
    assert!(weigh(&format!(r#"["{}"]"#, "x".repeat(10_000))) >= 10_000);
    assert_eq!(weight(&FetchBody::Empty), 0);
}
