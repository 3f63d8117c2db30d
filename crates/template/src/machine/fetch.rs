//! Suspending at `connected_content`: the request that goes out, the answer that comes in.

use corkboard_core::connected::{FetchBody, FetchRequest, FetchResponse};

use super::Machine;
use crate::data::Data;
use crate::error::{TemplateError, codes};
use crate::program::Program;
use crate::runtime::Print;
use crate::value::Value;

const STATUS: &str = "__http_status_code__";

impl Machine {
    /// Puts the request together from the texts on the stack.
    pub(super) fn request(
        &mut self,
        program: &Program,
        number: u32,
    ) -> Result<FetchRequest, TemplateError> {
        let Some(site) = program.requests.get(number as usize) else {
            return Err(TemplateError::new(codes::MISUSE, "no such request"));
        };
        self.fetches_left = self.fetches_left.checked_sub(1).ok_or_else(|| {
            let message = "the template fetches too often; is 'connected_content' inside a loop?";
            TemplateError::new(codes::TOO_MANY_FETCHES, message)
        })?;
        let mut request = site.constant.clone();
        let values = self.pop_many(site.parts.len());
        for (part, value) in site.parts.iter().zip(values) {
            let text = self.rt.text_of(value)?;
            let text = self.rt.str(text).trim();
            part.fill(text, &mut request).map_err(|problem| {
                let message = format!("':{}' {problem}", part.name());
                TemplateError::new(codes::INVALID_VALUE, message)
            })?;
        }
        let wants_json = request
            .content_type
            .as_deref()
            .is_some_and(|t| t.starts_with("application/json"));
        if wants_json && let Some(body) = &request.body {
            request.body = form_as_json(body).or(request.body);
        }
        Ok(request)
    }

    /// Binds an answer as the template asked for it.
    pub(super) fn answer(
        &mut self,
        number: u32,
        response: &FetchResponse,
    ) -> Result<(), TemplateError> {
        let Some(site) = self.program.requests.get(number as usize) else {
            return Ok(());
        };
        let (slot, saved) = (site.slot, site.saved);
        let again;
        let body = if site.rerender {
            match self.rendered_again(&response.body)? {
                Some(body) => {
                    again = body;
                    &again
                }
                // It aborts.
                None => return Ok(()),
            }
        } else {
            &response.body
        };
        let value = match body {
            FetchBody::Json(json) => {
                let status = [(STATUS, i64::from(response.status))];
                self.adopt(&Data::from_json_with(json, &status))?
            }
            FetchBody::Text(text) if saved => self.adopt(&Data::from_text(text))?,
            FetchBody::Text(text) => {
                // In place. `connected` is nothing then, but the status is readable.
                self.output.print(text)?;
                Value::Nil
            }
            FetchBody::Empty => Value::Nil,
        };
        self.assign(slot, value);
        self.statuses.push((slot, response.status));
        Ok(())
    }

    fn adopt(&mut self, data: &Data) -> Result<Value, TemplateError> {
        self.fetched_room = self
            .fetched_room
            .checked_sub(data.arena.bytes())
            .ok_or_else(|| {
                let message = "the fetched results together are too large for one template";
                TemplateError::new(codes::MEMORY_LIMIT, message)
            })?;
        let store = self.rt.add_store(data.arena.clone())?;
        Ok(data.root.seen_from(store))
    }
}

/// `a=1&b=2` as a JSON object; none when the text is something else.
fn form_as_json(body: &str) -> Option<String> {
    if body.starts_with(['{', '[', '"']) {
        return None;
    }
    let mut object = serde_json::Map::new();
    for pair in body.split('&') {
        let (name, value) = pair.split_once('=')?;
        object.insert(name.to_owned(), value.into());
    }
    serde_json::to_string(&object).ok()
}
