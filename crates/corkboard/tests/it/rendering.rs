//! `render`: one template, and streams of them.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use corkboard_testkit::{Peer, Reply};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::process::{command, run, run_with};

#[test]
fn a_template_renders_with_a_user_and_data_and_nothing_around_it() {
    let folder = tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "t.liquid",
        "{{ user.user_id }}: {{ ${first_name} | upcase }} in {{ place }}",
    );
    write(
        "u.json",
        r#"{"user_id":"u1","attributes":{"first_name":"Ada","user_id":"not me"}}"#,
    );
    write("d.json", r#"{"place":"London"}"#);
    let finished = run(
        folder.path(),
        "render --template t.liquid --user u.json --data d.json",
    );
    assert_eq!(finished.expect(0).stdout, "u1: ADA in London");
}

#[test]
fn what_is_wrong_with_a_template_is_named_with_its_place() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("t.liquid"), "one\n{{ x | shout }}").unwrap();
    let finished = run(folder.path(), "render --template t.liquid").expect(64);
    assert!(
        finished.stderr.contains("t.liquid:2:"),
        "{}",
        finished.stderr
    );
    assert!(
        finished.stderr.contains("unknown_filter"),
        "{}",
        finished.stderr
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetches_are_real_and_the_trace_goes_to_stderr() {
    let peer = Peer::start().await;
    peer.on("/offer", Reply::json(&json!({"name": "a pan"})));
    let folder = tempdir().unwrap();
    let template = format!(
        "{{% connected_content {} :save offer %}}\
         {{{{ offer.name }}}} {{{{ offer.__http_status_code__ }}}}",
        peer.url("/offer")
    );
    fs::write(folder.path().join("t.liquid"), template).unwrap();
    let arguments = "render --template t.liquid";
    let refused = run(folder.path(), arguments).expect(0);
    assert_eq!(refused.stdout, " 0", "the guard is on");

    let mut command = command(folder.path(), arguments);
    command.env("CORKBOARD__FETCH__ALLOW_NETWORKS", r#"["127.0.0.0/8"]"#);
    command.env("CORKBOARD__FETCH__ALLOW_PORTS", "[]");
    let fetched = run_with(command, "").expect(0);
    assert_eq!(fetched.stdout, "a pan 200");
    assert!(
        fetched.stderr.starts_with("GET http://127.0.0.1"),
        "{}",
        fetched.stderr
    );
    assert!(fetched.stderr.contains("-> 200"), "{}", fetched.stderr);
}

/// The answers to these lines, parsed.
fn batch(lines: &[String]) -> Vec<Value> {
    let folder = tempdir().unwrap();
    let input = lines
        .iter()
        .map(|line| format!("{line}\n"))
        .collect::<String>();
    let printed = run_with(command(folder.path(), "render --batch"), &input)
        .expect(0)
        .stdout;
    printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_batch_answers_every_line_in_order_and_goes_on_after_errors() {
    let answers = batch(&[
        json!({"template": "a{{ x }}", "data": {"x": 1}}).to_string(),
        json!({"template": "\n{{ x"}).to_string(),
        "not json".to_owned(),
        json!({"template": 7}).to_string(),
        json!({"template": "{% abort_message('enough') %}"}).to_string(),
        json!({"template": "{% include 'p' %}", "templates": {"p": "x{{ y }}"}, "data": {"y": 2}})
            .to_string(),
        json!({"template": "{% render 'q' %}", "templates": {"p": "x"}}).to_string(),
        json!({"template": "last"}).to_string(),
    ]);
    assert_eq!(answers.len(), 8);
    assert_eq!(answers[0], json!({"output": "a1"}));
    assert_eq!(answers[1]["error"]["code"], "syntax_error");
    assert_eq!(answers[1]["error"]["line"], 2);
    assert_eq!(answers[2]["error"]["code"], "bad_input");
    assert_eq!(answers[3]["error"]["code"], "bad_input");
    let aborted = json!({"error": {"code": "aborted", "message": "enough", "line": 0}});
    assert_eq!(answers[4], aborted);
    assert_eq!(answers[5], json!({"output": "x2"}));
    assert_eq!(answers[6]["error"]["code"], "unknown_partial");
    assert_eq!(answers[7], json!({"output": "last"}));
}

#[test]
fn a_long_batch_keeps_its_order() {
    let lines: Vec<String> = (0..5_000)
        .map(|n| json!({"template": "{{ n }}", "data": {"n": n}}).to_string())
        .collect();
    let answers = batch(&lines);
    assert_eq!(answers.len(), lines.len());
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer["output"], number.to_string());
    }
}

#[test]
fn a_batch_answers_before_its_input_has_ended() {
    let folder = tempdir().unwrap();
    let mut command = command(folder.path(), "render --batch");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for word in ["one", "two"] {
        writeln!(stdin, "{}", json!({"template": word})).unwrap();
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["output"], word);
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
