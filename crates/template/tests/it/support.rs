//! Short ways to render in a test.

use std::sync::Mutex;

use async_trait::async_trait;
use corkboard_core::connected::{
    ConnectedContent, FetchBody, FetchRequest, FetchResponse, FetchScope,
};
use corkboard_core::id::{Id as _, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_template::{
    Data, FetchTrace, Limits, Machine, RenderError, RenderOptions, Scope, Step, Template,
    TemplateError, render_text,
};

/// 2026-11-21T10:00:00Z.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_255_200)
}

pub(crate) fn scope(globals: &str) -> Scope {
    let data = Data::from_slice(globals.as_bytes()).expect("test data is JSON");
    Scope::new().with_globals(data).at(now())
}

/// Renders with JSON globals, without fetching.
pub(crate) fn render_with(
    source: &str,
    globals: &str,
    limits: &Limits,
) -> Result<String, TemplateError> {
    let template = Template::compile(source, limits)?;
    let mut machine = Machine::start(&template, scope(globals), limits);
    match machine.run()? {
        Step::Done => Ok(machine.take_output()),
        other => panic!("{source}: {other:?}"),
    }
}

pub(crate) fn render(source: &str, globals: &str) -> String {
    render_with(source, globals, &Limits::default()).unwrap_or_else(|e| panic!("{source}: {e}"))
}

pub(crate) fn error(source: &str, globals: &str) -> TemplateError {
    match render_with(source, globals, &Limits::default()) {
        Ok(output) => panic!("{source}: rendered {output:?}"),
        Err(error) => error,
    }
}

/// Answers every request from a list, in order, and remembers what was asked.
#[derive(Debug, Default)]
pub(crate) struct Script {
    answers: Mutex<Vec<FetchResponse>>,
    pub(crate) asked: Mutex<Vec<FetchRequest>>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = FetchResponse>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Self {
            answers: Mutex::new(answers),
            asked: Mutex::default(),
        }
    }

    pub(crate) fn request(&self, index: usize) -> FetchRequest {
        self.asked.lock().expect("no test panics with this lock")[index].clone()
    }
}

#[async_trait]
impl ConnectedContent for Script {
    async fn fetch(&self, _: FetchScope, request: FetchRequest) -> FetchResponse {
        self.asked
            .lock()
            .expect("no test panics with this lock")
            .push(request);
        // Gives way once, so that renders really are suspended.
        tokio::task::yield_now().await;
        self.answers
            .lock()
            .expect("no test panics with this lock")
            .pop()
            .expect("an answer is left")
    }
}

pub(crate) fn json(status: u16, body: &str) -> FetchResponse {
    let value: serde_json::Value = serde_json::from_str(body).expect("test body is JSON");
    FetchResponse {
        status,
        body: FetchBody::Json(value.into()),
        ..FetchResponse::default()
    }
}

pub(crate) fn text(body: &str) -> FetchResponse {
    FetchResponse {
        status: 200,
        body: FetchBody::Text(body.into()),
        ..FetchResponse::default()
    }
}

pub(crate) fn failed(status: u16) -> FetchResponse {
    FetchResponse {
        status,
        ..FetchResponse::default()
    }
}

pub(crate) fn options() -> RenderOptions {
    RenderOptions {
        now: now(),
        limits: Limits::default(),
        fetch_scope: FetchScope {
            workspace: WorkspaceId::from_bytes([7; 16]),
            campaign: None,
        },
    }
}

/// Renders with fetches on a runtime that moves tasks between threads.
pub(crate) fn fetching(
    source: &str,
    globals: &str,
    script: Script,
) -> (Result<(String, Vec<FetchTrace>), RenderError>, Script) {
    let template =
        Template::compile(source, &Limits::default()).unwrap_or_else(|e| panic!("{source}: {e}"));
    let scope = scope(globals);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime starts");
    let mut set = tokio::task::JoinSet::new();
    set.spawn_on(
        async move {
            let outcome = render_text(&template, scope, &options(), &script).await;
            (outcome, script)
        },
        runtime.handle(),
    );
    runtime
        .block_on(set.join_next())
        .expect("one task")
        .expect("no panic")
}
