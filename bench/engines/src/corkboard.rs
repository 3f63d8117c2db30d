//! This engine, as a sender drives it: compiled once, buffers kept, the campaign's data shared.

use std::hint::black_box;
use std::sync::Arc;

use corkboard_core::connected::{FetchBody, FetchResponse};
use corkboard_template::{Data, Limits, Machine, Memory, Scope, Step, Template};

use crate::clock;
use crate::engine::{Engine, Outcome, Work};
use crate::inputs::Inputs;

/// Stands before the card where the cost of a fetch is measured.
pub(crate) const FETCH: &str =
    "{% connected_content https://api.shop.example/offer?user={{ user.user_id }} :save offer %}";

pub(crate) struct Corkboard<'a> {
    inputs: &'a Inputs,
    template: Template,
    users: Vec<Data>,
    campaign: Data,
    limits: Limits,
    memory: Memory,
}

impl<'a> Corkboard<'a> {
    pub(crate) fn new(inputs: &'a Inputs) -> Outcome<Self> {
        Self::with_source(inputs, &inputs.liquid)
    }

    fn with_source(inputs: &'a Inputs, source: &str) -> Outcome<Self> {
        let limits = Limits::default();
        let users: Result<_, _> = inputs
            .users
            .iter()
            .map(|user| Data::from_slice(user.as_bytes()))
            .collect();
        Ok(Self {
            inputs,
            template: Template::compile(source, &limits)?,
            users: users?,
            campaign: Data::from_slice(inputs.campaign.as_bytes())?,
            limits,
            memory: Memory::default(),
        })
    }

    fn render(&mut self, user: Data, response: &FetchResponse) -> Outcome<String> {
        let scope = Scope::new()
            .with("user", user)
            .with("campaign", self.campaign.clone());
        let memory = std::mem::take(&mut self.memory);
        let mut machine = Machine::start_in(memory, &self.template, scope, &self.limits);
        loop {
            match machine.run()? {
                Step::Done => break,
                Step::Fetch(request) => {
                    black_box(request);
                    machine.resume(response)?;
                }
                Step::Abort(reason) => return Err(format!("aborted: {reason:?}").into()),
            }
        }
        let output = machine.take_output();
        self.memory = machine.into_memory();
        Ok(output)
    }
}

impl Engine for Corkboard<'_> {
    fn name(&self) -> &'static str {
        "corkboard"
    }

    fn does(&self, _: Work) -> bool {
        true
    }

    fn work(&mut self, work: Work, user: usize) -> Outcome {
        match work {
            Work::Render => {
                let user = self.users[user].clone();
                black_box(self.render(user, &FetchResponse::default())?);
            }
            Work::FromBytes => {
                black_box(self.output(user)?);
            }
            Work::Compile => {
                black_box(Template::compile(&self.inputs.liquid, &self.limits)?);
            }
        }
        Ok(())
    }

    fn output(&mut self, user: usize) -> Outcome<String> {
        let user = Data::from_slice(self.inputs.users[user].as_bytes())?;
        self.render(user, &FetchResponse::default())
    }
}

/// Nanoseconds that one fetch adds to a render: building the request, leaving the machine, coming
/// back with a small JSON answer.
pub(crate) fn suspension(inputs: &Inputs, milliseconds: u64) -> Outcome<f64> {
    let answer = serde_json::json!({ "text": "Ten euros off", "until": "Sunday" });
    let response = FetchResponse {
        status: 200,
        body: FetchBody::Json(Arc::new(answer)),
        ..FetchResponse::default()
    };
    let mut plain = Corkboard::new(inputs)?;
    let mut fetching = Corkboard::with_source(inputs, &format!("{FETCH}{}", inputs.liquid))?;
    let each = |corkboard: &mut Corkboard<'_>| {
        clock::nanos_each(milliseconds, inputs.users.len(), |user| {
            let user = corkboard.users[user].clone();
            black_box(corkboard.render(user, &response)?);
            Ok(())
        })
    };
    Ok(each(&mut fetching)? - each(&mut plain)?)
}
