//! Cards that are put aside while a fetch waits, and taken up again.

use std::time::Duration;

use corkboard_core::connected::{FetchResponse, FetchVerdict};
use corkboard_template::{Answers, CardSource, CardTemplate, Limits, RenderError, Rendered};

use crate::support::{Script, failed, json, options, scope};

const AFTER: Duration = Duration::from_secs(3);

fn again(status: u16, attempt: u8) -> FetchResponse {
    let mut response = failed(status);
    response.report.verdict = FetchVerdict::Again {
        after: AFTER,
        attempt,
    };
    response
}

fn gave_up(status: u16) -> FetchResponse {
    let mut response = failed(status);
    response.report.verdict = FetchVerdict::GaveUp;
    response.report.problem = Some("status 503 after 5 retries".into());
    response
}

fn attempt(
    source: &CardSource,
    script: &Script,
    answers: &mut Answers,
) -> Result<Rendered, RenderError> {
    let template = CardTemplate::compile(source, &Limits::default()).expect("compiles");
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime starts")
        .block_on(template.attempt(scope("{}"), &options(), script, answers))
}

fn card(title: &str) -> CardSource {
    CardSource {
        title: Some(title.into()),
        description: Some("{% connected_content https://x.test/second :save r %}{{ r.b }}".into()),
        ..CardSource::default()
    }
}

#[test]
fn what_was_answered_is_not_asked_again() {
    let source = card("{% connected_content https://x.test/first :method post :save r %}{{ r.a }}");
    let answers = &mut Answers::default();
    let script = Script::new([
        json(200, r#"{"a":1}"#),
        again(503, 2),
        again(503, 3),
        json(200, r#"{"b":2}"#),
    ]);
    for attempt_number in [2, 3] {
        let waits = attempt(&source, &script, answers).expect_err("it waits");
        let RenderError::Waits { after, trace } = waits else {
            panic!("{waits:?}")
        };
        assert_eq!((after, trace.len()), (AFTER, 2));
        assert_eq!(answers.attempt(), attempt_number);
    }
    let rendered = attempt(&source, &script, answers).expect("it has all answers");
    assert_eq!(rendered.fields.title.as_deref(), Some("1"));
    assert_eq!(rendered.fields.description.as_deref(), Some("2"));
    assert_eq!(rendered.trace.len(), 2);
    let asked = script.asked.lock().expect("no panic");
    let posts = asked.iter().filter(|asked| asked.url.ends_with("first"));
    assert_eq!((posts.count(), asked.len()), (1, 4));
}

#[test]
fn a_template_that_aborts_for_the_failure_comes_first() {
    let source = card(
        "{% connected_content https://x.test/ :save r :retry %}\
         {% if r.__http_status_code__ != 200 %}{% abort_message('no offer') %}{% endif %}",
    );
    for failure in [again(503, 2), gave_up(503)] {
        let outcome = attempt(&source, &Script::new([failure]), &mut Answers::default());
        let Err(RenderError::Aborted { reason, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(reason.as_deref(), Some("no offer"));
    }
}

#[test]
fn a_fetch_that_was_given_up_aborts_the_card_with_the_problem() {
    let source = card("{% connected_content https://x.test/ :save r :retry %}{{ r.a | times: 1 }}");
    let outcome = attempt(
        &source,
        &Script::new([gave_up(503)]),
        &mut Answers::default(),
    );
    let Err(RenderError::GaveUp { problem, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(problem, "status 503 after 5 retries");
}

#[test]
fn a_card_that_forgets_keeps_the_number_of_its_next_try() {
    let source = card("{% connected_content https://x.test/first :save r %}{{ r.a }}");
    let answers = &mut Answers::default();
    let script = Script::new([json(200, r#"{"a":1}"#), again(503, 4)]);
    attempt(&source, &script, answers).expect_err("it waits");
    let before = answers.bytes();
    answers.forget();
    assert!(answers.bytes() < before);
    assert_eq!(answers.attempt(), 4);
    let script = Script::new([json(200, r#"{"a":5}"#), json(200, r#"{"b":2}"#)]);
    let rendered = attempt(&source, &script, answers).expect("it asks for both again");
    assert_eq!(rendered.fields.title.as_deref(), Some("5"));
}
