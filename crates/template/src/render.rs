//! Drives one machine: answers its fetches, keeps the trace, holds no thread while waiting.

use std::collections::BTreeMap;
use std::time::Duration;

use corkboard_core::connected::{
    ConnectedContent, FetchMethod, FetchRequest, FetchResponse, FetchScope, FetchSource,
};
use corkboard_core::time::Timestamp;

use crate::error::TemplateError;
use crate::limits::Limits;
use crate::machine::{Machine, Memory, Step};
use crate::program::Template;
use crate::scope::Scope;

/// What a render needs besides template and data.
#[derive(Debug, Clone, Copy)]
pub struct RenderOptions {
    /// What `now` means.
    pub now: Timestamp,
    pub limits: Limits,
    /// On whose behalf fetches are made.
    pub fetch_scope: FetchScope,
}

/// One fetch of a render, for previews and logs. No headers and no bodies: they hold secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchTrace {
    /// The field whose template asked; empty for a single template.
    pub field: String,
    pub url: String,
    pub method: FetchMethod,
    /// HTTP status, or a synthetic one (see [`FetchResponse`]).
    pub status: u16,
    pub source: FetchSource,
    pub elapsed: Duration,
    /// Bytes of the body.
    pub bytes: u64,
    /// Why there is no usable body.
    pub problem: Option<String>,
}

/// Why there is no rendered result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The template said `abort_message`: this user gets no card.
    #[error("the template aborted{}", reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default())]
    Aborted {
        reason: Option<String>,
        trace: Vec<FetchTrace>,
    },
    /// The template failed.
    #[error("field '{field}' failed to render")]
    Template {
        /// The field; empty for a single template.
        field: String,
        #[source]
        error: TemplateError,
        trace: Vec<FetchTrace>,
    },
}

/// Renders one template, answering its fetches with `fetcher`.
///
/// # Errors
/// When the template aborts or fails; the trace of what was fetched until then is in the error.
pub async fn render_text(
    template: &Template,
    scope: Scope,
    options: &RenderOptions,
    fetcher: &dyn ConnectedContent,
) -> Result<(String, Vec<FetchTrace>), RenderError> {
    let mut trace = Vec::new();
    let field = Field {
        name: "",
        template,
        options,
        fetcher,
    };
    let (mut extras, mut memory) = (BTreeMap::new(), Memory::default());
    let rendered = field.render(scope, &mut trace, &mut extras, &mut memory);
    match rendered.await {
        Ok(text) => Ok((text, trace)),
        Err(stop) => Err(stop.into_error("", trace)),
    }
}

/// One template of a card, or the only one.
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    pub(crate) template: &'a Template,
    pub(crate) options: &'a RenderOptions,
    pub(crate) fetcher: &'a dyn ConnectedContent,
}

/// Why a field has no text.
pub(crate) enum Stop {
    Aborted(Option<String>),
    Failed(TemplateError),
}

impl From<TemplateError> for Stop {
    fn from(error: TemplateError) -> Self {
        Self::Failed(error)
    }
}

impl Stop {
    pub(crate) fn into_error(self, field: &str, trace: Vec<FetchTrace>) -> RenderError {
        match self {
            Self::Aborted(reason) => RenderError::Aborted { reason, trace },
            Self::Failed(error) => RenderError::Template {
                field: field.to_owned(),
                error,
                trace,
            },
        }
    }
}

impl Field<'_> {
    pub(crate) async fn render(
        &self,
        scope: Scope,
        trace: &mut Vec<FetchTrace>,
        extras: &mut BTreeMap<String, String>,
        memory_of_last: &mut Memory,
    ) -> Result<String, Stop> {
        let scope = scope.at(self.options.now);
        let memory = std::mem::take(memory_of_last);
        let mut machine = Machine::start_in(memory, self.template, scope, &self.options.limits);
        loop {
            match machine.run()? {
                Step::Done => {
                    extras.extend(machine.take_message_extras());
                    let output = machine.take_output();
                    *memory_of_last = machine.into_memory();
                    return Ok(output);
                }
                Step::Abort(reason) => return Err(Stop::Aborted(reason)),
                Step::Fetch(request) => {
                    let asked = (request.url.clone(), request.method);
                    let response = self.fetch(request).await;
                    trace.push(self.traced(asked, &response));
                    machine.resume(&response)?;
                }
            }
        }
    }

    async fn fetch(&self, request: FetchRequest) -> FetchResponse {
        self.fetcher.fetch(self.options.fetch_scope, request).await
    }

    fn traced(&self, (url, method): (String, FetchMethod), response: &FetchResponse) -> FetchTrace {
        FetchTrace {
            field: self.name.to_owned(),
            url,
            method,
            status: response.status,
            source: response.report.source,
            elapsed: response.report.elapsed,
            bytes: response.report.bytes,
            problem: response.report.problem.clone(),
        }
    }
}
