//! The `liquid` crate, the only other engine of this language in Rust.

use std::hint::black_box;

use liquid::model::Value;
use liquid::{Object, Parser, ParserBuilder, Template};

use crate::engine::{Engine, Outcome, Work};
use crate::inputs::Inputs;

pub(crate) struct LiquidCrate<'a> {
    inputs: &'a Inputs,
    parser: Parser,
    template: Template,
    users: Vec<Object>,
    campaign: Value,
    out: Vec<u8>,
}

impl<'a> LiquidCrate<'a> {
    pub(crate) fn new(inputs: &'a Inputs) -> Outcome<Self> {
        let parser = ParserBuilder::with_stdlib().build()?;
        let campaign: Object = serde_json::from_str(&inputs.campaign)?;
        let campaign = Value::Object(campaign);
        let users: Result<_, Box<dyn std::error::Error>> = inputs
            .users
            .iter()
            .map(|user| Ok(globals(serde_json::from_str(user)?, &campaign)))
            .collect();
        Ok(Self {
            inputs,
            template: parser.parse(&inputs.liquid)?,
            parser,
            users: users?,
            campaign,
            out: Vec::new(),
        })
    }
}

fn globals(user: Object, campaign: &Value) -> Object {
    let mut globals = Object::new();
    globals.insert("user".into(), Value::Object(user));
    globals.insert("campaign".into(), campaign.clone());
    globals
}

impl Engine for LiquidCrate<'_> {
    fn name(&self) -> &'static str {
        "liquid"
    }

    fn does(&self, _: Work) -> bool {
        true
    }

    fn work(&mut self, work: Work, user: usize) -> Outcome {
        self.out.clear();
        match work {
            Work::Render => self.template.render_to(&mut self.out, &self.users[user])?,
            Work::FromBytes => {
                let user: Object = serde_json::from_str(&self.inputs.users[user])?;
                self.template
                    .render_to(&mut self.out, &globals(user, &self.campaign))?;
            }
            Work::Compile => {
                black_box(self.parser.parse(&self.inputs.liquid)?);
            }
        }
        black_box(&self.out);
        Ok(())
    }

    fn output(&mut self, user: usize) -> Outcome<String> {
        self.work(Work::FromBytes, user)?;
        Ok(String::from_utf8(self.out.clone())?)
    }
}
