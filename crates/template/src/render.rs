//! Drives one machine: answers its fetches, keeps the trace, holds no thread while waiting.

use std::collections::BTreeMap;
use std::time::Duration;

use corkboard_core::connected::{
    ConnectedContent, FetchMethod, FetchResponse, FetchScope, FetchSource, FetchVerdict,
};
use corkboard_core::time::Timestamp;

use crate::asking::Asking;
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
    /// A fetch that the template asked to be retried went on failing: this user gets no card.
    #[error("a fetch was given up: {problem}")]
    GaveUp {
        problem: String,
        trace: Vec<FetchTrace>,
    },
    /// A fetch has to be tried again after this time. Only for those who can put a render aside.
    #[error("a fetch has to be tried again")]
    Waits {
        after: Duration,
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
    };
    let (mut extras, mut memory) = (BTreeMap::new(), Memory::default());
    let mut asking = Asking::patiently(fetcher, options.fetch_scope);
    let rendered = field.render(scope, &mut asking, &mut trace, &mut extras, &mut memory);
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
}

/// Why a field has no text.
pub(crate) enum Stop {
    Aborted(Option<String>),
    GaveUp(String),
    Waits(Duration),
    Failed(TemplateError),
}

impl From<TemplateError> for Stop {
    fn from(error: TemplateError) -> Self {
        Self::Failed(error)
    }
}

impl Stop {
    /// Why a card cannot go on with this response.
    fn after(response: &FetchResponse) -> Option<Self> {
        match response.report.verdict {
            FetchVerdict::Settled => None,
            FetchVerdict::Again { after, .. } => Some(Self::Waits(after)),
            FetchVerdict::GaveUp => {
                let problem = response.report.problem.clone();
                let status = || format!("its status is {}", response.status);
                Some(Self::GaveUp(problem.unwrap_or_else(status)))
            }
        }
    }

    pub(crate) fn into_error(self, field: &str, trace: Vec<FetchTrace>) -> RenderError {
        match self {
            Self::Aborted(reason) => RenderError::Aborted { reason, trace },
            Self::GaveUp(problem) => RenderError::GaveUp { problem, trace },
            Self::Waits(after) => RenderError::Waits { after, trace },
            Self::Failed(error) => RenderError::Template {
                field: field.to_owned(),
                error,
                trace,
            },
        }
    }
}

impl Field<'_> {
    /// A failure that does not stand yet, or stands for good, is shown to the template first: what it
    /// aborts for is aborted. If it does not, its text is of no use.
    pub(crate) async fn render(
        &self,
        scope: Scope,
        asking: &mut Asking<'_>,
        trace: &mut Vec<FetchTrace>,
        extras: &mut BTreeMap<String, String>,
        memory_of_last: &mut Memory,
    ) -> Result<String, Stop> {
        let scope = scope.at(self.options.now);
        let memory = std::mem::take(memory_of_last);
        let mut machine = Machine::start_in(memory, self.template, scope, &self.options.limits);
        let mut failure = None;
        loop {
            let step = machine.run();
            if let Ok(Step::Abort(reason)) = step {
                return Err(Stop::Aborted(reason));
            }
            if let Some(stop) = failure.take() {
                return Err(stop);
            }
            match step? {
                Step::Done | Step::Abort(_) => {
                    extras.extend(machine.take_message_extras());
                    let output = machine.take_output();
                    *memory_of_last = machine.into_memory();
                    return Ok(output);
                }
                Step::Fetch(request) => {
                    let asked = (request.url.clone(), request.method);
                    let response = asking.answer(request).await;
                    trace.push(self.traced(asked, &response));
                    failure = Stop::after(&response);
                    machine.resume(&response)?;
                }
            }
        }
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
