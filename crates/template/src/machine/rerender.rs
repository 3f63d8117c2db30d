//! `:rerender`: a fetched result that holds Liquid itself is rendered once more before it is used.
//!
//! The Liquid comes from the endpoint, not from the author: it sees the data of the render and none of
//! the template's variables, pays out of the same fuel, and fetches nothing.

use corkboard_core::connected::{FetchBody, FetchResponse};

use super::{Machine, State, Step};
use crate::error::TemplateError;
use crate::limits::Limits;
use crate::program::Template;

/// What compiling costs, in terms of reading a text.
const COMPILING: usize = 30;

impl Machine {
    /// The result with its Liquid rendered. None: it says `abort_message`, and so the render ends.
    pub(super) fn rendered_again(
        &mut self,
        body: &FetchBody,
    ) -> Result<Option<FetchBody>, TemplateError> {
        let source = match body {
            FetchBody::Empty => return Ok(Some(FetchBody::Empty)),
            FetchBody::Text(text) => text.to_string(),
            FetchBody::Json(json) => json.to_string(),
        };
        if !source.contains("{{") && !source.contains("{%") {
            return Ok(Some(body.clone()));
        }
        self.rt.meter.enter();
        let rendered = self.render_again(&source);
        self.rt.meter.leave();
        let Some(text) = rendered.map_err(in_result)? else {
            return Ok(None);
        };
        // JSON that the values broke is a text.
        Ok(Some(match serde_json::from_str(&text) {
            Ok(json) => FetchBody::Json(std::sync::Arc::new(json)),
            Err(_) => FetchBody::Text(text.into()),
        }))
    }

    fn render_again(&mut self, source: &str) -> Result<Option<String>, TemplateError> {
        let cost = source.len().saturating_mul(COMPILING);
        self.rt.meter.charge_bytes(cost)?;
        let template = Template::compile(source, &self.limits)?;
        let limits = Limits {
            fuel: self.rt.meter.fuel(),
            deadline: self.rt.meter.time_left(),
            value_bytes: self.rt.room(),
            ..self.limits
        };
        let mut inner = Machine::start(&template, self.scope.clone(), &limits);
        let ended = loop {
            match inner.run() {
                Ok(Step::Fetch(_)) => inner.resume(&FetchResponse::default())?,
                ended => break ended,
            }
        };
        self.rt.meter.charge(limits.fuel - inner.rt.meter.fuel())?;
        if let Step::Abort(reason) = ended? {
            self.state = State::Aborting;
            self.reason = reason;
            return Ok(None);
        }
        self.extras.append(&mut inner.extras);
        Ok(Some(inner.take_output()))
    }
}

/// Its lines are not those of the template.
fn in_result(error: TemplateError) -> TemplateError {
    let TemplateError {
        code,
        message,
        line,
        column,
    } = error;
    TemplateError::new(
        code,
        format!(
            "the fetched result cannot be rendered: {message} (its line {line}, column {column})"
        ),
    )
}
